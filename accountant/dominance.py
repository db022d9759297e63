"""Which phase carries the bound: whose noise hides the distance (μ²), and whose shifts made it (W∞)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from accountant.arithmetic import Ball, Number
from accountant.enclose import LEAST_PRECISION, precision
from accountant.flow import Flows, Mark
from accountant.kernel import Derivation, evaluate
from accountant.quantities import Timeline
from accountant.theorems.transport import distance_at


@dataclass(frozen=True)
class PhaseShare:
    """What one phase contributes. energy: its share of μ² = Σ a_k²/τ_k², the sum over its own steps. distance: its
    share of the distance at the end that all the noise has to hide, by its own shifts; what was there before the first
    phase is the start's."""

    epochs: int
    steps: int
    energy: float
    distance: float


@dataclass(frozen=True)
class Segment:
    """One straight piece of the string, `times` alike in a row: from one moment to the next, each (block, epoch,
    position). share: of μ², all of them together."""

    start: Mark
    end: Mark
    times: int
    share: float


@dataclass(frozen=True)
class Dominance:
    """The phases of one string in order, its segments, and the share of the distance that was there at its start
    (unequal starts, or a restart at the projection's diameter). weight: the string's own share of μ², where there are
    several."""

    phases: tuple[PhaseShare, ...]
    segments: tuple[Segment, ...]
    start: float
    restart: Mark | None = None
    weight: float = 1.0


def dominance(bound: Derivation) -> tuple[Dominance, ...]:
    """The shares of T3 or T5; of T7 those of each stretch; () for any other theorem, and where μ is 0 or not finite."""
    if bound.theorem.id == "T7":
        parts = [dominance(part) for part in bound.premises]
        squares = [_square(part) for part in bound.premises]
        if not all(parts) or not sum(squares) > 0:
            return ()
        return tuple(
            Dominance(part.phases, part.segments, part.start, part.restart, square / sum(squares))
            for (part,), square in zip(parts, squares, strict=True)
        )
    if bound.theorem.id not in ("T3", "T5"):
        return ()
    with precision(LEAST_PRECISION):
        return _of_string(bound)


def _square(bound: Derivation) -> float:
    with precision(LEAST_PRECISION):
        return float(evaluate(bound, Ball()).mu ** 2)


def _of_string(bound: Derivation) -> tuple[Dominance, ...]:
    A, arguments = Ball(), dict(bound.arguments)
    flows = Flows(A, evaluate(bound.premises[0], A))
    restart = arguments.get("restart")
    start = restart or Mark(0)
    distance = distance_at(A, flows, start) if restart else flows.timeline.start
    blocks = flows.timeline.blocks
    energies, segments = [A.of(0) for _ in blocks], []
    for at, end, times in _segments(start, arguments["corners"], flows.end):
        pieces = list(_pieces(flows, at, end))
        whole = flows.between(at, end)
        w, total = whole.rate * distance + whole.shift, A.of(0)
        distance = A.of(0)
        if not (w > 0 and whole.variance > 0):
            continue
        for block, flow, later in pieces:
            # a_k = (w/v)·C_k·τ_k², so that Σ a_k²/τ_k² over a piece is (w/v)² times the variance that it leaves.
            part = times * (w / whole.variance) ** 2 * later * later * flow.variance
            energies[block], total = energies[block] + part, total + part
        segments.append((at, end, times, total))
    whole = sum(energies, A.of(0))
    reached = [(block, later * flow.shift) for block, flow, later in _pieces(flows, start, flows.end)]
    before = flows.between(start, flows.end).rate * (distance_at(A, flows, start) if restart else flows.timeline.start)
    far = sum((shift for _, shift in reached), before)
    if not (whole.is_finite() and whole > 0 and far.is_finite() and far > 0):
        return ()
    shifts = [A.of(0) for _ in blocks]
    for block, shift in reached:
        shifts[block] = shifts[block] + shift
    return (
        Dominance(
            tuple(
                PhaseShare(b.epochs, b.epochs * b.batches, float(e / whole), float(s / far))
                for b, e, s in zip(blocks, energies, shifts, strict=True)
            ),
            tuple(Segment(at, end, times, float(part / whole)) for at, end, times, part in segments),
            float(before / far),
            restart,
        ),
    )


def _segments(start: Mark, corners: tuple, end: Mark) -> Iterator[tuple[Mark, Mark, int]]:
    """(from, to, how many alike in a row) of the string with these corners."""
    at = start
    for corner in corners:
        here = Mark(corner.block, corner.first, corner.position)
        yield at, here, 1
        if corner.last > corner.first:
            yield here, Mark(corner.block, corner.first + 1, corner.position), corner.last - corner.first
        at = Mark(corner.block, corner.last, corner.position)
    yield at, end, 1


def _pieces(flows: Flows, start: Mark, end: Mark) -> Iterator[tuple[int, object, Number]]:
    """(block, flow of the steps between the two moments in it, contraction of all that follow until `end`)."""
    cuts = [start, *(Mark(i) for i in range(start.block + 1, end.block + 1) if start < Mark(i) < end), end]
    made = [(at.block, flows.between(at, to)) for at, to in pairwise(cuts) if at < to]
    later = flows.A.of(1)
    found = []
    for block, flow in reversed(made):
        found.append((block, flow, later))
        later = later * flow.rate
    yield from reversed(found)


def describe(mark: Mark, timeline: Timeline) -> str:
    """A moment in words, epochs and batches counted from 1."""
    if mark.block >= len(timeline.blocks):
        return "the end"
    return f"phase {mark.block + 1}, epoch {mark.epoch + 1}, batch {mark.position + 1}"
