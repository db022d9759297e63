"""Execute the notebooks in place, so that what is read here is what the code says today.

python notebooks/run.py [NAME …]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
TIMEOUT = 600  # seconds a cell


def executed(path: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs, run from its own folder. Raises CellExecutionError where a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=TIMEOUT, resources=where).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran: that changes with every run
    # Which Python it was, to the last digit, is nobody's business either.
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="numbers or names of notebooks (default: all)")
    wanted = parser.parse_args().names
    for path in sorted(HERE.glob("*.ipynb")):
        if not wanted or any(path.name.startswith(name) for name in wanted):
            nbformat.write(executed(path), path)
            print(f"ran {path.name}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
