"""The Python of docs/training.md is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.learn

ROOT = Path(__file__).resolve().parents[3]


def test_the_ten_lines_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 1
    exec(compile(blocks[0], "docs/training.md", "exec"), {})
    assert (tmp_path / "trained/certificate.json").exists()
    assert f"```\n{capsys.readouterr().out}```" in page
