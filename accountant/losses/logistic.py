"""Binary logistic regression."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import ClassVar, final

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, States
from accountant.core.kernel import Theorem, theorem
from accountant.core.quantities import LinearLoss, LossBounds
from accountant.losses.base import CLIP, FEATURE_NORM, REGULARIZATION, DerivedLoss, check_features, check_model, clipped


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


@theorem(
    "L1u",
    rational=True,
    concludes=LinearLoss,
    facts=Facts(Direction.EXACT, Family.SCALING, States.CONSTANTS, formula=None, profile=None, label=None),
    source="docs/theory.md L1u, L1",
    assumes=("feature_norm",),
    oracle="tests/accountant/losses/test_scaled_losses.py::test_models_are_the_losses_without_a_clip",
)
def logistic_model(A: Arithmetic, *, regularization: Number, feature_norm: Number) -> LinearLoss:
    """Binary logistic regression log(1 + exp(−y⟨x,θ⟩)), |x| ≤ X, unclipped: curvature X²/4, data gradients up to X.

    Where the data gradient has norm a = |x|·p, the slope |x|²·p(1 − p) = a(|x| − a) is at most X·a as well.
    """
    check_model(A, regularization, feature_norm)
    return LinearLoss(regularization, feature_norm**2 / 4, feature_norm, growth=feature_norm)


@final
@dataclass(frozen=True)
class LogisticLoss(DerivedLoss):
    """Binary logistic regression log(1 + exp(−y⟨x,θ⟩)) + (m/2)|θ|², labels y = ±1, |x| ≤ feature_norm.

    Each record's data gradient is clipped to norm `clip` before the batch's mean is taken; the regulariser is added
    after it. A clip of feature_norm or more is never active.

    Raises:
        InvalidLoss: a constant that is not positive (the regularisation may be 0).
    """

    kind = "logistic"
    words = "binary logistic regression; the constants are derived"
    run_keys = MappingProxyType({"regularization": REGULARIZATION, "feature_norm": FEATURE_NORM, "clip": CLIP})
    theorem: ClassVar[Theorem] = logistic_constants
    unscaled: ClassVar[Theorem | None] = logistic_model

    regularization: Fraction
    feature_norm: Fraction = Fraction(1)
    clip: Fraction | None = None

    def __post_init__(self) -> None:
        self._store_features()
