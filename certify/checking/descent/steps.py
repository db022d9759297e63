"""What one step does to the distance of two runs: C1, T22, T23, and C2."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from certify.checking.limits import require
from certify.checking.reading import exact, integer, one_of
from certify.checking.rules import Rule, Step, declare


def contraction(step_size: Fraction, strong_convexity: Fraction, smoothness: Fraction) -> Fraction:
    """C1. A noiseless gradient step on an m-strongly convex, L-smooth loss is max(|1-ηm|, |1-ηL|)-Lipschitz."""
    require(step_size > 0, "contraction: needs step_size > 0")
    fits = strong_convexity <= smoothness  # and 0 ≤ m: the format has no signs
    require(fits, "contraction: needs strong_convexity <= smoothness")
    return max(abs(1 - step_size * strong_convexity), abs(1 - step_size * smoothness))


def nonconvex_step(step_size: Fraction, smoothness: Fraction) -> Fraction:
    """T22. A noiseless gradient step on an L-smooth loss, convex or not, is (1+ηL)-Lipschitz."""
    require(step_size > 0, "nonconvex_step: needs step_size > 0")
    return 1 + step_size * smoothness


@dataclass(frozen=True)
class Drift:
    """|φ(x) - φ'(y)| ≤ factor·|x - y| + distance for any two steps φ, φ', whatever their records.

    At x = y it is 0 for equal records. Else it is at most C2 for each record that differs, where each record's gradient
    has the bound; where only the mean gradient of the batch has it (`batch`), the distance again.
    """

    factor: Fraction
    distance: Fraction
    batch: bool = False


def clipped_step(step_size: Fraction, m: Fraction, gradient_bound: Fraction, batch: bool = False) -> Drift:
    """T23, T23b. A step (1-ηm)·x - η·g with |g| ≤ M, g any function of x and of the records: factor 1-ηm, distance
    2ηM."""
    name = "batch_clipped_step" if batch else "clipped_step"
    require(step_size > 0, f"{name}: needs step_size > 0")
    require(step_size * m <= 1, f"{name}: needs step_size * strong_convexity <= 1")
    return Drift(1 - step_size * m, 2 * step_size * gradient_bound, batch)


def gradient_shift(step_size: Fraction, batch_size: int, gradient_bound: Fraction, neighbours: str) -> Fraction:
    """C2. One differing record moves a step by at most 2ηM/b (value replaced) or ηM/b (gradient zeroed)."""
    require(batch_size >= 1, "gradient_shift: needs batch_size >= 1")
    return {"replace-one": 2, "remove-one": 1}[neighbours] * step_size * gradient_bound / batch_size


def variance(phase: dict[str, Any]) -> Fraction:
    """τ² = 2ησ², the variance of the noise of a step."""
    noise_std = Fraction(phase["noise_std"])
    require(noise_std > 0, "requests: needs noise_std > 0")
    return 2 * Fraction(phase["step_size"]) * noise_std**2


def check_factor(step: Step) -> Fraction:
    rule = contraction if step.theorem == "C1" else nonconvex_step
    return step.equal({"contraction": rule(**{key: step.argument(key) for key in step.args})})["contraction"]


def check_drift(step: Step) -> Drift:
    drift = clipped_step(*map(step.argument, CLIPPED_STEP), batch=step.theorem == "T23b")
    step.equal({"contraction": drift.factor, "shift": drift.distance})
    return drift


def check_shift(step: Step) -> Fraction:
    size, bound = int(step.args["batch_size"]), step.argument("gradient_bound")
    shift = gradient_shift(step.argument("step_size"), size, bound, step.args["neighbours"])
    return step.equal({"shift": shift})["shift"]


NEIGHBOURS = one_of("replace-one", "remove-one")
CLIPPED_STEP = {"step_size": exact, "strong_convexity": exact, "gradient_bound": exact}
RATE, DRIFTING = {"contraction": exact}, {"contraction": exact, "shift": exact}
LOSS = "L1 unless the loss is `constants`"

declare(
    Rule("C1", "contraction", {"step_size": exact, "strong_convexity": exact, "smoothness": exact}, RATE,
         check_factor, LOSS),
    Rule("T22", "nonconvex_step", {"step_size": exact, "smoothness": exact}, RATE, check_factor, LOSS),
    Rule("T23", "clipped_step", CLIPPED_STEP, DRIFTING, check_drift, LOSS),
    Rule("T23b", "batch_clipped_step", CLIPPED_STEP, DRIFTING, check_drift, "L7b"),
    Rule("C2", "gradient_shift",
         {"step_size": exact, "batch_size": integer, "gradient_bound": exact, "neighbours": NEIGHBOURS},
         {"shift": exact}, check_shift, LOSS, "of one differing record"),
)  # fmt: skip
