"""A layer that is several linear maps inside: the gates of a recurrent layer, the projections of an attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from learners.engines.layers.rule import Part


def cheapest(costs: Sequence[dict[str, int]]) -> dict[str, int]:
    """The cost of all the maps together, each by its cheapest route."""
    routes = [min(one, key=one.__getitem__) for one in costs]
    return {" + ".join(sorted(set(routes))): sum(one[route] for one, route in zip(costs, routes, strict=True))}


@dataclass(frozen=True, eq=False)
class Named:
    """A part, and what the layer calls its parameters: (name in the part, name in the layer)."""

    part: Part
    names: tuple[tuple[str, str], ...]


class Several(Part):
    """Parts with disjoint parameters, so that their squared norms add up.

    Two parts may be rows of one parameter; they are given in the order of the rows, and must then cover all of them.
    """

    def __init__(self, parts: Sequence[Named]):
        self._parts = tuple(parts)
        self.route = " + ".join(sorted({named.part.route for named in parts}))

    def squared_norms(self) -> Tensor:
        norms = [named.part.squared_norms() for named in self._parts]
        return torch.stack(norms).sum(0)

    def weighted(self, weights: Tensor) -> dict[str, Tensor]:
        return self._joined([(named, named.part.weighted(weights)) for named in self._parts], rows=0)

    def per_record(self) -> dict[str, Tensor]:
        return self._joined([(named, named.part.per_record()) for named in self._parts], rows=1)

    @staticmethod
    def _joined(found: list[tuple[Named, dict[str, Tensor]]], rows: int) -> dict[str, Tensor]:
        by_name: dict[str, list[Tensor]] = {}
        for named, gradients in found:
            for inner, name in named.names:
                by_name.setdefault(name, []).append(gradients[inner])
        return {name: pieces[0] if len(pieces) == 1 else torch.cat(pieces, rows) for name, pieces in by_name.items()}
