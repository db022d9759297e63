"""A loop of one's own: noise calibrated first, the trainer's record joined with a certificate."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.learn

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402

import plumbline  # noqa: E402
from learners.data.digits import digits  # noqa: E402

HOW = {"target_epsilon": 3, "target_delta": "1e-5", "max_grad_norm": 1, "batch_size": 20, "steps": 4}


def test_calibrated_trained_certified(tmp_path: Path) -> None:
    data = torch.utils.data.TensorDataset(*digits(100))
    model = nn.Linear(64, 10)
    trainer = plumbline.private(model, torch.optim.SGD(model.parameters(), lr=0.1), data, **HOW)
    assert isinstance(trainer, plumbline.PrivateTrainer)
    with pytest.raises(plumbline.UsageError, match="steps: none was taken"):
        plumbline.certify_training(trainer, tmp_path / "out")
    for x, y in trainer:
        trainer.step(cross_entropy(model(x), y, reduction="none"))
    done = plumbline.certify_training(trainer, tmp_path / "out", target_epsilon=3)
    assert F("2.9") < F(done.result.epsilon["upper"]) <= 3
    assert plumbline.verify(done.certificate, subjects=[done.files["model.npz"]]).exit_code == 0
    with pytest.raises(plumbline.UsageError, match="another training"):
        plumbline.certify_training(trainer, tmp_path / "out")
    with pytest.raises(plumbline.OutOfReach, match="NOT_CERTIFIED"):
        plumbline.certify_training(trainer, tmp_path / "other", target_epsilon=1)
    assert not (tmp_path / "other").exists()


def test_noise_that_is_known_already_by_the_names_of_opacus(tmp_path: Path) -> None:
    data = torch.utils.data.TensorDataset(*digits(100))
    model = nn.Linear(64, 10)
    trainer = plumbline.make_private(
        model, torch.optim.SGD(model.parameters(), lr=0.1), data, noise_multiplier="1.1", max_grad_norm=1,
        target_delta="1e-5", sample_rate="0.2", epochs=1,
    )  # fmt: skip
    for x, y in trainer:
        trainer.step(cross_entropy(model(x), y, reduction="none"))
    done = plumbline.certify_training(trainer, tmp_path / "out")
    assert plumbline.verify(done.certificate).exit_code == 0
    mechanism = done.result.run.mechanism
    assert (mechanism.stages[0].noise_multiplier, mechanism.steps, mechanism.normaliser) == (F("1.1"), 5, 20)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scaling": "clap"}, "scaling: got 'clap'"),
        ({"target_epsilon": float("nan")}, "target_epsilon: 'NaN' is not a finite number"),
        ({"max_grad_norm": True}, "max_grad_norm: a number is needed"),
        ({"sample_rate": "0.1"}, "batch_size: and sample_rate as well"),
        ({"steps": None}, "steps"),
    ],
)
def test_refusals(change: dict, message: str) -> None:
    data = torch.utils.data.TensorDataset(*digits(100))
    model = nn.Linear(64, 10)
    with pytest.raises(plumbline.UsageError, match=message):
        plumbline.private(model, torch.optim.SGD(model.parameters(), lr=0.1), data, **(HOW | change))


def test_a_float_is_its_shortest_decimal() -> None:
    data = torch.utils.data.TensorDataset(*digits(100))
    model = nn.Linear(64, 10)
    floats = {"target_epsilon": 3.0, "target_delta": 1e-5, "max_grad_norm": 0.1, "batch_size": 20, "steps": 4}
    trainer = plumbline.private(model, torch.optim.SGD(model.parameters(), lr=0.1), data, **floats)
    assert trainer.mechanism.scaling.max_grad_norm == F(1, 10) and trainer.budget.delta == F(1, 10**5)
