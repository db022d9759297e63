"""[data]: the columns of the user's own file, and the public limits that its values are scaled by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool

from accountant.core.exact import as_double, canonical
from certify.errors import UsageError
from certify.runfile.values import Table, read_number, read_whole

MAX_WIDTH = 10**7
MAX_NAME = 200  # characters of a column's name, or of a value
TARGETS = ("positive", "classes", "target_limits")  # what says what the target holds
# loss -> the one that goes with it; None: counts, which none of them describes
TARGET_OF: dict[str, str | None] = {
    "logistic": "positive",
    "smoothed-hinge": "positive",
    "softmax": "classes",
    "least-squares": "target_limits",
    "huber": "target_limits",
    "poisson": None,
}
MEANINGS = {
    "positive": "the value that counts as +1",
    "classes": "the values of the classes, in order",
    "target_limits": "the public limits [lo, hi] of the target",
}


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_NAME or not value.isprintable():
        raise ValueError(f"{value!r:.80} is not the name of a column; write text of one line, as in the file's header")
    return value


def _value(value: Any) -> str:
    """A value of a target or category, as text; whole numbers and true/false are spelt out as they are in a file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise ValueError(f"{value!s:.80}: write text, a whole number, true or false, as it stands in the file")
    if not value.isprintable():
        raise ValueError(f"{value!r:.80} has a line break or another character that is not printed; write one line")
    return value


def _values(value: Any) -> list[str]:
    values = [_value(item) for item in (value if isinstance(value, list | tuple) else [value])]
    if len(set(values)) < len(values):
        twice = next(item for item in values if values.count(item) > 1)
        raise ValueError(f"{twice!r} is listed twice; list each value once")
    return values


def _labels(value: Any) -> list[str]:
    values = _values(value)
    if not values:
        raise ValueError("an empty list; list the labels, or leave the key out")
    if "" in values:
        raise ValueError("an empty label; a record without one cannot be learned from")
    return values


def _categories(value: Any) -> list[str]:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError('must be a list of values, such as ["north", "south"]')
    return _values(value)


def _limits(value: Any) -> list[Fraction]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("must be two numbers, [lo, hi]")
    low, high = map(read_number, value)
    if not as_double(low) < as_double(high):
        raise ValueError(
            f"[{canonical(low)}, {canonical(high)}]: the second must be larger than the first, in float64 as well"
        )
    if not -1e300 < as_double(low) < as_double(high) < 1e300:
        raise ValueError("limits beyond ±1e300 are not computed with; write nearer ones, or change the unit")
    return [low, high]


def _numeric(value: Any) -> list[Fraction]:
    if not isinstance(value, list | tuple) or len(value) not in (2, 3):
        raise ValueError("must be limits, [lo, hi], or [lo, hi, width] for an array in each row")
    if len(value) == 2:
        return _limits(value)
    width = read_whole(value[2])
    if not 1 <= width <= MAX_WIDTH:
        raise ValueError(f"width {width} must lie between 1 and {MAX_WIDTH}")
    return [*_limits(value[:2]), Fraction(width)]


def _named(value: Any) -> Any:
    """A table with columns as keys, in the order of their names."""
    return dict(sorted((_name(name), item) for name, item in value.items())) if isinstance(value, dict) else value


Name = Annotated[str, BeforeValidator(_name)]
Labels = Annotated[list[str], BeforeValidator(_labels)]
Categories = Annotated[list[str], BeforeValidator(_categories)]
Limits = Annotated[list[Fraction], BeforeValidator(_limits)]
Numeric = Annotated[list[Fraction], BeforeValidator(_numeric)]


class DataTable(Table):
    target: Name = Field(description="the column of labels")
    positive: Labels | None = Field(None, description="value that is +1, or a list; for logistic and smoothed-hinge")
    negative: Labels | None = Field(
        None, description="value that is -1, or a list; absent = the one other value that the column has"
    )
    classes: Labels | None = Field(None, description="values of the classes 0, 1, 2, …; for softmax")
    target_limits: Limits | None = Field(
        None,
        description="[lo, hi] of the target, scaled to [-target_bound, target_bound] (least-squares) or [-1, 1] "
        "(huber); the target of poisson is counts, which are not scaled",
    )
    id: Name | None = Field(None, description="the column of ids; absent = records are numbered from 0, in their order")
    numeric: Annotated[dict[str, Numeric], BeforeValidator(_named)] = Field(
        {}, description="limits of each column of numbers: `{ age = [0, 100] }`; `[lo, hi, width]` for arrays"
    )
    categorical: Annotated[dict[str, Categories], BeforeValidator(_named)] = Field(
        {}, description='values of each column of categories: `{ region = ["n", "s"] }`; "" stands for an empty cell'
    )
    intercept: StrictBool = Field(True, description="whether a feature that is always 1 is added")
    outside: Literal["refuse", "clip"] = Field(
        "refuse", description="what is done with a number outside its limits: refuse the file, or take the nearer limit"
    )
    normalise: Literal["row", "limits", "none"] | None = Field(
        None,
        description='how rows are brought to feature_norm: "row": each by its own norm; "limits": all by the largest '
        'norm that the limits allow; "none" (only for clipped): not at all; default: "row" for classes, "limits" '
        'for numbers, "none" for clipped',
    )


@dataclass(frozen=True)
class DataColumns:
    """[data] as the readers of `learners.data` take it: see `learners.data.Columns`."""

    target: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    classes: tuple[str, ...]
    target_limits: tuple[Fraction, Fraction] | None
    id: str | None
    numeric: Mapping[str, tuple[Fraction, Fraction]]
    widths: Mapping[str, int]
    categorical: Mapping[str, tuple[str, ...]]
    intercept: bool
    outside: Literal["refuse", "clip"]
    normalise: Literal["row", "limits", "none"]

    @property
    def dimension(self) -> int:
        """d, the number of features of a record."""
        numbers = sum(self.widths.get(name, 1) for name in self.numeric)
        return numbers + sum(map(len, self.categorical.values())) + self.intercept


def make_columns(data: DataTable, loss: Any, dimension: int | None) -> DataColumns:
    """The columns, checked against the loss's table and the number of parameters (None: not said).

    Raises:
        UsageError: one line with key, value and fix.
    """
    _check_columns(data)
    _check_target(data, loss)
    normalise = data.normalise or ("none" if loss.kind == "clipped" else _best(data))
    if normalise == "none" and loss.kind != "clipped":
        raise UsageError(
            f'data.normalise: "none" leaves rows beyond feature_norm, which loss.kind = "{loss.kind}" is bounded by; '
            'write "row" or "limits"'
        )
    columns = DataColumns(
        target=data.target,
        positive=tuple(data.positive or ()),
        negative=tuple(data.negative or ()),
        classes=tuple(data.classes or ()),
        target_limits=None if data.target_limits is None else (data.target_limits[0], data.target_limits[1]),
        id=data.id,
        numeric={name: (limits[0], limits[1]) for name, limits in data.numeric.items()},
        widths={name: int(limits[2]) for name, limits in data.numeric.items() if len(limits) == 3},
        categorical={name: tuple(values) for name, values in data.categorical.items()},
        intercept=data.intercept,
        outside=data.outside,
        normalise=normalise,
    )
    _check_dimension(columns, loss, dimension)
    return columns


def _best(data: DataTable) -> Literal["row", "limits"]:
    """A row's own norm changes no sign and no order of a linear model's scores, and uses all of feature_norm; but it
    changes their size, which is what predicts a number."""
    return "row" if data.positive or data.classes else "limits"


def _check_columns(data: DataTable) -> None:
    uses = [("data.target", data.target), ("data.id", data.id)]
    uses += [(f"data.{key}", name) for key in ("numeric", "categorical") for name in getattr(data, key)]
    seen: dict[str, str] = {}
    for key, name in uses:
        if name is not None and name in seen:
            raise UsageError(f"{key}: {name} is {seen[name]} as well; a column is one thing")
        if name is not None:
            seen[name] = key
    if not data.numeric and not data.categorical:
        raise UsageError("data.numeric: is missing; give the limits of a column of numbers, or data.categorical")


def _check_target(data: DataTable, loss: Any) -> None:
    given = [key for key in TARGETS if getattr(data, key) is not None]
    if loss.kind == "constants":
        raise UsageError(
            'data: loss.kind = "constants" says how a loss is bounded and not which it is, so nothing can be learned '
            "with it; leave [data] out, or write which loss it is"
        )
    if data.negative is not None and data.positive is None:
        raise UsageError("data.negative: goes with data.positive, the value that is +1; give that one, or leave it out")
    if both := sorted(set(data.negative or ()) & set(data.positive or ())):
        raise UsageError(f"data.negative: {both[0]!r} is in data.positive as well; a label counts as +1 or as -1")
    if loss.kind == "clipped":
        if len(given) != 1:
            said = " and ".join(f"data.{key}" for key in given) or "nothing"
            raise UsageError(f"data.target: {said} says what it holds; give one of {', '.join(TARGETS)}")
        return
    wanted = TARGET_OF[loss.kind]
    if wanted is not None and wanted not in given:
        raise UsageError(f'data.{wanted}: is missing; loss.kind = "{loss.kind}" needs {MEANINGS[wanted]}')
    for key in given:
        if key != wanted:
            takes = "takes counts, which nothing describes" if wanted is None else f"takes data.{wanted}"
            raise UsageError(f'data.{key}: loss.kind = "{loss.kind}" {takes}; leave {key} out')
    count = len(data.classes or ())
    if loss.kind == "softmax" and count != loss.classes:
        raise UsageError(f"data.classes: {count} of them, and loss.classes = {loss.classes}; list each class")


def _check_dimension(columns: DataColumns, loss: Any, dimension: int | None) -> None:
    if dimension is None or loss.kind == "clipped":
        return
    scores = loss.classes if loss.kind == "softmax" else 1
    if columns.dimension * scores != dimension:
        made = f"{columns.dimension} features" + (f" times {scores} classes" if scores > 1 else "")
        raise UsageError(
            f"execution.dimension: {dimension}, and [data] makes {made}; write {columns.dimension * scores}"
        )
