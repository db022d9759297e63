"""The benchmarks run, and print every row; how fast they are is no matter here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from tests.benchmarks import __main__ as benchmarks

ROOT = Path(__file__).resolve().parents[1]
ROWS = (
    "σ for (ε, 1/n)-unlearning",
    "certified ε, K",
    "float ε, 10⁹ steps",
    "certified ε, 10⁹ steps",
    "points as triples",
    "points as a grid",
    "certificate, T",
    "certificate, 3 requests",
    "unlearning epochs of 3 requests",
    "private step, b = 256",
)


def test_quick(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--json", str(tmp_path / "rows.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "rows.json").read_text())
    for start in ROWS:
        assert any(start in row["what"] for row in rows), start
    assert len(rows) >= 22
    assert all(set(row) == {"what", "ours", "against", "ratio", "aim", "met"} for row in rows)
    shown = " ".join(done.stdout.split())
    assert all(title in shown for title in ("what", "ours", "against", "ratio", "aim", "met?"))
    # What is no time is the same on every machine.
    assert all(row["met"] for row in rows if "finite T" in row["what"] or "certified ε, K" in row["what"])


def test_every_row_is_printed_and_a_missed_aim_is_shown() -> None:
    rows = [benchmarks.Row(f"row {i}", "1", "2", "3", "≥ 4", met) for i, met in enumerate((True, False, None))]
    console = Console(width=120)
    with console.capture() as captured:
        console.print(benchmarks.table(rows))
    lines = captured.get().splitlines()
    assert [line.split("│")[-2].strip() for line in lines if "row " in line] == ["yes", "no", "–"]


def test_nothing_is_written_unless_asked(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(benchmarks, "BENCHMARKS", (benchmarks.sharpness,))
    assert benchmarks.main(["--quick"]) == 0
    assert not list(tmp_path.iterdir())
