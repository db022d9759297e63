"""Canaries through the trainer as it is: at least half of the certified ε is seen, and never more than it.

Level 1e-6 for each audit; seeds are fixed, so that a passing test passes again.
"""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from accountant import Momentum, Stage  # noqa: E402
from learners import LearnerRefused  # noqa: E402
from learners.audits import audit, observe  # noqa: E402
from tests.learners.training.oracle import INNER, MAPS, mechanism_of  # noqa: E402

pytestmark = pytest.mark.learn


def of(scaling="clip", **changes):
    return mechanism_of(MAPS[scaling], **{"samples": 1000, "normaliser": "250", "q": "1/2", "z": "1"} | changes)


CASES = {
    "poisson, clip": of(),
    "poisson, auto-s": of("auto-s"),
    "poisson, psac": of("psac"),
    "poisson, psasc": of("psasc"),
    "poisson, opposite canaries": of(neighbours="replace-one", z="2"),
    "poisson, two stages": of(stages=(Stage("1", "1/2", 3), Stage("3/2", "3/4", 3))),
    "truncated poisson": of(max_batch_size=640, steps=10),
    "without replacement": of(sampling="without-replacement", q="9/10", z="3"),
    "full": of(sampling="full", q="1", steps=10, z="3"),
    "fixed": of(sampling="fixed", q="1/4", steps=4, z="3/2"),
    "shuffled": of(sampling="shuffled", q="1/4", steps=4, z="3/2"),
    "inner momentum": of(momentum=INNER),
    "outer momentum": of(momentum=Momentum(outer="9/10")),
    "known gradient norm": of("psasc", gradient_norm_bound="1/5"),
}


@pytest.mark.parametrize("mechanism", CASES.values(), ids=CASES)
def test_half_of_the_certified_epsilon_is_seen_and_no_more_than_it(mechanism):
    delta = "1/10" if mechanism.sampling == "without-replacement" else "1/20"  # Chernoff's interval is wider
    result = audit(mechanism, delta=delta, canaries=10_000, seed=1, level=1e-6)
    assert result.passed, result
    assert mechanism.steps <= 10 and float(result.certified) / 2 <= result.bound.epsilon <= result.certified, result
    assert "agrees" in str(result) and "noise as claimed" in str(result)


def test_canaries_that_are_not_drawn_equally_often():
    """Six steps of epochs of four: half of the records are drawn twice."""
    result = audit(of(sampling="shuffled", q="1/4", steps=6, z="3/2"), delta="1/20", canaries=5000, seed=1)
    assert result.passed and result.bound.epsilon > 0.5


def test_observations_do_not_lean_on_each_other():
    """With draws that are exchangeable but not independent: hits of canaries of one training spread less than, or like,
    a binomial count, over many trainings."""
    for sampling in ("poisson", "without-replacement"):
        small = of(sampling=sampling, samples=20, normaliser="10", steps=1, z="1/4")
        seen = observe(small, delta="1/20", canaries=3000, seed=3)
        hits = ((seen.sums[0] > 0.5) & seen.drawn[0]).reshape(-1, 20).sum(1)
        rate = hits.mean() / 20
        assert hits.var() <= 20 * rate * (1 - rate) * 1.5  # 150 trainings: four standard deviations
        if sampling == "without-replacement":
            assert (seen.drawn[0].reshape(-1, 20).sum(1) == 10).all()


def test_wrong_input():
    with pytest.raises(LearnerRefused, match="canaries: 10; give"):
        audit(of(), delta="1/20", canaries=10)
    with pytest.raises(LearnerRefused, match="level: 0"):
        audit(of(), delta="1/20", level=0)
    with pytest.raises(LearnerRefused, match="max_batch_size: 510 cuts a batch"):
        audit(of(max_batch_size=510), delta="1/20", canaries=1000, seed=1)
    with pytest.raises(LearnerRefused, match=r"canaries: 1000 are of one training.*; take 2000"):
        audit(of(sampling="without-replacement"), delta="1/20", canaries=1000, seed=1)
    with pytest.raises(LearnerRefused, match="mechanism: canaries are single records"):
        audit(of(others=("1",)), delta="1/20", canaries=1000)
