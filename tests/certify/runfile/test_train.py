"""[train] and [data] of a training run: how gradients are used, in no digest."""

from __future__ import annotations

from fractions import Fraction as F

import pytest

from certify.errors import UsageError
from certify.runfile.read import read_run
from tests.certify.runs import training

COLUMNS = {"target": "y", "classes": ["a", "b"], "numeric": {"x": [0, 1]}}


def test_no_digest_depends_on_how_gradients_are_used() -> None:
    plain = read_run(training())
    for train in ({"lr": "0.5", "optimizer": "adam", "beta1": "0.8"}, {"momentum": "0.9", "nesterov": True}):
        run = read_run(training() | {"train": train, "data": COLUMNS})
        assert run.digest == plain.digest
        assert run.canonical == plain.canonical
        assert run.columns is not None
        assert run.columns.normalise == "none"
        again = run.with_target(F(3))
        assert (again.train, again.columns) == (run.train, run.columns)


def test_every_key_has_a_default() -> None:
    train = read_run(training()).train
    assert train is not None
    assert (train.loss, train.optimizer, train.lr, train.momentum) == ("cross-entropy", "sgd", F(1, 10), 0)
    assert train.as_json()["weight_decay"] == "0"


def test_the_momentum_of_the_optimizer_is_one_number() -> None:
    run = training() | {"momentum": {"outer": "0.9"}}
    assert read_run(run).train.momentum == F(9, 10)
    assert read_run(run | {"train": {"momentum": "0.9"}}).train.momentum == F(9, 10)
    with pytest.raises(UsageError, match=r"train\.momentum: 0\.8, but momentum\.outer = 0\.9"):
        read_run(run | {"train": {"momentum": "0.8"}})
    with pytest.raises(UsageError, match=r"momentum\.outer: goes with train\.optimizer"):
        read_run(run | {"train": {"optimizer": "adam"}})


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"lr": 0}, r"train\.lr: 0 must be positive"),
        ({"lr": "nan"}, r"train\.lr: "),
        ({"ema": 1}, r"train\.ema: 1 must lie in \[0, 1\)"),
        ({"micro_batch": 0}, r"train\.micro_batch: 0 must be at least 1"),
        ({"warmup_steps": -1}, r"train\.warmup_steps: -1 must be at least"),
        ({"optimizer": "lbfgs"}, r"train\.optimizer: "),
        ({"optimizer": "adam", "momentum": "0.9"}, r'train\.momentum: goes with optimizer = "sgd" or "rmsprop"'),
        ({"beta2": "0.9"}, r'train\.beta2: goes with optimizer = "adam" or "adamw", not "sgd"'),
        ({"nesterov": True}, r"train\.nesterov: needs a momentum"),
        ({"learning_rate": 1}, r"train\.learning_rate: unknown key"),
    ],
)
def test_refusals_name_the_key(train: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_run(training() | {"train": train})


def test_the_target_is_what_the_loss_takes() -> None:
    with pytest.raises(UsageError, match=r'data\.positive: is missing; train\.loss = "logistic"'):
        read_run(training() | {"train": {"loss": "logistic"}, "data": COLUMNS})
    with pytest.raises(UsageError, match=r"data\.target: data\.positive and data\.classes says what it holds"):
        read_run(training() | {"data": COLUMNS | {"positive": "a"}})
