"""MultiheadAttention: its own forward pass, with the four projections in the open.

torch calls none of its projections as a module: hooks on `out_proj` never fire. While an engine watches the module, its
forward method is the one below, which computes the same (the paths of torch for training) and keeps what goes into
every projection and what comes out of it; each is then attributed as a linear layer.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from learners.engines.layers.linear import linear_part
from learners.engines.layers.products import product_costs
from learners.engines.layers.rule import LayerRule, Materialised, Part, wide
from learners.engines.layers.several import Named, Several, cheapest
from learners.refused import LearnerRefused


@dataclass(frozen=True, eq=False)
class _Projection:
    """One linear map of records: the parameters' names, what it took in (B, T, d) and gave (B, T, p)."""

    weight: str
    bias: str
    inputs: Tensor
    outputs: Tensor


class AttentionRule(LayerRule):
    """Self- and cross-attention, packed and separate projections, both orders of dimensions, masks, added positions."""

    modules: ClassVar = (nn.MultiheadAttention,)
    module: nn.MultiheadAttention
    learns: ClassVar = (
        "in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias", "bias_k", "bias_v",
        "out_proj.weight", "out_proj.bias",
    )  # fmt: skip

    def __init__(self, module: nn.MultiheadAttention):
        super().__init__(module)
        self._last: list[_Projection] = []

    def attach(self) -> None:
        kind = type(self)
        if kind._eager is kind._attend:
            kind._eager = torch.compiler.disable(kind._attend)  # the projections must be seen one by one
        self.module.forward = self.forward

    def detach(self) -> None:
        vars(self.module).pop("forward", None)

    def keep(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[_Projection]:
        """The projections of the pass that has just ended, without their outputs' graphs."""
        return [_Projection(one.weight, one.bias, one.inputs.detach(), torch.empty(0)) for one in self._last]

    def taken(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Tensor]:
        given = [*args, *(kwargs[name] for name in ("query", "key", "value") if name in kwargs)][:3]
        return given if self.module.batch_first else [one.transpose(0, 1) for one in given]

    def costs_of_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> dict[str, int]:
        query, key, value = self.taken(args, kwargs)
        width = self.module.embed_dim
        maps = [(query, width), (key, width), (value, width), (query, width)]
        if len({id(one) for one in args[:3]}) == 1 and self.module._qkv_same_embed_dim:
            maps = [(query, 3 * width), maps[-1]]
        return cheapest([product_costs(one.shape[1], one.shape[2], rows) for one, rows in maps])

    def outputs(self, output: Any) -> tuple[Tensor, ...]:
        last, self._last = self._last, []
        return tuple(one.outputs for one in last)

    def part(self, kept: list[_Projection], *gradients: Tensor | None) -> Part:
        parts, biases = [], {}
        for one, gradient in zip(kept, gradients, strict=True):
            weight, bias = one.weight in self.names, one.bias in self.names
            if one.weight in ("bias_k", "bias_v"):
                if weight:
                    biases[one.weight] = (one.inputs if gradient is None else gradient)[:, None]
            elif weight or bias:
                if gradient is None:
                    gradient = one.inputs.new_zeros(*one.inputs.shape[:2], self.module.embed_dim)
                names = [("weight", one.weight)] * weight + [("bias", one.bias)] * bias
                parts.append(Named(linear_part(wide(one.inputs), wide(gradient), weight, bias), tuple(names)))
        if biases:
            parts.append(Named(Materialised(biases), tuple((name, name) for name in biases)))
        return Several(parts)

    def __deepcopy__(self, memo: dict[int, Any]) -> AttentionRule:
        """For a copy of the module, whose forward method must use the copy's parameters."""
        new = memo[id(self)] = object.__new__(type(self))
        new.module, new.names, new._last = copy.deepcopy(self.module, memo), self.names, []
        return new

    def forward(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor | None]:
        """As torch.nn.MultiheadAttention.forward."""
        return self._eager(*args, **kwargs)

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        module, self._last = self.module, []
        if not torch.is_grad_enabled():
            return type(module).forward(
                module, query, key, value, key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal
            )
        if query.dim() != 3 or query.is_nested:
            raise LearnerRefused("MultiheadAttention: give it a padded batch (records, steps, features)")
        if is_causal and attn_mask is None:
            raise ValueError("is_causal says something of attn_mask; give the mask")
        itself = query is key and key is value
        if not module.batch_first:
            query, key, value = (one.transpose(0, 1) for one in (query, key, value))
        queries, keys, values = self._project(query, key, value, itself)
        mask = self._mask(query, key, key_padding_mask, attn_mask, queries.dtype)
        if is_causal and key_padding_mask is None and not need_weights:
            mask = None  # torch then takes its word for it
        else:
            is_causal = False
        if module.bias_k is not None:
            keys = torch.cat([keys, self._constant("bias_k", len(query))], 1)
            values = torch.cat([values, self._constant("bias_v", len(query))], 1)
        if module.add_zero_attn:
            keys, values = (F.pad(one, (0, 0, 0, 1)) for one in (keys, values))
        if mask is not None:
            mask = F.pad(mask, (0, keys.shape[1] - key.shape[1]))
        queries, keys, values = (
            one.unflatten(-1, (module.num_heads, module.head_dim)).transpose(1, 2) for one in (queries, keys, values)
        )
        dropout = module.dropout if module.training else 0.0
        weights = None
        if need_weights:
            scores = (queries * math.sqrt(1 / module.head_dim)) @ keys.mT
            weights = F.dropout((scores if mask is None else scores + mask).softmax(-1), dropout)
            mixed = weights @ values
            weights = weights.mean(1) if average_attn_weights else weights
        else:
            mixed = F.scaled_dot_product_attention(queries, keys, values, mask, dropout, is_causal)
        out = module.out_proj
        outputs = self._linear(
            "out_proj.weight", "out_proj.bias", mixed.transpose(1, 2).flatten(2), out.weight, out.bias
        )
        return (outputs if module.batch_first else outputs.transpose(0, 1)), weights

    _eager = _attend

    def _project(self, query: Tensor, key: Tensor, value: Tensor, itself: bool) -> tuple[Tensor, ...]:
        """(B, T, embed_dim) three times; in one product where all three are the same."""
        module, bias = self.module, self.module.in_proj_bias
        if module._qkv_same_embed_dim and itself:
            return self._linear("in_proj_weight", "in_proj_bias", query, module.in_proj_weight, bias).chunk(3, -1)
        names: tuple[str, ...] = ("in_proj_weight",) * 3
        if module._qkv_same_embed_dim:
            matrices = module.in_proj_weight.chunk(3)
        else:
            names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
            matrices = (module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
        biases = (None,) * 3 if bias is None else bias.chunk(3)
        return tuple(
            self._linear(name, "in_proj_bias", *given)
            for name, *given in zip(names, (query, key, value), matrices, biases, strict=True)
        )

    def _linear(self, weight: str, bias: str, inputs: Tensor, matrix: Tensor, offset: Tensor | None) -> Tensor:
        outputs = F.linear(inputs, matrix, offset)
        self._last.append(_Projection(weight, "" if offset is None else bias, inputs, outputs))
        return outputs

    def _constant(self, name: str, records: int) -> Tensor:
        """bias_k or bias_v, (1, 1, embed_dim), once for each record."""
        value = getattr(self.module, name).expand(records, 1, -1)
        self._last.append(_Projection(name, "", torch.zeros_like(value), value))
        return value

    def _mask(
        self, query: Tensor, key: Tensor, padding: Tensor | None, attention: Tensor | None, dtype: torch.dtype
    ) -> Tensor | None:
        """What is added to the scores, to be broadcast to (B, heads, L, S)."""
        masks = []
        if attention is not None:
            mask = _additive(attention, dtype)
            masks.append(mask if mask.dim() == 2 else mask.view(len(query), self.module.num_heads, *mask.shape[1:]))
        if padding is not None:
            masks.append(_additive(padding, dtype).view(len(key), 1, 1, -1))
        return sum(masks[1:], masks[0]) if masks else None


def _additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    if mask.dtype == torch.bool:
        return torch.zeros_like(mask, dtype=dtype).masked_fill_(mask, -math.inf)
    return mask.to(dtype)
