"""noise_above_rounding: runs that say what they are executed in, from the run file to verdict, calibration and gate."""

from __future__ import annotations

import copy
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from accountant.core.exact import Rounding, decimal, round_decimal
from certify import calibrate, certify
from certify.cli.junit import junit
from certify.errors import OutOfReach, UsageError
from certify.results.claims import Verdict
from certify.results.floor import is_violated, least_noise, status_of
from certify.results.plan import plan
from certify.runfile.read import read_run
from tests.certify.runs import EXAMPLES, mnist, plumbline, refused, to_toml, training

FULL = {"dtype": "float64", "dimension": 65, "largest_coordinate": "1"}
TEXT = (
    "With the dtype, dimension and largest_coordinate of [execution], and an error of at most 4 units in the last "
    "place in each coordinate of each step, rounding adds at most a hundredth of the mu that the target allows."
)


def issue(execution: dict[str, Any] | None = None, **mechanism: Any) -> dict[str, Any]:
    """The case of the issue: unlearning for so long that next to no noise is left to be asked for."""
    run = {
        "mechanism": {
            "kind": "pnsgd",
            "samples": 4,
            "batch_size": 4,
            "epochs": 200,
            "unlearning_epochs": 4500,
            "noise_std": "1.15e-18",
            **mechanism,
        },
        "loss": {"kind": "logistic", "regularization": "0.0025"},
        "target": {"epsilon": 1, "delta": "1e-5"},
        "threat": {"release": "final"},
    }
    return run | ({"execution": execution} if execution is not None else {})


def floor_of(result: Any) -> str | None:
    return next((a["status"] for a in result.assumptions if a["id"] == "noise_above_rounding"), None)


# --- the run file -----------------------------------------------------------------------------------------------------


def test_without_the_table_nothing_changes() -> None:
    plain = certify(issue())
    assert plain.verdict is Verdict.CERTIFIED and floor_of(plain) is None and plain.rounding is None
    assert "execution" not in plain.run.canonical and "rounding" not in plain.as_json()
    empty = read_run(issue({}))
    assert empty.digest == plain.digest and status_of(empty) is None
    assert read_run(EXAMPLES / "mnist.toml").execution is None


def test_what_is_given_enters_the_digest_and_nothing_else() -> None:
    digests = {read_run(issue(FULL)).digest, read_run(issue()).digest}
    for key in FULL:
        part = {key: FULL[key]}
        run = read_run(issue(part))
        assert run.canonical["execution"] == {key: str(FULL[key])}
        assert status_of(run) == "attested"
        digests.add(run.digest)
    assert len(digests) == 5
    assert read_run(read_run(issue(FULL)).canonical).digest == read_run(issue(FULL)).digest


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("dtype", "float16", "execution.dtype"),
        ("dimension", 0, "execution.dimension: 0 must lie between 1 and 10^15"),
        ("dimension", "1.5", "execution.dimension"),
        ("largest_coordinate", 0, "execution.largest_coordinate: 0 must be positive"),
        ("largest_coordinate", "1e309", "is beyond the largest number of float64"),
        ("precision", 52, "execution.precision: unknown key"),
    ],
)
def test_what_is_out_of_range_is_refused(tmp_path: Path, key: str, value: Any, part: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(issue(FULL | {key: value})))
    assert part in refused(plumbline("certify", path))


# --- verdicts ---------------------------------------------------------------------------------------------------------


def test_noise_below_rounding_is_not_certified(tmp_path: Path) -> None:
    """The case of the issue: what is certified in exact arithmetic is executed as two fixed points one ulp apart."""
    path = tmp_path / "run.toml"
    path.write_text(to_toml(issue(FULL)))
    outcome = plumbline("certify", path)
    assert outcome.code == 3
    first = outcome.out.splitlines()[0]
    assert first.startswith("INDETERMINATE: noise_above_rounding is violated: ")
    assert first.endswith("take noise_std ≥ 1.91737177e-10")
    found = json.loads(plumbline("certify", path, "--format", "json").out)
    assert found["verdict"] == "INDETERMINATE"
    ids = [a["id"] for a in found["assumptions"]]
    assert ids[ids.index("gaussian_noise") + 1] == "noise_above_rounding"
    assert {"id": "noise_above_rounding", "status": "violated", "text": TEXT} in found["assumptions"]
    assert 'errors="1"' in junit(certify(path)) and "noise_above_rounding is violated" in junit(certify(path))


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"noise_std": "1.91737177e-10"}, "proved"),
        ({"noise_std": "1.91737176e-10"}, "violated"),
        ({"noise_std": "0.02"}, "proved"),
    ],
)
def test_the_boundary(changes: dict[str, Any], status: str) -> None:
    result = certify(issue(FULL, **changes))
    assert floor_of(result) == status
    assert result.verdict is (Verdict.CERTIFIED if status == "proved" else Verdict.INDETERMINATE)


def test_a_bound_that_misses_the_target_is_no_verdict_either() -> None:
    """What is executed may be another mechanism: neither answer is about it."""
    changes = {"noise_std": "0.1", "unlearning_epochs": 1}
    assert certify(issue(None, **changes)).verdict is Verdict.NOT_CERTIFIED
    assert certify(issue(FULL | {"dtype": "float32"}, **changes)).verdict is Verdict.INDETERMINATE


def test_what_is_known_only_in_part_is_attested() -> None:
    for missing in FULL:
        result = certify(issue({key: value for key, value in FULL.items() if key != missing}))
        assert (floor_of(result), result.verdict) == ("attested", Verdict.CERTIFIED)
        assert result.rounding is None


def test_without_a_contraction_it_is_attested() -> None:
    drifting = issue(FULL, step_size="0.1", radius=5, noise_std=3, unlearning_epochs=1)
    drifting["loss"] = {"kind": "clipped", "regularization": "0.1", "clip": 1}
    assert floor_of(certify(drifting)) == "attested"
    flat = issue(FULL, noise_std=30, unlearning_epochs=1)
    flat["loss"] = {"kind": "logistic", "regularization": 0}
    assert floor_of(certify(flat)) == "attested"


def test_training_runs_attest_it() -> None:
    run = training() | {"execution": FULL}
    result = certify(run)
    assert floor_of(result) == "attested"
    ids = [a["id"] for a in result.assumptions]
    assert ids == sorted(ids)
    assert floor_of(certify(training())) is None


def test_single_precision_needs_more() -> None:
    double, single = (least_noise(read_run(issue(FULL | {"dtype": d}))) for d in ("float64", "float32"))
    assert single / double == pytest.approx(2**29, rel=1e-8)


# --- calibration ------------------------------------------------------------------------------------------------------


def test_calibrate_meets_target_and_floor(tmp_path: Path) -> None:
    found = calibrate(issue(FULL))
    assert (found.value, found.binds, found.result.verdict) == ("1.91737177e-10", "floor", Verdict.CERTIFIED)
    assert floor_of(found.result) == "proved" and found.as_json()["binds"] == "floor"
    less = round_decimal(Fraction(found.value) * Fraction(99999999, 100000000), 9, Rounding.DOWN)
    assert is_violated(read_run(issue(FULL, noise_std=less)))
    path = tmp_path / "run.toml"
    path.write_text(to_toml(issue(FULL)))
    assert "\nbinds  " in plumbline("calibrate", path).out and "floor: " in plumbline("calibrate", path).out


def test_where_the_target_binds_the_value_is_that_without_a_floor() -> None:
    run, plain = issue(FULL, unlearning_epochs=1), issue(unlearning_epochs=1)
    found, without = calibrate(run), calibrate(plain)
    assert (found.value, found.binds) == (without.value, "target")
    assert without.binds is None and "binds" not in without.as_json()


def test_where_any_noise_meets_the_target_the_floor_is_what_is_asked_for() -> None:
    far = issue(FULL, unlearning_epochs=10**7)
    assert (calibrate(far).value, calibrate(far).binds) == ("1.91737177e-10", "floor")
    with pytest.raises(OutOfReach, match="nothing to tune"):
        calibrate(issue(None, unlearning_epochs=10**7))


def test_no_other_parameter_mends_the_noise() -> None:
    with pytest.raises(OutOfReach, match=r"noise_above_rounding is violated.*take noise_std ≥"):
        calibrate(issue(FULL), tune="unlearning_epochs")


def test_a_plan_is_above_the_floor() -> None:
    rows = plan(issue(FULL), batch_sizes=[4], unlearning_epochs=[1, 4500]).rows
    assert decimal(rows[1].noise_std) == "1.91737177e-10" and rows[0].noise_std > 1
    plain = plan(issue(), batch_sizes=[4], unlearning_epochs=[1, 4500]).rows
    assert plain[0].noise_std == rows[0].noise_std and plain[1].noise_std < Fraction(1, 10**17)


def test_the_floor_is_that_of_the_target_not_of_the_bound() -> None:
    """A larger target allows more rounding; how large the claim's own μ is does not matter."""
    strict, lax = issue(FULL), issue(FULL)
    lax["target"] = {"epsilon": 10, "delta": "1e-5"}
    assert least_noise(read_run(lax)) < least_noise(read_run(strict))
    longer = copy.deepcopy(strict)
    longer["mechanism"]["unlearning_epochs"] = 9000
    assert least_noise(read_run(longer)) == least_noise(read_run(strict))


def test_the_digits_example_is_far_above_the_floor() -> None:
    run = mnist() | {"execution": {"dtype": "float64", "dimension": 785, "largest_coordinate": 10}}
    result = certify(run)
    assert (floor_of(result), result.verdict) == ("proved", Verdict.CERTIFIED)
    assert result.epsilon == certify(mnist()).epsilon
    with pytest.raises(UsageError):
        certify(mnist() | {"execution": {"dtype": "int8"}})
