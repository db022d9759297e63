"""Scalar linear models whose per-record data gradients are scaled by one of the four maps."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, final

from accountant.core.arithmetic import Exact
from accountant.core.exact import canonical
from accountant.core.kernel import THEOREMS, Theorem, conclude
from accountant.core.quantities import LossBounds
from accountant.core.scaling import Scaling
from accountant.losses.base import DerivedLoss, InvalidLoss, store
from accountant.losses.poisson import MAX_EXPONENT

# model -> (the theorem on it before any scaling, what that takes besides regularisation and feature norm)
_MODELS = {
    "logistic": ("L1u", ()),
    "least-squares": ("L2u", ("target_bound", "radius")),
    "huber": ("L3u", ("threshold",)),
    "smoothed-hinge": ("L4u", ("smoothing",)),
    "poisson": ("L5u", ("target_bound", "radius")),
}
SCALED_MODELS = tuple(_MODELS)
_OWN = ("target_bound", "threshold", "smoothing", "radius")


@final
@dataclass(frozen=True)
class ScaledLoss(DerivedLoss):
    """A loss of one inner product a record, |x| ≤ feature_norm, whose data gradient is scaled before the batch's mean
    is taken; the regulariser's gradient is added afterwards (T16).

    model: "logistic", "least-squares", "huber", "smoothed-hinge" or "poisson", with the numbers that the unscaled loss
    has. `radius` is that of the mechanism's ball, for least squares and Poisson regression, which need none here: the
    map bounds the gradient.

    Raises:
        InvalidLoss: a number out of its range, one missing, or one that the model does not have.
        TypeError: a map that is none of the four.
    """

    model: str
    regularization: Fraction
    scaling: Scaling
    feature_norm: Fraction = Fraction(1)
    target_bound: Fraction | None = None
    threshold: Fraction | None = None
    smoothing: Fraction | None = None
    radius: Fraction | None = None

    def __post_init__(self) -> None:
        if self.model not in _MODELS:
            raise InvalidLoss(
                "kind",
                f"{self.model!r} is no scalar linear model, and scaling keeps convexity for those alone; "
                f"write one of {', '.join(_MODELS)}",
            )
        if not isinstance(self.scaling, Scaling):
            raise TypeError(f"scaling: {type(self.scaling).__name__} is no map of accountant.core.scaling")
        store(self, "regularization")
        store(self, "feature_norm", positive=True)
        for key in _OWN:
            given = getattr(self, key) is not None
            if given and key not in self._parameters:
                raise InvalidLoss(key, f"a {self.model} loss has none; leave it out")
            if not given and key in self._parameters and key != "radius":
                raise InvalidLoss(key, f"is missing; a {self.model} loss needs it")
            store(self, key, positive=key != "target_bound", optional=True)
        if self.model == "poisson" and self.radius is not None and self.feature_norm * self.radius > MAX_EXPONENT:
            raise InvalidLoss(
                "radius",
                f"{canonical(self.radius)} times feature_norm = {canonical(self.feature_norm)} is beyond "
                f"{MAX_EXPONENT}, where e^(X·R) bounds nothing; take a smaller radius, or none",
            )

    @property
    def _parameters(self) -> tuple[str, ...]:
        return _MODELS[self.model][1]

    @property
    def theorem(self) -> Theorem:
        """About the model before any scaling; T16 takes its conclusion."""
        return THEOREMS[_MODELS[self.model][0]]

    def arguments(self) -> dict[str, Any]:
        """The arguments of `theorem`."""
        return {name: getattr(self, name) for name in ("regularization", "feature_norm", *self._parameters)}

    def constants(self) -> LossBounds:
        """L, m, M as exact rationals: the model's theorem, then T16."""
        return _constants(self)


@lru_cache(maxsize=4096)
def _constants(loss: ScaledLoss) -> LossBounds:
    A = Exact()
    return conclude(THEOREMS["T16"], A, conclude(loss.theorem, A, **loss.arguments()), **loss.scaling.arguments())
