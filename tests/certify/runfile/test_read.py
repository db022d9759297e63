"""Run files: what is refused and how, what is the same run, and what its digest covers."""

from __future__ import annotations

import copy
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from accountant.core.exact import canonical
from certify.errors import UsageError
from certify.runfile.given import as_written
from certify.runfile.pnsgd_tables import NEWER, OUTSIDE, TABLES, RequestsTable, Table, Whole
from certify.runfile.read import _plain, canonical_json, read_run
from tests.certify.runs import EXAMPLES, REJECT, constants, mnist, plumbline, refused, tables, to_toml, valid_runs

EXPECTED: dict[str, list[str]] = json.loads((REJECT / "expected.json").read_text("utf-8"))
MNIST_DIGEST = "61728fcaef6381d191d1ee3860136dc21df46cecbfefe4d762c8b09396240552"
FIRST_DIGESTS = {  # of plumbline-dp 0.1
    "attested.toml": "636afd13aefb8b22d0fc32d57f8885d481cd0369c54d7d9ed33011ccb419fceb",
    "breast_cancer.toml": "0bb0ac0ad163b0a0ff73d10cfca3dddc32d14740b40ce497661bec2bbe793154",
    "digits.toml": "d52dad0a18438030f8e8f3064747f75f8cf86da77c4c24e2009759647f354314",
    "dpsgd.toml": "62d951d0bb27d5ec5afb7e933198016b7a23f6d71f73ac2cf6bd13c420cd41c8",
    "learning.toml": "50170f6935716cfcefa984d10207106ae86b01b2b1836413aeb88a1b171c6387",
    "least_squares.toml": "9282ace90e8b41a46c15a84add396806fb69c155c8ff02cba43711da2ab63b11",
    "mnist.toml": MNIST_DIGEST,
    "network.toml": "879b149f9e2ae8ae25e8bf5dd97199d2c59c7b96dcc8a3389975bf076f84efd8",
    "psasc.toml": "cec361944bb68e574461744cb79f70137df299db0db1c4cacd599557ca5aed23",
    "scaled.toml": "58a1cd8497bead4dc37588e91c10e77218a4623c7146aa44efc9b7e40579d31a",
}

# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXPECTED)
def test_rejects(name: str, tmp_path: Path) -> None:
    line = refused(plumbline("certify", REJECT / f"{name}.toml", "-o", tmp_path / "out"))
    for part in EXPECTED[name]:
        assert part in line
    assert len(line) <= 600 and line.isprintable()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["calibrate", "compare", "explain"])
@pytest.mark.parametrize("name", EXPECTED)
def test_every_command_rejects(command: str, name: str) -> None:
    if command == "calibrate" and name == "missing_key":
        pytest.skip("noise_std may be left out when it is tuned")
    line = refused(plumbline(command, REJECT / f"{name}.toml"))
    assert EXPECTED[name][0] in line


def test_every_file_is_expected() -> None:
    assert {path.stem for path in REJECT.glob("*.toml")} == EXPECTED.keys()
    assert all(parts and all(parts) for parts in EXPECTED.values())


def test_what_the_rejected_files_were_made_from_is_accepted() -> None:
    """Each is wrong in its one way only: the run that they change passes."""
    text = (REJECT / "noise_std_zero.toml").read_text("utf-8")
    assert plumbline("certify", REJECT / "noise_std_zero.toml").code == 2
    run = tables(loss=constants(1, Decimal("0.5")), mechanism={"step_size": "1/L", "noise_std": Decimal("0.5")})
    assert "noise_std = 0\n" in text
    assert read_run(run).mechanism.step_size == 1


@pytest.mark.parametrize("name", ["noise_std_nan", "truncated"])
def test_rejects_as_a_process(name: str, tmp_path: Path) -> None:
    arguments = [
        sys.executable,
        "-m",
        "certify.cli",
        "certify",
        str(REJECT / f"{name}.toml"),
        "-o",
        str(tmp_path / "o"),
    ]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1 and EXPECTED[name][0] in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["", ".", "/nowhere/run.toml", "a\0b", "line\nbreak.toml"])
def test_unreadable_paths(path: str) -> None:
    refused(plumbline("certify", path))


def test_a_run_file_has_a_largest_size(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.write_text(to_toml(tables()) + "#" * (1 << 20))
    assert "1048576 bytes" in refused(plumbline("certify", path))


@pytest.mark.parametrize("value", [0.1, np.float64(0.1), np.float32(0.1), np.float16(0.1), np.longdouble("0.1")])
def test_a_float_is_its_shortest_decimal(value: Any) -> None:
    same = read_run(tables(mechanism={"noise_std": "0.1"}))
    assert read_run(tables(mechanism={"noise_std": value})).digest == same.digest


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_every_float_is_read_as_it_is_printed(value: float) -> None:
    assert as_written({"a": [value]}) == {"a": [Decimal(repr(value))]}
    assert float(as_written(np.float64(value))) == value


def test_numpy_integers_and_arrays_are_whole_numbers_and_lists() -> None:
    numpys = {"epochs": np.int32(7), "unlearning_epochs": np.array([1, 2])}
    same = {"epochs": 7, "unlearning_epochs": [1, 2]}
    runs = [read_run(tables(mechanism=keys, requests={"sizes": [1, 1]})) for keys in (numpys, same)]
    assert runs[0].digest == runs[1].digest


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), np.float32("-inf"), np.float64("nan"), True, np.True_, 1j]
)
def test_what_is_no_finite_number_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match=r"^target\.epsilon: "):
        read_run(tables(target={"epsilon": value}))


def test_nothing_else_is_evaluated() -> None:
    for text in ("1+1", "1e3/2", "2**3", "0x10", "1_000", "½", "1/2/3", "1 /", "e", "--1", "1,5", "1/-2"):
        with pytest.raises(UsageError, match=r"^mechanism\.noise_std: "):
            read_run(tables(mechanism={"noise_std": text}))


# --- what is the same run --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"mechanism": {"noise_std": Fraction(1, 2)}},
        {"mechanism": {"noise_std": "1/2"}},
        {"mechanism": {"noise_std": "2/4"}},
        {"mechanism": {"noise_std": Decimal("0.500")}},
        {"mechanism": {"noise_std": "5e-1"}},
        {"mechanism": {"samples": "12.0", "batch_size": Decimal("4")}},
        {"mechanism": {"unlearning_epochs": [1]}},
        {"mechanism": {"step_size": "0.50"}},
        {"mechanism": {"radius": None, "initial_distance": 0, "batch_order": "fixed", "remainder": "error"}},
        {"requests": {"sizes": [1]}},
        {"requests": {"sizes": 1}},
        {"requests": {}},
        {"target": {"delta": "1e-3"}},
        {"threat": {"neighbours": "replace-one", "reference": "retrain", "release": "final"}},
        {"threat": {"release": "final"}},
    ],
)
def test_the_same_run_has_the_same_digest(change: Any) -> None:
    assert read_run(tables(**change)).digest == read_run(tables()).digest


def test_the_order_of_keys_does_not_matter() -> None:
    turned = {name: dict(reversed(table.items())) for name, table in reversed(tables().items())}
    assert list(turned) != list(tables()) and read_run(turned).digest == read_run(tables()).digest


def test_a_tenth_is_a_tenth(tmp_path: Path) -> None:
    digests = set()
    for text in ("0.1", "0.10", "1e-1", '"1/10"', '"0.1"', '"2/20"', "1E-1", "+0.1"):
        path = tmp_path / "run.toml"
        path.write_text(to_toml(tables()).replace('noise_std = "0.5"', f"noise_std = {text}"))
        digests.add(read_run(path).digest)
    assert len(digests) == 1
    assert digests == {read_run(tables(mechanism={"noise_std": Fraction(1, 10)})).digest}


def test_one_number_of_epochs_for_all_requests() -> None:
    once = read_run(tables(mechanism={"unlearning_epochs": 2}, requests={"sizes": [1, 1]}))
    each = read_run(tables(mechanism={"unlearning_epochs": [2, 2]}, requests={"sizes": [1, 1]}))
    implied = read_run(tables(mechanism={"unlearning_epochs": [2, 2]}))
    assert once.digest == each.digest == implied.digest


@settings(max_examples=60)
@given(valid_runs())
def test_reading_is_idempotent(run: Any) -> None:
    """The canonical form reads as the same run, written as TOML or not."""
    first = read_run(run)
    again = read_run({name: table for name, table in first.canonical.items() if table is not None})
    assert again.canonical == first.canonical and again.digest == first.digest and again.mechanism == first.mechanism


def test_toml_and_mapping_agree(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(mnist()))
    assert read_run(path) == read_run(mnist()) == read_run(str(path))


# --- what the digest covers ------------------------------------------------------------------------------------------


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(value, (*path, key))
    else:
        yield path


FULL = tables(
    loss={"kind": "logistic", "regularization": "0.1", "feature_norm": 2, "clip": "0.5"},
    mechanism={"unlearning_epochs": [1, 2], "radius": 3, "initial_distance": "0.25", "step_size": "0.7"},
    requests={"sizes": [1, 2]},
    threat={"neighbours": "remove-one"},
    attest={"text": "the DPO", "date": "2026-01-01", "evidence": "0" * 64},
)
WORDS = {
    None: None,
    "fixed": None,
    "error": "drop",
    "remove-one": "replace-one",
    "the DPO": "somebody",
    "2026-01-01": "2026-01-02",
    "0" * 64: "1" * 64,
    "pnsgd": None,
    "logistic": None,
    "retrain": None,
    "final": None,
    "12": "16",  # a multiple of the batch size
    "4": "6",  # a divisor of the samples
}


def test_any_change_changes_the_digest() -> None:
    original = read_run(FULL)
    seen, changed = {original.digest}, 0
    for path in leaves(original.canonical):
        other = copy.deepcopy(dict(original.canonical))
        inner: Any = other
        for key in path[:-1]:
            inner = inner[key]
        old = inner[path[-1]]
        new = WORDS[old] if old in WORDS else canonical(Fraction(old) + (Fraction(1, 10) if "." in old else 1))
        if new is None:
            continue
        inner[path[-1]] = new
        seen.add(read_run(other).digest)
        changed += 1
    assert len(seen) == changed + 1 and changed >= 18


@settings(max_examples=40)
@given(valid_runs(requests=1))
def test_the_digest_is_that_of_the_canonical_form(run: Any) -> None:
    made = read_run(run)
    text = json.dumps(made.canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert made.digest == hashlib.sha256(text.encode()).hexdigest()
    assert canonical_json(made.canonical) == text.encode()

    def check(value: Any) -> None:
        if isinstance(value, dict):
            for item in value.values():
                check(item)
        elif isinstance(value, list):
            for item in value:
                check(item)
        else:
            assert value is None or isinstance(value, str) or value is made.canonical["loss"]["convex"]

    check(made.canonical)
    assert set(made.canonical) == set(TABLES) - {"execution", "data", "meta"}  # newer and not given; or outside
    for name, table in made.canonical.items():
        keys = [{k for k, f in model.model_fields.items() if f.json_schema_extra != NEWER} for model in TABLES[name]]
        assert table is None or set(table) in keys


def test_golden_digest() -> None:
    """Pinned: what names a run must not change from version to version."""
    assert read_run(EXAMPLES / "mnist.toml").digest == MNIST_DIGEST == read_run(mnist()).digest


@pytest.mark.parametrize(("name", "digest"), FIRST_DIGESTS.items())
def test_the_digests_of_the_first_release_stay(name: str, digest: str) -> None:
    assert read_run(EXAMPLES / name).digest == digest


class _Grown(Table):
    """A table of today's keys, with keys that came later."""

    old: Whole = Field(3)
    group_size: Whole = Field(1, json_schema_extra=NEWER)
    execution: RequestsTable | None = Field(None, json_schema_extra=NEWER)
    meta: RequestsTable | None = Field(None, json_schema_extra=OUTSIDE)


def test_newer_keys_enter_the_canonical_run_where_they_differ_from_their_default() -> None:
    assert _plain(_Grown()) == _plain(_Grown(group_size=1, execution=None)) == {"old": "3"}
    assert _plain(_Grown(group_size="2")) == {"old": "3", "group_size": "2"}
    assert _plain(_Grown(execution={"sizes": [1]})) == {"old": "3", "execution": {"sizes": ["1"]}}


def test_what_is_outside_the_canonical_run_never_enters_it() -> None:
    assert _plain(_Grown(meta={"sizes": [5]})) == {"old": "3"}


def test_canonical_form_of_the_docs() -> None:
    run = read_run(mnist(mechanism={"noise_std": "0.0041"}))
    assert run.canonical["mechanism"] == {
        "kind": "pnsgd",
        "samples": "11264",
        "batch_size": "128",
        "epochs": "100",
        "unlearning_epochs": ["1"],
        "noise_std": "0.0041",
        "step_size": "1/L",
        "radius": None,
        "initial_distance": "0",
        "batch_order": "fixed",
        "remainder": "error",
    }
    assert run.canonical["target"] == {"epsilon": "1", "delta": "1/n"}
    assert run.canonical["requests"] == {"sizes": ["1"]}
    assert run.canonical["threat"] == {"neighbours": "replace-one", "reference": "retrain", "release": "final"}
    assert run.canonical["attest"] is None
    assert run.target_delta == Fraction(1, 11264)


@pytest.mark.parametrize("value", [Fraction(1, 3), Fraction(10**399), Fraction(1, 10**397), Decimal("1e-300")])
def test_numbers_of_any_size_that_can_be_written_down(value: Any) -> None:
    assert read_run(tables(mechanism={"noise_std": value})).mechanism.noise_std == Fraction(value)


@pytest.mark.parametrize("value", [10**400, Fraction(1, 10**400), Fraction(1, 3**900), Decimal("1e-399"), 10**4000])
def test_numbers_too_long_for_a_certificate_are_refused(value: Any) -> None:
    with pytest.raises(UsageError, match=r"mechanism\.noise_std: .*400 digits"):
        read_run(tables(mechanism={"noise_std": value}))


def test_with_values_changes_the_mechanism_alone() -> None:
    run = read_run(FULL)
    changed = run.with_values(noise_std=Fraction(7, 3))
    assert changed.mechanism.noise_std == Fraction(7, 3) and changed.digest != run.digest
    assert changed.with_values(noise_std="0.5") == run
    with pytest.raises(UsageError, match=r"mechanism\.noise_std: 0 gives no privacy"):
        run.with_values(noise_std=0)
