"""kill -9 at any instruction: nothing is lost, and nothing is counted twice (crashing.py says what is looked at)."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.certify.runs import ROOT


def points(seed: int, lines: int, times: int) -> list[str]:
    """Shares of a request's lines, and of the time that it takes."""
    drawn = random.Random(seed)
    shares = [f"share:{drawn.random():.6f}" for _ in range(lines)]
    return shares + [f"time:{drawn.random():.6f}" for _ in range(times)]


def crash(where: str, tmp_path: Path, *drawn: str) -> dict[str, int]:
    folder = tmp_path / "state"
    folder.mkdir()
    command = [sys.executable, "-m", "tests.certify.ledger.crashing", where, str(folder), *drawn]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_twenty_points_on_sqlite(tmp_path: Path) -> None:
    found = crash(str(tmp_path / "ledger.sqlite"), tmp_path, *points(12, 14, 6))
    assert found["points"] == 20 and found["killed"] >= 15, found


def test_ten_points_on_postgresql(postgresql: str, tmp_path: Path) -> None:
    found = crash(postgresql, tmp_path, *points(13, 7, 3))
    assert found["points"] == 10 and found["killed"] >= 7, found


@pytest.mark.slow
def test_every_line(where: str, tmp_path: Path) -> None:
    found = crash(where, tmp_path, "all")
    assert found["killed"] == found["points"] == found["lines"] > 200, found


@pytest.mark.slow
def test_two_hundred_moments(where: str, tmp_path: Path) -> None:
    assert crash(where, tmp_path, *points(14, 0, 200))["killed"] > 100
