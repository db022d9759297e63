"""How far two runs are apart: T1."""

from __future__ import annotations

from certify.checking.descent.timeline import (
    Moment,
    Timeline,
    equal_steps,
    first_shift,
    moved,
    parts,
    shift_at,
    stretch,
    then,
)
from certify.checking.numbers.exact import number
from certify.checking.numbers.intervals import Interval, Number, smaller
from certify.checking.reading import integer, rounded
from certify.checking.rules import Rule, Step, declare


def wasserstein_tracking(timeline: Timeline, moment: Moment, bits: int | None) -> Number:
    """T1. W∞ of the two runs at a moment: w ← c·w + s, at most the diameter after a projected step; where a phase
    drifts, w ← s while w = 0, and from then on w ← c·w + d."""
    cap, w, nothing = timeline.diameter, number(timeline.start, bits), number(0, bits)
    if cap is not None:
        w = smaller(w, number(cap, bits))  # both starts lie in the ball
    for phase, begin, end in parts(timeline, (0, 0), moment):
        if phase.drift is None:
            motion = stretch(phase, begin, end, bits, cap)
        elif not (w.is_zero() if isinstance(w, Interval) else w == 0):
            motion = equal_steps(phase.factor, phase.drift, phase.noise, cap, end - begin, bits)
        else:  # apart from the first step with a shift on
            first = first_shift(phase, begin)
            if first >= end:
                continue
            shift = equal_steps(phase.factor, shift_at(phase, first), phase.noise, cap, 1, bits)
            motion = then(shift, equal_steps(phase.factor, phase.drift, phase.noise, cap, end - first - 1, bits))
        w, _ = moved(motion, w, nothing)
    return w


def check_distance(step: Step) -> None:
    count, stated = int(step.args["phases"]), step.stated("wasserstein")
    step.decided("wasserstein", lambda bits: wasserstein_tracking(step.given[0], (count, 0), bits) <= stated)


declare(
    Rule("T1", "wasserstein_tracking", {"phases": integer}, {"wasserstein": rounded}, check_distance, "T10",
         "`phases`: how many leading ones"),
)  # fmt: skip
