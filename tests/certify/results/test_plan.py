"""`plan`: every row is certified, and a little less noise is not; the marks; the command."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import certify as package
from accountant.core.exact import decimal
from certify import certify, plan
from certify.errors import OutOfReach, UsageError
from certify.results import plan as planning
from certify.results.claims import Verdict
from certify.results.plan import noise_floor, some_divisors, some_epochs
from tests.certify.runs import EXAMPLES, constants, mnist, plumbline, refused, tables, to_toml, valid_runs


def run_of(tables: dict[str, Any], row: planning.PlanRow, noise: Any = None) -> dict[str, Any]:
    """The run that a row describes, with its σ or another."""
    sizes = tables.get("requests", {}).get("sizes", [1])
    changed = {
        "batch_size": row.batch_size,
        "unlearning_epochs": [row.unlearning_epochs] * len(sizes),
        "noise_std": row.noise_std if noise is None else noise,
    }
    return tables | {"mechanism": {**tables["mechanism"], **changed}}


def check_rows(run: dict[str, Any], found: planning.Plan) -> None:
    for row in found.rows:
        if not row.certified:
            assert row.problem and row.epsilon is None and not row.pareto
            continue
        result = certify(run_of(run, row))
        assert result.verdict is Verdict.CERTIFIED and result.epsilon["upper"] == row.epsilon
        less = certify(run_of(run, row, row.noise_std * (1 - Fraction(1, 10**8))))
        assert less.verdict is not Verdict.CERTIFIED
        assert len(decimal(row.noise_std).partition("e")[0].replace(".", "").strip("0")) <= 9


def test_rows_are_certified_and_sharp() -> None:
    run = mnist()
    found = plan(run, batch_sizes=[128, 512, 11264], unlearning_epochs=[1, 2])
    check_rows(run, found)
    assert [(row.unlearning_epochs, row.batch_size) for row in found.rows] == [
        (k, b) for k in (1, 2) for b in (128, 512, 11264)
    ]
    first = found.rows[0]
    assert decimal(first.noise_std) == "0.000426460545"  # what calibrate finds
    assert (first.gradients, first.steps, first.of_retraining) == (11264, 88, Fraction(1, 100))


@pytest.mark.slow
@settings(max_examples=25)
@given(valid_runs(), st.data())
def test_any_run(run: Any, data: st.DataObject) -> None:
    samples = run["mechanism"]["samples"]
    size = data.draw(st.sampled_from([b for b in range(1, samples + 1) if samples % b == 0]))
    run["target"]["epsilon"] = max(run["target"]["epsilon"], Fraction(1, 100))
    assume(len(run.get("requests", {}).get("sizes", [1])) * samples < 200)
    try:
        found = plan(run, batch_sizes=[size], unlearning_epochs=[1, 3])
    except OutOfReach as problem:
        assert "never differ" in str(problem) or "doubles" in str(problem)
    else:
        check_rows(run, found)


def test_secret_order() -> None:
    run = tables(mechanism={"batch_order": "secret"})
    found = plan(run, batch_sizes=[2], unlearning_epochs=[1])
    check_rows(run, found)
    assert found.rows[0].noise_std < plan(tables(), batch_sizes=[2], unlearning_epochs=[1]).rows[0].noise_std


def test_pareto_rows() -> None:
    rows = plan(mnist()).rows
    floor = noise_floor(plan(mnist(), batch_sizes=[128], unlearning_epochs=[1]).run)
    competing = [row for row in rows if row.noise_std >= floor]
    for row in rows:
        better = [
            other
            for other in competing
            if other.noise_std <= row.noise_std
            and other.gradients <= row.gradients
            and (other.noise_std, other.gradients) != (row.noise_std, row.gradients)
        ]
        assert row.lost == (row.noise_std < floor)
        assert row.pareto == (not row.lost and not better)
    assert {row.pareto for row in rows} == {row.lost for row in rows} == {False, True}


def test_the_file_may_leave_out_what_is_varied() -> None:
    run = mnist()
    for key in ("noise_std", "unlearning_epochs", "batch_size"):
        del run["mechanism"][key]
    whole = plan(mnist(mechanism={"noise_std": "123"}), unlearning_epochs=[1])
    assert 128 in [row.batch_size for row in whole.rows]
    without = plan(run, unlearning_epochs=[1])
    assert without.rows == tuple(row for row in whole.rows if row.batch_size != 128)


def test_default_choices() -> None:
    assert some_epochs(100) == [1, 2, 3, 5, 8, 13] and some_epochs(5) == [1, 2, 3] and some_epochs(0) == [1]
    assert some_divisors(11264) == [16, 64, 256, 704, 2816, 11264]
    assert some_divisors(12) == [1, 2, 3, 4, 6, 12] and some_divisors(1) == [1] and some_divisors(7919) == [7919]
    for n in (*range(1, 400), 2**40, 10**15, 9_999_999_967 * 2):
        found = some_divisors(n)
        assert 1 <= len(found) <= 6 and found[-1] == n and found == sorted(set(found))
        assert all(n % b == 0 and n // b <= 1000 for b in found)


def test_needs_no_more_noise_than_doubles_hold() -> None:
    found = plan(EXAMPLES / "digits.toml", batch_sizes=[1, 64], unlearning_epochs=[13])
    assert "1e-300" in found.rows[0].problem and found.rows[1].certified


@pytest.mark.parametrize(
    ("run", "problem"),
    [
        (tables(loss=constants(1, "1/2", 0)), "never differ"),
        (tables(mechanism={"epochs": 0}), "never differ"),
    ],
)
def test_out_of_reach(run: Any, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(run))
    options = ("--batch-sizes", "4", "--unlearning-epochs", "1")
    assert problem in refused(plumbline("plan", path, *options), code=1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--batch-sizes", "5"], "does not divide samples"),
        (["--batch-sizes", "24"], "samples = 12"),
        (["--batch-sizes", "0"], "--batch-sizes: 0"),
        (["--batch-sizes", "2,x"], "'2,x'"),
        (["--batch-sizes", ""], "--batch-sizes"),
        (["--unlearning-epochs", "1.5"], "'1.5'"),
        (["--unlearning-epochs", "-1"], "--unlearning-epochs"),
        (["--unlearning-epochs", "1" + "0" * 16], "10^15"),
        (["--unlearning-epochs", ",".join(map(str, range(1, 10_002)))], "rows"),
        (["--format", "yaml"], "--format"),
    ],
)
def test_malformed_options_are_one_line(options: list[str], words: str, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(tables()))
    assert words in refused(plumbline("plan", path, *options))


def test_malformed_runs_and_values() -> None:
    with pytest.raises(UsageError, match=r"batch_sizes|--batch-sizes"):
        plan(tables(), batch_sizes=[2.0])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="epsilon"):
        plan(tables(target={"epsilon": "1e301"}))


def test_json(tmp_path: Path) -> None:
    done = plumbline("plan", EXAMPLES / "breast_cancer.toml", "--format", "json", "--batch-sizes", "64,32")
    assert (done.code, done.err) == (0, "")
    shown = json.loads(done.out)
    assert set(shown) == {"target", "samples", "epochs", "requests", "noise_floor", "rows"}
    assert shown["target"]["epsilon"] == "1" and shown["requests"] == [1, 1, 2]
    assert [(row["unlearning_epochs"], row["batch_size"]) for row in shown["rows"]][:3] == [(1, 32), (1, 64), (2, 32)]
    for row in shown["rows"]:
        assert row["certified"] is True and row["problem"] is None
        assert all(isinstance(row[key], str) for key in ("noise_std", "epsilon", "fraction_of_retraining"))
        assert Fraction(row["epsilon"]) <= 1
        assert row["gradient_evaluations"] == 448 * row["unlearning_epochs"] == row["steps"] * row["batch_size"]
    assert shown["rows"][2]["fraction_of_retraining"] == "0.1"


def test_text(tmp_path: Path) -> None:
    done = plumbline("plan", EXAMPLES / "mnist.toml")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "the least noise that is certified for ε ≤ 1 at δ = 0.000088778409091"
    assert any(line.split() == ["1", "128", "0.000426460545", "11264", "88", "0.01"] for line in lines)
    assert any(line.split()[:2] == ["*", "1"] for line in lines) and "† below" in done.out
    assert not list(tmp_path.iterdir())


def test_files(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "plan"
    options = ("--batch-sizes", "64,1", "--unlearning-epochs", "1,13", "--format", "json")
    done = plumbline("plan", EXAMPLES / "digits.toml", "-o", folder, *options)
    assert done.code == 0 and [line.split()[0] for line in done.err.splitlines()] == ["wrote", "wrote"]
    assert sorted(path.name for path in folder.iterdir()) == ["plan.json", "plan.png"]
    assert json.loads((folder / "plan.json").read_text()) == json.loads(done.out)
    assert (folder / "plan.png").read_bytes().startswith(b"\x89PNG")


def test_a_plan_in_which_all_noise_is_lost_can_be_drawn(tmp_path: Path) -> None:
    done = plumbline("plan", EXAMPLES / "digits.toml", "-o", tmp_path, "--batch-sizes", "1", "--unlearning-epochs", "1")
    assert done.code == 0 and "*" not in done.out.splitlines()[4]


def test_without_matplotlib_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    line = refused(plumbline("plan", EXAMPLES / "digits.toml", "-o", tmp_path / "out"))
    assert "matplotlib" in line and not (tmp_path / "out").exists()


def test_public_name() -> None:
    assert package.plan is planning.plan and package.Plan is planning.Plan


def test_progress() -> None:
    seen: list[tuple[int, int]] = []
    plan(tables(), batch_sizes=[2, 4], unlearning_epochs=[1], progress=lambda *done: seen.append(done))
    assert seen == [(1, 2), (2, 2)]


def test_a_plan_of_unlearning_must_say_who_sees_which_models() -> None:
    run = tables(mechanism={"unlearning_epochs": 0}, target={"epsilon": 5})
    rows = plan(run, batch_sizes=[4], unlearning_epochs=[1]).rows
    assert (
        rows
        == plan(
            run | {"mechanism": run["mechanism"] | {"unlearning_epochs": 1}}, batch_sizes=[4], unlearning_epochs=[1]
        ).rows
    )
    del run["threat"]
    with pytest.raises(UsageError, match=r"^threat\.release: is missing"):
        plan(run, batch_sizes=[4], unlearning_epochs=[1])
