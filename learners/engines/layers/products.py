"""Gradients that are sums of outer products: gᵢ = Σ_t e_t a_tᵀ over the T positions of record i.

With A (T, d) the inputs at the positions and E (T, p) the gradients at the outputs, gᵢ = EᵀA, and
|gᵢ|² = Σ_{s,t} (A Aᵀ)_{st} (E Eᵀ)_{st}: the Gram form, T²(d + p) multiplications and no p·d numbers in memory, or
T·d·p for gᵢ itself, which is kept for the sum, or computed for the norm alone where it is large. With one position
|gᵢ| = |a|·|e|.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from learners.engines.layers.rule import GRAM, MATERIALISE, NORM_LENGTH, PRODUCT, TWICE, Part, chunks, sum_of_squares

# Measured on one core (tests/benchmarks/private_step.py), in multiplications of one large matrix product.
GRAM_SLOWER = 1.25  # the products of a Gram matrix are small
MEMORY = 60  # a number that is kept: new memory, written once and read twice
# A Gram form is off by so many roundings of its terms' sizes (float32: measured; the worst case is more), and may be
# off by so many of the squared norm, a quarter of what trainers allow for (learners.training.precision).
ROUNDINGS, ALLOWED = 8, NORM_LENGTH // 4
CACHE = 8  # a number that is written and read in the cache
COPY = 40  # a number that is copied from where it lies scattered


def product_costs(
    positions: int, inputs: int, outputs: int, groups: int = 1, *, copied: int = 0, kept: bool = True
) -> dict[str, int]:
    """Multiplications for one record by route; inputs and outputs are those of one group.

    copied: numbers that have to be copied to have the inputs; kept: once for both uses of them by the Gram form.
    Per-record gradients are kept only where they take no more memory than what they are made from.
    """
    size = inputs * outputs
    if positions == 1 and not copied:
        return {PRODUCT: groups * (inputs + outputs + size)}
    product, copy = groups * positions * size, COPY * copied
    gram = round(GRAM_SLOWER * groups * positions**2 * (inputs + outputs))
    costs = {
        GRAM: product + gram + (copy if kept else 2 * copy),
        TWICE: 2 * (product + copy) + CACHE * groups * size,
    }
    if size <= positions * (inputs + outputs):
        costs[MATERIALISE] = product + copy + MEMORY * groups * size
    return costs


class OuterProduct(Part):
    """One position: inputs (B, d), gradients (B, p); weight (p, d)."""

    route = PRODUCT

    def __init__(self, inputs: Tensor, gradients: Tensor, weight: bool, bias: bool):
        self._inputs, self._gradients, self._weight, self._bias = inputs, gradients, weight, bias

    def squared_norms(self) -> Tensor:
        outputs = sum_of_squares(self._gradients)
        if not self._weight:
            return outputs
        # Squares that underflow count as the least normal number each: the other factor may be huge, so that what they
        # hide is not small.
        inputs = sum_of_squares(self._inputs).add_(_hidden(self._inputs))
        outputs = outputs.add_(_hidden(self._gradients))
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


def _hidden(rows: Tensor) -> float:
    """What squares of (B, n) numbers may be more than their computed sum because each of them underflows."""
    return rows.shape[1] * torch.finfo(rows.dtype).tiny


def _rounding(inputs: Tensor, outputs: Tensor, columns: Tensor, rows: Tensor, groups: int) -> Tensor:
    """(b,): by how much the Gram form may be off, from A Aᵀ and E Eᵀ (b·G, T, T) of columns A and rows E: ROUNDINGS of
    (Σ_t |a_t|·|e_t|)², and what underflows in one factor, times the other one."""
    unit = torch.finfo(inputs.dtype).eps / 2
    lengths = [
        (gram.diagonal(dim1=1, dim2=2) + _hidden(side[0])).sqrt().view(-1, groups * gram.shape[1])
        for gram, side in ((inputs, columns), (outputs, rows))
    ]
    error = (lengths[0] * lengths[1]).sum(1).square_().mul_(ROUNDINGS * unit)
    for length, other in zip(lengths, (rows, columns), strict=True):
        error += length.sum(1).mul_(math.sqrt(_hidden(other[0]))).square_()
    return error


class Products(Part):
    """Many positions, G groups: inputs (B, G, T, d), gradients (B, G, T, p); weight (G·p, d) before it is reshaped to
    `shape`, bias (G·p,).

    inputs: those of a slice of the records. copied: how many numbers it writes for a record, 0 for a view. Everything
    is done in parts of the batch that fit the cache.
    """

    def __init__(
        self,
        route: str,
        inputs: Callable[[slice], Tensor],
        gradients: Tensor,
        shape: torch.Size,
        *,
        weight: bool = True,
        bias: bool = True,
        copied: int = 0,
    ):
        self.route = route
        self._inputs, self._gradients, self._shape, self._copied = inputs, gradients, shape, copied
        self._weight = weight
        self._biases = gradients.sum(2).flatten(1) if bias else None
        self._products = self._materialise() if weight and route == MATERIALISE else None

    def _materialise(self) -> Tensor:
        """(B, G·p·d)."""
        found = self._gradients.new_empty(len(self._gradients), math.prod(self._shape))
        for part in chunks(len(found), self._copied):
            self._multiply(part, found[part])
        return found

    def _multiply(self, part: slice, out: Tensor) -> None:
        """Per-record gradients of a slice, into (b, G·p·d)."""
        rows, columns = self._gradients[part].flatten(0, 1), self._inputs(part).flatten(0, 1)
        torch.bmm(rows.mT, columns, out=out.view(len(rows), rows.shape[-1], columns.shape[-1]))

    def squared_norms(self) -> Tensor:
        norms = self._weight_norms() if self._weight else None
        if self._biases is None:
            assert norms is not None, "a part has at least one parameter"
            return norms
        biases = sum_of_squares(self._biases)
        return biases if norms is None else biases.add_(norms)

    def _weight_norms(self) -> Tensor:
        if self._products is not None:
            return sum_of_squares(self._products)
        batch, groups, positions, _ = self._gradients.shape
        size, found = math.prod(self._shape), []
        if self.route == GRAM:
            for part in chunks(batch, self._copied + 2 * groups * positions**2):
                columns, rows = self._inputs(part).flatten(0, 1), self._gradients[part].flatten(0, 1)
                inputs, outputs = torch.bmm(columns, columns.mT), torch.bmm(rows, rows.mT)
                error = _rounding(inputs, outputs, columns, rows, groups)
                squares = inputs.mul_(outputs).view(-1, groups * positions**2).sum(1)
                found.append(self._sure(squares, error, part))
        else:
            for part in chunks(batch, self._copied + size):
                products = self._gradients.new_empty(len(self._gradients[part]), size)
                self._multiply(part, products)
                found.append(sum_of_squares(products))
        # Rounding can leave a tiny negative number where the terms of a Gram matrix cancel.
        return torch.cat(found).clamp_(min=0) if found else self._gradients.new_zeros(0)

    def _sure(self, squares: Tensor, error: Tensor, part: slice) -> Tensor:
        """Squared norms (b,) by the Gram form, or better ones where they may be off by too much: where terms cancel,
        their rounding is of the order of the terms, however small the norm is.

        On the CPU such records' gradients are computed in float64. (Numbers in float64 have no wider type: where terms
        cancel to a millionth and less, even these norms are off by more.) On a device, where asking would wait for it,
        they get the upper end: that scales them down a little more.
        """
        doubtful = error > ALLOWED * torch.finfo(squares.dtype).eps / 2 * squares
        if squares.device.type != "cpu":
            return torch.where(doubtful, squares.clamp(min=0) + error, squares)
        for place in doubtful.nonzero().flatten().tolist() if doubtful.any() else ():
            one = slice(part.start + place, part.start + place + 1)
            if not self._gradients[one].any():
                continue  # the norm is zero
            rows, columns = self._gradients[one].double().flatten(0, 1), self._inputs(one).double().flatten(0, 1)
            squares[place] = torch.bmm(rows.mT, columns).square().sum()
        return squares

    def weighted(self, weights: Tensor) -> dict[str, Tensor]:
        weights = weights.to(self._gradients.dtype)
        found = {}
        if self._products is not None:
            found["weight"] = (weights @ self._products).view(self._shape)
        elif self._weight:
            found["weight"] = self._sum(weights[:, None, None, None]).view(self._shape)
        if self._biases is not None:
            found["bias"] = weights @ self._biases
        return found

    def _sum(self, weights: Tensor) -> Tensor:
        """(G, p, d): products over records and positions, added up. The narrower side is scaled."""
        batch, groups, positions, p = self._gradients.shape
        d = math.prod(self._shape) // (groups * p)
        total = self._gradients.new_zeros(groups, p, d)
        for part in chunks(batch, self._copied + groups * positions * min(d, p)):
            rows, columns = self._gradients[part], self._inputs(part)
            if p <= d:
                rows = torch.mul(rows, weights[part], out=rows.new_empty(rows.shape))
            else:
                columns = torch.mul(columns, weights[part], out=columns.new_empty(columns.shape))
            if groups == 1:
                total[0].addmm_(rows.reshape(-1, p).T, columns.reshape(-1, d))
            else:
                rows, columns = (side.transpose(0, 1).flatten(1, 2) for side in (rows, columns))
                total.baddbmm_(rows.mT, columns)
        return total

    def per_record(self) -> dict[str, Tensor]:
        found = {}
        if self._weight:
            products = self._materialise() if self._products is None else self._products
            found["weight"] = products.view(-1, *self._shape)
        if self._biases is not None:
            found["bias"] = self._biases
        return found
