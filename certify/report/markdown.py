"""A report as GitHub-flavoured Markdown: texts are escaped, formulas are LaTeX, pictures are described in words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from certify.report.document import (
    Badge,
    Block,
    Callout,
    Command,
    Document,
    Equation,
    Facts,
    Figure,
    Inline,
    Items,
    Line,
    Link,
    Mathematics,
    Paragraph,
    Section,
    Table,
    Text,
)

# What means something anywhere in a line; at its beginning; and what would become a link or a picture by itself.
_ANYWHERE = re.compile(r"[\\`*_\[\]~|$]")
_BEGINNING = re.compile(r"[-+=#>]|\d+(?=[.)](\s|$))")
_BY_ITSELF = re.compile(r"(?<=www)\.|:(?=//)|:(?=[a-z_+-][\w+-]*:)", re.IGNORECASE)
_ENTITIES = {"&": "&amp;", "<": "&lt;", "@": "&#64;"}
_ISOLATE, _END = "\u2068", "\u2069"


def render(document: Document) -> bytes:
    """The Markdown of a document."""
    parts = [
        f"# {escape(document.title)}",
        escape(document.subtitle[:1].upper() + document.subtitle[1:]),
        f"As of {escape(document.date)}, certificate {code(document.digest)}",
        *(part for section in document.sections for part in _section(section, 2)),
    ]
    return ("\n\n".join(parts) + "\n").encode()


def escape(text: str) -> str:
    """Text that stays text: no markup, no HTML, no link, no formula, one line; a text that turns is kept to itself."""
    from certify.report.html import isolated

    line = " ".join(text.split())
    escaped = _ANYWHERE.sub(r"\\\g<0>", line)
    escaped = _BY_ITSELF.sub(r"\\\g<0>", escaped)
    if start := _BEGINNING.match(escaped):
        digits = start[0] if start[0][0].isdigit() else ""
        escaped = f"{digits}\\{escaped[len(digits) :]}"
    escaped = "".join(_ENTITIES.get(character, character) for character in escaped)
    return f"{_ISOLATE}{escaped}{_END}" if isolated(line) else escaped


def code(text: str) -> str:
    """A code span; a text with a bar, which would end a table's cell even there, or a backtick is escaped instead."""
    line = " ".join(text.split())
    return f"`{line}`" if line and not set(line) & set("`|$\\") else escape(line)


def _section(section: Section, level: int) -> Iterator[str]:
    yield f'<a id="{section.id}"></a>'
    yield f"{'#' * level} {escape(section.title)}"
    for block in section.blocks:
        yield from _block(block)
    for inner in section.sections:
        yield from _section(inner, level + 1)


def _block(block: Block) -> Iterator[str]:
    match block:
        case Paragraph(parts, _):
            yield _line(parts)
        case Items(lines, numbered):
            yield "\n".join(f"{f'{i + 1}.' if numbered else '-'} {_line(parts)}" for i, parts in enumerate(lines))
        case Facts(rows):
            yield "\n".join(f"- {escape(name)}: {_line(value)}" for name, value in rows)
        case Table():
            yield f"**{escape(block.caption)}**"
            yield _table(block)
        case Equation(formula, label):
            yield f"${formula.latex}$" + (f" ({escape(label)})" if label else "")
        case Command(lines):
            yield "\n".join(["```sh", *lines, "```"])
        case Figure(_, _, caption, alternative):
            yield f"*Picture*: {_line(caption)}"
            yield f"{escape(alternative)} Its data are in the appendix."
        case Callout(title, blocks, _):
            inner = [f"**{escape(title)}**", *(part for one in blocks for part in _block(one))]
            yield "\n".join(f"> {line}".rstrip() for line in "\n\n".join(inner).split("\n"))


def _table(table: Table) -> str:
    rule = ["---:" if i in table.numeric else "---" for i in range(len(table.head))]
    rows = [[escape(name) for name in table.head], rule, *([_line(cell) for cell in row] for row in table.rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _line(parts: Line) -> str:
    return "".join(map(_inline, parts))


def _inline(part: Inline) -> str:
    match part:
        case Text(text, "code"):
            return code(text)
        case Text(text, "strong"):
            return _around("**", text)
        case Text(text, _):
            return _spaced(text)
        case Badge(text, _):
            return f"**{escape(text)}**"
        case Mathematics(_, latex, _, _):
            return f"${latex}$".replace("|", r"\vert ")
        case Link(text, target):
            return f"[{escape(text)}]({target})"
    raise TypeError(f"no inline: {part!r}")


def _around(mark: str, text: str) -> str:
    """Emphasis holds only next to a word: spaces go outside."""
    inner = text.strip()
    before, after = " " * text.startswith(" "), " " * text.endswith(" ")
    return f"{before}{mark}{escape(inner)}{mark}{after}" if inner else " "


def _spaced(text: str) -> str:
    """Escaped, with the spaces at its ends that keep it apart from its neighbours."""
    if not text.strip():
        return " " if text else ""
    return f"{' ' * text[:1].isspace()}{escape(text)}{' ' * text[-1:].isspace()}"
