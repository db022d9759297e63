"""What the losses share: the record of each, the refusal that names a key, exact storage, constants by a theorem."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, ClassVar, Literal, overload

from accountant.core.arithmetic import Arithmetic, Exact, Number
from accountant.core.exact import InvalidValue, canonical, exact, settle
from accountant.core.kernel import Theorem, conclude
from accountant.core.quantities import LossBounds


class InvalidLoss(InvalidValue):
    """Of a loss."""


@overload
def store(loss: object, key: str, *, positive: bool = False, optional: Literal[False] = False) -> Fraction: ...
@overload
def store(loss: object, key: str, *, positive: bool = False, optional: bool) -> Fraction | None: ...
def store(loss: object, key: str, *, positive: bool = False, optional: bool = False) -> Fraction | None:
    """Make the field exact, and refuse it below 0 (or at 0)."""
    if optional and getattr(loss, key) is None:
        return None
    value = exact(getattr(loss, key), key)
    if value < 0 or (positive and value == 0):
        raise InvalidLoss(key, f"{canonical(value)} must be {'positive' if positive else 'at least 0'}")
    settle(loss, **{key: value})
    return value


def check_model(A: Arithmetic, regularization: Number, feature_norm: Number) -> None:
    """Require the ranges that all losses of features share."""
    A.require(A.at_least(regularization, A.of(0)), "0 ≤ m", regularization)
    A.require(A.at_least(feature_norm, A.of(0)), "0 ≤ X", feature_norm)


def check_features(A: Arithmetic, regularization: Number, feature_norm: Number, clip: Number | None) -> None:
    """Require them, and that of a clip."""
    check_model(A, regularization, feature_norm)
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


@dataclass(frozen=True)
class Key:
    """A number of a loss, as run files, pages and formulas have it.

    meaning: what the page on run files says. letter: its symbol in formulas, None where no formula has it. newer:
    whether it came after the first release, so that it enters the canonical run only where it is not its default.
    """

    meaning: str
    letter: str | None = None
    newer: bool = False


REGULARIZATION = Key("m of the regulariser (m/2)|θ|²", "m")
FEATURE_NORM = Key("largest norm of a record's features", "X")
CLIP = Key("norm to which each record's data gradient is clipped; absent = none", "C")


@dataclass(frozen=True)
class NamedLoss(ABC):
    """A loss that a run file can name: abstract, its children are final frozen dataclasses.

    Their fields are its numbers. `run_keys` says what each of them means, in the order in which they are listed; a
    `radius` is not among them, for it is the mechanism's.
    """

    kind: ClassVar[str]  # in run files and certificates
    words: ClassVar[str]  # what it is, and what it needs, on the page on run files
    run_keys: ClassVar[Mapping[str, Key]]

    def numbers(self) -> dict[str, Fraction]:
        """Its exact numbers by name, those that are absent left out."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, Fraction)}


@dataclass(frozen=True)
class DerivedLoss(NamedLoss):
    """A loss whose constants a theorem derives from its fields."""

    theorem: ClassVar[Theorem]
    # On a loss of one inner product a record, unclipped: what T16 scales. None: it is no such loss, or it has no name.
    unscaled: ClassVar[Theorem | None] = None

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
        if getattr(self, "clip", None) is None and getattr(self, "radius", None) is None:
            raise InvalidLoss(
                "radius",
                f"is missing; the gradient of {name} has no bound on all of space: give a radius, or loss.clip",
            )
