"""Whether the losses of single records depend on those records alone: seen in the graph of a batch that was run."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from learners.engines.units import Unit
from learners.refused import LearnerRefused


def check_apart(units: Sequence[Unit], losses: Tensor) -> None:
    """The gradients of the first and of the last record's loss must be 0 at what layers give for all others.

    losses: (B,); what is found depends on the code, not on what is learned. Nothing is found of mixing that no gradient
    passes (a factor computed without one). The graph is kept for the pass that follows.

    Raises:
        LearnerRefused: the layer beyond which records mix, in the model or in the loss.
    """
    batch = len(losses)
    places = [
        (unit, edge, unit.rule.along(slot))
        for unit in units
        for use in unit.uses
        for slot, edge in enumerate(use.edges)
        if edge is not None
    ]
    if batch < 2 or not places:
        return
    for one in (0, batch - 1):
        try:
            gradients = torch.autograd.grad(
                losses[one], [edge for _, edge, _ in places], allow_unused=True, retain_graph=True
            )
        except RuntimeError as problem:
            if "retain_graph" not in str(problem):
                raise
            return  # compiled code may be gone through once only
        for (unit, _, along), gradient in zip(places, gradients, strict=True):
            if gradient is None or gradient.ndim <= along or gradient.shape[along] != batch:
                continue
            others = gradient.narrow(along, 0 if one else 1, batch - 1)
            if others.nan_to_num().any():  # 0 times what is not finite
                raise LearnerRefused(
                    f"loss: that of one record depends on what {unit.title()} gives for others; records mix in the "
                    "model after it, or in the loss: normalise, attend and average within each record"
                )
