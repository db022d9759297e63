"""The notebooks run from top to bottom, at small size, and what is committed shows its outputs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
ALL = sorted(NOTEBOOKS.glob("*.ipynb"))


def _runner():
    spec = importlib.util.spec_from_file_location("notebooks_run", NOTEBOOKS / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_six() -> None:
    assert [path.name[:2] for path in ALL] == ["01", "02", "03", "04", "05", "06"]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_it_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if path.name.startswith(("05", "06")):  # nothing but runs of the learners
        pytest.importorskip("torch")
    monkeypatch.setenv("PLUMBLINE_SMALL", "1")
    ran = _runner().executed(path)
    code = [cell for cell in ran.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert not [o for cell in code for o in cell.outputs if o.output_type == "error"]
    assert [o for cell in code for o in cell.outputs if o.output_type == "stream" and o.name == "stdout"]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_what_is_committed_can_be_read(path: Path) -> None:
    """Outputs are there, every figure has a caption, and links between notebooks lead somewhere."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = notebook.cells
    assert cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")
    for i, cell in enumerate(cells):
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            assert cells[i + 1].cell_type == "markdown" and cells[i + 1].source.startswith("*Figure")
    assert all(
        cell.outputs or cell.source.startswith(("def ", "import ", "from "))
        for cell in cells
        if "show()" in cell.source
    )
    text = "\n".join(cell.source for cell in cells)
    for target in (part.split(")")[0] for part in text.split("](")[1:]):
        assert target.startswith("https://") or (NOTEBOOKS / target).exists(), target
