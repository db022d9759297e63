"""Ridge regression."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import ClassVar, final

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, States
from accountant.core.kernel import Theorem, theorem
from accountant.core.quantities import LinearLoss, LossBounds
from accountant.losses.base import (
    CLIP,
    FEATURE_NORM,
    REGULARIZATION,
    DerivedLoss,
    Key,
    check_domain,
    check_features,
    check_model,
    clipped,
)


@theorem(
    "L2",
    rational=True,
    concludes=LossBounds,
    facts=Facts(Direction.EXACT, Family.LOSS, States.CONSTANTS, formula="body", profile=None, label=None),
    source="docs/theory.md L2, T16",
    assumes=("features", "target_bound", "domain"),
    oracle="tests/accountant/losses/test_loss_families.py::test_constants_resist_an_adversary",
)
def least_squares_constants(
    A: Arithmetic,
    *,
    regularization: Number,
    feature_norm: Number,
    target_bound: Number,
    clip: Number | None,
    radius: Number | None,
) -> LossBounds:
    """Least squares (⟨x,θ⟩ − y)²/2 + (m/2)|θ|², |x| ≤ X, |y| ≤ Y: L = m + X² and M = min(clip, X·(X·R + Y)), |θ| ≤ R.

    The data gradient (⟨x,θ⟩ − y)·x is at most (|x|·R + Y)·|x| in the ball of radius R around the origin; without a ball
    only a clip bounds it. The derivative of t²/2 has slope 1, and clipping keeps it non-decreasing with slope ≤ 1.
    """
    check_features(A, regularization, feature_norm, clip)
    check_domain(A, target_bound, clip, radius)
    bound = clip if radius is None else clipped(A, feature_norm * (feature_norm * radius + target_bound), clip)
    return LossBounds(regularization + feature_norm**2, regularization, bound)


@theorem(
    "L2u",
    rational=True,
    concludes=LinearLoss,
    facts=Facts(Direction.EXACT, Family.SCALING, States.CONSTANTS, formula=None, profile=None, label=None),
    source="docs/theory.md L2u, L2",
    assumes=("features", "target_bound", "domain"),
    oracle="tests/accountant/losses/test_scaled_losses.py::test_models_are_the_losses_without_a_clip",
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


@final
@dataclass(frozen=True)
class LeastSquaresLoss(DerivedLoss):
    """Least squares (⟨x,θ⟩ − y)²/2 + (m/2)|θ|², |x| ≤ feature_norm, |y| ≤ target_bound.

    Each record's data gradient is clipped to norm `clip` before the batch's mean is taken. `radius` is that of the
    mechanism, the ball around the origin in which gradients are taken; without one there must be a clip.

    Raises:
        InvalidLoss: a constant out of its range, or neither a radius nor a clip.
    """

    kind = "least-squares"
    words = "least squares (⟨x,θ⟩ − y)²/2; the constants are derived; needs a clip, [scaling] or mechanism.radius"
    run_keys = MappingProxyType(
        {
            "regularization": REGULARIZATION,
            "feature_norm": FEATURE_NORM,
            "target_bound": Key("largest size of a record's target y", "Y"),
            "clip": CLIP,
        }
    )
    theorem: ClassVar[Theorem] = least_squares_constants
    unscaled: ClassVar[Theorem | None] = least_squares_model

    regularization: Fraction
    target_bound: Fraction
    feature_norm: Fraction = Fraction(1)
    clip: Fraction | None = None
    radius: Fraction | None = None

    def __post_init__(self) -> None:
        self._store_features()
        self._store_domain("least squares")
