"""The page in a browser: no error on the console, no overflow, no accessibility violation, and a printed copy.

Skipped where there is no Chromium. `axe` injects a script, which the page's policy forbids: for it alone the policy is
set aside.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from certify.report import html
from tests.certify.report import samples
from tests.certify.report.indexes import index_page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PAGES = ("full", "not certified", "several requests", "not convex", "poisson", "hostile", "long word", "index")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = os.environ.get("PLUMBLINE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium was found: the page is not looked at in a browser")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A file for each kind of page, as an address."""
    directory: Path = tmp_path_factory.mktemp("pages")
    made = {}
    for name in PAGES:
        match name:
            case "full":
                document = samples.full()
            case "hostile":
                document = samples.document(**samples.hostile("\n".join(samples.HOSTILE[:7])))
            case "index":
                path = directory / "index.html"
                path.write_bytes(html.render_index(index_page("<b>\u202e" + "W" * 200)))
                made[name] = path.as_uri()
                continue
            case "long word":
                document = samples.document(**samples.hostile("W" * 400))
            case _:
                document = samples.document(name)
        path = directory / f"{name.replace(' ', '-')}.html"
        path.write_bytes(html.render(document))
        made[name] = path.as_uri()
    return made


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [390, 1280])
def test_console_and_layout(name: str, width: int, browser: Any, pages: dict[str, str]) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(pages[name])
    assert said == [] and asked == [pages[name]]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        """width => [...document.querySelectorAll('main *')].filter(e => {
            const r = e.getBoundingClientRect();
            return r.width && r.right > width + 1 && !e.closest('.scroll, thead');
        }).map(e => e.outerHTML.slice(0, 120))""",
        width,
    )
    assert outside == []
    assert page.evaluate("getComputedStyle(document.querySelector('h2')).fontWeight") == "600", "the style is applied"
    assert page.locator("h1").is_visible() and (name == "index" or page.locator("math").first.is_visible())
    context.close()


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "scheme", "width"),
    [
        ("full", "light", 390),
        ("full", "dark", 1280),
        ("index", "dark", 390),
        *(
            pytest.param(name, scheme, width, marks=SLOW)
            for name in ("full", "not certified", "poisson")
            for scheme in ("light", "dark")
            for width in (390, 1280)
            if (name, scheme, width) not in (("full", "light", 390), ("full", "dark", 1280))
        ),
    ],
)
def test_accessibility(name: str, scheme: str, width: int, browser: Any, pages: dict[str, str]) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(pages[name])
    found = axe.Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}})
    assert found.violations_count == 0, found.generate_report()
    context.close()


def test_light_and_dark_differ(browser: Any, pages: dict[str, str]) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto(pages["full"])
        seen[scheme] = page.evaluate(
            "['color', 'backgroundColor'].map(key => getComputedStyle(document.body)[key])"
            ".concat(getComputedStyle(document.querySelector('svg text')).fill)"
        )
        context.close()
    assert all(light != dark for light, dark in zip(*seen.values(), strict=True))


def test_the_keyboard_reaches_what_scrolls_and_shows_where_it_is(browser: Any, pages: dict[str, str]) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto(pages["full"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    outlines = page.evaluate(
        """() => [...document.querySelectorAll('main .scroll')].slice(0, 5).map(e => {
            e.focus({focusVisible: true});
            return document.activeElement === e && getComputedStyle(e).outlineStyle;
        })"""
    )
    assert outlines == ["solid"] * 5
    page.close()


def test_it_prints(browser: Any, pages: dict[str, str], tmp_path: Path) -> None:
    """Every word of the page is on paper, and nothing is cut off at its edge."""
    pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed")
    page = browser.new_page(color_scheme="dark")
    page.goto(pages["full"])
    page.pdf(path=str(tmp_path / "report.pdf"), prefer_css_page_size=True)
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)", "paper is never dark"
    assert page.evaluate(
        "[...document.querySelectorAll('.scroll')].every(e => getComputedStyle(e).overflowX == 'visible')"
    )
    printed = pypdf.PdfReader(tmp_path / "report.pdf")
    text = "".join("".join((sheet.extract_text() or "").split()) for sheet in printed.pages)
    assert 8 <= len(printed.pages) <= 40
    for words in ("Certified:theboundmeetsthetarget", "0.0779602571713", samples.HEX, "Glossary", "Dataofthepictures"):
        assert words in text
    page.close()
