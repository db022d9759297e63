"""`plumbline ledger …`: what was done, by whom it may be read, and what must be done again."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from certify.cli.output import one_line, print_json, progress_bar, tell
from certify.errors import Exit, UsageError

if TYPE_CHECKING:
    from certify.ledger import Ledger, Row
    from certify.ledger.summary import Summary

SHORT = 8  # characters of a model's identifier, where one is enough


def run_list(arguments: argparse.Namespace) -> int:
    ledger, rows = _read(arguments)
    models = _summaries(arguments, rows)
    if arguments.format == "json":
        print_json({"ledger": ledger.address, "rows": str(len(rows)), "models": [model.as_json() for model in models]})
    elif not models:
        print("no models")
    else:
        head = ("model", "name", "owner", "honoured", "left", "expires", "status", "claim")
        _print_table([head, *map(_line_of, models)])
    return Exit.OK


def _line_of(model: Summary) -> tuple[str, ...]:
    status = "revoked" if model.revoked else "experiment" if model.experiment else "–"
    shown = (model.name, model.owner, str(model.honoured), model.left, model.expires and model.expires[:10], status)
    return (model.model, *("–" if value is None else str(value) for value in (*shown, model.claim)))


def run_show(arguments: argparse.Namespace) -> int:
    from certify.ledger.rows import broken_links

    ledger = _open(arguments)
    rows = ledger.unverified_rows()
    problems = broken_links(rows, whole=True)
    if arguments.model is not None:
        model = _one_model(arguments.model, rows)
        rows = tuple(row for row in rows if row.model == model)
    if arguments.format == "json":
        shown = [_row_json(row) for row in rows]
        print_json({"ledger": ledger.address, "intact": not problems, "problems": problems, "rows": shown})
    elif not rows:
        print("no rows")
    else:
        head = ("row", "time", "model", "kind", "hash", "payload")
        _print_table([head, *((str(r.seq), r.time, r.model[:SHORT], r.kind, r.hash[:16], _brief(r)) for r in rows)])
    for problem in problems[:10]:
        tell(f"plumbline: ledger {ledger.address}: {problem}")
    return Exit.MISMATCH if problems else Exit.OK


def _row_json(row: Row) -> dict[str, Any]:
    try:
        return row.as_json()
    except ValueError:  # a row that was changed may hold anything
        return {**vars(row), "seq": str(row.seq)}


def _one_model(prefix: str, rows: Sequence[Row]) -> str:
    models = dict.fromkeys(row.model for row in rows)
    matching = [model for model in models if model == prefix] or [model for model in models if model.startswith(prefix)]
    if len(matching) == 1:
        return matching[0]
    raise UsageError(
        f"--model: {prefix!a:.100} begins {len(matching)} of the models; `plumbline ledger list` names them"
    )


def _brief(row: Row) -> str:
    """Text and numbers of a payload; what is nested is named alone."""
    try:
        content = row.content
    except ValueError:
        return row.payload[:60]
    parts = []
    for key, value in content.items():
        if value is None:
            continue
        text = "…" if isinstance(value, dict | list) else value if isinstance(value, str) else json.dumps(value)
        parts.append(f"{key}={text if len(text) <= 40 else text[:16] + '…'}")
    return " ".join(parts)


def run_verify(arguments: argparse.Namespace) -> int:
    from certify.ledger.report import with_noted_heads

    ledger = _open(arguments)
    with progress_bar("verify"):
        report = with_noted_heads(ledger.verify(), ledger.unverified_rows(), arguments.heads)
    if arguments.format == "json":
        print_json(report.as_json())
    else:
        print("\n".join(map(one_line, report.text().splitlines())))
    return report.exit_code


def run_report(arguments: argparse.Namespace) -> int:
    from certify.ledger.rows import START
    from certify.ledger.summary import due
    from certify.report.index import write_index

    ledger, rows = _read(arguments)
    models, on = _summaries(arguments, rows), _today(arguments)
    head = rows[-1].head if rows else START
    print(write_index(arguments.output, ledger.address, head, models, due(models, on, arguments.days), on))
    return Exit.OK


def run_revoke(arguments: argparse.Namespace) -> int:
    from certify.ledger import Ledger
    from certify.ledger.revocation import revoke
    from certify.ledger.rows import LEDGER

    where = arguments.where or Path(arguments.certificate).absolute().parent
    row = revoke(Ledger.open(where), arguments.certificate, arguments.why)
    about = "a certificate of no model of this ledger" if row.model == LEDGER else f"model {row.model}"
    if arguments.format == "json":
        print_json({"revoked": row.content["certificate"]["digest"], **row.as_json()})
    else:
        print(f"revoked {row.content['certificate']['digest']} ({about}, row {row.seq})")
    return Exit.OK


def run_due(arguments: argparse.Namespace) -> int:
    """Exit 1 where something is: a claim that has expired is one that does not hold."""
    from certify.ledger.summary import due

    ledger, rows = _read(arguments)
    found, on = due(_summaries(arguments, rows), _today(arguments), arguments.days), _today(arguments)
    if arguments.format == "json":
        print_json(
            {
                "ledger": ledger.address,
                "date": on.isoformat(),
                "days": str(arguments.days),
                "due": [entry.as_json() for entry in found],
            }
        )
    elif not found:
        print(f"nothing is due on {on}, or {arguments.days} days after")
    else:
        rows_of = ((e.model, e.name or "–", e.owner or "–", "; ".join(e.reasons)) for e in found)
        _print_table([("model", "name", "owner", "why"), *rows_of])
    return Exit.NOT_CERTIFIED if found else Exit.OK


def run_backup(arguments: argparse.Namespace) -> int:
    from certify.ledger.backup import back_up

    head = back_up(_open(arguments), arguments.output)
    if arguments.format == "json":
        print_json({"backup": arguments.output, "rows": str(head.seq), "head": head.hash})
    else:
        print(f"{head.seq} rows, head {head.hash}")
        tell(f"wrote {arguments.output}")
    return Exit.OK


def run_restore(arguments: argparse.Namespace) -> int:
    from certify.ledger.backup import restore

    done = restore(arguments.where, arguments.backup)
    if arguments.format == "json":
        shown = {"ledger": done.address, "rows": str(done.rows), "added": str(done.added), "head": done.head.hash}
        print_json(shown)
    else:
        print(f"{done.added} of {done.rows} rows were added to {done.address}")
    return Exit.OK


def _open(arguments: argparse.Namespace) -> Ledger:
    from certify.ledger import Ledger

    return Ledger.open(arguments.where)


def _read(arguments: argparse.Namespace) -> tuple[Ledger, tuple[Row, ...]]:
    ledger = _open(arguments)
    return ledger, ledger.rows()


def _summaries(arguments: argparse.Namespace, rows: Sequence[Row]) -> tuple[Summary, ...]:
    """With expiry dates as the certificates have them: those that are named, and those that lie in a state's folder."""
    from certify.checker import CheckError
    from certify.ledger.summary import summaries
    from certify.trust.verify import read_certificate

    folder = Path(arguments.where)
    beside = sorted(folder.glob("certificate*.json")) if folder.is_dir() else []
    files = []
    for path in [*beside, *arguments.certificates]:
        data = read_certificate(path)
        try:
            summaries((), [data])
        except CheckError as refused:
            raise type(refused)(f"{path}: {refused}") from None
        files.append(data)
    return summaries(rows, files)


def _today(arguments: argparse.Namespace) -> date:
    return arguments.date or datetime.now(UTC).date()


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    """Columns; the last one as long as it is."""
    rows = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
