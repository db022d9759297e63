"""docs/glossary.md: every term is defined once, and used; every name beside it is in the code."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from certify.report.sections.glossary import TERMS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (?!term |---)([^|]+) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
CODE = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("accountant", "certify")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path != ROOT / "certify" / "checker.py"  # written from certify/checking
)
DOCS = "\n".join(
    path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if path.name != "glossary.md"
)


def test_every_term_is_defined_once() -> None:
    assert len(ROWS) > 30 and len(ROWS) == len(re.findall(r"^\| ", PAGE, re.MULTILINE)) - 2 * PAGE.count("| term |")
    assert [term for term, number in Counter(term for term, _, _ in ROWS).items() if number > 1] == []
    meanings = Counter(meaning for _, meaning, _ in ROWS)
    assert [meaning for meaning, number in meanings.items() if number > 1] == []


def test_terms_are_in_alphabetical_order_in_each_table() -> None:
    for table in PAGE.split("\n## ")[1:]:
        terms = re.findall(r"^\| (?!term |---)([^|]+) \|", table, re.MULTILINE)
        assert terms == sorted(terms) and terms


@pytest.mark.parametrize("term, names", [(term, names) for term, _, names in ROWS])
def test_every_term_is_used_and_its_names_exist(term: str, names: str) -> None:
    word = re.compile(rf"\b{re.escape(term)}(?:s|es)?\b", re.IGNORECASE)
    assert word.search(DOCS) or word.search(CODE), term
    found = re.findall(r"`([^`]+)`", names)
    assert found
    for name in found:
        assert re.search(rf"\b{re.escape(name)}\b", CODE), f"{term}: {name}"


def test_classes_of_one_name_are_one_thing() -> None:
    """A class of the accountant that the page names is defined in one place."""
    for _, _, names in ROWS:
        for name in re.findall(r"`([A-Z]\w+)`", names):
            places = [
                p for p in (ROOT / "accountant").rglob("*.py") if re.search(rf"^class {name}\b", p.read_text(), re.M)
            ]
            assert len(places) <= 1, (name, places)


def test_a_report_means_the_same_by_the_words_that_both_have() -> None:
    """The report explains symbols and terms for its reader; what both explain is listed here, and was compared."""
    ours = {term for term, _, _ in ROWS}
    both = {name.lower() for name, _, _ in TERMS} & ours
    assert both == {"neighbours", "reference", "taut string"}


def test_the_page_is_linked() -> None:
    assert "(docs/glossary.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(glossary.md)" in (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
    assert "(docs/glossary.md)" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
