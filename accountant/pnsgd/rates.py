"""What bounds one step of two runs, as types: C1, T22, T23, T23b, each with its numbers for a mechanism."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, final

from accountant import theorems
from accountant.core.kernel import Theorem
from accountant.core.quantities import LossBounds
from accountant.mechanisms.pnsgd import NoisySGD


class StepRate(ABC):
    """A theorem on one step, wherever the two runs stand."""

    theorem: ClassVar[Theorem]
    words: ClassVar[str]  # what it says, where it is a fall-back
    drifts: ClassVar[bool] = False  # whether runs that have parted drift apart by 2ηM more, whatever the data
    whole_batch: ClassVar[bool] = False  # whether that is also what a differing batch does to runs that are together

    @property
    def id(self) -> str:
        return self.theorem.id

    @abstractmethod
    def factor(self, mechanism: NoisySGD) -> Fraction:
        """By how much distances are multiplied, exactly: so that η = 2/L is a contraction in doubles as well."""

    @abstractmethod
    def arguments(self, constants: LossBounds) -> dict[str, Any]:
        """The theorem's, but for the step size."""


@final
@dataclass(frozen=True)
class Convex(StepRate):
    """C1: the usual one."""

    theorem = theorems.contraction
    words = "a step of a convex, smooth loss contracts (C1)"

    def factor(self, mechanism: NoisySGD) -> Fraction:
        constants, step = mechanism.loss.constants(), mechanism.step_size
        return max(abs(1 - step * constants.strong_convexity), abs(1 - step * _smoothness(constants)))

    def arguments(self, constants: LossBounds) -> dict[str, Any]:
        return {"strong_convexity": constants.strong_convexity, "smoothness": constants.smoothness}


@final
@dataclass(frozen=True)
class Smooth(StepRate):
    """T22."""

    theorem = theorems.nonconvex_step
    words = "a step expands distances by 1 + ηL at most (T22)"

    def factor(self, mechanism: NoisySGD) -> Fraction:
        return 1 + mechanism.step_size * _smoothness(mechanism.loss.constants())

    def arguments(self, constants: LossBounds) -> dict[str, Any]:
        return {"smoothness": constants.smoothness}


class Bounded(StepRate):
    """No more than a bound on gradients, and weight decay."""

    drifts = True

    def factor(self, mechanism: NoisySGD) -> Fraction:
        return 1 - mechanism.step_size * mechanism.loss.constants().strong_convexity

    def arguments(self, constants: LossBounds) -> dict[str, Any]:
        return {"strong_convexity": constants.strong_convexity, "gradient_bound": constants.gradient_bound}


@final
@dataclass(frozen=True)
class BoundedRecords(Bounded):
    """T23."""

    theorem = theorems.clipped_step
    words = (
        "gradients of norm at most M, whatever the data, drive two runs that have parted further apart by 2ηM a step "
        "at most (T23)"
    )


@final
@dataclass(frozen=True)
class BoundedBatches(Bounded):
    """T23b."""

    theorem = theorems.batch_clipped_step
    words = "gradients of batches, clipped to norm M as a whole, drive two runs apart by 2ηM a step at most (T23b)"
    whole_batch = True


CONVEX, SMOOTH, BOUNDED_RECORDS, BOUNDED_BATCHES = Convex(), Smooth(), BoundedRecords(), BoundedBatches()


def _smoothness(constants: LossBounds) -> Fraction:
    if constants.smoothness is None:
        raise TypeError("smoothness: a loss of which none is known")
    return constants.smoothness
