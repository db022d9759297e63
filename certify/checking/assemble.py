"""Write the parts as one file, certify/checker.py, that can be copied alone to another machine.

`make docs` does it, through docs/generate.py. The parts come in the order of `PARTS`, each under its docstring; a part
imports from earlier parts and from the standard library, and no two parts define the same name, so that in one file
every name means what it means in its part.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
PACKAGE = "certify.checking"
WIDTH = 119
PARTS = (
    "limits",
    "work",
    "numbers/intervals",
    "numbers/exact",
    "numbers/powers",
    "numbers/elementary",
    "numbers/fixed",
    "reading",
    "rules",
    "descent/losses",
    "descent/scaling",
    "descent/steps",
    "descent/timeline",
    "descent/distance",
    "descent/strings",
    "descent/gauges",
    "descent/privacy",
    "descent/secret",
    "descent/ranges",
    "descent/witnesses",
    "sampled/schedule",
    "sampled/moments",
    "sampled/mixtures",
    "sampled/distributions",
    "sampled/below",
    "sampled/composition",
    "sampled/grids",
    "sampled/claims",
    "format/assumptions",
    "format/data",
    "format/shapes",
    "format/statements",
    "format/rounding",
    "format/run",
    "format/training",
    "format/precision",
    "format/sums",
    "format/executed",
    "protocol/report",
    "protocol/signatures",
    "protocol/arguments",
    "protocol/training_arguments",
    "protocol/recomputation",
    "protocol/displayed",
    "protocol/figures",
    "protocol/verdicts",
    "protocol/verification",
    "protocol/command",
)
NOTICE = "# Written from certify/checking/ by docs/generate.py: edit the parts, then run `python docs/generate.py`."
FUTURE = "from __future__ import annotations"


def path_of(part: str) -> Path:
    return FOLDER / f"{part}.py"


def is_inner(module: str) -> bool:
    return module.startswith(f"{PACKAGE}.")


def imported_by(tree: ast.Module) -> Iterator[tuple[str, str | None]]:
    """(module, name) of what a part imports at its head; no name: the module itself."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)


def code_of(source: str, tree: ast.Module) -> str:
    """What comes after a part's docstring and imports, comments included."""
    last = max(node.end_lineno or 0 for node in tree.body[:1] + [n for n in tree.body if is_import(n)])
    return "\n".join(source.split("\n")[last:]).strip("\n")


def is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def banner(docstring: str) -> str:
    """A docstring as a comment: its first line within a rule, the others beneath."""
    title, *others = (line for line in docstring.split("\n") if line)
    return "\n".join([f"# --- {title} ".ljust(WIDTH, "-"), *(f"# {line}" for line in others)])


def without_gaps(source: str) -> str:
    """A part without the empty lines between a class's docstring and what follows."""
    lines = source.split("\n")
    classes = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef) and ast.get_docstring(node)
    ]
    for end in sorted((node.body[0].end_lineno or 0 for node in classes), reverse=True):
        if not lines[end].strip() and lines[end + 1].startswith(" "):
            del lines[end]
    return "\n".join(lines)


def by_kind(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions: so the formatter sorts what is imported."""
    return 0 if name.isupper() else 1 if name[0].isupper() else 2, name


def import_lines(imported: set[tuple[str, str | None]]) -> list[str]:
    """What the parts import from the standard library, each once."""
    modules = sorted(module for module, name in imported if name is None)
    names: dict[str, list[str]] = {}
    for module, name in imported:
        if name is not None:
            names.setdefault(module, []).append(name)
    return [f"import {module}" for module in modules] + [
        f"from {module} import {', '.join(sorted(names[module], key=by_kind))}" for module in sorted(names)
    ]


def assembled(parts: Iterable[str] = PARTS) -> str:
    """The text of the single file."""
    imported: set[tuple[str, str | None]] = set()
    sections = []
    for part in parts:
        source = without_gaps(path_of(part).read_text(encoding="utf-8"))
        tree = ast.parse(source)
        imported |= {(module, name) for module, name in imported_by(tree) if not is_inner(module)}
        code = re.sub(r"  # fmt: skip$", "", code_of(source, tree), flags=re.MULTILINE)
        sections.append(f"{banner(ast.get_docstring(tree) or part)}\n{code}\n")
    about = (FOLDER / "__init__.py").read_text(encoding="utf-8").rstrip("\n")
    outer = import_lines({(module, name) for module, name in imported if module != "__future__"})
    head = "\n".join([about, "", NOTICE, "", FUTURE, "", *outer])
    return re.sub(r"\n{3,}", "\n\n", "\n".join([head, "", *sections]))
