"""Support vector classification with a smoothed hinge."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, final

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, States
from accountant.core.kernel import Theorem, theorem
from accountant.core.quantities import LossBounds
from accountant.losses.base import DerivedLoss, check_features, clipped, store


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


@final
@dataclass(frozen=True)
class SmoothedHingeLoss(DerivedLoss):
    """Smoothed hinge h(y⟨x,θ⟩) + (m/2)|θ|², labels y = ±1, |x| ≤ feature_norm, quadratic over a margin of `smoothing`.

    Each record's data gradient is clipped to norm `clip` before the batch's mean is taken.

    Raises:
        InvalidLoss: a constant that is not positive (the regularisation may be 0).
    """

    theorem: ClassVar[Theorem] = smoothed_hinge_constants

    regularization: Fraction
    smoothing: Fraction
    feature_norm: Fraction = Fraction(1)
    clip: Fraction | None = None

    def __post_init__(self) -> None:
        self._store_features()
        store(self, "smoothing", positive=True)
