"""Statements and their envelopes, as the tests of `certify` make them: about any run, with digests that fit, signed."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certify import certify
from certify.runfile.read import canonical_json
from certify.trust.certificate import make_envelope, make_statement

MADE = datetime(2026, 11, 21, 22, 0, 0, tzinfo=UTC)


def statement(run: Any, **about: Any) -> dict[str, Any]:
    """The statement about a run, made on a fixed day; `about` as for `make_statement`."""
    return make_statement(certify(run), **({"created": MADE} | about))


def renamed(made: Mapping[str, Any]) -> dict[str, Any]:
    """The statement with the digest of the run that it now has."""
    made = copy.deepcopy(dict(made))
    made["subject"][0]["digest"]["sha256"] = hashlib.sha256(canonical_json(made["predicate"]["run"])).hexdigest()
    return made


def seal(made: Mapping[str, Any], *keys: Ed25519PrivateKey) -> bytes:
    """The envelope of a statement as bytes, signed with the keys."""
    envelope = make_envelope(made)
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    envelope["signatures"] = [
        {"keyid": keyid(key), "sig": base64.b64encode(key.sign(message)).decode()} for key in keys
    ]
    return json.dumps(envelope, indent=1).encode()


def keyid(key: Ed25519PrivateKey) -> str:
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key.public_key().public_bytes(*form)).hexdigest()


def public(key: Ed25519PrivateKey) -> bytes:
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return key.public_key().public_bytes(*form)


def key(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
