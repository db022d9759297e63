"""RNN, GRU and LSTM: run again cell by cell, from the inputs that the hook kept.

torch computes them in one call, whose gradients are those of a whole batch, and GRU and RNN raise under vmap. Cell by
cell, every one of their matrices is a linear layer over the T steps: with the gradients at the gates before their
nonlinearity, the rule of linear layers applies to each.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from learners.engines.layers.linear import linear_part
from learners.engines.layers.products import product_costs
from learners.engines.layers.rule import LayerRule, Part, separated, wide
from learners.engines.layers.several import Named, Several, cheapest
from learners.refused import LearnerRefused

MAX_LAYERS = 64
_KINDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


class RecurrentRule(LayerRule):
    """Any number of layers and directions, projections of an LSTM, given initial states, both orders of dimensions."""

    modules: ClassVar = (nn.RNN, nn.GRU, nn.LSTM)
    module: nn.RNNBase
    learns: ClassVar = tuple(
        f"{kind}_l{layer}{end}" for kind, layer, end in product(_KINDS, range(MAX_LAYERS), ("", "_reverse"))
    )

    def __init__(self, module: nn.RNNBase):
        super().__init__(module)
        if module.dropout and module.num_layers > 1:
            kind = type(module).__name__
            raise LearnerRefused(
                f"{kind}: its dropout between layers is drawn inside of it and cannot be drawn again; "
                f"take one {kind} for each layer, with Dropout({module.dropout}) between them"
            )

    def keep(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(inputs (B, T, d), initial states (B, layers · directions, width))."""
        given = dict(zip(("input", "hx"), args, strict=False)) | dict(kwargs)
        inputs, states = given["input"], given.get("hx")
        if isinstance(inputs, PackedSequence) or inputs.dim() != 3:
            raise LearnerRefused(
                f"{type(self.module).__name__}: give it a padded batch (records, steps, features), "
                "not a packed sequence or a single record"
            )
        inputs = inputs.detach() if self.module.batch_first else inputs.detach().transpose(0, 1)
        if states is None:
            return inputs, self._zeros(inputs)
        states = states if isinstance(states, tuple) else (states,)
        return inputs, tuple(state.detach().transpose(0, 1) for state in states)

    def outputs(self, output: Any) -> tuple[Tensor, ...]:
        sequence, last = output
        return (sequence, *last) if isinstance(last, tuple) else (sequence, last)

    def costs_of_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> dict[str, int]:
        steps = self.keep(args, kwargs)[0].shape[1]
        matrices = [one.shape for name, one in self.module.named_parameters() if name.startswith("weight")]
        return cheapest([product_costs(steps, shape[1], shape[0]) for shape in matrices])

    def along(self, slot: int) -> int:
        return 0 if slot == 0 and self.module.batch_first else 1

    def handed_on(self, output: Any) -> Any:
        return separated(output)

    def part(self, kept: tuple[Tensor, tuple[Tensor, ...]], *gradients: Tensor | None) -> Part:
        inputs, states = wide(kept[0]), tuple(wide(state) for state in kept[1])
        sequence, *last = gradients
        if sequence is not None and not self.module.batch_first:
            sequence = sequence.transpose(0, 1)
        with torch.enable_grad(), torch.autocast(inputs.device.type, enabled=False):
            maps, ends, outputs = self._again(inputs, states)
            reached = [(outputs, sequence), *zip(ends, last, strict=True)]
            asked = [(output, wide(gradient)) for output, gradient in reached if gradient is not None]
            points = [point for one in maps for point in one.points]
            found = torch.autograd.grad(
                [output for output, _ in asked], points, [gradient for _, gradient in asked], materialize_grads=True
            )
        parts, start = [], 0
        for one in maps:
            here = found[start : start + len(one.points)]
            start += len(one.points)
            weight, bias = one.weight in self.names, one.bias in self.names
            if weight or bias:
                gradient = here[0] if len(here) == 1 else torch.stack(here, 1)
                names = [("weight", one.weight)] * weight + [("bias", one.bias)] * bias
                parts.append(Named(linear_part(one.inputs.detach(), gradient, weight, bias), tuple(names)))
        return Several(parts)

    def _zeros(self, inputs: Tensor) -> tuple[Tensor, ...]:
        module, count = self.module, self.module.num_layers * (1 + self.module.bidirectional)
        widths = [module.proj_size or module.hidden_size]
        if isinstance(module, nn.LSTM):
            widths.append(module.hidden_size)
        return tuple(inputs.new_zeros(len(inputs), count, width) for width in widths)

    def _again(self, inputs: Tensor, states: tuple[Tensor, ...]) -> tuple[list[_Map], list[Tensor], Tensor]:
        """Every linear map on the way, the last states as torch stacks them, and the outputs (B, T, width)."""
        maps: list[_Map] = []
        ends: list[list[Tensor]] = [[] for _ in states]
        outputs = inputs.detach().requires_grad_()
        for layer in range(self.module.num_layers):
            directions = []
            for reverse in range(1 + self.module.bidirectional):
                start = [state[:, len(ends[0])].detach().requires_grad_() for state in states]
                found, last, sequence = self._direction(outputs, start, layer, bool(reverse))
                maps += found
                directions.append(sequence)
                for known, state in zip(ends, last, strict=True):
                    known.append(state)
            outputs = torch.cat(directions, -1)
        return maps, [torch.stack(known) for known in ends], outputs

    def _direction(
        self, inputs: Tensor, state: list[Tensor], layer: int, reverse: bool
    ) -> tuple[list[_Map], list[Tensor], Tensor]:
        end = f"_l{layer}" + ("_reverse" if reverse else "")
        values = {kind: wide(getattr(self.module, kind + end).detach()) for kind in _KINDS if self._has(kind + end)}
        entering = F.linear(inputs, values["weight_ih"], values.get("bias_ih"))
        before, gates, unprojected, after = [], [], [], []
        steps = range(inputs.shape[1])
        for step in reversed(steps) if reverse else steps:
            before.append(state[0])
            gates.append(F.linear(state[0], values["weight_hh"], values.get("bias_hh")))
            state = _cell(self.module, entering[:, step], gates[-1], state)
            if "weight_hr" in values:
                unprojected.append(state[0])
                state = [F.linear(state[0], values["weight_hr"]), *state[1:]]
            after.append(state[0])
        maps = [
            _Map(f"weight_ih{end}", f"bias_ih{end}", inputs, (entering,)),
            _Map(f"weight_hh{end}", f"bias_hh{end}", torch.stack(before, 1), tuple(gates)),
        ]
        if unprojected:
            maps.append(_Map(f"weight_hr{end}", "", torch.stack(unprojected, 1), tuple(after)))
        return maps, state, torch.stack(after[::-1] if reverse else after, 1)

    def _has(self, name: str) -> bool:
        return isinstance(getattr(self.module, name, None), Tensor)


class _Map:
    """One linear map: its parameters' names, its inputs (B, T, d), and its outputs, (B, T, p) or T times (B, p)."""

    def __init__(self, weight: str, bias: str, inputs: Tensor, points: tuple[Tensor, ...]):
        self.weight, self.bias, self.inputs, self.points = weight, bias, inputs, points


def _cell(module: nn.RNNBase, entering: Tensor, recurring: Tensor, state: list[Tensor]) -> list[Tensor]:
    """One step, as the documentation of torch.nn.RNN, GRU and LSTM states it."""
    if isinstance(module, nn.LSTM):
        enter, forget, new, leave = (entering + recurring).chunk(4, -1)
        memory = forget.sigmoid() * state[1] + enter.sigmoid() * new.tanh()
        return [leave.sigmoid() * memory.tanh(), memory]
    if isinstance(module, nn.GRU):
        (reset, update, new), (reset_h, update_h, new_h) = entering.chunk(3, -1), recurring.chunk(3, -1)
        mixed = (update + update_h).sigmoid()
        return [(1 - mixed) * (new + (reset + reset_h).sigmoid() * new_h).tanh() + mixed * state[0]]
    activation = torch.relu if module.nonlinearity == "relu" else torch.tanh
    return [activation(entering + recurring)]
