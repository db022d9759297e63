"""Embeddings: a record's gradient has a row for each different index, the sum of the gradients where it occurs."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from learners.engines.layers.rule import GRAM, LayerRule, Part, wide
from learners.refused import LearnerRefused


class EmbeddingRule(LayerRule):
    modules: ClassVar = (nn.Embedding,)

    def __init__(self, module: nn.Module):
        super().__init__(module)
        if module.max_norm is not None:
            raise LearnerRefused(
                "Embedding: max_norm rescales rows that the batch uses, without noise; build it with max_norm=None"
            )
        if module.scale_grad_by_freq:
            raise LearnerRefused(
                "Embedding: scale_grad_by_freq divides by how often the batch uses an index, which mixes records; "
                "build it with scale_grad_by_freq=False"
            )

    def part(self, kept: Tensor, gradient: Tensor) -> Part:
        return Rows(kept.reshape(len(kept), -1), wide(gradient), self.module)

    def costs(self, kept: Tensor, output: Tensor) -> dict[str, int]:
        positions = kept[0].numel()
        return {GRAM: positions**2 * output.shape[-1]}


class Rows(Part):
    """indices (B, T), gradients (B, …, d)."""

    route = GRAM

    def __init__(self, indices: Tensor, gradients: Tensor, module: nn.Embedding):
        self._indices, self._shape = indices, module.weight.shape
        self._gradients = gradients.reshape(*indices.shape, -1)
        if module.padding_idx is not None:
            self._gradients = self._gradients * (indices != module.padding_idx)[..., None]

    def squared_norms(self) -> Tensor:
        gram = torch.bmm(self._gradients, self._gradients.mT)
        same = self._indices[:, :, None] == self._indices[:, None, :]
        return gram.mul_(same).flatten(1).sum(1).clamp_(min=0)

    def weighted(self, weights: Tensor) -> dict[str, Tensor]:
        scaled = self._gradients * weights.to(self._gradients.dtype)[:, None, None]
        total = scaled.new_zeros(self._shape)
        return {"weight": total.index_add_(0, self._indices.flatten(), scaled.flatten(0, 1))}

    def per_record(self) -> dict[str, Tensor]:
        batch, (rows, width) = len(self._indices), self._shape
        total = self._gradients.new_zeros(batch * rows, width)
        places = self._indices + rows * torch.arange(batch, device=self._indices.device)[:, None]
        total.index_add_(0, places.flatten(), self._gradients.flatten(0, 1))
        return {"weight": total.view(batch, rows, width)}
