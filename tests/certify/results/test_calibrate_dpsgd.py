"""`calibrate` on training runs: what it returns is certified, and 0.2 % further is not."""

from __future__ import annotations

import json
from fractions import Fraction as F

import pytest

from certify.errors import OutOfReach, UsageError
from certify.results.calibrate import calibrate
from certify.results.certify_dpsgd import certify_training
from certify.results.claims import Verdict
from certify.runfile.read import read_run
from tests.certify.runs import plumbline, refused, to_toml, training

RIVALS = {"sample_rate": "batch_size", "batch_size": "sample_rate", "steps": "epochs", "epochs": "steps"}
FIXED = {"sampling": "without-replacement", "sample_rate": None, "samples": 1000, "batch_size": 10}
FULL = {"sampling": "full", "sample_rate": None}
SHUFFLED = {"sampling": "shuffled", "sample_rate": None, "samples": 1000, "batch_size": 100}


def tuned(keys, tune, value):
    """The run with that value, whatever else said the same."""
    return training(keys | {RIVALS.get(tune, tune): None} | {tune: value})


def further(value, tune: str, sampling: str):
    """The next whole number or batch, or 0.2 % more; at least as far from the target for sure."""
    if isinstance(value, int):
        return value + max(1, -(-value // 500))
    if tune == "sample_rate" and sampling == "without-replacement":
        return F(value) + F(1, 1000)
    return F(value) * (F(998, 1000) if tune == "noise_multiplier" else F(1002, 1000))


FAST = {
    "full, noise": (FULL | {"steps": 100}, "noise_multiplier"),
    "full, steps": (FULL | {"noise_multiplier": 5}, "steps"),
    "full, epochs": (FULL | {"noise_multiplier": 5}, "epochs"),
    "shuffled, noise": (SHUFFLED | {"steps": None, "epochs": 10}, "noise_multiplier"),
    "shuffled, epochs": (SHUFFLED | {"noise_multiplier": 20}, "epochs"),
    "shuffled, steps": (SHUFFLED | {"noise_multiplier": 20}, "steps"),
    "fixed, noise": (SHUFFLED | {"sampling": "fixed", "steps": 100}, "noise_multiplier"),
    "poisson, noise": ({"steps": 1000}, "noise_multiplier"),
    "poisson, steps": ({}, "steps"),
}
SLOW = {
    "poisson, rate": ({"steps": 1000}, "sample_rate"),
    "poisson, rate for epochs": ({"steps": None, "epochs": 10}, "sample_rate"),
    "poisson, epochs": ({}, "epochs"),
    "poisson, batch": ({"samples": 10000, "steps": 1000}, "batch_size"),
    "poisson, cut": ({"steps": 1000, "samples": 10000, "max_batch_size": 200}, "noise_multiplier"),
    "without replacement, noise": (FIXED | {"steps": 1000}, "noise_multiplier"),
    "without replacement, rate": (FIXED | {"noise_multiplier": 3, "steps": 1000}, "sample_rate"),
    "without replacement, batch": (FIXED | {"noise_multiplier": 3, "steps": 1000}, "batch_size"),
    "without replacement, steps": (FIXED | {"noise_multiplier": 3}, "steps"),
}
CASES = [pytest.param(*case, id=name) for name, case in FAST.items()]
CASES += [pytest.param(*case, id=name, marks=pytest.mark.slow) for name, case in SLOW.items()]


@pytest.mark.parametrize(("keys", "tune"), CASES)
def test_the_answer_is_certified_and_tight(keys, tune) -> None:
    given = training(keys | {tune: None})
    found = calibrate(given, tune=tune)
    assert found.result.verdict is Verdict.CERTIFIED
    assert F(found.result.epsilon["upper"]) <= 2
    again = certify_training(read_run(tuned(keys, tune, found.value)), guarantees=False)
    assert again.verdict is Verdict.CERTIFIED  # at the default width too: the target is not in the bracket then
    value = further(found.value, tune, keys.get("sampling", "poisson"))
    beyond = certify_training(read_run(tuned(keys, tune, value)), guarantees=False)
    assert beyond.verdict is Verdict.NOT_CERTIFIED


def test_json_has_the_contracts_keys(tmp_path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(training(FULL | {"noise_multiplier": None})))
    outcome = plumbline("calibrate", path, "--tune", "noise_multiplier", "--format", "json")
    shown = json.loads(outcome.out)
    assert outcome.code == 0 and outcome.err == ""
    assert set(shown) == {"parameter", "value", "epsilon", "certified", "published"}
    assert shown["parameter"] == "noise_multiplier" and shown["certified"] is True
    assert F(shown["value"]) > 15
    assert plumbline("calibrate", path, "--tune", "noise_multiplier").out.startswith("CERTIFIED")


def test_a_stage_keeps_its_own_noise() -> None:
    found = calibrate(training(FULL | {"steps": 10}, stages=[{"noise_multiplier": 30}]), tune="noise_multiplier")
    first, second = found.result.run.mechanism.stages
    assert second.noise_multiplier == 30 and first.noise_multiplier == F(found.value)


@pytest.mark.parametrize(
    ("keys", "tune", "says"),
    [
        ({}, "noise_std", "'noise_std' is not one of"),
        ({}, "unlearning_epochs", "is not one of"),
        (FULL, "sample_rate", "there is no sample_rate to tune"),
        (SHUFFLED, "batch_size", "there is no batch_size to tune"),
        ({}, "batch_size", "mechanism.samples"),
        ({"steps": None}, "noise_multiplier", "mechanism.steps"),
        ({"samples": 50, "max_batch_size": 1}, "noise_multiplier", "mechanism.max_batch_size"),
    ],
)
def test_wrong_input(keys, tune, says, tmp_path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(training(keys)))
    assert says in refused(plumbline("calibrate", path, "--tune", tune))


@pytest.mark.parametrize(
    "target", [{"epsilon": 1, "delta": "1e-299"}, {"epsilon": "1e-299", "delta": "1e-5"},
               {"epsilon": 10**7, "delta": "1e-5"}, {"epsilon": 1, "delta": "0.9999999999"}]
)  # fmt: skip
def test_targets_beyond_doubles_are_refused(target) -> None:
    with pytest.raises(UsageError, match=r"target\..*doubles"):
        calibrate(training(target=target), tune="noise_multiplier")


@pytest.mark.parametrize(
    ("tables", "tune", "says"),
    [
        (training(target={"epsilon": 0, "delta": "1e-5"}), "noise_multiplier", "no finite noise gives that"),
        (training(releases=[{"mu": 3}]), "noise_multiplier", "the other releases"),
        (training({"noise_multiplier": "0.3"}), "steps", "no steps from 1 up"),
        (training({"noise_multiplier": 1000}), "sample_rate", "nothing to tune"),
        (training({"noise_multiplier": 10**6} | FULL), "steps", "nothing to tune"),
        (training({"sample_rate": 0}), "noise_multiplier", "nothing to tune"),
    ],
)
def test_targets_out_of_reach(tables, tune, says) -> None:
    with pytest.raises(OutOfReach, match=says):
        calibrate(tables, tune=tune)


def test_out_of_reach_exits_with_1(tmp_path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(training(target={"epsilon": 0, "delta": "1e-5"})))
    assert "target.epsilon" in refused(plumbline("calibrate", path, "--tune", "noise_multiplier"), 1)


@pytest.mark.parametrize("keys", [{"steps": 1000}, {"steps": 15000, "sample_rate": "0.004"}], ids=["short", "long"])
def test_integers_are_computed_once_and_the_noise_is_tight(keys) -> None:
    """One upper bound on one grid, at a value with the grid's error allowed for; 0.03 % less noise is not enough."""
    told: list[str] = []
    given = training(keys | {"noise_multiplier": None})
    found = calibrate(given, tune="noise_multiplier", progress=lambda what, *_: told.append(what))
    assert sum(line.startswith("upper bound") for line in told) == 1
    upper, target = F(found.result.epsilon["upper"]), F(found.result.epsilon["target"])
    assert target * F(9990, 10000) < upper <= target
    less = tuned(keys, "noise_multiplier", F(found.value) * F(9997, 10000))
    less = certify_training(read_run(less), guarantees=False)
    assert less.verdict is Verdict.NOT_CERTIFIED


def test_a_delta_that_allows_nearly_everything() -> None:
    """ε = 0 for a wide span of noise: the search walks over it. A record is sampled at all with probability 0.634."""
    keys = {"noise_multiplier": None, "steps": 100}
    found = calibrate(training(keys, target={"epsilon": "0.5", "delta": "0.5"}), tune="noise_multiplier")
    assert found.result.verdict is Verdict.CERTIFIED and F(found.result.epsilon["upper"]) > F("0.49")
    with pytest.raises(OutOfReach, match="nothing to tune"):
        calibrate(training(keys, target={"epsilon": "0.5", "delta": "0.64"}), tune="noise_multiplier")


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    calibrate(training(), tune="noise_multiplier", progress=lambda *step: told.append(step))
    assert told and all((done, of) == (0, 0) for _, done, of in told)


@pytest.mark.parametrize("noise", ["1e40", "1e-40", "1e390", "1e-390"])
def test_extreme_noise_is_refused_in_a_line_unless_it_is_tuned(noise, tmp_path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(training({"noise_multiplier": F(noise)})))
    for tune in ("steps", "sample_rate"):
        assert "mechanism.noise_multiplier" in refused(plumbline("calibrate", path, "--tune", tune))
    tuned_anyway = calibrate(training({"noise_multiplier": F(noise)}), tune="noise_multiplier")
    assert tuned_anyway.result.verdict is Verdict.CERTIFIED and tuned_anyway.note is None


def test_other_releases_of_any_size_are_refused_in_a_line(tmp_path) -> None:
    path = tmp_path / "run.toml"
    for mu, code in (("1e390", 2), ("1e100", 1)):
        path.write_text(to_toml(training()) + f'[[releases]]\nmu = "{mu}"\n')
        refused(plumbline("calibrate", path), code)


def test_a_value_far_from_the_target_is_said_to_be_so() -> None:
    """ε falls to 0 at once: what is certified may be far from the least."""
    found = calibrate(training(target={"epsilon": "1e-200", "delta": "1e-5"}), tune="noise_multiplier")
    assert found.result.verdict is Verdict.CERTIFIED
    assert found.note == "certified, with ε far below the target; a smaller value may be certified too"
