"""Layers that normalise within a record and then scale and shift: their gradients are as small as their inputs' width,
so they are always materialised."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from learners.engines.layers.rule import LayerRule, Materialised, Part, chunks, wide
from learners.refused import LearnerRefused


class _Normalisation(LayerRule):
    """normalised(x) · weight + bias."""

    @abstractmethod
    def _normalised(self, inputs: Tensor) -> Tensor:
        """Before scale and shift, of the shape of the inputs."""

    @abstractmethod
    def _over_positions(self, gradient: Tensor) -> Tensor:
        """(B, *shape of the parameters): the sum over what shares a parameter within each record."""

    def part(self, kept: Tensor, gradient: Tensor) -> Part:
        gradient, found = wide(gradient), {}
        if "weight" in self.names:
            parts = chunks(len(kept), kept[0].numel() if len(kept) else 1)
            found["weight"] = torch.cat(
                [self._over_positions(self._normalised(kept[part]) * gradient[part]) for part in parts]
            )
        if "bias" in self.names:
            found["bias"] = self._over_positions(gradient)
        return Materialised(found)


class _OverLastDimensions(_Normalisation):
    module: nn.LayerNorm | nn.RMSNorm

    def _over_positions(self, gradient: Tensor) -> Tensor:
        shape = self.module.normalized_shape
        return gradient.reshape(len(gradient), -1, *shape).sum(1)


class LayerNormRule(_OverLastDimensions):
    modules: ClassVar = (nn.LayerNorm,)
    module: nn.LayerNorm

    def _normalised(self, inputs: Tensor) -> Tensor:
        return F.layer_norm(wide(inputs), self.module.normalized_shape, eps=self.module.eps)


class RMSNormRule(_OverLastDimensions):
    modules: ClassVar = (nn.RMSNorm,)
    module: nn.RMSNorm

    def _normalised(self, inputs: Tensor) -> Tensor:
        eps = torch.finfo(inputs.dtype).eps if self.module.eps is None else self.module.eps  # of the type that it sees
        return F.rms_norm(wide(inputs), self.module.normalized_shape, eps=eps)


class _OverChannels(_Normalisation):
    def _over_positions(self, gradient: Tensor) -> Tensor:
        return gradient.flatten(2).sum(2) if gradient.dim() > 2 else gradient


class GroupNormRule(_OverChannels):
    modules: ClassVar = (nn.GroupNorm,)
    module: nn.GroupNorm

    def _normalised(self, inputs: Tensor) -> Tensor:
        return F.group_norm(wide(inputs), self.module.num_groups, eps=self.module.eps)


class InstanceNormRule(_OverChannels):
    modules: ClassVar = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
    module: nn.InstanceNorm1d | nn.InstanceNorm2d | nn.InstanceNorm3d

    def __init__(self, module: nn.Module):
        super().__init__(module)
        if module.track_running_stats:
            raise LearnerRefused(
                f"{type(module).__name__}: its running statistics are averages over records, kept without noise; "
                "build it with track_running_stats=False"
            )

    def _normalised(self, inputs: Tensor) -> Tensor:
        return F.instance_norm(wide(inputs), eps=self.module.eps)
