"""What the rows of a state hold: a certificate's entry, which the index and `due` are drawn from.

A row of kind `learned`, `erased` or `retrained` has `payload["certificate"] = certificate_entry(bytes of the file)`;
`files` names the SHA-256 of the files that were written with it. `requested` has `request` (text, from "1"), `records`
(how many, as text) and `commitment`. No row has an id: docs/ledger.md lists every key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from certify import checker
from certify.runfile.read import canonical_json


def certificate_entry(data: bytes) -> dict[str, Any]:
    """What a row says of a certificate, all of it the certificate's own text.

    digest: SHA-256 of the payload, which a signature leaves as it is; core: of the payload without its date of expiry,
    which may be set later. Whoever revokes one revokes the other.

    Raises:
        checker.CheckError: the bytes are not an intact certificate; whether its claim follows is not looked at.
    """
    payload = checker.open_envelope(checker.read_json(data, "envelope"))
    statement = checker.read_json(payload, "payload")
    checker.check_types(statement)
    if statement["predicateType"] != checker.CERTIFICATE:
        raise checker.Malformed("is the record of an erasure, not a certificate")
    predicate = statement["predicate"]
    return {
        "digest": hashlib.sha256(payload).hexdigest(),
        "core": core_digest(statement),
        "run": predicate_run(statement),
        "created": predicate["created"],
        "expires": predicate.get("expires"),
        "verdict": predicate["verdict"],
        "epsilon": predicate["epsilon"]["upper"],
        "target": predicate["epsilon"]["target"],
        "delta": predicate["delta"],
        "claim": claim_of(predicate),
        "requests": len(predicate["requests"]),
        "executed": "execution" in predicate,
        "honoured": len(predicate.get("execution", {}).get("erasures", ())),
        "theorems": list(predicate["theorems"]),
        "meta": dict(predicate.get("meta") or {}),
    }


def core_digest(statement: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the canonical statement without its date of expiry."""
    predicate = {key: value for key, value in statement["predicate"].items() if key != "expires"}
    return hashlib.sha256(canonical_json({**statement, "predicate": predicate})).hexdigest()


def predicate_run(statement: Mapping[str, Any]) -> str:
    """Digest of the run that the statement is about."""
    return next(entry["digest"]["sha256"] for entry in statement["subject"] if entry["name"] == "run")


def claim_of(predicate: Mapping[str, Any]) -> str:
    """The guarantee in one line, in the certificate's own numbers."""
    run = predicate["run"]
    unlearns = any(int(epochs) for epochs in run["mechanism"].get("unlearning_epochs", ()))
    what = f"unlearning against {run['threat']['reference']}" if unlearns else "learning"
    return f"({predicate['epsilon']['upper']}, {predicate['delta']})-DP, {what}, {run['threat']['neighbours']}"
