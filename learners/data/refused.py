"""How a file of records is refused: one line with the file, the row, the column, the value and the fix."""

from __future__ import annotations

from learners.data.dataset import InvalidDataset

MAX_SHOWN = 40  # characters of a value that are shown


class InvalidTable(InvalidDataset):
    """A file that is not read as the run says. row: as a user counts in the file; None where it is about no one row.

    In a CSV the header is row 1, as in a spreadsheet, and a cell may have line breaks; in every other format the first
    record is row 1.
    """

    def __init__(self, file: str, problem: str, *, row: int | None = None, column: str | None = None) -> None:
        at_row = "" if row is None else f" row {row}" + ("" if column is None else ",")
        at_column = "" if column is None else f" column {column}"
        where = f":{at_row}{at_column}" if at_row or at_column else ""
        super().__init__(f"{file}{where}: {problem}")
        self.file, self.problem, self.row, self.column = file, problem, row, column

    def in_row(self, row: int) -> InvalidTable:
        """The same problem in another row."""
        return InvalidTable(self.file, self.problem, row=row, column=self.column)

    def and_others(self, others: list[InvalidTable], *, more: bool) -> InvalidTable:
        """This refusal, with a note for each other one. more: whether there are some that are not listed."""
        for other in others:
            self.add_note(str(other))
        if more:
            self.add_note(f"{self.file}: more rows are refused than are listed")
        return self


def shown(value: object) -> str:
    """A value as it stands in a message."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."
