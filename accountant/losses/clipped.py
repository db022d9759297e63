"""Any loss whose gradients are clipped, a neural network's for instance."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, final

from accountant.arithmetic import Arithmetic, Number
from accountant.kernel import Theorem, theorem
from accountant.losses.base import DerivedLoss, store
from accountant.quantities import LossBounds


@theorem(
    "L7",
    rational=True,
    concludes=LossBounds,
    source="theory T23",
    oracle="tests/accountant/test_nonconvex.py::test_clipped_gradients_are_bounded_and_nothing_else",
)
def clipped_constants(A: Arithmetic, *, regularization: Number, clip: Number) -> LossBounds:
    """Any loss with each record's data gradient clipped to norm C, and weight decay (m/2)|θ|²: M = C; no smoothness,
    no convexity.

    The regulariser's gradient mθ is added after clipping. Nothing of the loss itself is used.
    """
    A.require(A.at_least(regularization, A.of(0)), "0 ≤ m", regularization)
    A.require(A.at_least(clip, A.of(0)), "0 ≤ clip", clip)
    return LossBounds(None, regularization, clip, convex=False)


@final
@dataclass(frozen=True)
class ClippedLoss(DerivedLoss):
    """Any loss, of a neural network for instance: each record's data gradient is clipped to norm `clip`, and the
    weight decay (regularization/2)|θ|² is added. Nothing else is known of it.

    Raises:
        InvalidLoss: a clip that is not positive, or a negative regularisation.
    """

    theorem: ClassVar[Theorem] = clipped_constants

    regularization: Fraction
    clip: Fraction

    def __post_init__(self) -> None:
        store(self, "regularization")
        store(self, "clip", positive=True)
