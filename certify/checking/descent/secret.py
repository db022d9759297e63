"""A secret order of the batches: T9."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from itertools import pairwise

from certify.checking.descent.privacy import Delta, check_curve
from certify.checking.descent.timeline import Phase, Timeline
from certify.checking.limits import MAX_POSITIONS, MAX_SUM_BITS, Undecided, require
from certify.checking.numbers.elementary import exp, profile
from certify.checking.numbers.exact import number
from certify.checking.numbers.intervals import Interval
from certify.checking.numbers.powers import geometric, power
from certify.checking.reading import exact, integer, one_of, rounded
from certify.checking.rules import Rule, Step, declare
from certify.checking.work import spend


def weights(positions: list[int], batches: int, rule: str) -> list[Fraction]:
    """For how many of the batches 0 … l-1 each of the positions counts, so that Σ_j f(j) is bounded for the f at hand.

    right: for those since the one before; from above where f does not fall.
    left: for those until the one after; from below where f does not fall.
    chord: for half of the gaps on either side (and ½ at both ends): the trapezoid rule; from above where f is convex.
    """
    spend(4 * len(positions))
    require(positions[:1] == [0], "secret order: positions must begin with batch 0")
    require(positions[-1] == batches - 1, "secret order: positions must end with the last batch")
    require(all(p < q for p, q in pairwise(positions)), "secret order: positions must ascend")
    require(len(positions) <= MAX_POSITIONS, f"secret order: more than {MAX_POSITIONS} positions")
    before = [Fraction(q - p) for p, q in pairwise([-1, *positions])]
    after = [Fraction(q - p) for p, q in pairwise([*positions, batches])]
    return {"right": before, "left": after, "chord": [(p + q) / 2 for p, q in zip(before, after, strict=True)]}[rule]


def looking_back(phase: Phase, positions: list[int], bits: int) -> Iterator[tuple[Interval, Interval]]:
    """(c^u, Σ_{i<u} c^2i) for the u batches after each position, from the last position to the first."""
    power_u, sum_u = number(1, bits), number(0, bits)
    for position, following in zip(reversed(positions), (positions[-1], *reversed(positions)), strict=False):
        gap = following - position
        sum_u = sum_u + power_u * power_u * geometric(phase.factor, 2, gap, bits)
        power_u = power_u * power(phase.factor, gap, bits)
        yield power_u, sum_u


def one_hidden_record(timeline: Timeline) -> tuple[Phase, int]:
    """The side conditions of T9 and T6m; returns the phase with the record, and the number of steps after it."""
    phase, *later = timeline.phases
    alike = all((p.factor, p.noise, p.positions) == (phase.factor, phase.noise, ()) for p in later)
    require(alike and phase.counts == (1,), "secret order: needs one differing record, in the first phase alone")
    require(timeline.start == 0, "secret order: needs equal starts")
    require(0 <= phase.factor <= 1, "secret order: needs a contraction (or slope) from 0 to 1")
    return phase, sum(p.steps for p in later)


def squared_mus(timeline: Timeline, positions: list[int], bits: int) -> list[Interval]:
    """μ_j² of the taut string with the one differing record in batch j, for each position j (docs/theory.md T4).

    The string begins with the first shift. If steps follow the learning, it is straight: the points before the shifts
    lie on a concave curve that ends, one epoch after the last shift, no lower than the string. Else its last corner may
    be the last shift: that is admissible in any case, and costs no less than the straight string where that is.
    """
    phase, after = one_hidden_record(timeline)
    c, batches, earlier = phase.factor, phase.batches, phase.epochs - 1
    total = geometric(c, batches, phase.epochs, bits) * power(c, after, bits) * phase.shift
    rest = geometric(c, 2, earlier * batches + after + 1, bits)  # noise from the first shift, back from batch j's end
    early = geometric(c, batches, earlier, bits) * power(c, batches, bits) * phase.shift  # all shifts but the last
    early_noise = power(c, 2, bits) * geometric(c, 2, earlier * batches, bits)
    found = []
    for power_u, sum_u in looking_back(phase, positions, bits):
        square = power_u * power_u
        straight = total * total * square / (sum_u + square * rest)
        if earlier and not after:
            last, last_noise = power_u * phase.shift, sum_u + square
            first, first_noise = early * power_u, early_noise * square
            try:
                bent = first * last_noise < last * first_noise
            except Undecided:
                bent = True
            if bent:
                straight = first * first / first_noise + last * last / last_noise
        found.append(straight / phase.noise)
    return found[::-1]


def secret_order(timeline: Timeline, positions: list[int], rule: str) -> Callable[[Fraction, int], Interval]:
    """T9. δ(ε) ≤ (1/l)·Σ_j δ_{μ_j}(ε), for a batch j that is uniform on 0 … l-1 and secret (joint convexity).

    μ_j grows with j: an earlier batch is the same string with clean steps appended. With two phases log μ_j is convex
    in j (-log(1 - q^n) is a sum of exponentials in n), and δ is convex in μ up to sqrt(2ε): then the chord rule holds.
    """
    counts = weights(positions, timeline.phases[0].batches, rule)
    squared = cache(lambda bits: squared_mus(timeline, positions, bits))

    def delta(epsilon: Fraction, bits: int) -> Interval:
        require(bits <= MAX_SUM_BITS, f"secret_order: not decided with {MAX_SUM_BITS} bits")
        if rule == "chord" and len(positions) < timeline.phases[0].batches:
            require(len(timeline.phases) == 2, "secret_order: the chord rule with gaps needs two phases")
            require(squared(bits)[-1] <= 2 * epsilon, "secret_order: the chord rule with gaps needs mu^2 <= 2 epsilon")
        each = (profile(epsilon, square.sqrt()) * count for count, square in zip(counts, squared(bits), strict=True))
        return sum(each, number(0, bits)) / timeline.phases[0].batches

    return delta


def secret_renyi(timeline: Timeline, positions: list[int]) -> Callable[[Fraction, Fraction, int], bool]:
    """T9r. e^((α-1)D_α) ≤ (1/l)·Σ_j e^((α-1)αμ_j²/2) for a hidden batch, as for T9: this too is jointly convex."""
    batches = timeline.phases[0].batches
    counts = weights(positions, batches, "right")
    squared = cache(lambda bits: squared_mus(timeline, positions, bits))

    def is_below(order: Fraction, upper: Fraction, bits: int) -> bool:
        require(bits <= MAX_SUM_BITS, f"secret_renyi: not decided with {MAX_SUM_BITS} bits")
        half = order * (order - 1) / 2
        each = (exp(square * half) * count for count, square in zip(counts, squared(bits), strict=True))
        return sum(each, number(0, bits)) <= exp(number((order - 1) * upper, bits)) * batches

    return is_below


def positions_of(step: Step) -> list[int]:
    return [int(position) for position in step.args["positions"]]


def check_secret_order(step: Step) -> Delta:
    positions, stated = positions_of(step), step.stated("epsilon")
    above = secret_order(step.given[0], positions, step.args["rule"])
    step.decided("epsilon", lambda bits: above(stated, bits) <= step.argument("delta"))
    return secret_order(step.given[0], positions, "left")


def check_secret_renyi(step: Step) -> None:
    check_curve(step, secret_renyi(step.given[0], positions_of(step)))


POSITIONS = {"positions": [integer]}

declare(
    Rule("T9", "secret_order", {"delta": exact} | POSITIONS | {"rule": one_of("chord", "right")}, {"epsilon": rounded},
         check_secret_order, "T10", free={"positions", "rule"}),
    Rule("T9r", "secret_renyi", {"orders": [exact]} | POSITIONS, {"renyi": [rounded]}, check_secret_renyi, "T10",
         free={"positions", "orders"}),
)  # fmt: skip
