"""Envelopes: digests, keys and signatures."""

from __future__ import annotations

import base64
import copy
import hashlib
import json

from tests.vectors.producer.numbers import Json

# fmt: off

def subject_digest(run: Json) -> str:
    text = json.dumps(run, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def envelope(payload: bytes, /, **changes: Json) -> bytes:
    parts = {
        "payloadType": "application/vnd.in-toto+json",
        "payload": base64.b64encode(payload).decode(),
        "signatures": [],
        "digest": {"sha256": hashlib.sha256(payload).hexdigest()},
    }
    return json.dumps(parts | changes).encode() + b"\n"


def seal(stated: Json, subject: bool = True) -> bytes:
    """The envelope of a statement, with digests that match (the subject's only if asked for)."""
    if subject and "run" in stated["predicate"]:
        stated = copy.deepcopy(stated)
        stated["subject"][0]["digest"]["sha256"] = subject_digest(stated["predicate"]["run"])
    return envelope(json.dumps(stated, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def private_key(name: str) -> Json:
    """An Ed25519 key for tests; everybody knows it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"test key {name}".encode()).digest())


def public_key(name: str) -> tuple[bytes, str]:
    """PEM, and keyid."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key, form = private_key(name).public_key(), PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(Encoding.PEM, form), hashlib.sha256(key.public_bytes(Encoding.DER, form)).hexdigest()


def signature(payload: bytes, name: str, payload_type: str = "application/vnd.in-toto+json") -> Json:
    """DSSE v1."""
    kind = payload_type.encode()
    message = b" ".join((b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload))
    return {"keyid": public_key(name)[1], "sig": base64.b64encode(private_key(name).sign(message)).decode()}


def signed(sealed: bytes, *names: str) -> bytes:
    """The envelope with a signature by each of these keys added."""
    parts = json.loads(sealed)
    parts["signatures"] += [signature(base64.b64decode(parts["payload"]), name) for name in names]
    return json.dumps(parts).encode() + b"\n"
