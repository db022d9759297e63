"""The checker's file as a command: alone, in an empty directory, with nothing but the standard library."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from certify import checker
from tests.certify.checking.cases import ACCEPT, VECTORS


def run_alone(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "checker.py", *arguments]
    # -S: not even site-packages
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_runs_alone_in_an_empty_directory(tmp_path: Path) -> None:
    shutil.copy(checker.__file__, tmp_path / "checker.py")
    shutil.copy(VECTORS / "accept/mnist_unlearning_b128.json", tmp_path / "good.json")
    shutil.copy(VECTORS / "reject/certificates/epsilon_understated.json", tmp_path / "bad.json")
    good = run_alone(tmp_path, "good.json")
    assert (good.returncode, good.stderr) == (0, "")
    assert "0.0779602571713" in good.stdout
    bad = run_alone(tmp_path, "bad.json")
    assert bad.returncode == 1 and "6 recomputation    FAILED" in bad.stdout and len(bad.stderr.splitlines()) == 1


def test_a_closed_pipe_is_no_success(tmp_path: Path) -> None:
    shutil.copy(VECTORS / "accept/mnist_unlearning_b128.json", tmp_path / "good.json")
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-I", "-S", checker.__file__, "good.json"]
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 70 and done.stderr == "checker: the report could not be written\n"


def test_imports_only_the_standard_library() -> None:
    tree = ast.parse(Path(checker.__file__).read_text("utf-8"))

    def imported(root: ast.AST) -> set[str]:
        nodes = list(ast.walk(root))
        assert not [node for node in nodes if isinstance(node, ast.ImportFrom) and node.level]
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        return {name.split(".")[0] for name in names}

    (reads,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "read_keys"]
    tree.body.remove(reads)
    assert imported(tree) <= sys.stdlib_module_names
    assert imported(reads) == {"cryptography"}  # only where keys are given


# A grid, and about where a ratio takes a value; the rest helps them.
CHOOSES = {"plain_grid", "places"} | {"log_of", "loss_window", "added_variance"}


def test_floats_choose_grids_and_nothing_else() -> None:
    tree = ast.parse(Path(checker.__file__).read_text("utf-8"))
    for node in ast.walk(tree):  # functions, and methods of classes
        if isinstance(node, ast.Module | ast.ClassDef):
            node.body = [part for part in node.body if not (isinstance(part, ast.FunctionDef) and part.name in CHOOSES)]
    exact = {"floor", "ceil", "isqrt", "comb"}  # of rationals and integers
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float))
        assert not (isinstance(node, ast.Name) and node.id == "float")
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "math":
            assert node.attr in exact, node.attr
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    called = {f.id if isinstance(f, ast.Name) else f.attr for f in functions if isinstance(f, ast.Name | ast.Attribute)}
    # On any grid, and with any line, masses are rounded the safe way.
    assert called & CHOOSES == {"plain_grid", "places"}


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--what"], ["missing.json"], ["."], ["x", "--digest"], ["\0"]])
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert checker.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1


def test_digest_option(capsys: pytest.CaptureFixture[str]) -> None:
    path = VECTORS / "accept/mnist_learning.json"
    digest = checker.verify(path.read_bytes()).digest
    assert checker.main([str(path), "--digest", digest]) == 0
    assert checker.main(["--digest", "0" * 64, str(path)]) == 4
    assert checker.main([str(path), "--digest", "beef"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_too_large_is_malformed() -> None:
    with pytest.raises(checker.Malformed, match="bytes"):
        checker.verify(b" " * (checker.MAX_BYTES + 1))


def test_internal_error_is_70(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(checker, "recompute", lambda *_: 1 // 0)
    assert checker.main([str(ACCEPT[0])]) == 70
    assert "internal error" in capsys.readouterr().err
