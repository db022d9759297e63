"""Poisson regression with the logarithmic link."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import ClassVar, final

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.exact import canonical
from accountant.core.facts import Direction, Facts, Family, States
from accountant.core.kernel import Theorem, theorem
from accountant.core.quantities import LinearLoss, LossBounds
from accountant.core.rounding import exp_above
from accountant.losses.base import (
    CLIP,
    FEATURE_NORM,
    REGULARIZATION,
    DerivedLoss,
    InvalidLoss,
    Key,
    check_domain,
    check_features,
    check_model,
    clipped,
)

MAX_EXPONENT = 100  # of e^(X·R): beyond it the constants are uselessly large


@theorem(
    "L5",
    rational=True,
    concludes=LossBounds,
    facts=Facts(Direction.EXACT, Family.LOSS, States.CONSTANTS, formula="body", profile=None, label=None),
    source="docs/theory.md L5, T16",
    assumes=("features", "counts", "domain"),
    oracle="tests/accountant/losses/test_loss_families.py::test_constants_resist_an_adversary",
)
def poisson_constants(
    A: Arithmetic,
    *,
    regularization: Number,
    feature_norm: Number,
    target_bound: Number,
    clip: Number | None,
    radius: Number | None,
) -> LossBounds:
    """Poisson regression e^z − yz + (m/2)|θ|², z = ⟨x,θ⟩, |x| ≤ X, 0 ≤ y ≤ Y: L and M are bounded by a ball or a clip.

    In the ball |θ| ≤ R the data gradient (e^z − y)·x is at most X·max(e^{XR}, Y − e^{−XR}) and its slope at most
    X²·e^{XR}. Clipped to C, the derivative e^z − y is cut off at ±C/|x|: where it still climbs, e^z ≤ y + C/|x|, so its
    slope is at most |x|²·Y + |x|·C. L = m plus the lesser of the slopes, M the lesser of the bounds. In rationals,
    e^{XR} is the least decimal of 18 significant digits that is not below it.
    """
    check_features(A, regularization, feature_norm, clip)
    check_domain(A, target_bound, clip, radius)
    if radius is None:
        curvature, bound = feature_norm**2 * target_bound + feature_norm * clip, clip
    else:
        A.require(A.at_least(A.of(MAX_EXPONENT), feature_norm * radius), "X·R ≤ 100", feature_norm * radius)
        growth = exp_above(A, feature_norm * radius)
        curvature = feature_norm**2 * growth
        bound = clipped(A, feature_norm * A.maximum(growth, target_bound - 1 / growth), clip)
        if clip is not None:
            curvature = A.minimum(curvature, feature_norm**2 * target_bound + feature_norm * clip)
    return LossBounds(regularization + curvature, regularization, bound)


@theorem(
    "L5u",
    rational=True,
    concludes=LinearLoss,
    facts=Facts(Direction.EXACT, Family.SCALING, States.CONSTANTS, formula=None, profile=None, label=None),
    source="docs/theory.md L5u, L5",
    assumes=("features", "counts", "domain"),
    oracle="tests/accountant/losses/test_scaled_losses.py::test_models_are_the_losses_without_a_clip",
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


@final
@dataclass(frozen=True)
class PoissonLoss(DerivedLoss):
    """Poisson regression exp⟨x,θ⟩ − y⟨x,θ⟩ + (m/2)|θ|², |x| ≤ feature_norm, counts 0 ≤ y ≤ target_bound.

    Each record's data gradient is clipped to norm `clip` before the batch's mean is taken, which also bounds L.
    `radius` is that of the mechanism, the ball around the origin in which gradients are taken; without one there must
    be a clip.

    Raises:
        InvalidLoss: a constant out of its range, or neither a radius nor a clip.
    """

    kind = "poisson"
    words = (
        "Poisson regression exp⟨x,θ⟩ − y⟨x,θ⟩; the constants are derived; needs a clip, [scaling] or mechanism.radius"
    )
    run_keys = MappingProxyType(
        {
            "regularization": REGULARIZATION,
            "feature_norm": FEATURE_NORM,
            "target_bound": Key("largest count y of a record", "Y"),
            "clip": CLIP,
        }
    )
    theorem: ClassVar[Theorem] = poisson_constants
    unscaled: ClassVar[Theorem | None] = poisson_model

    regularization: Fraction
    target_bound: Fraction
    feature_norm: Fraction = Fraction(1)
    clip: Fraction | None = None
    radius: Fraction | None = None

    def __post_init__(self) -> None:
        self._store_features()
        self._store_domain("Poisson regression")
        if self.radius is not None and self.feature_norm * self.radius > MAX_EXPONENT:
            raise InvalidLoss(
                "radius",
                f"{canonical(self.radius)} times feature_norm = {canonical(self.feature_norm)} is beyond "
                f"{MAX_EXPONENT}, where e^(X·R) bounds nothing; take a smaller radius, or a clip and no radius (with "
                "[scaling] no radius is enough)",
            )
