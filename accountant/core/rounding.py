"""Rational bounds of irrational constants: the least decimal of so many significant digits that is not below.

Deterministic, so that whoever checks a certificate finds the same number. In Exact arithmetic alone: elsewhere the
formula itself is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import isqrt

from accountant.core.arithmetic import Arithmetic, Exact, Number
from accountant.core.exact import Rounding, round_decimal

DIGITS = 18  # significant; the bound is above the true constant by less than one part in 10^17


def sqrt_above(A: Arithmetic, x: Number) -> Number:
    """√x for x ≥ 0, rounded up."""
    return _rounded(lambda bits: _sqrt(x, bits)) if isinstance(A, Exact) else A.sqrt(x)


def exp_above(A: Arithmetic, x: Number) -> Number:
    """e^x for x ≥ 0, rounded up."""
    return _rounded(lambda bits: _exp(x, bits)) if isinstance(A, Exact) else A.exp(x)


def _rounded(enclosed: Callable[[int], tuple[Fraction, Fraction]]) -> Fraction:
    """Both ends of a narrow enough enclosure round to the same decimal: the number is irrational, or the ends meet."""
    bits = 256
    while True:
        low, high = (round_decimal(end, DIGITS, Rounding.UP) for end in enclosed(bits))
        if low == high:
            return low
        bits *= 2


def _sqrt(x: Fraction, bits: int) -> tuple[Fraction, Fraction]:
    p, q = x.numerator, x.denominator
    root = isqrt(p * q << 2 * bits)  # √(p/q) = √(pq)/q
    whole = root * root == p * q << 2 * bits
    return Fraction(root, q << bits), Fraction(root if whole else root + 1, q << bits)


def _exp(x: Fraction, bits: int) -> tuple[Fraction, Fraction]:
    """Taylor's series in integers, one column rounded down, one up; every term is positive."""
    p, q, n = x.numerator, x.denominator, 0
    if p == 0:
        return Fraction(1), Fraction(1)
    low = high = total_low = total_high = 1 << bits
    while high > 1 or n < 2 * x:
        n += 1
        low, high = low * p // (q * n), -(-high * p // (q * n))
        total_low, total_high = total_low + low, total_high + high
    return Fraction(total_low, 1 << bits), Fraction(total_high + high, 1 << bits)  # each later term at most halves
