"""Learners refuse noise below the rounding of the numbers that they compute in, and write down what they saw."""

from __future__ import annotations

from fractions import Fraction as F

import pytest
import torch

from accountant import FloatingPoint, LogisticLoss, NoisySGD
from learners import Dataset, LearnerRefused, RunCheckFailed, learn, normalise, retrain, unlearn
from learners.models import Linear, Logistic
from learners.stepping import Rule, run


def four() -> Dataset:
    generator = torch.Generator().manual_seed(1)
    rows = normalise(torch.randn(4, 3, generator=generator, dtype=torch.float64))
    return Dataset("four", rows, torch.tensor([1.0, -1.0, 1.0, -1.0]))


def issue(noise_std: str, **changes) -> NoisySGD:
    """The case of the issue, whose calibrated noise adds exactly nothing in float64 (a few epochs of it)."""
    loss = LogisticLoss(F("0.0025"), F(1), None)
    known = {"epochs": 20, "unlearning_epochs": (45,)} | changes
    return NoisySGD(4, 4, noise_std=F(noise_std), loss=loss, **known)


def test_noise_that_adds_nothing_is_refused() -> None:
    with pytest.raises(RunCheckFailed) as refused:
        learn(issue("1.15e-18"), four(), seed=1)
    line = str(refused.value)
    assert line.startswith("noise_above_rounding: noise_std = 1.15e-18 is below the rounding of coordinates up to ")
    fix = F(line.rsplit("noise_std ≥ ", 1)[1])
    assert F(1, 10**13) < fix < F(1, 10**9)  # of the coordinates of the first epoch; later they are larger
    assert learn(issue(str(fix * 64)), four(), seed=1).record.phases[0].steps == 20


def test_it_is_refused_while_unlearning_and_retraining_too() -> None:
    state = learn(issue("1e-9"), four(), seed=1)
    tight = F(1, 10**4)
    with pytest.raises(RunCheckFailed, match="noise_above_rounding"):
        learn(issue("1e-9"), four(), seed=1, allowed_mu=tight)
    with pytest.raises(LearnerRefused, match="noise_above_rounding"):  # seen before anything is run
        unlearn(state, [1], seed=1, allowed_mu=tight)
    with pytest.raises(RunCheckFailed, match="noise_above_rounding"):
        retrain(issue("1e-9"), four(), [1], seed=1, allowed_mu=tight)


def test_a_start_far_away_is_refused_before_anything_is_run() -> None:
    called = []
    with pytest.raises(LearnerRefused, match=r"noise_above_rounding: .* coordinates up to 1e\+12"):
        start = torch.tensor([1e12, 0.0, 0.0], dtype=torch.float64)
        learn(issue("1e-3"), four(), seed=1, start=start, progress=lambda *_: called.append(1))
    assert not called


@pytest.mark.parametrize(
    ("stated", "line"),
    [
        (FloatingPoint(dtype="float32"), "execution.dtype: float32, but float64 is asked for; write that, or leave"),
        (FloatingPoint(dimension=4), "execution.dimension: 4, but there are 3 parameters"),
    ],
)
def test_other_numbers_than_are_stated_are_refused(stated: FloatingPoint, line: str) -> None:
    with pytest.raises(LearnerRefused, match=line):
        learn(issue("0.1"), four(), seed=1, execution=stated, dtype="float64")


def test_a_coordinate_beyond_the_stated_one_ends_the_run() -> None:
    with pytest.raises(RunCheckFailed, match=r"largest_coordinate: a coordinate of .* > 0\.001, as"):
        learn(issue("0.1"), four(), seed=1, execution=FloatingPoint("float64", 3, F("0.001")))
    assert learn(issue("0.1"), four(), seed=1, execution=FloatingPoint("float64", 3, F(100))).record.phases


def test_what_was_seen_is_written_down_and_stays_private() -> None:
    state = learn(issue("0.1", radius=F(2)), four(), seed=1)
    phase = state.record.phases[0]
    assert (phase.dtype, phase.dimension) == ("float64", 3) and float(phase.largest_coordinate) > 0
    assert "largest_coordinate" not in state.record.public()["phases"][0]


def test_noise_of_a_narrower_type_is_refused() -> None:
    mechanism, data = issue("0.1"), four()
    rule = Rule.of(mechanism)
    model = Linear(Logistic(), 3, rule.gradient_bound)
    batch = model.batch(data.features, data.labels, torch.ones(4, dtype=torch.bool))
    with pytest.raises(RunCheckFailed, match=r"noise: torch\.float32 numbers for parameters of torch\.float64"):
        run(torch.zeros(3, dtype=torch.float64), (batch,), model, lambda shape: torch.randn(shape), rule, 1)


def test_without_a_contraction_the_last_step_is_looked_at() -> None:
    flat = NoisySGD(4, 4, epochs=3, noise_std=F(1, 10**18), loss=LogisticLoss(F(0), F(1), None))
    with pytest.raises(RunCheckFailed, match="noise_above_rounding"):
        learn(flat, four(), seed=1)
