"""Linear layers, on vectors (B, d) and on sequences (B, …, d)."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from learners.engines.layers.products import OuterProduct, Products, product_costs
from learners.engines.layers.rule import PRODUCT, LayerRule, Part, wide


class LinearRule(LayerRule):
    modules: ClassVar = (nn.Linear,)

    def part(self, kept: Tensor, gradient: Tensor) -> Part:
        return linear_part(kept, gradient, "weight" in self.names, "bias" in self.names, self._route(kept, gradient))

    def costs(self, kept: Tensor, output: Tensor) -> dict[str, int]:
        return _costs(kept, output)


def linear_part(kept: Tensor, gradient: Tensor, weight: bool, bias: bool, route: str | None = None) -> Part:
    """Of one linear map: inputs (B, …, d), gradients at the outputs (B, …, p), and which parameters are learned.

    route: by default the cheapest.
    """
    inputs, gradients = wide(kept), wide(gradient)
    batch, d, p = len(inputs), inputs.shape[-1], gradients.shape[-1]
    if route is None:
        costs = _costs(kept, gradient)
        route = min(costs, key=costs.__getitem__)
    if route == PRODUCT:
        return OuterProduct(inputs.reshape(batch, d), gradients.reshape(batch, p), weight, bias)
    shape = torch.Size((p, d))
    columns, rows = inputs.reshape(batch, 1, -1, d), gradients.reshape(batch, 1, -1, p)
    return Products(route, columns.__getitem__, rows, shape, weight=weight, bias=bias)


def _costs(kept: Tensor, output: Tensor) -> dict[str, int]:
    return product_costs(math.prod(output.shape[1:-1]), kept.shape[-1], output.shape[-1])
