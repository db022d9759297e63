"""Numbers so large or small that searches in doubles may fail on them: then the run is refused, and the number named.

What is certified is computed in balls of any size; it is found by searches in doubles, which reach from 1e-308 to
1e308, squares and quotients included. Within MIN_SIZE and MAX_SIZE no known run overflows; beyond them many runs still
work, and where one does not it is refused in a line: a crash would not say that a number was too large.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np

from accountant import Indeterminate
from accountant.core.exact import Rounding, decimal, round_decimal
from certify.errors import OutOfReach, UsageError
from certify.runfile.read import Run

MIN_SIZE, MAX_SIZE = Fraction(1, 10**30), Fraction(10**30)
UNUSED = ("attest", "data")  # tables that nothing is computed from
_ANSWERS = (UsageError, OutOfReach, Indeterminate)  # their messages already name the key


@contextmanager
def within_doubles(run: Run) -> Iterator[None]:
    """Refuse a run with an extreme number where the work on it fails; the failure of any other run is our own.

    Raises:
        UsageError: names the key and the number.
    """
    try:
        with np.errstate(all="ignore"):
            yield
    except _ANSWERS:
        raise
    except (ArithmeticError, ValueError, TypeError) as problem:
        if (extreme := _extreme(run.canonical, "")) is None:
            raise
        key, value = extreme
        shown = decimal(round_decimal(value, 3, Rounding.UP), 3)
        raise UsageError(
            f"{key}: {shown} is so far from 1 that the search in doubles fails; change the units, or the value"
        ) from problem


def _extreme(value: Any, key: str) -> tuple[str, Fraction] | None:
    """The first number of a canonical run beyond MIN_SIZE or MAX_SIZE, with its key."""
    match value:
        case Mapping():
            items = [(f"{key}.{name}" if key else name, item) for name, item in value.items() if name not in UNUSED]
        case list():
            items = [(f"{key}[{i + 1}]", item) for i, item in enumerate(value)]
        case str():
            number = _number(value)
            return None if number is None or not number or MIN_SIZE <= abs(number) <= MAX_SIZE else (key, number)
        case _:
            return None
    return next((extreme for name, item in items if (extreme := _extreme(item, name)) is not None), None)


def _number(text: str) -> Fraction | None:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None
