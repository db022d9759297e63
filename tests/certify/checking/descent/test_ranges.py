"""The range before the last noises, T24."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from scipy.special import ndtr

from certify import checker
from certify.checker import Interval
from tests.certify.checking.cases import BITS, contains, ends, real
from tests.vectors import make_certificates as make

pytestmark = pytest.mark.usefixtures("sixty_digits")


RANGES = [  # diameter, factor, drift, steps, mu, epsilon
    ("2", "1", "0", 1, "1", "0.5"), ("2", "1", "0", 3, "1", "0.5"), ("5", "0.9", "0", 40, "2", "0"),
    ("6", "0.9", "0.5", 30, "2", "0.01"), ("0.5", "1.2", "0", 4, "0.3", "0.001"), ("9", "1", "1", 12, "3", "4"),
    ("2", "0", "0", 1, "1", "0.1"), ("1", "0", "0.5", 3, "40", "2"),
]  # fmt: skip


def range_delta(ratio: str, factor: str, drift: str, steps: int, mu: str, epsilon: str, bits: int = 192) -> Interval:
    """δ(ε) by T24 where τ = 1 and the diameter is `ratio`; no claimed δ stops it."""
    phase = {"epochs": str(steps), "batches": "1", "step_size": "0.5", "noise_std": "1", "records": []}
    rate = checker.Drift(Fraction(factor), Fraction(drift)) if drift != "0" else Fraction(factor)
    of_mu = cache(lambda bits: Interval.of(Fraction(mu) ** 2, bits))
    return checker.range_before_noise(of_mu, rate, Fraction(ratio), phase, Fraction(0))(Fraction(epsilon), bits)


@pytest.mark.parametrize("row", RANGES)
def test_range_before_noise_is_its_recursion(row: Any) -> None:
    diameter, factor, drift, steps, mu, epsilon = row
    reach = Fraction(factor) * Fraction(diameter) + Fraction(drift)
    with mp.workdps(150):
        e, left = make.real(Fraction(epsilon)), make.delta_of(make.real(Fraction(epsilon)), make.real(Fraction(mu)))
        for _ in range(steps):
            left *= make.delta_of(mp.log1p(mp.expm1(e) / left), make.real(reach)) if reach else 0
    assert contains(range_delta(*row), left, "1e-20")


@pytest.mark.parametrize("wave", ["contract", "expand", "wave", "jump"])
@pytest.mark.parametrize("epsilon", ["0", "0.05", "0.4"])
def test_range_before_noise_is_above_the_truth(wave: str, epsilon: str) -> None:
    """Exact chains on a grid: rounding to the grid after the noise and the projection is post-processing."""
    radius, points = 1.0, np.linspace(-1, 1, 201)
    maps = {
        "contract": (lambda x: 0.8 * x, "0.8", "0"),
        "expand": (lambda x: 1.25 * x, "1.25", "0"),
        "wave": (lambda x: x + 0.5 * np.sin(2 * x) / 2, "1.5", "0"),
        "jump": (lambda x: 0.5 * x + 0.3 * np.sign(x), "0.5", "0.6"),  # no Lipschitz map at all
    }
    move, factor, drift = maps[wave]
    edges = np.concatenate(([-np.inf], (points[1:] + points[:-1]) / 2, [np.inf]))

    def cells(mean: Any, std: float) -> Any:
        return np.diff(ndtr((edges - np.atleast_1d(mean)[:, None]) / std), axis=1)

    p, q, kernel = cells(-0.2, 0.5)[0], cells(0.2, 0.5)[0], cells(move(points), 1.0)  # 0.8-GDP
    for steps in range(1, 5):
        p, q = p @ kernel, q @ kernel
        truth = np.maximum(p - np.exp(float(epsilon)) * q, 0).sum()
        bound = range_delta(str(int(2 * radius)), factor, drift, steps, "0.8", epsilon)
        assert truth <= float(real(bound.high)) + 1e-12


def test_range_before_noise_stops_at_the_claimed_delta() -> None:
    phase = {"epochs": "50", "batches": "4", "step_size": "0.5", "noise_std": "1", "records": []}
    one = cache(lambda bits: Interval.of(1, bits))
    stopped = checker.range_before_noise(one, Fraction(1), Fraction(4), phase, Fraction(1, 100))(Fraction(0), BITS)
    assert stopped <= Fraction(1, 100) and not stopped > Fraction(1, 100)
    low, high = ends(range_delta("4", "1", "0", 200, "1", "0"))
    assert ends(stopped)[0] <= low <= high < Fraction(1, 1000) < ends(stopped)[1]
    with pytest.raises(checker.DoesNotFollow, match="steps"):
        checker.range_before_noise(one, Fraction(1), Fraction(4), phase | {"epochs": "5001"}, Fraction(1, 100))
