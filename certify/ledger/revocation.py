"""Which certificates a ledger names, and which it revokes; and how one is revoked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from certify.errors import UsageError
from certify.ledger.ledger import Ledger
from certify.ledger.payloads import certificate_entry
from certify.ledger.rows import LEDGER, REVOKED, Row
from certify.trust.verify import read_certificate

MAX_WHY = 1000  # characters
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Revocation:
    """time: UTC. why: somebody's words."""

    seq: int
    model: str
    digest: str
    time: str
    why: str


@dataclass(frozen=True)
class Standing:
    """What rows say of certificates, by each of their digests (`payloads.certificate_entry`, or of the file).

    named: the model that was certified. revoked: when, and why.
    """

    named: Mapping[str, str] = field(default_factory=dict)
    revoked: Mapping[str, Revocation] = field(default_factory=dict)

    def names(self, digests: Iterable[str]) -> bool:
        return any(digest in self.named for digest in digests)

    def revocation(self, digests: Iterable[str]) -> Revocation | None:
        return next((self.revoked[digest] for digest in digests if digest in self.revoked), None)


def standing(rows: Iterable[Row]) -> Standing:
    """Read it off the rows, whose chain the caller has checked."""
    named: dict[str, str] = {}
    revoked: dict[str, Revocation] = {}
    for row in rows:
        content = row.content
        digests = digests_in(content)
        if row.kind == REVOKED:
            for digest in digests:
                entry = Revocation(row.seq, row.model, digests[0], row.time, str(content.get("why", "")))
                revoked.setdefault(digest, entry)
        else:
            named |= dict.fromkeys(digests, row.model)
    return Standing(named, revoked)


def digests_in(content: Mapping[str, Any]) -> list[str]:
    """Digests of the certificate that a row is about, the payload's first; empty where it is about none."""
    entry, files = content.get("certificate"), content.get("files")
    files = files if isinstance(files, Mapping) else {}
    found = [entry.get("digest"), entry.get("core")] if isinstance(entry, Mapping) else [entry]
    found += [digest for name, digest in files.items() if name.startswith("certificate")]
    return [digest for digest in found if isinstance(digest, str)]


def all_digests(data: bytes) -> tuple[str, ...]:
    """Every digest that a row may name a certificate by. Raises checker.CheckError: it is not intact."""
    entry = certificate_entry(data)
    return entry["digest"], entry["core"], hashlib.sha256(data).hexdigest()


def revoke(ledger: Ledger, certificate: str | Path, why: str) -> Row:
    """Write that a certificate holds no more. Nothing else changes: whoever asks the ledger is told.

    Args:
        certificate: a path, or the SHA-256 of its payload, of one that the ledger names.
        why: in words, for whoever is told.

    Returns:
        the row; of a certificate that was not executed, it is about the ledger and no model of it.

    Raises:
        UsageError: no reason, a file that cannot be read, one that is revoked already, or one of a model that the
            ledger does not have. checker.CheckError: a certificate that is not intact.
    """
    if not why.strip() or len(why) > MAX_WHY or not why.isprintable():
        raise UsageError(f"--why: got {why[:60]!a}; write the reason in one line of at most {MAX_WHY} characters")
    digests, executed = _read(certificate)
    known = standing(ledger.rows())
    model = next((known.named[digest] for digest in digests if digest in known.named), None)
    if model is None and executed:
        raise UsageError(f"{certificate}: ledger {ledger.address} has no model with this certificate; name its ledger")
    with ledger.transaction(model or LEDGER) as turn:
        if (before := standing(turn.rows).revocation(digests)) is not None:
            raise UsageError(f"{certificate}: was revoked on {before.time[:10]} (row {before.seq}): {before.why}")
        entry = {"digest": digests[0], **({"core": digests[1]} if len(digests) > 1 else {})}
        return turn.append(REVOKED, {"certificate": entry, "why": why})


def _read(certificate: str | Path) -> tuple[tuple[str, ...], bool]:
    """Digests, and whether the certificate is of something that was executed, so that a ledger must know it."""
    if isinstance(certificate, str) and _DIGEST.fullmatch(certificate) and not Path(certificate).exists():
        return (certificate,), True
    data = read_certificate(certificate)
    return all_digests(data), certificate_entry(data)["executed"]
