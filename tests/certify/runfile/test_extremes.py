"""Whatever a run file holds: the right answer, or one line that says what is wrong; never a crash (70), a traceback or
endless work. Named cases first, then mutations of valid examples for every command."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certify import certify
from certify import files as certify_files
from certify.errors import UsageError
from tests.certify.runs import EXAMPLES, Outcome, mnist, plumbline, refused, tables, to_toml, training

HUGE = "0x" + "f" * 5000  # Python reads it, and does not print it
DIGITS = "1" * 5000  # Python does not read it (sys.set_int_max_str_digits)


def sound(outcome: Outcome) -> Outcome:
    """An answer or a refusal in one line."""
    assert outcome.code in (0, 1, 2, 3), outcome
    assert "Traceback" not in outcome.err and "Warning" not in outcome.err, outcome.err
    if outcome.code == 2:
        refused(outcome)
    else:
        assert outcome.err.count("\n") <= 1
    return outcome


def written(run: dict[str, Any] | str, folder: Path) -> Path:
    path = folder / "run.toml"
    path.write_text(run if isinstance(run, str) else to_toml(run))
    return path


# --- kinds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["[1]", "1", "{}", "true", "1.5", "1979-05-27", "[]", HUGE], ids=lambda v: v[:10])
@pytest.mark.parametrize("table", ["mechanism", "loss", "scaling"])
def test_a_kind_of_any_type_is_refused(table: str, value: str, tmp_path: Path) -> None:
    run = tables() if table != "scaling" else training()
    text = to_toml({name: {k: v for k, v in t.items() if (name, k) != (table, "kind")} for name, t in run.items()})
    path = written(text.replace(f"[{table}]\n", f"[{table}]\nkind = {value}\n"), tmp_path)
    for command in ("certify", "calibrate", "compare", "plan", "explain"):
        assert f"{table}.kind" in refused(plumbline(command, path)) or command == "plan"


def test_a_kind_of_null_is_missing() -> None:
    for table in ("mechanism", "loss"):
        run = tables()
        run[table]["kind"] = None
        with pytest.raises(UsageError, match=f"{table}.kind: is missing"):
            certify(run)


def test_a_secret_order_that_nothing_is_unlearned_from(tmp_path: Path) -> None:
    """K = [0]: a claim about learning; and a plan of it."""
    run = mnist(mechanism={"batch_order": "secret", "unlearning_epochs": [0]})
    path = written(run, tmp_path)
    assert sound(plumbline("certify", path, "--format", "json")).code == 1
    for command in ("compare", "explain", "calibrate", "plan"):
        sound(plumbline(command, path))


# --- numbers ----------------------------------------------------------------------------------------------------------

EXTREMES = [
    ("mechanism", "radius", "1e390"), ("mechanism", "radius", "1e-390"),
    ("mechanism", "noise_std", "1e390"), ("mechanism", "noise_std", "1e-390"), ("mechanism", "noise_std", "1e-40"),
    ("mechanism", "step_size", "1e-390"), ("mechanism", "step_size", "1e-40"),
    ("mechanism", "initial_distance", "1e390"), ("mechanism", "initial_distance", "1e200"),
    ("mechanism", "epochs", 10**15), ("mechanism", "unlearning_epochs", 10**15),
    ("mechanism", "samples", 10**18), ("requests", "sizes", [10**9]),
    ("loss", "smoothness", "1e390"), ("loss", "strong_convexity", "1e-390"), ("loss", "gradient_bound", "1e390"),
    ("target", "delta", "1e-390"), ("target", "epsilon", "1e390"), ("target", "epsilon", "1e-390"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "key", "value"), EXTREMES)
def test_extremes(table: str, key: str, value: Any, tmp_path: Path) -> None:
    path = written(mnist(**{table: {key: value}}), tmp_path)
    for command in ("certify", "calibrate", "compare", "explain"):
        sound(plumbline(command, path))


TRAINING_EXTREMES = [
    *(("noise_multiplier", z, "poisson") for z in ("1e-390", "1e-150", "1e-40", "0.001", "1e40", "1e390")),
    *(("noise_multiplier", z, "full") for z in ("1e-390", "1e-150", "1e40", "1e390")),
    *(("noise_multiplier", z, "without-replacement") for z in ("1e-390", "1e40")),
    *(("sample_rate", q, "poisson") for q in ("1e-390", "1e-40")),
    *(("delta", delta, sampling) for delta in ("1e-390", "1e-150") for sampling in ("poisson", "full")),
    *(("max_grad_norm", norm, "full") for norm in ("1e-390", "1e-40", "1e40", "1e390")),  # it cancels
]


@pytest.mark.parametrize(("key", "value", "sampling"), TRAINING_EXTREMES)
def test_extremes_of_training(key: str, value: str, sampling: str, tmp_path: Path) -> None:
    """The right answer where it is known in seconds, else one line that names the key."""
    run = training(
        {"sampling": sampling, "steps": 8, "samples": 1000} | ({"sample_rate": None} if sampling == "full" else {})
    )
    table = {"delta": "target", "max_grad_norm": "scaling"}.get(key, "mechanism")
    run[table][key] = value
    path = written(run, tmp_path)
    outcome = sound(plumbline("certify", path, "-o", tmp_path / "out", "--format", "json"))
    answered = sampling == "full"
    assert (outcome.code in (0, 1)) == answered
    if not answered:
        assert f"{table}.{key}: " in outcome.err
    for command in ("compare", "explain"):
        sound(plumbline(command, path))


def test_many_stages(tmp_path: Path) -> None:
    """500 different sampled stages would take minutes: a line that names the limit. Not sampled they are one sum."""
    stages = [{"noise_multiplier": f"{1000 + i}/1000", "steps": 10} for i in range(500)]
    refusal = refused(plumbline("certify", written(as_text(training({"steps": 10}, stages=stages)), tmp_path)))
    assert "stages: 500 different sampled ones; at most 32 are computed" in refusal
    full = training({"sample_rate": None, "sampling": "full", "steps": 10}, stages=stages)
    assert sound(plumbline("certify", written(as_text(full), tmp_path))).code == 1
    alike = training({"steps": 10}, stages=[{"steps": 10}] * 100)
    assert sound(plumbline("certify", written(as_text(alike), tmp_path))).code in (0, 1)


def test_many_batches_with_differing_records(tmp_path: Path) -> None:
    def run(size: int) -> Path:
        mechanism = {"samples": 2 * 10**9, "batch_size": 1, "unlearning_epochs": [1]}
        return written(mnist(mechanism=mechanism, requests={"sizes": [size]}), tmp_path)

    for command in ("certify", "explain", "compare", "calibrate"):
        assert "requests.sizes: 1000000000 records in all fill more" in refused(plumbline(command, run(10**9)))
    assert sound(plumbline("certify", run(1000))).code in (0, 1)
    assert sound(plumbline("explain", run(1000), "--brief")).code == 0


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"mechanism": {"radius": "1e390"}}, "CERTIFIED"),  # as without a ball
        ({"mechanism": {"noise_std": "1e390"}}, "CERTIFIED"),
        ({"mechanism": {"noise_std": "1e-390"}}, "NOT_CERTIFIED"),
        ({"mechanism": {"initial_distance": "1e200"}}, "NOT_CERTIFIED"),
        ({"mechanism": {"epochs": 10**15}}, "CERTIFIED"),
        ({"target": {"delta": "1e-390"}}, "NOT_CERTIFIED"),
        ({"target": {"epsilon": 40, "delta": "1e-390"}}, "CERTIFIED"),
    ],
)
def test_the_right_answer(changes: dict[str, Any], verdict: str) -> None:
    assert certify(mnist(**changes)).verdict == verdict


def test_a_ball_of_any_size_bounds_no_more_than_none() -> None:
    plain, huge = certify(mnist()), certify(mnist(mechanism={"radius": "1e390"}))
    assert F(huge.epsilon["upper"]) <= F(plain.epsilon["upper"])


@pytest.mark.parametrize("key", ["samples", "epochs", "noise_std", "kind"])
@pytest.mark.parametrize("digits", [HUGE, DIGITS, f'"{DIGITS}"'], ids=["hexadecimal", "decimal", "string"])
def test_numbers_past_the_limit_of_digits_in_toml(key: str, digits: str, tmp_path: Path) -> None:
    lines = (EXAMPLES / "digits.toml").read_text().splitlines()
    text = "\n".join(f"{key} = {digits}" if line.startswith(f"{key} = ") else line for line in lines[:12]) + "\n"
    message = refused(plumbline("certify", written(text, tmp_path)))
    assert "sys.set_int_max" not in message and len(message) < 520


@pytest.mark.parametrize("value", [10**5000, -(10**5000), Decimal("1e999999"), 10**401, [10**5000]], ids="abcde")
def test_numbers_past_the_limit_of_digits_in_a_mapping(value: Any) -> None:
    for table, key in (("mechanism", "samples"), ("mechanism", "kind"), ("loss", "kind"), ("target", "delta")):
        run = tables()
        run[table][key] = value
        with pytest.raises(UsageError):
            certify(run)


def test_numbers_past_the_limit_of_digits_elsewhere(tmp_path: Path) -> None:
    run = written(tables(), tmp_path)
    refused(plumbline("plan", run, "--batch-sizes", DIGITS))
    refused(plumbline("explain", run, "--request", DIGITS))
    refused(plumbline("certify", "--from", "triples", run, "--delta", DIGITS))
    record = tmp_path / "record.json"
    record.write_text(f'{{"history": [[1.0, 0.25, {DIGITS}]], "mechanism": "prv"}}')
    assert "too many digits" in refused(plumbline("certify", "--from", "opacus", record, "--delta", "1e-5"))
    record.write_text(f'{{"payloadType": {DIGITS}}}')
    for arguments in (("verify", record), ("report", record, "-o", tmp_path / "report.md")):
        assert plumbline(*arguments).code == 2
    policy = (EXAMPLES / "policy.toml").read_text().replace("max_age_days = 365", f"max_age_days = {HUGE}")
    (tmp_path / "policy.toml").write_text(policy)
    refused(plumbline("gate", tmp_path / "policy.toml", record))


# --- a full disk ------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    run, vector = EXAMPLES / "digits.toml", EXAMPLES.parent / "tests/vectors/accept/clipped.json"
    monkeypatch.setattr(certify_files.os, "replace", full)
    for arguments in (
        ("certify", run, "-o", tmp_path / "a"),
        ("plan", run, "-o", tmp_path / "b", "--unlearning-epochs", "1", "--batch-sizes", "128"),
        ("explain", run, "-o", tmp_path, "--brief"),
        ("explain", EXAMPLES / "scaled.toml", "-o", tmp_path, "--brief"),
        ("report", vector, "-o", tmp_path / "report.md"),
    ):
        assert refused(plumbline(*arguments)).endswith("cannot be written: No space left on device")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(("out", "err"), [("full", "pipe"), ("full", "full"), ("pipe", "full")])
def test_a_stream_that_cannot_be_written_to_says_neither_certified_nor_not(out: str, err: str) -> None:
    with open("/dev/full", "w") as full:
        streams = {"full": full, "pipe": subprocess.PIPE}
        file = "no such file" if out == "pipe" else str(EXAMPLES / "digits.toml")
        command = [sys.executable, "-m", "certify.cli", "certify", file]
        done = subprocess.run(command, stdout=streams[out], stderr=streams[err], text=True, check=False)
    assert done.returncode == 2
    assert done.stderr in (None, "plumbline: output: No space left on device\n")


# --- anything ---------------------------------------------------------------------------------------------------------

COMMANDS = ["certify", "calibrate", "explain", "plan", "compare"]
SMALL = {
    "small": tables(),
    "ball": tables(mechanism={"radius": 3, "initial_distance": "1/2"}, threat={"reference": "stationary"}),
    "requests": tables(mechanism={"unlearning_epochs": [1, 2]}, requests={"sizes": [1, 3]}, threat={"release": "all"}),
    "secret": tables(mechanism={"batch_order": "secret"}, loss={"kind": "logistic", "regularization": "0.1"}),
    "clipped": tables(
        mechanism={"step_size": "0.1", "radius": 2}, loss={"kind": "clipped", "regularization": 1, "clip": "0.1"}
    ),
    "scaled": tables(
        mechanism={"step_size": "1/L"},
        loss={"kind": "logistic", "regularization": "0.1"},
        scaling={"kind": "psasc", "max_grad_norm": 1, "r": "0.1", "s": 1},
    ),
    "full": training({"sample_rate": None, "sampling": "full"}),
    "disjoint": training({"sample_rate": None, "sampling": "shuffled", "samples": 100, "batch_size": 10}),
    "poisson": training({"steps": 8}),
    "stages": training({"steps": 8, "noise_multiplier": 2}, stages=[{"noise_multiplier": "1.5", "steps": 3}]),
    "drawn": training({"steps": 8, "sampling": "without-replacement", "samples": 1000}),
    "cut": training({"steps": 8, "samples": 1000, "max_batch_size": 200}),
    "group": training({"steps": 8, "noise_multiplier": 4}, threat={"group_size": 2}),
    "automatic": training({"kind": "auto-s", "steps": 8}, scaling={"kind": "auto-s", "max_grad_norm": 1, "r": "0.1"}),
}
NUMBERS = ["0", "-1", "1", "2", "3", "1/3", "0.1", "1e-5", "1e5", "1e30", "1e-30", "1e390", "1e-390", "1e401", "-1/7"]
WHOLES = [0, -1, 1, 2, 3, 7, 12, 10**6, 10**9, 10**15, 10**18, 10**400, HUGE]
ODD = ["", "x", "nan", "inf", "1/0", "1/L", "1/n", "poisson", "secret", "α", "1e", "0x10", "9" * 401, True, False, None]
KINDS = ["pnsgd", "dp-sgd", "logistic", "huber", "constants", "clipped", "softmax", "clip", "psac", "all", "stationary"]
scalars = st.one_of(*map(st.sampled_from, (NUMBERS, WHOLES, ODD, KINDS)))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["kind", "x"]), inner)),
    max_leaves=4,
)
KEYS = [
    "samples", "batch_size", "epochs", "unlearning_epochs", "noise_std", "step_size", "radius", "initial_distance",
    "batch_order", "remainder", "kind", "regularization", "clip", "feature_norm", "smoothness", "gradient_bound",
    "sizes", "epsilon", "delta", "neighbours", "reference", "release", "noise_multiplier", "sample_rate", "steps",
    "sampling", "max_batch_size", "normaliser", "max_grad_norm", "r", "s", "misspelt",
]  # fmt: skip
NAMES = ["mechanism", "loss", "target", "threat", "requests", "scaling", "momentum", "stages", "releases", "attest"]


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A valid run of which up to three keys or tables were changed, taken away or added."""
    seed = SMALL[draw(st.sampled_from(sorted(SMALL)))]
    run = {name: dict(table) if isinstance(table, dict) else table for name, table in seed.items()}
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from([*run, *NAMES]))
        if draw(st.integers(0, 9)) == 0:
            run[name] = draw(values)
            continue
        if not isinstance(table := run.setdefault(name, {}), dict):
            continue
        own = [key for key in table if key in KEYS]
        key = draw(st.sampled_from([*own * 4, *KEYS]))
        if draw(st.integers(0, 7)) == 0:
            table.pop(key, None)
        else:
            table[key] = draw(values)
    return run


def toml(value: Any) -> str:
    """Nested values as TOML; null, which it has not, as an empty table."""
    match value:
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case _ if value == HUGE:
            return HUGE
        case None:
            return "{}"
    return json.dumps(value, ensure_ascii=False)


def as_text(run: dict[str, Any]) -> str:
    return "".join(f"{name} = {toml(table)}\n" for name, table in run.items())


def check(run: dict[str, Any], command: str, folder: Path) -> None:
    path = written(as_text(run), folder)
    options = ("--batch-sizes", "4", "--unlearning-epochs", "1") if command == "plan" else ()
    outcome = sound(plumbline(command, path, *options))
    if command == "certify" and outcome.code in (0, 1):
        certified = plumbline("certify", path, "-o", folder / "out")
        assert certified.code == outcome.code
        assert plumbline("verify", folder / "out" / "certificate.json").code in (outcome.code, 0, 3)
        assert plumbline("report", folder / "out" / "certificate.json", "-o", folder / "out" / "r.md").code in (0, 3)


FUZZ = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]}


@settings(max_examples=60, **FUZZ)
@given(run=mutated(), command=st.sampled_from(COMMANDS))
def test_any_run_file_is_answered_or_refused(run: dict[str, Any], command: str, tmp_path: Path) -> None:
    check(run, command, tmp_path)


@pytest.mark.slow
@settings(max_examples=3000, **FUZZ)
@given(run=mutated(), command=st.sampled_from(COMMANDS))
def test_any_run_file_is_answered_or_refused_at_length(run: dict[str, Any], command: str, tmp_path: Path) -> None:
    check(run, command, tmp_path)
