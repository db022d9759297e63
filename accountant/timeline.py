"""From a mechanism to the timeline of a claim: who differs, in which batch, for how long."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from accountant.mechanisms import NoisySGD


@dataclass(frozen=True)
class Phase:
    """`epochs` equal epochs of `batches` steps; `records`: (position of the batch, number of differing records in
    it), ascending."""

    epochs: int
    batches: int
    batch_size: int
    step_size: Fraction
    noise_std: Fraction
    records: tuple[tuple[int, int], ...]


def worst_batches(records: int, batches: int, batch_size: int) -> tuple[tuple[int, int], ...]:
    """Where that many differing records hurt most when c ≤ 1: the last batch first, at most batch_size in each (T10).

    Moving a shift later in its epoch never helps the defender: it contracts for fewer steps and meets less noise.
    """
    full, rest = divmod(records, batch_size)
    filled = [(batches - 1 - i, batch_size) for i in range(full)]
    if rest:
        filled.append((batches - 1 - full, rest))
    return tuple(sorted(filled))


def phases(mechanism: NoisySGD, request: int = 0) -> tuple[Phase, ...]:
    """The phases of the claim on one request (0-based): the true history against the data after that request
    throughout.

    Learning sees the records of this and every earlier request differ; after request i those of the later ones still
    do.
    """
    sizes = mechanism.requests[: request + 1]
    lengths = (mechanism.epochs, *mechanism.unlearning_epochs[: request + 1])
    return tuple(
        Phase(
            epochs=length,
            batches=mechanism.batches,
            batch_size=mechanism.batch_size,
            step_size=mechanism.step_size,
            noise_std=mechanism.noise_std,
            records=worst_batches(sum(sizes[i:]), mechanism.batches, mechanism.batch_size),
        )
        for i, length in enumerate(lengths)
        if length
    )
