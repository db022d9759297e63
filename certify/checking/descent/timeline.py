"""Two runs side by side: phases, and what stretches of steps do (T10)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from certify.checking.descent.steps import Drift, variance
from certify.checking.limits import MAX_STEPS, require
from certify.checking.numbers.exact import number, spend_exactly
from certify.checking.numbers.intervals import Number, smaller
from certify.checking.reading import exact, integer, optional
from certify.checking.rules import Rule, Step, declare
from certify.checking.work import remembered, spend

Moment = tuple[int, int]  # (block, steps done in it)


@dataclass(frozen=True)
class Phase:
    """Equal epochs. A step takes the distance w of two runs to factor·w + count·shift, with noise variance `noise`.

    In a phase that drifts it takes w > 0 to factor·w + drift, whatever the records, and w = 0 to count·shift.
    """

    epochs: int
    batches: int  # steps in an epoch
    factor: Fraction
    noise: Fraction
    shift: Fraction  # of one differing record
    positions: tuple[int, ...]  # batches with differing records, ascending
    counts: tuple[int, ...]  # how many, at each position
    drift: Fraction | None = None

    @property
    def steps(self) -> int:
        return self.epochs * self.batches


@dataclass(frozen=True)
class Timeline:
    """Two runs side by side: the distance of their starts, the diameter of the domain if there is one, the phases."""

    start: Fraction
    diameter: Fraction | None
    phases: tuple[Phase, ...]
    restart: Moment | None = None  # T5: where the string begins, if not at the start

    @property
    def begin(self) -> Moment:
        return self.restart or (0, 0)

    @property
    def end(self) -> Moment:
        return len(self.phases), 0


def requests(start: Fraction, diameter: Fraction | None, phases: list[Any], factors: list[Any], shift: Any) -> Timeline:
    """T10. The timeline of a request: a step whose batch has `count` differing records shifts by count times C2.

    Each step is c-Lipschitz plus the shift, and adds N(0, τ²I) with τ² = 2ησ². A phase whose factor is a Drift has that
    shift only while the runs are together; once they are apart it drifts, at every step.
    """
    built = []
    for phase, factor, one in zip(phases, factors, shift, strict=True):
        spend(4 + len(phase["records"]))
        epochs, batches, noise = int(phase["epochs"]), int(phase["batches"]), variance(phase)
        positions, counts = (tuple(int(pair[i]) for pair in phase["records"]) for i in (0, 1))
        c, drift = (factor.factor, factor.distance) if isinstance(factor, Drift) else (factor, None)
        both = isinstance(factor, Drift) and factor.batch
        require((one == factor) if both else isinstance(one, Fraction), "requests: batch_clipped_step stands for both")
        if both:  # a batch has one differing record, or more: its mean gradient is another one
            one, counts = drift, (1,) * len(counts)
        fits = drift is None or all(count * one <= drift for count in counts)
        require(fits, "requests: a batch of more records than it can hold")
        built.append(Phase(epochs, batches, c, noise, one, positions, counts, drift))
    require(bool(built), "requests: needs at least one step")
    require(sum(phase.steps for phase in built) <= MAX_STEPS, f"requests: more than {MAX_STEPS} steps")
    return Timeline(start, diameter, tuple(built))


Motion = tuple[Number, Number, Number, Number | None]  # (r, s, q, cap), r ≥ 0: w ← min(r·w + s, cap), v ← r²·v + q


def then(f: Motion | None, g: Motion | None) -> Motion | None:
    """First f, then g: again such a map. None: nothing moves."""
    if f is None or g is None:
        return f or g
    (r1, s1, q1, cap1), (r2, s2, q2, cap2) = f, g
    spend_exactly(r1, s1, q1, r2)
    return r2 * r1, r2 * s1 + s2, r2 * r2 * q1 + q2, None if cap1 is None else smaller(r2 * cap1 + s2, cap2)


def repeated(f: Motion | None, n: int) -> Motion | None:
    """n times f, by doubling."""
    result = None
    while n:
        result, f, n = then(result, f) if n % 2 else result, then(f, f), n // 2
    return result


def moved(motion: Motion | None, w: Number, v: Number) -> tuple[Number, Number]:
    """The distance and the variance afterwards."""
    if motion is None:
        return w, v
    r, s, q, cap = motion
    w = r * w + s
    return w if cap is None else smaller(w, cap), r * r * v + q


@remembered
@lru_cache(maxsize=2**16)
def equal_steps(
    c: Fraction, shift: Fraction, noise: Fraction, cap: Fraction | None, n: int, bits: int | None
) -> Motion | None:
    """n equal steps."""
    if n < 2:
        one = number(c, bits), number(shift, bits), number(noise, bits), None if cap is None else number(cap, bits)
        return one if n else None
    half = equal_steps(c, shift, noise, cap, n // 2, bits)
    return then(then(half, half), equal_steps(c, shift, noise, cap, n % 2, bits))


def stretch(phase: Phase, begin: int, end: int, bits: int | None, cap: Fraction | None = None) -> Motion | None:
    """Steps begin … end-1 of a phase. It takes log(steps) compositions, not steps."""
    c, noise, batches = phase.factor, phase.noise, phase.batches

    def window(first: int, last: int) -> Motion | None:  # within one epoch
        motion, done = None, first
        within = range(bisect_left(phase.positions, first), bisect_left(phase.positions, last))
        spend(1 + len(within))
        for i in within:
            quiet = equal_steps(c, Fraction(0), noise, cap, phase.positions[i] - done, bits)
            shifts = equal_steps(c, phase.counts[i] * phase.shift, noise, cap, 1, bits)
            motion, done = then(then(motion, quiet), shifts), phase.positions[i] + 1
        return then(motion, equal_steps(c, Fraction(0), noise, cap, last - done, bits))

    (first_epoch, first), (last_epoch, last) = divmod(begin, batches), divmod(end, batches)
    if first_epoch == last_epoch:
        return window(first, last)
    whole = last_epoch - first_epoch - 1
    motion = then(window(first, batches), repeated(window(0, batches), whole) if whole else None)
    return then(motion, window(0, last))


def parts(timeline: Timeline, begin: Moment, end: Moment) -> Iterator[tuple[Phase, int, int]]:
    """What lies between two moments, block by block, as (phase, from step, to step)."""
    for block in range(begin[0], min(end[0] + 1, len(timeline.phases))):
        spend(1)
        phase = timeline.phases[block]
        first, last = begin[1] if block == begin[0] else 0, end[1] if block == end[0] else phase.steps
        if first < last:
            yield phase, first, last


def first_shift(phase: Phase, step: int) -> int:
    """The first step from `step` on whose batch has a differing record; the number of steps where there is none."""
    if not phase.positions:
        return phase.steps
    epoch, position = divmod(step, phase.batches)
    i = bisect_left(phase.positions, position)
    following = (epoch, phase.positions[i]) if i < len(phase.positions) else (epoch + 1, phase.positions[0])
    return min(phase.steps, following[0] * phase.batches + following[1])


def shift_at(phase: Phase, step: int) -> Fraction:
    """How far a step takes two runs apart that are together."""
    if first_shift(phase, step) > step:
        return Fraction(0)
    return phase.counts[bisect_left(phase.positions, step % phase.batches)] * phase.shift


def check_requests(step: Step) -> Timeline:
    args, factors, shifts = step.args, step.given[::2], step.given[1::2]
    diameter = args["diameter"] and step.argument("diameter")
    timeline = requests(step.argument("start"), diameter, args["phases"], factors, shifts)
    step.equal({"steps": Fraction(sum(phase.steps for phase in timeline.phases))})
    return timeline


PHASE = {"epochs": integer, "batches": integer, "step_size": exact, "noise_std": exact, "records": [(integer, integer)]}
MOMENT = {"block": integer, "epoch": integer, "position": integer}

declare(
    Rule("T10", "requests", {"start": exact, "diameter": optional(exact), "phases": [PHASE]}, {"steps": integer},
         check_requests, "for each phase two: C1, C2 or T22, C2 or T23, C2 or T23b, the same T23b",
         "`diameter` = 2R, if there is a radius; `records`: [position, count]; `steps`: total number"),
)  # fmt: skip
