"""`train`: certified first, executed, recorded; what was interrupted goes on, and what differs is refused."""

from __future__ import annotations

import base64
import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.learn

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

from certify import checker  # noqa: E402
from certify.errors import UsageError  # noqa: E402
from certify.ledger import Ledger  # noqa: E402
from certify.runfile.read import read_run  # noqa: E402
from certify.service import training as service  # noqa: E402
from certify.service.building import loss_of  # noqa: E402
from learners.data.digits import digits  # noqa: E402
from tests.certify.runs import plumbline, refused, to_toml, training  # noqa: E402

MODEL = """from torch import nn
def linear():
    return nn.Linear(64, 10)
def narrow():
    return nn.Linear(64, 3)
def mixed():
    return nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 10))
def one():
    return nn.Linear(2, 1)
def none():
    return 3
def other():
    return nn.Linear(32, 10)
class Centred(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(64, 8), nn.Linear(8, 10)
    def forward(self, x):
        h = self.first(x)
        return self.last(h - h.mean(0).detach())
def centred():
    return Centred()
"""


def tables(mechanism: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Two hundred digits, six steps of forty on average."""
    keys = {"samples": 200, "batch_size": 40, "sample_rate": None, "steps": 6, "noise_multiplier": 3}
    return training(keys | (mechanism or {}), **more)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the module of the models in it, and a run file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models_of_test.py").write_text(MODEL)
    (tmp_path / "run.toml").write_text(to_toml(tables()))
    return tmp_path


def train(place: Path, *more: Any, run: str = "run.toml", model: str = "linear", output: str = "state") -> Any:
    return plumbline("train", place / run, "--model", f"models_of_test:{model}", "-o", place / output, *more)


def predicate(state: Path) -> dict[str, Any]:
    return json.loads(base64.b64decode(json.loads((state / "certificate.json").read_bytes())["payload"]))["predicate"]


def test_a_run_is_certified_trained_and_recorded_together(place: Path) -> None:
    done = train(place)
    assert done.code == 0 and done.out.startswith("CERTIFIED: ε ≤ ")
    state = place / "state"
    report = checker.verify((state / "certificate.json").read_bytes())
    assert report.verdict == "CERTIFIED"
    execution = predicate(state)["execution"]
    assert (execution["noise"], execution["dataset"], execution["order"]) == ("secret", "digits", "poisson")
    assert execution["phases"][0]["steps"] == "6"
    executed = execution["finite_precision"]["executed"]
    assert float(predicate(state)["epsilon"]["upper"]) < float(executed["epsilon"]) < 8
    assert f"as executed, rounding counted: ε ≤ {executed['epsilon']}" in done.out
    files = {"state.json", "run.toml", "run_record.json", "model.npz", "certificate.json", "private"}
    assert {path.name for path in state.iterdir()} - {"ledger.sqlite"} == files
    assert {path.name for path in (state / "private").iterdir()} == {"run_record.json"}
    public = json.loads((state / "run_record.json").read_text())
    assert (public["train"]["optimizer"], public["normaliser"]) == ("sgd", "40")
    assert not {"data", "observed"} & set(public)  # no noise protects them
    assert [row.kind for row in Ledger.open(state).rows()] == ["created", "learned"]
    verified = plumbline("verify", state / "certificate.json", "--subject", state / "model.npz")
    assert verified.code == 0
    assert "6 of 6 steps of dp-sgd" in plumbline("status", state).out
    assert plumbline("report", state / "certificate.json", "-o", place / "report.md").code == 0


def test_the_model_can_be_taken_out_and_nothing_else_be_asked(place: Path) -> None:
    (place / "run.toml").write_text(to_toml(tables(train={"ema": "0.5"})))
    assert train(place).code == 0
    state = place / "state"
    assert plumbline("export", state, "--format", "state-dict", "-o", place / "model.pt").code == 0
    nn.Linear(64, 10).load_state_dict(exported := torch.load(place / "model.pt", weights_only=True))
    with np.load(state / "model.npz") as arrays:
        assert set(arrays) == {"model.weight", "model.bias", "average.weight", "average.bias"}
        assert np.array_equal(arrays["average.weight"], exported["weight"])
        assert not np.array_equal(arrays["average.weight"], arrays["model.weight"])
    assert "1 time" in plumbline("status", state).out
    assert (
        "sklearn" not in refused(plumbline("export", state, "--format", "sklearn", "-o", place / "m")).split("write")[0]
    )
    assert "`plumbline train` made" in refused(plumbline("unlearn", state, "--records", "1"))
    (state / "model.npz").write_bytes(b"another")
    assert plumbline("status", state).code == 4


def test_nothing_is_trained_that_is_not_certified(place: Path) -> None:
    (place / "run.toml").write_text(to_toml(tables(target={"epsilon": "0.1", "delta": "1e-5"})))
    assert "NOT_CERTIFIED" in refused(train(place), 1)
    assert not (place / "state").exists()


def test_an_interrupted_training_goes_on_exactly(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a seed: the same model, whether interrupted or not."""
    (place / "run.toml").write_text(to_toml(tables(train={"checkpoint_every": 2, "momentum": "0.9"})))
    assert train(place, "--seed", 5, output="whole").code == 0
    steps = service._steps

    def interrupted(trainer: Any, loss: Any, stop: int, *more: Any) -> None:
        steps(trainer, loss, 5, *more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(service, "_steps", interrupted)
        assert train(place, "--seed", 5).code == 130
    state = place / "state"
    assert "goes on" in refused(plumbline("status", state))
    shutil.copytree(state, place / "copy")
    other = tables({"noise_multiplier": 4}, train={"checkpoint_every": 2, "momentum": "0.9"})
    (place / "other.toml").write_text(to_toml(other))
    assert "another mechanism or target" in train(place, "--seed", 5, run="other.toml").err
    (place / "other.toml").write_text(to_toml(tables(train={"checkpoint_every": 2, "momentum": "0.8"})))
    assert "another [train]" in train(place, "--seed", 5, run="other.toml").err
    assert "another --reproducible" in train(place, "--seed", 6).err
    assert plumbline("train", state).code == 0
    with np.load(state / "model.npz") as ours, np.load(place / "whole/model.npz") as whole:
        assert all(np.array_equal(ours[name], whole[name]) for name in whole)
    assert predicate(state)["execution"]["noise"] == "reproducible"
    assert "holds a state already" in refused(plumbline("train", state))

    begun = json.loads((place / "copy/private/training.json").read_text())
    (place / "copy/private/training.json").write_text(json.dumps(begun | {"fingerprint": "0" * 64}))
    assert "the data changed since its training began" in plumbline("train", place / "copy").err
    (place / "copy/private/training.json").write_text(json.dumps(begun | {"stopped": "losses: not finite"}))
    assert "must not go on: losses: not finite" in plumbline("train", place / "copy").err


def test_fewer_steps_are_claimed_as_planned_unless_somebody_attests(place: Path) -> None:
    assert train(place, "--stop-after", 2, output="a").code == 0
    assert train(place, "--stop-after", 2, "--stopped-independently", output="b").code == 0
    planned, taken = predicate(place / "a"), predicate(place / "b")
    assert planned["execution"]["phases"][0]["steps"] == taken["execution"]["phases"][0]["steps"] == "2"
    assert (planned["run"]["mechanism"]["steps"], taken["run"]["mechanism"]["steps"]) == ("6", "2")
    assert float(taken["epsilon"]["upper"]) < float(planned["epsilon"]["upper"])


def test_a_loss_that_is_not_finite_ends_the_training(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "loss_of", lambda run: lambda output, labels: output.sum(1) * float("nan"))
    assert "not finite" in train(place).err
    monkeypatch.undo()
    monkeypatch.chdir(place)
    assert "must not go on" in train(place).err


@pytest.mark.parametrize(
    ("model", "more", "message"),
    [
        ("mixed", (), "BatchNorm1d"),
        ("narrow", (), "--model: makes 3 scores, of 10 classes"),
        ("none", (), "makes int, not a torch.nn.Module"),
        ("linear", ("--stop-after", 7), "--stop-after: 7 is more than the 6 steps that are certified"),
        ("linear", ("--stopped-independently",), "--stopped-independently: goes with --stop-after"),
        ("linear", ("--data", "x.csv"), "the run file has no [data]"),
    ],
)
def test_wrong_input_is_one_line(place: Path, model: str, more: tuple, message: str) -> None:
    done = train(place, *more, model=model)
    assert done.code == 2 and message in done.err and len(done.err.splitlines()) == 1
    assert not (place / "state/state.json").exists()


def test_other_kinds_and_numbers_of_records_are_refused(place: Path) -> None:
    (place / "p.toml").write_text((Path(__file__).parents[3] / "examples/digits.toml").read_text())
    assert '"pnsgd" is learned by `plumbline learn`' in refused(train(place, run="p.toml"))
    (place / "n.toml").write_text(to_toml(tables({"samples": 2000})))
    assert "the digits that come along are 1797" in train(place, run="n.toml").err
    (place / "s.toml").write_text(to_toml(training({"noise_multiplier": 5, "steps": 2})))
    assert "mechanism.samples: is missing" in train(place, run="s.toml").err


def test_a_file_of_records_is_trained_on(place: Path) -> None:
    columns = {"target": "y", "positive": "yes", "numeric": {"a": [0, 1]}}
    run = tables({"samples": 30, "batch_size": 10, "steps": 2, "noise_multiplier": 9}, data=columns)
    (place / "run.toml").write_text(to_toml(run | {"train": {"loss": "logistic", "optimizer": "adam"}}))
    with open(place / "records.csv", "w", newline="") as file:
        csv.writer(file).writerows([("a", "y"), *((i / 30, ("yes", "no")[i % 2]) for i in range(30))])
    done = train(place, "--data", place / "records.csv", model="one")
    assert done.code == 0, done.err
    assert predicate(place / "state")["execution"]["dataset"] == "records.csv"
    (place / "run.toml").write_text((place / "run.toml").read_text().replace("samples = 30", "samples = 31"))
    short = train(place, "--data", place / "records.csv", model="one", output="other")
    assert "holds 30 records, and mechanism.samples = 31" in short.err


def test_digits_are_in_one_published_order() -> None:
    features, labels = digits(1797)
    assert features.shape == (1797, 64) and features.dtype == torch.float32 and labels.unique().tolist() == [*range(10)]
    assert torch.equal(digits(50)[0], features[:50])
    assert (features.min(), features.max()) == (0, 1)
    assert labels[:8].tolist() == FIRST


FIRST = [4, 7, 1, 1, 8, 6, 3, 5]  # written down when the order was published


def test_losses_are_those_of_a_plain_loop() -> None:
    torch.manual_seed(0)
    scores, labels = torch.randn(5, 1), torch.tensor([1.0, -1, 1, 1, -1])
    for kind, plain in (
        ("logistic", lambda z, y: np.log1p(np.exp(-y * z))),
        ("squared", lambda z, y: (z - y) ** 2 / 2),
        ("huber", lambda z, y: (z - y) ** 2 / 2 if abs(z - y) <= 1 else abs(z - y) - 0.5),
    ):
        loss = loss_of(read_run(training(train={"loss": kind})))
        expected = [plain(z, y) for z, y in zip(scores[:, 0].tolist(), labels.tolist(), strict=True)]
        assert np.allclose(loss(scores, labels), expected, atol=1e-6)
        with pytest.raises(UsageError, match="takes one number for each"):
            loss(torch.randn(5, 2), labels)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("other", "model: cannot be called with made-up records like those of the data: mat1 and mat2"),
        ("centred", "model: records mix before or in last (Linear)"),
    ],
)
def test_a_model_is_tried_on_made_up_records_before_the_data_are_touched(place: Path, model: str, message: str) -> None:
    done = train(place, model=model)
    assert done.code == 2 and message in done.err
    assert not (place / "state" / "state.json").exists()
