"""Every command of the README is executed; so is its Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
COMMANDS = [line for language, block in BLOCKS if language == "sh" for line in block.splitlines() if line]
MAKE = [command for command in COMMANDS if command.startswith("make ")]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the README's commands see of the repository, in a folder of its own."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "examples", folder / "examples")
    (folder / "certify").mkdir()
    shutil.copy(ROOT / "certify" / "checker.py", folder / "certify")
    return folder


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_two_commands_are_what_ci_runs() -> None:
    assert sorted(MAKE) == ["make certify", "make test"]
    ci = (ROOT / ".ci" / "run").read_text()
    assert all(re.search(rf"^{command}$", ci, flags=re.MULTILINE) for command in MAKE)


def test_there_are_commands() -> None:
    assert len(COMMANDS) - len(MAKE) >= 8


# One test, in the README's order: later commands read what earlier ones wrote.
def test_every_other_command_works(checkout: Path) -> None:
    for command in COMMANDS:
        if command not in MAKE:
            done = run(command, checkout)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
            assert done.stdout.strip(), command


def test_shown_output_is_what_is_printed(checkout: Path) -> None:
    printed = "".join(run(f"plumbline {c} examples/mnist.toml", checkout).stdout for c in ("certify", "compare"))
    shown = [line for language, block in BLOCKS if not language for line in block.splitlines()]
    assert len(shown) > 10
    for line in shown:
        assert line.strip() in ("", "…") or line in printed


def test_python_block_runs(tmp_path: Path) -> None:
    (code,) = (block for language, block in BLOCKS if language == "python")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "CERTIFIED"


def test_links_point_to_files() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_commands_in_the_table_exist() -> None:
    from certify.cli import main

    for name in re.findall(r"^\| `plumbline (\w+)", README, flags=re.MULTILINE):
        with pytest.raises(SystemExit) as stopped:
            main([name, "--help"])
        assert stopped.value.code == 0
