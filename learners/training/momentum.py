"""Inner momentum (docs/theory.md T15): each record's own gradients at the last k released iterates, averaged.

v_i = Σ_{j<k} β̂_j ∇f_i(θ_{t−j}), β̂_j ∝ β^j with sum 1, computed afresh for the records of the current batch, and scaled
last: given the released iterates v_i depends on record i alone, and w(|v_i|)·v_i is no longer than Δ. Before k iterates
are released the average is over those that are, the public start first.

Outer momentum needs no code here: it is post-processing of the noisy sums, which an optimizer does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from accountant import Momentum

PerRecord = dict[str, Tensor]  # by parameter, (B, *shape)


@dataclass(eq=False)
class Window:
    """The last `momentum.inner_window` released iterates, newest first; the newest is what the model holds."""

    momentum: Momentum
    iterates: deque[dict[str, Tensor]] = field(init=False)

    def __post_init__(self) -> None:
        self.iterates = deque(maxlen=self.momentum.inner_window)

    def released(self, parameters: Mapping[str, Tensor]) -> None:
        """What the model holds was released."""
        self.iterates.appendleft({name: parameter.detach().clone() for name, parameter in parameters.items()})

    @property
    def coefficients(self) -> tuple[float, ...]:
        """β̂_0 …, newest first, of the iterates that there are."""
        powers = [float(self.momentum.inner_beta) ** j for j in range(len(self.iterates))]
        return tuple(power / sum(powers) for power in powers)

    def average(self, parameters: Mapping[str, Tensor], gradients: Callable[[], PerRecord]) -> PerRecord:
        """v_i of every record. gradients: of each record, at what `parameters` hold when it is called."""
        total: PerRecord = {}
        for coefficient, iterate in zip(self.coefficients, self.iterates, strict=True):
            with _holding(parameters, iterate):
                for name, gradient in gradients().items():
                    if name in total:
                        total[name].add_(gradient, alpha=coefficient)
                    else:
                        total[name] = gradient * coefficient
        return total


@contextmanager
def _holding(parameters: Mapping[str, Tensor], iterate: Mapping[str, Tensor]) -> Iterator[None]:
    """The parameters have the iterate's values, and then their own again."""
    own = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    try:
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(iterate[name])
        yield
    finally:
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(own[name])


def norms(per_record: Mapping[str, Tensor]) -> Tensor:
    """Of vectors in pieces (B, *shape): their 2-norms (B,), in float64."""
    squares = [piece.to(torch.float64).flatten(1).square().sum(1) for piece in per_record.values()]
    return torch.stack(squares).sum(0).sqrt()


def combined(per_record: Mapping[str, Tensor], weights: Tensor) -> dict[str, Tensor]:
    """Σ_i w_i v_i, by parameter."""
    return {name: torch.einsum("b,b...->...", weights.to(v.dtype), v) for name, v in per_record.items()}
