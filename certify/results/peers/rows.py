"""Rows of noise multiplier, sample rate and steps: comma, tab or semicolon between them, or JSON.

Where there is a heading, columns are found by it; without one they stand in that order. No row is passed over: what is
neither a heading nor three numbers is refused, with its number.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from typing import Any

from accountant.core.exact import exact
from certify.results.peers.record import Record, load_json, make_stage, merged

# What a column may be called; case, spaces, underscores and hyphens do not count. "step", "epoch" and the like number
# the rows of a log, and are not counts.
NAMES = {
    "noise_multiplier": ("noise multiplier", "z", "sigma", "σ"),
    "sample_rate": ("sample rate", "q", "sampling rate", "sampling probability", "sample probability"),
    "steps": ("steps", "count", "num steps", "n steps", "number of steps", "iterations", "num iterations"),
}
ORDER = tuple(NAMES)
_DELIMITERS = "\t;,"
_Row = tuple[int, Sequence[Any]]  # its number, from 1 up, and its cells


def _bare(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.casefold())


_MEANS = {_bare(name): column for column, names in NAMES.items() for name in (column, *names)}


def read_rows(text: str) -> Record:
    """The run in a table of rows.

    Raises:
        ValueError: a heading that cannot be mapped, a cell too many or too few, a cell that is not a number; with the
            row's number, which in text is the line's.
    """
    rows = _objects_or_lists(text) if text.lstrip().startswith(("[", "{")) else _lines(text)
    stages = [make_stage(**cells, where=f"row {number}") for number, cells in rows]
    if not stages:
        raise ValueError("no rows in it")
    return Record(merged(stages), rows=len(stages))


def _objects_or_lists(text: str) -> list[tuple[int, dict[str, Any]]]:
    parsed = load_json(text)
    if not isinstance(parsed, list):
        raise ValueError(
            'a list of rows is needed, [[1.1, 0.01, 1000], …] or [{"z": 1.1, "q": 0.01, "steps": 1000}, …]'
        )
    if parsed and not any(isinstance(row, dict) for row in parsed):
        return _with_columns([(i, row) for i, row in enumerate(parsed, 1)], None)
    rows = []
    for i, row in enumerate(parsed, 1):
        if not isinstance(row, dict):
            raise ValueError(f"row {i}: an object is needed, as in the other rows")
        rows.append((i, dict(zip(_columns(list(row), i), row.values(), strict=True))))
    return rows


def _lines(text: str) -> list[tuple[int, dict[str, Any]]]:
    rows: list[_Row] = []
    heading: _Row | None = None  # in a comment, as numpy.savetxt writes it
    delimiter = None
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        stripped = line.strip()
        if stripped.startswith("#"):
            if (names := _names_in(stripped.lstrip("# \t"))) is not None:
                if rows:
                    raise ValueError(f"row {number}: a second heading, after rows; write one table a file")
                heading = number, names
        elif stripped:
            delimiter = delimiter or next((mark for mark in _DELIMITERS if mark in line), ",")
            try:
                (cells,) = csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True)
            except csv.Error as problem:
                raise ValueError(f"row {number}: {problem}") from None
            rows.append((number, [cell.strip() for cell in cells]))
    return _with_columns(rows, heading)


def _names_in(comment: str) -> list[str] | None:
    """The names of columns in a comment; None if it is a remark."""
    parts = [part.strip() for part in re.split(f"[{_DELIMITERS}]", comment)]
    if len(parts) > 1:
        return parts if any(_bare(part) in _MEANS for part in parts) else None
    words = comment.split()
    return words if len(words) > 1 and all(_bare(word) in _MEANS for word in words) else None


def _with_columns(rows: list[_Row], heading: _Row | None) -> list[tuple[int, dict[str, Any]]]:
    """Every row's cells by column; a first row of words is the heading."""
    if rows and isinstance(rows[0][1], list):
        number, first = rows[0]
        numeric = [_is_number(cell) for cell in first]
        if any(numeric) and not all(numeric):
            raise ValueError(
                f"row {number}: some of its cells are numbers and some are not; write three numbers, or a heading of "
                "names alone"
            )
        if first and not any(numeric):
            heading, rows = rows[0], rows[1:]
    columns = ORDER if heading is None else _columns(heading[1], heading[0])
    records = []
    for number, cells in rows:
        if not isinstance(cells, list) or len(cells) != len(columns):
            raise ValueError(
                f"row {number}: {len(cells) if isinstance(cells, list) else 'no'} cells; each row is a triple of "
                f"{', '.join(columns)}, with commas, tabs or semicolons in between"
            )
        records.append((number, dict(zip(columns, cells, strict=True))))
    return records


def _is_number(cell: Any) -> bool:
    try:
        exact(cell)
    except (ValueError, TypeError):
        return False
    return True


def _columns(names: Iterable[Any], number: int) -> tuple[str, ...]:
    """What the names of a heading mean. Raises ValueError: one that is not known, is missing, or is there twice."""
    columns: list[str] = []
    for name in names:
        column = _MEANS.get(_bare(name)) if isinstance(name, str) else None
        if column is None:
            known = "; ".join(f"{column}: {', '.join(names)}" for column, names in NAMES.items())
            shown = "a column without a name" if name == "" else f"{name!r:.40} is not the name of a column"
            raise ValueError(f"row {number}: {shown}; known are {known}")
        if column in columns:
            raise ValueError(f"row {number}: two columns for {column}")
        columns.append(column)
    for column in ORDER:
        if column not in columns:
            raise ValueError(f"row {number}: no column for {column}")
    return tuple(columns)
