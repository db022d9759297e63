"""kill -9 at any instruction: nothing is lost, and nothing is counted twice (crashing.py says what is looked at)."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.certify.runs import ROOT


def points(seed: int, lines: int, times: int) -> list[str]:
    """Shares of a request's lines, and of the time that it takes."""
    drawn = random.Random(seed)
    shares = [f"line:{drawn.random():.6f}" for _ in range(lines)]
    return shares + [f"time:{drawn.random():.6f}" for _ in range(times)]


def crash(where: str, tmp_path: Path, *drawn: str, seconds: float = 300) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.certify.ledger.crashing", where, str(tmp_path), *drawn]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_twenty_points_on_sqlite(tmp_path: Path) -> None:
    assert crash("sqlite", tmp_path, *points(12, 14, 6))["killed"] >= 14


def test_ten_points_on_postgresql(postgresql: str, tmp_path: Path) -> None:
    assert crash(postgresql, tmp_path, *points(13, 7, 3))["killed"] >= 7


@pytest.mark.slow
def test_every_line(where: str, tmp_path: Path) -> None:
    """Of the first request, which on SQLite makes the ledger, and of the second."""
    found = crash(where if "://" in where else "sqlite", tmp_path, "all", seconds=3600)
    assert found["killed"] == sum(found["lines"]) > 500, found


@pytest.mark.slow
def test_two_hundred_moments(where: str, tmp_path: Path) -> None:
    drawn = points(14, 0, 200)
    assert crash(where if "://" in where else "sqlite", tmp_path, *drawn, seconds=3600)["killed"] > 100
