"""Convolutions in one, two and three dimensions: a linear map of patches, one for each position of the output."""

from __future__ import annotations

import math
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from learners.engines.layers.products import Products, product_costs
from learners.engines.layers.rule import LayerRule, Part, wide


class ConvolutionRule(LayerRule):
    """Groups, strides, dilation, padding by numbers or by name, and every padding_mode."""

    modules: ClassVar = (nn.Conv1d, nn.Conv2d, nn.Conv3d)

    def part(self, kept: Tensor, gradient: Tensor) -> Part:
        groups = self.module.groups
        gradients = wide(gradient).reshape(len(gradient), groups, self.module.out_channels // groups, -1)
        patches = self._patches(wide(kept))
        route = self._route(kept, gradient)
        weight, bias = "weight" in self.names, "bias" in self.names
        return Products(route, patches, gradients, self.shape, weight, bias)

    def costs(self, kept: Tensor, output: Tensor) -> dict[str, int]:
        one = self.shape
        groups = self.module.groups
        return product_costs(math.prod(output.shape[2:]), math.prod(one[1:]), one[0] // groups, groups)

    def _patches(self, inputs: Tensor) -> Tensor:
        """(B, G, d, T): what every position of the output is made from, in the order of the weights."""
        module = self.module
        padded = _padded(module, inputs)
        dimensions = len(module.kernel_size)
        for axis, (size, step, stretch) in enumerate(
            zip(module.kernel_size, module.stride, module.dilation, strict=True)
        ):
            padded = padded.unfold(2 + axis, stretch * (size - 1) + 1, step)[..., ::stretch]
        positions = padded.shape[2 : 2 + dimensions]
        order = (0, 1, *range(2 + dimensions, 2 + 2 * dimensions), *range(2, 2 + dimensions))
        return padded.permute(order).reshape(len(inputs), module.groups, -1, math.prod(positions))


def _padded(module: nn.Module, inputs: Tensor) -> Tensor:
    """The inputs as the convolution sees them; `same` pads one more at the end where the sum is odd."""
    if module.padding_mode != "zeros":
        return F.pad(inputs, module._reversed_padding_repeated_twice, mode=module.padding_mode)
    if module.padding == "valid":
        return inputs
    if module.padding == "same":
        totals = [stretch * (size - 1) for size, stretch in zip(module.kernel_size, module.dilation, strict=True)]
        ends = [(total // 2, total - total // 2) for total in totals]
    else:
        ends = [(size, size) for size in module.padding]
    return F.pad(inputs, [size for pair in reversed(ends) for size in pair]) if any(map(any, ends)) else inputs
