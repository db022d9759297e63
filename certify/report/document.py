"""What a report is made of: sections of blocks of text, before any of them becomes HTML, PDF or Markdown.

Texts are plain: whoever renders them escapes them. Numbers in them are the certificate's own strings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Tone = Literal["plain", "good", "warning", "bad", "muted"]


@dataclass(frozen=True)
class Text:
    """A run of text. `style`: how it is set; `code` is for identifiers, digests and commands, `number` for figures."""

    text: str
    style: Literal["plain", "strong", "code", "number"] = "plain"


@dataclass(frozen=True)
class Badge:
    """A short word with a meaning that colour repeats, and never carries alone."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Mathematics:
    """A formula inside a line or on one of its own, in four spellings of one symbolic expression.

    plain: one line of text, which is its alternative text too; mathml: presentation MathML, without the <math> element
    around it; typst: the body of a typst equation, without dollars.
    """

    plain: str
    latex: str
    mathml: str
    typst: str


@dataclass(frozen=True)
class Link:
    """`target` is "#id" of a section, or an https address."""

    text: str
    target: str


Inline = Text | Badge | Mathematics | Link
Line = tuple[Inline, ...]


@dataclass(frozen=True)
class Paragraph:
    line: Line
    tone: Tone = "plain"


@dataclass(frozen=True)
class Items:
    """A list, numbered or not."""

    lines: tuple[Line, ...]
    numbered: bool = False


@dataclass(frozen=True)
class Facts:
    """Names and what they are, one under the other."""

    rows: tuple[tuple[str, Line], ...]


@dataclass(frozen=True)
class Table:
    """`numeric`: the columns that hold numbers, set flush right. The first column names its row."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Equation:
    """A formula on a line of its own, and what it is called."""

    formula: Mathematics
    label: str = ""


@dataclass(frozen=True)
class Command:
    """What to type; one line for each."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """A picture. `svg`: one <svg> element whose only colours are custom properties of the page and `currentColor`
    (the chart module's `print_colours` gives it real ones, for the PDF). `alternative` says in words what it shows."""

    id: str
    svg: str
    caption: Line
    alternative: str


@dataclass(frozen=True)
class Callout:
    """A box that must not be missed: a warning, a limit, a verdict."""

    title: str
    blocks: tuple[Block, ...]
    tone: Tone = "plain"


Block = Paragraph | Items | Facts | Table | Equation | Command | Figure | Callout


@dataclass(frozen=True)
class Section:
    """`id` is the anchor of links; sections nest one deep."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True)
class Document:
    """A report: its first page is the first section. `date` is the day that it is as of, YYYY-MM-DD."""

    title: str
    subtitle: str
    date: str
    sections: tuple[Section, ...]
    certificate: bytes  # the file that it was drawn from, attached to the PDF
    digest: str  # SHA-256 of the certificate's payload


def line(*parts: Inline | str) -> Line:
    """A line of its parts; a string is plain text."""
    return tuple(Text(part) if isinstance(part, str) else part for part in parts)


def facts(rows: Sequence[tuple[str, Inline | str | Line]]) -> Facts:
    """Rows of names and values, each value a string, a part or a line."""
    return Facts(tuple((name, value if isinstance(value, tuple) else line(value)) for name, value in rows))
