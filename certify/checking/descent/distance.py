"""How far two runs are apart: T1."""

from __future__ import annotations

from certify.checking.descent.timeline import Moment, Phase, Timeline, first_shift, parts, shift_at, stretch
from certify.checking.numbers.exact import number
from certify.checking.numbers.intervals import Interval, Number, smaller
from certify.checking.numbers.powers import geometric, power
from certify.checking.reading import integer, rounded
from certify.checking.rules import Rule, Step, declare
from certify.checking.work import spend

CappedMap = tuple[Number, Number, Number] | None  # (r, s, cap) is w ← min(r·w + s, cap), r ≥ 0; None is w ← w


def then(f: CappedMap, g: CappedMap) -> CappedMap:
    """First f, then g: again a capped map."""
    if f is None or g is None:
        return f or g
    return g[0] * f[0], g[0] * f[1] + g[1], smaller(g[0] * f[2] + g[1], g[2])


def repeated(f: CappedMap, n: int) -> CappedMap:
    """n times f, by doubling."""
    result = None
    while n:
        result, f, n = then(result, f) if n % 2 else result, then(f, f), n // 2
    return result


def vanishes(x: Number) -> bool:
    """Exactly zero."""
    return x.is_zero() if isinstance(x, Interval) else x == 0


def wasserstein_tracking(timeline: Timeline, moment: Moment, bits: int | None) -> Number:
    """T1. W∞ of the two runs at a moment: w ← c·w + s, at most the diameter after a projected step; where a phase
    drifts, w ← s while w = 0, and from then on w ← c·w + d.

    A step is a capped map, and so is every composition of steps: it takes log(steps) compositions, not steps.
    """
    w, zero, cap = number(timeline.start, bits), number(0, bits), None
    if timeline.diameter is not None:
        cap = number(timeline.diameter, bits)
        w = smaller(w, cap)  # both starts lie in the ball

    def capped(x: Number) -> Number:
        return x if cap is None else smaller(x, cap)

    def epoch(phase: Phase, steps: int) -> CappedMap:  # its first steps
        c, done, at = number(phase.factor, bits), None, 0
        for position, count in zip(phase.positions, phase.counts, strict=True):
            spend(1)
            if position < steps:
                quiet, shift = repeated((c, zero, cap), position - at), number(count * phase.shift, bits)
                done, at = then(then(done, quiet), (c, shift, cap)), position + 1
        return then(done, repeated((c, zero, cap), steps - at))

    for phase, _, last in parts(timeline, (0, 0), moment):
        steps, epochs = (), divmod(last, phase.batches)
        if phase.drift is not None:
            if vanishes(w):
                begin = first_shift(phase, 0)
                if begin >= last:
                    continue
                w, last = capped(number(shift_at(phase, begin), bits)), last - begin - 1
            if cap is None:
                w = power(phase.factor, last, bits) * w + geometric(phase.factor, 1, last, bits) * phase.drift
            else:
                steps = (repeated((number(phase.factor, bits), number(phase.drift, bits), cap), last),)
        elif cap is None:
            r, s, _ = stretch(phase, 0, last, bits)
            w = r * w + s
        else:
            steps = (repeated(epoch(phase, phase.batches), epochs[0]), epoch(phase, epochs[1]))
        for step in steps:
            w = w if step is None else smaller(step[0] * w + step[1], step[2])
    return w


def check_distance(step: Step) -> None:
    count, stated = int(step.args["phases"]), step.stated("wasserstein")
    step.decided("wasserstein", lambda bits: wasserstein_tracking(step.given[0], (count, 0), bits) <= stated)


declare(
    Rule("T1", "wasserstein_tracking", {"phases": integer}, {"wasserstein": rounded}, check_distance, "T10",
         "`phases`: how many leading ones"),
)  # fmt: skip
