"""A training that is interrupted and resumed is the one that was not, bit for bit; nothing else is taken up."""

from __future__ import annotations

import os
import pickle
import stat

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from accountant import Stage  # noqa: E402
from learners import LearnerRefused, StateMismatch  # noqa: E402
from learners.training import PrivateTrainer  # noqa: E402
from tests.learners.training.oracle import INNER, MAPS, data, flat, losses_of, mechanism_of, sgd  # noqa: E402

pytestmark = pytest.mark.learn
HOW = {"delta": "1e-5", "device": "cpu", "seed": 5, "ema": 0.9}


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.3), nn.Tanh(), nn.Linear(8, 3))


def parts_of(optimizer="adam"):
    model = network()
    optimizer = sgd(model, momentum=0.9) if optimizer == "sgd" else torch.optim.Adam(model.parameters(), lr=0.1)
    return model, optimizer, torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 5], 0.5)


def go(trainer, until):
    model = trainer.model
    for x, y in trainer:
        trainer.step(lambda x=x, y=y: losses_of(model, x, y))
        if trainer.steps_taken >= until:
            break


MECHANISMS = {
    "poisson": mechanism_of(steps=8),
    "empty batches": mechanism_of(q="1/80", steps=8),
    "shuffled": mechanism_of(sampling="shuffled", neighbours="replace-one", steps=8),
    "stages": mechanism_of(stages=(Stage("1", "1/2", 3), Stage("2", "1/4", 5))),
    "inner momentum": mechanism_of(MAPS["psasc"], momentum=INNER, steps=8),
}


@pytest.mark.parametrize("name", MECHANISMS)
def test_resumed_is_uninterrupted(name, tmp_path):
    mechanism = MECHANISMS[name]
    model, optimizer, schedule = parts_of()
    whole = PrivateTrainer(model, optimizer, data(), mechanism, schedule=schedule, **HOW)
    go(whole, 8)
    model, optimizer, schedule = parts_of()
    first = PrivateTrainer(model, optimizer, data(), mechanism, schedule=schedule, **HOW)
    go(first, 4)
    taken = first.steps_taken
    first.save(tmp_path / "run.pt")
    assert stat.S_IMODE(os.stat(tmp_path / "run.pt").st_mode) == 0o600
    model, optimizer, schedule = parts_of()
    torch.manual_seed(99)
    second = PrivateTrainer.load(tmp_path / "run.pt", model, optimizer, data(), mechanism, schedule=schedule, **HOW)
    assert second.steps_taken == taken
    go(second, 8)
    assert torch.equal(flat(second.model), flat(whole.model))
    one, two = whole.record(), second.record()
    assert one.weights_after == two.weights_after and one.average_after == two.average_after
    assert one.weights_before == two.weights_before and one.observed == two.observed
    assert [(s.first, s.last) for s in two.stretches] == [(0, taken), (taken, 8)]
    assert optimizer.state_dict()["param_groups"] == whole.optimizer.state_dict()["param_groups"]


@pytest.fixture
def checkpoint(tmp_path):
    model, optimizer, schedule = parts_of()
    trainer = PrivateTrainer(model, optimizer, data(), mechanism_of(), schedule=schedule, **HOW)
    go(trainer, 2)
    return trainer.save(tmp_path / "run.pt")


def load(path, mechanism=None, dataset=None, kind="adam", **how):
    model, optimizer, schedule = parts_of(kind)
    how = HOW | {"schedule": schedule} | how
    return PrivateTrainer.load(path, model, optimizer, dataset or data(), mechanism or mechanism_of(), **how)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mechanism": mechanism_of(z="2")}, "a checkpoint of another mechanism: stages was"),
        ({"mechanism": mechanism_of(MAPS["psac"])}, "a checkpoint of another mechanism: scaling was"),
        ({"mechanism": mechanism_of(samples=41), "dataset": data(41)}, "a checkpoint of another mechanism: samples"),
        ({"delta": "1e-6"}, "delta was 0.00001, is 0.000001"),
        ({"seed": 6}, "seed was 5, is 6"),
        ({"seed": None}, "seed was 5, is None"),
        ({"ema": None}, "ema was 0.9, is None"),
        ({"schedule": None}, "schedule_class was MultiStepLR, is None"),
        ({"kind": "sgd"}, "optimizer_class was Adam, is SGD"),
    ],
)
def test_what_is_not_the_checkpoints_is_refused(checkpoint, changes, words):
    with pytest.raises(StateMismatch) as raised:
        load(checkpoint, **changes)
    assert words in str(raised.value) and "\n" not in str(raised.value)


def test_another_model_is_refused(checkpoint):
    model = nn.Sequential(nn.Linear(6, 3))
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2])
    with pytest.raises(StateMismatch, match="does not fit") as raised:
        PrivateTrainer.load(checkpoint, model, optimizer, data(), mechanism_of(), schedule=schedule, **HOW)
    assert "\n" not in str(raised.value)


def test_damaged_and_foreign_files(checkpoint, tmp_path):
    whole = checkpoint.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"hello", pickle.dumps({"schema": os.system}, protocol=2)):
        (tmp_path / "other.pt").write_bytes(content)
        with pytest.raises(StateMismatch, match="not a checkpoint, or damaged"):
            load(tmp_path / "other.pt")
    torch.save({"schema": "plumbline-checkpoint/0"}, tmp_path / "old.pt")
    with pytest.raises(StateMismatch, match="of version plumbline-checkpoint/0, this reads"):
        load(tmp_path / "old.pt")
    with pytest.raises(StateMismatch, match="not a checkpoint"):
        load(tmp_path / "missing.pt")


def test_nothing_is_saved_within_a_step_or_with_code(tmp_path):
    model, optimizer, _ = parts_of()
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    schedule.mine = network  # a function among the schedule's numbers
    trainer = PrivateTrainer(model, optimizer, data(), mechanism_of(), schedule=schedule, **HOW)
    x, y = next(iter(trainer))
    with pytest.raises(LearnerRefused, match="a batch is drawn and not stepped"):
        trainer.save(tmp_path / "run.pt")
    trainer.step(losses_of(model, x, y))
    with pytest.raises(LearnerRefused, match=r"more than tensors and numbers: .*network"):
        trainer.save(tmp_path / "run.pt")
    assert list(tmp_path.iterdir()) == []


def test_a_secret_run_goes_on_with_new_noise(tmp_path):
    how = {"delta": "1e-5", "device": "cpu"}
    model, optimizer, _ = parts_of()
    trainer = PrivateTrainer(model, optimizer, data(), mechanism_of(steps=4), **how)
    go(trainer, 2)
    trainer.save(tmp_path / "run.pt")
    ends = []
    for _ in range(2):
        model, optimizer, _ = parts_of()
        other = PrivateTrainer.load(tmp_path / "run.pt", model, optimizer, data(), mechanism_of(steps=4), **how)
        go(other, 4)
        ends.append(flat(model))
        assert not other.record().reproducible and other.record().complete
    assert not torch.equal(*ends)
