"""One caller's turn with a model: what its rows say, and what is added to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from certify.checker import Mismatch
from certify.errors import UsageError
from certify.ledger.rows import START, Head, Row, canonical_payload, check_names, state_head


class Turn:
    """Within `Ledger.transaction`: nobody else writes about the model till the block ends.

    rows: the model's rows, whose chain was checked, and those appended in this turn.
    """

    def __init__(
        self, model: str, rows: tuple[Row, ...], address: str, append: Callable[[str, str, Head], Row]
    ) -> None:
        self.model = model
        self.rows = rows
        self._address = address
        self._append: Callable[[str, str, Head], Row] | None = append

    @property
    def head(self) -> Head:
        """(seq, hash) of the last row that the model's state wrote; (0, 64 zeros) where there is none.

        A state names it in state.json. A revocation is written by somebody else, and does not change it.
        """
        return state_head(self.rows)

    @property
    def last(self) -> Head:
        """(seq, hash) of the model's last row, whoever wrote it."""
        return self.rows[-1].head if self.rows else START

    def append(self, kind: str, payload: Mapping[str, Any]) -> Row:
        """Add a row; it counts when the block ends, and not before.

        Args:
            kind: one of rows.KINDS.
            payload: text, whole numbers, booleans, null, lists and objects of them. Never an id of a record: its keyed
                commitment.

        Returns:
            the row with its final number and hash, which state.json may name.

        Raises:
            UsageError: an unknown kind, a payload that is too long, a database that is away, full or read-only.
            TypeError: a float or anything else that JSON has no exact form for. ValueError: the block has ended.
        """
        if self._append is None:
            raise ValueError("the transaction has ended; open another one")
        check_names(self.model, kind)
        row = self._append(kind, canonical_payload(payload), self.last)
        self.rows = (*self.rows, row)
        return row

    def require_head(self, head: Head | tuple[int, str], where: object) -> None:
        """Refuse a state whose head is not this model's: it is a copy of an older one, or the ledger is.

        Raises:
            Mismatch: names both heads (exit 4).
        """
        if self.head != tuple(head):
            raise head_mismatch(where, Head(*head), self._address, self.rows)

    def close(self) -> None:
        self._append = None


def head_mismatch(where: object, head: Head, address: str, rows: tuple[Row, ...]) -> Mismatch:
    """Which of the two is older."""
    there = state_head(rows)
    if not rows:
        return Mismatch(f"{where}: ledger {address} has no row of this model; name the ledger that it was written with")
    known = any(row.head == head for row in rows)
    verdict = (
        "the folder is a copy from before that row; use the folder that wrote it"
        if known
        else "the ledger is another one, or was restored from before that row; restore a newer backup"
    )
    return Mismatch(
        f"{where}: was written at row {head.seq} ({head.hash[:16]}…), ledger {address} is at row "
        f"{there.seq} ({there.hash[:16]}…): {verdict}"
    )


def changed_meanwhile(address: str) -> UsageError:
    return UsageError(f"ledger {address}: its rows changed meanwhile; nothing was written, try again")
