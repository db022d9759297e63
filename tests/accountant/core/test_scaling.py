"""The four scaling maps: one body in four arithmetics, the sensitivity, the symbolic facts, momentum."""

from __future__ import annotations

from fractions import Fraction as F
from itertools import pairwise

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from accountant import InvalidLoss, TheoremError, apply, evaluate, theorems
from accountant.core.arithmetic import Ball, Exact, Float, Symbol
from accountant.core.arithmetic.balls import ends
from accountant.core.scaling import (
    KINDS,
    AutoS,
    Clip,
    InvalidScaling,
    Psac,
    Psasc,
    momentum_weights,
    steepest_log_slope,
    steepest_slope,
)
from accountant.dpsgd.sensitivity import derive_sensitivity
from accountant.explain.scaling_facts import X, describe
from tests.multiprecision import big
from tests.oracles import scaling as oracle

amount = st.fractions(F(1, 100), 20, max_denominator=100)
norms = st.one_of(st.just(F(0)), st.fractions(0, 50, max_denominator=1000))
small = st.fractions(F(1, 10**6), F(1, 10), max_denominator=10**6)
maps = st.one_of(
    st.builds(Clip, amount),
    st.builds(AutoS, amount, st.one_of(amount, small)),
    st.builds(Psac, amount, st.one_of(amount, small)),
    st.builds(Psasc, amount, st.one_of(amount, small), st.one_of(amount, small)),
)
EXAMPLES = [
    Clip("0.5"),
    AutoS(2, "0.01"),
    Psac("0.7", "0.01"),
    Psac(1, 3),
    Psasc(1, "0.01", 1),
    Psasc("1.5", "0.2", "0.3"),
    Psasc(2, 1, 1),
    Psasc(3, 2, 4),
    Psasc("0.1", "0.0001", "0.001"),
]


def map_arguments(scaling) -> tuple:
    """(kind, C, r, s) for the oracle, in its own numbers."""
    kind, *values = scaling.arguments().values()
    return kind, *(None if v is None else mpf(v.numerator) / v.denominator for v in values)


# --- one body, four arithmetics ---------------------------------------------------------------------------------------


@given(maps, norms)
def test_the_arithmetics_agree_with_the_definition(scaling, x) -> None:
    kind, c, r, s = scaling.arguments().values()
    for method, defined in (("weight", oracle.weight), ("scaled_norm", oracle.scaled)):
        truth = defined(kind, x, c, r, s)  # exact: fractions into the papers' formula
        made = getattr(scaling, method)
        assert made(Exact(), x) == truth
        low, high = ends(made(Ball(), Ball().of(x)))
        assert low <= truth <= high and high - low <= truth / 10**12
        assert made(Float(), float(x)) == pytest.approx(float(truth), rel=1e-12)
        exact = sympy.Rational(x.numerator, x.denominator)
        assert made(Symbol(), exact) == sympy.Rational(truth.numerator, truth.denominator)


@given(maps)
def test_floats_take_arrays(scaling) -> None:
    x = np.array([0.0, 0.3, 2.0, 40.0])
    assert scaling.weight(Float(), x) == pytest.approx([scaling.weight(Float(), float(v)) for v in x], rel=1e-14)


@given(maps, norms, norms)
def test_the_scaled_norm_never_falls_and_stays_below_the_sensitivity(scaling, x, y) -> None:
    """In fractions, without tolerance; beyond the clip strictly, and at a known bound attained."""
    x, y = min(x, y), max(x, y)
    low, high = scaling.scaled_norm(Exact(), x), scaling.scaled_norm(Exact(), y)
    sensitivity = evaluate(derive_sensitivity(scaling), Exact())
    assert (low < high) if x < y and (scaling.kind != "clip" or x < scaling.max_grad_norm) else (low == high)
    assert (high <= sensitivity.norm) if sensitivity.attained else (high < sensitivity.norm)
    if y > 0:
        known = evaluate(derive_sensitivity(scaling, y), Exact())
        assert known.norm == high and known.attained


@given(maps, norms, norms)
def test_slopes_stay_below_the_steepest(scaling, x, y) -> None:
    """Every chord of φ, in fractions: never steeper than sup φ′, which T16 multiplies smoothness by."""
    steepest = steepest_slope(Exact(), scaling.kind, *scaling.numbers(Exact()))
    rise = abs(scaling.scaled_norm(Exact(), x) - scaling.scaled_norm(Exact(), y))
    assert rise <= steepest * abs(x - y)


@given(maps, norms, st.fractions(F(1), 3, max_denominator=200))
def test_log_slopes_stay_below_their_bound(scaling, x, factor) -> None:
    """φ(tx) − φ(x) ≤ (t − 1)·sup aφ′(a): a chord over x to tx, log t ≤ t − 1."""
    kind, c, _, s = scaling.arguments().values()
    rise = scaling.scaled_norm(Exact(), factor * x) - scaling.scaled_norm(Exact(), x)
    assert rise <= (factor - 1) * steepest_log_slope(Exact(), kind, c, s)


@pytest.mark.parametrize("scaling", EXAMPLES, ids=str)
def test_log_slopes_against_the_search(scaling) -> None:
    """Above the searched supremum of x·φ′(x), and by less than an eighth where rs is at most 1/16."""
    kind, c, r, s = scaling.arguments().values()
    with mp.workdps(oracle.DIGITS):
        arguments = map_arguments(scaling)
        _, found = oracle.highest(lambda x: x * oracle.slope(arguments[0], x, *arguments[1:]))
        claimed = big(steepest_log_slope(Exact(), kind, c, s))
        assert found <= claimed * (1 + mpf(10) ** -20)
        close = kind in ("clip", "auto-s")
        if kind == "clip":
            assert found > claimed / 2 * (1 - mpf(10) ** -9)  # at the kink, half of it: the mean of both sides
        elif close or r * (s or 1) <= F(1, 16):
            assert found > claimed * (1 - mpf(10) ** -9 if close else mpf(7) / 8)


@given(maps)
def test_the_steepest_slope_in_fractions_is_just_above_the_ball(scaling) -> None:
    arguments = scaling.kind, *scaling.numbers(Exact())
    exact = steepest_slope(Exact(), *arguments)
    low, high = ends(steepest_slope(Ball(), scaling.kind, *scaling.numbers(Ball())))
    assert low <= exact <= high * (1 + F(1, 10**17))
    assert steepest_slope(Float(), scaling.kind, *scaling.numbers(Float())) == pytest.approx(float(exact), rel=1e-12)
    if scaling.kind in ("psac", "psasc") and scaling.monotone:
        assert exact == scaling.max_grad_norm  # no rounding where the root is 1


@given(maps, norms, norms)
def test_the_weight_never_rises_where_it_is_called_monotone(scaling, x, y) -> None:
    x, y = min(x, y), max(x, y)
    if scaling.monotone:
        assert scaling.weight(Exact(), x) >= scaling.weight(Exact(), y)


@given(maps, st.fractions(F(1, 50), 50, max_denominator=50))
def test_a_change_of_C_changes_the_scale_alone(scaling, factor) -> None:
    if scaling.kind == "clip":
        return
    kind, c, r, s = scaling.arguments().values()
    grown = type(scaling)(**{k: v for k, v in scaling.arguments().items() if k != "kind" and v is not None} | {
        "max_grad_norm": c * factor})  # fmt: skip
    assert grown.scaled_norm(Exact(), F(3, 7)) == factor * scaling.scaled_norm(Exact(), F(3, 7))
    assert steepest_slope(Exact(), kind, c * factor, r, s) == factor * steepest_slope(Exact(), kind, c, r, s)


# --- against the searched suprema -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scaling", EXAMPLES, ids=str)
def test_sensitivity_equals_the_searched_supremum(scaling) -> None:
    with mp.workdps(oracle.DIGITS):
        arguments = map_arguments(scaling)
        _, found = oracle.highest(lambda x: oracle.scaled(arguments[0], x, *arguments[1:]))
        claimed = evaluate(derive_sensitivity(scaling), Exact())
        assert found <= big(claimed.norm) <= found * (1 + mpf(10) ** -12)
        assert (found == big(claimed.norm)) == claimed.attained
        bound = F(37, 10)
        _, found = oracle.highest(
            lambda x: oracle.scaled(arguments[0], x * big(bound), *arguments[1:]), low=-18, high=0
        )
        assert abs(found - big(evaluate(derive_sensitivity(scaling, bound), Exact()).norm)) <= mpf(10) ** -20


@pytest.mark.parametrize("scaling", EXAMPLES, ids=str)
def test_steepest_slope_equals_the_searched_supremum(scaling) -> None:
    with mp.workdps(oracle.DIGITS):
        arguments = map_arguments(scaling)
        _, found = oracle.highest(lambda x: oracle.slope(arguments[0], x, *arguments[1:]))
        claimed = big(steepest_slope(Exact(), scaling.kind, *scaling.numbers(Exact())))
        assert found * (1 - mpf(10) ** -20) <= claimed <= found * (1 + mpf(10) ** -15)


@settings(max_examples=40)
@given(st.builds(Psasc, amount, st.one_of(amount, small), st.one_of(amount, small)))
def test_steepest_slope_at_random(scaling) -> None:
    """Theory's closed form 3√3·C/(√(rs)(4 − rs)^{3/2}), or C for rs ≥ 1, against the search."""
    with mp.workdps(oracle.DIGITS):
        kind, c, r, s = map_arguments(scaling)
        rs = r * s
        formula = c if rs >= 1 else 3 * mp.sqrt(3) * c / (mp.sqrt(rs) * (4 - rs) ** mpf("1.5"))
        _, found = oracle.highest(lambda x: oracle.slope(kind, x, c, r, s))
        claimed = big(steepest_slope(Exact(), scaling.kind, *scaling.numbers(Exact())))
        assert abs(found / formula - 1) < mpf(10) ** -14
        assert formula * (1 - mpf(10) ** -40) <= claimed <= formula * (1 + mpf(10) ** -16)


def test_the_steepest_slope_of_theory() -> None:
    assert float(steepest_slope(Exact(), "psasc", F(1), F(1, 100), F(1))) == pytest.approx(6.519624, abs=1e-6)
    assert steepest_slope(Exact(), "psasc", F(5, 3), F(1, 2), F(2)) == F(5, 3)


@pytest.mark.parametrize("scaling", [m for m in EXAMPLES if not m.monotone], ids=str)
def test_the_weight_peaks_where_it_is_said_to(scaling) -> None:
    with mp.workdps(oracle.DIGITS):
        kind, c, r, s = map_arguments(scaling)
        where, top = oracle.highest(lambda x: oracle.weight(kind, x, c, r, s))
        facts = describe(scaling)
        assert abs(mpf(sympy.N(facts["peak"].value, 50)) / where - 1) < mpf(10) ** -11  # flat at the top
        assert abs(mpf(sympy.N(facts["peak_weight"].value, 50)) / top - 1) < mpf(10) ** -30
        assert top > c  # w(0) = C


# --- the symbolic facts -----------------------------------------------------------------------------------------------

ALWAYS = {
    "weight", "norm", "slope", "weight_slope", "sensitivity", "weight_at_zero", "slope_at_zero", "steepest_slope",
}  # fmt: skip


@pytest.mark.parametrize("scaling", EXAMPLES, ids=str)
def test_every_symbolic_fact_agrees_with_a_numerical_one(scaling) -> None:
    with mp.workdps(oracle.DIGITS):
        facts, (kind, *rest) = describe(scaling), map_arguments(scaling)
        close = mpf(10) ** -20

        def number(name: str, x: mpf | None = None) -> mpf:
            value = facts[name].value
            value = value if x is None else value.subs(X, sympy.Float(x, 60))
            assert not value.free_symbols
            return mpf(sympy.N(value, 50))

        for x in (mpf("0.003"), mpf("0.21"), mpf("0.9"), mpf(7)):
            assert abs(number("weight", x) / oracle.weight(kind, x, *rest) - 1) < mpf(10) ** -40
            assert abs(number("norm", x) / oracle.scaled(kind, x, *rest) - 1) < mpf(10) ** -40
            assert abs(number("slope", x) - oracle.slope(kind, x, *rest)) < close
            h = x * mpf(10) ** -20
            change = (oracle.weight(kind, x + h, *rest) - oracle.weight(kind, x - h, *rest)) / (2 * h)
            assert abs(number("weight_slope", x) - change) < mpf(10) ** -18 * (1 + abs(change))
        far, near = mpf(10) ** 40, mpf(10) ** -40
        assert abs(number("sensitivity") / oracle.scaled(kind, far, *rest) - 1) < mpf(10) ** -30
        assert abs(number("weight_at_zero") / oracle.weight(kind, near, *rest) - 1) < mpf(10) ** -30
        assert abs(number("slope_at_zero") / (oracle.scaled(kind, near, *rest) / near) - 1) < mpf(10) ** -30
        claimed = steepest_slope(Exact(), scaling.kind, *scaling.numbers(Exact()))
        assert abs(number("steepest_slope") / big(claimed) - 1) < mpf(10) ** -16
        names = {fact.name for fact in facts.facts}
        assert names == (ALWAYS if scaling.monotone else ALWAYS | {"inflection", "peak", "peak_weight"})
        if "inflection" in facts:
            top = oracle.slope(kind, number("inflection"), *rest)
            assert abs(top / number("steepest_slope") - 1) < close


@pytest.mark.parametrize("kind", KINDS)
def test_descriptions_are_printed(kind: str) -> None:
    facts = describe(next(m for m in EXAMPLES if m.kind == kind))
    assert facts.kind == kind and facts.attained == (kind == "clip")
    assert len(facts.text.splitlines()) == len(facts.facts)
    assert facts.latex.count("&=") == len(facts.facts) and r"\phi" in facts.latex
    assert all(set(dict(fact.values)) <= {*sympy.symbols("C r s", positive=True)} for fact in facts.facts)


def test_the_facts_in_symbols() -> None:
    c, r, s = sympy.symbols("C r s", positive=True)
    facts = describe(Psasc(1, "0.01", 1))
    assert facts["sensitivity"].right == c / s and facts["weight_at_zero"].right == c
    assert sympy.simplify(facts["peak"].right - (sympy.sqrt(r / s) - r)) == 0
    assert sympy.simplify(facts["peak_weight"].right - c / (2 * sympy.sqrt(r * s) - r * s)) == 0
    squared = facts["steepest_slope"].right ** 2
    assert sympy.simplify(squared - 27 * c**2 / (r * s * (4 - r * s) ** 3)) == 0
    assert describe(AutoS(1, 1))["steepest_slope"].right == c / r


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: Clip(0), "max_grad_norm"),
        (lambda: AutoS(1, 0), "r"),
        (lambda: Psac(-1, 1), "max_grad_norm"),
        (lambda: Psasc(1, 1, "-0.1"), "s"),
    ],
)
def test_impossible_parameters_are_refused_by_name(make, key: str) -> None:
    with pytest.raises(InvalidScaling, match=rf"^{key}: .* must be positive") as refusal:
        make()
    assert refusal.value.key == key and not isinstance(refusal.value, InvalidLoss)


def test_floats_are_refused() -> None:
    with pytest.raises(TypeError, match="max_grad_norm: a float is not exact"):
        Clip(0.5)
    with pytest.raises(TypeError, match="gradient_norm_bound: a float is not exact"):
        derive_sensitivity(Clip(1), 0.5)
    with pytest.raises(TheoremError, match=r"bounded_sensitivity \(T14g\): needs 0 < G, got 0"):
        derive_sensitivity(Clip(1), 0)


def test_a_known_bound_is_an_assumption_and_no_bound_is_none() -> None:
    assert derive_sensitivity(Psac(1, 1)).assumptions == frozenset()
    assert derive_sensitivity(Psac(1, 1), 2).assumptions == {"gradient_bound"}


# --- momentum ---------------------------------------------------------------------------------------------------------


def with_momentum(placement: str, beta: F, window: int | None, **changes) -> F:
    map_arguments = {"iterates": "released", "history": "own", "charged": "every-aggregate"} | changes
    made = apply(
        theorems.momentum,
        derive_sensitivity(Psasc(2, 1, 4), 3),
        placement=placement,
        beta=beta,
        window=window,
        **map_arguments,
    )
    return evaluate(made, Exact()).norm


def test_momentum_leaves_the_sensitivity_alone() -> None:
    plain = evaluate(derive_sensitivity(Psasc(2, 1, 4), 3), Exact()).norm
    assert with_momentum("none", F(0), None) == with_momentum("outer", F(9, 10), None) == plain
    assert with_momentum("inner", F(9, 10), 5) == with_momentum("inner", F(0), 1) == plain
    assert with_momentum("none", F(0), None, charged="final-model", iterates="hidden") == plain
    for placement, window in (("outer", None), ("inner", 5)):
        with pytest.raises(TheoremError, match="charged"):
            with_momentum(placement, F(9, 10), window, charged="final-model")


@given(st.fractions(0, F(99, 100), max_denominator=100), st.integers(1, 8))
def test_momentum_weights_add_up_to_one_and_fade(beta, window) -> None:
    weights = momentum_weights(Exact(), beta, window)
    assert len(weights) == window and sum(weights) == 1 and min(weights) >= 0
    assert all(later == beta * earlier for earlier, later in pairwise(weights))


@given(maps, st.fractions(0, F(99, 100), max_denominator=100), st.integers(1, 6), st.integers(0, 10**6))
def test_inner_momentum_keeps_the_sensitivity(scaling, beta, window, seed) -> None:
    """A record's averaged past gradients, then scaled: no longer than φ(G) for gradients up to G, and Δ for any."""
    rng = np.random.default_rng(seed)
    bound = F(5, 2)
    known, any_ = (float(evaluate(derive_sensitivity(scaling, g), Exact()).norm) for g in (bound, None))
    for length, limit in ((float(bound), known), (1e6, any_)):
        gradients = rng.normal(size=(window, 3))
        gradients *= length / np.linalg.norm(gradients, axis=1, keepdims=True)
        if rng.random() < 0.3:
            gradients[:] = gradients[0]  # all alike: the longest average
        average = np.array([float(w) for w in momentum_weights(Exact(), beta, window)]) @ gradients
        norm = float(np.linalg.norm(average))
        assert norm * float(scaling.weight(Float(), norm)) <= limit * (1 + 1e-12)


def test_without_the_norming_the_known_bound_would_not_hold() -> None:
    """Σ β^j in place of Σ β̂_j = 1: why the weights are divided by their sum."""
    scaling, g = Psasc(1, 1, 1), F(1)
    plain = evaluate(derive_sensitivity(scaling, g), Exact()).norm
    assert scaling.scaled_norm(Exact(), g * sum(F(9, 10) ** j for j in range(5))) > plain


def test_heavy_ball_is_no_contraction() -> None:
    """Why hidden iterates refuse momentum: one shift of 1 on a flat loss, then equal steps, and the runs still part."""
    beta, apart, speed, seen = F(9, 10), F(0), F(0), []
    for shift in (1, 0, 0):
        speed = beta * speed + shift
        apart += speed
        seen.append(apart)
    assert seen == [1, F("1.9"), F("2.71")]
