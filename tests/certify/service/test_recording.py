"""An Opacus training, from its accountant's history to run record and certificate. Opacus's own objects are imitated
by their attributes: what is read of them is the same in Opacus 1.4 to 1.6."""

from __future__ import annotations

import base64
import json
from fractions import Fraction as F
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from certify import checker
from certify.errors import Exit, UsageError
from certify.service.recording import NOT_VOUCHED, record
from tests.certify.runs import EXAMPLES, plumbline, refused

STATE = {"history": [(1.0, 0.01, 600), (1.0, 0.01, 400)], "mechanism": "rdp"}


class Accountant:
    """As `opacus.accountants.RDPAccountant`: its history, and a state that is a copy of it."""

    def state_dict(self) -> dict[str, Any]:
        return dict(STATE)


def engine(**more: Any) -> SimpleNamespace:
    return SimpleNamespace(accountant=Accountant(), **more)


@pytest.mark.parametrize(
    "source", [STATE, Accountant(), engine(secure_mode=False)], ids=["state", "accountant", "engine"]
)
def test_a_history_is_certified(source: Any) -> None:
    done = record(source, delta="1e-5")
    assert done.exit_code == Exit.OK
    assert F(done.result.epsilon["upper"]) <= F(done.result.epsilon["target"]) < F("1.9")
    assert done.content["history"] == [{"noise_multiplier": "1", "sample_rate": "0.01", "steps": "1000"}]
    assert [entry["id"] for entry in done.content["not_vouched"]] == list(NOT_VOUCHED)
    assert done.content["run"] == done.result.digest
    assert done.text().startswith("CERTIFIED: ")


def test_files_appear_together_and_verify(tmp_path: Path) -> None:
    done = plumbline("record", EXAMPLES / "opacus.json", "--delta", "1e-5", "-o", tmp_path / "out")
    assert done.code == 0
    certificate = (tmp_path / "out/certificate.json").read_bytes()
    assert checker.verify(certificate).verdict == "CERTIFIED"
    written = json.loads((tmp_path / "out/run_record.json").read_text())
    statement = json.loads(base64.b64decode(json.loads(certificate)["payload"]))
    assert written["certificate"] == json.loads(certificate)["digest"]["sha256"]
    assert written["run"] == statement["subject"][0]["digest"]["sha256"]
    assert "execution" not in statement["predicate"]  # nobody here saw it


def test_an_epsilon_that_was_printed_is_judged() -> None:
    assert record(STATE, delta="1e-5", epsilon="1").exit_code == Exit.NOT_CERTIFIED
    assert record(STATE, delta="1e-5", epsilon=2).exit_code == Exit.OK


def test_a_rate_that_is_one_over_a_whole_number_is_that_and_not_the_double_below_it() -> None:
    done = record({"history": [[2.0, 1 / 3, 4]]}, delta="1e-5")
    assert done.content["history"][0]["sample_rate"] == "1/3"
    assert F(1 / 3) < F(1, 3)


def test_how_batches_were_drawn_may_be_said() -> None:
    shuffled = record({"history": [[5.0, 0.25, 8]]}, delta="1e-5", sampling="shuffled")
    poisson = record({"history": [[5.0, 0.25, 8]]}, delta="1e-5")
    assert F(shuffled.result.epsilon["upper"]) > F(poisson.result.epsilon["upper"])
    said = {entry["id"]: entry["text"] for entry in shuffled.content["not_vouched"]}["sampling"]
    assert said == 'that batches were drawn with sampling = "shuffled": whoever recorded it says so'


def test_a_rate_is_vouched_for_only_where_float32_uniforms_can_draw_it() -> None:
    def recorded(rate: float) -> tuple[set[str], str]:
        state = {"mechanism": "rdp", "history": [[1.0, rate, 100]]}
        done = record(state, delta="1e-5", loader=loader(rate))
        return {entry["id"] for entry in done.content["not_vouched"]}, " ".join(done.content["seen"])

    left, seen = recorded(2.0**-7)
    assert "rate" not in left and "24 bits" not in seen
    left, seen = recorded(1e-9)  # fifty times as often
    assert "rate" in left and "drawn with probability 5.960464477539063e-08, which is more than is certified" in seen


def loader(rate: float = 0.01, **more: Any) -> SimpleNamespace:
    sampler = SimpleNamespace(sample_rate=rate, num_samples=10_000)
    return SimpleNamespace(sample_rate=rate, batch_sampler=sampler, **more)


def test_what_objects_show_is_noted_and_what_contradicts_is_refused() -> None:
    optimizer = SimpleNamespace(noise_multiplier=1.0, max_grad_norm=1.5)
    done = record(engine(secure_mode=True), delta="1e-5", optimizer=optimizer, loader=loader())
    left = {entry["id"] for entry in done.content["not_vouched"]}
    assert set(NOT_VOUCHED) - left == {"generator"}
    assert any("1.5" in line for line in done.content["seen"])
    with pytest.raises(UsageError, match=r"^optimizer: its noise_multiplier is 0\.5, the history ends with 1;"):
        record(STATE, delta="1e-5", optimizer=SimpleNamespace(noise_multiplier=0.5))
    with pytest.raises(UsageError, match=r"^optimizer: has no noise_multiplier"):
        record(STATE, delta="1e-5", optimizer=object())
    with pytest.raises(UsageError, match=r"^loader: draws at 0\.02"):
        record(STATE, delta="1e-5", loader=loader(0.02))
    with pytest.raises(UsageError, match=r"^loader: its sampler NoneType draws no Poisson batches"):
        record(STATE, delta="1e-5", loader=SimpleNamespace())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"history": []}, "no .history. of"),
        ({"history": [[0, 0.1, 5]]}, "row 1: noise_multiplier"),
        ({"history": [[1.0, 1.5, 5]]}, "row 1: sample_rate"),
        (3, "^record: got a int; give a PrivacyEngine"),
        ("nowhere.json", r"^nowhere\.json: No such file"),
    ],
)
def test_what_is_no_history_is_refused(source: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        record(source, delta="1e-5")


def test_the_command_refuses_in_one_line(tmp_path: Path) -> None:
    missing = refused(plumbline("record", EXAMPLES / "opacus.json"))
    assert missing == "plumbline: --delta: is missing; no accountant's history says it"
    whole = tmp_path / "checkpoint.pt"
    whole.write_bytes(b"PK\x03\x04")
    assert "never loaded here" in refused(plumbline("record", whole, "--delta", "1e-5"))
