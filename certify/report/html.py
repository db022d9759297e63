"""A report as one HTML page that needs nothing else: no script, no request, every style in one element (Jinja2)."""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from certify.errors import UsageError
from certify.report.document import Document, Section

TEMPLATES = Path(__file__).parent / "templates"
LONG = 24  # rows: a longer table scrolls in a box of its own on the screen, and is whole on paper


@dataclass(frozen=True)
class IndexPage:
    """An index of a ledger. rows: the number of its last row; head: the hash of that."""

    title: str
    subtitle: str
    date: str
    sections: tuple[Section, ...]
    rows: str
    head: str


def render(document: Document) -> bytes:
    """The HTML of a report.

    Raises:
        UsageError: Jinja2 is missing.
    """
    return _render("report.html.jinja", document)


def render_index(document: IndexPage) -> bytes:
    """The HTML of an index. Raises as `render`."""
    return _render("index.html.jinja", document)


def _render(name: str, document: Document | IndexPage) -> bytes:
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8").strip()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = _template(name).render(
        document=document,
        style=_markup(style),
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        ids=frozenset(_ids(document.sections)),
        long=LONG,
    )
    return page.encode()


def _markup(text: str):
    from markupsafe import Markup

    return Markup(text)


@cache
def _template(name: str):
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise UsageError("an HTML report needs Jinja2; pip install 'plumbline-dp[report]'") from None
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(kind=lambda value: type(value).__name__.lower(), isolated=isolated, markup=_markup)
    return environment.get_template(name)


def isolated(text: str) -> bool:
    """Whether a text could turn the direction of what stands around it, so that it needs a <bdi> of its own."""
    return any(unicodedata.bidirectional(character) in _TURNING for character in text)


_TURNING = frozenset(("R", "AL", "AN", "RLE", "RLO", "RLI", "LRE", "LRO", "LRI", "FSI", "PDF", "PDI"))


def _ids(sections: tuple[Section, ...]) -> list[str]:
    """What a link can lead to."""
    return [section.id for section in sections] + [id for section in sections for id in _ids(section.sections)]
