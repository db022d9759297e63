"""The Python of docs/audits.md is run, and prints what is printed there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.learn
PAGE = (Path(__file__).parents[3] / "docs" / "audits.md").read_text(encoding="utf-8")


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(code, "docs/audits.md", "exec"), {})
    assert f"```\n{capsys.readouterr().out}```" in PAGE
