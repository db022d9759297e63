"""Convolutions in one, two and three dimensions: a linear map of patches, one for each position of the output."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from learners.engines.layers.products import Products, product_costs
from learners.engines.layers.rule import GRAM, LayerRule, Part, wide

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
KEPT = 4  # times the size of a layer's inputs: what its patches may take from one use of them to the other


class ConvolutionRule(LayerRule):
    """Groups, strides, dilation, padding by numbers or by name, and every padding_mode."""

    modules: ClassVar = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    module: Convolution

    def part(self, kept: Tensor, gradient: Tensor) -> Part:
        module, kept = self.module, wide(kept)
        gradients = wide(gradient).reshape(len(gradient), module.groups, module.out_channels // module.groups, -1).mT
        copied, keep = self._copied(kept, gradient)
        route = self._route(kept, gradient)
        inputs: Callable[[slice], Tensor] = lambda part: self._patches(kept[part])  # noqa: E731
        if route == GRAM and keep:
            inputs, copied = self._patches(kept).__getitem__, 0
        weight, bias = "weight" in self.names, "bias" in self.names
        return Products(route, inputs, gradients, self.shape, weight=weight, bias=bias, copied=copied)

    def costs(self, kept: Tensor, output: Tensor) -> dict[str, int]:
        outputs, inputs, groups = self.shape[0], math.prod(self.shape[1:]), self.module.groups
        copied, keep = self._copied(kept, output)
        positions = math.prod(output.shape[2:])
        return product_costs(positions, inputs, outputs // groups, groups, copied=copied, kept=keep)

    def _copied(self, kept: Tensor, output: Tensor) -> tuple[int, bool]:
        """The numbers in a record's patches, and whether they are few enough to be kept."""
        copied = self.module.groups * math.prod(self.shape[1:]) * math.prod(output.shape[2:])
        return copied, copied <= KEPT * math.prod(kept.shape[1:])

    def _patches(self, inputs: Tensor) -> Tensor:
        """(B, G, T, d): what every position of the output is made from, in the order of the weights."""
        module, dimensions = self.module, len(self.module.kernel_size)
        padded = _padded(module, inputs)
        padded = padded.view(len(inputs), module.groups, -1, *padded.shape[2:])
        for axis, (size, step, stretch) in enumerate(
            zip(module.kernel_size, module.stride, module.dilation, strict=True)
        ):
            padded = padded.unfold(3 + axis, stretch * (size - 1) + 1, step)[..., ::stretch]
        positions = range(3, 3 + dimensions)
        patches = padded.permute(0, 1, *positions, 2, *range(3 + dimensions, 3 + 2 * dimensions))
        return patches.reshape(len(inputs), module.groups, math.prod(padded.shape[3 : 3 + dimensions]), -1)


def _padded(module: Convolution, inputs: Tensor) -> Tensor:
    """The inputs as the convolution sees them; `same` pads one more at the end where the sum is odd."""
    if module.padding_mode != "zeros":
        return F.pad(inputs, module._reversed_padding_repeated_twice, mode=module.padding_mode)
    if module.padding == "valid":
        return inputs
    if module.padding == "same":
        totals = [stretch * (size - 1) for size, stretch in zip(module.kernel_size, module.dilation, strict=True)]
        ends = [(total // 2, total - total // 2) for total in totals]
    else:
        ends = [(int(size), int(size)) for size in module.padding]
    return F.pad(inputs, [size for pair in reversed(ends) for size in pair]) if any(map(any, ends)) else inputs
