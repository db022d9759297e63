"""What the losses share: the refusal that names a key, exact storage, constants by a theorem."""

from __future__ import annotations

from abc import ABC
from dataclasses import fields
from fractions import Fraction
from typing import Any, ClassVar

from accountant.core.arithmetic import Arithmetic, Exact, Number
from accountant.core.exact import InvalidValue, canonical, exact, settle
from accountant.core.kernel import Theorem, conclude
from accountant.core.quantities import LossBounds


class InvalidLoss(InvalidValue):
    """Of a loss."""


def store(loss: object, key: str, *, positive: bool = False, optional: bool = False) -> Fraction | None:
    """Make the field exact, and refuse it below 0 (or at 0)."""
    if optional and getattr(loss, key) is None:
        return None
    value = exact(getattr(loss, key), key)
    if value < 0 or (positive and value == 0):
        raise InvalidLoss(key, f"{canonical(value)} must be {'positive' if positive else 'at least 0'}")
    settle(loss, **{key: value})
    return value


def check_features(A: Arithmetic, regularization: Number, feature_norm: Number, clip: Number | None) -> None:
    """Require the ranges that all these losses share."""
    A.require(A.at_least(regularization, A.of(0)), "0 ≤ m", regularization)
    A.require(A.at_least(feature_norm, A.of(0)), "0 ≤ X", feature_norm)
    if clip is not None:
        A.require(A.at_least(clip, A.of(0)), "0 ≤ clip", clip)


def check_domain(A: Arithmetic, target_bound: Number, clip: Number | None, radius: Number | None) -> None:
    """Require what bounds the gradient of a loss that has no bounded slope of its own."""
    A.require(A.at_least(target_bound, A.of(0)), "0 ≤ Y", target_bound)
    A.require(clip is not None or radius is not None, "a clip or a radius")
    if radius is not None:
        A.require(A.at_least(radius, A.of(0)), "0 ≤ R", radius)


def clipped(A: Arithmetic, bound: Number, clip: Number | None) -> Number:
    """The gradient bound after clipping."""
    return bound if clip is None else A.minimum(clip, bound)


class DerivedLoss(ABC):
    """A loss whose constants a theorem derives from its fields: abstract, its children are final frozen dataclasses."""

    theorem: ClassVar[Theorem]

    def arguments(self) -> dict[str, Any]:
        """The arguments of the theorem of this loss."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def constants(self) -> LossBounds:
        """L, m, M as exact rationals, by the loss's theorem."""
        return conclude(self.theorem, Exact(), **self.arguments())

    def _store_features(self) -> None:
        store(self, "regularization")
        store(self, "feature_norm", positive=True)
        store(self, "clip", positive=True, optional=True)

    def _store_domain(self, name: str) -> None:
        store(self, "target_bound")
        store(self, "radius", positive=True, optional=True)
        if self.clip is None and self.radius is None:
            raise InvalidLoss(
                "radius",
                f"is missing; the gradient of {name} has no bound on all of space: give a radius, or loss.clip",
            )
