"""What no engine can attribute to single records, refused before any data are touched.

A layer that mixes the records of a batch has no gradient "of a record": changing one record changes what the others
contribute, so that clipping bounds nothing. A layer that keeps statistics of what it saw releases them without noise.
Both are known by their class here; what hides in a forward method of one's own is for learners/engines/probe.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.nn.parameter import is_lazy

from learners.refused import LearnerRefused


def check_module(module: nn.Module) -> None:
    """Refuse a module with a layer that mixes records, that keeps what it saw, or whose hooks do not fire.

    Raises:
        LearnerRefused: one line that names the layer, its class and what to take in its place.
    """
    for name, layer in module.named_modules():
        reason = why_refused(layer)
        if reason:
            raise LearnerRefused(f"model: {name or 'it'} is a {type(layer).__name__}, {reason}")
    learned = [(name, value) for name, value in module.named_parameters() if value.requires_grad]
    if not learned:
        raise LearnerRefused("model: no parameter requires a gradient; nothing can be learned")
    for name, value in learned:
        if not value.is_floating_point():
            raise LearnerRefused(f"model: parameter {name} is {value.dtype}; take a real floating type")


def why_refused(layer: nn.Module) -> str:
    """What is wrong with a layer of this class and these options, and its replacement; empty if nothing is."""
    if isinstance(layer, _BatchNorm):
        groups = _groups(layer.num_features)
        return (
            "which mixes the records of a batch and keeps running statistics of them; "
            f"take GroupNorm({groups}, {layer.num_features}) or LayerNorm"
        )
    if isinstance(layer, _InstanceNorm) and layer.track_running_stats:
        return "which keeps running statistics of the records; take it with track_running_stats=False, or GroupNorm"
    if isinstance(layer, nn.Embedding | nn.EmbeddingBag):
        if layer.max_norm is not None:
            return "whose max_norm rescales the rows that records use, without noise; take it with max_norm=None"
        if layer.scale_grad_by_freq:
            return "whose gradients depend on how often a whole batch uses a row; take it with scale_grad_by_freq=False"
    if isinstance(layer, nn.AdaptiveLogSoftmaxWithLoss):
        return "which sorts the records of a batch by their targets; take Linear and cross_entropy(reduction='none')"
    if isinstance(layer, nn.DataParallel):
        return (
            "whose replicas see parts of a batch; run the module itself, or torchrun with one process for each device"
        )
    if isinstance(layer, torch.jit.ScriptModule):
        return "whose layers' hooks do not fire; give the module as it was before torch.jit"
    if any(is_lazy(value) for value in layer.parameters(recurse=False)):
        return "whose parameters have no shape yet; run the model once on a row of zeros first"
    return ""


def check_losses(losses: Tensor, records: int, reduction: str) -> None:
    """Refuse what is no loss of each of `records` records, or their mean or sum where `reduction` says so.

    losses: (B,) for "none", a scalar for "mean" and "sum". Whether a scalar is that mean is for probe.check_loss.

    Raises:
        LearnerRefused: another shape, an integer type, a loss that depends on no parameter.
    """
    shape = tuple(losses.shape)
    if reduction == "none" and shape != (records,):
        if not shape:
            fix = "compute the loss with reduction='none', or tell the trainer reduction='mean' or 'sum'"
        elif len(shape) > 1 and shape[0] == records:
            fix = "sum or average each record's own terms: losses.flatten(1).sum(1)"
        else:
            fix = "give one number for each record of the batch"
        raise LearnerRefused(f"loss: shape {shape} for {records} records; {fix}")
    if reduction != "none" and shape:
        raise LearnerRefused(f"loss: shape {shape}, reduction={reduction!r} needs one number; say reduction='none'")
    if not losses.is_floating_point():
        raise LearnerRefused(f"loss: {losses.dtype}; give a real floating type")
    if not losses.requires_grad:
        raise LearnerRefused("loss: it depends on no learned parameter; compute it with gradients enabled")


@contextmanager
def graph_is_there() -> Iterator[None]:
    """Around what goes back from the losses, once: after `losses.backward()`, a habit of other trainings, nothing is
    left to go back through.

    Raises:
        LearnerRefused: the graph was freed.
    """
    try:
        yield
    except RuntimeError as error:
        if "through the graph a second time" not in str(error):
            raise
        raise LearnerRefused(
            "losses: their graph is gone, for backward() was called on them, or they come from an earlier step; leave "
            "backward() out, and compute the losses of each batch anew"
        ) from None


def _groups(channels: int) -> int:
    """A usual number of groups that divides the channels: at most 32."""
    return next(groups for groups in range(min(32, channels), 0, -1) if channels % groups == 0)
