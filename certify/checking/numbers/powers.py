"""Powers and geometric sums; `bits` None means exact."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from certify.checking.numbers.exact import number, spend_exactly
from certify.checking.numbers.intervals import Interval, Number
from certify.checking.work import remembered


@remembered
@lru_cache(maxsize=2**16)
def power(c: Fraction, n: int, bits: int | None) -> Number:
    """c^n by repeated squaring; 0^0 = 1."""
    if n == 0 or c == 1:
        return number(1, bits)
    half = power(c, n // 2, bits)
    spend_exactly(half, half)
    return half * half * number(c, bits) if n % 2 else half * half


@remembered
@lru_cache(maxsize=2**16)
def geometric(c: Fraction, stride: int, n: int, bits: int | None) -> Number:
    """Σ_{i<n} (c^stride)^i by doubling: no subtraction, so c = 1 and c close to 1 are nothing special."""
    if n == 0 or c == 1:
        return number(n, bits)
    if n % 2:
        return geometric(c, stride, n - 1, bits) * power(c, stride, bits) + number(1, bits)
    half = geometric(c, stride, n // 2, bits)
    spend_exactly(half, half)
    return half * (number(1, bits) + power(c, stride * (n // 2), bits))


def to_the(x: Interval, n: int) -> Interval:
    """x^n by repeated squaring, n ≥ 0."""
    result = Interval.of(1, x.bits)
    for digit in bin(n)[2:]:
        result = result * result
        if digit == "1":
            result = result * x
    return result
