"""Full batches: what is released is exactly Gaussian, and its μ is a Mahalanobis distance."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp

from accountant import apply, enclose
from accountant.pld import Release
from accountant.pnsgd.derive import derive_epsilon
from accountant.theorems.gaussian_sums import full_batches, full_batches_witness
from tests.oracles.conversions import delta_gdp

schedules = st.lists(
    st.tuples(st.fractions(Fraction(1, 10), 100, max_denominator=50), st.integers(1, 6)), min_size=1, max_size=4
)


def made(schedule) -> tuple[Release, ...]:
    return tuple(Release("full", z, 1, steps) for z, steps in schedule)


@given(schedules, st.sampled_from(["add-or-remove-one", "remove-one", "replace-one"]))
def test_mu_against_the_joint_gaussian(schedule, neighbours) -> None:
    """The vector of all sums: the means' distance in units of each coordinate's noise, one coordinate at a time."""
    change = 2 if neighbours == "replace-one" else 1
    squared = sum(Fraction(change) ** 2 / z**2 for z, steps in schedule for _ in range(steps))
    upper = enclose(apply(full_batches, releases=made(schedule), neighbours=neighbours))
    lower = enclose(apply(full_batches_witness, releases=made(schedule), neighbours=neighbours))
    assert upper.lower**2 <= squared <= upper.upper**2
    assert lower.lower**2 <= squared <= lower.upper**2


@pytest.mark.parametrize("z", ["0.5", "1", "20", "100"])
@pytest.mark.parametrize("steps", [1, 100, 50000])
def test_epsilon_against_the_profile(z, steps) -> None:
    for delta in ("1e-5", "1e-12", "1e-30"):
        mu = apply(full_batches, releases=(Release("full", z, 1, steps),), neighbours="add-or-remove-one")
        epsilon = enclose(derive_epsilon(mu, delta))
        with mp.workdps(50):
            exact = mp.sqrt(steps) / mp.mpf(z)
            for end, below in ((epsilon.lower, False), (epsilon.upper, True)):
                found = delta_gdp(mp.mpf(end.numerator) / end.denominator, exact)
                assert (found <= mp.mpf(delta)) == below or abs(found / mp.mpf(delta) - 1) < mp.mpf(10) ** -30


def test_peers_print_below_the_truth() -> None:
    """docs/theory.md §9: dp_accounting 0.6.0 (PLD) says 7.2132 and 132.794, prv_accountant 0.2.0 says 7.2145."""
    for z, steps, delta, printed, truth in (
        (100, 10**4, "1e-12", "7.2145", "7.2385"),
        (20, 5 * 10**4, "1e-10", "132.794", "132.831"),
    ):
        mu = apply(full_batches_witness, releases=(Release("full", z, 1, steps),), neighbours="add-or-remove-one")
        epsilon = enclose(derive_epsilon(mu, delta))
        assert epsilon.lower > Fraction(printed)
        assert abs(epsilon.lower - Fraction(truth)) < Fraction(1, 1000)
