"""Any loss whose gradients are clipped, a neural network's for instance."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Literal, final

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, States
from accountant.core.kernel import Theorem, theorem
from accountant.core.quantities import LossBounds
from accountant.losses.base import REGULARIZATION, DerivedLoss, InvalidLoss, Key, store


@theorem(
    "L7",
    rational=True,
    concludes=LossBounds,
    facts=Facts(Direction.EXACT, Family.LOSS, States.CONSTANTS, formula=None, profile=None, label=None),
    source="docs/theory.md L7, T23",
    assumes=("per_record_clipping",),
    oracle="tests/accountant/theorems/test_nonconvex.py::test_clipped_gradients_are_bounded_and_nothing_else",
)
def clipped_constants(A: Arithmetic, *, regularization: Number, clip: Number) -> LossBounds:
    """Any loss with each record's data gradient clipped to norm C, and weight decay (m/2)|θ|²: M = C; no smoothness,
    no convexity.

    The regulariser's gradient mθ is added after clipping. Nothing of the loss itself is used.
    """
    A.require(A.at_least(regularization, A.of(0)), "0 ≤ m", regularization)
    A.require(A.at_least(clip, A.of(0)), "0 ≤ clip", clip)
    return LossBounds(None, regularization, clip, convex=False)


@theorem(
    "L7b",
    rational=True,
    concludes=LossBounds,
    facts=Facts(Direction.EXACT, Family.LOSS, States.CONSTANTS, formula=None, profile=None, label=None),
    source="docs/theory.md L7b, T26",
    assumes=("batch_clipping",),
    oracle="tests/accountant/theorems/test_gauges.py::test_clipped_batches_against_exact_densities",
)
def batch_clipped_constants(A: Arithmetic, *, regularization: Number, clip: Number) -> LossBounds:
    """Any loss with the mean data gradient of each batch clipped to norm C as a whole, and weight decay (m/2)|θ|².

    Nothing bounds a record's own gradient: one record may reverse the gradient of the whole batch.
    """
    A.require(A.at_least(regularization, A.of(0)), "0 ≤ m", regularization)
    A.require(A.at_least(clip, A.of(0)), "0 ≤ clip", clip)
    return LossBounds(None, regularization, clip, convex=False, whole_batch=True)


@final
@dataclass(frozen=True)
class ClippedLoss(DerivedLoss):
    """Any loss, of a neural network for instance: each record's data gradient is clipped to norm `clip`
    (clipping "per-record"), or the mean of a batch's is ("batch"), and the weight decay (regularization/2)|θ|² is
    added. Nothing else is known of it.

    Raises:
        InvalidLoss: a clip that is not positive, a negative regularisation, or another way of clipping.
    """

    kind = "clipped"
    words = (
        "any loss, e.g. of a neural network, whose gradients are clipped; neither convexity nor smoothness is used; "
        "step_size must be a number"
    )
    run_keys = MappingProxyType(
        {
            "regularization": REGULARIZATION,
            "clip": Key("norm to which each record's data gradient is clipped, or each batch's mean", "C"),
            "clipping": Key(
                '"per-record": each record\'s gradient is clipped by itself, before the sum; "batch": the batch\'s '
                "mean gradient is clipped as a whole, so that one record may reverse it: a far weaker guarantee",
                newer=True,
            ),
        }
    )

    regularization: Fraction
    clip: Fraction
    clipping: Literal["per-record", "batch"] = "per-record"

    @property
    def theorem(self) -> Theorem:  # type: ignore[override]
        """By which the constants are derived."""
        return batch_clipped_constants if self.clipping == "batch" else clipped_constants

    def arguments(self) -> dict[str, Any]:
        return {"regularization": self.regularization, "clip": self.clip}

    def __post_init__(self) -> None:
        if self.clipping not in ("per-record", "batch"):
            raise InvalidLoss("clipping", f"got {self.clipping!r}; write one of per-record, batch")
        store(self, "regularization")
        store(self, "clip", positive=True)
