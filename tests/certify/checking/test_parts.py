"""The checker's parts, and the file that is assembled of them."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from certify import checker
from certify.checking import assemble

ROOT = Path(__file__).parents[3]
OUTSIDE = {"cryptography"}  # signatures, where it is installed
VECTOR = ROOT / "tests" / "vectors" / "accept" / "curved_mnist.json"
LONGEST = 320  # lines: an evening's reading


def tree_of(part: str) -> ast.Module:
    return ast.parse(assemble.path_of(part).read_text("utf-8"))


def defined_in(tree: ast.Module) -> list[str]:
    """The names that a module's statements bind, imports aside, as often as they do."""
    names: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)]
    return names


def imports_of(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module and all(alias.asname is None for alias in node.names)
            found.add(node.module)
    return found


def test_the_file_is_fresh() -> None:
    assert Path(checker.__file__).read_text("utf-8") == assemble.assembled(), "run `python docs/generate.py`"


def test_a_part_begins_with_its_title_and_has_no_gap_after_the_docstring_of_a_class() -> None:
    title, *others = assemble.banner("Numbers.\n\nAll of them.").split("\n")
    assert title.startswith("# --- Numbers. ---") and len(title) == assemble.WIDTH and others == ["# All of them."]
    source = 'class A:\n    """One."""\n\n    x = 1\n\n\nclass B(A):\n    """Two."""\n\n\ny = """A\n\nB"""\n'
    assert assemble.without_gaps(source) == source.replace('"""One."""\n\n', '"""One."""\n')
    assert ast.dump(ast.parse(assemble.without_gaps(source))) == ast.dump(ast.parse(source))


def test_every_part_is_there_once() -> None:
    files = {str(path.relative_to(assemble.FOLDER).with_suffix("")) for path in assemble.FOLDER.rglob("*.py")}
    assert {f for f in files if not f.endswith("__init__")} - {"assemble"} == set(assemble.PARTS)
    assert len(set(assemble.PARTS)) == len(assemble.PARTS)


def test_names_are_unique_across_parts() -> None:
    """Also those imported: what a part calls `x` is what every part calls `x`."""
    names = [name for part in assemble.PARTS for name in dict.fromkeys(defined_in(tree_of(part)))]
    twice = sorted({name for name in names if names.count(name) > 1})
    outer = {name or module for part in assemble.PARTS for module, name in assemble.imported_by(tree_of(part))
             if not assemble.is_inner(module)}  # fmt: skip
    assert not twice and not outer & set(names)
    assert len(names) > 300


@pytest.mark.parametrize("part", assemble.PARTS)
def test_a_part_imports_earlier_parts_and_the_standard_library(part: str) -> None:
    earlier = assemble.PARTS[: assemble.PARTS.index(part)]
    known = {f"{assemble.PACKAGE}.{name.replace('/', '.')}" for name in earlier}
    for module in imports_of(tree_of(part)) - {"__future__"} - known:
        assert module.partition(".")[0] in sys.stdlib_module_names | OUTSIDE, f"{part} imports {module}"


@pytest.mark.parametrize("part", assemble.PARTS)
def test_a_part_is_read_in_an_evening(part: str) -> None:
    text = assemble.path_of(part).read_text("utf-8")
    assert ast.get_docstring(ast.parse(text)) and len(text.splitlines()) <= LONGEST


def test_the_parts_together_do_what_the_file_does() -> None:
    verify = importlib.import_module(f"{assemble.PACKAGE}.protocol.verification").verify
    data = VECTOR.read_bytes()
    ours, theirs = verify(data), checker.verify(data)
    assert str(ours) == str(theirs) and ours.work == theirs.work > 0


def test_the_file_runs_alone(tmp_path: Path) -> None:
    path = tmp_path / "checker.py"
    path.write_bytes(Path(checker.__file__).read_bytes())
    command = [sys.executable, "-I", "-S", str(path), str(VECTOR)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0 and "6 recomputation    ok" in done.stdout, done.stderr


def test_a_name_that_is_there_twice_is_found() -> None:
    assert defined_in(ast.parse("x = 1\ndef f(): y = 2\nclass C: pass\na, b = 1, 2\nz: int = 3\nimport os")) == [
        "x", "f", "C", "a", "b", "z"]  # fmt: skip


def test_every_rule_is_declared_before_the_shapes_that_name_them() -> None:
    """In the parts as in the file, though some parts are imported for their rules alone."""
    code = "import certify.checking.format.statements, certify.checking.rules as r; print(*sorted(r.RULES))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == sorted(checker.RULES) and len(checker.RULES) > 40


def test_no_id_and_no_name_is_declared_twice() -> None:
    rules = list(checker.RULES.values())
    assert len({rule.name for rule in rules}) == len(rules)
    assert all(id == rule.id and rule.concludes for id, rule in checker.RULES.items())
    with pytest.raises(ValueError, match="T3 is declared twice"):
        checker.declare(checker.RULES["T3"])
