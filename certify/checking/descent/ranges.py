"""The range before the last noises: T24."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.checking.descent.privacy import Delta
from certify.checking.descent.steps import Drift, variance
from certify.checking.descent.strings import SquaredMu
from certify.checking.descent.timeline import PHASE
from certify.checking.limits import MAX_RANGE_STEPS, MAX_SUM_BITS, require
from certify.checking.numbers.elementary import exp, log, profile
from certify.checking.numbers.exact import number
from certify.checking.numbers.intervals import Dyadic, Interval
from certify.checking.reading import exact, rounded
from certify.checking.rules import Rule, Step, declare


def range_before_noise(
    squared: SquaredMu, rate: Fraction | Drift, diameter: Fraction, phase: dict[str, Any], delta: Fraction
) -> Delta:
    """T24. δ(ε) after steps that are alike in both runs, on a ball of the given diameter, from a μ-GDP pair.

    Before its noise such a step takes any two points of the ball to at most D: factor·diameter, plus a drift. So by
    Balle, Barthe, Gaboardi, Geumlek (2019) it takes an (ε,δ)-pair to an (ε, δ·Θ)-pair, Θ the profile of D/τ at
    ε̃ = log(1 + (e^ε-1)/δ). The new δ rises with the old one (as ε̃ falls), so each end is followed by itself; the
    upper end only until it is below the claimed δ.
    """
    steps, noise = int(phase["epochs"]) * int(phase["batches"]), variance(phase)
    require(0 < steps <= MAX_RANGE_STEPS, f"range_before_noise: needs 1 to {MAX_RANGE_STEPS} steps")
    reach = rate.factor * diameter + rate.distance if isinstance(rate, Drift) else rate * diameter

    def delta_of(epsilon: Fraction, bits: int) -> Interval:
        require(bits <= MAX_SUM_BITS, f"range_before_noise: not decided with {MAX_SUM_BITS} bits")
        ratio, growth = number(reach**2 / noise, bits).sqrt(), exp(number(epsilon, bits)) - 1

        def follow(end: Dyadic, up: bool) -> Dyadic:
            for _ in range(steps):
                if end[0] <= 0 or (up and Interval(end, end, bits) <= delta):
                    break
                point = Interval(end, end, bits)
                following = point * profile(log(1 + growth / point), ratio)
                end = following.high if up else following.low
            return end if end[0] > 0 else (0, 0)

        first = profile(epsilon, squared(bits).sqrt())
        high = follow(first.high, True)
        settled = Interval(high, high, bits) <= delta
        return Interval((0, 0) if settled else follow(first.low, False), high, bits)

    return delta_of


def check_range(step: Step) -> Delta:
    stated, delta = step.stated("epsilon"), step.argument("delta")
    after = range_before_noise(*step.given, step.argument("diameter"), step.args["phase"], delta)
    step.decided("epsilon", lambda bits: after(stated, bits) <= delta)
    return after


declare(
    Rule("T24", "range_before_noise", {"delta": exact, "diameter": exact, "phase": PHASE}, {"epsilon": rounded},
         check_range, "T3, T5, T26 or T26r; C1, T22, T23 or T23b", "`diameter` = 2R; a phase without `records`"),
)  # fmt: skip
