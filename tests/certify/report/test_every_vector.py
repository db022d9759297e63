"""A report of every certificate that verifies: whatever the checker accepts can be written up, by whomever it was
made."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from certify import checker
from certify.report import write_report

FOLDER = Path(__file__).parents[2] / "vectors" / "accept"


def predicate(path: Path) -> dict[str, Any] | None:
    statement = json.loads(base64.b64decode(json.loads(path.read_text())["payload"]))
    return statement["predicate"] if statement["predicateType"] == checker.CERTIFICATE else None


CERTIFICATES = {p.stem: found for p in sorted(FOLDER.glob("*.json")) if (found := predicate(p)) is not None}


def one_of_each() -> list[str]:
    """The first with each set of theorems, those about losses and maps aside: what a report does depends on these."""
    kinds = {
        tuple(id for id in found["theorems"] if not id.startswith(("L", "T14"))): name
        for name, found in reversed(CERTIFICATES.items())
    }
    return list(kinds.values())


def written(name: str, suffix: str, folder: Path) -> str:
    path = write_report(FOLDER / f"{name}.json", folder / f"report{suffix}")
    data = path.read_bytes()
    return data.decode() if suffix != ".pdf" else data[:5].decode()


@pytest.mark.parametrize("name", one_of_each())
def test_one_of_each_kind_has_its_report(name: str, tmp_path: Path) -> None:
    text = written(name, ".md", tmp_path)
    assert CERTIFICATES[name]["epsilon"]["upper"] in text
    assert all(id in text for id in CERTIFICATES[name]["theorems"])


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".md", ".html"])
@pytest.mark.parametrize("name", CERTIFICATES)
def test_every_accepted_certificate_has_its_report(name: str, suffix: str, tmp_path: Path) -> None:
    assert CERTIFICATES[name]["epsilon"]["upper"] in written(name, suffix, tmp_path)


@pytest.mark.parametrize("name", ["clipped"])
def test_some_as_pdf(name: str, tmp_path: Path) -> None:
    assert written(name, ".pdf", tmp_path) == "%PDF-"


@pytest.mark.slow
@pytest.mark.parametrize("name", CERTIFICATES)
def test_all_as_pdf(name: str, tmp_path: Path) -> None:
    assert written(name, ".pdf", tmp_path) == "%PDF-"
