"""Runs that are apart only where it pays: T26."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

from certify.checking.descent.strings import MU, SquaredMu, at_most_stated, before_shifts, settled
from certify.checking.descent.timeline import MOMENT, Moment, Phase, Timeline, parts, shift_at, stretch
from certify.checking.limits import MAX_EXCURSIONS, require
from certify.checking.numbers.exact import number, spend_exactly
from certify.checking.numbers.intervals import Interval, Number
from certify.checking.numbers.powers import geometric, power
from certify.checking.rules import Rule, Step, declare
from certify.checking.work import spend


@dataclass(frozen=True)
class Leg:
    """Steps first … last-1 of a phase, on an excursion of T26; whether they drift, or shift by their records alone."""

    phase: Phase
    first: int
    last: int
    drifts: bool

    def travel(self, bits: int | None, until: int | None = None, since: int | None = None) -> tuple[Number, ...]:
        """As `stretch`."""
        begin, end = self.first if since is None else since, self.last if until is None else until
        if not self.drifts:
            return stretch(self.phase, begin, end, bits)
        c, steps = self.phase.factor, end - begin
        noise = number(self.phase.noise, bits) * geometric(c, 2, steps, bits)
        return power(c, steps, bits), geometric(c, 1, steps, bits) * number(self.phase.drift, bits), noise


@dataclass(frozen=True)
class Excursion:
    """A stretch over which the runs are apart: from `distance`, along one straight piece of the string, to 0."""

    distance: Fraction
    legs: tuple[Leg, ...]

    def ends(self, bits: int | None) -> tuple[Number, Number]:
        """(w, v) at its end."""
        w, v = number(self.distance, bits), number(0, bits)
        for leg in self.legs:
            r, s, q = leg.travel(bits)
            w, v = r * w + s, r * r * v + q
        return w, v

    def stays_above_zero(self, bits: int | None) -> bool:
        """Whether z_k ≥ 0, that is w_k·v ≥ w·C_k·v_k, after each step.

        While steps drift, the increments of the points (V_k, W_k) have slope d/(τ²·C_k), which falls as C_k grows: for
        c ≤ 1 (and no drifting step has another) they lie on a concave curve, so that both ends of a leg are enough.
        Where they do not, look as for a string, and at the ends: between shifts z falls.
        """
        w, v = self.ends(bits)
        rest = [number(1, bits)]  # product of the contractions of the later legs
        for leg in reversed(self.legs[1:]):
            rest.append(rest[-1] * power(leg.phase.factor, leg.last - leg.first, bits))
        w_k, v_k = number(self.distance, bits), number(0, bits)
        for index, leg in enumerate(self.legs):
            moments = [] if leg.drifts else before_shifts(leg.phase, leg.first + (index == 0), leg.last)[0]
            at = leg.first
            for moment in (*moments, leg.last):
                r, s, q = leg.travel(bits, moment, at)
                w_k, v_k, at = r * w_k + s, r * r * v_k + q, moment
                spend_exactly(w_k, v_k, w, v)
                later = rest[len(self.legs) - 1 - index]
                remaining = power(leg.phase.factor, leg.last - moment, bits) * later
                last = index == len(self.legs) - 1 and moment == leg.last
                if not last and not w_k * v >= w * remaining * v_k:
                    return False
        return True


def read_moment(timeline: Timeline, moment: dict[str, str], name: str) -> Moment:
    """Just before a step; the end of the timeline is the start of a phase after the last."""
    block, epoch, position = (int(moment[key]) for key in ("block", "epoch", "position"))
    if block == len(timeline.phases):
        require(epoch == position == 0, f"{name}: a moment in block {block}, after the end")
        return timeline.end
    require(block < len(timeline.phases), f"{name}: a moment in block {block}, after the end")
    phase = timeline.phases[block]
    require(position < phase.batches, f"{name}: a moment at position {position}, not in the epoch")
    require(epoch < phase.epochs, f"{name}: a moment in epoch {epoch}, not in the block")
    return block, epoch * phase.batches + position


def gauges(timeline: Timeline, args: dict[str, Any]) -> tuple[list[tuple[Excursion, int]], Fraction]:
    """T26. Excursions (equal ones counted together), and what the steps between them cost: Σ s²/τ².

    A step takes two runs z apart to at most ψ(z): ψ(0) = s, and ψ(z) = c·z + d for z > 0. Then any a_k ≥ 0 with
    z_k ≥ ψ_k(z_(k-1)) - a_k, z_k ≥ 0, z_N = 0 certify μ² = Σ a_k²/τ_k². Here z is 0, and a_k = s_k, but on excursions.

    In which batches the records are is not known. One record in all: in an earlier batch it is the same steps, earlier,
    with steps without shift after them (or, from unequal starts, a run that parts later or not at all); and gauges
    that are nowhere larger need no larger a_k. Several: an epoch is on an excursion, or composed (from where the first
    excursion ends, if the runs begin apart). If on an excursion, it must cost the same wherever they are: it drifts
    from its first step on. If composed, Σ count² is largest for the placement of the timeline.
    """
    name, phases = "gauges_in_a_ball" if "restart" in args else "gauges", timeline.phases
    begin, distance = (0, 0), timeline.start
    if "restart" in args:  # after a step both runs are in the ball, whatever came before
        require(timeline.diameter is not None, f"{name}: needs a radius")
        begin, distance = read_moment(timeline, args["restart"], name), timeline.diameter
        require((0, 0) < begin < timeline.end, f"{name}: the restart must lie after the start and before the end")
    stretches = [[read_moment(timeline, given[key], name) for key in ("from", "to")] for given in args["excursions"]]
    require(len(stretches) <= MAX_EXCURSIONS, f"{name}: more than {MAX_EXCURSIONS} excursions")
    ordered = [begin, *(moment for pair in stretches for moment in pair)]
    require(all(x <= y for x, y in pairwise(ordered)), f"{name}: excursions must not overlap, and come in order")
    require(all(x < y for x, y in stretches), f"{name}: an excursion takes at least one step")
    from_there = bool(stretches) and stretches[0][0] == begin
    require(distance == 0 or from_there, f"{name}: the runs begin apart; the first excursion must begin there")
    unknown = any(phase.batches > 1 and sum(phase.counts) > 1 for phase in phases)
    if unknown and stretches:
        require(all(phase.drift is not None for phase in phases), f"{name}: excursions of several records need drift")
        free = ordered[2:] if stretches[0][0] == begin else ordered[1:]  # of what came before a restart nothing is left
        quiet = [not phase.positions for phase in phases] + [True]  # nothing is composed there
        whole = all(quiet[block] or step % phases[block].batches == 0 for block, step in free)
        require(whole, f"{name}: several records in unknown batches; excursions must be of whole epochs")
    found: list[tuple[Excursion, int]] = []
    known: dict[tuple[int, int, int], int] = {}  # of those within a block
    spend(20 * (1 + len(stretches)) * (1 + len(phases)) + sum(len(phase.counts) for phase in phases))
    squares = [[0, *accumulate(count * count for count in phase.counts)] for phase in phases]
    composed, at = Fraction(0), begin
    for start, end in [*stretches, [timeline.end, timeline.end]]:
        for phase, first, last in parts(timeline, at, start):
            of = squares[phases.index(phase)]
            done = [step // phase.batches * of[-1] + of[bisect_left(phase.positions, step % phase.batches)]
                    for step in (first, last)]  # fmt: skip
            composed += (done[1] - done[0]) * phase.shift**2 / phase.noise
        at = end
        if start == timeline.end:
            break
        apart = distance if start == begin else Fraction(0)
        block, step = start
        inside = not apart and (end[0] == block or end == (block + 1, 0))
        key = block, step % phases[block].batches, (end[1] if end[0] == block else phases[block].steps) - step
        if inside and key in known:
            found[known[key]] = found[known[key]][0], found[known[key]][1] + 1
            continue
        legs = [Leg(*piece, piece[0].drift is not None) for piece in parts(timeline, start, end)]
        if not apart and not unknown:
            shifts = shift_at(phases[block], step) > 0
            require(shifts, f"{name}: the runs are together, and no step without a shift parts them")
            if legs[0].drifts:  # the first step shifts, but does not drift yet
                rest = replace(legs[0], first=step + 1)
                legs[:1] = [replace(legs[0], last=step + 1, drifts=False), *([rest] if rest.first < rest.last else [])]
        if inside:
            known[key] = len(found)
        found.append((Excursion(apart, tuple(legs)), 1))
    return found, composed


def squared_gauges(excursions: list[tuple[Excursion, int]], composed: Fraction, bits: int) -> Interval:
    """T26. μ² = Σ w²/v over the excursions, and what is composed."""
    total = Interval.of(composed, bits)
    for excursion, times in excursions:
        w, v = excursion.ends(bits)
        if not w.is_zero():
            require(not v.is_zero(), "gauges: a distance is left, but no noise to hide it (v = 0 where w > 0)")
            total = total + times * (w * w / v)
    return total


def check_gauges(step: Step) -> SquaredMu:
    excursions, composed = gauges(step.given[0], step.args)
    for excursion, _ in excursions:
        above = settled(step.given[0], excursion.stays_above_zero, f"{step.name}: z >= 0")
        require(above, f"{step.name}: the schedule dips below zero (z_k < 0)")
    return at_most_stated(step, lambda bits: squared_gauges(excursions, composed, bits))


EXCURSIONS = [{"from": MOMENT, "to": MOMENT}]

declare(
    Rule("T26", "gauges", {"excursions": EXCURSIONS}, MU, check_gauges, "T10"),
    Rule("T26r", "gauges_in_a_ball", {"restart": MOMENT, "excursions": EXCURSIONS}, MU, check_gauges, "T10"),
)
