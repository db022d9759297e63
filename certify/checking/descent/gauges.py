"""Runs that are apart only where it pays: T26."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import accumulate, pairwise
from typing import Any

from certify.checking.descent.strings import MU, Leg, Pieces, SquaredMu, Straight, check_pieces, moment_at
from certify.checking.descent.timeline import MOMENT, Moment, Timeline, parts, shift_at
from certify.checking.limits import MAX_EXCURSIONS, require
from certify.checking.numbers.exact import number
from certify.checking.rules import Rule, Step, declare
from certify.checking.work import spend


def read_moment(timeline: Timeline, moment: dict[str, str], name: str) -> Moment:
    """Just before a step; the end of the timeline is the start of a phase after the last."""
    if int(moment["block"]) < len(timeline.phases):
        return moment_at(timeline, moment, f"{name}: a moment")
    ends = moment == {"block": str(len(timeline.phases)), "epoch": "0", "position": "0"}
    require(ends, f"{name}: a moment in block {moment['block']}, after the end")
    return timeline.end


def gauges(timeline: Timeline, args: dict[str, Any]) -> tuple[Pieces, str, Fraction]:
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
    found: Pieces = []
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
        found.append((Straight(partial(number, apart), tuple(legs)), 1))
    return found, "gauges", composed


def check_gauges(step: Step) -> SquaredMu:
    return check_pieces(step, step.given[0], *gauges(step.given[0], step.args))


EXCURSIONS = [{"from": MOMENT, "to": MOMENT}]

declare(
    Rule("T26", "gauges", {"excursions": EXCURSIONS}, MU, check_gauges, "T10",
         free={"excursions"}, string=True),
    Rule("T26r", "gauges_in_a_ball", {"restart": MOMENT, "excursions": EXCURSIONS}, MU, check_gauges, "T10",
         free={"restart", "excursions"}, string=True),
)  # fmt: skip
