"""What oracles compute with: mpmath, at the digits in force."""

from __future__ import annotations

from fractions import Fraction

from mpmath import mpf


def big(x: Fraction | str) -> mpf:
    """An exact rational, or a decimal that writes one down."""
    value = Fraction(x)
    return mpf(value.numerator) / value.denominator
