"""The Markdown: what a reader of GitHub's flavour makes of it; hostile texts stay texts."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from certify.report import markdown
from certify.report.document import Document, Paragraph, Section, Table, Text, line
from certify.report.sections.words import visible
from tests.certify.report import samples


def tokens(text: str) -> list[Token]:
    """Blocks and inlines, flat, by a parser that lets HTML through."""
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return [inner for token in reader.parse(text) for inner in (token, *(token.children or ()))]


def shape(text: str) -> list[tuple[str, str]]:
    """What kinds of tokens there are, without the texts."""
    return [(t.type, t.tag) for t in tokens(text) if t.type not in ("text", "text_special", "inline", "code_inline")]


def words(text: str) -> str:
    """What a reader sees: text and code."""
    found = []
    for token in tokens(text):
        if token.type in ("text", "text_special", "code_inline", "fence"):
            found.append(token.content)
        elif token.type.endswith("_close") or token.type == "softbreak":
            found.append("\n")
    return "".join(found)


def written(document: Document) -> str:
    return markdown.render(document).decode()


@pytest.mark.parametrize("name", [*samples.RUNS, "full"])
def test_structure(name: str) -> None:
    text = written(samples.full() if name == "full" else samples.document(name))
    kinds = Counter(kind for kind, _ in shape(text))
    assert kinds["table_open"] > 5 and kinds["heading_open"] > 15 and kinds["fence"] == 2
    html = [token.content for token in tokens(text) if token.type in ("html_inline", "html_block")]
    assert all(re.fullmatch(r'<a id="[\w-]+">|</a>', content) for content in html)
    anchors = re.findall(r'<a id="([\w-]+)">', text)
    targets = [dict(token.attrs)["href"] for token in tokens(text) if token.type == "link_open"]
    assert targets and all(target.startswith("#") and target[1:] in anchors for target in targets)
    levels = [int(token.tag[1]) for token in tokens(text) if token.type == "heading_open"]
    assert levels[0] == 1 and set(levels) == {1, 2, 3}


def test_rows_have_as_many_cells_as_their_head() -> None:
    kinds = [kind for kind, _ in shape(written(samples.full()))]
    heads = rows = 0
    for kind in kinds:
        if kind == "table_open":
            heads = 0
        elif kind == "th_open":
            heads += 1
        elif kind == "tr_open":
            rows = 0
        elif kind == "td_open":
            rows += 1
        elif kind == "tr_close" and rows:
            assert rows == heads


def test_pictures_are_told_in_words_and_in_a_table() -> None:
    text = words(written(samples.full()))
    assert "<svg" not in written(samples.full())
    figures = [block for found in samples.full().sections for block in found.blocks if hasattr(block, "svg")]
    assert len(figures) == 2 and all(" ".join(figure.alternative.split()) in text for figure in figures)
    for values in (samples.FIGURES["profile"]["upper"], samples.FIGURES["sweep"]["published"]):
        assert all(value in text for value in values if value)


def test_formulas_are_latex() -> None:
    text = written(samples.document())
    assert r"$\delta = \Phi{\left(\frac{\mu}{2} - \frac{\epsilon}{\mu} \right)}" in text
    assert "$e^{0.0779602571713}$" in text
    assert len(re.findall(r"(?<!\\)\$", text)) % 2 == 0


@pytest.mark.parametrize("number", range(len(samples.HOSTILE)))
def test_hostile_texts_are_shown_as_text(number: int) -> None:
    hostile = samples.HOSTILE[number]
    made = written(samples.document(**samples.hostile(hostile)))
    assert shape(made) == shape(written(samples.document(**samples.hostile("a text"))))
    assert words(made).replace("\u2068", "").replace("\u2069", "").count(visible(hostile)) >= 10
    assert len(re.findall(r"(?<!\\)\$", made)) == len(
        re.findall(r"(?<!\\)\$", written(samples.document(**samples.hostile("x"))))
    )


PUNCTUATION = st.text(st.sampled_from("\\`*_{}[]()<>#+-.!|~$&;:/@=^\"' \n\t1a9wW\u05d0"), max_size=40).filter(str.strip)


def in_place(text: str, style: str) -> Document:
    cell = line(Text(text, style))
    blocks = (Paragraph(cell), Table("c", ("a", "b"), ((line("x"), cell),)), Paragraph(line("after")))
    return Document("t", "s", "2026-11-22", (Section("here", "Here", blocks),), b"{}", "0" * 64)


@given(PUNCTUATION, st.sampled_from(["plain", "strong", "code", "number"]))
def test_any_text_stays_text(text: str, style: str) -> None:
    made = written(in_place(text, style))
    plain = " ".join(text.split())
    marks = {("strong_open", "strong"), ("strong_close", "strong")}
    kept = [pair for pair in shape(made) if pair not in marks]
    assert kept == [pair for pair in shape(written(in_place("x", style))) if pair not in marks]
    assert words(made).replace("\u2068", "").replace("\u2069", "").count(plain) >= 2


def test_links_do_not_arise_by_themselves() -> None:
    assert "https\\://" in markdown.escape("see https://example.com") and "www\\." in markdown.escape("www.example.com")
    assert "@" not in markdown.escape("@somebody a@b.org")


def test_digits_are_not_disturbed() -> None:
    for number in ("0.0779602571713", "1.5e-10", "2026-11-22", "15625/16329"):
        assert markdown.escape(number) == number
    assert markdown.escape("1. one") == "1\\. one" and markdown.escape("- one") == "\\- one"
