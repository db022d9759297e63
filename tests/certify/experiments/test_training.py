"""`training`: what is run is what the private trainer does, settings are chosen by other seeds than the final ones, and
readings are said to be readings."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch
import torch.nn.functional as F

from certify import UsageError, calibrate, certify
from certify.experiments import training as module
from certify.experiments.draw import figure_of
from certify.experiments.images import DELTA, ImageProblem, image_problem_of, load_images
from certify.experiments.intervals import difference, measured
from certify.experiments.networks import NETWORKS
from certify.experiments.outcome import Outcome
from certify.experiments.run import experiment
from certify.experiments.training import MOMENTA, TUNING
from certify.experiments.training_trials import TrainingTrial, accuracy, run_training_trial
from certify.experiments.trials import Accuracies, Calibrated
from tests.certify.experiments.scale import TINY
from tests.certify.runs import plumbline, refused
from tests.learners.data.files import write_idx

pytestmark = pytest.mark.learn

DIGITS = ImageProblem("digits", samples=1200, validated=197, tested=400, batch_size=120, epochs=6)
CLIP = {"kind": "clip", "max_grad_norm": "1"}
ONE_EPOCH = replace(DIGITS, epochs=1)


def calibrated(scaling: dict[str, str], momentum: str = "none") -> Any:
    return calibrate(ONE_EPOCH.tables(scaling, MOMENTA[momentum], epsilon="3"), tune="noise_multiplier")


@pytest.fixture
def found(outcomes: Mapping[str, Outcome]) -> Outcome:
    return outcomes["training"]


# --- runs ------------------------------------------------------------------------------------------------------------


def test_the_default_problem() -> None:
    assert image_problem_of("digits") == DIGITS
    images = load_images("digits")
    assert images.train.pixels.shape == (1200, 1, 8, 8) and images.test.labels.unique().tolist() == list(range(10))
    assert float(images.train.pixels.min()) == -0.5 and float(images.train.pixels.max()) == 0.5


@pytest.mark.parametrize("momentum", ["none", "inner and outer"])
def test_a_trial_is_what_the_trainer_does(momentum: str) -> None:
    from learners.training import PrivateTrainer

    scaling = {"kind": "psasc", "max_grad_norm": "1", "r": "1", "s": "2"}
    run = calibrated(scaling, momentum).result.run
    images = load_images("digits")
    torch.manual_seed(5)
    network = NETWORKS["mlp"](1, 8)
    outer = 0.9 if momentum != "none" else 0.0
    rate = 2 / 0.5 * (1 - outer)  # Δ = C/s = 0.5
    optimizer = torch.optim.SGD(network.parameters(), lr=rate, momentum=outer)
    dataset = torch.utils.data.TensorDataset(images.train.pixels, images.train.labels)
    trainer = PrivateTrainer(network, optimizer, dataset, run.mechanism, delta=DELTA, device="cpu", seed=5)
    for x, y in trainer:
        trainer.step(lambda x=x, y=y: F.cross_entropy(network(x), y, reduction="none"))
    trial = TrainingTrial("digits", "mlp", run, 2.0, seed=5)
    state = torch.random.get_rng_state()
    expected = (accuracy(network, images.validation), accuracy(network, images.test))
    assert run_training_trial(trial) == expected == run_training_trial(pickle.loads(pickle.dumps(trial)))
    assert torch.equal(torch.random.get_rng_state(), state)  # whoever runs experiments keeps their own numbers


def test_accuracy_is_the_share_of_right_labels() -> None:
    test = load_images("digits").test
    always_three = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    with torch.no_grad():
        always_three[1].weight.zero_(), always_three[1].bias.copy_(F.one_hot(torch.tensor(3), 10))
    assert accuracy(always_three, test) == int((test.labels == 3).sum()) / 400


@pytest.mark.parametrize("kind", ["auto-s", "psac", "psasc"])
def test_c_of_a_smooth_map_is_nothing_but_the_step(kind: str) -> None:
    """As the notes say: weights, noise and Δ are all in proportion to C."""
    numbers = {"auto-s": {"r": "0.1"}, "psac": {"r": "0.1"}, "psasc": {"r": "0.1", "s": "2"}}[kind]
    runs = [calibrated({"kind": kind, "max_grad_norm": C} | numbers).result.run for C in ("1", "0.25")]
    one, other = (run_training_trial(TrainingTrial("digits", "mlp", run, 2.0)) for run in runs)
    assert one == pytest.approx(other, abs=0.006)  # a prediction may turn by rounding


def test_without_noise_it_learns() -> None:
    run = calibrate(DIGITS.tables(CLIP, {}, epsilon="3"), tune="noise_multiplier").result.run
    result = run_training_trial(TrainingTrial("digits", "mlp", run, 1.0, private=False))
    assert min(result) > 0.85


def test_a_training_that_diverges_is_a_line() -> None:
    problem = run_training_trial(TrainingTrial("digits", "mlp", calibrated(CLIP).result.run, 1e38))
    assert isinstance(problem, str) and "not finite" in problem and "\n" not in problem


# --- choices ---------------------------------------------------------------------------------------------------------


def arm(step: str, scaling: dict[str, str] | None = None, **changes: Any) -> Any:
    return module._Arm("mlp", "3", scaling or CLIP, "none", step, Calibrated(None, problem="out of reach"), **changes)


def result(*validation: float) -> Accuracies:
    return Accuracies((measured(validation), measured([1.0] * len(validation))))


def test_the_best_on_the_validation_records_is_chosen() -> None:
    tuned = [
        (arm("1"), result(0.5, 0.6)),
        (arm("2"), result(0.7, 0.8)),
        (arm("4"), result(0.7, 0.8)),  # not better
        (arm("8"), Accuracies(problem="diverged")),
        (arm("1", {"kind": "auto-s", "max_grad_norm": "1", "r": "1"}), Accuracies(problem="diverged")),
    ]
    chosen = module.best_of(tuned)
    assert [(key[2], a.step) for key, a in chosen.items()] == [("clip", "2"), ("auto-s", "1")]


def test_settings_are_chosen_without_momentum_and_then_a_step_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """With made-up accuracies: r = 10 is best, step 1 without momentum, 4 with; on the final seeds all is otherwise."""
    seen: list[TrainingTrial] = []

    def made_up(trial: TrainingTrial) -> tuple[float, ...]:
        seen.append(trial)
        momentum = trial.run.mechanism.momentum
        best = 4.0 if momentum.outer or momentum.inner else 1.0
        r = float(getattr(trial.run.mechanism.scaling, "r", 10))
        right = 0.5 + 0.02 * r - abs(trial.step - best) / 100
        return (right, right - 0.1) if trial.seed >= TUNING else (1 - right, 0.5 + trial.seed / 10)

    monkeypatch.setattr(module, "run_training_trial", made_up)
    maps = tuple({"kind": "auto-s", "max_grad_norm": "1", "r": r} for r in ("1", "10"))
    scale = replace(TINY, seeds=3, training_maps=maps, training_steps=("1", "4"), training_epsilons=("1", "3"))
    found = experiment("training", scale=scale)
    final = [row for row in found.rows if row["measured_on"] == "test" and row["epsilon"]]
    assert len(final) == 2 * 2 * 4 and {row["scaling"]["r"] for row in final} == {"10"}
    assert {(row["momentum"] != "none", row["step"]) for row in final} == {(False, "1"), (True, "4")}
    assert all(row["accuracy"]["values"] == [0.5, 0.6, 0.7] for row in final)
    for epsilon, momentum in {(row["epsilon"], row["momentum"]) for row in final}:
        tables = ONE_EPOCH.tables(maps[1], MOMENTA[momentum], epsilon=epsilon)
        value = calibrate(tables, tune="noise_multiplier").value
        assert {r["noise_multiplier"] for r in final if (r["epsilon"], r["momentum"]) == (epsilon, momentum)} == {value}
    assert {trial.seed for trial in seen} == {0, 1, 2, TUNING, TUNING + 1}
    assert [t.title.partition(":")[0] for t in found.tables[::4]] == [
        "mlp, ε = 1",
        "mlp, ε = 3",
        "cnn, ε = 1",
        "cnn, ε = 3",
    ]


def test_every_map_and_momentum_is_measured_with_its_certified_noise(found: Outcome) -> None:
    final = [row for row in found.rows if row["measured_on"] == "test" and row["certified"]]
    arms = {(row["network"], row["map"], row["momentum"]) for row in final}
    maps = ("clip", "auto-s", "psac", "psasc")
    assert arms == {(n, kind, m) for n in NETWORKS for kind in maps for m in MOMENTA} and len(final) == 32
    assert len({row["noise_multiplier"] for row in final}) == 1  # Δ alone differs, and momentum is free (T15)
    for row in final[:16:5]:
        tables = ONE_EPOCH.tables(row["scaling"], MOMENTA[row["momentum"]], epsilon="3")
        tables["mechanism"]["noise_multiplier"] = row["noise_multiplier"]
        assert certify(tables).verdict == "CERTIFIED"
    plain = [row for row in found.rows if row["map"] == "plain" and row["measured_on"] == "test"]
    assert len(plain) == 2 and not any(row["certified"] or row["noise_multiplier"] for row in plain)


def test_final_means_are_of_the_chosen_setting_and_of_other_seeds(found: Outcome) -> None:
    row = next(r for r in found.rows if r["measured_on"] == "test" and r["map"] == "psac" and r["momentum"] == "none")
    run = calibrated(row["scaling"]).result.run
    trials = [TrainingTrial("digits", row["network"], run, float(row["step"]), seed=seed) for seed in (0, 1)]
    assert row["accuracy"]["values"] == [run_training_trial(trial)[1] for trial in trials]
    tuned = next(r for r in found.rows if r["measured_on"] == "validation" and r["label"] == row["label"])
    assert tuned["accuracy"]["values"][0] == run_training_trial(replace(trials[0], seed=TUNING))[0]


def test_differences_are_taken_seed_by_seed(found: Outcome) -> None:
    values = {
        (r["network"], r["map"], r["momentum"]): measured(r["accuracy"]["values"])
        for r in found.rows
        if r["measured_on"] == "test"
    }
    assert len(found.comparisons) == 2 * (3 * 4 + 4 * 3)
    for c in found.comparisons:
        one = values[c["network"], c["map"], c["momentum"]]
        other = values[c["network"], c["beside"]["map"], c["beside"]["momentum"]]
        assert c["difference"] == difference(one, other).as_json()
        assert (c["beside"]["map"] == "clip") != (c["beside"] == {"map": c["map"], "momentum": "none"}) or (
            c["map"] == "clip"
        )


def test_readings_and_what_the_choice_costs_are_said(found: Outcome) -> None:
    text = found.text()
    assert text.count("DP-PSASC (our reading)") == 6 and "our readings of arXiv 2411.03059" in text
    assert "that choice looks at data, and no ε here counts it" in text
    assert "a few tenths of a per cent over tuned clipping" in text and "logistic" not in text
    assert "our readings" in json.dumps(found.as_json()["setting"])


def test_an_epsilon_out_of_reach_is_a_row_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        module, "calibrations", lambda each, pieces, _: [Calibrated(None, problem="no z")] * len(pieces)
    )
    found = experiment("training", scale=TINY)
    assert {row["problem"] for row in found.rows} == {"no z"}
    assert not any(row["accuracy"] or row["certified"] for row in found.rows) and not found.comparisons
    assert "nothing to compare" in found.text() and "mlp, clip, C = 0.1: no z" in found.text()
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.close(figure_of(found))


# --- data ------------------------------------------------------------------------------------------------------------


def mnist(folder: Path, *, side: int = 8, labels: int = 10) -> Path:
    rng = np.random.default_rng(0)
    for prefix, count in (("train", 60), ("t10k", 20)):
        images = rng.integers(0, 256, (count, side, side)).astype(np.uint8)
        write_idx(folder / f"{prefix}-images-idx3-ubyte", images, 0x08)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", (np.arange(count) % labels).astype(np.uint8), 0x08)
    return folder


def cifar(folder: Path) -> Path:
    rng = np.random.default_rng(1)
    for name, count in (("data_batch_1", 12), ("data_batch_2", 12), ("test_batch", 5)):
        records = rng.integers(0, 256, (count, 3073), dtype=np.uint8)
        records[:, 0] %= 10
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    return folder


def test_mnists_files(tmp_path: Path) -> None:
    problem = image_problem_of(str(mnist(tmp_path)))
    assert problem == ImageProblem(str(tmp_path), samples=50, validated=10, tested=20, batch_size=50, epochs=10)
    images = load_images(str(tmp_path))
    assert images.train.pixels.shape == (50, 1, 8, 8)
    assert images.validation.labels.tolist() == list(range(10))  # the last sixth, in the file's order


def test_cifars_files(tmp_path: Path) -> None:
    problem = image_problem_of(str(cifar(tmp_path)))
    assert (problem.samples, problem.validated, problem.tested, problem.epochs) == (20, 4, 5, 20)
    first = np.frombuffer((tmp_path / "data_batch_1.bin").read_bytes()[1:3073], np.uint8).reshape(3, 32, 32)
    assert np.allclose(load_images(str(tmp_path)).train.pixels[0].numpy(), first / 255 - 0.5, atol=1e-6)
    run = calibrate(replace(problem, epochs=1).tables(CLIP, {}, epsilon="8"), tune="noise_multiplier").result.run
    assert all(len(run_training_trial(TrainingTrial(str(tmp_path), name, run, 0.1))) == 2 for name in NETWORKS)


def test_files_that_are_missing_or_of_other_data_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--data: .* neither data_batch_1\.bin nor train-images"):
        image_problem_of(str(tmp_path))
    mnist(tmp_path, labels=11)
    with pytest.raises(UsageError, match="has a label outside of 0 … 9"):
        image_problem_of(str(tmp_path))
    mnist(tmp_path, side=3)
    with pytest.raises(UsageError, match="has images of 9 pixels; give square ones"):
        image_problem_of(str(tmp_path))
    mnist(tmp_path)
    write_idx(tmp_path / "t10k-images-idx3-ubyte", np.zeros((20, 9, 9), np.uint8), 0x08)
    with pytest.raises(UsageError, match="images to train on are 1 × 8 × 8, those to test on 1 × 9 × 9"):
        image_problem_of(str(tmp_path))
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(UsageError, match="has no t10k-images-idx3-ubyte"):
        image_problem_of(str(tmp_path))
    (cifar(tmp_path) / "test_batch.bin").write_bytes(b"\0" * 7)
    with pytest.raises(UsageError, match=r"test_batch\.bin: 7 bytes; CIFAR-10's binary version"):
        image_problem_of(str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["training", "--data", "digits-3-8"], "--data: 'digits-3-8' is not a folder; for `training` write digits"),
        (["accuracy", "--data", "digits"], "--data: 'digits' is not a folder; write digits-3-8"),
        (["training", "--data", "no-such-folder"], "--data: 'no-such-folder' is not a folder"),
        (["training", "--seeds", "1"], "--seeds: 1; an interval takes from 2"),
        (["training", "--scale", "huge"], "small"),
        (["training", "--workers", "many"], "--workers: got 'many'"),
        (["training", "--epsilon", "1"], "--epsilon"),
    ],
)
def test_wrong_words_are_one_line(arguments: list[str], message: str) -> None:
    assert message in refused(plumbline("experiment", *arguments))
