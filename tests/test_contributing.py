"""CONTRIBUTING.md's steps for a new theorem, followed in a copy of the project: they are all that it takes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("accountant", "certify", "docs", "examples", "findings", "hooks", "learners", "notebooks", "tests")
BLOCK = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What looks at a new theorem before anybody uses it. Of the long files, the tests of the tables.
TABLES = ("tests/test_theorem_facts.py", "tests/test_theory_page.py", "tests/test_docs_fresh.py")
KERNEL = "tests/accountant/core/test_kernel.py"
VECTORS = "tests/accountant/theorems/test_reject_vectors.py"
ABOUT = "table or T90 or weaker or imports"


def put_before(path: Path, line: str, text: str) -> None:
    """`text` before the one place where `line` stands."""
    content = path.read_text(encoding="utf-8")
    assert content.count(line) == 1, (path, line)
    path.write_text(content.replace(line, text + line), encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy with the example of CONTRIBUTING.md in it, step by step."""
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__", "accept", ".*")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".git":
            shutil.copy(path, tmp_path)
    blocks = dict(BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    page = tmp_path / "docs/theory.md"
    put_before(page, "## 4. Conversions, secret orders, range before noise\n", blocks.pop("docs/theory.md") + "\n")
    put_before(page, "\n* [4. Conversions", ",\n  [T90](#t90-a-weaker-bound)")
    for name, content in blocks.items():
        assert not (tmp_path / name).exists()
        (tmp_path / name).write_text(content, encoding="utf-8")
    package = tmp_path / "accountant/theorems/__init__.py"
    put_before(package, "from accountant.theorems.witnesses", "from accountant.theorems.weaker import weaker_bound\n")
    put_before(package, '    "wasserstein_tracking",\n]', '    "weaker_bound",\n')
    assert python(tmp_path, "docs/generate.py").returncode == 0
    return tmp_path


def python(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, env={"PYTHONPATH": "."})


def tables(project: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return python(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *more)


def test_the_steps_are_complete(project: Path) -> None:
    done = tables(project, *TABLES, KERNEL, VECTORS, "tests/accountant/theorems/test_weaker.py", "-k", ABOUT)
    assert done.returncode == 0, done.stdout
    assert "T90" in (project / "THEOREMS.md").read_text(encoding="utf-8")


LEFT_OUT = {
    "a formula that nobody wrote": ("formula=None", 'formula="weaker"', "every_table_has_what_a_theorem_names[T90]"),
    "a statement that the checker does not read": ("FORM, None", "FORM, States.MU", "a_certificate_states_what_the_"),
    "a picture that nobody draws": (
        "profile=None",
        "profile=Profile.CURVED",
        "every_table_has_what_a_theorem_names[T90]",
    ),
}


def test_what_is_left_out_is_named(project: Path) -> None:
    path = project / "accountant/theorems/weaker.py"
    whole = path.read_text(encoding="utf-8").replace("Facts, Family\n", "Facts, Family, Profile, States\n")
    for old, new, test in LEFT_OUT.values():
        assert old in whole
        path.write_text(whole.replace(old, new), encoding="utf-8")
        done = tables(project, "tests/test_theorem_facts.py", "-k", "T90 or checker")
        assert done.returncode == 1 and f"FAILED tests/test_theorem_facts.py::test_{test}" in done.stdout, done.stdout
    path.write_text(whole.replace(", label=None", ""), encoding="utf-8")
    done = python(project, "-c", "import accountant.theorems")
    assert done.returncode == 1 and "missing 1 required keyword-only argument: 'label'" in done.stderr
