"""Finds by trial what refusals.py cannot know by class: a forward method or a loss in which records mix.

One record is replaced by another and nothing else: no other record's outputs may change, nor what any layer with
learned parameters takes in for the others, nor what the module keeps. The batch may be made up, so that nothing is
learned from the records; a probe that passes is evidence, not a proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from learners.engines.refusals import Reduction
from learners.refused import LearnerRefused

Criterion = Callable[[object, Tensor], Tensor]
RELATIVE = 1e-6  # of the largest output: what another order of summation may change


def check_records_apart(module: nn.Module, *inputs: object) -> None:
    """Refuse a module in which one record changes what another gives.

    module: as it will be trained; its mode is respected, its buffers are put back, the caller's random state is left
    alone. inputs: what it is called with, a batch of at least two records; every tensor (B, …) in it holds records.

    Raises:
        LearnerRefused: records mix, or the module keeps what it saw; the first layer in which they do is named.
    """
    leaves, structure = tree_flatten(inputs)
    sizes = [len(leaf) for leaf in leaves if isinstance(leaf, Tensor) and leaf.ndim]
    if not sizes or sizes[0] < 2:
        raise LearnerRefused("probe: give a batch of at least two records")
    records = sizes[0]
    saw, again = _Seen(module, leaves, structure), _Seen(module, leaves, structure)
    wobble = saw.largest_difference(again)
    if wobble > 1e-2:
        raise LearnerRefused(
            f"model: {saw.worst(again)} differs by {wobble:.1e} between two runs with the same seeds; "
            "draw random numbers from torch's generator"
        )
    for changed in sorted({0, records // 2, records - 1}):
        other = _Seen(module, [_replaced(leaf, changed, records) for leaf in leaves], structure)
        name = saw.mixed(other, changed, records, max(RELATIVE, 10 * wobble))
        if name:
            raise LearnerRefused(
                f"model: records mix in {name}: replacing record {changed} changes what it has of others; "
                "normalise, attend and sum within each record, along other dimensions than the first"
            )
        kept = saw.kept_otherwise(other)
        if kept:
            raise LearnerRefused(
                f"model: buffer {kept} depends on the records that were seen; it would be released without noise"
            )


def check_loss(criterion: Criterion, outputs: Tensor, targets: Tensor, reduction: Reduction) -> None:
    """Refuse a criterion that is no per-record loss, or no plain mean or sum of it.

    A cross-entropy with class weights or ignore_index divides by what a whole batch weighs, for example. outputs:
    (B, …), targets: (B, …), of at least two records.

    Raises:
        LearnerRefused: the loss of the batch is not made of its records' losses.
    """
    records = len(targets)
    with torch.no_grad():
        whole = criterion(outputs, targets)
        one = [criterion(outputs[i : i + 1], targets[i : i + 1]).reshape(-1) for i in range(records)]
    if any(part.numel() != 1 for part in one):
        raise LearnerRefused(f"loss: {one[0].numel()} numbers for one record; sum or average each record's own terms")
    single = torch.cat(one)
    expected = {"none": single, "mean": single.mean(), "sum": single.sum()}[reduction]
    if whole.shape != expected.shape or not torch.allclose(whole.double(), expected.double(), rtol=1e-4, atol=1e-6):
        stated = "those" if reduction == "none" else f"the {reduction}"
        raise LearnerRefused(
            f"loss: of a batch it is not {stated} of its records' losses; "
            "compute it with reduction='none', without class weights, ignore_index or terms between records"
        )


class _Seen:
    """What one forward pass showed: outputs, what layers took in, and what buffers held afterwards."""

    def __init__(self, module: nn.Module, leaves: list[object], structure: object) -> None:
        self.shown: dict[str, list[Tensor]] = {}
        hooks = [
            layer.register_forward_pre_hook(self._keep(name), with_kwargs=True)
            for name, layer in module.named_modules()
            if name and any(value.requires_grad for value in layer.parameters(recurse=False))
        ]
        try:
            with _as_it_was(module), torch.no_grad():
                outputs = module(*tree_unflatten(list(leaves), structure))
                self.shown["its outputs"] = _tensors(outputs)
                self.buffers = {name: value.clone() for name, value in module.named_buffers()}
        finally:
            for hook in hooks:
                hook.remove()

    def _keep(self, name: str) -> Callable[[nn.Module, tuple[object, ...], dict[str, object]], None]:
        def hook(layer: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
            text = f"{name} ({type(layer).__name__})"
            self.shown.setdefault(text, []).extend(value.clone() for value in _tensors((args, kwargs)))

        return hook

    def pairs(self, other: _Seen) -> Iterator[tuple[str, Tensor, Tensor]]:
        for name, mine in self.shown.items():
            theirs = other.shown.get(name, [])
            if len(mine) != len(theirs) or any(a.shape != b.shape for a, b in zip(mine, theirs, strict=True)):
                raise LearnerRefused(
                    f"model: the shapes in {name} depend on what the records hold; take a layout that does not"
                )
            yield from ((name, a, b) for a, b in zip(mine, theirs, strict=True))

    def largest_difference(self, other: _Seen) -> float:
        return max((_difference(a, b) for _, a, b in self.pairs(other)), default=0.0)

    def worst(self, other: _Seen) -> str:
        return max(self.pairs(other), key=lambda found: _difference(*found[1:]))[0]

    def mixed(self, other: _Seen, changed: int, records: int, tolerance: float) -> str | None:
        """The first place in which another record than `changed` is different."""
        for name, mine, theirs in self.pairs(other):
            if _difference(mine, theirs) <= tolerance:
                continue  # the same for all records, or untouched
            dims = [dim for dim, size in enumerate(mine.shape) if size == records]
            others = [i for i in range(records) if i != changed]
            index = torch.tensor(others, device=mine.device)
            if all(
                _difference(mine.index_select(dim, index), theirs.index_select(dim, index)) > tolerance for dim in dims
            ):
                return name
        return None

    def kept_otherwise(self, other: _Seen) -> str | None:
        for name, value in self.buffers.items():
            if not torch.equal(value, other.buffers[name]):
                return name
        return None


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
    if leaf.is_floating_point():
        copy = leaf.clone()
        copy[changed] = leaf[changed] + 1
        return copy
    return leaf


def _difference(a: Tensor, b: Tensor) -> float:
    """The largest difference, relative to the largest number."""
    if not a.numel():
        return 0.0
    if not a.is_floating_point():
        return float((a != b).any())
    a, b = a.double().nan_to_num(), b.double().nan_to_num()
    scale = max(a.abs().max().item(), b.abs().max().item(), 1e-30)
    return (a - b).abs().max().item() / scale
