"""The learned parameters, counted when an engine is made and compared at every step.

`load_state_dict(assign=True)` and moving by way of the meta device put other tensors in the place of the parameters:
an optimizer goes on with the old ones, and a weight that two layers shared becomes two. What is learned would no longer
be what is clipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import nn

from learners.stepping import RunCheckFailed


@dataclass(frozen=True, eq=False)
class Learned:
    """Parameters that require a gradient.

    tensors: by their first name, each once, in the order of named_parameters(). names: all of each one's names; more
    than one where a weight is shared between layers.
    """

    tensors: Mapping[str, nn.Parameter]
    names: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, module: nn.Module) -> Learned:
        tensors: dict[str, nn.Parameter] = {}
        names: dict[str, list[str]] = {}
        first: dict[int, str] = {}
        for name, value in module.named_parameters(remove_duplicate=False):
            if value.requires_grad:
                known = first.setdefault(id(value), name)
                tensors[known] = value
                names.setdefault(known, []).append(name)
        return cls(MappingProxyType(tensors), MappingProxyType({name: tuple(all_) for name, all_ in names.items()}))

    @property
    def shared(self) -> dict[str, tuple[str, ...]]:
        """Of the parameters that several layers share: all their names."""
        return {name: names for name, names in self.names.items() if len(names) > 1}

    def check_same(self, module: nn.Module) -> None:
        """Compare with the module as it is now.

        Raises:
            RunCheckFailed: a parameter was replaced, freed, frozen, added, or is shared otherwise than before.
        """
        now = Learned.of(module)
        fix = "make the engine and the optimizer after the model is loaded, moved and frozen"
        for name, names in self.names.items():
            if name in now.names and now.names[name] != names:
                raise RunCheckFailed(
                    f"parameters: {' and '.join(names)} were one tensor and are no longer; tie them again, then {fix}"
                )
        for name in [*self.tensors, *now.tensors]:
            if self.tensors.get(name) is not now.tensors.get(name):
                raise RunCheckFailed(f"parameters: {name} is not what it was when the engine was made; {fix}")
