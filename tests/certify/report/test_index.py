"""The index of a ledger: every model with what there is to know, words of others as text, and nothing loaded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from certify.errors import UsageError
from certify.ledger.rows import Head
from certify.report import html
from certify.report.index import write_index
from tests.certify.report.indexes import ON, index_page, summaries
from tests.certify.report.test_html import Page

HOSTILE = "<script>alert(1)</script> & \"'{{ 7 * 7 }}"


@pytest.fixture(scope="module")
def page() -> str:
    return html.render_index(index_page(HOSTILE)).decode()


def test_every_model_is_a_row_and_a_section(page: str) -> None:
    parsed = Page(page)
    for model in summaries(HOSTILE):
        for value in (model.name or model.model, model.model, model.owner, model.purpose, model.claim, model.digest):
            assert value is None or value in parsed.text
    assert len(re.findall(r'<section id="model-\d"', page)) == 7
    assert [tag["scope"] for tag in parsed.named("th")].count("row") == 7
    assert "row 42" in parsed.text and "ab" * 32 in parsed.text and "As of 2026-12-01" in parsed.text


def test_what_is_due_comes_first(page: str) -> None:
    text = Page(page).text
    assert "4 of 7 must be certified again" in text
    for reason in (
        f"revoked on 2026-11-30: {HOSTILE}",
        "expires on 2026-12-24; rests on T99, withdrawn since",
        "expired on 2026-12-01",
        "has no certificate",
    ):
        assert reason in text
    assert text.index("must be certified again") < text.index("Models of the ledger")


def test_words_of_others_are_text(page: str) -> None:
    assert "<script" not in page and page.count("{{ 7 * 7 }}") > 5
    assert "default-src &#39;none&#39;" in page and not re.search(r'(?:src|href)="(?!#)', page)


def test_it_is_written_whole_or_refused(tmp_path: Path) -> None:
    models = summaries("x")
    written = write_index(tmp_path / "index.html", "ledger.sqlite", Head(1, "0" * 64), models, (), ON)
    assert (
        "No model must be certified again" in written.read_text() and "7 models in ledger.sqlite" in written.read_text()
    )
    empty = write_index(tmp_path / "empty.html", "ledger.sqlite", Head(0, "0" * 64), (), (), ON)
    assert "There are none." in empty.read_text()
    with pytest.raises(UsageError, match=r"index\.pdf: an index ends in \.html"):
        write_index(tmp_path / "index.pdf", "", Head(0, ""), (), (), ON)
    with pytest.raises(UsageError, match="cannot be written"):
        write_index(tmp_path / "missing" / "index.html", "", Head(0, ""), (), (), ON)
