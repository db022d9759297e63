"""The curved witness, T6c."""

from __future__ import annotations

from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest

from certify import checker
from certify.checker import Interval
from tests.certify.checking.cases import BITS, contains, real, statement_of
from tests.vectors import make_certificates as make

pytestmark = pytest.mark.usefixtures("sixty_digits")


CURVED = [("0.23", "0.8", "1"), ("0.2", "1", "1"), ("0.2", "0.8", "0.3")]  # noise_std, own, others


def curved(noise_std: str, own: str, others: str, epsilon: str) -> Interval:
    """δ_low: two epochs of three batches of 16 records, m = 0.1, L = 1.1, M = 1, η = 0.5, τ² = noise_std²."""
    phase = {"epochs": "2", "batches": "3", "step_size": "0.5", "noise_std": noise_std, "records": [["2", "1"]]}
    args = {"start": "0", "strong_convexity": "0.1", "gradient_bound": "1", "smoothness": "1.1"}
    args["phases"] = [phase | {"batch_size": "16"}]
    one = checker.gradient_shift(Fraction(1, 2), 16, Fraction(1), "replace-one")
    return checker.curved_witness(args, one, Fraction(own), Fraction(others), Fraction(epsilon))(BITS)


@pytest.mark.parametrize(("noise_std", "own", "others"), CURVED)
def test_curved_witness_is_below_the_truth(noise_std: str, own: str, others: str) -> None:
    """The two runs with their true Huber losses: their densities on a grid (in doubles, right to about 1e-6)."""
    x = np.linspace(-3, 3, 801)
    width, variance, densities = x[1] - x[0], float(noise_std) ** 2, []
    for sign in (1, -1):
        density = (x == 0) / width  # both runs start at 0
        for step in range(6):
            mixed = step % 3 == 2
            curvature = float(own if mixed else others)
            huber = np.clip(curvature * x, -1, 1)
            drift = x - 0.5 * (0.1 * x + ((15 * huber - sign) / 16 if mixed else huber))
            kernel = np.exp(-((x[:, None] - drift) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
            density = kernel @ density * width
        densities.append(density)
    p, q = densities
    assert abs(p.sum() * width - 1) < 1e-9
    for epsilon in ("0", "0.1", "0.4"):
        low = curved(noise_std, own, others, epsilon)
        truth = float(np.maximum(p - np.exp(float(epsilon)) * q, 0).sum() * width)
        assert truth - 0.1 < real(low.low) and real(low.high) <= truth + 1e-6


@pytest.mark.parametrize(("noise_std", "own", "others"), CURVED)
def test_curved_witness_is_its_formula(noise_std: str, own: str, others: str) -> None:
    h, g, tau, epsilon = mp.mpf(own), mp.mpf(others), mp.mpf(noise_std), mp.mpf(1) / 4
    quiet, mixed = 1 - (mp.mpf("0.1") + g) / 2, 1 - (mp.mpf("0.1") + h * 15 / 16) / 2
    d = v = mp.mpf(0)
    for slope, shift in ((quiet, 0), (quiet, 0), (mixed, mp.mpf(1) / 16)) * 2:
        d, v = slope * d + shift, slope**2 * v + tau**2
    q = max(quiet, mixed)
    p = 12 * mp.ncdf(-(1 / max(h, g) - 1 / (16 * (1 - q))) / mp.sqrt(tau**2 / (1 - q**2)))
    truth = make.delta_of(epsilon, d / mp.sqrt(v)) - (1 + mp.exp(epsilon)) * p
    assert contains(curved(noise_std, own, others, "0.25"), truth, "1e-25")


def test_curved_witness_of_the_mnist_run() -> None:
    predicate = statement_of("curved_mnist")["predicate"]
    assert 0 < Fraction(predicate["mu"]["upper"]) - Fraction(predicate["mu"]["lower"]) < Fraction(3, 10**5)
    assert abs(Fraction(predicate["mu"]["lower"]) - Fraction("0.432298")) < Fraction(1, 10**6)
