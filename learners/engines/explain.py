"""Which route the engine takes for each layer of a network, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from learners.engines.units import units_of


@dataclass(frozen=True)
class Explained:
    """layer: its name; kind: its class; parameters: how many are learned; cost: multiplications for one record
    of the route taken; others: of those that were not."""

    layer: str
    kind: str
    parameters: int
    route: str
    cost: int
    others: dict[str, int]


def explain(module: nn.Module, example: Any) -> tuple[Explained, ...]:
    """One row for each use of a learned layer, in the order of the calls.

    example: the network's arguments (a tensor or a tuple of them), records along the first dimension. The network
    is run on it once, without gradients. LearnerRefused as the engine refuses.
    """
    rows: list[Explained] = []
    handles = []
    for unit in units_of(module):

        def hook(layer: nn.Module, args: Any, kwargs: Any, output: Any, unit: Any = unit) -> None:
            costs = unit.rule.costs_of_call(args, kwargs, output)
            route = min(costs, key=costs.__getitem__)
            learned = dict(layer.named_parameters())
            count = sum(learned[name].numel() for name in unit.rule.names)
            others = {name: cost for name, cost in costs.items() if name != route}
            rows.append(Explained(unit.name, type(layer).__name__, count, route, costs[route], others))

        handles.append(unit.rule.module.register_forward_hook(hook, with_kwargs=True))
    try:
        with torch.no_grad():
            module(*(example if isinstance(example, tuple) else (example,)))
    finally:
        for handle in handles:
            handle.remove()
    return tuple(rows)


def explain_engine(module: nn.Module, example: Any) -> str:
    """The table of `explain` as text: layer, class, parameters, route, multiplications for a record."""
    titles = ("layer", "class", "parameters", "route", "cost", "instead of")
    cells = [
        (row.layer or ".", row.kind, f"{row.parameters:,}", row.route, f"{row.cost:,}", _others(row))
        for row in explain(module, example)
    ]
    widths = [max(len(line[column]) for line in [titles, *cells]) for column in range(len(titles))]
    right = (2, 4)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in [titles, *cells]
    )


def _others(row: Explained) -> str:
    return ", ".join(f"{name} {cost:,}" for name, cost in row.others.items())
