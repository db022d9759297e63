"""The checker counts its work: what asks for much is stopped, the same everywhere, and nothing that is honest is."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from certify import checker
from certify.trust.verify import verify
from tests.certify.runs import plumbline, refused
from tests.vectors import make_certificates as make

VECTORS = Path(make.__file__).parent
ACCEPT = sorted((VECTORS / "accept").glob("*.json"))

# --- certificates that ask for much ----------------------------------------------------------------------------------


def steps_of(statement: Any, *theorems: str) -> list[Any]:
    return [step for step in statement["predicate"]["proof"]["steps"] if step["theorem"] in theorems]


def with_orders(statement: Any, orders: list[str], upper: str) -> Any:
    """A Rényi curve of these orders."""
    for step in steps_of(statement, "T2", "T9r", "T18"):
        step["args"]["orders"] = orders
        step["concludes"]["renyi"] = [upper] * len(orders)
    statement["predicate"]["renyi"] = [{"order": order, "upper": upper} for order in orders]
    return statement


def lengthened(statement: Any, epochs: str, of: Callable[[Any], bool] = lambda phase: True) -> None:
    """So many epochs in some phases of every T10."""
    for step in steps_of(statement, "T10"):
        phases = step["args"]["phases"]
        for phase in filter(of, phases):
            phase["epochs"] = epochs
        step["concludes"]["steps"] = str(sum(int(phase["epochs"]) * int(phase["batches"]) for phase in phases))


def secret_curve() -> Any:
    """A secret order of 20000 batches, every one of them looked at, at 598 orders."""
    run = make.small(mechanism={"samples": "80", "batch_order": "secret", "noise_std": "1"})
    made, batches = make.statement(run, witness=False, mixed=[0, 3, 5, 6, 7]), 20_000
    made["predicate"]["run"]["mechanism"]["samples"] = str(10 * batches)
    for step in steps_of(made, "T10"):
        for phase in step["args"]["phases"]:
            phase["batches"] = str(batches)
            phase["records"] = [[str(batches - 1), "1"]] if phase["records"] else []
    lengthened(made, "4", lambda phase: phase["epochs"] == "4")
    for step in steps_of(made, "T9", "T9r"):
        step["args"]["positions"] = [str(position) for position in range(batches)]
    for step in steps_of(made, "T3"):
        step["args"]["corners"] = [{"block": "0", "position": str(batches - 1), "first": "0", "last": "0"}]
    return with_orders(made, [str(order) for order in range(2, 600)], "9000")


def ranges() -> Any:
    """T24 over 18000 steps, for a request that takes as many."""
    run = make.small(mechanism={"radius": "9", "unlearning_epochs": ["2"]}, loss=make.CONVEX)
    made = make.statement(run, before_noise=(1, "C1"))
    predicate = made["predicate"]
    predicate["run"]["mechanism"]["unlearning_epochs"] = [predicate["requests"][0]["epochs"]] = ["6000"]
    predicate["requests"][0]["epochs"] = "6000"
    lengthened(made, "6000", lambda phase: phase["epochs"] == "2")
    for step in steps_of(made, "T3"):
        step["args"]["corners"] = [{"block": "0", "position": "2", "first": "0", "last": "0"}]
        step["concludes"]["mu"] = predicate["mu"]["upper"] = "999"
    for step in steps_of(made, "T24"):
        step["args"]["phase"]["epochs"] = "5999"
        step["concludes"]["epsilon"] = predicate["epsilon"]["upper"] = predicate["requests"][0]["epsilon"] = "0.000001"
    return with_orders(made, list(make.ORDERS), "9e9")


def expansion() -> Any:
    """A straight string over 900000 shifts of steps that expand."""
    mechanism = {"step_size": "2.001", "radius": "1" + "0" * 390, "unlearning_epochs": ["0"], "noise_std": "1"}
    made = make.statement(make.small(mechanism=mechanism, loss=make.CONVEX | {"strong_convexity": "0.1"}))
    predicate = made["predicate"]
    predicate["run"]["mechanism"]["epochs"] = "1900000"
    lengthened(made, "1900000")
    for step in steps_of(made, "T3"):
        restart = {"block": "0", "epoch": "1000000", "position": "0"}
        step |= {"theorem": "T5", "args": {"restart": restart, "corners": []}}
        step["concludes"]["mu"] = predicate["mu"]["upper"] = "9e999"
    for step in steps_of(made, "T11"):
        step["concludes"]["epsilon"] = predicate["epsilon"]["upper"] = predicate["requests"][0]["epsilon"] = "9e1999"
    for step in steps_of(made, "T1"):
        step["concludes"]["wasserstein"] = "1e392"
    predicate["wasserstein"] = {"learned": "1e392", "released": "1e392"}
    predicate["theorems"] = sorted({step["theorem"] for step in predicate["proof"]["steps"]})
    predicate["verdict"] = "NOT_CERTIFIED"
    return with_orders(made, list(make.ORDERS), "9e1999")


def stage(noise_multiplier: Fraction, steps: str) -> dict[str, Any]:
    given = {"noise_multiplier": make.exact(noise_multiplier), "steps": steps}
    return given | {"sample_rate": None, "batch_size": None, "epochs": None}


def groups() -> Any:
    """T19 of sixteen different releases, 600000 steps of each."""
    stages = [stage(1 + Fraction(i, 100), "600000") for i in range(1, 16)]
    mechanism = {"steps": "600000", "noise_multiplier": "0.9", "sample_rate": "0.01"}
    return make.training_statement(
        make.training_run(mechanism=mechanism, stages=stages), ("1100", "1100"), other="2200"
    )


def moments() -> Any:
    """T18 of 150 different releases, at 32 orders of about 500; the first step of the proof."""
    stages = [stage(1 + Fraction(i, 100), "60") for i in range(1, 150)]
    made = make.training_statement(make.training_run(stages=stages), ("600", "700"), other="2200")
    proof = made["predicate"]["proof"]
    at = next(i for i, step in enumerate(proof["steps"]) if step["theorem"] == "T18")
    proof["steps"].insert(0, proof["steps"].pop(at))
    place = {str(i): str(i + 1) for i in range(at)} | {str(at): "0"}
    for claim in proof["claims"]:
        kinds = [place.get(index, index) for index in claim.pop("guarantees")]
        claim |= {key: place.get(index, index) for key, index in claim.items()} | {"guarantees": kinds}
    for step in proof["steps"]:
        step["premises"] = [place.get(index, index) for index in step["premises"]]
    return with_orders(made, [str(order) for order in range(481, 513)], "9e99")


GREEDY = {made.__name__: made for made in (secret_curve, ranges, expansion, groups, moments)}


@pytest.mark.parametrize("name", GREEDY)
def test_what_asks_for_much_is_stopped(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "certificate.json"
    path.write_bytes(make.seal(GREEDY[name]()))
    assert checker.main([str(path), "--work", "300000"]) == 3
    out, err = capsys.readouterr()
    assert "STOPPED: " in out.splitlines()[-1] and "CERTIFIED" not in out + err
    stopped = "checker: the work that may be done (300000 units) is used up, and nothing was decided; --work N allows"
    assert err.startswith(stopped) and len(err.splitlines()) == 1


@pytest.mark.parametrize("name", ["secret_curve", "ranges", "moments"])
def test_no_operation_on_intervals_is_too_cheap(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes two to four microseconds: two units at least. Charged one, a budget lasted for three times as long."""
    operations = 0

    def counted(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            nonlocal operations
            operations += 1
            return method(*arguments)

        return call

    for operation in ("__add__", "__radd__", "__mul__", "__rmul__", "__truediv__"):
        monkeypatch.setattr(checker.Interval, operation, counted(getattr(checker.Interval, operation)))
    with checker.metered(400_000) as meter, pytest.raises(checker.OutOfWork):
        checker.verify(make.seal(GREEDY[name]()))
    assert 1000 < 2 * operations <= meter.spent


@pytest.mark.slow
@pytest.mark.parametrize("name", GREEDY)
def test_what_asks_for_much_is_stopped_by_default(name: str) -> None:
    """Or is done with by then: some fifteen seconds each."""
    with checker.metered(checker.WORK) as meter:
        try:
            assert checker.verify(make.seal(GREEDY[name]())).verdict != "CERTIFIED"
        except checker.CheckError as refused:
            assert refused.exit_code in (1, 3)
    assert meter.spent <= checker.WORK * 1.1


# --- honest ones are not ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_vectors_take_two_fifths_of_the_work_at_most() -> None:
    work = {path: checker.verify(path.read_bytes()).work for path in ACCEPT}
    assert all(0 < units <= 2 * checker.WORK // 5 for units in work.values())
    for path in ACCEPT[::-1]:  # whatever was verified before
        if work[path] < 100_000:
            assert checker.verify(path.read_bytes()).work == work[path]


def test_exactly_as_much_work_as_it_takes() -> None:
    data = (VECTORS / "accept/executed.json").read_bytes()
    units = checker.verify(data).work
    assert checker.verify(data, work=units).work == units
    with pytest.raises(checker.OutOfWork):
        checker.verify(data, work=units - 1)


def test_a_record_and_its_certificate_share_the_work() -> None:
    record, whole = ((VECTORS / "accept" / f"{name}.json").read_bytes() for name in ("erasure_record", "executed"))
    alone = checker.verify(whole).work
    both = checker.verify(record, certificate=whole).work
    assert both > alone
    with pytest.raises(checker.OutOfWork):
        checker.verify(record, certificate=whole, work=alone)


def test_a_lower_bound_may_take_half_of_what_is_left() -> None:
    data = (VECTORS / "accept/training_poisson.json").read_bytes()
    whole = checker.verify(data)
    assert "not verified" not in str(whole)
    report = checker.verify(data, work=whole.work)
    assert "lower bound was not verified" in str(report) and report.verdict == "CERTIFIED"
    assert report.work <= whole.work


@pytest.mark.parametrize("work", ["0", "-1", "1.5", "many", "1" * 19, ""])
def test_malformed_budgets(work: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(VECTORS / "accept/executed.json")
    assert checker.main([path, "--work", work]) == 2
    assert "--work: needs a number of units" in capsys.readouterr().err


def test_work_is_an_option_of_verify_too() -> None:
    path = VECTORS / "accept/executed.json"
    assert plumbline("verify", path, "--work", "1000000").code == 0
    stopped = plumbline("verify", path, "--work", "1000")
    assert stopped.code == 3 and "(1000 units) is used up" in stopped.err
    assert "--work: 0 must be at least 1" in refused(plumbline("verify", path, "--work", "0"))
    assert verify(path, work=1000).exit_code == 3 and verify(path).exit_code == 0


# --- reading JSON: one pass ------------------------------------------------------------------------------------------


def deepest(text: str) -> int:
    """Character by character, until what cannot be JSON."""
    depth = most = 0
    quoted = escaped = False
    for character in text:
        if quoted:
            quoted, escaped = escaped or character != '"', character == "\\" and not escaped
        elif character == "\\":
            break
        else:
            quoted = character == '"'
            depth += (character in "[{") - (character in "]}")
            most = max(most, depth)
    return most


@given(st.text(alphabet='[]{}"\\a\n', max_size=200))
@example('["\\\\"' + "[" * 40)
@example('["\\"' + "[" * 40)
@example("[" * 32 + '"[[[[' + "]")
def test_nesting_is_that_outside_of_strings(text: str) -> None:
    """A backslash outside of a string ends what counts; counted further, it may only be refused, never let in."""
    assert checker.is_deep(text) or deepest(text) <= checker.MAX_NESTING
    valid = "\\" not in "".join(takewhile(lambda c: c != '"', text)) and "\\" not in text
    assert not valid or checker.is_deep(text) == (deepest(text) > checker.MAX_NESTING)


@pytest.mark.parametrize("unit", ['"\\', '"', '\\"', "[]", '"[",', "\\\\"])
def test_reading_takes_as_much_work_as_there_are_characters(unit: str) -> None:
    """And what is read grows as the text does: no character is looked at again and again."""
    for length in (1000, 100_000):
        with checker.metered(10**9) as meter, pytest.raises(checker.Malformed):
            checker.read_json(b"[" + unit.encode() * length, "envelope")
        assert meter.spent <= length * len(unit)


def test_a_duplicate_key_among_many() -> None:
    pairs = ", ".join(f'"k{i}": null' for i in range(200_000))
    with pytest.raises(checker.Malformed, match="duplicate key 'k199999'"):
        checker.read_json(("{" + pairs + ', "k199999": null}').encode(), "envelope")


# --- numbers past what Python writes down ----------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["640", "4300", "0"])
def test_long_numbers_are_refused_in_one_line(limit: str, tmp_path: Path) -> None:
    """Whatever limit the environment sets: 400 digits times 400 digits are a number that no certificate states."""
    digits = "7" * 399
    made = copy.deepcopy(make.accepted("executed"))
    mechanism = made["predicate"]["run"]["mechanism"]
    mechanism |= {"samples": digits, "batch_size": "1", "epochs": digits, "step_size": "0." + digits[:390]}
    path = tmp_path / "certificate.json"
    path.write_bytes(make.seal(made))
    command = [sys.executable, checker.__file__, str(path)]
    environment = os.environ | {"PYTHONINTMAXSTRDIGITS": limit}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and "internal" not in done.stderr


def test_a_derived_number_that_is_too_long() -> None:
    for value in (Fraction(1, 2**9000), Fraction(10**5000), Fraction(1, 3**2000)):
        with pytest.raises(checker.DoesNotFollow, match="too long to be written down"):
            checker.canonical(value)
