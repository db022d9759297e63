"""The intervals, against sums over binomial counts, and the lower bound on pairs of laws whose ε is known."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
from scipy.stats import binom, norm

from learners.audits import lower_bound, proportion

pytestmark = pytest.mark.learn


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (3, 10), (10, 10), (40, 4000), (3990, 4000)])
@pytest.mark.parametrize("level", [0.05, 5e-7])
def test_proportion_inverts_the_binomial(hits, count, level):
    upper = proportion(hits, count, level, upper=True)
    lower = proportion(hits, count, level, upper=False)
    assert lower <= hits / count <= upper
    assert upper == 1 or binom.cdf(hits, count, upper) == pytest.approx(level, rel=1e-6)
    assert lower == 0 or binom.sf(hits - 1, count, lower) == pytest.approx(level, rel=1e-6)
    assert proportion(hits, count, level, upper=True, chernoff=True) >= upper * (1 - 1e-12)
    assert proportion(hits, count, level, upper=False, chernoff=True) <= lower * (1 + 1e-12)


def test_wrong_counts():
    with pytest.raises(ValueError, match="5 hits of 4"):
        proportion(5, 4, 0.1, upper=True)


def test_a_gaussian_pair_is_bounded_from_below():
    draw = np.random.default_rng(5)
    present = draw.random(20_000) < 0.5
    statistic = draw.standard_normal(20_000) + 2.0 * present
    for delta in (0.0, 0.05):
        bound = lower_bound(statistic, present, delta, 1e-6)

        def profile(epsilon):  # of μ = 2
            return norm.cdf(1 - epsilon / 2) - np.exp(epsilon) * norm.cdf(-1 - epsilon / 2)

        assert bound.epsilon > 1.5 and (delta == 0.0 or profile(bound.epsilon) > delta)
    assert lower_bound(draw.standard_normal(20_000), present, 0.0, 1e-6).epsilon < 0.1  # nothing to see
    assert lower_bound(statistic, np.ones(20_000, dtype=bool), 0.0, 1e-6).epsilon == 0.0


def test_wrong_alarms_are_as_rare_as_the_level_says():
    """At level 0.2, on pairs of coins that are exactly (log 3)-private."""
    draw = np.random.default_rng(6)
    wrong = 0
    for _ in range(100):
        present = draw.random(1000) < 0.5
        statistic = (draw.random(1000) < np.where(present, 0.75, 0.25)).astype(float)
        wrong += lower_bound(statistic, present, 0.0, 0.2).epsilon > np.log(3)
    assert wrong <= 35
