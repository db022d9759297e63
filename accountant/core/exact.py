"""Exact numbers: what a parameter may be, and how a number is written down.

A Python float is a number of unknown origin: 0.1 is not a tenth. In a certified path it is refused, with the fix.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from enum import Enum
from fractions import Fraction

MAX_CHARACTERS = 400
MAX_EXPONENT = 400
MIN_PRINTED = Fraction(1, 10**MAX_EXPONENT)  # the smallest positive number that is printed

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?")
_RATIO = re.compile(r"([+-]?\d+)\s*/\s*(\d+)")


class Rounding(Enum):
    """Which way a number is rounded, and with it a bound: an upper bound is rounded UP at every step of the way."""

    UP = "up"
    DOWN = "down"

    @property
    def opposite(self) -> Rounding:
        return Rounding.DOWN if self is Rounding.UP else Rounding.UP

    def __bool__(self) -> bool:
        raise TypeError("either rounding is a true value; write `is Rounding.UP`")


class InvalidValue(ValueError):
    """A value out of its range; the message names the key, the value and the fix. `key` is the run file's."""

    def __init__(self, key: str, message: str):
        super().__init__(f"{key}: {message}")
        self.key = key


def exact(value: int | Fraction | Decimal | str, name: str = "value") -> Fraction:
    """The exact rational that `value` writes down: int, Fraction, Decimal, or a string with a decimal or "p/q".

    Raises:
        TypeError: a float (write it as a decimal string), a bool, or anything else that is not a number.
        ValueError: a string or Decimal that is not a finite number, or one with far too many digits.
    """
    if isinstance(value, bool):
        raise TypeError(f"{name}: a number is needed, got {value}")
    if isinstance(value, float):
        raise TypeError(f'{name}: a float is not exact; write the decimal string "{value!r}" or a Fraction')
    if isinstance(value, int | Fraction):
        return Fraction(value)
    if isinstance(value, Decimal):
        value = str(value)
    if not isinstance(value, str):
        raise TypeError(f"{name}: a number is needed, got {type(value).__name__}")
    text = value.strip()
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"{name}: a number of {len(text)} characters; at most {MAX_CHARACTERS} are read")
    if ratio := _RATIO.fullmatch(text):
        if int(ratio[2]) == 0:
            raise ValueError(f"{name}: {text} divides by zero")
        return Fraction(int(ratio[1]), int(ratio[2]))
    number = _NUMBER.fullmatch(text)
    if not number:
        raise ValueError(f'{name}: {text!r} is not a finite number; write a decimal or "p/q"')
    if number[3] and abs(int(number[3][1:])) > MAX_EXPONENT:
        raise ValueError(f"{name}: the exponent of {text} is beyond ±{MAX_EXPONENT}")
    return Fraction(text)


def settle(record: object, **values: object) -> None:
    """Set normalised fields of a frozen record, in its own __post_init__ and nowhere else: then it is complete."""
    for name, value in values.items():
        object.__setattr__(record, name, value)


def as_double(value: Fraction | int) -> float:
    """The nearest double, for searches; beyond them an infinity, and 0 for what is too small."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def outward_double(text: str | None, rounding: Rounding) -> float | None:
    """The double nearest to a printed decimal on its safe side: not below it (UP), not above it (DOWN)."""
    if text is None:
        return None
    value = Fraction(text)
    nearest = as_double(value)
    if math.isinf(nearest):  # beyond every double: the largest one is on the safe side of a lower bound
        return nearest if (nearest > 0) is (rounding is Rounding.UP) else math.nextafter(nearest, 0)
    if rounding is Rounding.UP and Fraction(nearest) < value:
        return math.nextafter(nearest, math.inf)
    if rounding is Rounding.DOWN and Fraction(nearest) > value:
        return math.nextafter(nearest, -math.inf)
    return nearest


def canonical(value: Fraction | int) -> str:
    """The one way to write a rational: an integer, a finite decimal without exponent, else "p/q" in lowest terms."""
    value = Fraction(value)
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    places = max(twos, fives)
    if places == 0:
        return str(value.numerator)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def magnitude(value: Fraction) -> int:
    """The e with 10^e <= |value| < 10^(e+1)."""
    value = abs(value)
    e = (value.numerator.bit_length() - value.denominator.bit_length()) * 30103 // 100000  # within 2 of it
    while value < Fraction(10) ** e:
        e -= 1
    while value >= Fraction(10) ** (e + 1):
        e += 1
    return e


def round_decimal(value: Fraction, digits: int, rounding: Rounding) -> Fraction:
    """The nearest number of `digits` significant decimal digits at or above (UP) or at or below `value`."""
    if value == 0:
        return value
    unit = Fraction(10) ** (magnitude(value) - digits + 1)
    steps = value / unit
    whole = steps.numerator // steps.denominator
    return unit * (whole + 1 if rounding is Rounding.UP and whole != steps else whole)


def decimal(value: Fraction, digits: int = 12) -> str:
    """A rational that has at most `digits` significant digits, for people and for JSON: plain, or 1.23e-11."""
    if value == 0:
        return "0"
    e = magnitude(value)
    if -7 <= e < 16:
        return canonical(value)
    mantissa = canonical(value / Fraction(10) ** e)
    return f"{mantissa}e{e}"


def outward(value: Fraction, rounding: Rounding, *, digits: int = 12) -> str:
    """`value` as a decimal strictly above (UP) or strictly below it; zero stays "0", and below 1e-400 that is all.

    Strictly, with room to spare, so that a checker that recomputes the bound in enclosures can decide the comparison.
    """
    if value == 0:
        return "0"
    if abs(value) < MIN_PRINTED:
        up = rounding is Rounding.UP
        return decimal(MIN_PRINTED if up else -MIN_PRINTED) if up == (value > 0) else "0"
    rounded = round_decimal(value, digits, rounding)
    if abs(rounded - value) < abs(value) / 10 ** (digits + 3):
        rounded += (1 if rounding is Rounding.UP else -1) * Fraction(10) ** (magnitude(value) - digits + 1)
    return decimal(rounded, digits)
