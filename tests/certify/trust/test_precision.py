"""`finite_precision` of a certificate: what is written follows, and what T28 does not cover is left out."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import pytest

from certify import checker
from certify.report.hazards import warnings
from certify.report.reading import read
from certify.report.sections.precision import finite_precision as reported
from certify.results.certify import certify
from certify.trust.certificate import certificate_bytes
from certify.trust.execution import make_execution
from certify.trust.precision import finite_precision

ROUNDING = {
    "parameter_norm": "3.5", "failure": repr(2.0**-40), "step_error": "1e-13", "accumulated_error": "1e-11",
    "charge": "1e-10", "grid": "0.00390625", "noise_coupled_within": repr(2.0**-44),
    "noise_not_coupled": repr(2.0**-74),
}  # fmt: skip
PHASE = {
    "epochs": 4, "steps": 12, "erased": 0, "device": "cpu", "device_name": "any", "versions": {"python": "3.11"},
    "started": "2026-11-20T10:00:00Z", "finished": "2026-11-20T10:30:00Z", "kind": "learn", "dimension": 5,
    "rounding": ROUNDING,
}  # fmt: skip
DIGESTS = {"model": "a" * 64, "run_record": "b" * 64}
LOGISTIC = 'kind = "logistic"\nregularization = "0.02"\nfeature_norm = 1\nclip = 1'
CLIPPED = 'kind = "clipped"\nregularization = "0.02"\nclip = 1'


def result(folder: Path, release: str = "final", loss: str = LOGISTIC) -> Any:
    run = folder / "run.toml"
    run.write_text(
        '[mechanism]\nkind = "pnsgd"\nsamples = 30\nbatch_size = 10\nepochs = 4\nunlearning_epochs = [1]\n'
        f'noise_std = "1"\nstep_size = "1"\n[loss]\n{loss}\n[requests]\nsizes = [1]\n'
        f'[target]\nepsilon = "9"\ndelta = "0.00001"\n[threat]\nrelease = "{release}"\n'
    )
    return certify(run)


def record(**changes: Any) -> dict[str, Any]:
    """A public run record of learning alone."""
    phase = deepcopy(PHASE)
    phase["rounding"] |= changes.pop("rounding", {})
    return {"phases": [phase | changes], "reproducible": False, "dataset": "digits", "order": "given"}


@pytest.mark.parametrize("release", ["final", "all"])
def test_what_is_written_follows(tmp_path: Path, release: str) -> None:
    certified = result(tmp_path, release)
    execution = make_execution(record(), (), result=certified)
    stated = execution["finite_precision"]
    assert stated["dimension"] == "5" and F(stated["failure"]) >= F(1, 2**40) and F(stated["grid"]) == F(1, 256)
    executed = stated["executed"]
    assert F(executed["mu"]) > F(certified.mu["upper"]) and F(executed["epsilon"]) > F(certified.epsilon["upper"])
    report = checker.verify(certificate_bytes(certified, execution=execution, subjects=DIGESTS))
    assert report.exit_code == 0
    assert any(f"its rounding counted, has epsilon <= {executed['epsilon']}" in note for note in report.notes)


def test_an_executed_epsilon_above_the_target_is_said(tmp_path: Path) -> None:
    certified = result(tmp_path)
    execution = make_execution(record(rounding={"step_error": "0.0001"}, dimension=100), (), result=certified)
    assert F(execution["finite_precision"]["executed"]["epsilon"]) > 9
    report = checker.verify(certificate_bytes(certified, execution=execution, subjects=DIGESTS))
    assert report.exit_code == 0  # the claim is that of the exact run
    assert any("above the target 9" in note for note in report.notes)


@pytest.mark.parametrize(
    "changes",
    [
        {"rounding": {"grid": None}},
        {"rounding": {"grid": "0.001953125"}},
        {"rounding": {"step_error": "inf"}},
        {"rounding": {"step_error": "0.001"}},
        {"rounding": {"noise_not_coupled": None}},
    ],
)
def test_nothing_is_said_without_its_numbers(tmp_path: Path, changes: dict[str, Any]) -> None:
    execution = make_execution(record(**changes), (), result=result(tmp_path))
    assert "finite_precision" not in execution


def test_nothing_is_said_of_what_the_theorem_does_not_cover(tmp_path: Path) -> None:
    assert finite_precision(result(tmp_path, "all"), record(), 1) is None  # several models were seen
    assert finite_precision(result(tmp_path), record() | {"reproducible": True}, 0) is None
    assert finite_precision(result(tmp_path, loss=CLIPPED), record(), 0) is None
    older = record()
    del older["phases"][0]["rounding"]
    assert finite_precision(result(tmp_path), older, 0) is None
    assert finite_precision(result(tmp_path), record(), 0) is not None


def report_of(certified: Any, execution: Any) -> tuple[str, set[str]]:
    """What a report says of the rounding, and the titles of its warnings."""
    reading = read(certificate_bytes(certified, execution=execution, subjects=DIGESTS))
    return repr(list(reported(reading))), {caution.title for caution in warnings(reading, datetime.now(UTC).date())}


def test_the_report_says_it_in_words_and_warns_where_the_target_is_missed(tmp_path: Path) -> None:
    certified, missed = result(tmp_path), "The run as executed is not shown to meet the target"
    execution = make_execution(record(), (), result=certified)
    text, titles = report_of(certified, execution)
    assert all(execution["finite_precision"]["executed"][key] in text for key in ("mu", "gamma", "t", "epsilon"))
    assert "ABOVE THE TARGET" not in text and missed not in titles
    for coarse in ({"step_error": "0.0001"}, {"failure": "0.001"}):
        execution = make_execution(record(rounding=coarse, dimension=100), (), result=certified)
        text, titles = report_of(certified, execution)
        assert ("ABOVE THE TARGET" in text) is ("step_error" in coarse) and missed in titles
    text, titles = report_of(certified, make_execution(record(rounding={"grid": None}), (), result=certified))
    assert "the run record holds no bound of the errors" in text and missed not in titles
    clipped = result(tmp_path, loss=CLIPPED)
    text, _ = report_of(clipped, make_execution(record(), (), result=clipped))
    assert "no known Lipschitz constant" in text
