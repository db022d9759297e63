"""Norms of per-record gradients and one weighted sum of them, by book-keeping.

One forward pass in which hooks keep every learned layer's input; one backward pass for the gradients at the layers'
*outputs* alone, so no gradient of a weight is computed and no `.grad` touched. From these two the rules of
`learners/engines/layers/` give each record's norm, and once the weights are known the one sum Σᵢ wᵢ gᵢ (Bu, Wang, Zha
and Karypis, Differentially private optimization on large model at small cost, arXiv 2210.00038v2). All of it is exact
up to rounding; what is in half precision is cast to float32 first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node, get_gradient_edge
from torch.utils._pytree import tree_flatten

from learners.engines.apart import check_apart
from learners.engines.graph import compiled_together, reached
from learners.engines.layers import Materialised, Part
from learners.engines.layers.rule import wide
from learners.engines.parameters import Learned
from learners.engines.refusals import check_module, graph_is_there
from learners.engines.repeated import check_repeated, repeated
from learners.engines.units import Unit, Use, shared_by, units_of
from learners.refused import LearnerRefused
from learners.stepping import RunCheckFailed

Reduction = Literal["none", "mean", "sum"]


@dataclass(frozen=True)
class Gradients:
    """Of one batch of B records. norms: (B,), each record's 2-norm over all learned parameters, float32 at least."""

    norms: Tensor
    _parts: tuple[tuple[dict[str, str], Part], ...]

    @property
    def routes(self) -> frozenset[str]:
        """Which routes were taken; by the shapes alone."""
        return frozenset(route for _, part in self._parts for route in part.route.split(" + "))

    def weighted(self, weights: Tensor) -> dict[str, Tensor]:
        """Σᵢ weightsᵢ gᵢ for weights (B,), by the parameter's name in the network; float32 at least."""
        return self._named("weighted", weights)

    def per_record(self) -> dict[str, Tensor]:
        """(B, *shape), every record's gradient by the parameter's name: B times the network's size in memory."""
        return self._named("per_record")

    def _named(self, method: str, *arguments: Tensor) -> dict[str, Tensor]:
        with torch.autocast(self.norms.device.type, enabled=False):
            return {
                names[name]: value
                for names, part in self._parts
                for name, value in getattr(part, method)(*arguments).items()
            }


class BookKeeping:
    """Hooks on a network's learned layers, from construction to `remove`.

    reduction: of the losses handed to `gradients`: "none" for a tensor (B,), else what the scalar is of them.
    second: names of layers whose records lie along the second dimension, (T, B, …), or of modules all of whose layers
    are such; torch's attention, transformers and recurrent layers say it themselves (batch_first).
    LearnerRefused, naming the layer, where a parameter's gradient cannot be attributed to records.
    """

    def __init__(self, module: nn.Module, *, reduction: Reduction = "none", second: Collection[str] = ()):
        if reduction not in ("none", "mean", "sum"):
            raise LearnerRefused(f"reduction = {reduction!r}: none, mean or sum")
        check_module(module)
        self.module, self.reduction = module, reduction
        self._units = tuple(units_of(module, second=second))
        self._learned = Learned.of(module)
        self._shared = shared_by(self._units)
        self._listening = True
        self._handles = [
            # In compiled code, too, hooks are run as they are: code ends before them and begins again behind them.
            unit.rule.module.register_forward_hook(torch.compiler.disable(self._keeper(unit)), with_kwargs=True)
            for unit in self._units
        ]
        for unit in self._units:
            unit.rule.attach()

    def gradients(self, losses: Tensor, batch: int | None = None, *, apart: bool = False) -> Gradients:
        """From the losses of the forward pass that the hooks have seen; what they kept is let go.

        losses: (B,), or a scalar with `batch` records where reduction says so. RunCheckFailed where a learned layer was
        not seen, or what was kept has changed since; LearnerRefused where the losses or a layer are not by record, or
        where backward() was called on the losses.
        apart: look whether the loss of one record depends on what layers give for others (two backward passes more).
        """
        batch = self._batch(losses, batch)
        total = losses.sum() if self.reduction == "none" else losses * (batch if self.reduction == "mean" else 1)
        self._listening = False  # what is checkpointed, or has no rule of its own, is run again below
        try:
            seen = self._check(losses)
            with graph_is_there(), torch.autocast(losses.device.type, enabled=False):
                if apart and self.reduction == "none":
                    check_apart(self._units, losses)
                parts = self._attributed(total, batch, seen)
                squares = [part.squared_norms() for _, part in parts]
        finally:
            self._listening = True
            self.discard()
        norms = torch.stack(squares).sum(0).sqrt_() if squares else wide(losses.detach()).new_zeros(batch)
        return Gradients(norms, parts)

    def _attributed(self, total: Tensor, batch: int, seen: set[Node]) -> tuple[tuple[dict[str, str], Part], ...]:
        places = [(unit, use, slot) for unit in self._units for use in unit.uses for slot in range(len(use.edges))]
        edges = [edge for _, use, slot in places if (edge := use.edges[slot]) is not None]
        if not edges:
            raise RunCheckFailed("the losses depend on no learned layer: was the forward pass run with gradients?")
        again = repeated(self._units, self._learned.tensors)
        points: list[Any] = [*edges, *again.values()]
        everything = torch.autograd.grad(total, points, allow_unused=True)
        found = iter(everything)
        asked: dict[int, list[Tensor | None]] = {}
        for unit, use, slot in places:
            edge = use.edges[slot]
            gradient = None if edge is None else next(found)
            if edge is not None and (compiled_together(edge.node) or (gradient is None and edge.node in seen)):
                raise RunCheckFailed(
                    f"{unit.title()}: its output was compiled together with what follows it, so that no gradient can "
                    "be asked for in between; make the engine before the model is compiled, or leave it uncompiled"
                )
            asked.setdefault(id(use), []).append(gradient)
        parts = tuple(self._parts(asked, batch))
        check_repeated(parts, dict(zip(again, everything[len(edges) :], strict=True)), everything)
        return parts

    def discard(self) -> None:
        """Lets go of what the hooks kept, as when a batch is given up."""
        for unit in self._units:
            unit.uses.clear()

    def remove(self) -> None:
        """Takes the hooks off the network."""
        self.discard()
        for handle in self._handles:
            handle.remove()
        for unit in self._units:
            unit.rule.detach()

    def units(self) -> tuple[Unit, ...]:
        return self._units

    def _batch(self, losses: Tensor, batch: int | None) -> int:
        if self.reduction == "none":
            if losses.dim() != 1:
                raise LearnerRefused(
                    f"losses of shape {tuple(losses.shape)}: one for each record is needed, as reduction='none' gives"
                )
            return len(losses)
        if losses.numel() != 1:
            raise LearnerRefused(f"losses of shape {tuple(losses.shape)}: reduction = {self.reduction!r} is a scalar")
        if batch is None:
            raise LearnerRefused(f"reduction = {self.reduction!r}: say of how many records (batch)")
        return batch

    def _check(self, losses: Tensor) -> set[Node]:
        """Which outputs of layers the losses depend on."""
        self._learned.check_same(self.module)
        for unit in self._units:
            if not unit.uses:
                raise RunCheckFailed(
                    f"{unit.title()}: its hook saw no call in this step, so its gradient cannot be attributed; it is "
                    "unused, run by other code than its forward, or compiled before its hooks were there"
                )
            for use in unit.uses:
                for tensor, version, what in use.watched:
                    if tensor._version != version:
                        raise RunCheckFailed(
                            f"{unit.title()}: its {what} was changed in place after it was used; use the operation "
                            "that returns a new tensor (inplace=False)"
                        )
        uses = [use for unit in self._units for use in unit.uses]
        composed = {name for unit in self._units if unit.composed for name in unit.parameters.values()}
        outside, seen = reached(
            losses.grad_fn,
            [(use.inputs, [edge.node for edge in use.edges if edge is not None]) for use in uses],
            {id(value): name for name, value in self._learned.tensors.items() if name not in composed},
        )
        if outside:
            raise RunCheckFailed(
                f"parameters: {', '.join(outside)} reached the losses by another way than a call of the layer that "
                "owns it; call the layer itself, or give each use a parameter of its own"
            )
        return seen

    def _keeper(self, unit: Unit) -> Any:
        """The forward hook of one unit. The gradient's place is the edge in the graph, not the output: an activation
        that overwrites the output gives that tensor another place."""

        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
            if module is not unit.rule.module or not self._listening or not torch.is_grad_enabled():
                return output  # a deep copy of the network, such as an average of its weights, has these hooks, too
            kept = unit.rule.keep(args, kwargs)
            handed_on = unit.rule.handed_on(output)
            outputs = unit.rule.outputs(handed_on)
            taken = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, Tensor)]
            watched = [(leaf.detach(), leaf._version, "input") for leaf in taken]
            # Overwriting a view gives the graph a new edge for it, so views must stay as they are.
            watched += [(one.detach(), one._version, "output") for one in outputs if one._is_view()]
            edges = [get_gradient_edge(one) if one.requires_grad else None for one in outputs]
            inputs = [get_gradient_edge(leaf).node for leaf in taken if leaf.requires_grad]
            unit.uses.append(Use(kept, edges, watched, inputs))
            return handed_on

        return hook

    def _parts(self, asked: dict[int, list[Tensor | None]], batch: int) -> Iterator[tuple[dict[str, str], Part]]:
        """Of single uses as they are; where a parameter has several, their per-record gradients are added: squared
        norms are not additive over uses of one parameter."""
        added: dict[str, Tensor] = {}
        for unit in self._units:
            parts = []
            for use in unit.uses:
                gradients = asked[id(use)]
                for slot, gradient in enumerate(gradients):
                    along = unit.rule.along(slot)
                    if gradient is not None and (gradient.dim() <= along or gradient.shape[along] != batch):
                        raise LearnerRefused(
                            f"{unit.title()}: its output has shape {tuple(gradient.shape)} where {batch} records are "
                            f"expected along the {('first', 'second')[along]} dimension; a layer used once for all "
                            "records cannot be attributed"
                        )
                if any(gradient is not None for gradient in gradients):
                    parts.append(unit.rule.part(use.kept, *gradients))
            if len(parts) == 1 and not self._shared & set(unit.parameters.values()):
                yield unit.parameters, parts[0]
                continue
            for part in parts:
                for name, gradient in part.per_record().items():
                    whole = unit.parameters[name]
                    added[whole] = added[whole] + gradient if whole in added else gradient
        if added:
            yield {name: name for name in added}, Materialised(added)
