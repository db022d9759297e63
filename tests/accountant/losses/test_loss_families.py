"""L2 to L6: constants derived symbolically, attacked by a numerical adversary, and what each loss refuses."""

from __future__ import annotations

from fractions import Fraction as F

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from accountant import (
    HuberLoss,
    InvalidLoss,
    InvalidMechanism,
    LeastSquaresLoss,
    PoissonLoss,
    SmoothedHingeLoss,
    SoftmaxLoss,
    apply,
    derive,
    enclose,
    evaluate,
)
from accountant.core.arithmetic import Exact, Float, Symbol
from accountant.core.rounding import DIGITS, exp_above, sqrt_above
from accountant.explain import explain
from tests.accountant.cases import run
from tests.oracles import loss_families as oracle

amount = st.fractions(F(1, 50), 5, max_denominator=50)

# name -> (loss, the oracle's family, how close to the claimed bound and slope a search gets)
CASES = {
    "least_squares_ball": (LeastSquaresLoss("0.1", "0.5", 1, None, 2), oracle.least_squares(0.5), 0.98, 0.98),
    "least_squares_clip": (LeastSquaresLoss("0.1", "0.5", "1.5", "0.4"), oracle.least_squares(0.5), 0.98, 0.98),
    "least_squares_both": (LeastSquaresLoss("0.1", 1, 1, "2.5", 3), oracle.least_squares(1), 0.98, 0.98),
    "huber": (HuberLoss("0.1", "0.5", 2), oracle.huber(0.5), 0.98, 0.98),
    "huber_clip": (HuberLoss("0.1", "0.5", 2, "0.25"), oracle.huber(0.5), 0.98, 0.98),
    "smoothed_hinge": (SmoothedHingeLoss("0.1", "0.5"), oracle.smoothed_hinge(0.5), 0.98, 0.98),
    "smoothed_hinge_clip": (SmoothedHingeLoss("0.01", 2, 2, "0.7"), oracle.smoothed_hinge(2), 0.98, 0.98),
    "poisson_ball": (PoissonLoss("0.1", 2, 1, None, 1), oracle.poisson(2), 0.98, 0.95),
    "poisson_ball_of_large_counts": (PoissonLoss("0.1", 9, 1, None, "0.5"), oracle.poisson(9), 0.98, 0.95),
    "poisson_clip": (PoissonLoss("0.1", 3, 1, "0.5"), oracle.poisson(3), 0.98, 0.95),
    "poisson_both": (PoissonLoss("0.1", 3, "0.5", 1, 5), oracle.poisson(3), 0.98, 0.95),
    "softmax_two_classes": (SoftmaxLoss("0.1", 2), oracle.softmax(2), 0.95, 0.95),
    "softmax_three_classes": (SoftmaxLoss("0.1", 3, 2), oracle.softmax(3), 0.9, 0.7),
}


def attacked(name: str, **changes):
    loss, family, _, _ = CASES[name]
    found = loss.constants()
    claims = {
        "clip": None if loss.clip is None else float(loss.clip),
        "radius": None if getattr(loss, "radius", None) is None else float(loss.radius),
        "step_size": 1.5 / float(found.smoothness),
        "claimed_curvature": float(found.smoothness - found.strong_convexity),
        "claimed_bound": float(found.gradient_bound),
    }
    return oracle.attack(
        family, float(loss.feature_norm), regularization=float(loss.regularization), **claims | changes
    )


@pytest.mark.parametrize("name", CASES)
def test_constants_resist_an_adversary(name: str) -> None:
    """An optimiser looks for gradients, slopes, steps and shifts beyond what L, m, M allow, and comes close."""
    found, (_, _, gradient, slope) = attacked(name, tries=100, rounds=2), CASES[name]
    assert not found.refutes(), found
    assert found.gradient > gradient and found.lipschitz > slope, found


@pytest.mark.parametrize("name", CASES)
def test_the_adversary_refutes_smaller_constants(name: str) -> None:
    loss = CASES[name][0].constants()
    least = {
        "claimed_curvature": 0.6 * float(loss.smoothness - loss.strong_convexity),
        "claimed_bound": 0.6 * float(loss.gradient_bound),
    }
    found = attacked(name, tries=60, rounds=2, **least)
    assert found.lipschitz > 1 and found.gradient > 1, found


def test_an_active_clip_breaks_the_convexity_of_softmax() -> None:
    """Why L6 says that it is not convex: the clipped gradient is not monotone."""
    found = attacked("softmax_three_classes", clip=0.3, tries=40, rounds=1)
    assert found.monotone < -1e-4, found


@pytest.mark.parametrize("name", CASES)
def test_the_oracles_gradients_are_those_of_its_losses(name: str) -> None:
    family, rng = CASES[name][1], np.random.default_rng(1)
    for _ in range(20):
        theta, x, y = rng.normal(size=2 * family.rows), rng.normal(size=2), family.label(float(rng.normal()))
        step, g = 1e-6, family.gradient(theta, x, y)
        for i, unit in enumerate(np.eye(theta.size)):
            slope = (family.value(theta + step * unit, x, y) - family.value(theta - step * unit, x, y)) / (2 * step)
            assert slope == pytest.approx(g[i], abs=1e-5)


# --- derived symbolically ---------------------------------------------------------------------------------------------

z, y = sympy.symbols("z y", real=True)
kappa, gamma = sympy.symbols("kappa gamma", positive=True)


def test_scalar_losses_by_differentiation() -> None:
    """First and second derivatives in z of each piece; the pieces meet with equal value and slope."""
    assert sympy.diff((z - y) ** 2 / 2, z, 2) == 1
    inner, outer = z**2 / 2, kappa * z - kappa**2 / 2
    for order in (0, 1):
        assert sympy.simplify((sympy.diff(inner, z, order) - sympy.diff(outer, z, order)).subs(z, kappa)) == 0
    assert (sympy.diff(inner, z, 2), sympy.diff(outer, z), sympy.diff(outer, z, 2)) == (1, kappa, 0)
    bend, line = (1 - z) ** 2 / (2 * gamma), 1 - z - gamma / 2
    for order in (0, 1):
        assert sympy.simplify((sympy.diff(bend, z, order) - sympy.diff(line, z, order)).subs(z, 1 - gamma)) == 0
        assert sympy.diff(bend, z, order).subs(z, 1) == 0
    assert (sympy.diff(bend, z, 2), sympy.diff(line, z)) == (1 / gamma, -1)
    poisson = sympy.exp(z) - y * z
    assert sympy.diff(poisson, z, 2) == sympy.exp(z)
    # where e^z − y = C/|x|, the slope of the clipped gradient is |x|²·e^z = |x|²·y + |x|·C
    norm, clip = sympy.symbols("x C", positive=True)
    (edge,) = sympy.solve(sympy.diff(poisson, z) - clip / norm, sympy.exp(z))
    assert sympy.expand(norm**2 * edge - (norm**2 * y + norm * clip)) == 0


def test_softmax_by_differentiation() -> None:
    """Gradient p − e_y and Hessian diag p − pp' of the data loss in the scores; |p − e_y|² ≤ 2(1 − p_y)²."""
    scores = sympy.symbols("s0:3", real=True)
    total = sum(map(sympy.exp, scores))
    p = [sympy.exp(s) / total for s in scores]
    loss = sympy.log(total) - scores[0]
    for i in range(3):
        assert sympy.simplify(sympy.diff(loss, scores[i]) - (p[i] - int(i == 0))) == 0
        for j in range(3):
            assert sympy.simplify(sympy.diff(loss, scores[i], scores[j]) - (int(i == j) * p[i] - p[i] * p[j])) == 0
    a, b = sympy.symbols("a b", positive=True)  # p_1, p_2; p_0 = 1 − a − b is the label's
    assert sympy.expand(2 * (a + b) ** 2 - ((a + b) ** 2 + a**2 + b**2)) == 2 * a * b


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(-30, 30)), min_size=2, max_size=6))
def test_variance_of_the_classes_is_at_most_half_the_square(pairs) -> None:
    """v'(diag p − pp')v ≤ |v|²/2, in exact rationals."""
    total = sum(weight for weight, _ in pairs) or 1
    p, v = [F(weight, total) for weight, _ in pairs], [F(value) for _, value in pairs]
    mean = sum(a * b for a, b in zip(p, v, strict=True))
    assert sum(a * b * b for a, b in zip(p, v, strict=True)) - mean**2 <= sum(b * b for b in v) / 2


@given(amount, amount, amount, st.one_of(st.none(), amount))
def test_constants_are_the_formulas(m, norm, other, clip) -> None:
    def least(bound):
        return bound if clip is None else min(clip, bound)

    made = HuberLoss(m, other, norm, clip).constants()
    assert (made.smoothness, made.strong_convexity, made.gradient_bound) == (m + norm**2, m, least(other * norm))
    made = SmoothedHingeLoss(m, other, norm, clip).constants()
    assert (made.smoothness, made.strong_convexity, made.gradient_bound) == (m + norm**2 / other, m, least(norm))
    made = LeastSquaresLoss(m, other, norm, clip, 2).constants()
    assert (made.smoothness, made.gradient_bound) == (m + norm**2, least(norm * (2 * norm + other)))
    if clip is not None:
        assert LeastSquaresLoss(m, other, norm, clip).constants().gradient_bound == clip
        made = PoissonLoss(m, other, norm, clip).constants()
        assert (made.smoothness, made.gradient_bound) == (m + norm**2 * other + norm * clip, clip)
    made = SoftmaxLoss(m, 7, norm).constants()
    assert made.smoothness == m + norm**2 / 2
    assert 2 * norm**2 < made.gradient_bound**2 < 2 * norm**2 * (1 + F(3, 10 ** (DIGITS - 1)))


# --- irrational constants ---------------------------------------------------------------------------------------------


@given(st.fractions(0, 100, max_denominator=10**6))
def test_rounded_constants_are_just_above(x) -> None:
    """Against mpmath: above the truth, by less than a unit of the last of the digits."""
    with mpmath.workdps(120):
        for made, truth in ((exp_above(Exact(), x), mpmath.exp), (sqrt_above(Exact(), x), mpmath.sqrt)):
            true = truth(mpmath.mpf(x.numerator) / x.denominator)
            rounded = mpmath.mpf(made.numerator) / made.denominator
            assert true <= rounded * (1 + mpmath.mpf(10) ** -110)
            assert rounded <= true * (1 + mpmath.mpf(10) ** (1 - DIGITS))
    assert len(str(F(made * 10**60)).rstrip("0")) <= DIGITS


def test_rounded_constants_elsewhere() -> None:
    assert exp_above(Exact(), F(0)) == 1 and sqrt_above(Exact(), F(9, 4)) == F(3, 2)
    assert exp_above(Exact(), F(1)) == F("2.71828182845904524")
    assert sqrt_above(Exact(), F(2)) == F("1.41421356237309505")
    assert exp_above(Float(), 1.0) == pytest.approx(2.718281828459045)
    assert sqrt_above(Symbol(), sympy.Integer(2)) == sympy.sqrt(2)


# --- in a derivation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_a_derivation_rests_on_the_loss(name: str) -> None:
    loss = CASES[name][0]
    made = derive(run(loss=loss, step_size="1/L", radius=getattr(loss, "radius", None)))
    (node,) = (node for node in made.nodes() if node.theorem.id.startswith("L"))
    assert node.theorem is loss.theorem and set(loss.theorem.assumes) <= made.assumptions
    assert evaluate(node, Exact()) == loss.constants() == evaluate(apply(loss.theorem, **loss.arguments()), Exact())
    assert enclose(made).upper > 0
    formulas = explain(made).steps[0].formulas
    for formula, key in zip(formulas, ("smoothness", "gradient_bound"), strict=True):
        value = formula.right.subs(dict(formula.values))
        assert not value.free_symbols
        assert float(value) == pytest.approx(float(getattr(loss.constants(), key)), rel=1e-14)


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: LeastSquaresLoss(-1, 1, clip=1), "regularization"),
        (lambda: LeastSquaresLoss("0.1", -1, clip=1), "target_bound"),
        (lambda: LeastSquaresLoss("0.1", 1), "radius"),
        (lambda: LeastSquaresLoss("0.1", 1, radius=0), "radius"),
        (lambda: HuberLoss("0.1", 0), "threshold"),
        (lambda: HuberLoss("0.1", 1, clip=0), "clip"),
        (lambda: SmoothedHingeLoss("0.1", 0), "smoothing"),
        (lambda: SmoothedHingeLoss("0.1", 1, 0), "feature_norm"),
        (lambda: PoissonLoss("0.1", 1), "radius"),
        (lambda: PoissonLoss("0.1", 1, 2, radius="50.01"), "radius"),
        (lambda: SoftmaxLoss("0.1", 1), "classes"),
        (lambda: SoftmaxLoss("0.1", "3"), "classes"),
        (lambda: SoftmaxLoss("0.1", True), "classes"),
        (lambda: SoftmaxLoss("0.1", 3, 1, 0), "clip"),
    ],
)
def test_impossible_constants_are_refused_by_name(make, key: str) -> None:
    with pytest.raises(InvalidLoss, match=rf"^{key}: ") as refusal:
        make()
    assert refusal.value.key == key


def test_a_clip_of_softmax_is_compared_exactly() -> None:
    """√2 lies between these two neighbours of eighteen digits."""
    active = SoftmaxLoss(0, 3, 1, "1.41421356237309504").constants()
    assert not active.convex and active.smoothness == F(1, 2) and active.gradient_bound == F("1.41421356237309504")
    assert SoftmaxLoss(0, 3, 1, "1.41421356237309505").constants() == SoftmaxLoss(0, 3).constants()


def test_the_loss_and_the_mechanism_agree_on_the_ball() -> None:
    loss = PoissonLoss("0.1", 1, radius=2)
    assert derive(run(loss=loss, step_size="1/L", radius=2)) is not None
    for radius in (None, 1, 3):
        with pytest.raises(InvalidMechanism, match=r"^radius: the loss's is 2; give both the same"):
            run(loss=loss, step_size="1/L", radius=radius)
