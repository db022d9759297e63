"""Signatures: DSSE v1, Ed25519."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from certify.checking.limits import MAX_SIGNATURES, Malformed, Mismatch
from certify.checking.work import spend


def check_options(keys: Sequence[bytes], threshold: int | None, now: datetime | None) -> None:
    if len(keys) > MAX_SIGNATURES:
        raise Malformed(f"--key: more than {MAX_SIGNATURES} keys")
    if threshold is not None and not 1 <= threshold <= len(keys):
        raise Malformed(f"--threshold: needs a number from 1 to that of the keys, {len(keys)}; got {threshold}")
    if now is not None and now.tzinfo is None:
        raise Malformed("now: a time without a time zone")


def read_keys(keys: Sequence[bytes]) -> dict[str, Any]:
    """keyid -> public key. A keyid is the SHA-256 of the SubjectPublicKeyInfo in DER."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # missing, or broken: its Rust part panics with what is no Exception
        raise Malformed("checking signatures needs the package cryptography") from None
    found = {}
    for i, data in enumerate(keys, 1):
        if data.count(b"-----BEGIN ") != 1:
            raise Malformed(f"--key: key {i} of {len(keys)} is not one public key in PEM")
        if b"PRIVATE KEY" in data:
            raise Malformed(f"--key: key {i} of {len(keys)} is a private key; give the public one")
        try:
            key = load_pem_public_key(data)
            if not isinstance(key, Ed25519PublicKey):
                raise ValueError
            der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        except Exception:
            raise Malformed(f"--key: key {i} of {len(keys)} is not an Ed25519 public key in PEM") from None
        found[hashlib.sha256(der).hexdigest()] = key
    return found


def signed_bytes(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding: what is signed."""
    name = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)


def check_signatures(envelope: dict[str, Any], payload: bytes, keys: dict[str, Any], threshold: int) -> list[str]:
    """The keyids of the given keys that signed; at least `threshold` of them. A keyid in the envelope is a hint, and
    not believed; a key, or a signature, that is there twice counts once."""
    message = signed_bytes(envelope["payloadType"], payload)
    signatures = {base64.b64decode(entry["sig"]) for entry in envelope["signatures"]}

    def signed(key: Any) -> bool:
        for signature in signatures:
            spend(100 + len(message) // 400)
            try:
                key.verify(signature, message)
                return True
            except Exception:  # InvalidSignature, or whatever else is no success
                continue
        return False

    signers = [keyid for keyid, key in keys.items() if signed(key)]
    if not signatures:
        raise Mismatch("unsigned, and a key was given")
    if not signers and not keys.keys() & {entry["keyid"] for entry in envelope["signatures"]}:
        raise Mismatch("wrong key: nothing here is signed by a given key")
    if not signers:
        raise Mismatch("a signature by a given key is not over these bytes")
    if len(signers) < threshold:
        raise Mismatch(f"threshold not met: {len(signers)} of the given keys signed, {threshold} must have")
    return signers
