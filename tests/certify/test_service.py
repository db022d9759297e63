"""Certify, then run, then record; and the main job from its own command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.learn

from certify import UsageError, read_run, verify  # noqa: E402
from certify.service import NotCertified, execute  # noqa: E402
from learners import Dataset, accuracy, embedded  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "examples" / "digits.toml"


def test_what_is_executed_is_what_was_certified(tmp_path: Path) -> None:
    train, test = embedded("digits-3-8")
    told: list[tuple[str, int, int]] = []
    done = execute(DIGITS, train, [[7]], tmp_path / "out", seed=3, progress=lambda *step: told.append(step))
    assert verify(done.certificate, run=DIGITS).verified
    record = json.loads(done.record.read_text())
    assert record["mechanism_digest"] == done.result.digest == read_run(DIGITS).digest
    assert [(phase["kind"], phase["steps"]) for phase in record["phases"]] == [("learn", 40), ("unlearn", 4)]
    released = np.load(done.model, allow_pickle=False)
    assert np.array_equal(released, done.unlearned.parameters.numpy())
    assert accuracy(done.unlearned.parameters, test) > 0.85 and accuracy(done.retrained.parameters, test) > 0.85
    assert {what for what, _, _ in told} == {"learn", "unlearn request 1", "retrain"}
    assert "fingerprint" not in done.record.read_text()  # it would show the data before and after


def test_a_run_that_misses_its_target_is_not_executed(tmp_path: Path) -> None:
    train, _ = embedded("digits-3-8")
    weak = read_run(DIGITS).with_values(noise_std="0.001")
    with pytest.raises(NotCertified, match="NOT_CERTIFIED: ε ≤ "):
        execute(weak, train, [[7]], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("requests", [[[7, 8]], [[7], [8]], [[999]]])
def test_requests_that_were_not_certified_are_refused(requests: list[list[int]], tmp_path: Path) -> None:
    train, _ = embedded("digits-3-8")
    with pytest.raises(UsageError) as refused:
        execute(DIGITS, train, requests, tmp_path / "out")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_features_beyond_the_stated_norm_are_refused(tmp_path: Path) -> None:
    train, _ = embedded("digits-3-8")
    small = read_run(DIGITS)
    tables = {name: dict(table) for name, table in small.canonical.items() if table is not None}
    tables["loss"]["feature_norm"] = "1/2"
    tables["mechanism"]["noise_std"] = "1"
    with pytest.raises(UsageError, match="norm"):
        execute(read_run(tables), Dataset(train.name, train.features, train.labels), [[7]], tmp_path / "out")


def test_the_main_job_writes_what_it_names(tmp_path: Path) -> None:
    job = [sys.executable, str(ROOT / "examples" / "walkthrough.py"), "--output", str(tmp_path), "--seed", "1"]
    done = subprocess.run(job, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    named = [Path(line.strip()) for line in done.stdout.splitlines() if line.startswith(f"   {tmp_path}")]
    assert len(named) == 5 and all(path.stat().st_size > 100 for path in named)
    assert "retrained without it" in done.stdout and "Chien et al. 2024, finite T" in done.stdout
    assert "8 expiry" in done.stdout


def test_the_main_job_refuses_an_output_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    job = [sys.executable, str(ROOT / "examples" / "walkthrough.py"), "--output", str(tmp_path / "file")]
    done = subprocess.run(job, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
