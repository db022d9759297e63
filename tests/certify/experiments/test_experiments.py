"""Experiments: the numbers are those of the runs, the same wherever they are computed, and all of them are written."""

from __future__ import annotations

import json
import pickle
import shlex
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from certify import UsageError, calibrate, certify
from certify.cli import experimenting
from certify.cli.options import command_parser
from certify.experiments import EXPERIMENTS, SCALES, Outcome, experiment
from certify.experiments.images import DEFAULT_IMAGES
from certify.experiments.intervals import difference, measured
from certify.experiments.optimum import optimum
from certify.experiments.problems import DEFAULT, Problem, load, problem_of
from certify.experiments.run import write_outcome
from certify.experiments.trials import Trial, calibrated, run_trial
from tests.certify.experiments.scale import TINY
from tests.certify.runs import ROOT, plumbline, refused
from tests.learners.data.files import write_idx

pytestmark = pytest.mark.learn

DIGITS = Problem("digits-3-8", samples=256, tested=101, batch_size=128, epochs=20, regularization="0.1")


# --- statistics ------------------------------------------------------------------------------------------------------


def test_the_interval_is_students() -> None:
    """For four numbers with mean 2.5 and deviation √(5/3), t = 3.182446 (three degrees of freedom, 95 %)."""
    found = measured([1, 2, 3, 4])
    half = 3.182446305284263 * (5 / 3) ** 0.5 / 2
    assert found.mean == 2.5 and np.allclose((found.low, found.high), (2.5 - half, 2.5 + half), rtol=1e-9)


def test_intervals_hold_the_mean_95_times_in_100() -> None:
    rng = np.random.default_rng(1)
    inside = [(m := measured(rng.normal(3, 2, 5))).low <= 3 <= m.high for _ in range(2000)]
    assert abs(np.mean(inside) - 0.95) < 4 * (0.95 * 0.05 / 2000) ** 0.5


def test_a_difference_is_taken_seed_by_seed() -> None:
    found = difference(measured([0.9, 0.5]), measured([0.8, 0.4]))
    assert found.mean == pytest.approx(0.1) and found.high - found.low == pytest.approx(0, abs=1e-12)


def test_the_default_problem() -> None:
    assert problem_of("digits-3-8") == DIGITS


def test_the_optimum_is_scikit_learns() -> None:
    """Its C is 1/(mn), and its bias is our last feature."""
    from sklearn.linear_model import LogisticRegression

    train, _ = load(DIGITS.data)
    run = calibrate(DIGITS.tables(epsilon="1")).result.run
    model = LogisticRegression(C=10 / 256, fit_intercept=False, tol=1e-12, max_iter=10_000)
    model.fit(train.features.numpy(), train.labels.numpy())
    assert np.allclose(optimum(train, run.mechanism).numpy(), model.coef_[0], atol=1e-6)


# --- runs ------------------------------------------------------------------------------------------------------------


def test_a_trial_is_what_the_learners_do() -> None:
    import learners
    from certify.results.floor import allowed_mu
    from learners.data import permutation

    run = calibrate(DIGITS.tables(epsilon="1")).result.run
    train, test = learners.embedded("digits-3-8")
    record = permutation(256, "erased 3")[0]
    how: dict[str, Any] = {"device": "cpu", "seed": 3, "allowed_mu": allowed_mu(run)}
    state = learners.unlearn(learners.learn(run.mechanism, train, **how), [record], **how)
    assert run_trial(Trial("digits-3-8", run, seed=3)) == (learners.accuracy(state.released, test),)


def test_what_the_learner_refuses_is_a_line() -> None:
    run = calibrate(DIGITS.tables(epsilon="1")).result.run.with_values(noise_std="1e-30")
    problem = run_trial(Trial("digits-3-8", run))
    assert isinstance(problem, str) and problem.startswith("noise_above_rounding") and "\n" not in problem


def test_pieces_can_be_sent_to_other_processes() -> None:
    """Equal after a round trip, and so is what they compute."""
    sent = pickle.loads(pickle.dumps((DIGITS.tables(epsilon="1"), "noise_std")))
    level = pickle.loads(pickle.dumps(calibrated(sent)))
    assert level == calibrated((DIGITS.tables(epsilon="1"), "noise_std"))
    trial = Trial("digits-3-8", level.run, seed=1)
    assert run_trial(pickle.loads(pickle.dumps(trial))) == run_trial(trial)


@pytest.mark.slow
def test_the_numbers_are_the_same_in_other_processes(outcomes: dict[str, Outcome]) -> None:
    assert experiment("tradeoff", scale=TINY, workers=2).as_json() == outcomes["tradeoff"].as_json()


# --- what is found ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_number_is_in_the_json(name: str, outcomes: dict[str, Outcome]) -> None:
    found = json.loads(json.dumps(outcomes[name].as_json()))
    assert found["experiment"] == name and found["seeds"] == 2 and "not private" in found["models"]
    assert found["rows"]
    for row in found["rows"]:
        for accuracy in row["accuracy"] if isinstance(row["accuracy"], list) else [row["accuracy"]]:
            assert len(accuracy["values"]) == 2 and 0 <= min(accuracy["values"]) <= max(accuracy["values"]) <= 1
            assert accuracy["low"] <= accuracy["mean"] <= accuracy["high"]
    assert not [row for row in found["rows"] if row["problem"]]


def test_our_noise_is_certified_and_less_than_the_published(outcomes: dict[str, Outcome]) -> None:
    rows = {row["method"]: row for row in outcomes["accuracy"].rows}
    tables = DIGITS.tables(epsilon="1")
    ours = rows["plumbline"]["noise_std"]
    tables["mechanism"] |= {"noise_std": ours}
    assert certify(tables).verdict == "CERTIFIED"
    assert all(float(rows[name]["noise_std"]) > float(ours) for name in ("chien2024", "chien2024_finite_T"))
    full = rows["plumbline_full_batch"]["noise_std"]
    assert float(full) < float(rows["langevin_unlearning"]["noise_std"])
    assert not rows["langevin_unlearning"]["certified"] and rows["plumbline_full_batch"]["certified"]


@pytest.mark.parametrize("data", ["digits-3-8", "breast-cancer"])
def test_our_noise_is_nowhere_less_accurate_beyond_the_intervals(data: str) -> None:
    """The fact as far as five seeds tell: no interval of a difference lies below 0."""
    scale = replace(TINY, seeds=5, epsilons=("0.3",))
    comparisons = experiment("accuracy", scale=scale, data=data).comparisons
    beside = [(c["beside"], c["epsilon"]) for c in comparisons]
    assert [(name, e) for name in ("chien2024", "chien2024_finite_T") for e in ("0.3",)] == beside[:2]
    assert all(c["difference"]["high"] >= 0 for c in comparisons)


@pytest.mark.slow
@pytest.mark.parametrize("data", ["digits-3-8", "breast-cancer"])
def test_nor_at_small_scale_at_any_epsilon(data: str) -> None:
    found = experiment("accuracy", data=data)
    assert len(found.comparisons) == 15
    assert all(c["difference"]["high"] >= 0 for c in found.comparisons)
    assert not [row["problem"] for row in found.rows if row["problem"]]


def test_requests_cost_fewer_epochs_than_published_and_than_learning_anew(outcomes: dict[str, Outcome]) -> None:
    rows = {row["method"]: row for row in outcomes["sequential"].rows}
    ours = rows["plumbline"]["epochs"]
    assert ours[0] == 1 and rows["plumbline"]["accumulated"] == list(accumulate(ours))
    for name in ("chien2024_sequential", "chien2024_sequential_code", "learn_anew"):
        assert len(rows[name]["epochs"]) == 4 and sum(rows[name]["epochs"]) > sum(ours), name
    assert rows["learn_anew"]["epochs"] == [20] * 4
    assert [a["requests"] for a in rows["plumbline"]["accuracy"]] == [1, 2, 4]
    other = outcomes["sequential"].setting["other_release"]
    assert other["release"] == "all" and float(other["epsilon"]) > 1


def test_costs_are_those_of_one_request(outcomes: dict[str, Outcome]) -> None:
    rows = outcomes["tradeoff"].rows
    assert {(r["batch_size"], r["steps"], r["gradient_evaluations"]) for r in rows} == {(128, 2, 256), (256, 1, 256)}
    for size in (128, 256):
        ours, published = (next(r for r in rows if (r["batch_size"], r["method"]) == (size, m)) for m in
                           ("plumbline", "chien2024"))  # fmt: skip
        assert float(ours["noise_std"]) < float(published["noise_std"])


def test_maps_differ_in_their_constants(outcomes: dict[str, Outcome]) -> None:
    rows = {row["label"]: row for row in outcomes["scaling"].rows}
    assert {row["scaling"]["kind"] for row in rows.values()} == {"clip", "auto-s", "psac", "psasc"}
    assert rows["clip, C = 0.5"]["gradient_bound"] == 0.5 and rows["auto-s, C = 1, r = 1"]["gradient_bound"] == 0.5
    assert float(rows["clip, C = 0.5"]["noise_std"]) == pytest.approx(float(rows["clip, C = 1"]["noise_std"]) / 2)


# --- files and the command -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_it_writes_a_table_every_number_and_a_picture(name: str, outcomes: dict[str, Outcome], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    data, text, picture = write_outcome(outcomes[name], tmp_path / "new")
    assert json.loads(data.read_text()) == json.loads(json.dumps(outcomes[name].as_json()))
    assert text.read_text() == outcomes[name].text() + "\n" and "not private" in text.read_text()
    assert picture.read_bytes().startswith(b"\x89PNG")
    if name == "accuracy":
        again = write_outcome(outcomes[name], tmp_path / "again")
        assert [a.read_bytes() for a in again] == [b.read_bytes() for b in (data, text, picture)]


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCALES, "small", TINY)
    done = plumbline("experiment", "tradeoff", "--seeds", "3", "--format", "json", "-o", tmp_path)
    assert done.code == 0 and json.loads(done.out) == json.loads((tmp_path / "tradeoff.json").read_text())
    assert json.loads(done.out)["seeds"] == 3 and done.err.count("wrote ") == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tradeoff.json", "tradeoff.png", "tradeoff.txt"]


def test_the_command_knows_what_there_is() -> None:
    assert tuple(EXPERIMENTS) == experimenting.NAMES
    assert tuple(SCALES) == experimenting.SCALES and (experimenting.DATA, experimenting.IMAGES) == (
        DEFAULT,
        DEFAULT_IMAGES,
    )


def test_the_commands_of_the_page_can_be_given() -> None:
    page = (ROOT / "docs/experiments.md").read_text(encoding="utf-8")
    commands = [line for line in page.splitlines() if line.startswith("plumbline ")]
    given = [command_parser().parse_args(shlex.split(line)[1:]) for line in commands]
    assert [parsed.name for parsed in given] == list(EXPERIMENTS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "accuracy"),
        (["accuracy", "--scale", "huge"], "small"),
        (["accuracy", "--seeds", "1"], "--seeds: 1; an interval takes from 2"),
        (["accuracy", "--data", "no-such-folder"], "--data: 'no-such-folder' is not a folder"),
        (["accuracy", "--workers", "many"], "--workers: got 'many'"),
    ],
)
def test_wrong_words_are_one_line(arguments: list[str], message: str) -> None:
    assert message in refused(plumbline("experiment", *arguments))


# --- MNIST's files ---------------------------------------------------------------------------------------------------


def mnist(folder: Path, records: int) -> Path:
    """Random images of 3, 5 and 8, in the format of MNIST."""
    rng = np.random.default_rng(0)
    for prefix, count in (("train", records), ("t10k", 30)):
        images = rng.integers(0, 256, (count, 4, 4)).astype(np.uint8)
        write_idx(folder / f"{prefix}-images-idx3-ubyte", images, 0x08)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte", np.resize([3, 8, 5], count).astype(np.uint8), 0x08)
    return folder


def test_a_folder_with_mnists_files(tmp_path: Path) -> None:
    problem = problem_of(str(mnist(tmp_path, 390)))
    assert (problem.samples, problem.tested, problem.batch_size, problem.epochs) == (260, 20, 128, 100)
    train, test = load(str(tmp_path))
    assert train.features.shape == (260, 17) and set(test.labels.tolist()) == {1.0, -1.0}
    assert train.labels[:4].tolist() == [-1.0, 1.0, -1.0, 1.0]
    found = experiment("tradeoff", scale=replace(TINY, batches=(2,)), data=tmp_path)
    assert not [row["problem"] for row in found.rows if row["problem"]]


def test_files_that_are_missing_or_hold_other_digits_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no train-images-idx3-ubyte"):
        problem_of(str(tmp_path))
    mnist(tmp_path, 30)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.full(30, 5, np.uint8), 0x08)
    with pytest.raises(UsageError, match="has no 3 and no 8"):
        problem_of(str(tmp_path))
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(UsageError, match="--data"):
        problem_of(str(tmp_path))


def test_more_requests_than_records_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too few for 100 requests"):
        experiment("sequential", data=mnist(tmp_path, 90))
