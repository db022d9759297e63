"""What `Ledger.verify` found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from certify.errors import Exit, UsageError
from certify.ledger.rows import LEDGER, START, Head, Row, broken_links, state_head
from certify.ledger.turn import head_mismatch
from certify.ledger.where import StateFile


@dataclass(frozen=True)
class LedgerReport:
    """`problems`: what is wrong; empty where the chain is whole. `notes`: what is not wrong, but to be known."""

    address: str
    rows: int
    models: int
    head: Head
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> Exit:
        """0, or 4: the rows are not those that the hashes name."""
        return Exit.MISMATCH if self.problems else Exit.OK

    @property
    def intact(self) -> bool:
        return not self.problems

    def text(self) -> str:
        verdict = "BROKEN" if self.problems else "INTACT"
        lines = [
            f"{verdict}: {_count(self.rows, 'row')} about {_count(self.models, 'model')}",
            f"head: row {self.head.seq}, {self.head.hash}",
        ]
        lines += [f"problem: {problem}" for problem in self.problems]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def as_json(self) -> dict[str, Any]:
        return {
            "intact": self.intact,
            "exit_code": int(self.exit_code),
            "ledger": self.address,
            "rows": str(self.rows),
            "models": str(self.models),
            "head": {"seq": str(self.head.seq), "hash": self.head.hash},
            "problems": list(self.problems),
            "notes": list(self.notes),
        }


END = (
    "rows removed from the end do not show in the ledger itself: keep its head elsewhere and compare it "
    "(plumbline ledger verify --head HASH)"
)


def make_report(
    address: str, rows: Sequence[Row], damage: Sequence[str], triggers: Sequence[str], state: StateFile | None
) -> LedgerReport:
    """Judge the rows of a whole ledger, and of a state folder whether it fits."""
    problems = [*damage, *broken_links(rows, whole=True)]
    notes = [f"the trigger {name} is missing: the database itself would let rows be changed" for name in triggers]
    if state is not None:
        own = tuple(row for row in rows if row.model == state.model)
        if own and state_head(own) == state.head:
            notes.append(f"the state in {state.folder} is at the ledger's head of its model")
        else:
            problems.append(str(head_mismatch(state.folder, state.head, address, own)))
    elif rows:
        notes.append(END)
    models = {row.model for row in rows} - {LEDGER}
    return LedgerReport(
        address, len(rows), len(models), rows[-1].head if rows else START, tuple(problems), tuple(notes)
    )


def with_noted_heads(report: LedgerReport, rows: Sequence[Row], heads: Sequence[str]) -> LedgerReport:
    """The report, and whether rows are there whose hashes somebody has noted down.

    Raises:
        UsageError: a hash that is none.
    """
    for head in heads:
        if not re.fullmatch("[0-9a-f]{16,64}", head):
            raise UsageError(f"--head: got {head!a:.80}; write the hash of a row, at least its first 16 digits")
    missing = [head for head in heads if not any(row.hash.startswith(head) for row in rows)]
    problems = [
        f"no row has the hash {head}: rows were removed from the end, or it is another ledger" for head in missing
    ]
    notes = [note for note in report.notes if note != END or not heads or missing]
    return replace(report, problems=(*report.problems, *problems), notes=tuple(notes))


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"
