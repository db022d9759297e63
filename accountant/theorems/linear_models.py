"""Scalar linear models before any scaling: how curved they are, and how long one record's data gradient can get.

The same constants as L1–L5 without a clip, in a quantity of their own: a clipped loss or one of several classes is none
of these, so T16 cannot be applied to it.
"""

from __future__ import annotations

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, States
from accountant.core.kernel import theorem
from accountant.core.quantities import LinearLoss
from accountant.core.rounding import exp_above
from accountant.losses.poisson import MAX_EXPONENT
from accountant.theorems.conditions import below

_ORACLE = "tests/accountant/losses/test_scaled_losses.py::test_models_are_the_losses_without_a_clip"


def check_model(A: Arithmetic, regularization: Number, feature_norm: Number) -> None:
    """Require the ranges that all these models share."""
    A.require(A.at_least(regularization, A.of(0)), "0 ≤ m", regularization)
    A.require(A.at_least(feature_norm, A.of(0)), "0 ≤ X", feature_norm)


@theorem(
    "L1u",
    rational=True,
    concludes=LinearLoss,
    facts=Facts(Direction.EXACT, Family.SCALING, States.CONSTANTS, formula=None, profile=None, label=None),
    source="docs/theory.md L1u, L1",
    assumes=("feature_norm",),
    oracle=_ORACLE,
)
def logistic_model(A: Arithmetic, *, regularization: Number, feature_norm: Number) -> LinearLoss:
    """Binary logistic regression log(1 + exp(−y⟨x,θ⟩)), |x| ≤ X, unclipped: curvature X²/4, data gradients up to X.

    Where the data gradient has norm a = |x|·p, the slope |x|²·p(1 − p) = a(|x| − a) is at most X·a as well.
    """
    check_model(A, regularization, feature_norm)
    return LinearLoss(regularization, feature_norm**2 / 4, feature_norm, growth=feature_norm)


@theorem(
    "L2u",
    rational=True,
    concludes=LinearLoss,
    facts=Facts(Direction.EXACT, Family.SCALING, States.CONSTANTS, formula=None, profile=None, label=None),
    source="docs/theory.md L2u, L2",
    assumes=("features", "target_bound", "domain"),
    oracle=_ORACLE,
)
def least_squares_model(
    A: Arithmetic, *, regularization: Number, feature_norm: Number, target_bound: Number, radius: Number | None
) -> LinearLoss:
    """Least squares (⟨x,θ⟩ − y)²/2, |x| ≤ X, |y| ≤ Y, unclipped: curvature X², data gradients up to X·(X·R + Y).

    Without a ball |θ| ≤ R the gradient has no bound, and only the scaling gives it one.
    """
    check_model(A, regularization, feature_norm)
    A.require(A.at_least(target_bound, A.of(0)), "0 ≤ Y", target_bound)
    if radius is not None:
        A.require(A.at_least(radius, A.of(0)), "0 ≤ R", radius)
    bound = None if radius is None else feature_norm * (feature_norm * radius + target_bound)
    return LinearLoss(regularization, feature_norm**2, bound)


@theorem(
    "L3u",
    rational=True,
    concludes=LinearLoss,
    facts=Facts(Direction.EXACT, Family.SCALING, States.CONSTANTS, formula=None, profile=None, label=None),
    source="docs/theory.md L3u, L3",
    assumes=("features",),
    oracle=_ORACLE,
)
def huber_model(A: Arithmetic, *, regularization: Number, feature_norm: Number, threshold: Number) -> LinearLoss:
    """Huber regression h(⟨x,θ⟩ − y), |x| ≤ X, quadratic up to κ, unclipped: curvature X², data gradients up to κ·X."""
    check_model(A, regularization, feature_norm)
    A.require(A.at_least(threshold, A.of(0)), "0 ≤ κ", threshold)
    return LinearLoss(regularization, feature_norm**2, threshold * feature_norm)


@theorem(
    "L4u",
    rational=True,
    concludes=LinearLoss,
    facts=Facts(Direction.EXACT, Family.SCALING, States.CONSTANTS, formula=None, profile=None, label=None),
    source="docs/theory.md L4u, L4",
    assumes=("feature_norm",),
    oracle=_ORACLE,
)
def smoothed_hinge_model(
    A: Arithmetic, *, regularization: Number, feature_norm: Number, smoothing: Number
) -> LinearLoss:
    """Smoothed hinge h(y⟨x,θ⟩), |x| ≤ X, quadratic over a margin γ, unclipped: curvature X²/γ, data gradients up to
    X."""
    check_model(A, regularization, feature_norm)
    A.require(below(A, A.of(0), smoothing), "0 < γ", smoothing)
    return LinearLoss(regularization, feature_norm**2 / smoothing, feature_norm)


@theorem(
    "L5u",
    rational=True,
    concludes=LinearLoss,
    facts=Facts(Direction.EXACT, Family.SCALING, States.CONSTANTS, formula=None, profile=None, label=None),
    source="docs/theory.md L5u, L5",
    assumes=("features", "counts", "domain"),
    oracle=_ORACLE,
)
def poisson_model(
    A: Arithmetic, *, regularization: Number, feature_norm: Number, target_bound: Number, radius: Number | None
) -> LinearLoss:
    """Poisson regression e^z − yz, z = ⟨x,θ⟩, |x| ≤ X, 0 ≤ y ≤ Y, unclipped: where the data gradient has norm a, its
    slope |x|²·e^z = |x|²·(e^z − y + y) is at most X·a + X²·Y.

    In a ball |θ| ≤ R the curvature is also at most X²·e^{XR}, and data gradients at most X·max(e^{XR}, Y − e^{−XR}). In
    rationals, e^{XR} is the least decimal of 18 significant digits that is not below it.
    """
    check_model(A, regularization, feature_norm)
    A.require(A.at_least(target_bound, A.of(0)), "0 ≤ Y", target_bound)
    curvature = bound = None
    if radius is not None:
        A.require(A.at_least(radius, A.of(0)), "0 ≤ R", radius)
        A.require(A.at_least(A.of(MAX_EXPONENT), feature_norm * radius), "X·R ≤ 100", feature_norm * radius)
        growth = exp_above(A, feature_norm * radius)
        curvature = feature_norm**2 * growth
        bound = feature_norm * A.maximum(growth, target_bound - 1 / growth)
    return LinearLoss(regularization, curvature, bound, growth=feature_norm, floor=feature_norm**2 * target_bound)
