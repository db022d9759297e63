"""Intervals contain what they stand for, and are narrow."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certify import checker
from certify.checker import Interval, Undecided
from tests.certify.checking.cases import BITS, encloses_tightly, ends, exactly

mantissas = st.integers(-(2**BITS) + 1, 2**BITS - 1)
rationals = st.fractions(max_denominator=10**30)
dyadics = st.tuples(mantissas, st.integers(-400, 400))


@settings(max_examples=60, deadline=None)
@given(rationals)
def test_of_encloses(value: Fraction) -> None:
    assert encloses_tightly(Interval.of(value, BITS), value)


@settings(max_examples=100, deadline=None)
@given(dyadics, dyadics)
def test_operations_on_points(x: tuple[int, int], y: tuple[int, int]) -> None:
    a, b, p, q = Interval(x, x, BITS), Interval(y, y, BITS), exactly(x), exactly(y)
    assert encloses_tightly(a + b, p + q)
    assert encloses_tightly(a - b, p - q)
    assert encloses_tightly(a * b, p * q)
    assert ends(-a) == (-p, -p) and ends(abs(a)) == (abs(p), abs(p))
    if q > 0:
        assert encloses_tightly(a / b, p / q)
        low, high = ends(b.sqrt())
        assert low**2 <= q <= high**2 and high - low <= high * Fraction(4, 2**BITS)
    else:
        with pytest.raises(Undecided):
            a / b
    assert (a <= b) == (p <= q) and (a < b) == (p < q) and (a >= b) == (p >= q) and (a > b) == (p > q)


@settings(max_examples=100, deadline=None)
@given(*[st.tuples(rationals, rationals, st.integers(0, 4))] * 2)
def test_operations_on_intervals_contain_every_member(x: Any, y: Any) -> None:
    """Members p, q of wide intervals: the result contains p ∘ q; comparisons answer only when all members agree."""
    (p0, p1), (q0, q1) = sorted(x[:2]), sorted(y[:2])
    a = Interval(Interval.of(p0, BITS).low, Interval.of(p1, BITS).high, BITS)
    b = Interval(Interval.of(q0, BITS).low, Interval.of(q1, BITS).high, BITS)
    p, q = p0 + (p1 - p0) * x[2] / 4, q0 + (q1 - q0) * y[2] / 4
    for result, truth in ((a + b, p + q), (a - b, p - q), (a * b, p * q), (abs(a), abs(p)), (3 - a, 3 - p)):
        assert ends(result)[0] <= truth <= ends(result)[1]
    assert ends(checker.smaller(a, b))[0] <= min(p, q) <= ends(checker.smaller(a, b))[1]
    if q0 > 0:
        assert ends(a / b)[0] <= p / q <= ends(a / b)[1]
    try:
        assert (a <= b) == (p <= q)
    except Undecided:
        assert ends(a)[1] > ends(b)[0] and ends(a)[0] <= ends(b)[1]


def test_addition_of_very_different_sizes() -> None:
    """2^(10^15) and 2^-(10^15) cannot be aligned; the sum still rounds the right way."""
    one, tiny = Interval.of(1, BITS), Interval((1, -(10**15)), (1, -(10**15)), BITS)
    for total, sign in ((one + tiny, 1), (one - tiny, -1), (tiny + one, 1), (-tiny + one, -1)):
        low, high = ends(total)
        assert low <= 1 <= high and (high > 1 if sign > 0 else low < 1) and high - low < Fraction(1, 2**100)
    assert (tiny < one) and (one > tiny) and not (tiny >= one)
    assert ends(one + Interval.of(0, BITS)) == (1, 1)


@settings(max_examples=60, deadline=None)
@given(st.fractions(min_value=-2, max_value=2, max_denominator=1000), st.integers(0, 60), st.integers(1, 4))
def test_powers_and_geometric_sums(c: Fraction, n: int, stride: int) -> None:
    total = sum((c ** (stride * i) for i in range(n)), Fraction(0))
    assert checker.power(c, n, None) == c**n and checker.geometric(c, stride, n, None) == total
    for interval, truth in (
        (checker.power(c, n, BITS), c**n),
        (checker.geometric(c, stride, n, BITS), total),
    ):
        assert ends(interval)[0] <= truth <= ends(interval)[1]
        if c >= 0:
            assert encloses_tightly(interval, truth, BITS - 12)
