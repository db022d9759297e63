"""Back-up of a ledger in one file of lines, and what it is restored from.

The file is JSON Lines: a head (format, number of rows, hash of the last), then one row a line. It is the same for every
database, so that a ledger moves from one to another by it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from certify.checker import Mismatch
from certify.errors import UsageError
from certify.files import write_atomically
from certify.ledger.ledger import Ledger
from certify.ledger.rows import START, Head, Row, broken_links

FORMAT = "plumbline-dp/ledger-backup/v1"
MAX_LINE = 8 << 20  # bytes: a payload of escapes is longer than what it says


@dataclass(frozen=True)
class Restored:
    """`added`: rows that the ledger did not have; `head`: of the back-up."""

    address: str
    added: int
    rows: int
    head: Head


def back_up(ledger: Ledger, output: str | Path) -> Head:
    """Write all rows of an intact ledger into a file that is not there yet, whole or not at all. Returns its head.

    Raises:
        UsageError: the file exists, or cannot be written. Mismatch: the ledger is broken; nothing is written.
    """
    path = Path(output)
    if path.exists():
        raise UsageError(f"-o {path}: exists already; a back-up writes over nothing, name another file")
    rows = ledger.rows()
    head = rows[-1].head if rows else START
    first = {"format": FORMAT, "rows": str(len(rows)), "head": head.hash}
    lines = [first, *({**vars(row), "seq": str(row.seq)} for row in rows)]
    write_atomically(path, "".join(json.dumps(line, ensure_ascii=True) + "\n" for line in lines))
    return head


def restore(where: str | Path, backup: str | Path) -> Restored:
    """Write the rows of a back-up into a ledger, which is made where there is none, and a row `restored` after them.

    Rows that the ledger has already must be the back-up's first ones: then the others are added.

    Raises:
        UsageError: no back-up, or a ledger that cannot be written. Mismatch: the back-up is broken, or the ledger has
            other rows (exit 4); nothing is written.
    """
    rows = read_backup(backup)
    head = rows[-1].head if rows else START
    ledger = Ledger.open(where, create=True)
    with ledger.writing_all() as (present, write):
        if present != rows[: len(present)]:
            newer = present[: len(rows)] == rows
            state = "newer rows" if newer else "other rows"
            raise Mismatch(
                f"ledger {ledger.address}: has {state} than {backup}; nothing was written, name a new ledger"
            )
        if len(present) < len(rows):
            write(
                rows[len(present) :],
                {"rows": str(len(rows)), "added": str(len(rows) - len(present)), "head": head.hash},
            )
    return Restored(ledger.address, len(rows) - len(present), len(rows), head)


def read_backup(path: str | Path) -> tuple[Row, ...]:
    """The rows of a back-up, whose chain is whole.

    Raises:
        UsageError: not a back-up, or a part of one. Mismatch: its rows are not those that the hashes name.
    """
    try:
        with open(path, "rb") as file:
            lines = [
                _line(path, number, line) for number, line in enumerate(iter(lambda: file.readline(MAX_LINE), b""), 1)
            ]
    except OSError as problem:
        raise UsageError(f"{path}: {problem.strerror or problem}") from None
    first, *others = lines or [{}]
    if first.get("format") != FORMAT:
        raise UsageError(f"{path}: is not the back-up of a ledger (plumbline ledger backup writes one)")
    rows = tuple(_row(path, number, line) for number, line in enumerate(others, 2))
    if str(len(rows)) != first.get("rows"):
        raise UsageError(f"{path}: has {len(rows)} rows of {first.get('rows')!a:.20}; it was cut off, take another one")
    if problems := broken_links(rows, whole=True):
        raise Mismatch(f"{path}: {problems[0]}")
    if first.get("head") != (rows[-1].hash if rows else START.hash):
        raise Mismatch(f"{path}: its head is not the hash of its last row")
    return rows


def _line(path: str | Path, number: int, line: bytes) -> dict[str, object]:
    try:
        value = json.loads(line)
        if isinstance(value, dict):
            return value
    except (ValueError, RecursionError):
        pass
    raise UsageError(f"{path}: line {number} is not a JSON object; it was cut off or damaged, take another back-up")


def _row(path: str | Path, number: int, line: dict[str, object]) -> Row:
    names = list(Row.__dataclass_fields__)
    if sorted(line) != sorted(names) or not all(isinstance(value, str) for value in line.values()):
        raise UsageError(f"{path}: line {number} is not a row; its keys are {', '.join(names)}, each of them text")
    seq = str(line["seq"])
    if not (seq.isascii() and seq.isdigit() and len(seq) < 16):
        raise UsageError(f"{path}: line {number}: seq is not a number")
    return Row(**{**line, "seq": int(seq)})  # type: ignore[arg-type]
