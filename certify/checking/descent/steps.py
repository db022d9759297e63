"""What one step does to the distance of two runs: C1, T22, T23, and C2."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from certify.checking.limits import require
from certify.checking.names import NAMES


def contraction(step_size: Fraction, m: Fraction, smoothness: Fraction) -> Fraction:
    """C1. A noiseless gradient step on an m-strongly convex, L-smooth loss is max(|1-ηm|, |1-ηL|)-Lipschitz."""
    require(step_size > 0, "contraction: needs step_size > 0")
    require(m <= smoothness, "contraction: needs strong_convexity <= smoothness")  # 0 ≤ m: the format has no signs
    return max(abs(1 - step_size * m), abs(1 - step_size * smoothness))


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
    name = NAMES["T23b" if batch else "T23"]
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
