"""Lower bounds: members of the class, T6."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

from certify.checking.descent.secret import looking_back, one_hidden_record, positions_of, weights
from certify.checking.descent.steps import LOSS, NEIGHBOURS, gradient_shift
from certify.checking.descent.strings import MU, SquaredMu, straight
from certify.checking.descent.timeline import PHASE, requests
from certify.checking.limits import MAX_SUM_BITS, require
from certify.checking.numbers.elementary import at_most, exp, profile
from certify.checking.numbers.exact import number
from certify.checking.numbers.intervals import Interval
from certify.checking.numbers.powers import geometric, power
from certify.checking.reading import exact, integer, rounded
from certify.checking.rules import Rule, Step, declare


def straight_witness(start: Fraction, m: Fraction, one: Fraction, phases: list[Any], bits: int) -> Interval:
    """T6. A lower bound D_N²/V_N of μ² for the class (m, L, M): linear data losses and the regulariser (m/2)|θ|².

    The differing records have opposite gradients of norm M (or one that is zeroed), so that both runs are exactly
    Gaussian, with the same variance V_N, and means that move by slope 1-ηm and `one` = C2 a record. The slope may be
    negative (ηm > 1); the starts may lie on either side of each other. Not valid under projection.
    """
    slopes = [1 - Fraction(phase["step_size"]) * m for phase in phases]
    timeline = requests(Fraction(0), None, phases, slopes, [one] * len(phases))
    mean, variance = straight(timeline, timeline.begin, timeline.end).ends(bits)
    gap = number(start, bits)
    for phase in timeline.phases:
        gap = gap * power(phase.factor, phase.steps, bits)
    distance = abs(gap) + abs(mean)
    return distance * distance / variance


def secret_witness(
    m: Fraction, one: Fraction, phases: list[Any], positions: list[int], threshold: Fraction, epsilon: Fraction
) -> Callable[[int], Interval]:
    """T6m. A lower bound of δ(ε) where T9 is the upper one: P[x > t] - e^ε·P'[x > t] for the straight witness of T6.

    P and P' are mixtures over j of N(±d_j/2, V). (Where the record is removed, all others have half its gradient, so
    that the means lie on both sides of one that does not depend on j.) The bracket grows with d, and d_j with j.
    """
    slopes = [1 - Fraction(phase["step_size"]) * m for phase in phases]
    timeline = requests(Fraction(0), None, phases, slopes, [one] * len(phases))
    phase, after = one_hidden_record(timeline)
    counts = weights(positions, phase.batches, "left")

    def delta(bits: int) -> Interval:
        require(bits <= MAX_SUM_BITS, f"secret_witness: not decided with {MAX_SUM_BITS} bits")
        root = (phase.noise * geometric(phase.factor, 2, phase.steps + after, bits)).sqrt()
        end = geometric(phase.factor, phase.batches, phase.epochs, bits) * power(phase.factor, after, bits)
        total, factor = number(0, bits), exp(number(epsilon, bits))
        for count, (power_u, _) in zip(reversed(counts), looking_back(phase, positions, bits), strict=True):
            half = end * power_u * (one / 2)
            total = total + (at_most((half - threshold) / root) - factor * at_most(-(half + threshold) / root)) * count
        return total / phase.batches

    return delta


def curved_witness(
    args: dict[str, Any], one: Fraction, own: Fraction, others: Fraction, epsilon: Fraction
) -> Callable[[int], Interval]:
    """T6c. A lower bound of δ(ε) for one phase with all differing records in its last batch, from equal starts.

    Their data losses are linear, with opposite gradients of norm M (or one that is zeroed); the other records have
    Huber losses around 0 of curvature `own` (in that batch) or `others`, quadratic while |x| ≤ M/h, h the larger. While
    nobody leaves that interval both runs are exactly Gaussian, with the same variance. So
        δ(ε) ≥ δ_μ(ε) - p - e^ε·p,   p ≤ Σ_k P[|x_k| > M/h] ≤ 2N·Φ(-(M/h - D*)/sqrt(V*)),
    D* and V* being bounds of all means and variances.
    """
    require(len(args["phases"]) == 1, "curved_witness: needs a single phase")
    require(Fraction(args["start"]) == 0, "curved_witness: needs equal starts")
    (described,), m = args["phases"], Fraction(args["strong_convexity"])
    require(max(own, others) <= Fraction(args["smoothness"]) - m, "curved_witness: needs own, others <= L - m")
    step_size = Fraction(described["step_size"])
    size, bound = int(described["batch_size"]), Fraction(args["gradient_bound"])
    (phase,) = requests(Fraction(0), None, [described], [Fraction(0)], [one]).phases
    in_last = phase.positions == (phase.batches - 1,) and phase.counts[0] <= size
    require(in_last, "curved_witness: needs all differing records in the last batch")
    quiet = 1 - step_size * (m + others)
    mixed = 1 - step_size * (m + own * (size - phase.counts[0]) / size)
    require(0 <= quiet < 1 and 0 <= mixed < 1, "curved_witness: needs slopes from 0 to 1, without 1")
    shift, slope, curvature = phase.counts[0] * phase.shift, max(quiet, mixed), max(own, others)
    room = curvature and bound / curvature - shift / (1 - slope)
    require(curvature == 0 or room > 0, "curved_witness: the interval is too small (M/h <= D*)")

    def delta(bits: int) -> Interval:
        over_epoch = power(quiet, phase.batches - 1, bits) * mixed
        in_all = power(quiet, (phase.batches - 1) * phase.epochs, bits) * power(mixed, phase.epochs, bits)
        distance = (1 - in_all) / (1 - over_epoch) * shift
        variance = (geometric(quiet, 2, phase.batches - 1, bits) * mixed**2 + 1) * phase.noise
        variance = variance * ((1 - in_all * in_all) / (1 - over_epoch * over_epoch))
        inside = profile(epsilon, distance / variance.sqrt())
        if not curvature:
            return inside
        outside = at_most(-number(room, bits) / number(phase.noise / (1 - slope**2), bits).sqrt()) * (2 * phase.steps)
        return inside - (1 + exp(number(epsilon, bits))) * outside

    return delta


def shift_of_one(step: Step) -> Fraction:
    """C2, for the witness's phases, which are alike."""
    phases = step.args["phases"]
    require(bool(phases), f"{step.name}: needs at least one step")
    step_size, size = Fraction(phases[0]["step_size"]), int(phases[0]["batch_size"])
    return gradient_shift(step_size, size, step.argument("gradient_bound"), step.args["neighbours"])


def check_straight(step: Step) -> SquaredMu:
    one, phases, stated = shift_of_one(step), step.args["phases"], step.stated("mu")
    start, m = step.argument("start"), step.argument("strong_convexity")
    squared = cache(lambda bits: straight_witness(start, m, one, phases, bits))
    step.decided("mu", lambda bits: stated == 0 or squared(bits) >= stated**2)
    return squared


def check_curved(step: Step) -> None:
    """ε is at least any ε with δ(ε) ≥ δ, and μ at least any with δ_μ(ε) ≤ δ."""
    one, epsilon, delta, mu = shift_of_one(step), *map(step.argument, ("epsilon", "delta", "mu"))
    step.follows("epsilon", step.stated("epsilon") <= epsilon)
    curved = curved_witness(step.args, one, step.argument("own"), step.argument("others"), epsilon)
    step.decided("epsilon", lambda bits: curved(bits) >= delta)
    step.follows("mu", step.stated("mu") <= mu)
    step.decided("mu", lambda bits: profile(epsilon, number(mu, bits)) <= delta)


def check_mixed(step: Step) -> None:
    """ε is at least any ε with δ(ε) ≥ δ."""
    one, epsilon, delta = shift_of_one(step), step.argument("epsilon"), step.argument("delta")
    step.follows("epsilon", step.stated("epsilon") <= epsilon)
    if epsilon > 0:
        m, threshold = step.argument("strong_convexity"), step.argument("threshold")
        mixed = secret_witness(m, one, step.args["phases"], positions_of(step), threshold, epsilon)
        step.decided("epsilon", lambda bits: mixed(bits) >= delta)


WITNESS = {"start": exact, "strong_convexity": exact, "gradient_bound": exact, "neighbours": NEIGHBOURS}
WITNESS |= {"phases": [PHASE | {"batch_size": integer}]}
CURVED = {"smoothness": exact, "delta": exact, "epsilon": exact, "mu": exact, "own": exact, "others": exact}
MIXED = {"delta": exact, "epsilon": exact, "threshold": exact, "positions": [integer]}

declare(
    Rule("T6", "straight_witness", WITNESS, MU, check_straight, LOSS, lower=True),
    Rule("T6c", "curved_witness", WITNESS | CURVED, {"epsilon": rounded} | MU, check_curved, LOSS, lower=True,
         free={"epsilon", "mu", "own", "others"}),
    Rule("T6m", "secret_witness", WITNESS | MIXED, {"epsilon": rounded}, check_mixed, LOSS, lower=True,
         free={"epsilon", "threshold", "positions"}),
)  # fmt: skip
