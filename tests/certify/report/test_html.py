"""The HTML page: self-contained, strict, well-formed, the same every time; hostile texts stay texts."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from certify.report import html, write_report
from certify.report.document import Document, Link, Mathematics, Paragraph, Section, Text, line
from certify.report.sections.words import visible
from tests.certify import envelopes
from tests.certify.report import samples

VOID = {"meta", "br", "img", "input", "link", "hr"}


class Page(HTMLParser):
    """Tags with their attributes in order, and the text of every element; tags must close as they opened."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.style = ""
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"{tag}: an attribute twice"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["style"]:
            self.style += data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def named(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


def page(document: Document) -> Page:
    return Page(html.render(document).decode())


@pytest.mark.parametrize("name", [*samples.RUNS, "full"])
def test_the_page_is_self_contained_and_strict(name: str) -> None:
    made = page(samples.full() if name == "full" else samples.document(name))
    assert not made.named(
        "script", "link", "img", "iframe", "object", "embed", "form", "input", "base", "foreignobject"
    )
    for tag, attributes in made.tags:
        assert not [key for key in attributes if key.startswith("on") or key in ("style", "src", "srcset", "action")], (
            tag
        )
        for key, value in attributes.items():
            assert "javascript:" not in (value or "") and "url(" not in (value or ""), (tag, key)
    (policy,) = (a["content"] for a in made.named("meta") if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(made.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert len(made.named("style")) == 1 and "@import" not in made.style and "url(" not in made.style
    assert {a["href"][0] for a in made.named("a")} <= {"#"}


@pytest.mark.parametrize("name", ["unlearning", "poisson", "full"])
def test_structure(name: str) -> None:
    made = page(samples.full() if name == "full" else samples.document(name))
    assert made.tags[0] == ("html", {"lang": "en"})
    for landmark in ("header", "nav", "main", "footer", "h1"):
        assert len(made.named(landmark)) == 1, landmark
    levels = [int(tag[1]) for tag, _ in made.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and all(after <= before + 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes in made.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in made.named("a"):
        assert attributes["href"][1:] in ids
    for tag, attributes in made.tags:
        if "aria-labelledby" in attributes:
            assert set(attributes["aria-labelledby"].split()) <= set(ids), tag
    assert len(made.named("caption")) == len(made.named("table")) > 5
    assert all(a.get("scope") in ("col", "row") for a in made.named("th"))
    assert all(a.get("aria-label") for a in made.named("math"))
    scrolls = [a for a in made.named("div", "pre") if "scroll" in (a.get("class") or "")]
    assert scrolls and all(a["tabindex"] == "0" and a["aria-label"] and a["role"] == "group" for a in scrolls)
    if name == "full":
        assert len(made.named("svg")) == len(made.named("figure")) == len(made.named("figcaption")) == 2
        for attributes in made.named("svg"):
            assert attributes.get("role") == "img" and (
                attributes.get("aria-label") or attributes.get("aria-labelledby")
            )


def test_colours_of_pictures_are_the_pages() -> None:
    made = page(samples.full())
    used = {
        name for tag, a in made.tags for value in a.values() for name in re.findall(r"var\((--[\w-]+)\)", value or "")
    }
    assert used
    for scheme in re.findall(r":root \{(.*?)\}", made.style, re.DOTALL):
        assert all(f"{name}:" in scheme for name in used), "every scheme has every colour"
    assert len(re.findall(r":root \{", made.style)) == 3


@pytest.mark.parametrize("number", range(len(samples.HOSTILE)))
def test_hostile_texts_are_shown_as_text(number: int) -> None:
    """The page has the same elements as with a harmless text, but for isolation; and the text, as it was written."""
    hostile = samples.HOSTILE[number]
    harmless, made = (
        page(samples.document(**samples.hostile("a text"))),
        page(samples.document(**samples.hostile(hostile))),
    )
    ours = [(tag, sorted(a)) for tag, a in made.tags if tag != "bdi"]
    assert ours == [(tag, sorted(a)) for tag, a in harmless.tags if tag != "bdi"]
    assert made.text.count(visible(hostile)) >= 10
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", made.text)
    if "שלום" in hostile:
        assert len(made.named("bdi")) >= 10


def test_a_text_that_turns_is_isolated_and_others_are_not() -> None:
    assert html.isolated("שלום") and html.isolated("مرحبا") and html.isolated("a\u202eb")
    assert not html.isolated("plain text 123, ε ≤ 1, 漢字")


def test_links_go_to_sections_or_to_https() -> None:
    def shown(*links: Link) -> Page:
        section = Section("here", "Here", (Paragraph(line(*links)),))
        return page(Document("t", "s", "2026-11-22", (section,), b"{}", "0" * 64))

    made = shown(
        Link("a", "#here"), Link("b", "#nowhere"), Link("c", "javascript:alert(1)"), Link("d", "https://e.org/")
    )
    targets = [a["href"] for a in made.named("a")]
    assert targets == ["#main", "#here", "#here", "https://e.org/"]
    assert "b" in made.text and "c" in made.text


def test_markup_in_formulas_names_and_styles_is_ours() -> None:
    """Everything but the spellings of formulas is escaped, in attributes too."""
    bad = '"><script>alert(1)</script>'
    section = Section("here", bad, (Paragraph(line(Text(bad, "code"), Mathematics(bad, "x", "<mi>x</mi>", "x"))),))
    made = page(Document(bad, bad, "2026-11-22", (section,), b"{}", "0" * 64))
    assert not made.named("script") and made.text.count(bad) >= 4
    assert made.named("math")[0]["aria-label"] == bad


def test_long_tables_scroll_in_their_own_box() -> None:
    points = [str(i) for i in range(60)]
    figures = {
        "profile": {"epsilon": points, "upper": ["0.013"] + ["0.00008"] * 59, "lower": ["0"] * 60},
        "sweep": None,
        "published": None,
    }
    made = page(samples.document(figures=figures))
    assert len([a for a in made.named("div") if a.get("class") == "scroll long"]) == 1


SCRIPT = """
import sys
from datetime import date
from pathlib import Path
from certify.report import write_report
directory = Path(sys.argv[1])
for suffix in ("html", "md"):
    write_report(directory / "certificate.json", directory / f"{sys.argv[2]}.{suffix}", on=date(2026, 11, 22))
"""


def test_the_same_certificate_and_date_give_the_same_bytes(tmp_path: Path) -> None:
    made = samples.statement(attest=samples.ATTEST, **samples.executed())
    (tmp_path / "certificate.json").write_bytes(envelopes.seal(made))
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path), seed],
            check=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            cwd=Path(__file__).parents[3],
        )
    for suffix in ("html", "md"):
        first, second = ((tmp_path / f"{seed}.{suffix}").read_bytes() for seed in "12")
        assert first == second
    write_report(tmp_path / "certificate.json", tmp_path / "here.html", on=samples.ON)
    assert (tmp_path / "here.html").read_bytes() == (tmp_path / "1.html").read_bytes()
    other = write_report(tmp_path / "certificate.json", tmp_path / "later.html", on=samples.ON.replace(day=23))
    assert other.read_bytes() != (tmp_path / "1.html").read_bytes()
