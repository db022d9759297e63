"""How large an experiment is: seeds, and the points at which it looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """seeds: how often each run is repeated, at least twice. epsilons: those of `accuracy`. map_epsilons: those of
    `scaling`. requests: of `sequential`, measured after every `measured_every` of them. batches: how many of them an
    epoch has in `tradeoff`; unlearning_epochs: its values of K.

    Of `training`: its networks, by their names in `certify.experiments.networks`, and epsilons; epochs, if not as many
    as the data's setting says; the settings of each map and the sizes of a step (plain_steps: without scaling and
    noise) between which is chosen, by runs of `tuning_seeds` seeds.
    """

    name: str
    seeds: int
    epsilons: tuple[str, ...]
    map_epsilons: tuple[str, ...]
    requests: int
    measured_every: int
    batches: tuple[int, ...]
    unlearning_epochs: tuple[int, ...]
    networks: tuple[str, ...]
    training_epsilons: tuple[str, ...]
    training_epochs: int | None
    training_maps: tuple[Mapping[str, str], ...]
    training_steps: tuple[str, ...]
    plain_steps: tuple[str, ...]
    tuning_seeds: int


def _maps(
    C: Iterable[str], r: Iterable[str], r_of_psasc: Iterable[str], s: Iterable[str]
) -> tuple[dict[str, str], ...]:
    """As many settings of each map. For the smooth ones C = 1: with steps in units of Δ, C changes nothing."""
    one = {"max_grad_norm": "1"}
    r, s = tuple(r), tuple(s)
    return (
        *({"kind": "clip", "max_grad_norm": value} for value in C),
        *({"kind": kind} | one | {"r": value} for kind in ("auto-s", "psac") for value in r),
        *({"kind": "psasc"} | one | {"r": first, "s": second} for first in r_of_psasc for second in s),
    )


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
        networks=("mlp", "cnn"),
        training_epsilons=("3",),
        training_epochs=None,
        training_maps=_maps(("0.1", "1", "3", "10"), ("0.01", "0.1", "1", "10"), ("0.1", "1"), ("0.25", "2")),
        training_steps=("1", "2", "4", "8"),
        plain_steps=("0.1", "0.3", "1"),
        tuning_seeds=3,
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
        networks=("mlp", "cnn"),
        training_epsilons=("1", "3", "8"),
        training_epochs=20,
        training_maps=_maps(
            ("0.1", "0.3", "1", "3", "5", "10"),
            ("0.001", "0.01", "0.1", "0.5", "1", "10"),
            ("0.01", "0.1", "1"),
            ("0.25", "2"),
        ),
        training_steps=("0.5", "1", "2", "4", "8"),
        plain_steps=("0.03", "0.1", "0.3", "1"),
        tuning_seeds=5,
    ),
}
