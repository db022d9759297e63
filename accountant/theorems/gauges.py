"""Gauges: a drift that counts only once the runs have parted, or none at all where every shift is paid at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, States
from accountant.core.kernel import theorem
from accountant.core.quantities import GaussianDP
from accountant.theorems.conditions import below
from accountant.theorems.flow import Flows, Mark
from accountant.theorems.shifts import segment
from accountant.theorems.timelines import Timeline


@dataclass(frozen=True)
class Excursion:
    """Consecutive steps over which the runs are apart: from one moment to another, the end of a block being the
    start of the next."""

    start: Mark = field(metadata={"key": "from"})
    end: Mark = field(metadata={"key": "to"})


@theorem(
    "T26",
    concludes=GaussianDP,
    premises=(Timeline,),
    facts=Facts(
        Direction.ABOVE,
        Family.STRING,
        States.MU,
        formula="mu_square",
        profile=None,
        label="Plumbline (apart only where it pays, T26)",
    ),
    source="docs/theory.md T26",
    oracle="tests/accountant/theorems/test_gauges.py::test_the_search_finds_the_best_of_all_schedules",
)
def gauges(A: Arithmetic, timeline: Timeline, *, excursions: tuple[Excursion, ...]) -> GaussianDP:
    """The pair of final states is μ-GDP with μ² = Σ w²/v over the excursions + Σ s²/τ² over all other steps, in both
    directions.

    A step takes two runs that are together at most s apart (0, where the batch has no differing record), and two that
    are z > 0 apart at most ρz + d. Outside of the excursions every shift is paid where it arrives, a_k = s_k, and the
    runs stay together: that is composition. An excursion gathers distance w and variance v, with s in its first step
    and d in the others (in all, where the runs begin apart), and hides it along one straight line,
    a_k = (w/v)·C_k·τ_k², which is admissible if z_k = w_k − (w/v)·C_k·v_k ≥ 0 after each of its steps.

    Composition alone (no excursions) asks nothing of the maps, of projections or of what is done to released values: it
    holds for every release, and for requests, with their times, that are chosen from the releases, for each set of
    differing records that was fixed in advance. Unlearning steps cost nothing in it.

    Where several records may be in any of several batches an excursion has d in every step, and of a phase with records
    whole epochs: so it is paid wherever they are, and the epochs outside cost most where the timeline has them. It
    may begin within an epoch where the runs are apart from the outset, for nothing before that counts.
    """
    return GaussianDP(A.sqrt(gauge_energy(A, Flows(A, timeline), Mark(0), timeline.start, excursions)))


@theorem(
    "T26r",
    concludes=GaussianDP,
    premises=(Timeline,),
    facts=Facts(
        Direction.ABOVE,
        Family.STRING,
        States.MU,
        formula="mu_square",
        profile=None,
        label="Plumbline (apart only where it pays, in the ball, T26r)",
    ),
    source="docs/theory.md T26r, T26, T5",
    assumes=("projection",),
    oracle="tests/accountant/theorems/test_gauges.py::test_the_search_finds_the_best_of_all_schedules",
)
def gauges_in_a_ball(
    A: Arithmetic, timeline: Timeline, *, restart: Mark, excursions: tuple[Excursion, ...]
) -> GaussianDP:
    """T26 from the moment `restart` on, where the runs are 2R apart at most, like after every projected step: the first
    excursion begins there. What came before is forgotten, its noise too."""
    A.require(timeline.diameter is not None, "a radius", timeline.diameter)
    A.require(Mark(0) < restart and _on(timeline, restart), "the restart lies inside the timeline", restart)
    return GaussianDP(A.sqrt(gauge_energy(A, Flows(A, timeline), restart, timeline.diameter, excursions)))


def _on(timeline: Timeline, mark: Mark) -> bool:
    """Whether it is just before a step of the timeline."""
    if not 0 <= mark.block < len(timeline.blocks):
        return False
    block = timeline.blocks[mark.block]
    return 0 <= mark.position < block.batches and 0 <= mark.epoch < block.epochs


def gauge_energy(
    A: Arithmetic, flows: Flows, begin: Mark, distance: Number, excursions: tuple[Excursion, ...]
) -> Number:
    """μ² of this schedule from `begin` on, the runs `distance` apart there."""
    timeline = flows.timeline
    A.require(
        timeline.alike, "one batch, or phases of one step size, noise and number of batches", len(timeline.blocks)
    )
    apart = begin != Mark(0) or not timeline.equal_starts
    at_once = bool(excursions) and excursions[0].start == begin
    A.require(at_once or not apart, "an excursion from where the runs begin apart", begin)
    if timeline.open:
        inside = [mark for e in excursions for mark in (e.start, e.end) if mark != begin]
        whole = all(mark.position == 0 or not timeline.blocks[mark.block].shifts for mark in inside)
        A.require(whole, "whole epochs for several records", inside)
        drift = all(block.drift is not None for block in timeline.blocks)
        A.require(drift or not excursions, "every phase drifts, or no excursions, for several records", inside)
    total, moment = A.of(0), begin
    for excursion in excursions:
        ends = _on(timeline, excursion.start) and (_on(timeline, excursion.end) or excursion.end == flows.end)
        A.require(ends, "excursions lie on the timeline", excursion)
        A.require(moment <= excursion.start < excursion.end, "excursions ascend", excursion)
        total += composed(A, timeline, moment, excursion.start)
        together = not (apart and excursion is excursions[0]) and not timeline.open
        exactly = None if flows.exact is None else _exactly(flows.exact.timeline, begin, excursion is excursions[0])
        total += segment(A, flows, excursion.start, excursion.end, distance, exactly, together)
        distance, moment = A.of(0), excursion.end
    return total + composed(A, timeline, moment, flows.end)


def _exactly(timeline: Timeline, begin: Mark, first: bool) -> Fraction:
    """How far apart the runs are where an excursion begins."""
    if not first:
        return Fraction(0)
    return timeline.start if begin == Mark(0) else timeline.diameter


def composed(A: Arithmetic, timeline: Timeline, start: Mark, end: Mark) -> Number:
    """Σ s²/τ² of the steps between the two moments: every shift is paid where it arrives."""
    total = A.of(0)
    for i in range(start.block, min(end.block + 1, len(timeline.blocks))):
        block = timeline.blocks[i]
        for position, shift in block.shifts:
            first = start.epoch + (position < start.position) if i == start.block else 0
            last = end.epoch - (position >= end.position) if i == end.block else block.epochs - 1
            if last < first or A.at_least(A.of(0), shift):
                continue
            A.require(below(A, A.of(0), block.variance), "noise wherever a shift is paid", block.variance)
            total += (last - first + 1) * (shift * shift / block.variance)
    return total
