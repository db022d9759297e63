"""What a rule for a family of layers says: the part of every record's gradient that one use of a layer contributes.

A rule is built once for a module and attributes each of its uses: `rule.part(kept, gradient)` is the *part* of that
use, from the input that the hook kept and the gradient of the summed loss at the output. Records lie along the first
dimension of both. What a part had to compute for its norms it keeps for the weighted sum.

Adding a family: one file with a class that names its `modules` and `learns`, and gives `part` (and `costs` where it has
a choice of routes); `Materialised` does the rest. List it in `learners/engines/layers/__init__.py`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

GRAM, MATERIALISE, TWICE, PRODUCT, ROWS = "gram", "materialise", "twice", "product", "rows"
"""Routes: Gram matrices of the positions; per-record gradients that are kept; such that are not, and the sum's product
after them; the product of two norms (one position); the rows of an embedding that a record uses."""
CHUNK = 2**18  # numbers that a core's cache takes beside what is read


def wide(x: Tensor) -> Tensor:
    """x in float32 at least: norms and sums of half-precision numbers are not to be trusted (docs/theory.md T28)."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


class Part(ABC):
    """One use of one layer in one batch of B records; `route` says how its norms are computed."""

    route: str

    @abstractmethod
    def squared_norms(self) -> Tensor:
        """(B,): the squared 2-norm of each record's gradient with respect to the layer's learned parameters."""

    @abstractmethod
    def weighted(self, weights: Tensor) -> dict[str, Tensor]:
        """Σᵢ weightsᵢ gᵢ for weights (B,), by the parameter's name in the layer, of the parameter's shape."""

    @abstractmethod
    def per_record(self) -> dict[str, Tensor]:
        """(B, *shape): every record's gradient, by the parameter's name in the layer."""


class Materialised(Part):
    """Per-record gradients in memory, (B, *shape) by name."""

    route = MATERIALISE

    def __init__(self, gradients: Mapping[str, Tensor]):
        self._gradients = {name: wide(gradient) for name, gradient in gradients.items()}

    def squared_norms(self) -> Tensor:
        return sum_of_squares(*self._gradients.values())

    def weighted(self, weights: Tensor) -> dict[str, Tensor]:
        return {name: combined(weights, gradient) for name, gradient in self._gradients.items()}

    def per_record(self) -> dict[str, Tensor]:
        return dict(self._gradients)


class LayerRule(ABC):
    """The rule of one module. A subclass is for the classes in `modules`, and for subclasses that keep their forward.

    learns: the names that these classes' own parameters can have; a module with others is not theirs.
    names: those that are learned (requires_grad) when the rule is built.
    """

    modules: ClassVar[tuple[type[nn.Module], ...]]
    learns: ClassVar[tuple[str, ...]] = ("weight", "bias")

    def __init__(self, module: nn.Module):
        """LearnerRefused if the module is set so that records cannot be told apart, or that it leaks them."""
        self.module = module
        self.shape = weight.shape if isinstance(weight := getattr(module, "weight", None), Tensor) else torch.Size()
        self.names = tuple(name for name, parameter in module.named_parameters() if parameter.requires_grad)

    def attach(self) -> None:
        """Called when the engine's hooks are set, for a rule that needs more of its module than a hook sees."""
        return

    def detach(self) -> None:
        """Undoes `attach`."""
        return

    def keep(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Of the forward pass's arguments, what `part` needs; by default the first one, detached."""
        value = args[0] if args else next(iter(kwargs.values()))
        return value.detach()

    def taken(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Tensor]:
        """The tensors that the module takes in, records along the first dimension; for the probe."""
        return [leaf for leaf in tree_flatten(self.keep(args, kwargs))[0] if isinstance(leaf, Tensor)]

    def outputs(self, output: Any) -> tuple[Tensor, ...]:
        """The tensors of the module's output at which gradients are asked for."""
        return (output,)

    def along(self, slot: int) -> int:
        """The dimension of the records in that output, counted in the order of `outputs`."""
        return 0

    def handed_on(self, output: Any) -> Any:
        """What the network goes on with. Where one output is computed from another, its gradient would be counted in
        both; `separated` makes them independent."""
        return output

    @abstractmethod
    def part(self, kept: Any, *gradients: Tensor | None) -> Part:
        """Of one use: what `keep` returned, and the gradient at each of `outputs` (None where the loss does not
        depend on it; never so for a single output)."""

    def costs(self, kept: Any, output: Tensor) -> dict[str, int]:
        """Multiplications for each record by route; the cheapest is taken. The shapes alone matter."""
        return {MATERIALISE: output[0].numel()}

    def costs_of_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> dict[str, int]:
        """`costs` of a call of the module; for the explanation."""
        return self.costs(self.keep(args, kwargs), self.outputs(output)[0])

    def _route(self, kept: Any, output: Tensor) -> str:
        costs = self.costs(kept, output)
        return min(costs, key=costs.__getitem__)


def separated(output: Any) -> Any:
    """Copies of the tensors of an output, where there are several."""
    leaves, structure = tree_flatten(output)
    if sum(isinstance(leaf, Tensor) for leaf in leaves) < 2:
        return output
    return tree_unflatten([leaf.clone() if isinstance(leaf, Tensor) else leaf for leaf in leaves], structure)


def chunks(batch: int, numbers: int) -> Iterator[slice]:
    """Slices of a batch, so that `numbers` for each record fit the cache: new memory for all of it costs more."""
    step = max(1, CHUNK // max(numbers, 1))
    return (slice(start, start + step) for start in range(0, batch, step))


BLOCK = 4096  # squares that are added in the gradients' own type; blocks are added in float64
NORM_LENGTH = 4 * BLOCK + 64
"""The rounding of a part's squared norm is at most that of so many numbers added in its type, one after the other
(learners/training/precision.py): two factors of less than 2·BLOCK each where a part is one outer product, and what few
operations follow. It is none where terms cancel, route "gram"."""


def sum_of_squares(*gradients: Tensor) -> Tensor:
    """(B,): over everything but the first dimension, of all of them."""
    total: Tensor | None = None
    for gradient in gradients:
        square = _squared_norms(gradient.flatten(1))
        total = square if total is None else total.add_(square)
    assert total is not None, "a part has at least one parameter"
    return total


def _squared_norms(rows: Tensor) -> Tensor:
    """(B,): of rows (B, n), whatever n is at no more rounding than a block has."""
    blocks = rows.shape[1] // BLOCK
    if blocks < 2:
        return torch.linalg.vector_norm(rows, dim=1).square_()
    whole = torch.linalg.vector_norm(rows[:, : blocks * BLOCK].unflatten(1, (blocks, BLOCK)), dim=2)
    squares = whole.to(torch.float64).square().sum(1)
    if rest := rows.shape[1] - blocks * BLOCK:
        squares += torch.linalg.vector_norm(rows[:, -rest:], dim=1).to(torch.float64).square()
    return squares.to(rows.dtype)


def combined(weights: Tensor, gradient: Tensor) -> Tensor:
    """Σᵢ weightsᵢ gradientᵢ, of the shape of one gradient."""
    count = math.prod(gradient.shape[1:])
    return (weights.to(gradient.dtype) @ gradient.reshape(len(gradient), count)).reshape(gradient.shape[1:])
