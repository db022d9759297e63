"""Straight schedules: the taut string, T3 and T5."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, partial
from typing import Any

from certify.checking.descent.distance import wasserstein_tracking
from certify.checking.descent.timeline import (
    MOMENT,
    Moment,
    Motion,
    Phase,
    Timeline,
    equal_steps,
    moved,
    parts,
    stretch,
)
from certify.checking.limits import MAX_EXACT, MAX_POINTS, DoesNotFollow, require
from certify.checking.numbers.exact import number, spend_exactly
from certify.checking.numbers.intervals import Interval, Number, decide
from certify.checking.numbers.powers import power
from certify.checking.reading import integer, rounded
from certify.checking.rules import Rule, Step, declare
from certify.checking.work import spend

SquaredMu = Callable[[int], Interval]  # μ², at so many bits
Distance = Callable[[int | None], Number]


@dataclass(frozen=True)
class Leg:
    """Steps first … last-1 of a phase; whether they drift, on an excursion of T26, or shift by their records alone."""

    phase: Phase
    first: int
    last: int
    drifts: bool = False

    def travel(self, bits: int | None, begin: int, end: int) -> Motion | None:
        """What some of its steps do."""
        if not self.drifts:
            return stretch(self.phase, begin, end, bits)
        return equal_steps(self.phase.factor, self.phase.drift, self.phase.noise, None, end - begin, bits)

    def before_shifts(self, first: int) -> list[int]:
        """The moments from step `first` on just before a shift, where z is to be looked at: for each position the first
        and the last, or (c > 1) all."""
        positions, batches, looked_at, epochs = self.phase.positions, self.phase.batches, 0, []
        spend(len(positions))
        for position in positions:
            earliest, latest = -((position - first) // batches), (self.last - 1 - position) // batches
            epochs.append(range(earliest, latest + 1, max(1, latest - earliest) if self.phase.factor <= 1 else 1))
            looked_at += max(0, len(epochs[-1]) - 1)
            require(looked_at <= MAX_POINTS, f"taut_string: more than {MAX_POINTS} points to look at")
            spend(max(0, len(epochs[-1]) - 1))
        return sorted(e * batches + position for position, those in zip(positions, epochs, strict=True) for e in those)


@dataclass(frozen=True)
class Straight:
    """One straight piece of a schedule: from a distance of the two runs, over these legs, to 0."""

    distance: Distance
    legs: tuple[Leg, ...]

    def ends(self, bits: int | None) -> tuple[Number, Number]:
        """(w, v) at its end; v begins at 0."""
        w, v = self.distance(bits), number(0, bits)
        for leg in self.legs:
            w, v = moved(leg.travel(bits, leg.first, leg.last), w, v)
        return w, v

    def stays_above_zero(self, bits: int | None) -> bool:
        """Whether the schedule has z_k ≥ 0, that is w_k·v ≥ w·C_k·v_k, after each step.

        Between two shifts z only falls: it is enough to look just before each shift, and at the ends of a leg. Just
        before the same position of one epoch after the other, the points (V_k, D_k) have increments of slope falling by
        c^batches: for c ≤ 1 they lie on a concave curve, which is above the string when its first and last points are.
        For c > 1 all points are looked at. While steps drift, increments have slope d/(τ²·C_k), which falls as C_k
        grows: for c ≤ 1 (and no drifting step has another) both ends of a leg are enough.
        """
        w, v = self.ends(bits)
        rest = [number(1, bits)]  # product of the contractions of the later legs
        for leg in reversed(self.legs[1:]):
            rest.append(rest[-1] * power(leg.phase.factor, leg.last - leg.first, bits))
        w_k, v_k = self.distance(bits), number(0, bits)
        for index, leg in enumerate(self.legs):
            moments = [] if leg.drifts else leg.before_shifts(leg.first + (index == 0))
            begin, later = leg.first, rest[len(self.legs) - 1 - index]
            for moment in (*moments, leg.last):
                (w_k, v_k), begin = moved(leg.travel(bits, begin, moment), w_k, v_k), moment
                spend_exactly(w_k, v_k, w, v)
                remaining = power(leg.phase.factor, leg.last - moment, bits) * later
                last = moment == leg.last and index == len(self.legs) - 1
                if not last and not w_k * v >= w * remaining * v_k:
                    return False
        return True


Pieces = list[tuple[Straight, int]]  # straight pieces, and how many equal ones there are


def straight(timeline: Timeline, begin: Moment, end: Moment, distance: Distance | None = None) -> Straight:
    """From a moment, where the runs are together unless a distance is given, to another; without drift."""
    return Straight(distance or partial(number, 0), tuple(Leg(*part) for part in parts(timeline, begin, end)))


def block_at(timeline: Timeline, moment: dict[str, str], what: str) -> tuple[int, int, Phase]:
    """The block and the position of a moment, which are there, and the block's phase."""
    block, position = int(moment["block"]), int(moment["position"])
    require(block < len(timeline.phases), f"{what} in block {block}, after the end")
    phase = timeline.phases[block]
    require(position < phase.batches, f"{what} at position {position}, not in the epoch")
    return block, position, phase


def moment_at(timeline: Timeline, moment: dict[str, str], what: str) -> Moment:
    """Just before a step, which is there."""
    (block, position, phase), epoch = block_at(timeline, moment, what), int(moment["epoch"])
    require(epoch < phase.epochs, f"{what} in epoch {epoch}, not in the block")
    return block, epoch * phase.batches + position


def string_pieces(timeline: Timeline, corners: list[Any]) -> Pieces:
    """The pieces between corners. The first begins at the distance of the two runs there, the others at 0."""
    found, moment = [], timeline.begin
    for corner in corners:
        spend(2)
        block, position, phase = block_at(timeline, corner, "taut_string: corner")
        first, last = int(corner["first"]), int(corner["last"])
        require(first <= last < phase.epochs, f"taut_string: corner in epochs {first} to {last}, not in the block")
        head = (block, first * phase.batches + position)
        require(head > moment, "taut_string: corners must lie after the start and ascend strictly in time")
        found.append((moment, head, 1))
        if last > first:
            found.append((head, (block, head[1] + phase.batches), last - first))
        moment = (block, last * phase.batches + position)

    def distance(bits: int | None) -> Number:
        if timeline.restart is None:
            return number(timeline.start, bits)
        return wasserstein_tracking(timeline, timeline.begin, bits)

    pieces = [*found, (moment, timeline.end, 1)]
    distances = [distance if begin == timeline.begin else None for begin, _, _ in pieces]
    return [(straight(timeline, *ends, start), times) for (*ends, times), start in zip(pieces, distances, strict=True)]


def restarted(timeline: Timeline, restart: dict[str, str]) -> Timeline:
    """T5. With projection the string may begin at any moment, from the distance that T1 gives there (2R at most)."""
    require(timeline.diameter is not None, "bounded_domain: needs a radius")
    return replace(timeline, restart=moment_at(timeline, restart, "bounded_domain: restart"))


def energy(pieces: Pieces, name: str, bits: int) -> Interval:
    """T3, T5, T26. Σ w²/v over the pieces: the released models are μ-GDP with this μ², in both directions.

    On a piece the schedule is a_k = (w/v)·C_k·τ_k², which by T2 shifts the runs into each other at the cost w²/v. It
    needs z_k ≥ 0: see `stays_above_zero`. The string need not be the tautest: any admissible one is a valid bound.
    """
    total = Interval.of(0, bits)
    for piece, times in pieces:
        w, v = piece.ends(bits)
        if not w.is_zero():
            require(not v.is_zero(), f"{name}: a distance is left, but no noise to hide it (v = 0 where w > 0)")
            total = total + times * (w * w / v)
    return total


def settled(timeline: Timeline, holds: Callable[[int | None], bool], what: str) -> bool:
    """A comparison along a timeline, decided: in intervals where that works, in exact rationals where both sides are
    equal."""
    size = sum(p.steps * (p.factor.numerator.bit_length() + p.factor.denominator.bit_length()) for p in timeline.phases)
    if all(phase.factor in (0, 1) for phase in timeline.phases):  # c = 1: points between corners lie on the string
        return holds(None)
    try:
        return decide(holds, what)
    except DoesNotFollow:
        if size > MAX_EXACT:
            raise
        return holds(None)


def admissible(timeline: Timeline, pieces: Pieces, name: str) -> bool:
    """Whether z ≥ 0 throughout."""
    return all(settled(timeline, piece.stays_above_zero, f"{name}: z >= 0") for piece, _ in pieces)


def check_pieces(step: Step, timeline: Timeline, pieces: Pieces, name: str, composed: Fraction) -> SquaredMu:
    """A schedule of these pieces, beside what is composed."""
    require(admissible(timeline, pieces, name), f"{step.name}: the schedule dips below zero (z_k < 0)")
    return at_most_stated(step, lambda bits: energy(pieces, name, bits) + composed)


def check_string_schedule(step: Step) -> SquaredMu:
    timeline = step.given[0]
    if "restart" in step.args:
        timeline = restarted(timeline, step.args["restart"])
    return check_pieces(step, timeline, string_pieces(timeline, step.args["corners"]), "taut_string", Fraction(0))


def at_most_stated(step: Step, squared: SquaredMu) -> SquaredMu:
    """μ², which is at most what is stated."""
    squared, stated = cache(squared), step.stated("mu")
    step.decided("mu", lambda bits: squared(bits) <= stated**2)
    return squared


CORNERS = [{"block": integer, "position": integer, "first": integer, "last": integer}]
MU = {"mu": rounded}

declare(
    Rule("T3", "taut_string", {"corners": CORNERS}, MU, check_string_schedule, "T10",
         free={"corners"}, string=True),
    Rule("T5", "bounded_domain", {"restart": MOMENT, "corners": CORNERS}, MU, check_string_schedule, "T10",
         free={"restart", "corners"}, string=True),
)  # fmt: skip
