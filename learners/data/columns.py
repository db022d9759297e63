"""What a run says about the columns of a file of records: which they are, and the public limits of their values.

The map from a record to its features and its label is a part of the mechanism. It depends on these columns and on the
record alone, never on another record; so a record that is erased changes no other record's features.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Literal, Protocol

Outside = Literal["refuse", "clip"]
Normalise = Literal["row", "limits", "none"]
Limits = tuple[Fraction, Fraction]


class Columns(Protocol):
    """The columns of a file, by their names there.

    target: the label's column. What it holds is said by one of the next three, or it holds counts:
    positive, negative: the values that are +1 and −1; without `negative`, the one other value that there is.
    classes: the values that are 0, 1, 2, … in this order.
    target_limits: (lo, hi), scaled to [−target_bound, target_bound].
    id: the column of ids; None = the records are numbered.
    numeric: (lo, hi) of each column of numbers; each value is scaled from them to [−1, 1].
    widths: of those numeric columns that hold an array in each row, how many numbers: images, embeddings.
    categorical: the values of each column of categories; each is one feature, 1 where the value is there and else 0.
    intercept: whether a feature that is always 1 comes last.
    outside: what is done with a number outside its limits.
    normalise: "row": each row is scaled by its own norm to feature_norm; "limits": each by the same constant, which
        brings the largest norm that the limits allow to feature_norm; "none": no row is.
    """

    @property
    def target(self) -> str: ...
    @property
    def positive(self) -> tuple[str, ...]: ...
    @property
    def negative(self) -> tuple[str, ...]: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def target_limits(self) -> Limits | None: ...
    @property
    def id(self) -> str | None: ...
    @property
    def numeric(self) -> Mapping[str, Limits]: ...
    @property
    def widths(self) -> Mapping[str, int]: ...
    @property
    def categorical(self) -> Mapping[str, tuple[str, ...]]: ...
    @property
    def intercept(self) -> bool: ...
    @property
    def outside(self) -> Outside: ...
    @property
    def normalise(self) -> Normalise: ...


def feature_names(columns: Columns) -> tuple[str, ...]:
    """What each feature is, in order: numeric columns by name, then the categories of each column, by its name and
    in the order in which they are listed, then the intercept. So a run file may list its columns in any order."""
    numeric = [
        name if width is None else f"{name}[{i}]"
        for name in sorted(columns.numeric)
        for width in (columns.widths.get(name),)
        for i in range(1 if width is None else width)
    ]
    categorical = [f"{name} = {value}" for name in sorted(columns.categorical) for value in columns.categorical[name]]
    return (*numeric, *categorical, *(["intercept"] if columns.intercept else []))


def largest_square(columns: Columns) -> int:
    """The largest squared norm that the limits allow, before rows are normalised: one for each number, column of
    categories and intercept."""
    numbers = sum(columns.widths.get(name, 1) for name in columns.numeric)
    return numbers + len(columns.categorical) + columns.intercept


def needed(columns: Columns) -> tuple[str, ...]:
    """The names of all columns that are read, target and id first, each once."""
    said = (columns.target, columns.id, *sorted(columns.numeric), *sorted(columns.categorical))
    return tuple(dict.fromkeys(name for name in said if name is not None))
