"""ε in doubles against the integers' bracket: within 1e-3, and no bound."""

from __future__ import annotations

import math
from fractions import Fraction as F

import pytest

from accountant.dpsgd.estimate import estimate_training
from accountant.pld import Release, bracket
from tests.oracles.conversions import delta_gdp
from tests.oracles.subsampled import delta_one, epsilon_of

CASES = [
    ((("poisson", "1", "0.01", 1000),), "1e-5"),
    ((("poisson", "2", "0.05", 500),), "1e-5"),
    ((("poisson", "0.6", "0.01", 20),), "1e-7"),
    ((("poisson", "1", "0.9", 3),), "1e-3"),
    ((("poisson", "1", "0.01", 1000),), "1e-30"),
    ((("poisson", "50", "0.3", 200),), "1e-6"),
    ((("poisson", "0.03", "0.01", 2),), "1e-3"),  # losses beyond the range of e^x
    ((("poisson", "0.05", "0.5", 3),), "1e-5"),
    ((("poisson", "1", "0.01", 300), ("poisson", "2", "0.05", 100)), "1e-5"),
    ((("poisson", "1", "0.01", 300), ("full", "40", "1", 9)), "1e-5"),
    ((("without-replacement", "3", "0.01", 300),), "1e-5"),
    ((("without-replacement", "2", "0.5", 3),), "1e-4"),
    ((("without-replacement", "3", "0.01", 300), ("full", "40", "1", 4)), "1e-5"),
]


def releases(rows) -> tuple[Release, ...]:
    return tuple(Release(sampling, z, q, steps) for sampling, z, q, steps in rows)


def neighbours(rows) -> str:
    return "replace-one" if rows[0][0] == "without-replacement" else "add-or-remove-one"


@pytest.mark.parametrize(("rows", "delta"), CASES)
def test_close_to_the_bracket(rows, delta) -> None:
    """The pair's own ε lies in [pair_lower, upper]."""
    schedule, kind = releases(rows), neighbours(rows)
    found = bracket(schedule, kind, delta, width=F(1, 2000))
    estimate = estimate_training(schedule, kind, float(delta))
    assert found.sharp
    assert float(found.pair_lower) * (1 - 1e-3) <= estimate <= float(found.upper) * (1 + 1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("z", "q", "steps", "delta"),
    [("0.8", "0.004", 15000, "1e-6"), ("0.6", "0.001", 50000, "1e-7"), ("1", "0.0001", 10**5, "1e-9")],
)
def test_close_for_long_runs(z, q, steps, delta) -> None:
    test_close_to_the_bracket((("poisson", z, q, steps),), delta)


@pytest.mark.parametrize(("rows", "delta"), CASES)
def test_rough_estimates_are_close_and_not_far_below(rows, delta) -> None:
    schedule, kind = releases(rows), neighbours(rows)
    good = estimate_training(schedule, kind, float(delta))
    assert 0.99 * good <= estimate_training(schedule, kind, float(delta), rough=True) <= 1.1 * good


@pytest.mark.parametrize(("z", "q"), [(0.7, 0.3), (2, 0.01), (1, 0.99)])
def test_one_step_against_its_formula(z, q) -> None:
    truth = max(epsilon_of(lambda e, d=d: float(delta_one(z, q, e, d)), 1e-4) for d in ("remove", "add"))
    found = estimate_training((Release("poisson", str(z), str(q), 1),), "add-or-remove-one", 1e-4)
    assert math.isclose(found, truth, rel_tol=1e-3)


@pytest.mark.parametrize("kind", ["add-or-remove-one", "replace-one"])
def test_full_batches_are_exact(kind) -> None:
    shift = 2 if kind == "replace-one" else 1
    found = estimate_training((Release("full", 10, 1, 9),), kind, 1e-5, mu_squared=0.07)
    mu = math.sqrt(9 * (shift / 10) ** 2 + 0.07)
    assert math.isclose(found, epsilon_of(lambda e: float(delta_gdp(e, mu)), 1e-5), rel_tol=1e-6)


def test_nothing_tells_nothing() -> None:
    assert estimate_training((), "add-or-remove-one", 1e-5) == 0
    assert estimate_training((Release("poisson", 1, 0, 100),), "add-or-remove-one", 1e-5) == 0


def test_more_noise_tells_less_and_more_steps_more() -> None:
    def epsilon(z: str, steps: int) -> float:
        return estimate_training((Release("poisson", z, "0.01", steps),), "add-or-remove-one", 1e-5)

    assert epsilon("1", 100) > epsilon("1.1", 100) > epsilon("1.5", 100)
    assert epsilon("1", 100) < epsilon("1", 110) < epsilon("1", 200)
