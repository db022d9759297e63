"""What a network is divided into.

A *unit* is a module that is attributed as a whole by one rule: one with learned parameters of its own. Its children
belong to it where its class has a rule, else they are units themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, Node
from torch.nn.utils.parametrize import is_parametrized

from learners.engines.layers import (
    AttentionRule,
    GenericRule,
    LayerRule,
    RecordsSecond,
    RecurrentRule,
    records_second,
    rule_of,
)
from learners.refused import LearnerRefused


@dataclass
class Use:
    """One call of a unit: what its rule kept, and where the gradient is asked for. A module may be used often."""

    kept: Any
    edges: list[GradientEdge | None]
    watched: list[tuple[Tensor, int, str]]  # a tensor, its version when it was seen, and what it is
    inputs: list[Node]  # what made its inputs, in the graph


@dataclass(eq=False)
class Unit:
    """name: of the module in the network; parameters: learned ones, name in the network by name in the unit."""

    name: str
    rule: LayerRule
    parameters: dict[str, str]
    composed: bool = False  # other units are inside it
    uses: list[Use] = field(default_factory=list)

    def title(self) -> str:
        return f"{self.name or 'the network'} ({type(self.rule.module).__name__})"


def units_of(module: nn.Module, name: str = "", second: Collection[str] = ()) -> Iterator[Unit]:
    """The units of a network, outermost first. second: as in BookKeeping."""
    if not any(parameter.requires_grad for parameter in module.parameters()):
        return
    canonical = {id(parameter): whole for whole, parameter in module.named_parameters()}
    unknown = set(second) - {one for one, _ in module.named_modules()}
    if unknown:
        raise LearnerRefused(f"second: the network has no layer {', '.join(sorted(unknown))}")
    yield from _units(module, name, canonical, set(), set(second), False)


def _units(
    module: nn.Module, name: str, canonical: dict[int, str], seen: set[int], second: set[str], turned: bool
) -> Iterator[Unit]:
    learned = [own for own, parameter in module.named_parameters() if parameter.requires_grad]
    if not learned or id(module) in seen:
        return
    seen.add(id(module))  # a module may stand in several places
    turned = turned or name in second or records_second(module)
    rule = rule_of(module)
    if rule is None and is_parametrized(module):  # its parameters are those of its parametrizations
        rule = GenericRule(module)
    own = tuple(own for own, parameter in module.named_parameters(recurse=False) if parameter.requires_grad)
    parameters = dict(module.named_parameters())
    if rule is not None or own:
        known = GenericRule(module, own) if rule is None else rule
        if turned and isinstance(known, GenericRule):
            raise LearnerRefused(
                f"{name or 'the network'} ({type(module).__name__}): its records lie along the second dimension, for "
                "which it has no rule; set batch_first=True or transpose inside of it"
            )
        if turned and not isinstance(known, AttentionRule | RecurrentRule):
            known = RecordsSecond(known)
        composed = rule is None and len(own) < len(learned)
        yield Unit(name, known, {own: canonical[id(parameters[own])] for own in known.names}, composed)
        if rule is not None:
            return
    for child_name, child in module.named_children():
        yield from _units(child, f"{name}.{child_name}" if name else child_name, canonical, seen, second, turned)


def shared_by(units: tuple[Unit, ...]) -> frozenset[str]:
    """Parameters that several units learn."""
    seen: set[str] = set()
    twice: set[str] = set()
    for unit in units:
        for name in unit.parameters.values():
            (twice if name in seen else seen).add(name)
    return frozenset(twice)
