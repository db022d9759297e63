"""L, m, M of the losses that the learners run: derived, not asserted. Constants of the user's own are *attested*."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from accountant.arithmetic import Arithmetic, Exact, Number
from accountant.exact import canonical, exact
from accountant.kernel import theorem
from accountant.quantities import LossBounds


class InvalidLoss(ValueError):
    """A constant out of its range; the message names the key, the value and the fix. `key` is the run file's."""

    def __init__(self, key: str, message: str):
        super().__init__(f"{key}: {message}")
        self.key = key


@theorem(
    "L1",
    rational=True,
    concludes=LossBounds,
    source="theory T16 for the clipping map; §0",
    assumes=("feature_norm",),
    oracle="tests/accountant/test_losses.py::test_logistic_constants_resist_an_adversary",
)
def logistic_constants(
    A: Arithmetic, *, regularization: Number, feature_norm: Number, clip: Number | None
) -> LossBounds:
    """Binary logistic regression log(1 + exp(−y⟨x,θ⟩)) + (m/2)|θ|², |x| ≤ X: L = m + X²/4 and M = min(clip, X).

    The data gradient −y·x/(1+e^{y⟨x,θ⟩}) is shorter than X, and a quarter X² bounds the slope of the sigmoid.
    Clipping it per record is a non-decreasing map of a scalar linear model's derivative, of slope at most 1, so it
    stays the gradient of a convex loss, no less smooth.
    """
    A.require(A.at_least(regularization, A.of(0)), "0 ≤ m", regularization)
    A.require(A.at_least(feature_norm, A.of(0)), "0 ≤ X", feature_norm)
    bound = feature_norm
    if clip is not None:
        A.require(A.at_least(clip, A.of(0)), "0 ≤ clip", clip)
        bound = A.minimum(clip, feature_norm)
    return LossBounds(regularization + feature_norm**2 / 4, regularization, bound)


def _store(loss: object, key: str, *, positive: bool) -> Fraction:
    value = exact(getattr(loss, key), key)
    if value < 0 or (positive and value == 0):
        raise InvalidLoss(key, f"{canonical(value)} must be {'positive' if positive else 'at least 0'}")
    object.__setattr__(loss, key, value)
    return value


@dataclass(frozen=True)
class ConstantLoss:
    """A loss known by its constants alone; somebody must attest them.

    Raises:
        InvalidLoss: a negative constant, or m > L.
    """

    smoothness: Fraction
    strong_convexity: Fraction
    gradient_bound: Fraction

    def __post_init__(self) -> None:
        smoothness = _store(self, "smoothness", positive=False)
        strong_convexity = _store(self, "strong_convexity", positive=False)
        _store(self, "gradient_bound", positive=False)
        if strong_convexity > smoothness:
            raise InvalidLoss(
                "strong_convexity",
                f"m = {canonical(strong_convexity)} > L = {canonical(smoothness)} is impossible; "
                "smoothness includes the regulariser",
            )

    def constants(self) -> LossBounds:
        return LossBounds(self.smoothness, self.strong_convexity, self.gradient_bound)


@dataclass(frozen=True)
class LogisticLoss:
    """Binary logistic regression log(1 + exp(−y⟨x,θ⟩)) + (m/2)|θ|², labels y = ±1, |x| ≤ feature_norm.

    Each record's data gradient is clipped to norm `clip` before the batch's mean is taken; the regulariser is added
    after it. A clip of feature_norm or more is never active.

    Raises:
        InvalidLoss: a constant that is not positive (the regularisation may be 0).
    """

    regularization: Fraction
    feature_norm: Fraction = Fraction(1)
    clip: Fraction | None = None

    def __post_init__(self) -> None:
        _store(self, "regularization", positive=False)
        _store(self, "feature_norm", positive=True)
        if self.clip is not None:
            _store(self, "clip", positive=True)

    def constants(self) -> LossBounds:
        """L, m, M as exact rationals, by the theorem `logistic_constants` (L1)."""
        return logistic_constants.body(
            Exact(), regularization=self.regularization, feature_norm=self.feature_norm, clip=self.clip
        )


Loss = ConstantLoss | LogisticLoss
