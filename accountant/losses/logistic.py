"""Binary logistic regression."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, final

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, States
from accountant.core.kernel import Theorem, theorem
from accountant.core.quantities import LossBounds
from accountant.losses.base import DerivedLoss, check_features, clipped


@theorem(
    "L1",
    rational=True,
    concludes=LossBounds,
    facts=Facts(Direction.EXACT, Family.LOSS, States.CONSTANTS, formula="body", profile=None, label=None),
    source="docs/theory.md L1, T16",
    assumes=("feature_norm",),
    oracle="tests/accountant/losses/test_losses.py::test_logistic_constants_resist_an_adversary",
)
def logistic_constants(
    A: Arithmetic, *, regularization: Number, feature_norm: Number, clip: Number | None
) -> LossBounds:
    """Binary logistic regression log(1 + exp(−y⟨x,θ⟩)) + (m/2)|θ|², |x| ≤ X: L = m + X²/4 and M = min(clip, X).

    The data gradient −y·x/(1+e^{y⟨x,θ⟩}) is shorter than X, and a quarter X² bounds the slope of the sigmoid.
    Clipping it per record is a non-decreasing map of a scalar linear model's derivative, of slope at most 1, so it
    stays the gradient of a convex loss, no less smooth.
    """
    check_features(A, regularization, feature_norm, clip)
    return LossBounds(regularization + feature_norm**2 / 4, regularization, clipped(A, feature_norm, clip))


@final
@dataclass(frozen=True)
class LogisticLoss(DerivedLoss):
    """Binary logistic regression log(1 + exp(−y⟨x,θ⟩)) + (m/2)|θ|², labels y = ±1, |x| ≤ feature_norm.

    Each record's data gradient is clipped to norm `clip` before the batch's mean is taken; the regulariser is added
    after it. A clip of feature_norm or more is never active.

    Raises:
        InvalidLoss: a constant that is not positive (the regularisation may be 0).
    """

    theorem: ClassVar[Theorem] = logistic_constants

    regularization: Fraction
    feature_norm: Fraction = Fraction(1)
    clip: Fraction | None = None

    def __post_init__(self) -> None:
        self._store_features()
