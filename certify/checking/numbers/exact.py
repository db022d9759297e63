"""Exact numbers: how certificates write them, and irrational ones rounded up."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import isqrt

from certify.checking.limits import LOSS_DIGITS, MAX_DERIVED, MAX_NUMBER, PRECISIONS, DoesNotFollow, require
from certify.checking.numbers.intervals import Interval, Number
from certify.checking.work import spend


def number(value: int | Fraction, bits: int | None) -> Number:
    """The rational `value` as a number to compute with."""
    if bits is not None:
        return Interval.of(value, bits)
    value = Fraction(value)
    spend_exactly(value)
    return value


def spend_exactly(*values: Number) -> None:
    """Count an operation on fractions, whose common factors are looked for: the square of their length."""
    length = 0
    for value in values:
        if isinstance(value, Fraction):
            length += value.numerator.bit_length() + value.denominator.bit_length()
    if length:
        spend(1 + (length * length >> 18))


def last_place(square: Fraction, digits: int = LOSS_DIGITS) -> Fraction:
    """The unit of sqrt(square) > 0 in the last of so many significant digits."""
    size = 0
    while square >= Fraction(100) ** size:
        size += 1
    while square < Fraction(100) ** (size - 1):
        size -= 1
    return Fraction(10) ** (size - digits)


def least_decimal(value: Fraction) -> Fraction:
    """The least decimal of so many digits that is not below a positive number."""
    unit = last_place(value**2)
    return -(-value // unit) * unit


def root_rounded_up(square: Fraction, digits: int = LOSS_DIGITS) -> Fraction:
    """The least decimal of so many digits that is not below sqrt(square), exactly; square > 0."""
    unit = last_place(square, digits)
    units = square / unit**2
    root = isqrt(units.numerator // units.denominator)
    return (root + (root * root != units)) * unit


def rounded_up(enclosed: Callable[[int], Interval], what: str) -> Fraction:
    """A positive irrational number as that decimal: both ends of a narrow enough enclosure agree on it."""
    for bits in PRECISIONS:
        interval = enclosed(bits)
        low, high = (least_decimal(m * Fraction(2) ** e) for m, e in (interval.low, interval.high))
        if low == high:
            return low
    raise DoesNotFollow(f"{what}: not decided with {PRECISIONS[-1]} bits")


def canonical(value: Fraction) -> str:
    """An exact number as certificates write it: an integer, a finite decimal, or p/q in lowest terms."""
    p, q = value.numerator, value.denominator
    long = "a derived number is too long to be written down"
    require(max(p.bit_length(), q.bit_length()) <= MAX_DERIVED, long)
    spend(1 + (q.bit_length() >> 3))
    twos = (q & -q).bit_length() - 1
    rest, fives = q >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    require(rest != 1 or places <= MAX_NUMBER, long)  # Python writes down no integers that are much longer
    if rest != 1 or places == 0:
        return str(p) if q == 1 else f"{p}/{q}"
    digits = str(p * 10**places // q).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"
