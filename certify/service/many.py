"""Requests to many states at once: each is honoured by itself, on this machine's cores or on an engine."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from accountant.core.arithmetic.base import Indeterminate
from certify.checker import CheckError
from certify.engine import spread
from certify.errors import Exit, OutOfReach, UsageError

COLUMNS = ("state", "id")
MAX_BYTES = 1 << 28


@dataclass(frozen=True)
class Answer:
    """What came of the request to one state: what `unlearn` did, or why it did nothing, with the exit code that says
    so."""

    state: str
    exit_code: int
    done: Mapping[str, Any] | None = None
    problem: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "exit_code": self.exit_code,
            "done": None if self.done is None else dict(self.done),
            "problem": self.problem,
        }


def read_requests(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Which ids to erase from which state: a CSV file with the columns state and id, a row for each record.

    Relative folders are taken from where the file lies. Raises UsageError with the row's number; the header is row 1.
    """
    path = Path(path)
    requests: dict[str, list[str]] = {}
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{path}: a list of more than {MAX_BYTES} bytes is not read; cut it into several")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            if sorted(rows.fieldnames or ()) != sorted(COLUMNS):
                raise UsageError(f"{path}: row 1 must be state,id; got {','.join(rows.fieldnames or ())!a:.60}")
            for number, row in enumerate(rows, 2):
                if set(row) != set(COLUMNS) or not all(row[name] for name in COLUMNS):
                    raise UsageError(f"{path}: row {number}: needs a state's folder and one record's id")
                requests.setdefault(str((path.parent / row["state"]).resolve()), []).append(row["id"])
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not UTF-8 text") from None
    except csv.Error as problem:
        raise UsageError(f"{path}: {problem}") from None
    except OSError as problem:
        raise UsageError(f"{path}: {problem.strerror or problem}") from None
    if not requests:
        raise UsageError(f"{path}: names no record; write a row for each, state,id")
    return {state: tuple(ids) for state, ids in requests.items()}


def unlearn_many(
    requests: Mapping[str, Sequence[str]] | Mapping[Path, Sequence[str]],
    *,
    workers: str | int | None = None,
    device: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Answer, ...]:
    """`unlearn` for each state, with its ids as one request; in the order of the mapping.

    What one request comes to does not depend on the others: those that are refused change nothing, those that are
    honoured are each certified, recorded and entered in their ledgers as `unlearn` does it. Interrupted, some are
    honoured and the others are not.

    Args:
        workers: as for `certify.engine.spread`; None: one process for each core of this machine. An engine's workers
            must reach the same folders under the same names.
        device: as for `unlearn`.

    Raises:
        UsageError: two names of one state, or an engine that does not answer. What goes wrong with one state stands in
        its answer.
    """
    pieces = [(str(Path(state).resolve()), tuple(ids)) for state, ids in requests.items()]
    if len({state for state, _ in pieces}) < len(pieces):
        raise UsageError("requests: two of them name one state; make them one request")
    answers: list[Answer] = []
    with spread((0 if len(pieces) > 1 else 1) if workers is None else workers) as each:
        for answer in each(partial(_answer, device=device), pieces):
            answers.append(answer)
            if progress:
                progress("unlearn", len(answers), len(pieces))
    return tuple(answers)


def _answer(piece: tuple[str, tuple[str, ...]], device: str | None) -> Answer:
    from certify.service.unlearning import unlearn

    state, ids = piece
    try:
        return Answer(state, Exit.OK, unlearn(state, ids, device=device).as_json())
    except (UsageError, OSError) as problem:
        return Answer(state, Exit.USAGE, problem=str(problem))
    except OutOfReach as problem:
        return Answer(state, Exit.NOT_CERTIFIED, problem=str(problem))
    except CheckError as problem:
        return Answer(state, problem.exit_code, problem=str(problem))
    except Indeterminate as problem:
        return Answer(state, Exit.INDETERMINATE, problem=str(problem))
    except Exception as problem:  # the other states' requests are honoured all the same
        return Answer(state, Exit.INTERNAL, problem=f"internal error: {problem!r}")
