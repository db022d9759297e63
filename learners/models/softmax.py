"""Softmax regression: θ holds one row of d parameters for each of k classes, flattened class by class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from learners.models.model import Batch, one_batch


@dataclass(frozen=True)
class Softmax:
    """log Σ_i e^{⟨θ_i,x⟩} − ⟨θ_y,x⟩, y in 0 … classes − 1; the data gradient is (p − e_y) ⊗ x, never stored as such.

    bound: what no data gradient exceeds. cut: whether longer ones are clipped to it, which need not leave a convex loss
    (docs/theory.md L6). Where the bound is √2·feature_norm no gradient is longer but by rounding, and a cut by a hair
    would not be the gradient of anything convex; all of them are multiplied by `room` instead, a factor a hair below
    1, which is the gradient of as much less of the same loss.
    """

    classes: int
    features: int
    bound: float
    cut: bool
    room: float

    @property
    def parameters(self) -> int:
        return self.classes * self.features

    def batch(self, features: Tensor, labels: Tensor, present: Tensor) -> Batch:
        """An absent record's features are 0, and with them its data gradient."""
        return one_batch(features, labels.long(), present, self.bound)

    def scores(self, x: Tensor, features: Tensor) -> Tensor:
        """x (…, k·d), features (b, d): (…, b, k)."""
        return features @ x.unflatten(-1, (self.classes, self.features)).mT

    def gradient(self, x: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        residuals = torch.softmax(self.scores(x, batch.features), dim=-1)
        places = batch.labels.expand(residuals.shape[:-1]).unsqueeze(-1)
        residuals = residuals.scatter_add(-1, places, torch.full_like(residuals[..., :1], -1.0))
        norms = torch.linalg.vector_norm(residuals, dim=-1)
        factors = (batch.limits / norms).clamp(max=1.0) if self.cut else torch.full_like(norms, self.room)
        residuals = residuals * factors.unsqueeze(-1)
        return (residuals.mT @ batch.features).flatten(-2) / batch.size, norms * factors * batch.norms
