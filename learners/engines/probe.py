"""Finds by trial what refusals.py cannot know by class: a forward method or a loss in which records mix.

One record is replaced by another and nothing else: no other record's outputs may change, nor what any learned layer
takes in for the others, nor what the module keeps. The batch may be made up, so that nothing is learned from the
records; a probe that passes is evidence, not a proof.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

from learners.engines.engine import Reduction
from learners.engines.units import Unit, units_of
from learners.refused import LearnerRefused

Criterion = Callable[[Tensor, Tensor], Tensor]
RELATIVE = 1e-6  # of the largest number: what another order of summation may change
TRIED = 8  # records that are replaced, at least, where there are as many
REPEATED = 1e-2  # two runs that should be the same may differ by that, on hardware that sums in any order


def check_records_apart(module: nn.Module, *inputs: object, second: Collection[str] = ()) -> None:
    """Refuse a module in which one record changes what another gives.

    module: as it will be trained; its mode is respected, its buffers are put back, the caller's random state is left
    alone. inputs: what it is called with, a batch of at least two records; tensors (B, …) in it hold them. second: as
    the engine is given it.

    Raises:
        LearnerRefused: records mix, or the module keeps what it saw; the first layer in which they do is named.
    """
    leaves, structure = tree_flatten(inputs)
    records = next((len(leaf) for leaf in leaves if isinstance(leaf, Tensor) and leaf.ndim), 0)
    if records < 2:
        raise LearnerRefused("probe: give a batch of at least two records")
    units = tuple(units_of(module, second=second))
    saw = _Seen(module, units, leaves, structure)
    wobble, place = saw.largest_difference(_Seen(module, units, leaves, structure))
    if wobble > REPEATED:
        raise LearnerRefused(
            f"model: {place} differs by {wobble:.1e} between two runs with the same seeds; "
            "draw random numbers from torch's generator alone, and keep nothing between calls"
        )
    for changed in range(0, records, max(1, records // TRIED)):
        others = [_replaced(leaf, changed, records) for leaf in leaves]
        if all(one is other for one, other in zip(leaves, others, strict=True)):
            raise LearnerRefused("probe: the records are all alike; give some that differ")
        saw.check_apart(_Seen(module, units, others, structure), changed, records, max(RELATIVE, 10 * wobble))


def check_loss(criterion: Criterion, outputs: Tensor, targets: Tensor, reduction: Reduction) -> None:
    """Refuse a criterion that is no per-record loss, or no plain mean or sum of it.

    A cross-entropy with class weights or ignore_index divides by what a whole batch weighs, for example. outputs:
    (B, …), targets: (B, …), of at least two records that differ.

    Raises:
        LearnerRefused: the loss of the batch is not made of its records' losses.
    """
    with torch.no_grad():
        whole = criterion(outputs, targets)
        one = [criterion(outputs[i : i + 1], targets[i : i + 1]).reshape(-1) for i in range(len(targets))]
    if any(part.numel() != 1 for part in one):
        raise LearnerRefused(f"loss: {one[0].numel()} numbers for one record; sum or average each record's own terms")
    single = torch.cat(one)
    expected = {"none": single, "mean": single.mean(), "sum": single.sum()}[reduction]
    if whole.shape != expected.shape or not torch.allclose(whole.double(), expected.double(), rtol=1e-4, atol=1e-6):
        stated = "made" if reduction == "none" else f"the {reduction}"
        raise LearnerRefused(
            f"loss: that of a batch is not {stated} of its records' losses; "
            "compute it with reduction='none', without class weights, ignore_index or terms between records"
        )


class _Seen:
    """What one forward pass showed: what learned layers took in, the outputs, and what buffers held afterwards."""

    def __init__(self, module: nn.Module, units: tuple[Unit, ...], leaves: list[object], structure: TreeSpec) -> None:
        self.taken: dict[str, list[Tensor]] = {}
        hooks = [
            unit.rule.module.register_forward_pre_hook(self._keep(unit), with_kwargs=True)
            for unit in units
            if unit.rule.module is not module
        ]
        try:
            with _as_it_was(module), torch.no_grad():
                self.outputs = _tensors(module(*tree_unflatten(list(leaves), structure)))
                self.buffers = {name: value.clone() for name, value in module.named_buffers()}
        finally:
            for hook in hooks:
                hook.remove()

    def _keep(self, unit: Unit) -> Callable[[nn.Module, tuple[object, ...], dict[str, object]], None]:
        def hook(layer: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
            taken = unit.rule.taken(args, kwargs)
            self.taken.setdefault(unit.title(), []).extend(value.clone() for value in taken)

        return hook

    def pairs(self, other: _Seen) -> Iterator[tuple[str, Tensor, Tensor]]:
        places = [*((name, self.taken[name], other.taken.get(name, [])) for name in self.taken)]
        for name, mine, theirs in [*places, ("its outputs", self.outputs, other.outputs)]:
            if [one.shape for one in mine] != [one.shape for one in theirs]:
                raise LearnerRefused(
                    f"model: the shapes in {name} depend on what the records hold; take a layout that does not"
                )
            yield from ((name, one, two) for one, two in zip(mine, theirs, strict=True))

    def largest_difference(self, other: _Seen) -> tuple[float, str]:
        return max((_difference(one, two), name) for name, one, two in self.pairs(other))

    def check_apart(self, other: _Seen, changed: int, records: int, tolerance: float) -> None:
        for name, one, two in self.pairs(other):
            if _difference(one, two) <= tolerance:
                continue  # untouched
            # The outputs may hold the records along any dimension: the loss sees to it that they are told apart.
            dimensions = range(one.ndim) if name == "its outputs" else range(1)
            along = [dim for dim in dimensions if one.ndim > dim and one.shape[dim] == records]
            if not along:
                raise LearnerRefused(
                    f"model: {name} has {tuple(one.shape)} numbers, without a dimension for the {records} records; "
                    "keep them along the first one, also inside of the model"
                )
            rest = torch.tensor([i for i in range(records) if i != changed], device=one.device)
            if all(_difference(one.index_select(dim, rest), two.index_select(dim, rest)) > tolerance for dim in along):
                raise LearnerRefused(
                    f"model: records mix before or in {name}: replacing record {changed} changes it for others; "
                    "normalise, attend and sum within each record, along other dimensions than that of the records"
                )
        for name, value in self.buffers.items():
            if not torch.equal(value, other.buffers[name]):
                raise LearnerRefused(
                    f"model: buffer {name} depends on the records that were seen; it would be released without noise"
                )


@contextmanager
def _as_it_was(module: nn.Module) -> Iterator[None]:
    """The same random numbers each time, and the module's buffers put back."""
    buffers = {name: value.clone() for name, value in module.named_buffers()}
    devices = {value.device for value in module.parameters() if value.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(devices)):
        torch.manual_seed(0)
        try:
            yield
        finally:
            now = dict(module.named_buffers())
            with torch.no_grad():
                for name, value in buffers.items():
                    now[name].copy_(value)


def _tensors(tree: object) -> list[Tensor]:
    return [leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, Tensor)]


def _replaced(leaf: object, changed: int, records: int) -> object:
    """Record `changed` replaced by the next one that differs from it, so that it stays a valid record."""
    if not isinstance(leaf, Tensor) or not leaf.ndim or len(leaf) != records:
        return leaf
    for step in range(1, records):
        source = (changed + step) % records
        if not torch.equal(leaf[source], leaf[changed]):
            copy = leaf.clone()
            copy[changed] = leaf[source]
            return copy
    return leaf


def _difference(one: Tensor, two: Tensor) -> float:
    """The largest difference, relative to the largest number."""
    if not one.numel():
        return 0.0
    if not one.is_floating_point():
        return float((one != two).any())
    one, two = one.double().nan_to_num(), two.double().nan_to_num()
    scale = max(one.abs().max().item(), two.abs().max().item(), 1e-30)
    return (one - two).abs().max().item() / scale
