"""Every command of docs/your-own-csv.md is executed, in its order, in an empty folder."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.learn

from tests.test_readme import in_shell, in_this_process  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "your-own-csv.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*) ?([\w.]*)\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


def test_the_page_runs_as_it_stands(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    printed = ""
    for language, name, block in BLOCKS:
        if language == "toml":
            (tmp_path / name).write_text(block, encoding="utf-8")
        for command in block.splitlines() if language == "sh" else ():
            own = command.startswith("plumbline ")
            done = (in_this_process if own else in_shell)(command, tmp_path)
            assert done.code == 0, f"{command}\n{done.out}\n{done.err}"
            printed += done.out
    noise = re.search(r"`noise_std = ([\d.]+)`", PAGE)
    assert noise is not None and noise[1] in printed
    assert "certified for 5" in printed and "request 3, 1 record erased" in printed and "INTACT" in printed
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_links_point_to_files() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
