"""The oracle of groups and replaced records against closed forms and another one; the traps of docs/theory.md T27."""

from __future__ import annotations

import math
import random

import pytest
from mpmath import mpf
from scipy.stats import norm

from tests.oracles import mixtures as oracle
from tests.oracles import subsampled


@pytest.mark.parametrize(("own", "other", "direction"), [(1, 0, "remove"), (0, 1, "add")])
@pytest.mark.parametrize(("z", "q", "epsilon"), [("1", "0.3", "0.2"), ("0.7", "0.01", "-0.005"), ("2", "0.9", "0.1")])
def test_one_record_added_or_removed_is_the_known_pair(own, other, direction, z, q, epsilon) -> None:
    ours, theirs = oracle.delta_one(z, q, own, other, epsilon), subsampled.delta_one(z, q, epsilon, direction)
    assert abs(ours - theirs) < mpf(10) ** -30
    loss = oracle.Loss(z, q, own, other)
    two = subsampled.delta_two(float(z), float(q), float(epsilon), direction)
    assert oracle.delta_two(loss, loss, float(epsilon)) == pytest.approx(two, abs=2e-8)


def test_the_contour_of_full_batches_is_the_gaussian_profile() -> None:
    mu, epsilon = math.sqrt(50) / 10, 1.0
    truth = norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu)
    assert oracle.delta_many([(oracle.Loss(10, 1, 1, 0), 50)], epsilon) == pytest.approx(truth, rel=1e-10)
    split = [(oracle.Loss(10, 1, 1, 0), 25), (oracle.Loss(20, 1, 1, 1), 25)]  # the same shift at twice the noise
    assert oracle.delta_many(split, epsilon) == pytest.approx(truth, rel=1e-10)


def test_terms_in_the_plane_are_dominated_by_opposite_parallel_ones() -> None:
    """T17r and T27 in one step: no terms of norm 1 at most are told apart better, at any ε."""
    rng = random.Random(27)
    for own, other in [(1, 1), (2, 0), (0, 2), (1, 2), (2, 1)]:
        z, q, epsilon = rng.choice([0.6, 1.0, 2.0]), rng.choice([0.05, 0.3, 0.8]), rng.choice([-0.3, 0.0, 0.2, 1.0])
        truth = float(oracle.delta_one(z, q, own, other, epsilon))

        def terms(count: int) -> list[tuple[float, float]]:
            angles, lengths = [rng.uniform(0, 2 * math.pi) for _ in range(count)], (0.3, 1.0)
            return [(r * math.cos(a), r * math.sin(a)) for a in angles for r in [rng.choice(lengths)]]

        for _ in range(2):
            assert oracle.delta_of_terms(z, q, terms(own), terms(other), epsilon) <= truth + 2e-5
        worst = oracle.delta_of_terms(z, q, [(0.6, 0.8)] * own, [(-0.6, -0.8)] * other, epsilon)
        assert worst == pytest.approx(truth, abs=2e-5)


def test_traps_of_groups() -> None:
    coin = oracle.delta_one(1, "0.01", 4, 0, 0)
    one_coin = subsampled.delta_one(1, "0.01", 0, "remove", shift=4)
    assert float(coin) == pytest.approx(0.01523, abs=5e-6)
    assert float(one_coin) == pytest.approx(0.00954, abs=5e-6)  # one coin's pair is below the truth of four coins
    joint = subsampled.delta_one(1, 1 - mpf("0.99") ** 4, 0, "remove", shift=4)
    assert joint > coin  # which the rate 1 − (1 − q)^k bounds
    # Four compositions of the single record's pair at q = 1 are μ = √4, where the truth is μ = 4.
    assert float(oracle.delta_one(1, 1, 4, 0, 1)) == pytest.approx(norm.cdf(1.75) - math.e * norm.cdf(-2.25), abs=1e-12)
    assert float(oracle.delta_one("0.5", 1, 1, 0, 1)) < float(oracle.delta_one(1, 1, 4, 0, 1))


# z = 1, q = .01, 1000 steps, δ = 1e-5. For the one coin the contour integral, the accountant's bracket and a
# peer (z = 1/4) all give 121.625.
GOLDEN = [
    ((1, 0), 1, 1.828237),
    ((1, 1), 1, 2.843440),
    ((4, 0), 1, 8.899188),
    ((0, 4), 1, 6.607213),
    ((4, 4), 1, 14.475918),
    ((1, 0), 0.25, 121.625245),
]


@pytest.mark.parametrize(("pair", "z", "epsilon"), GOLDEN)
def test_a_thousand_steps(pair: tuple[int, int], z: float, epsilon: float) -> None:
    schedule = [(oracle.Loss(z, "0.01", *pair), 1000)]
    assert oracle.delta_many(schedule, epsilon) == pytest.approx(1e-5, rel=1e-4)
