"""docs/other-accountants.md says what the readers do."""

from __future__ import annotations

import re
import shlex

from certify.results.peers.rows import NAMES
from tests.certify.runs import ROOT, plumbline

PAGE = (ROOT / "docs/other-accountants.md").read_text(encoding="utf-8")


def test_its_commands_work(monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    commands = re.findall(r"^plumbline (.+)$", PAGE, flags=re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        assert plumbline(*shlex.split(command)).code == 0


def test_its_python_works(capsys) -> None:
    (code,) = re.findall(r"```python\nimport certify\n(.+?)```", PAGE, flags=re.DOTALL)
    exec("import certify\n" + code, {})
    assert capsys.readouterr().out.startswith("HOLDS 1.82")


def test_its_columns_are_those_that_are_read() -> None:
    rows = dict(re.findall(r"^\| (noise multiplier|sample rate|steps) \| (.+) \|$", PAGE, flags=re.MULTILINE))
    for column, names in NAMES.items():
        shown = re.findall(r"`([^`]+)`", rows[column.replace("_", " ")])
        assert shown == [name.replace(" ", "_") for name in names]
