"""From a mechanism to the timeline of a claim: who differs, in which batch, for how long."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from accountant.mechanisms.pnsgd import NoisySGD


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


Quantity = Literal["privacy", "distance"]


def worst_batches(
    records: int,
    batches: int,
    batch_size: int,
    *,
    quantity: Quantity = "privacy",
    growing: bool = False,
    whole_batch: bool = False,
) -> tuple[tuple[int, int], ...]:
    """The worst positions of that many differing records: (position, number), ascending. Decided here alone.

    quantity "privacy": μ, and with it ε, a Rényi divergence and a witness; "distance": W∞. growing: a step makes the
    distance of two runs larger by itself, for it expands (c > 1) or drifts. whole_batch: a batch's gradient is clipped
    as a whole, so that one differing record in it counts like many.

    *Privacy*: the last batch, whatever the rate. In an earlier one the same steps are followed by others in which the
    two runs are together, and these cost nothing. *Distance*: what follows a shift multiplies it by c, and a drift adds
    to it: the last batch if that shrinks it, the first if it grows. Several records count most in one batch, filled up
    to batch_size, and then the next; where batches are clipped as a whole, one in each. (For several records that
    expand or drift the last batches are the worst for each epoch that is composed; T26 takes nothing else from them.)
    """
    if whole_batch:
        counts = [1] * min(records, batches)
    else:
        full, rest = divmod(records, batch_size)
        counts = [batch_size] * full + [rest] * (rest > 0)
    if quantity == "distance" and growing:
        return tuple(enumerate(counts))
    return tuple((batches - 1 - i, count) for i, count in enumerate(counts))[::-1]


def farthest_batches(mechanism: NoisySGD, phase: Phase, *, growing: bool) -> Phase:
    """The same phase with its differing records where W∞ is largest."""
    records = sum(count for _, count in phase.records)
    placed = worst_batches(
        records,
        phase.batches,
        phase.batch_size,
        quantity="distance",
        growing=growing,
        whole_batch=mechanism.whole_batch,
    )
    return replace(phase, records=placed)


def phases(mechanism: NoisySGD, request: int = 0) -> tuple[Phase, ...]:
    """The phases of the claim on one request (0-based): the true history against the data after that request
    throughout.

    Learning sees the records of this and every earlier request differ; after request i those of the later ones still
    do. Where requests are chosen from the released models (T7), which of the records comes when is not known: each of
    them differs until the last request.
    """
    sizes = mechanism.requests[: request + 1]
    if mechanism.chosen == "adaptively":
        sizes = (0,) * request + (sum(sizes),)
    lengths = (mechanism.epochs, *mechanism.unlearning_epochs[: request + 1])
    return tuple(
        Phase(
            epochs=length,
            batches=mechanism.batches,
            batch_size=mechanism.batch_size,
            step_size=mechanism.step_size,
            noise_std=mechanism.noise_std,
            records=worst_batches(
                sum(sizes[i:]),
                mechanism.batches,
                mechanism.batch_size,
                whole_batch=mechanism.whole_batch,
            ),
        )
        for i, length in enumerate(lengths)
        if length
    )


@dataclass(frozen=True)
class History:
    """Two runs side by side: how far apart they start, and the phases that follow."""

    start: Fraction
    phases: tuple[Phase, ...]
    learning_phases: int = 0  # how many of the phases, 0 or 1, are learning


def unlearning_epochs(mechanism: NoisySGD, request: int) -> int:
    """All the epochs of unlearning up to and including that request; 0 makes the claim one about learning."""
    return sum(mechanism.unlearning_epochs[: request + 1])


def history(mechanism: NoisySGD, request: int = 0) -> History:
    """The true history beside the reference (T7), aligned at their ends.

    `retrain`: the same start and as many epochs. `stationary`: a run that began, long ago, anywhere in the ball.
    `retrain-T`: T epochs from its own start, beside the last T epochs of the true history.
    """
    whole = phases(mechanism, request)
    erased = unlearning_epochs(mechanism, request)
    learning = int(mechanism.epochs > 0)
    if mechanism.reference == "retrain" or not erased:
        return History(mechanism.initial_distance, whole, learning)
    start = mechanism.diameter  # without a ball nothing bounds how far two unrelated runs are apart
    if mechanism.reference == "stationary":
        return History(start, whole, learning)
    return History(start, _without_first(whole, erased), int(mechanism.epochs > erased))


def _without_first(phases: tuple[Phase, ...], epochs: int) -> tuple[Phase, ...]:
    """What remains of the phases when their first epochs are left out."""
    left = []
    for phase in phases:
        gone = min(epochs, phase.epochs)
        epochs -= gone
        if phase.epochs > gone:
            left.append(replace(phase, epochs=phase.epochs - gone))
    return tuple(left)


def stretches(mechanism: NoisySGD, request: int = 0) -> tuple[History, ...]:
    """Between two releases each, where every model is seen: from the published model on, both runs are together.

    The last phase, on equal data, costs nothing and is left out.
    """
    whole = phases(mechanism, request)
    starts = (mechanism.initial_distance, *(Fraction(0) for _ in whole[1:]))
    return tuple(History(start, (phase,)) for start, phase in zip(starts, whole, strict=True) if phase.records)


def hides_position(mechanism: NoisySGD, request: int) -> bool:
    """Whether T9 applies to the claim: a convex loss, a secret order, one differing record, equal starts, c ≤ 1."""
    return (
        mechanism.batch_order == "secret"
        and mechanism.loss.constants().convex
        and request == 0
        and mechanism.requests[0] == 1
        and mechanism.initial_distance == 0
        and mechanism.step_size * mechanism.loss.constants().smoothness <= 2
        and mechanism.epochs > 0
        and (
            not unlearning_epochs(mechanism, request)
            or (mechanism.reference, mechanism.release) == ("retrain", "final")
        )
    )
