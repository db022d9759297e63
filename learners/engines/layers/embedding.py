"""Embeddings: a record's gradient has a row for each different index, the sum of the gradients where it occurs."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from learners.engines.layers.rule import ROWS, LayerRule, Part, chunks, sum_of_squares, wide
from learners.refused import LearnerRefused


class EmbeddingRule(LayerRule):
    modules: ClassVar = (nn.Embedding,)
    module: nn.Embedding

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
        return {ROWS: 2 * math.prod(output.shape[1:])}


class Rows(Part):
    """indices (B, T), gradients (B, …, d)."""

    route = ROWS

    def __init__(self, indices: Tensor, gradients: Tensor, module: nn.Embedding):
        self._indices, self._shape = indices, module.weight.shape
        self._gradients = gradients.reshape(*indices.shape, -1)
        if module.padding_idx is not None:
            self._gradients = self._gradients * (indices != module.padding_idx)[..., None]

    def squared_norms(self) -> Tensor:
        """Each record's rows added up in T places of its own, numbered in the order of their indices."""
        batch, positions = self._indices.shape
        ordered, order = self._indices.sort(1)
        numbers = torch.zeros_like(ordered)
        numbers[:, 1:] = (ordered[:, 1:] != ordered[:, :-1]).cumsum(1)
        places = torch.empty_like(numbers).scatter_(1, order, numbers)
        norms = []
        for part in chunks(batch, self._gradients[:1].numel()):
            gradients = self._gradients[part]
            first = positions * torch.arange(len(gradients), device=gradients.device)[:, None]
            rows = gradients.new_zeros(len(gradients) * positions, gradients.shape[-1])
            rows.index_add_(0, (places[part] + first).flatten(), gradients.flatten(0, 1))
            norms.append(sum_of_squares(rows.view(len(gradients), -1)))
        return torch.cat(norms) if norms else self._gradients.new_zeros(0)

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
