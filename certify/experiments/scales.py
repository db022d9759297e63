"""How large an experiment is: seeds, and the points at which it looks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """seeds: how often each run is repeated, at least twice. epsilons: those of `accuracy`. map_epsilons: those of
    `scaling`. requests: of `sequential`, measured after every `measured_every` of them. batches: how many of them an
    epoch has in `tradeoff`; unlearning_epochs: its values of K.
    """

    name: str
    seeds: int
    epsilons: tuple[str, ...]
    map_epsilons: tuple[str, ...]
    requests: int
    measured_every: int
    batches: tuple[int, ...]
    unlearning_epochs: tuple[int, ...]


SCALES = {
    "small": Scale(
        name="small",
        seeds=10,
        epsilons=("0.1", "0.3", "1", "3", "10"),
        map_epsilons=("0.3", "1", "3"),
        requests=100,
        measured_every=20,
        batches=(1, 2, 4, 8),
        unlearning_epochs=(1, 2, 4),
    ),
    "full": Scale(
        name="full",
        seeds=40,
        epsilons=("0.05", "0.1", "0.2", "0.3", "0.5", "0.7", "1", "1.5", "2", "3", "5", "10"),
        map_epsilons=("0.1", "0.3", "1", "3", "10"),
        requests=100,
        measured_every=5,
        batches=(1, 2, 4, 8, 16),
        unlearning_epochs=(1, 2, 3, 5, 8),
    ),
}
