"""Enclosures: outward, sharp, at a precision that is put back; an open question never turns into an answer."""

from __future__ import annotations

from fractions import Fraction as F
from itertools import pairwise

import pytest
from flint import ctx
from hypothesis import example, given
from hypothesis import strategies as st

from accountant import Enclosure, Indeterminate, TheoremError, apply, derive, derive_epsilon, enclose, enclose_all
from accountant.core.arithmetic import Ball, Exact
from accountant.core.arithmetic.balls import precision
from accountant.core.enclose import MAX_PRECISION, MIN_PRECISION
from accountant.core.kernel import THEOREMS, evaluate, theorem
from accountant.core.quantities import GaussianDP, Wasserstein
from accountant.pnsgd.derive import derive_renyi, derive_timeline
from tests.accountant import cases
from tests.accountant.cases import FACTS, closed, mu_squared, run, taut


@pytest.fixture
def scratch():
    """Register theorems for one test only."""
    before = dict(THEOREMS)
    yield theorem
    THEOREMS.clear()
    THEOREMS.update(before)


# A tie behind an epoch that forgets everything (c = 0), and one that does not: no precision decides it, fractions do.
_FORGETS = cases.Stage(1, 1, 1, F(1, 2), F(1, 4), F(2), F(2), F(0), ())
_FORGETS_LITTLE = cases.Stage(1, 1, 1, F(1, 2), F(1, 4), F(4, 3), F(2), F(0), ())
_TIE = cases.Stage(3, 2, 1, F(1, 3), F(1, 4), F(0), F(3), F(3, 4), ((0, 1), (1, 1)))


@example([_FORGETS, _FORGETS, _TIE], F(0))
@example([_FORGETS, _FORGETS_LITTLE, _TIE], F(0))
@given(cases.stages(quiet=False), cases.STARTS)
def test_the_exact_value_lies_inside(stages, start) -> None:
    pair = taut(stages, start)
    found, square = enclose(pair), mu_squared(pair)
    assert found.lower**2 <= square <= found.upper**2
    assert found.sharp and (square == 0) == (found.upper == 0)


def test_a_rational_bound_is_enclosed_by_its_value() -> None:
    timeline = derive_timeline(run(initial_distance=2))
    distance = apply(THEOREMS["T1"], timeline, phases=1)
    value = evaluate(distance, Exact()).distance
    found = enclose(distance)
    assert found.lower <= value <= found.upper


def test_enclosures_of_several_numbers_and_of_none() -> None:
    curve = derive_renyi(derive(run()))
    assert len(enclose_all(curve)) == 10
    with pytest.raises(ValueError, match="too many values"):
        enclose(curve)
    with pytest.raises(TypeError, match="Timeline is not a bound that can be enclosed"):
        enclose(derive_timeline(run()))


@given(st.fractions(F(1, 10**9), 10**6), st.fractions(0, F(1, 10**6)), st.integers(3, 15))
def test_printed_decimals_are_outside(lower, width, digits) -> None:
    found = Enclosure(lower, lower + width)
    assert F(found.lower_decimal(digits)) < found.lower and F(found.upper_decimal(digits)) > found.upper


def test_zero_is_printed_as_zero() -> None:
    zero = Enclosure(F(0), F(0))
    assert zero.upper_decimal() == zero.lower_decimal() == "0" and zero.sharp
    assert Enclosure(F(-1, 3), F(1)).lower_decimal() == "0"
    assert not Enclosure(F(1), F(1) + F(1, 2**49)).sharp and Enclosure(F(1), F(1) + F(1, 2**51)).sharp


def test_precision_is_put_back() -> None:
    ctx.prec = 77
    try:
        enclose(derive_epsilon(derive(run()), "1e-5"))
        assert ctx.prec == 77
        with pytest.raises(TypeError):
            enclose(derive_timeline(run()))
        assert ctx.prec == 77
        with pytest.raises(RuntimeError), precision(500):
            assert ctx.prec == 500
            raise RuntimeError
        assert ctx.prec == 77
    finally:
        ctx.prec = 53


def test_results_do_not_depend_on_the_precision_around() -> None:
    first = enclose(derive_epsilon(derive(run()), "1e-5"))
    ctx.prec = 20
    try:
        assert enclose(derive_epsilon(derive(run()), "1e-5")) == first
    finally:
        ctx.prec = 53


def test_more_precision_decides_what_less_cannot(scratch) -> None:
    """δ(0) agrees with the target in 60 decimals: at 128 bits open, later decided."""

    @scratch("X1", concludes=GaussianDP, facts=FACTS, source="test", oracle="here")
    def nearly(A, *, gap: int) -> GaussianDP:
        """Needs √2·√2 + 2^-gap > 2."""
        root = A.sqrt(A.of(2))
        answer = A.at_least(A.of(2), root * root + A.of(F(1, 2**gap)))
        A.require(None if answer is None else not answer, "a gap")
        return GaussianDP(A.of(1))

    assert apply(nearly, gap=30).decided
    later = apply(nearly, gap=1000)
    assert not later.decided  # open at working precision: no verdict yet, and no refusal
    assert enclose(later) == Enclosure(F(1), F(1))
    with pytest.raises(Indeterminate, match=r"nearly \(X1\): a gap"):
        enclose(apply(nearly, gap=10**5))
    assert ctx.prec == 53


def test_what_follows_from_an_open_condition_stays_open(scratch) -> None:
    @scratch("X2", concludes=GaussianDP, facts=FACTS, source="test", oracle="here")
    def never(A) -> GaussianDP:
        """Needs √2·√2 ≥ 2, which balls cannot decide."""
        A.require(A.at_least(A.sqrt(A.of(2)) ** 2, A.of(2)), "√2·√2 ≥ 2")
        return GaussianDP(A.of(0))

    pair = apply(never)
    epsilon = derive_epsilon(pair, F(1, 2))
    assert not pair.decided and not epsilon.decided
    with pytest.raises(Indeterminate):
        enclose(epsilon)


def test_a_number_without_bound_is_indeterminate(scratch) -> None:
    @scratch("X3", concludes=Wasserstein, facts=FACTS, source="test", oracle="here")
    def infinite(A) -> Wasserstein:
        """1/0."""
        return Wasserstein(A.of(1) / A.of(0))

    with pytest.raises(Indeterminate, match="no finite value"):
        enclose(apply(infinite))


def test_a_condition_that_fails_only_at_high_precision_is_an_error(scratch) -> None:
    @scratch("X4", concludes=GaussianDP, facts=FACTS, source="test", oracle="here")
    def false(A) -> GaussianDP:
        """Needs √2·√2 ≥ 2 + 2^-600, which is false."""
        A.require(A.at_least(A.sqrt(A.of(2)) ** 2, A.of(2) + A.of(F(1, 2**600))), "a lie")
        return GaussianDP(A.of(0))

    made = apply(false)
    assert not made.decided
    with pytest.raises(TheoremError, match=r"false \(X4\): needs a lie"):
        enclose(made)


def test_enclosures_are_nested_or_overlap_as_precision_grows() -> None:
    d = derive_epsilon(derive(run(4, 3, epochs=50, unlearning_epochs=2)), "1e-7")
    known = []
    bits = MIN_PRECISION
    while bits <= MAX_PRECISION // 4:
        with precision(bits):
            ball = evaluate(d, Ball()).epsilon
            known.append((ball.lower(), ball.upper()))
        bits *= 2
    widths = [float((high - low).upper()) for low, high in known]
    assert widths == sorted(widths, reverse=True)
    for (a, b), (low, high) in pairwise(known):
        assert a <= high and low <= b


def test_a_cached_premise_changes_nothing() -> None:
    """ε at many δ from one derivation of μ, in any order, equals ε from a fresh one."""
    pair = derive(run())
    deltas = ("1e-3", "1e-9", "0.2")
    for delta in (*deltas, *reversed(deltas)):
        assert enclose(derive_epsilon(pair, delta)) == enclose(derive_epsilon(derive(run()), delta))


def test_a_billion_epochs_are_enclosed_without_loops() -> None:
    long = closed(F(9, 10), F(1), F(1), 7, 3, 10**9, 10**9)
    assert 0 < enclose(long).upper < F(1, 10**400)
    assert (enclose(long).upper_decimal(), enclose(long).lower_decimal(), enclose(long).sharp) == ("1e-400", "0", True)
    assert enclose(closed(F(9, 10), F(1), F(1), 7, 3, 10**9, 1)).sharp
