"""What a ledger says of each model in one line, and which models must be certified again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from certify import checker
from certify.ledger.payloads import certificate_entry
from certify.ledger.revocation import Revocation, standing
from certify.ledger.rows import LEDGER, Row

DAYS = 30  # ahead of an expiry date
META = ("model", "owner", "purpose", "version")


@dataclass(frozen=True)
class Summary:
    """One model. None: the rows do not say it.

    name, owner, purpose, version: as its run file's [meta] has them. claim: of its last certificate, whose payload has
    `digest`. honoured: erasure requests. left: records that may still be erased within the target. expires: UTC.
    released: rows by which somebody saw the model. experiment: its noise can be drawn again.
    """

    model: str
    name: str | None
    owner: str | None
    purpose: str | None
    version: str | None
    claim: str | None
    verdict: str | None
    digest: str | None
    theorems: tuple[str, ...]
    honoured: int
    erased: int
    left: int | None
    released: int
    expires: str | None
    revoked: Revocation | None
    experiment: bool
    created: str
    last: str
    rows: int

    def as_json(self) -> dict[str, Any]:
        """Numbers as text, as everywhere in what is printed as JSON."""
        plain = {key: str(value) if type(value) is int else value for key, value in vars(self).items()}
        revoked = self.revoked and {"time": self.revoked.time, "why": self.revoked.why}
        return plain | {"theorems": list(self.theorems), "revoked": revoked}


def summaries(rows: Sequence[Row], certificates: Iterable[bytes] = ()) -> tuple[Summary, ...]:
    """One for each model, in the order of their first rows.

    Args:
        rows: of the whole ledger, whose chain the caller has checked.
        certificates: files as they are now. An expiry date is set when a certificate is signed, which is after its row
            was written: only the file has it.

    Raises:
        checker.CheckError: a file that is not an intact certificate.
    """
    by_model: dict[str, list[Row]] = {}
    for row in rows:
        if row.model != LEDGER:
            by_model.setdefault(row.model, []).append(row)
    newer = {entry["core"]: entry for entry in map(certificate_entry, certificates)}
    known = standing(rows)
    return tuple(_summary(model, own, newer, known.revoked) for model, own in by_model.items())


def _summary(model: str, rows: Sequence[Row], newer: Mapping[str, Any], revoked: Mapping[str, Revocation]) -> Summary:
    contents = [(row.kind, row.content) for row in rows]
    entries = [content["certificate"] for _, content in contents if isinstance(content.get("certificate"), dict)]
    entry: Mapping[str, Any] = entries[-1] if entries else {}
    written = [entry.get("digest"), entry.get("core")]
    entry = newer.get(str(entry.get("core")), entry)
    meta: Mapping[str, Any] = entry.get("meta") or {}
    erased = sum(_count(content.get("records")) or 0 for kind, content in contents if kind == "erased")
    cap = next((_count(content.get("records")) for kind, content in contents if kind == "learned"), None)
    digests = [digest for digest in (*written, entry.get("digest")) if digest is not None]
    return Summary(
        model=model,
        **{"name" if key == "model" else key: _text(meta.get(key)) for key in META},
        claim=_text(entry.get("claim")),
        verdict=_text(entry.get("verdict")),
        digest=_text(entry.get("digest")),
        theorems=tuple(map(str, entry.get("theorems") or ())),
        honoured=sum(kind == "erased" for kind, _ in contents),
        erased=erased,
        left=None if cap is None else max(cap - erased, 0),
        released=sum(kind in ("released", "exported") for kind, _ in contents),
        expires=_text(entry.get("expires")),
        revoked=next((revoked[digest] for digest in digests if digest in revoked), None),
        experiment=any(content.get("reproducible") is True for _, content in contents),
        created=rows[0].time,
        last=rows[-1].time,
        rows=len(rows),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


@dataclass(frozen=True)
class Due:
    """A model that must be certified again, and why."""

    model: str
    name: str | None
    owner: str | None
    digest: str | None
    reasons: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "reasons": list(self.reasons)}


def due(models: Iterable[Summary], on: date, days: int = DAYS) -> tuple[Due, ...]:
    """Those whose last certificate is revoked, has expired on a day (UTC), expires within so many days after it, or
    rests on a theorem that this version's checker does not have; and those that never had one."""
    found = ((summary, _reasons(summary, on, days)) for summary in models)
    return tuple(
        Due(summary.model, summary.name, summary.owner, summary.digest, reasons)
        for summary, reasons in found
        if reasons
    )


def _reasons(summary: Summary, on: date, days: int) -> tuple[str, ...]:
    reasons = []
    if summary.digest is None:
        reasons.append("has no certificate")
    if summary.revoked is not None:
        reasons.append(f"revoked on {summary.revoked.time[:10]}: {summary.revoked.why}")
    if summary.expires is not None:
        end = datetime.fromisoformat(summary.expires.replace("Z", "+00:00")).astimezone(UTC).date()
        if end <= on:
            reasons.append(f"expired on {end}")
        elif end <= on + timedelta(days=days):
            reasons.append(f"expires on {end}")
    withdrawn = [theorem for theorem in summary.theorems if theorem not in checker.RULES]
    if withdrawn:
        reasons.append(f"rests on {', '.join(withdrawn)}, withdrawn since")
    return tuple(reasons)
