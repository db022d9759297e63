"""Layers on sequences whose records lie along the second dimension, (T, B, …): turned round before their own rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from learners.engines.layers.rule import LayerRule, Part


class RecordsSecond(LayerRule):
    """rule: the layer's own, which takes one tensor and gives one."""

    modules: ClassVar = ()

    def __init__(self, rule: LayerRule):
        super().__init__(rule.module)
        self._rule = rule

    def keep(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return self._rule.keep(args, kwargs).transpose(0, 1)

    def along(self, slot: int) -> int:
        return 1

    def costs_of_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> dict[str, int]:
        return self.costs(self.keep(args, kwargs), output)

    def part(self, kept: Any, *gradients: Tensor | None) -> Part:
        return self._rule.part(kept, *(one if one is None else one.transpose(0, 1) for one in gradients))

    def costs(self, kept: Any, output: Tensor) -> dict[str, int]:
        return self._rule.costs(kept, output.transpose(0, 1))


def records_second(module: nn.Module) -> bool:
    """Whether torch's own transformer is set so that what it hands to its layers has records second."""
    if isinstance(module, nn.Transformer):
        return not module.batch_first
    if isinstance(module, nn.TransformerEncoder | nn.TransformerDecoder):
        return records_second(module.layers[0])
    attention = getattr(module, "self_attn", None)
    known = isinstance(module, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer)
    return known and isinstance(attention, nn.MultiheadAttention) and not attention.batch_first
