"""Gradients that are sums of outer products: gᵢ = Σ_t e_t a_tᵀ over the T positions of record i.

With A (T, d) the inputs at the positions and E (T, p) the gradients at the outputs, gᵢ = EᵀA, and
|gᵢ|² = Σ_{s,t} (A Aᵀ)_{st} (E Eᵀ)_{st}: the Gram form, T²(d + p) multiplications and no p·d numbers in memory, or
T·d·p for gᵢ itself. With one position |gᵢ| = |a|·|e|.
"""

from __future__ import annotations

import torch
from torch import Tensor

from learners.engines.layers.rule import GRAM, MATERIALISE, PRODUCT, Part, combined, sum_of_squares


def product_costs(positions: int, inputs: int, outputs: int, groups: int = 1) -> dict[str, int]:
    """Multiplications for one record by route; inputs and outputs are those of one group."""
    if positions == 1:
        return {PRODUCT: groups * (inputs + outputs + inputs * outputs)}
    weighted = positions * inputs * outputs
    return {
        GRAM: groups * (positions**2 * (inputs + outputs) + weighted),
        # The product is reused for the sum. It is written once and read twice, from memory rather than from the cache.
        MATERIALISE: groups * (weighted + 3 * MEMORY * inputs * outputs),
    }


MEMORY = 8  # multiplications in the time that one number takes to or from memory


class OuterProduct(Part):
    """One position: inputs (B, d), gradients (B, p); weight (p, d)."""

    route = PRODUCT

    def __init__(self, inputs: Tensor, gradients: Tensor, weight: bool, bias: bool):
        self._inputs, self._gradients, self._weight, self._bias = inputs, gradients, weight, bias

    def squared_norms(self) -> Tensor:
        outputs = sum_of_squares(self._gradients)
        if not self._weight:
            return outputs
        inputs = sum_of_squares(self._inputs)
        return outputs.mul_(inputs.add_(1) if self._bias else inputs)

    def weighted(self, weights: Tensor) -> dict[str, Tensor]:
        weights = weights.to(self._gradients.dtype)
        found = {}
        if self._weight:
            found["weight"] = (self._gradients * weights[:, None]).T @ self._inputs
        if self._bias:
            found["bias"] = weights @ self._gradients
        return found

    def per_record(self) -> dict[str, Tensor]:
        found = {}
        if self._weight:
            found["weight"] = self._gradients[:, :, None] * self._inputs[:, None, :]
        if self._bias:
            found["bias"] = self._gradients
        return found


class Products(Part):
    """Many positions, G groups: inputs (B, G, d, T), gradients (B, G, p, T); weight (G·p, d) before it is reshaped to
    `shape`, bias (G·p,)."""

    def __init__(
        self, route: str, inputs: Tensor, gradients: Tensor, shape: torch.Size, weight: bool = True, bias: bool = True
    ):
        self.route = route
        self._inputs, self._gradients, self._shape, self._weight = inputs, gradients, shape, weight
        self._biases = gradients.sum(-1).flatten(1) if bias else None
        self._products = self._materialise() if weight and route == MATERIALISE else None

    def _materialise(self) -> Tensor:
        """(B, G, p, d)."""
        batch, groups = self._inputs.shape[:2]
        found = torch.bmm(self._gradients.flatten(0, 1), self._inputs.flatten(0, 1).mT)
        return found.view(batch, groups, *found.shape[1:])

    def squared_norms(self) -> Tensor:
        parts = [] if self._biases is None else [sum_of_squares(self._biases)]
        if self._products is not None:
            parts.append(sum_of_squares(self._products))
        elif self._weight:
            inputs, gradients = self._inputs.flatten(0, 1), self._gradients.flatten(0, 1)
            gram = torch.bmm(inputs.mT, inputs).mul_(torch.bmm(gradients.mT, gradients))
            # Rounding can leave a tiny negative number where the terms cancel.
            parts.append(gram.view(len(self._inputs), -1).sum(1).clamp_(min=0))
        return sum(parts[1:], parts[0])

    def weighted(self, weights: Tensor) -> dict[str, Tensor]:
        weights = weights.to(self._gradients.dtype)
        found = {}
        if self._products is not None:
            found["weight"] = combined(weights, self._products).reshape(self._shape)
        elif self._weight:
            scaled = self._gradients * weights[:, None, None, None]
            rows = scaled.permute(1, 2, 0, 3).flatten(2)  # (G, p, B·T)
            columns = self._inputs.permute(1, 0, 3, 2).flatten(1, 2)  # (G, B·T, d)
            found["weight"] = torch.bmm(rows, columns).reshape(self._shape)
        if self._biases is not None:
            found["bias"] = weights @ self._biases
        return found

    def per_record(self) -> dict[str, Tensor]:
        found = {}
        if self._weight:
            products = self._materialise() if self._products is None else self._products
            found["weight"] = products.reshape(len(self._inputs), *self._shape)
        if self._biases is not None:
            found["bias"] = self._biases
        return found
