"""Every command of the README is executed; so is its Python."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.certify.runs import Outcome, plumbline

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


def in_shell(command: str, folder: Path) -> Outcome:
    """By the shell, and the `plumbline` of this environment."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout, done.stderr)


def in_this_process(command: str, folder: Path) -> Outcome:
    """A `plumbline …` as the shell would split it: no second interpreter, and what is known is not computed again."""
    name, *arguments = shlex.split(command)
    assert name == "plumbline" and not set(command) & set("|&;<>$`*?~"), command
    with contextlib.chdir(folder):
        return plumbline(*arguments)


@pytest.fixture(scope="module")
def outcomes(checkout: Path) -> dict[str, Outcome]:
    """Of every command but make's, in the README's order: later ones read what earlier ones wrote. The first goes
    through the shell, so that the entry point is seen to work."""
    done: dict[str, Outcome] = {}
    for command in COMMANDS:
        if command not in MAKE:
            own = bool(done) and command.startswith("plumbline ")
            done[command] = (in_this_process if own else in_shell)(command, checkout)
    return done


def test_the_two_commands_are_what_ci_runs() -> None:
    assert sorted(MAKE) == ["make certify", "make test"]
    ci = (ROOT / ".ci" / "run").read_text()
    assert all(re.search(rf"^{command}$", ci, flags=re.MULTILINE) for command in MAKE)


def test_there_are_commands() -> None:
    assert len(COMMANDS) - len(MAKE) >= 8


def test_every_other_command_works(outcomes: dict[str, Outcome]) -> None:
    assert set(outcomes) == set(COMMANDS) - set(MAKE)
    for command, done in outcomes.items():
        assert done.code == 0, f"{command}\n{done.out}\n{done.err}"
        assert done.out.strip(), command


def test_shown_output_is_what_is_printed(outcomes: dict[str, Outcome]) -> None:
    printed = "".join(done.out for done in outcomes.values())
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
