"""Which phase determines the bound: whose noise hides the distance (μ²), and whose shifts caused it (W∞)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from accountant.core.arithmetic import Ball, Number
from accountant.core.arithmetic.balls import precision
from accountant.core.enclose import MIN_PRECISION
from accountant.core.facts import Family
from accountant.core.kernel import Derivation, evaluate
from accountant.theorems.flow import Flows, Mark, after, first_shift
from accountant.theorems.gauges import composed
from accountant.theorems.shifts import segment
from accountant.theorems.timelines import Timeline
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
    position). share: of μ², all of them together. composed: steps whose shifts are composed one by one (T26)."""

    start: Mark
    end: Mark
    times: int
    share: float
    composed: bool = False


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
    """The shares of T3, T5, T26 or T26r; of T7 those of each stretch; () for any other theorem, and where μ is 0 or not
    finite."""
    if bound.theorem.facts.family is Family.COMPOSITION:
        parts = [dominance(part) for part in bound.premises]
        squares = [_square(part) for part in bound.premises]
        if not all(parts) or not sum(squares) > 0:
            return ()
        return tuple(
            Dominance(part.phases, part.segments, part.start, part.restart, square / sum(squares))
            for (part,), square in zip(parts, squares, strict=True)
        )
    if bound.theorem.facts.family is not Family.STRING:
        return ()
    with precision(MIN_PRECISION):
        return _of_gauges(bound) if "excursions" in dict(bound.arguments) else _of_string(bound)


def _square(bound: Derivation) -> float:
    with precision(MIN_PRECISION):
        return float(evaluate(bound, Ball()).mu ** 2)


def _of_string(bound: Derivation) -> tuple[Dominance, ...]:
    A, arguments = Ball(), dict(bound.arguments)
    flows = Flows(A, evaluate(bound.premises[0], A))
    restart = arguments.get("restart")
    start = restart or Mark(0)
    distance = distance_at(A, flows, start) if restart else flows.timeline.start
    blocks = flows.timeline.blocks
    energies, segments = [A.of(0) for _ in blocks], []
    for begin, end, times in _segments(start, arguments["corners"], flows.end):
        pieces = list(_pieces(flows, begin, end))
        whole = flows.between(begin, end)
        w, total = whole.rate * distance + whole.shift, A.of(0)
        distance = A.of(0)
        if not (w > 0 and whole.variance > 0):
            continue
        for block, flow, later in pieces:
            # a_k = (w/v)·C_k·τ_k², so that Σ a_k²/τ_k² over a piece is (w/v)² times the variance that it leaves.
            part = times * (w / whole.variance) ** 2 * later * later * flow.variance
            energies[block], total = energies[block] + part, total + part
        segments.append((begin, end, times, total))
    reached = [(block, later * flow.shift) for block, flow, later in _pieces(flows, start, flows.end)]
    before = flows.between(start, flows.end).rate * (distance_at(A, flows, start) if restart else flows.timeline.start)
    return _shares(flows, restart, energies, segments, reached, before)


def _of_gauges(bound: Derivation) -> tuple[Dominance, ...]:
    """The excursions and what is composed between them; the distance is that of runs which nothing brings together."""
    A, arguments = Ball(), dict(bound.arguments)
    flows = Flows(A, evaluate(bound.premises[0], A))
    timeline, restart = flows.timeline, arguments.get("restart")
    moment, distance = restart or Mark(0), timeline.diameter if restart else timeline.start
    apart, begin = restart is not None or not timeline.equal_starts, moment
    energies, segments = [A.of(0) for _ in timeline.blocks], []
    for excursion in (*arguments["excursions"], None):
        end = flows.end if excursion is None else excursion.start
        paid = [
            (i, composed(A, timeline, max(moment, Mark(i)), min(end, Mark(i + 1)))) for i in range(len(timeline.blocks))
        ]
        paid = [(i, part) for i, part in paid if part > 0] if moment < end else []
        for block, part in paid:
            energies[block] = energies[block] + part
        if paid:
            segments.append((moment, end, 1, sum((part for _, part in paid), A.of(0)), True))
        if excursion is None:
            break
        together = not (apart and end == begin) and not timeline.open
        cost = segment(A, flows, end, excursion.end, distance if end == begin else A.of(0), None, together)
        variance = flows.between(end, excursion.end).variance
        for block, flow, later in _pieces(flows, end, excursion.end):
            energies[block] = energies[block] + cost * later * later * flow.variance / variance
        segments.append((end, excursion.end, 1, cost, False))
        moment = excursion.end
    first = None if apart else first_shift(timeline, begin)
    if first is not None:  # together until then, and apart from the next step on
        begin, distance = after(timeline, first), dict(timeline.blocks[first.block].shifts)[first.position]
    reached = [(block, later * flow.shift) for block, flow, later in _pieces(flows, begin, flows.end)]
    carried = flows.between(begin, flows.end).rate * distance
    if first is not None:
        reached, carried = [*reached, (first.block, carried)], A.of(0)
    return _shares(flows, restart, energies, segments, reached, carried)


def _shares(
    flows: Flows, restart: Mark | None, energies: list, segments: list[tuple], reached: list[tuple], before: Number
) -> tuple[Dominance, ...]:
    """The parts of μ² and of the distance as shares of the whole."""
    A, blocks, whole = flows.A, flows.timeline.blocks, sum(energies, flows.A.of(0))
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
            tuple(
                Segment(start, end, times, float(part / whole), *rest) for start, end, times, part, *rest in segments
            ),
            float(before / far),
            restart,
        ),
    )


def _segments(start: Mark, corners: tuple, end: Mark) -> Iterator[tuple[Mark, Mark, int]]:
    """(from, to, how many alike in a row) of the string with these corners."""
    begin = start
    for corner in corners:
        here = Mark(corner.block, corner.first, corner.position)
        yield begin, here, 1
        if corner.last > corner.first:
            yield here, Mark(corner.block, corner.first + 1, corner.position), corner.last - corner.first
        begin = Mark(corner.block, corner.last, corner.position)
    yield begin, end, 1


def _pieces(flows: Flows, start: Mark, end: Mark) -> Iterator[tuple[int, object, Number]]:
    """(block, flow of the steps between the two moments in it, contraction of all that follow until `end`)."""
    cuts = [start, *(Mark(i) for i in range(start.block + 1, end.block + 1) if start < Mark(i) < end), end]
    parts = [(begin.block, flows.between(begin, to)) for begin, to in pairwise(cuts) if begin < to]
    later = flows.A.of(1)
    backwards = []
    for block, flow in reversed(parts):
        backwards.append((block, flow, later))
        later = later * flow.rate
    yield from reversed(backwards)


def describe(mark: Mark, timeline: Timeline) -> str:
    """A moment in words, epochs and batches counted from 1."""
    if mark.block >= len(timeline.blocks):
        return "the end"
    return f"phase {mark.block + 1}, epoch {mark.epoch + 1}, batch {mark.position + 1}"
