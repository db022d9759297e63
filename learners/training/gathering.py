"""From a batch's losses to what is scaled: each record's norm, and the means to add up weighted gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from learners.engines import BookKeeping, check_losses
from learners.refused import LearnerRefused
from learners.stepping import RunCheckFailed
from learners.training import momentum

Reduction = Literal["none", "mean", "sum"]


@dataclass(frozen=True)
class Gathered:
    """norms: (B,), before scaling, ∞ where a loss is not finite. weighted: weights (B,) ↦ Σ w_i g_i by parameter.
    routes: of the engine; none where every record's gradient is kept, and scaled as it is."""

    norms: Tensor
    weighted: Callable[[Tensor], dict[str, Tensor]]
    routes: frozenset[str] = frozenset()


def kept(gradients: momentum.PerRecord, finite: Tensor) -> Gathered:
    """From every record's gradient in memory; finite: whether all is well, one or (B,)."""
    norms = torch.where(finite, momentum.norms(gradients), torch.inf)
    return Gathered(norms, lambda weights: momentum.combined(gradients, weights))


@dataclass(eq=False)
class Gatherer:
    """window: with inner momentum, the iterates whose gradients are averaged before anything is scaled. keep: whether
    every record's gradient is kept in any case."""

    engine: BookKeeping
    parameters: Mapping[str, nn.Parameter]
    reduction: Reduction
    window: momentum.Window | None
    keep: bool = False
    looked: bool = False  # whether records are kept apart, at the first batch of several

    def _first(self, count: int) -> bool:
        first = count > 1 and not self.looked
        self.looked = self.looked or first
        return first

    def gather(self, losses: Any, records: int, *, all_of_them: bool) -> Gathered:
        """Of the records that the losses are of: exactly, or at most, `records`.

        losses: (B,), a scalar with another reduction, or a function that computes it.

        Raises:
            LearnerRefused: losses that do not fit. RunCheckFailed: what the engine checks.
        """
        if self.window is not None:
            return self._averaged(self.window, losses, records, all_of_them)
        if not isinstance(losses, Tensor) and callable(losses):
            self.engine.discard()
            losses = losses()
        count = self._count(losses, records, all_of_them)
        gradients = self.engine.gradients(losses, count, apart=self._first(count))
        finite = losses.detach().isfinite()
        if self.keep:
            return kept(gradients.per_record(), finite)
        norms = gradients.norms.detach()
        if norms.shape != (count,):
            raise RunCheckFailed(f"norms: shape {tuple(norms.shape)} for {count} records")
        return Gathered(torch.where(finite, norms, torch.inf), gradients.weighted, gradients.routes)

    def _count(self, losses: Any, records: int, all_of_them: bool) -> int:
        if not isinstance(losses, Tensor):
            raise LearnerRefused(f"loss: a {type(losses).__name__}; give the tensor (B,) of the records' losses")
        if not all_of_them and losses.ndim == 1:
            records = min(records, len(losses))
        check_losses(losses, records, self.reduction)
        return records

    def _averaged(self, window: momentum.Window, losses: Any, records: int, all_of_them: bool) -> Gathered:
        if isinstance(losses, Tensor) or not callable(losses):
            raise LearnerRefused(
                "step: inner momentum needs the losses at earlier weights too; give a function: "
                'trainer.step(lambda: F.cross_entropy(model(x), y, reduction="none"))'
            )
        finite = []

        def per_record() -> momentum.PerRecord:
            self.engine.discard()
            values = losses()
            count = self._count(values, records, all_of_them)
            finite.append(values.detach().isfinite().all())
            return self.engine.gradients(values, count, apart=self._first(count)).per_record()

        return kept(window.average(self.parameters, per_record), torch.stack(finite).all())
