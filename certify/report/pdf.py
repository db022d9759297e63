"""A report as a PDF: PDF/A-3a and PDF/UA-1, with the certificate attached, by typst (the extra `report`).

Data reaches templates/report.typ as JSON and is never source. Only the bodies of equations are evaluated, after
`equation` has found nothing in them but mathematics. The same document gives the same bytes: the fonts are those that
typst carries, the date is the document's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path

from certify.errors import UsageError
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
from certify.report.printed import RIGHT_TO_LEFT, equation, pieces, runs, shown, widths

TEMPLATES = Path(__file__).parent / "templates"
STANDARDS = ("a-3a", "ua-1")

_ISOLATE, _END = "\u2068", "\u2069"  # so that a name in Hebrew cannot turn round the number after it
_TURNED = re.compile(f"([{(letters := ''.join(sorted(RIGHT_TO_LEFT)))}]+(?: +[{letters}]+)*)")

LONGEST_WORD = {"plain": 24, "strong": 24, "number": 24, "code": 16}  # characters; longer ones may break across lines
_RUNNING_TITLE = 60
_UNTITLED = "—"  # PDF/UA wants every heading and picture to say something
_TABLE_ROOM = 112  # characters side by side in a table as wide as the page
_TALL = 600  # characters of a cell; such a row may break across pages


def render(document: Document) -> bytes:
    """The PDF of a document; the certificate is attached as certificate.json.

    Raises:
        UsageError: typst is missing.
        ValueError: the document's date is none, or the body of an equation is more than mathematics.
    """
    typst = _typst()
    midnight = datetime.combine(date.fromisoformat(document.date), time(), UTC)
    return typst.compile(
        str(TEMPLATES / "report.typ"),
        root=str(TEMPLATES),
        format="pdf",
        font_paths=typst.Fonts(include_system_fonts=False),
        ignore_system_fonts=True,
        pdf_standards=list(STANDARDS),
        timestamp=int(midnight.timestamp()),
        sys_inputs={"report": json.dumps(as_data(document))},
    )


def _typst():
    try:
        import typst
    except ImportError:
        raise UsageError("a PDF report needs typst; pip install 'plumbline-dp[report]'") from None
    return typst


def as_data(document: Document) -> dict:
    """What the template reads."""
    writer = _Writer(frozenset(_ids(document)))
    title = document.title.strip() or _UNTITLED
    running = shown(title)
    return {
        "name": running,
        "title": writer.text(Text(title)),
        "running": running if len(running) <= _RUNNING_TITLE else f"{running[: _RUNNING_TITLE - 1].rstrip()}…",
        "subtitle": writer.text(Text(document.subtitle)),
        "date": date.fromisoformat(document.date).isoformat(),
        "digest": writer.text(Text(document.digest, "code")),
        "short": shown(document.digest)[:12],
        "certificate": list(document.certificate),
        "sections": [writer.section(section) for section in document.sections],
    }


@dataclass
class _Writer:
    """Blocks and inlines as JSON. `ids`: what can be linked to; each is given to the first that has it."""

    ids: frozenset[str]
    given: set[str] = field(default_factory=set)

    def section(self, section: Section) -> dict:
        return {
            "id": self._anchor(section.id),
            "title": self.text(Text(section.title.strip() or _UNTITLED)),
            "blocks": [self.block(block) for block in section.blocks],
            "sections": [self.section(inner) for inner in section.sections],
        }

    def _anchor(self, id_: str) -> str | None:
        if id_ in self.given:
            return None
        self.given.add(id_)
        return _label(id_)

    def block(self, block: Block) -> dict:
        match block:
            case Paragraph(line, tone):
                return {"kind": "paragraph", "line": self.line(line), "tone": tone}
            case Items(lines, numbered):
                return {"kind": "items", "lines": [self.line(line) for line in lines], "numbered": numbered}
            case Facts(rows):
                return {"kind": "facts", "rows": [[self.text(Text(name)), self.line(value)] for name, value in rows]}
            case Table():
                return self._table(block)
            case Equation(formula, label):
                return {
                    "kind": "equation",
                    "formula": self.inline(formula),
                    "label": self.text(Text(label)) if label else None,
                }
            case Command(lines):
                return {"kind": "command", "lines": [self.text(Text(line, "code")) for line in lines]}
            case Figure(id_, svg, caption, alternative):
                from certify.report.charts import print_colours

                picture = {
                    "svg": print_colours(svg),
                    "caption": self.line(caption),
                    "alternative": shown(alternative) or _UNTITLED,
                }
                return {"kind": "figure", "id": self._anchor(id_), **picture}
            case Callout(title, blocks, tone):
                inner = [self.block(block) for block in blocks]
                return {"kind": "callout", "title": self.text(Text(title)), "blocks": inner, "tone": tone}
        raise TypeError(f"no block: {block!r}")

    def _table(self, table: Table) -> dict:
        head = [self.text(Text(name)) for name in table.head]
        rows = [[self.line(cell) for cell in row] for row in table.rows]
        sizes = [[_size([name]), *(_size(row[i]) for row in rows)] for i, name in enumerate(head)]
        columns = [(max(whole for whole, _ in cells), max(longest for _, longest in cells)) for cells in sizes]
        return {
            "kind": "table",
            "caption": self.text(Text(table.caption)),
            "head": head,
            "rows": [{"cells": row, "long": max((_size(cell)[0] for cell in row), default=0) > _TALL} for row in rows],
            "numeric": sorted(table.numeric),
            "widths": widths(columns, _TABLE_ROOM, table.numeric),
        }

    def line(self, line: Line) -> list[dict]:
        return [self.inline(part) for part in line]

    def inline(self, part: Inline) -> dict:
        match part:
            case Text():
                return self.text(part)
            case Badge(text, tone):
                return {"kind": "badge", "tone": tone, "text": self.text(Text(text))}
            case Mathematics(plain, _, _, body):
                return {"kind": "mathematics", "plain": shown(plain) or _UNTITLED, "body": equation(body)}
            case Link(text, target):
                return {"kind": "link", "text": self.text(Text(text)), **self._target(target)}
        raise TypeError(f"no inline: {part!r}")

    def text(self, text: Text) -> dict:
        """Runs: a list of pieces that a line may break between, or the number of a character that has no glyph."""
        pieces_and_numbers: list[list[str] | str] = []
        for run, drawn in runs(text.text):
            if not drawn:
                pieces_and_numbers.append(run)
                continue
            for part in filter(None, _TURNED.split(run)):
                cut = pieces(part, LONGEST_WORD[text.style])
                pieces_and_numbers.append([_ISOLATE, *cut, _END] if part[0] in RIGHT_TO_LEFT else cut)
        return {"kind": "text", "style": text.style, "runs": pieces_and_numbers}

    def _target(self, target: str) -> dict:
        if target.startswith("#"):
            return {"to": "section", "target": _label(target[1:])} if target[1:] in self.ids else {"to": None}
        usable = re.fullmatch(r"https://[!-~]{1,2000}", target)
        return {"to": "address", "target": target} if usable else {"to": None}


def _label(id_: str) -> str:
    return f"at:{ascii(id_)[1:-1]}"


def _size(line: list[dict]) -> tuple[int, int]:
    """Characters of a cell, and the most that cannot be broken, margins included; those of code are wider."""
    whole = longest = 0.0
    for part in line:
        text = part.get("text", part)
        wide = 1.3 if text.get("style") == "code" else 1
        cut = [piece for run in text.get("runs", [[part.get("plain", "")]]) for piece in run]
        whole += wide * sum(map(len, cut))
        longest = max(longest, *(wide * len(word) for piece in cut for word in piece.split(" ")), 0)
    return round(whole) + 3, round(longest) + 3


def _ids(document: Document) -> Iterator[str]:
    """What a link can lead to."""

    def figures(blocks: Sequence[Block]) -> Iterator[str]:
        for block in blocks:
            if isinstance(block, Figure):
                yield block.id
            elif isinstance(block, Callout):
                yield from figures(block.blocks)

    def walk(sections: Sequence[Section]) -> Iterator[str]:
        for section in sections:
            yield section.id
            yield from figures(section.blocks)
            yield from walk(section.sections)

    return walk(document.sections)
