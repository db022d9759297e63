"""The numbers that a run is executed in."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.checking.limits import require

FLOATS = {"float64": (52, -1022, 1023), "float32": (23, -126, 127)}  # fraction bits, least and largest exponent
ULPS = 4  # the error of a step that is charged, in units in the last place of every coordinate
KAPPA_DIGITS = 9


NUMBERS = ("dtype", "dimension", "largest_coordinate")  # the keys of [execution] that rounding depends on


def numbers_of(run: dict[str, Any]) -> dict[str, str]:
    """What a canonical run says of them; empty where it says nothing."""
    return {key: value for key, value in run.get("execution", {}).items() if key in NUMBERS}


def check_floats(execution: dict[str, str]) -> None:
    """The side conditions on what a run is executed in; all of its keys may be absent."""
    require(int(execution.get("dimension", 1)) >= 1, "run: needs execution.dimension >= 1")
    largest = Fraction(execution.get("largest_coordinate", 1))
    require(largest > 0, "run: needs execution.largest_coordinate > 0")
    bits, _, top = FLOATS[execution.get("dtype", "float64")]
    most = (2 - Fraction(1, 2**bits)) * 2**top
    require(largest <= most, "run: execution.largest_coordinate is beyond the largest number of its dtype")


def unit_in_the_last_place(x: Fraction, dtype: str) -> Fraction:
    """ulp(x) for x > 0: 2^(⌊log₂ x⌋ - bits), and no less than that of the least normal number."""
    bits, least, _ = FLOATS[dtype]
    exponent = x.numerator.bit_length() - x.denominator.bit_length()
    exponent -= Fraction(2) ** exponent > x
    return Fraction(2) ** (max(exponent, least) - bits)
