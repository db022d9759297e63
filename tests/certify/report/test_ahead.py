"""What `certify` prints is what the report of its certificate will warn of."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from certify import certify
from certify.report.ahead import as_text, warnings_ahead
from certify.report.hazards import warnings
from certify.report.reading import read
from certify.trust.certificate import write_certificate
from tests.certify.runs import plumbline, tables, training

NO = {"text": "no, they were chosen by looking", "by": "somebody", "date": "2026-01-01"}
RUNS: dict[str, Any] = {
    "large": tables(target={"epsilon": 50, "delta": "1/n"}, mechanism={"noise_std": "0.05"}),
    "missed": tables(target={"epsilon": "0.001"}),
    "tuned": tables() | {"attest": {"answers": {"tuning": {"text": "yes, by cross-validation"} | NO}}},
    "denied": tables() | {"attest": {"answers": {"earlier_models": NO, "saved_state": NO}}},
    "training": training({"sampling": "full", "sample_rate": None, "steps": 1, "noise_multiplier": 9}),
}


@pytest.mark.parametrize("name", RUNS)
def test_warnings_ahead_are_those_of_the_report(name: str, tmp_path: Path) -> None:
    result, today = certify(RUNS[name]), datetime.now(UTC).date()
    path = write_certificate(result, tmp_path)
    expected = [warning for warning in warnings(read(path.read_bytes()), today) if warning.id != "unsigned"]
    assert list(warnings_ahead(result, today)) == expected


def test_certify_prints_them() -> None:
    done = plumbline("certify", "examples/mnist.toml")
    found = warnings_ahead(certify("examples/mnist.toml"), datetime.now(UTC).date())
    assert [warning.id for warning in found] == ["delta_above_square", "delta_large"]
    for warning in found:
        assert f"  {warning.title}: {as_text(warning.line)}\n" in done.out
