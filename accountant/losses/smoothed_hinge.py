"""Support vector classification with a smoothed hinge."""

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
    check_features,
    check_model,
    clipped,
    store,
)


@theorem(
    "L4",
    rational=True,
    concludes=LossBounds,
    facts=Facts(Direction.EXACT, Family.LOSS, States.CONSTANTS, formula="body", profile=None, label=None),
    source="docs/theory.md L4, T16",
    assumes=("feature_norm",),
    oracle="tests/accountant/losses/test_loss_families.py::test_constants_resist_an_adversary",
)
def smoothed_hinge_constants(
    A: Arithmetic, *, regularization: Number, feature_norm: Number, smoothing: Number, clip: Number | None
) -> LossBounds:
    """Smoothed hinge h(y⟨x,θ⟩) + (m/2)|θ|², y = ±1, |x| ≤ X: L = m + X²/γ and M = min(clip, X).

    h(t) = 0 for t ≥ 1, (1−t)²/(2γ) for 1−γ ≤ t ≤ 1, 1 − t − γ/2 below: its derivative climbs from −1 to 0 with slope
    1/γ. Clipping cuts it off earlier.
    """
    check_features(A, regularization, feature_norm, clip)
    none = A.at_least(A.of(0), smoothing)
    A.require(None if none is None else not none, "0 < γ", smoothing)
    return LossBounds(regularization + feature_norm**2 / smoothing, regularization, clipped(A, feature_norm, clip))


@theorem(
    "L4u",
    rational=True,
    concludes=LinearLoss,
    facts=Facts(Direction.EXACT, Family.SCALING, States.CONSTANTS, formula=None, profile=None, label=None),
    source="docs/theory.md L4u, L4",
    assumes=("feature_norm",),
    oracle="tests/accountant/losses/test_scaled_losses.py::test_models_are_the_losses_without_a_clip",
)
def smoothed_hinge_model(
    A: Arithmetic, *, regularization: Number, feature_norm: Number, smoothing: Number
) -> LinearLoss:
    """Smoothed hinge h(y⟨x,θ⟩), |x| ≤ X, quadratic over a margin γ, unclipped: curvature X²/γ, data gradients up to
    X."""
    check_model(A, regularization, feature_norm)
    none = A.at_least(A.of(0), smoothing)
    A.require(None if none is None else not none, "0 < γ", smoothing)
    return LinearLoss(regularization, feature_norm**2 / smoothing, feature_norm)


@final
@dataclass(frozen=True)
class SmoothedHingeLoss(DerivedLoss):
    """Smoothed hinge h(y⟨x,θ⟩) + (m/2)|θ|², labels y = ±1, |x| ≤ feature_norm, quadratic over a margin of `smoothing`.

    Each record's data gradient is clipped to norm `clip` before the batch's mean is taken.

    Raises:
        InvalidLoss: a constant that is not positive (the regularisation may be 0).
    """

    kind = "smoothed-hinge"
    words = "binary classification with a hinge whose corner is a parabola; the constants are derived"
    run_keys = MappingProxyType(
        {
            "regularization": REGULARIZATION,
            "feature_norm": FEATURE_NORM,
            "smoothing": Key("margin below 1 over which the hinge is quadratic", "gamma"),
            "clip": CLIP,
        }
    )
    theorem: ClassVar[Theorem] = smoothed_hinge_constants
    unscaled: ClassVar[Theorem | None] = smoothed_hinge_model

    regularization: Fraction
    smoothing: Fraction
    feature_norm: Fraction = Fraction(1)
    clip: Fraction | None = None

    def __post_init__(self) -> None:
        self._store_features()
        store(self, "smoothing", positive=True)
