"""One contract for the four arithmetics: what a body may rely on, and how an open comparison is answered."""

from __future__ import annotations

import math
from fractions import Fraction as F

import numpy as np
import pytest
import sympy
from flint import arb, ctx
from hypothesis import assume, given
from hypothesis import strategies as st
from mpmath import mp, mpf

from accountant.core.arithmetic import Ball, ConditionViolated, Exact, Float, Symbol, Undecided
from accountant.core.arithmetic.balls import ends, normal_cdf, precision, to_fraction
from accountant.core.arithmetic.symbols import Count
from accountant.theorems.conditions import below, inside_unit

rational = st.fractions(-20, 20, max_denominator=60)
base = st.fractions(-2, 2, max_denominator=12)


def agrees(A, found, expected: F) -> bool:
    if isinstance(A, Exact):
        return found == expected
    if isinstance(A, Float):
        return float(found) == pytest.approx(float(expected), rel=1e-12, abs=1e-12)
    low, high = ends(found)
    return low <= expected <= high and high - low <= F(1, 10**12) * (1 + abs(expected))


NUMERIC = [Exact(), Float(), Ball()]


@pytest.mark.parametrize("A", NUMERIC, ids=lambda A: type(A).__name__)
class TestContract:
    @given(x=rational, y=rational)
    def test_order(self, A, x, y) -> None:
        a, b = A.of(x), A.of(y)
        assert agrees(A, A.maximum(a, b), max(x, y)) and agrees(A, A.minimum(a, b), min(x, y))
        assert agrees(A, A.absolute(a), abs(x))
        if x == y and isinstance(A, Ball):
            assert A.at_least(a, b) in (True, None)  # a third has no end
            return
        assert A.at_least(a, b) is (x >= y)
        assert agrees(A, A.where_at_least(a, b, A.of(1), A.of(2)), F(1) if x >= y else F(2))

    @given(x=base, n=st.integers(0, 60))
    def test_geometric_sums(self, A, x, n) -> None:
        total = sum((x**i for i in range(n)), F(0))
        if isinstance(A, Float):
            assume(abs(x) <= 1 or n < 30)
        assert agrees(A, A.geometric(A.of(x), n), total)
        assert agrees(A, A.power(A.of(x), n), x**n)

    @given(x=rational)
    def test_roots(self, A, x) -> None:
        assert agrees(A, A.sqrt(A.of(x * x)), abs(x))

    def test_require(self, A) -> None:
        A.require(True, "fine")
        with pytest.raises(ConditionViolated, match="needs x ≥ 0, got -1") as refusal:
            A.require(False, "x ≥ 0", -1)
        assert (refusal.value.condition, refusal.value.value) == ("x ≥ 0", -1)
        with pytest.raises(Undecided, match="x ≥ 0"):
            A.require(None, "x ≥ 0", -1)

    def test_strict_comparisons(self, A) -> None:
        assert below(A, A.of(1), A.of(2)) is True and below(A, A.of(2), A.of(1)) is False
        assert below(A, A.of(1), A.of(1)) is False
        assert inside_unit(A, A.of(F(1, 2))) is True
        assert inside_unit(A, A.of(0)) is False and inside_unit(A, A.of(1)) is False


def test_geometric_sums_near_one_in_doubles() -> None:
    for x, n in ((1 - 1e-12, 10**6), (1 + 1e-12, 10**6), (1 - 2**-53, 10**9), (1.0, 10**9), (0.0, 5), (-0.5, 7)):
        with mp.workdps(60):
            exact = n if x == 1 else (1 - mpf(x) ** n) / (1 - mpf(x))
        assert float(Float().geometric(x, n)) == pytest.approx(float(exact), rel=1e-9)
    assert Float().geometric(0.5, 0) == 0 and Float().geometric(0.5, 2) == 1.5


def test_doubles_are_vectorised() -> None:
    x = np.array([0.0, 0.5, 1.0, 0.999999])
    for n in (0, 1, 2, 3, 1000):
        table = Float().geometric(x, n)
        for a, b in zip(x, np.broadcast_to(table, x.shape), strict=True):
            assert b == pytest.approx(float(Float().geometric(float(a), n)), rel=1e-9)
    assert list(Float().where_at_least(x, 0.5, 1, 2)) == [2, 1, 1, 1]


def test_doubles_refuse_only_what_is_clearly_wrong() -> None:
    assert Float().at_least(1.0, 1.0 + 1e-12) is True and Float().at_least(1.0, 1.001) is False


def test_exact_refuses_what_is_irrational() -> None:
    A = Exact()
    assert A.sqrt(F(9, 4)) == F(3, 2)
    for attempt in (
        lambda: A.sqrt(F(2)),
        lambda: A.log(F(2)),
        lambda: A.gaussian_delta(F(1), F(1)),
        lambda: A.gaussian_epsilon(F(1), F(1, 2)),
    ):
        with pytest.raises(ArithmeticError):
            attempt()


# --- balls ------------------------------------------------------------------------------------------------------------


@given(rational, rational)
def test_balls_enclose_the_field_operations(x, y) -> None:
    A = Ball()
    for op in (F.__add__, F.__sub__, F.__mul__):
        assert agrees(A, op_on(op, A.of(x), A.of(y)), op(x, y))
    if y:
        assert agrees(A, A.of(x) / A.of(y), x / y)


def op_on(op, a, b):
    return {"__add__": a + b, "__sub__": a - b, "__mul__": a * b}[op.__name__]


def test_an_open_comparison_is_no_answer() -> None:
    A, wide = Ball(), arb("1 +/- 0.5")
    assert A.at_least(wide, arb(1)) is None and A.at_least(arb(1), wide) is None
    assert A.at_least(wide, arb("0.25")) is True and A.at_least(wide, arb(2)) is False
    assert below(A, wide, arb(1)) is None and inside_unit(A, wide) is None
    both = A.where_at_least(wide, arb(1), arb(5), arb(7))
    assert both.contains(arb(5)) and both.contains(arb(7))
    with pytest.raises(Undecided):
        A.require(A.at_least(wide, arb(1)), "c ≥ 1")


def test_a_third_equals_a_third_only_in_fractions() -> None:
    third = Ball().of(F(1, 3))
    assert Ball().at_least(third, third) is None and Exact().at_least(F(1, 3), F(1, 3)) is True


def test_ends_are_exact_and_outside() -> None:
    for value in (F(1, 3), F(-22, 7), F(1, 10**30)):
        low, high = ends(Ball().of(value))
        assert low <= value <= high and low != high
    assert ends(arb(3)) == (3, 3) and to_fraction(arb("0.375")) == F(3, 8)
    assert ends(arb("inf")) is None and ends(arb("nan")) is None


def test_ends_next_to_zero_stay_small() -> None:
    """2^(-10^12) as a fraction would need a terabit: the end moves outward instead."""
    for exponent in (20_001, 10**12):
        low, high = ends(arb(2) ** -exponent)
        assert low == 0 and F(1, 2**20_000) == high
        low, high = ends(-(arb(2) ** -exponent))
        assert high == 0 and F(-1, 2**20_000) == low
    assert ends(arb(2) ** -19_999) == (F(1, 2**19_999),) * 2 and ends(arb(0)) == (0, 0)


def test_the_normal_tail_keeps_its_digits() -> None:
    with mp.workdps(60), precision(128):
        for x in ("-40", "-8", "-0.1", "0", "2.5"):
            expected = mp.erfc(-mpf(x) / mp.sqrt(2)) / 2
            low, high = ends(normal_cdf(Ball().of(F(x))))
            assert mpf(low.numerator) / low.denominator <= expected <= mpf(high.numerator) / high.denominator
            assert (high - low) / high < F(1, 10**30)


def test_balls_of_a_wrong_mu_are_undecided() -> None:
    for mu in (arb("nan"), arb("inf"), arb("0 +/- inf"), arb(-1)):
        with pytest.raises(Undecided):
            Ball().gaussian_epsilon(mu, arb("0.01"))
    assert Ball().gaussian_epsilon(arb(0), arb("0.01")) == 0


def test_a_ball_of_mu_around_zero_gives_everything_from_zero_on() -> None:
    """Its upper end counts; what rounding has put below zero does not."""
    low, high = ends(Ball().gaussian_epsilon(arb("0 +/- 1"), arb("0.01")))
    assert low <= 0 < ends(Ball().gaussian_epsilon(arb(1), arb("0.01")))[0] <= high


def test_epsilon_gets_sharper_with_the_precision_and_stays_nested() -> None:
    widths, previous = [], None
    for bits in (64, 128, 256, 1024):
        with precision(bits):
            low, high = ends(Ball().gaussian_epsilon(Ball().of(F(1, 3)), Ball().of(F(1, 10**6))))
        widths.append(high - low)
        assert previous is None or (low <= previous[1] and previous[0] <= high)
        previous = (low, high)
    assert widths == sorted(widths, reverse=True) and widths[-1] < F(1, 2**900)
    assert ctx.prec == 53


# --- symbols ----------------------------------------------------------------------------------------------------------


def test_symbols_collect_conditions_and_print_formulas() -> None:
    A, x, n = Symbol(), *sympy.symbols("x n", positive=True)
    count = Count(7, n)  # 7 wherever numbers decide, n in the formula
    A.require(A.at_least(x, A.of(1)), "1 ≤ x")
    A.require(None, "1 ≤ x")
    assert A.conditions == ["1 ≤ x"] and A.at_least(x, x) is None
    assert A.of(F(1, 3)) == sympy.Rational(1, 3) and A.of(x) is x
    assert A.geometric(x, count) == (1 - x**n) / (1 - x) and A.power(x, 2 * count - 1) == x ** (2 * n - 1)
    assert A.geometric(x, 0) == 0 and A.geometric(x, 1) == 1
    assert A.maximum(x, x + 1) == x + 1 and A.minimum(x, x + 1) == x and A.absolute(x) == x
    assert A.sqrt(x**2) == x and A.log(sympy.E) == 1
    piece = A.where_at_least(x, A.of(2), A.of(5), A.of(7))
    assert piece.subs(x, 3) == 5 and piece.subs(x, 1) == 7


def test_the_symbolic_profile_is_the_numeric_one() -> None:
    mu, eps = sympy.symbols("mu epsilon", positive=True)
    phi = sympy.Function("Phi")
    formula = Symbol().gaussian_delta(mu, eps).replace(phi, lambda x: (1 + sympy.erf(x / sympy.sqrt(2))) / 2)
    value = float(formula.subs({mu: 1.5, eps: 0.7}))
    assert float(Float().gaussian_delta(1.5, 0.7)) == pytest.approx(value, rel=1e-12)
    assert math.isclose(float(Ball().gaussian_delta(arb("1.5"), arb("0.7")).mid()), value, rel_tol=1e-12)
