"""Any other module with parameters of its own: per-record gradients by torch.func, from the inputs that the hook kept.

The module is run once more for every record, alone: `vmap` of the vector-Jacobian product, or a loop over the records
where an operation has no rule under vmap. It must give the same outputs as before, which is checked: a module that
draws random numbers, or keeps something between calls, does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call, vjp, vmap
from torch.utils._pytree import tree_flatten, tree_unflatten

from learners.engines.layers.rule import LayerRule, Materialised, Part, separated, wide
from learners.refused import LearnerRefused
from learners.stepping import RunCheckFailed

VMAP, LOOP = "torch.func", "loop"


class GenericRule(LayerRule):
    """names: the parameters that are attributed here, by their names in the module; by default all learned ones."""

    modules: ClassVar = (nn.Module,)

    def __init__(self, module: nn.Module, names: tuple[str, ...] | None = None):
        super().__init__(module)
        if names is not None:
            self.names = names
        self.way = VMAP

    def keep(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        leaves, structure = tree_flatten((args, dict(kwargs)))
        return [leaf.detach() if isinstance(leaf, Tensor) else leaf for leaf in leaves], structure

    def outputs(self, output: Any) -> tuple[Tensor, ...]:
        return _floating(output)

    def costs_of_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> dict[str, int]:
        """Of what is written to memory; what the module itself costs is not known."""
        return {self.way: sum(self.module.get_parameter(name).numel() for name in self.names)}

    def handed_on(self, output: Any) -> Any:
        return separated(output)

    def part(self, kept: Any, *gradients: Tensor | None) -> Part:
        leaves, structure = kept
        reached = [gradient for gradient in gradients if gradient is not None]
        batch = len(reached[0])
        leaves = [wide(leaf) if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        along = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and leaf.ndim and len(leaf) == batch]
        if not along:
            raise LearnerRefused(
                f"{type(self.module).__name__}: nothing that it is called with holds the {batch} records of the batch"
            )
        frozen = {name: wide(value.detach()) for name, value in self._state() if name not in self.names}
        learned = {name: wide(self.module.get_parameter(name).detach()) for name in self.names}

        def gradient(records: list[Tensor], at_outputs: list[Tensor]) -> dict[str, Tensor]:
            """Of one record: what lies along the records is given without that dimension."""
            mine = list(leaves)
            for i, record in zip(along, records, strict=True):
                mine[i] = record.unsqueeze(0)
            args, kwargs = tree_unflatten(mine, structure)

            def run(parameters: dict[str, Tensor]) -> list[Tensor]:
                found = _floating(functional_call(self.module, {**frozen, **parameters}, args, kwargs))
                return [one[0] for one, asked in zip(found, gradients, strict=True) if asked is not None]

            (found,) = vjp(run, learned)[1](at_outputs)
            return found

        records, asked = [leaves[i] for i in along], [wide(one) for one in reached]
        device = asked[0].device.type
        with torch.no_grad(), torch.autocast(device, enabled=False):
            if self.way == VMAP:
                try:
                    return self._part(vmap(gradient, randomness="error")(records, asked))
                except RuntimeError as problem:
                    if "random" in str(problem):
                        raise RunCheckFailed(
                            f"{type(self.module).__name__}: it draws random numbers in its forward pass, which cannot "
                            "be drawn again; put torch.nn.Dropout beside it, as a module of its own"
                        ) from None
                    self.way = LOOP
            each = [gradient([one[i] for one in records], [one[i] for one in asked]) for i in range(batch)]
            return self._part({name: torch.stack([one[name] for one in each]) for name in self.names})

    def _part(self, gradients: dict[str, Tensor]) -> Part:
        part = Materialised(gradients)
        part.route = self.way
        return part

    def _state(self) -> list[tuple[str, Tensor]]:
        return [*self.module.named_parameters(), *self.module.named_buffers()]


def _floating(output: Any) -> tuple[Tensor, ...]:
    """The tensors of an output that can have a gradient, in a fixed order."""
    return tuple(leaf for leaf in tree_flatten(output)[0] if isinstance(leaf, Tensor) and leaf.is_floating_point())
