"""Ridge regression."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, final

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, States
from accountant.core.kernel import Theorem, theorem
from accountant.core.quantities import LossBounds
from accountant.losses.base import DerivedLoss, check_domain, check_features, clipped


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


@final
@dataclass(frozen=True)
class LeastSquaresLoss(DerivedLoss):
    """Least squares (⟨x,θ⟩ − y)²/2 + (m/2)|θ|², |x| ≤ feature_norm, |y| ≤ target_bound.

    Each record's data gradient is clipped to norm `clip` before the batch's mean is taken. `radius` is that of the
    mechanism, the ball around the origin in which gradients are taken; without one there must be a clip.

    Raises:
        InvalidLoss: a constant out of its range, or neither a radius nor a clip.
    """

    theorem: ClassVar[Theorem] = least_squares_constants

    regularization: Fraction
    target_bound: Fraction
    feature_norm: Fraction = Fraction(1)
    clip: Fraction | None = None
    radius: Fraction | None = None

    def __post_init__(self) -> None:
        self._store_features()
        self._store_domain("least squares")
