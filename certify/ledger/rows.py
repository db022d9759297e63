"""Rows and their hashes. Each row names the hash of its model's former row, and that of the ledger's former row."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from certify.errors import UsageError
from certify.runfile.read import canonical_json

# What a row can say. `revoked` is written by whoever answers for a model, everything else by its state.
STATE_KINDS = ("created", "learned", "requested", "erased", "released", "retrained", "exported", "rotated")
REVOKED, RESTORED = "revoked", "restored"
KINDS = (*STATE_KINDS, REVOKED, RESTORED)

# The model that rows about the ledger itself have (`restored`).
LEDGER = "ledger"

GENESIS = "0" * 64  # what stands for the hash of the row before the first
MAX_PAYLOAD = 1 << 20  # bytes
_DOMAIN = b"plumbline-dp/ledger/row/v1\0"
_MODEL = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}")


class Head(NamedTuple):
    """The last row of a chain: its number and its hash. Of an empty chain: 0 and GENESIS."""

    seq: int
    hash: str


START = Head(0, GENESIS)


@dataclass(frozen=True)
class Row:
    """One row, as the table has it.

    seq: its number in the ledger, from 1 without a gap. payload: canonical JSON text. previous: the hash of the
    model's former row; former: of the ledger's former row, whichever model that is about. time: UTC.
    """

    seq: int
    model: str
    kind: str
    time: str
    payload: str
    previous: str
    former: str
    hash: str

    @property
    def content(self) -> dict[str, Any]:
        """The payload, read. ValueError: the text is not a JSON object."""
        value = json.loads(self.payload)
        if not isinstance(value, dict):
            raise ValueError("the payload is not a JSON object")
        return value

    @property
    def head(self) -> Head:
        return Head(self.seq, self.hash)

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "seq": str(self.seq), "payload": self.content}


def hash_of(seq: int, model: str, kind: str, time: str, payload: str, previous: str, former: str) -> str:
    """SHA-256 (hex) over the canonical row, both links included."""
    row = {
        "seq": str(seq),
        "model": model,
        "kind": kind,
        "time": time,
        "payload": payload,
        "previous": previous,
        "former": former,
    }
    return hashlib.sha256(_DOMAIN + canonical_json(row)).hexdigest()


def next_row(model: str, kind: str, payload: str, previous: Head, former: Head, time: str | None = None) -> Row:
    """The row after `previous` of its model and `former` of the ledger."""
    seq, time = former.seq + 1, time or utc_now()
    parts = (seq, model, kind, time, payload, previous.hash, former.hash)
    return Row(*parts, hash_of(*parts))


def utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def canonical_payload(payload: Mapping[str, Any]) -> str:
    """The payload's text.

    Raises:
        TypeError: a value that JSON has no exact form for: a float, bytes, an object; a key that is not text.
        UsageError: more than MAX_PAYLOAD bytes.
    """
    _check_values(payload, "payload")
    written = canonical_json(payload)
    if len(written) > MAX_PAYLOAD:
        raise UsageError(f"ledger row: a payload of {len(written)} bytes; at most {MAX_PAYLOAD} are stored")
    return written.decode()


def _check_values(value: Any, where: str) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{where}: the key {key!r} is not text")
            _check_values(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            _check_values(item, f"{where}[{i}]")
    elif value is not None and not isinstance(value, str | bool | int):
        raise TypeError(f"{where}: {type(value).__name__} has no exact JSON form; write it as text")


def check_names(model: str, kind: str) -> None:
    """Raises UsageError for a model's name or a kind that no row has."""
    check_model(model)
    if kind not in KINDS:
        raise UsageError(f"ledger row: unknown kind {kind!r}; kinds are {', '.join(KINDS)}")


def check_model(model: str) -> str:
    """The model's name. Raises UsageError for one that no row has."""
    if not isinstance(model, str) or not _MODEL.fullmatch(model):
        raise UsageError(f"ledger: {model!a} is not the identifier of a model; write letters, digits, . _ -")
    return model


def state_head(rows: Iterable[Row]) -> Head:
    """The last of a model's rows that its state wrote: a revocation leaves a state as it is."""
    heads = [row.head for row in rows if row.kind in STATE_KINDS]
    return heads[-1] if heads else START


def broken_link(row: Row, previous: Head, former: Head | None) -> str | None:
    """What is wrong with a row, after `previous` of its model and (unless None) `former` of the ledger."""
    if row.hash != hash_of(row.seq, row.model, row.kind, row.time, row.payload, row.previous, row.former):
        return f"row {row.seq} was changed: its hash is not that of its content"
    if former is not None:
        if row.seq != former.seq + 1:
            return f"{_missing(former.seq + 1, row.seq - 1)} missing before row {row.seq}"
        if row.former != former.hash:
            return f"row {former.seq} is not the one that row {row.seq} was written after"
    if row.previous != previous.hash:
        before = f"row {previous.seq}" if previous.seq else "nothing"
        return f"rows of model {row.model} are missing or were replaced between {before} and row {row.seq}"
    try:
        row.content  # noqa: B018
    except ValueError:
        return f"row {row.seq}: the payload is not a JSON object"
    return None if row.kind in KINDS else f"row {row.seq}: unknown kind {row.kind!r}"


def _missing(first: int, last: int) -> str:
    return f"row {first} is" if first >= last else f"rows {first} to {last} are"


def broken_links(rows: Iterable[Row], *, whole: bool) -> list[str]:
    """What is wrong with the chain. `whole`: the rows are all those of the ledger, not of one model alone."""
    problems: list[str] = []
    heads: dict[str, Head] = {}
    former: Head | None = START if whole else None
    for row in rows:
        problem = broken_link(row, heads.get(row.model, START), former)
        if problem is not None:
            problems.append(problem)
        heads[row.model] = row.head
        former = row.head if whole else None
    return problems
