"""Intervals with dyadic ends: every result contains what it stands for."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cmp_to_key
from math import isqrt

from certify.checking.limits import PRECISIONS, DoesNotFollow, Undecided
from certify.checking.work import spend

Dyadic = tuple[int, int]  # (mantissa, exponent) stands for mantissa · 2**exponent


def _rounded(number: Dyadic, bits: int, up: bool) -> Dyadic:
    """The number rounded down (or up) to a mantissa of about `bits` bits."""
    mantissa, exponent = number
    extra = mantissa.bit_length() - bits
    if extra <= 0:
        return number
    return (-(-mantissa >> extra) if up else mantissa >> extra), exponent + extra  # >> rounds down


def _compare(x: Dyadic, y: Dyadic) -> int:
    """-1, 0 or 1; exact, and cheap however far apart the exponents are."""
    (m, e), (n, f) = x, y
    if m == 0 or n == 0 or (m > 0) != (n > 0):
        return ((m > 0) - (m < 0)) - ((n > 0) - (n < 0))
    magnitude = (m.bit_length() + e) - (n.bit_length() + f)
    if magnitude:
        return 1 if (magnitude > 0) == (m > 0) else -1
    m, n = m << max(e - f, 0), n << max(f - e, 0)  # equal magnitudes: the shift is no longer than a mantissa
    return (m > n) - (m < n)


def _sum(x: Dyadic, y: Dyadic, bits: int, up: bool) -> Dyadic:
    """x + y, rounded down or up."""
    if x[0] == 0 or y[0] == 0:
        return _rounded(y if x[0] == 0 else x, bits, up)
    (m, e), (n, f) = (x, y) if x[1] >= y[1] else (y, x)
    if n.bit_length() + f < e - 2 * bits:  # out of sight: replace it by the sliver that rounds the same way
        n, f = ((n > 0) if up else -(n < 0)), e - 2 * bits
    return _rounded(((m << (e - f)) + n, f), bits, up)


def _quotient(x: Dyadic, y: Dyadic, bits: int, up: bool) -> Dyadic:
    """x / y for y > 0, rounded down or up."""
    (m, e), (n, f) = x, y
    shift = max(0, bits + 1 + n.bit_length() - m.bit_length())
    quotient = -((-m << shift) // n) if up else (m << shift) // n
    return _rounded((quotient, e - f - shift), bits, up)


_by_value = cmp_to_key(_compare)


class Interval:
    """All real numbers from `low` to `high`, both dyadic. Every result contains what it stands for.

    Operations round outward to `bits` bits, relatively: no underflow, no overflow. A comparison is answered only when
    it holds, or fails, for all members; else it raises `Undecided`. Integers and fractions are enclosed on the fly.
    """

    __slots__ = ("bits", "high", "low")

    def __init__(self, low: Dyadic, high: Dyadic, bits: int) -> None:
        self.low, self.high, self.bits = low, high, bits

    @classmethod
    def of(cls, value: int | Fraction, bits: int) -> Interval:
        if value.denominator == 1:
            whole = (value.numerator, 0)
            spend(1 + (value.numerator.bit_length() >> 10))
            return cls(_rounded(whole, bits, False), _rounded(whole, bits, True), bits)
        ratio = (value.numerator, 0), (value.denominator, 0)
        length = value.numerator.bit_length() + value.denominator.bit_length()
        spend(3 + ((bits + length) * (bits + length) >> 20))
        return cls(_quotient(*ratio, bits, False), _quotient(*ratio, bits, True), bits)

    def _lift(self, other: Interval | int | Fraction) -> Interval:
        return other if isinstance(other, Interval) else Interval.of(other, self.bits)

    def __add__(self, other: Interval | int | Fraction) -> Interval:
        y, bits = self._lift(other), self.bits
        spend(2 + (bits >> 10))
        return Interval(_sum(self.low, y.low, bits, False), _sum(self.high, y.high, bits, True), bits)

    def __neg__(self) -> Interval:
        return Interval((-self.high[0], self.high[1]), (-self.low[0], self.low[1]), self.bits)

    def __sub__(self, other: Interval | int | Fraction) -> Interval:
        return self + -self._lift(other)

    def __rsub__(self, other: int | Fraction) -> Interval:
        return self._lift(other) + -self

    def __mul__(self, other: Interval | int | Fraction) -> Interval:
        y, bits = self._lift(other), self.bits
        spend(2 + (bits >> 9) + (bits * bits >> 19))
        (a, i), (b, j), (c, k), (d, m) = self.low, self.high, y.low, y.high
        if a >= 0 and c >= 0:
            low, high = (a * c, i + k), (b * d, j + m)
        else:
            products = sorted(((a * c, i + k), (a * d, i + m), (b * c, j + k), (b * d, j + m)), key=_by_value)
            low, high = products[0], products[-1]
        return Interval(_rounded(low, bits, False), _rounded(high, bits, True), bits)

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Interval | int | Fraction) -> Interval:
        y, bits = self._lift(other), self.bits
        if y.low[0] <= 0:
            raise Undecided  # only positive divisors occur: more precision will tell
        spend(3 + (bits >> 8) + (bits * bits >> 18))
        low = _quotient(self.low, y.high if self.low[0] >= 0 else y.low, bits, False)
        high = _quotient(self.high, y.low if self.high[0] >= 0 else y.high, bits, True)
        return Interval(low, high, bits)

    def __rtruediv__(self, other: int | Fraction) -> Interval:
        return self._lift(other) / self

    def __abs__(self) -> Interval:
        if self.low[0] >= 0:
            return self
        return -self if self.high[0] <= 0 else Interval((0, 0), max((-self).high, self.high, key=_by_value), self.bits)

    def sqrt(self) -> Interval:
        """Square root of a quantity that is known not to be negative."""
        spend(7 + (self.bits >> 7) + (self.bits * self.bits >> 18))

        def root(number: Dyadic, up: bool) -> Dyadic:
            mantissa, exponent = number
            if mantissa <= 0:
                return 0, 0
            shift = max(0, 2 * self.bits + 2 - mantissa.bit_length())
            shift += (exponent - shift) % 2
            value = isqrt(mantissa << shift)
            value += up and value * value != mantissa << shift
            return _rounded((value, (exponent - shift) // 2), self.bits, up)

        return Interval(root(self.low, False), root(self.high, True), self.bits)

    def __le__(self, other: Interval | int | Fraction) -> bool:
        y = self._lift(other)
        if _compare(self.high, y.low) <= 0:
            return True
        if _compare(self.low, y.high) > 0:
            return False
        raise Undecided

    def __ge__(self, other: Interval | int | Fraction) -> bool:
        return self._lift(other) <= self

    def __gt__(self, other: Interval | int | Fraction) -> bool:
        return not self <= other

    def __lt__(self, other: Interval | int | Fraction) -> bool:
        return not self._lift(other) <= self

    def is_tight(self, bits: int) -> bool:
        """No wider than 2^-bits of its size."""
        width = _sum(self.high, (-self.low[0], self.low[1]), self.bits, True)
        return _compare(width, (self.low[0], self.low[1] - bits)) <= 0

    def is_zero(self) -> bool:
        """Exactly zero: no member besides 0."""
        return self.low[0] == 0 == self.high[0]


Number = Interval | Fraction


def smaller(x: Number, y: Number) -> Number:
    """The minimum; never undecided, because the minimum of two intervals is an interval."""
    if isinstance(x, Fraction):
        return min(x, y)
    spend(3)
    return Interval(min(x.low, y.low, key=_by_value), min(x.high, y.high, key=_by_value), x.bits)


def decide(question: Callable[[int], bool], what: str) -> bool:
    """The answer to `question(bits)` at the first precision that decides it."""
    for bits in PRECISIONS:
        try:
            return question(bits)
        except Undecided:
            continue
    raise DoesNotFollow(f"{what}: not decided with {PRECISIONS[-1]} bits")


def larger(x: Interval, y: Interval) -> Interval:
    """The maximum; never undecided."""
    return -smaller(-x, -y)
