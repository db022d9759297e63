"""Straight schedules: the taut string, T3 and T5."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from certify.checking.descent.distance import wasserstein_tracking
from certify.checking.descent.timeline import MOMENT, Moment, Phase, Timeline, parts, stretch
from certify.checking.limits import MAX_EXACT, MAX_POINTS, DoesNotFollow, require
from certify.checking.numbers.exact import number, spend_exactly
from certify.checking.numbers.intervals import Interval, Number, decide
from certify.checking.numbers.powers import power
from certify.checking.reading import integer, rounded
from certify.checking.rules import Rule, Step, declare
from certify.checking.work import spend

SquaredMu = Callable[[int], Interval]  # μ², at so many bits


def segments(timeline: Timeline, corners: list[Any]) -> list[tuple[Moment, Moment, int]]:
    """The pieces between corners: (from, to, how many equal ones in a row)."""
    found, moment = [], timeline.begin
    for corner in corners:
        spend(2)
        block, position, first, last = (int(corner[key]) for key in ("block", "position", "first", "last"))
        require(block < len(timeline.phases), f"taut_string: corner in block {block}, after the end")
        phase = timeline.phases[block]
        require(position < phase.batches, f"taut_string: corner at position {position}, not in the epoch")
        require(first <= last < phase.epochs, f"taut_string: corner in epochs {first} to {last}, not in the block")
        head = (block, first * phase.batches + position)
        require(head > moment, "taut_string: corners must lie after the start and ascend strictly in time")
        found.append((moment, head, 1))
        if last > first:
            found.append((head, (block, head[1] + phase.batches), last - first))
        moment = (block, last * phase.batches + position)
    return [*found, (moment, timeline.end, 1)]


def restarted(timeline: Timeline, restart: dict[str, str]) -> Timeline:
    """T5. With projection the string may begin at any moment, from the distance that T1 gives there (2R at most)."""
    block, epoch, position = (int(restart[key]) for key in ("block", "epoch", "position"))
    require(timeline.diameter is not None, "bounded_domain: needs a radius")
    require(block < len(timeline.phases), f"bounded_domain: restart in block {block}, after the end")
    phase = timeline.phases[block]
    require(position < phase.batches, f"bounded_domain: restart at position {position}, not in the epoch")
    require(epoch < phase.epochs, f"bounded_domain: restart in epoch {epoch}, not in the block")
    return replace(timeline, restart=(block, epoch * phase.batches + position))


def distance_at(timeline: Timeline, begin: Moment, bits: int | None) -> Number:
    """Where a segment of the string begins: at 0, but the first one at the distance of the two runs there."""
    if begin != timeline.begin:
        return number(0, bits)
    return number(timeline.start, bits) if timeline.restart is None else wasserstein_tracking(timeline, begin, bits)


def travel(timeline: Timeline, begin: Moment, end: Moment, bits: int | None) -> tuple[Number, Number]:
    """(w, v) at the end of a segment; v begins at 0."""
    w, v = distance_at(timeline, begin, bits), number(0, bits)
    for phase, first, last in parts(timeline, begin, end):
        r, s, q = stretch(phase, first, last, bits)
        w, v = r * w + s, r * r * v + q
    return w, v


def taut_string(timeline: Timeline, corners: list[Any], bits: int) -> Interval:
    """T3, T5. μ² = Σ w²/v over the segments between the corners: the released models are μ-GDP, in both directions.

    On a segment the schedule is a_k = (w/v)·C_k·τ_k², which by T2 shifts the runs into each other at the cost w²/v. It
    needs z_k ≥ 0: see `stays_above_zero`. The string need not be the tautest: any admissible one is a valid bound.
    """
    total = Interval.of(0, bits)
    for begin, end, times in segments(timeline, corners):
        w, v = travel(timeline, begin, end, bits)
        if not w.is_zero():
            require(not v.is_zero(), "taut_string: a distance is left, but no noise to hide it (v = 0 where w > 0)")
            total = total + times * (w * w / v)
    return total


def before_shifts(phase: Phase, first: int, last: int) -> tuple[list[int], int]:
    """The moments of a piece of string just before a shift, from step `first` to before `last`, where z is to be looked
    at; and how many there are. For each position the first and the last, or (c > 1) all.
    """
    moments, looked_at = set(), 0
    spend(len(phase.positions))
    for position in phase.positions:
        earliest, latest = -((position - first) // phase.batches), (last - 1 - position) // phase.batches
        step = max(1, latest - earliest) if phase.factor <= 1 else 1
        looked_at += max(0, latest - earliest) // step
        require(looked_at <= MAX_POINTS, f"taut_string: more than {MAX_POINTS} points to look at")
        spend(max(0, latest - earliest) // step)
        moments.update(e * phase.batches + position for e in range(earliest, latest + 1, step))
    return sorted(moments), looked_at


def stays_above_zero(timeline: Timeline, corners: list[Any], bits: int | None) -> bool:
    """Whether the schedule of T3 has z_k ≥ 0 throughout, that is w_k·v ≥ w·C_k·v_k inside each segment.

    Between two shifts z only falls: it is enough to look just before each shift. Just before the same position of one
    epoch after the other, the points (V_k, D_k) have increments of slope falling by c^batches: for c ≤ 1 they lie on a
    concave curve, which is above the string when its first and last points are. For c > 1 all points are looked at.
    """
    looked_at = 0
    for begin, end, _ in segments(timeline, corners):
        w, v = travel(timeline, begin, end, bits)
        pieces = list(parts(timeline, begin, end))
        rest = [number(1, bits)]  # product of the contractions of the later pieces
        for phase, first, last in reversed(pieces[1:]):
            rest.append(rest[-1] * power(phase.factor, last - first, bits))
        w_k, v_k = distance_at(timeline, begin, bits), number(0, bits)
        for index, (phase, first, last) in enumerate(pieces):
            moments, points = before_shifts(phase, first + (index == 0), last)
            looked_at += points
            require(looked_at <= MAX_POINTS, f"taut_string: more than {MAX_POINTS} points to look at")
            at = first
            for moment in (*moments, last):
                r, s, q = stretch(phase, at, moment, bits)
                w_k, v_k, at = r * w_k + s, r * r * v_k + q, moment
                spend_exactly(w_k, v_k, w, v)
                remaining = power(phase.factor, last - moment, bits) * rest[len(pieces) - 1 - index]
                if moment < last and not w_k * v >= w * remaining * v_k:
                    return False
    return True


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


def admissible(timeline: Timeline, corners: list[Any]) -> bool:
    """`stays_above_zero`, decided."""
    return settled(timeline, lambda bits: stays_above_zero(timeline, corners, bits), "taut_string: z >= 0")


def check_string_schedule(step: Step) -> SquaredMu:
    corners, timeline = step.args["corners"], step.given[0]
    if "restart" in step.args:
        timeline = restarted(timeline, step.args["restart"])
    require(admissible(timeline, corners), f"{step.name}: the schedule dips below zero (z_k < 0)")
    return at_most_stated(step, lambda bits: taut_string(timeline, corners, bits))


def at_most_stated(step: Step, squared: SquaredMu) -> SquaredMu:
    """μ², which is at most what is stated."""
    squared, stated = cache(squared), step.stated("mu")
    step.decided("mu", lambda bits: squared(bits) <= stated**2)
    return squared


CORNERS = [{"block": integer, "position": integer, "first": integer, "last": integer}]
MU = {"mu": rounded}

declare(
    Rule("T3", "taut_string", {"corners": CORNERS}, MU, check_string_schedule, "T10"),
    Rule("T5", "bounded_domain", {"restart": MOMENT, "corners": CORNERS}, MU, check_string_schedule, "T10"),
)
