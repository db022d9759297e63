"""Linear layers, on vectors (B, d) and on sequences (B, …, d)."""

from __future__ import annotations

import math
from typing import ClassVar

from torch import Tensor, nn

from learners.engines.layers.products import OuterProduct, Products, product_costs
from learners.engines.layers.rule import PRODUCT, LayerRule, Part, wide


class LinearRule(LayerRule):
    modules: ClassVar = (nn.Linear,)

    def part(self, kept: Tensor, gradient: Tensor) -> Part:
        route = self._route(kept, gradient)
        inputs, gradients = wide(kept), wide(gradient)
        weight, bias = "weight" in self.names, "bias" in self.names
        batch, d, p = len(inputs), inputs.shape[-1], gradients.shape[-1]
        if route == PRODUCT:
            return OuterProduct(inputs.reshape(batch, d), gradients.reshape(batch, p), weight, bias)
        rows, columns = gradients.reshape(batch, 1, -1, p).mT, inputs.reshape(batch, 1, -1, d).mT
        return Products(route, columns, rows, self.shape, weight, bias)

    def costs(self, kept: Tensor, output: Tensor) -> dict[str, int]:
        return product_costs(math.prod(output.shape[1:-1]), kept.shape[-1], output.shape[-1])
