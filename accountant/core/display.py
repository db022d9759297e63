"""How results look in a notebook: a line of what was found, and tables; numbers as they are printed elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any


def page(title: str, *parts: str) -> str:
    """Parts of HTML under a title that stands in bold."""
    return "\n".join([f"<p><strong>{escape(title)}</strong></p>", *(part for part in parts if part)])


def facts(rows: Mapping[str, Any]) -> str:
    """Names and values, two columns; values that are None are left out."""
    cells = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(_text(value))}</td></tr>'
        for name, value in rows.items()
        if value is not None
    )
    return f"<table>{cells}</table>" if cells else ""


def table(caption: str, rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None) -> str:
    """Rows with the same keys, one column a key; "–" for None. Without rows: nothing."""
    rows = list(rows)
    if not rows:
        return ""
    names = list(rows[0]) if columns is None else columns
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_text(row.get(name)))}</td>" for name in names) + "</tr>" for row in rows
    )
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
