"""`sign`: a signature over the exact bytes of a certificate or of the record of an erasure, by DSSE and Ed25519."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from certify import checker
from certify.errors import UsageError
from certify.files import write_atomically
from certify.trust.keys import key_id, load_private_key
from certify.trust.together import alone
from certify.trust.verify import read_certificate

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MAX_SIGNATURES = 32


@dataclass(frozen=True)
class Signed:
    """Where a signed file is, by whom it was signed now, and how many signatures it has.

    records: the erasure records beside it that were written anew, for they name the bytes that an expiry date changed.
    """

    path: Path
    keyid: str
    signatures: int
    records: tuple[Path, ...] = ()


def sign(
    certificate: str | Path,
    *,
    key: str | Path | Ed25519PrivateKey,
    passphrase: str | Callable[[str], str] | None = None,
    expires: date | None = None,
    output: str | Path | None = None,
) -> Signed:
    """Verify a certificate or erasure record, and write it with one signature more, whole or not at all.

    Args:
        certificate: path of the file.
        key: path of the private key, or the key itself.
        passphrase: of the key file, or a function of its name that asks for it.
        expires: the first day (UTC) on which the certificate holds no more. It becomes part of what is signed; unsigned
            erasure records beside the output are written anew.
        output: path to write, at which nothing else may be yet; `certificate` itself, unless given.

    Raises:
        checker.CheckError: the file does not verify, or bears a false signature of this key.
        UsageError: an unreadable file or key, an output that would overwrite something else, a date that has begun, a
            date for a file that has signatures, a second signature of the same key, or a file that has changed
            meanwhile.
    """
    private = load_private_key(key, passphrase) if isinstance(key, str | Path) else key
    data = read_certificate(certificate)
    path = Path(certificate if output is None else output)
    target = _target(path, certificate)
    checker.verify(data)
    with alone(target.parent):  # two signers at once would each replace what the other wrote
        target = _target(path, certificate)
        if (now := read_certificate(certificate)) != data:  # another signer was faster: sign what it left
            checker.verify(now)
        return _sign(now, private, certificate, path, target, expires)


def _sign(
    data: bytes,
    private: Ed25519PrivateKey,
    certificate: str | Path,
    path: Path,
    target: Path,
    expires: date | None,
) -> Signed:
    """Add a signature to what was verified, and write it to `target`, which `path` leads to."""
    envelope, stale = checker.read_json(data, "envelope"), []
    if expires is not None:
        before = envelope["digest"]["sha256"]
        envelope = _with_expiry(envelope, expires, certificate)
        checker.verify(json.dumps(envelope).encode())
        stale = _records_beside(path, envelope, before)
    envelope["signatures"].append(_signature(envelope, private, certificate))
    write_atomically(target, json.dumps(envelope, indent=1) + "\n")
    return Signed(path, key_id(private.public_key()), len(envelope["signatures"]), _written_anew(path) if stale else ())


def _target(path: Path, certificate: str | Path) -> Path:
    """The file to write, links followed: the certificate itself, or one that is not there yet. A rename replaces
    whatever it meets, be it a key, somebody else's signatures, a pipe or a device."""
    target = Path(os.path.realpath(path))
    if target.exists():
        if not os.path.samefile(target, certificate):
            raise UsageError(f"-o {path}: cannot be written: exists already; to add a signature to it, sign it")
        if not target.is_file():
            raise UsageError(f"{path}: cannot be written: is not a regular file; name one with -o")
    return target


def _records_beside(path: Path, envelope: dict[str, Any], before: str) -> list[Path]:
    """The erasure records of a certificate that lie beside it, which must not be signed yet, nor be about another
    certificate than that whose payload had the digest `before`."""
    from certify.trust.erasure import erasure_path

    statement = checker.read_json(base64.b64decode(envelope["payload"]), "payload")
    erasures = statement["predicate"].get("execution", {}).get("erasures", [])
    records = [erasure_path(path.parent, int(entry["request"])) for entry in erasures]
    records = [record for record in records if record.exists()]
    for record in records:
        try:
            beside = checker.read_json(read_certificate(record), "envelope")
            statement = checker.read_json(checker.open_envelope(beside), "payload")
            checker.check_types(statement)
        except checker.CheckError:
            raise UsageError(f"--expires: {record} is not an erasure record, and would be overwritten") from None
        if {"name": "certificate", "digest": {"sha256": before}} not in statement["subject"]:
            raise UsageError(f"--expires: {record} is about another certificate, and would be overwritten")
        if beside["signatures"]:
            raise UsageError(
                f"--expires: {record} is signed, and names the certificate as it is now; set the date before erasure "
                "records are signed"
            )
    return records


def _written_anew(path: Path) -> tuple[Path, ...]:
    from certify.trust.erasure import write_erasure_records

    return write_erasure_records(path)


def _with_expiry(envelope: dict[str, Any], expires: date, name: str | Path) -> dict[str, Any]:
    """The envelope of the same statement, which now expires."""
    from certify.trust.certificate import PREDICATE_TYPE, make_envelope

    statement = checker.read_json(base64.b64decode(envelope["payload"]), "payload")
    if statement["predicateType"] != PREDICATE_TYPE:
        raise UsageError(f"--expires: {name} is the record of an erasure, which does not expire; leave --expires out")
    if envelope["signatures"]:
        raise UsageError(
            f"--expires: {name} is signed already, and what was signed cannot change; give --expires with the first "
            "signature"
        )
    beginning = datetime.combine(expires, time(), UTC)
    if beginning <= datetime.now(UTC):
        raise UsageError(f"--expires: {expires} is not in the future; write a later day")
    statement["predicate"]["expires"] = beginning.strftime("%Y-%m-%dT%H:%M:%SZ")
    return make_envelope(statement)


def _signature(envelope: dict[str, Any], private: Ed25519PrivateKey, name: str | Path) -> dict[str, str]:
    """The entry to be added to the envelope's signatures."""
    from cryptography.exceptions import InvalidSignature
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner, SSlibKey

    public = private.public_key()
    keyid = key_id(public)
    dsse = Envelope(base64.b64decode(envelope["payload"]), envelope["payloadType"], {})
    for index, entry in enumerate(envelope["signatures"]):
        try:
            public.verify(base64.b64decode(entry["sig"]), dsse.pae())
        except InvalidSignature:
            if entry["keyid"] == keyid:
                raise checker.Mismatch(f"signatures[{index}] has this key's id, but is not its signature") from None
        else:
            raise UsageError(f"{name}: is signed by this key already ({keyid})")
    if len(envelope["signatures"]) >= MAX_SIGNATURES:
        raise UsageError(f"{name}: has {MAX_SIGNATURES} signatures already, as many as there can be")
    known = SSlibKey.from_crypto(public, keyid=keyid)
    dsse.sign(CryptoSigner(private, known))
    dsse.verify([known], 1)  # never write a file that does not verify
    (entry,) = dsse.to_dict()["signatures"]
    return entry
