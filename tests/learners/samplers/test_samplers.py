"""Samplers draw what the mechanism says; each statistical test is a chi-square or binomial one at a level of 1e-6."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction as F
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

pytest.importorskip("torch")

from accountant import ScaledSGD, Stage
from accountant.core.scaling import Clip
from accountant.mechanisms.sampling import SAMPLINGS
from learners import LearnerRefused
from learners.randomness import Bits
from learners.samplers import SAMPLERS, sampler_of

pytestmark = pytest.mark.learn
LEVEL = 1e-6
SEEDS = [11, None]


def mechanism_of(sampling="poisson", q="1/4", samples=20, **more):
    neighbours = {"without-replacement": "replace-one", "shuffled": "replace-one", "fixed": "replace-one"}
    more = {"neighbours": neighbours.get(sampling), "samples": samples} | more
    return ScaledSGD(Clip(1), more.pop("stages", (Stage("1", q, 8),)), sampling=sampling, **more)


def likely(count, trials, probability):
    """Whether a binomial count is no rarer than the level."""
    return stats.binomtest(count, trials, float(probability)).pvalue > LEVEL


def uniform(counts, outcomes):
    """Whether counts of equally likely outcomes are no rarer than the level."""
    values = list(counts.values()) + [0] * (outcomes - len(counts))
    return stats.chisquare(values).pvalue > LEVEL


class Scripted(Bits):
    """Bits that were written down beforehand."""

    def __init__(self, *words):
        self._rest = list(words)

    def words(self, count):
        taken, self._rest = self._rest[:count], self._rest[count:]
        return np.array(taken, dtype=np.uint64)


def test_there_is_a_sampler_for_every_way_that_is_accounted():
    assert set(SAMPLERS) == set(SAMPLINGS)


def test_a_coin_is_exact_where_its_digits_run_out():
    """1/3 = 0.0101…: words of 64 digits below, above, and equal, where the next word decides."""
    digits = 2**64 // 3
    bits = Scripted(digits - 1, digits + 1, digits, digits, digits - 1, digits + 1)
    assert bits.coins(F(1, 3), 4).tolist() == [True, False, True, False]
    assert Scripted(2**63 - 1, 2**63).coins(F(1, 2), 2).tolist() == [True, False]
    assert Bits(1, "x").coins(F(1), 3).all() and not Bits(1, "x").coins(F(0), 3).any()
    assert Scripted(0, 1, 5).coins(F(1, 2**64), 3).tolist() == [True, False, False]
    assert Scripted(0, 2**60, 1, 2**63).coins(F(1, 2**68), 2).tolist() == [True, False]  # 4 more binary zeros


def test_numbers_below_n_reject_what_would_favour_small_ones():
    assert Scripted(2**64 - 1, 7, 5).below(10, 2).tolist() == [5, 7]
    assert Scripted(2**64 - 1, 0).below(16, 2).tolist() == [15, 0]


@pytest.mark.parametrize("seed", SEEDS)
def test_bits_are_uniform(seed):
    bits = Bits(seed, "test")
    assert uniform(Counter(bits.below(7, 7000).tolist()), 7)
    assert uniform(Counter(tuple(bits.permutation(4).tolist()) for _ in range(2400)), 24)
    assert uniform(Counter(tuple(bits.subset(5, 2).tolist()) for _ in range(2000)), 10)
    assert uniform(Counter(tuple(bits.subset(5, 3).tolist()) for _ in range(2000)), 10)
    for probability in (F(1, 3), F(1, 10**5)):
        assert likely(int(bits.coins(probability, 10**6).sum()), 10**6, probability)


def test_a_tiny_probability_is_not_drawn_too_often():
    """At 1e-8 two in 2·10⁸ coins; a float32 uniform would give eleven, and more at 1e-9."""
    bits = Bits(3, "tiny")
    assert likely(sum(int(bits.coins(F(1, 10**8), 10**7).sum()) for _ in range(5)), 5 * 10**7, 1e-8)
    digits = 2**64 // 10**9  # a float32 uniform has no number between 0 and 2^-24
    assert Scripted(digits + 1, digits - 1).coins(F(1, 10**9), 2).tolist() == [False, True]


@pytest.mark.parametrize("seed", SEEDS)
def test_poisson_draws_each_record_by_itself(seed):
    sampler = sampler_of(mechanism_of(), 20, seed)
    drawn = np.zeros((3000, 20), dtype=bool)
    for row in drawn:
        row[sampler.draw()] = True
    assert all(likely(int(count), 3000, 1 / 4) for count in drawn.sum(0))
    both = [int((drawn[:, i] & drawn[:, j]).sum()) for i, j in combinations(range(20), 2)]
    assert all(likely(count, 3000, 1 / 16) for count in both)
    assert likely(int((drawn[1:] & drawn[:-1]).sum()), 2999 * 20, 1 / 16)  # nor do steps depend on each other


@pytest.mark.parametrize("seed", SEEDS)
def test_empty_batches_happen(seed):
    sampler = sampler_of(mechanism_of(q="1/50"), 20, seed)
    assert likely(sum(len(sampler.draw()) == 0 for _ in range(1000)), 1000, 0.98**20)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cut_keeps_any_of_the_records(seed):
    sampler = sampler_of(mechanism_of(q="1/2", samples=4, max_batch_size=2), 4, seed)
    batches = [tuple(sampler.draw().tolist()) for _ in range(6000)]
    assert max(map(len, batches)) == 2
    assert likely(sum(len(batch) == 2 for batch in batches), 6000, 11 / 16)
    assert uniform(Counter(batch for batch in batches if len(batch) == 2), 6)


@pytest.mark.parametrize("seed", SEEDS)
def test_without_replacement_draws_every_subset_alike(seed):
    sampler = sampler_of(mechanism_of("without-replacement", "1/3", 6), 6, seed)
    assert uniform(Counter(tuple(sampler.draw().tolist()) for _ in range(3000)), 15)


@pytest.mark.parametrize("seed", SEEDS)
def test_shuffled_batches_are_disjoint_in_an_epoch_and_new_in_the_next(seed):
    sampler = sampler_of(mechanism_of("shuffled", "1/2", 4), 4, seed)
    firsts = Counter()
    for _ in range(1500):
        first, second = sampler.draw().tolist(), sampler.draw().tolist()
        assert sorted(first + second) == [0, 1, 2, 3]
        firsts[tuple(first)] += 1
    assert uniform(firsts, 6)


def test_fixed_and_full_and_a_remainder():
    fixed = sampler_of(mechanism_of("fixed", "3/10", 11), 11, None)
    batches = [fixed.draw().tolist() for _ in range(6)]
    assert batches == [[0, 1, 2], [3, 4, 5], [6, 7, 8]] * 2
    assert sampler_of(mechanism_of("full", "1"), 20, None).draw().tolist() == list(range(20))
    with pytest.raises(LearnerRefused, match="less than one record"):
        sampler_of(mechanism_of("fixed", "1/30"), 20, None)


@pytest.mark.parametrize("sampling", SAMPLERS)
def test_draws_are_sorted_whole_numbers_and_go_on_from_a_state(sampling):
    mechanism = mechanism_of(sampling, "1" if sampling == "full" else "1/4")
    whole, first = (sampler_of(mechanism, 20, 5) for _ in range(2))
    expected = [whole.draw().tolist() for _ in range(9)]
    assert [first.draw().tolist() for _ in range(6)] == expected[:6]
    rest = sampler_of(mechanism, 20, 5, state=first.state())
    assert [rest.draw().tolist() for _ in range(3)] == expected[6:]
    drawn = rest.draw()
    assert drawn.dtype == np.int64 and (np.diff(drawn) > 0).all()
    if sampling not in ("full", "fixed"):
        assert expected != [draw.tolist() for draw in (sampler_of(mechanism, 20, 6).draw() for _ in range(9))]


def test_stages_have_their_own_rate_and_stream():
    mechanism = mechanism_of(stages=(Stage("1", "1/2", 2), Stage("1", "1/2", 2)))
    assert [sampler_of(mechanism, 20, 5, stage=i).rate for i in (0, 1)] == [F(1, 2)] * 2
    one, two = (sampler_of(mechanism, 20, 5, stage=i) for i in (0, 1))
    assert [one.draw().tolist() for _ in range(2)] != [two.draw().tolist() for _ in range(2)]


def test_another_number_of_records_is_refused():
    with pytest.raises(LearnerRefused, match="the data hold 21 records, the mechanism says 20"):
        sampler_of(mechanism_of(), 21, None)
