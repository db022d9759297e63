"""ε while a training runs: never below the bound of the steps taken, and within the budget."""

from __future__ import annotations

import io
from fractions import Fraction as F

import pytest

torch = pytest.importorskip("torch")

from accountant import Stage, derive_training, enclose  # noqa: E402
from learners import LearnerRefused  # noqa: E402
from learners.training import PrivateTrainer  # noqa: E402
from learners.training.budget import Budget, first_steps  # noqa: E402
from learners.training.progress import Bar  # noqa: E402
from tests.learners.training.oracle import data, losses_of, mechanism_of, network, sgd  # noqa: E402

pytestmark = pytest.mark.learn
DELTA = F(1, 10**5)


def bound(mechanism):
    return enclose(derive_training(mechanism, DELTA).upper).upper


def test_the_bound_shown_is_of_the_same_or_a_later_step(monkeypatch):
    mechanism = mechanism_of(q="1/10", steps=100)
    monkeypatch.setattr("learners.training.budget.POINTS", 5)
    budget = Budget(mechanism, DELTA)
    shown = [budget.spent(steps) for steps in range(101)]
    assert all(spent.steps >= steps for steps, spent in enumerate(shown))
    assert [s.epsilon for s in shown] == sorted(s.epsilon for s in shown)
    assert shown[0].epsilon == 0 and shown[100].epsilon == bound(mechanism)
    assert shown[3].epsilon >= bound(mechanism_of(q="1/10", steps=3))
    assert len(budget.known) == 5


def test_the_first_steps_of_several_stages():
    stages = (Stage("1", "1/2", 3), Stage("2", "1/4", 5))
    mechanism = mechanism_of(stages=stages)
    assert first_steps(mechanism, 2).stages == (Stage("1", "1/2", 2),)
    assert first_steps(mechanism, 4).stages == (stages[0], Stage("2", "1/4", 1))
    assert first_steps(mechanism, 8) == mechanism


def test_other_releases_count_from_the_start():
    budget = Budget(mechanism_of(steps=10, others=("1/2",)), DELTA)
    assert budget.spent(0).epsilon > 1


def test_it_stops_before_the_step_that_would_exceed_the_target():
    mechanism, target = mechanism_of(q="1/10", steps=40), F(2)
    model = network()
    trainer = PrivateTrainer(model, sgd(model), data(), mechanism, delta="1e-5", device="cpu", target_epsilon=2)
    for x, y in trainer:
        trainer.step(losses_of(model, x, y))
    steps = trainer.steps_taken
    assert bound(first_steps(mechanism, steps)) <= target < bound(first_steps(mechanism, steps + 1))
    record = trainer.record()
    assert (record.steps_planned, record.steps_allowed, record.steps_taken) == (40, steps, steps)
    assert (not record.complete and trainer.epsilon_spent() <= target) or trainer.budget.spent(steps).steps > steps
    with pytest.raises(LearnerRefused, match="within target_epsilon"):
        next(iter(trainer))


def test_the_line_rounds_a_spent_bound_up_and_what_is_left_down():
    stream = io.StringIO()
    bar = Bar(10, lambda steps: F(12345, 10000), F(20001, 10000), stream)
    bar.show(5)
    assert "step 5/10 [##########..........] ε ≤ 1.235 spent, 0.765 of 2.000 left" in stream.getvalue()
    bar.show(6)  # too soon
    assert "step 6" not in stream.getvalue()
    bar.show(10)
    assert stream.getvalue().endswith("\n")


def test_no_line_where_standard_error_is_no_terminal(capsys, monkeypatch):
    model = network()
    how = {"delta": "1e-5", "device": "cpu", "progress": True}
    trainer = PrivateTrainer(model, sgd(model), data(), mechanism_of(q="1e-9"), **how)
    assert list(trainer) == [] and capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    trainer = PrivateTrainer(model, sgd(model), data(), mechanism_of(q="1/8"), **how)
    for x, y in trainer:
        trainer.step(losses_of(model, x, y))
    assert "step 5/5" in capsys.readouterr().err
