"""The PDF, opened as a reader of PDF sees it: its text, tags, alternative texts, attachment, links and pages."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pypdf
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    Items,
    Link,
    Mathematics,
    Paragraph,
    Section,
    Table,
    Text,
    facts,
    line,
)
from certify.report.pdf import STANDARDS, TEMPLATES, render
from certify.report.printed import DRAWN, equation, pieces, runs, shown, widths
from certify.report.sections.glossary import texts
from tests.certify.report import samples

ROOT = Path(__file__).parents[3]
DIGEST = hashlib.sha256(b"a payload").hexdigest()
BOUND = Mathematics("ε ≤ μ²/2 + μ √(2 ln(1/δ))", "", "", "epsilon <= frac(mu^2, 2) + mu sqrt(2 ln(1/delta))")
SUM = " + ".join(f"frac(mu_({i})^2, 2 (1 + lambda_({i})))" for i in range(1, 30))
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 30"><path d="M6 4C20 24 40 25 62 26" fill="none" '
    'stroke="var(--series-1)"/><text x="30" y="29" font-size="2" fill="currentColor">ε = 0.71</text></svg>'
)
VERDICT = Section(
    "verdict",
    "Verdict",
    (
        Callout(
            "Certified: the bound meets the target",
            (Paragraph(line("The model is ", Text("(0.8713, 1e-5)", "number"), "-close.")),),
            "good",
        ),
        facts(
            [
                ("ε", Text("0.8714", "number")),
                ("Run", Text(DIGEST, "code")),
                ("A name that is wider than its column", "17"),
            ]
        ),
        Paragraph(
            line("see ", Link("the proof", "#proof"), ", ", Link("the site", "https://example.org/a?b=c")), "warning"
        ),
        Paragraph(line(Link("nothing there", "#nowhere"), Link("no address", "javascript:alert(1)")), "muted"),
    ),
)
PROOF = Section(
    "proof",
    "Proof",
    (
        Table(
            "Steps",
            ("Step", "Status", "Concludes", "Value"),
            tuple(
                (
                    line(Text(f"step:{i}", "code")),
                    line(Badge("proved", "good")),
                    line("a bound " * 12),
                    line(f"{i}.0625"),
                )
                for i in range(60)
            ),
            frozenset({3}),
        ),
    ),
    (
        Section(
            "formulas",
            "Formulas",
            (
                Paragraph(line("With ", BOUND, " in a line.")),
                Equation(BOUND, "step 1"),
                Equation(
                    Mathematics("a long sum", "", "", SUM), "a name too long to stand beside the formula that it names"
                ),
            ),
        ),
    ),
)
REST = (
    Section("pictures", "Pictures", (Figure("profile", SVG, line("δ at each ε"), "A curve that falls."),)),
    Section(
        "check",
        "How to check",
        (
            Command(
                ("pip install plumbline-dp", f"plumbline verify certificate.json --digest {DIGEST} --date 2026-11-22")
            ),
            Items((line("first"), line("second ", Text("both", "strong"))), numbered=True),
            Items((line(Link("the picture", "#profile")),)),
        ),
    ),
    Section("glossary", "Glossary", (Paragraph(line("End.")),)),
)
CERTIFICATE = b'{"payload": "abc \xc3\xa9"}\n'
ALL = Document("Privacy report", "after 3 requests", "2026-11-22", (VERDICT, PROOF, *REST), CERTIFICATE, DIGEST)

HOSTILE = (
    "#panic()",
    '$x$ @ref <label> *bold* = head #read("/etc/passwd") // no comment',
    "\\u{41} \\ /* kept */ #{1+1} `raw` ``` ~ -- --- ... 'q' \"d\"",
    "אבג 5.25 שלום",
    "مرحبا 12.5",
    "😀 你好",
    "a\x07b\x00c\u202eevil\u2066\u200b\ufeff\x85",
    "\ud800 \ue000 \U000e0041",
    "x" * 1500,
    "e\u0301\u0323",
    "{{ 7*7 }} <script>alert(1)</script> &amp; %s \\n",
    "",
    " \n\t",
)


@cache
def printed(document: Document) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(render(document)))


def squeezed(text: str) -> str:
    """Without spaces, line ends and the marks that isolate a direction: what is left of a text wherever it breaks."""
    return re.sub(r"[\s\u2066-\u2069]+", "", text)


def text(document: Document) -> str:
    return squeezed("".join(page.extract_text() for page in printed(document).pages))


def tags(document: Document) -> Iterator[dict[str, Any]]:
    """The structure elements, in order."""

    def walk(node: Any) -> Iterator[dict[str, Any]]:
        node = node.get_object()
        if isinstance(node, list):
            for inner in node:
                yield from walk(inner)
        elif isinstance(node, dict):
            if "/S" in node:
                yield node
            if "/K" in node:
                yield from walk(node["/K"])

    return walk(printed(document).trailer["/Root"]["/StructTreeRoot"])


def one(*blocks: Block) -> Document:
    return replace(ALL, sections=(Section("only", "Only", blocks),))


# --- text -------------------------------------------------------------------------------------------------------------


def numbers(document: Document) -> set[str]:
    """Every number in the document's texts, as it is written."""
    return set(re.findall(r"\d+(?:\.\d+)?(?:e-?\d+)?", "\n".join(texts(document.sections))))


def test_every_number_and_text_is_there() -> None:
    found = text(ALL)
    assert len(numbers(ALL)) > 60 and "59.0625" in numbers(ALL)
    assert [number for number in numbers(ALL) if number not in found] == []
    for part in (
        "Privacy report",
        "after 3 requests",
        "Verdict",
        "A name that is wider",
        "proved",
        "δ at each ε",
        "End.",
    ):
        assert squeezed(part) in found
    assert squeezed(f"--digest {DIGEST} --date 2026-11-22") in found, "a wrapped command copies as it is"
    assert found.count(DIGEST) == 3


def test_pages_are_numbered_and_the_footer_names_the_certificate() -> None:
    pages = printed(ALL).pages
    assert len(pages) > 3
    for number, page in enumerate(pages, 1):
        assert f"{number} / {len(pages)}" in page.extract_text() and DIGEST[:12] in page.extract_text()
        assert (float(page.mediabox.width), float(page.mediabox.height)) == pytest.approx((595.276, 841.89), abs=0.01)


def test_the_first_page_is_the_first_section() -> None:
    first, second = (squeezed(printed(ALL).pages[i].extract_text()) for i in (0, 1))
    assert "Certified" in first and "Steps" not in first and second.startswith("Contents")


def test_a_first_section_that_goes_on_is_followed_at_once() -> None:
    long = replace(VERDICT, blocks=(*VERDICT.blocks, *(Paragraph(line("more " * 300)) for _ in range(4))))
    document = replace(ALL, sections=(long, PROOF, *REST))
    assert "Contents" in printed(document).pages[1].extract_text().split("more")[-1]


def test_a_table_repeats_its_head() -> None:
    pages = [page.extract_text() for page in printed(ALL).pages]
    carrying = [page for page in pages if re.search(r"\d+\.0625", page)]
    assert len(carrying) > 1 and all("Concludes" in page for page in carrying)


# --- tags, alternative texts, links -----------------------------------------------------------------------------------


def test_it_is_tagged_and_claims_the_standards() -> None:
    root, metadata = printed(ALL).trailer["/Root"], printed(ALL).xmp_metadata
    assert root["/MarkInfo"]["/Marked"].value is True and root["/Lang"] == "en-GB"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"].value is True
    assert printed(ALL).metadata.title == "Privacy report" == metadata.dc_title["x-default"]
    raw = root["/Metadata"].get_data().decode()
    assert (
        re.search(r"pdfuaid:part>1<", raw) and re.search(r"pdfaid:part>3<", raw) and re.search(r"conformance>A<", raw)
    )
    found = Counter(tag["/S"] for tag in tags(ALL))
    assert found["/Title"] == 1 and found["/H1"] == 6 and found["/H2"] == 1  # with the heading of the contents
    assert found["/Table"] == found["/THead"] == found["/TBody"] == 1 and found["/TH"] == 4 and found["/TR"] == 61
    assert found["/Figure"] == 1 and found["/Formula"] == 3 and found["/Caption"] == 2
    assert {"/TOC", "/L", "/LI", "/Lbl", "/LBody", "/Link", "/Code", "/Strong", "/P"} <= set(found)


def test_pictures_and_formulas_have_alternative_texts() -> None:
    told = [(tag["/S"], tag.get("/Alt")) for tag in tags(ALL) if tag["/S"] in ("/Figure", "/Formula")]
    assert told == [
        ("/Formula", BOUND.plain),
        ("/Formula", BOUND.plain),
        ("/Formula", "a long sum"),
        ("/Figure", "A curve that falls."),
    ]


def test_bookmarks_and_contents_name_the_right_pages() -> None:
    reader = printed(ALL)

    def flat(outline: list[Any]) -> Iterator[tuple[str, int]]:
        for entry in outline:
            if isinstance(entry, list):
                yield from flat(entry)
            else:
                yield entry.title, reader.get_destination_page_number(entry) + 1

    marks = dict(flat(reader.outline))
    assert list(marks) == ["Verdict", "Proof", "Formulas", "Pictures", "How to check", "Glossary"]
    contents = dict(
        re.findall(r"^(\D+?) ?\.[ .]*(\d+)$", reader.pages[1].extract_text().removeprefix("Contents\n"), re.MULTILINE)
    )
    assert {title: int(page) for title, page in contents.items()} == {t: p for t, p in marks.items() if t != "Formulas"}
    for title, page in marks.items():
        assert title in reader.pages[page - 1].extract_text()


def test_links_lead_to_sections_pictures_and_addresses_and_to_nothing_else() -> None:
    reader = printed(ALL)
    annotations = [a.get_object() for page in reader.pages for a in page.get("/Annots", [])]
    addresses = [a["/A"]["/URI"] for a in annotations if "/A" in a]
    inside = [a["/Dest"] for a in annotations if "/A" not in a]
    assert addresses == ["https://example.org/a?b=c"]
    assert len(inside) == 7 and inside[0] == "at:proof" and set(inside[1:6]) < set(reader.named_destinations)
    picture = next(page for page in reader.pages if "δ at each ε" in page.extract_text())
    assert inside[6][0].get_object() == picture.get_object()
    assert "nothingthere" in text(ALL) and "noaddress" in text(ALL)


# --- the attachment; the same bytes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("certificate", [CERTIFICATE, bytes(range(256)), b""])
def test_the_certificate_is_inside(certificate: bytes) -> None:
    reader = printed(replace(ALL, certificate=certificate))
    assert reader.attachments == {"certificate.json": [certificate]}
    (file,) = reader.trailer["/Root"]["/AF"]
    assert file["/AFRelationship"] == "/Source" and file["/EF"]["/F"]["/Subtype"] == "/application/json"
    assert file["/Desc"]


def test_two_processes_write_the_same_bytes() -> None:
    code = (
        "import hashlib; from certify.report.pdf import render; from tests.certify.report.test_pdf import ALL; "
        "print(hashlib.sha256(render(ALL)).hexdigest())"
    )

    def run(seed: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
        )
        return done.stdout.strip()

    assert run("1") == run("2") == hashlib.sha256(render(ALL)).hexdigest()


def test_the_date_is_the_documents_and_the_identifier_its_contents() -> None:
    def identifier(document: Document) -> Any:
        return printed(document).trailer["/ID"][0]

    assert printed(ALL).metadata["/CreationDate"].startswith("D:20261122000000")
    others = [replace(ALL, digest="0" * 64), replace(ALL, date="2026-11-23"), replace(ALL, sections=(VERDICT,))]
    assert len({identifier(document) for document in (ALL, *others)}) == 4
    assert identifier(replace(ALL)) == identifier(ALL)
    with pytest.raises(ValueError):
        render(replace(ALL, date="today"))


# --- hostile strings --------------------------------------------------------------------------------------------------


def everywhere(hostile: str) -> Document:
    """The text in every place that there is for one."""
    inlines = (
        Text(hostile),
        Text(hostile, "code"),
        Text(hostile, "number"),
        Badge(hostile, "bad"),
        Link(hostile, "#x"),
    )
    blocks = (
        Paragraph(line("before ", *inlines, " 7.5 after")),
        Items((line(hostile),)),
        facts([(hostile, hostile)]),
        Table(hostile[:600], (hostile[:600], hostile[:600]), ((line(hostile), line(Text(hostile, "code"))),)),
        Equation(BOUND, hostile),
        Command((hostile,)),
        Figure(hostile, SVG, line(hostile[:600]), hostile),
        Callout(
            hostile, (Paragraph(line(Link(hostile, f"https://e.org/{hostile}"), Link(hostile, f"#{hostile}"))),), "bad"
        ),
    )
    inner = Section(hostile, hostile, (Paragraph(line(hostile)),))
    return Document(hostile, hostile, "2026-11-22", (Section("x", hostile, blocks, (inner,)), inner), b"", hostile[:99])


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_strings_are_shown_as_text(hostile: str) -> None:
    document = everywhere(hostile)
    found = text(document)
    for run, _ in runs(hostile):
        if all(character < "\u0590" for character in run):  # the order of others is their script's, tested below
            shown_times = found.count(squeezed(run)[:500])
            assert shown_times >= 12, run
    assert "7.5after" in found and "U+FFFD" not in found
    assert_within_margins(render(document))


def test_a_word_of_ten_thousand_letters_is_broken() -> None:
    word = "".join(chr(97 + i % 26) for i in range(10_000))
    cells = (line(word), line(Text(word, "code")), line("1"))
    table = Table("t", ("a", "b", "c"), (cells,), frozenset({2}))
    document = one(Paragraph(line(word)), table, Command((word,)), facts([("f", word)]), Callout(word, (), "bad"))
    assert_within_margins(render(document))
    assert (
        re.sub(r"Privacyreport·certificate.{12}\d+/\d+", "", text(document)).count(word) >= 4
    )  # columns are interleaved


def test_a_right_to_left_name_turns_no_number_round() -> None:
    page = pypdfium2.PdfDocument(render(one(Paragraph(line("from ", Text("אבג"), " 1.5 to 2.5")))))[0].get_textpage()
    characters = page.get_text_range()
    place = {part: page.get_charbox(characters.index(part))[0] for part in ("from", "1.5", "2.5")}
    hebrew = [page.get_charbox(i)[0] for i, c in enumerate(characters) if c in "אבג"]
    assert place["from"] < min(hebrew) and max(hebrew) < place["1.5"] < place["2.5"]


def test_all_characters_that_are_drawn_have_glyphs() -> None:
    """PDF/UA refuses a missing glyph: typst would raise."""
    drawn = "".join(sorted(DRAWN))
    styles = (Text(drawn), Text(drawn, "code"), Text(drawn, "strong"), Text(drawn, "number"))
    render(one(*(Paragraph(line(text)) for text in styles), Callout("t", (), "muted")))


def test_what_is_not_drawn_is_told_by_its_number() -> None:
    assert shown("a\x07b 😀\u202e") == "a‹U+0007›b ‹U+1F600›‹U+202E›"
    assert shown("e\u0301 \n\t x") == "é x" and shown("\ud800") == "‹U+D800›"


@settings(max_examples=300)
@given(st.text(), st.integers(4, 30))
def test_pieces_are_the_text_and_none_is_long(text: str, longest: int) -> None:
    cut = pieces(text, longest)
    assert "".join(cut) == text
    assert all(len(word) <= max(longest, 8) for piece in cut for word in piece.split(" "))


@settings(max_examples=12)
@given(st.text(max_size=80))
def test_any_text_can_be_printed(text: str) -> None:
    render(everywhere(text))


# --- formulas ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "#panic()",
        "#{1+1}",
        'x = #read("report.typ")',
        "$ x $",
        "x // y",
        "x /* y */",
        "@ref",
        "`raw`",
        "\\u{41}",
        'image("x.svg")',
        'std.read("/etc/passwd")',
        "std",
        "sys.inputs",
        'read("report.typ")',
        "eval(x)",
        "panic(x)",
        "pdf.attach(x)",
        'sum.read("x")',
        '"#x"',
        '"unclosed',
        "x\n#y",
        "x\u202ey",
        "你",
        "😀",
    ],
)
def test_what_is_more_than_a_formula_is_refused(body: str) -> None:
    with pytest.raises(ValueError, match="no formula"):
        equation(body)
    with pytest.raises(ValueError, match="no formula"):
        render(one(Equation(Mathematics("x", "", "", body))))


@pytest.mark.parametrize(
    "body",
    [
        BOUND.typst,
        'mu_("low")^2 = frac(1, 2) binom(n, k) (c^(2 K l) - 1)',
        'cases(1 & "where" x <= 2, 0 & "otherwise")',
        "sum_(i = 1)^(n) x_(i) lr((a + b)) + abs(x)",
        "Pr lr([X in S]) ≤ e^epsilon.alt dot Pr lr([X' in S]) + δ",
    ],
)
def test_formulas_are_printed(body: str) -> None:
    assert equation(body) == body
    assert [t["/S"] for t in tags(one(Equation(Mathematics("x", "", "", body))))].count("/Formula") == 1


# --- what there may be too little of ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "block",
    [
        Paragraph(()),
        Items(()),
        Facts(()),
        facts([("", "")]),
        Table("", (), ()),
        Table("", ("",), ()),
        Table("", ("a", "b"), (((), ()),)),
        Equation(Mathematics("", "", "", "")),
        Command(()),
        Command(("",)),
        Figure("", SVG, (), ""),
        Callout("", ()),
        Paragraph(line(Badge(""), Link("", "#only"), Text("", "code"))),
    ],
    ids=repr,
)
def test_empty_things_break_nothing(block: Block) -> None:
    assert "Only" in text(one(block))


def test_empty_documents_break_nothing() -> None:
    assert "0001/1" not in text(Document("", "", "2026-11-22", (), b"", ""))
    assert len(printed(Document("", "", "2026-11-22", (Section("", "", ()), Section("", " ", ())), b"", "")).pages) == 2


def test_widths() -> None:
    assert widths([(20, 10), (20, 10)], 100) == [None, None]
    assert widths([(20, 10), (20, 10), (20, 10)], 100) == [None, None, 1.0]
    assert widths([(20, 10), (20, 10), (20, 10)], 100, {2}) == [None, None, None]
    assert widths([(20, 10), (500, 10), (30, 10)], 100) == [20, 50, 30], "what fits is left as it is"
    assert widths([(20, 10), (500, 10), (500, 10)], 100) == [20, 40, 40]
    assert widths([(400, 60), (500, 10), (500, 10)], 100) == [60, 20, 20], "no word is cut while there is room"


def test_typst_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(UsageError, match=r"needs typst; pip install 'plumbline-dp\[report\]'"):
        render(ALL)


def test_the_template_takes_its_data_from_one_place_and_runs_none_of_it() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in TEMPLATES.glob("*.typ"))
    assert source.count("sys.inputs.report)") == 1 and source.count("eval(") == 1
    assert not re.search(r"#?(include|import|plugin|read)\b *[\"(]", source)
    assert STANDARDS == ("a-3a", "ua-1")


# --- real certificates ------------------------------------------------------------------------------------------------


def assert_within_margins(pdf: bytes) -> None:
    """No page is blank, and no character of one leaves it."""
    for page in pypdfium2.PdfDocument(pdf):
        width, height = page.get_size()
        image = page.render(scale=0.5, grayscale=True).to_pil()
        body = image.crop((0, 0, image.width, round(image.height * 0.93)))  # without the footer
        assert body.getextrema()[0] < 200, "a blank page"
        words = page.get_textpage()
        boxes = [words.get_charbox(i) for i in range(0, words.count_chars(), 7)]
        assert all(left > 40 and right < width - 40 and bottom > 25 for left, bottom, right, _ in boxes if right > left)
        assert all(top < height - 25 for *_, top in boxes)


def assert_printed_whole(document: Document) -> None:
    found = text(document)
    assert [number for number in sorted(numbers(document)) if number not in found] == []
    assert printed(document).attachments["certificate.json"] == [document.certificate]
    assert all(tag.get("/Alt") for tag in tags(document) if tag["/S"] in ("/Figure", "/Formula"))
    assert_within_margins(render(document))


def test_a_certificates_numbers_are_printed() -> None:
    document, predicate = samples.document(), samples.reading().predicate
    found = text(document)
    assert_printed_whole(document)
    stated = [predicate["delta"], *(predicate["epsilon"][key] for key in ("upper", "lower", "target"))]
    stated += [value for value in predicate["mu"].values() if value] + [
        value for value in predicate["wasserstein"].values()
    ]
    assert len(stated) >= 8 and [number for number in stated if number not in found] == []


def test_a_full_certificate_is_printed() -> None:
    document = samples.full()
    assert_printed_whole(document)
    assert sum(tag["/S"] == "/Figure" for tag in tags(document)) == 2
    assert len(printed(document).pages) < 20


@pytest.mark.slow
@pytest.mark.parametrize("name", samples.RUNS)
def test_every_kind_of_certificate_is_printed(name: str) -> None:
    assert_printed_whole(samples.document(name))


@pytest.mark.slow
@pytest.mark.parametrize("hostile", samples.HOSTILE, ids=range(len(samples.HOSTILE)))
def test_a_hostile_certificate_is_printed(hostile: str) -> None:
    assert_printed_whole(samples.document(**samples.hostile(hostile)))


def test_ticks_and_words_not_colours_alone() -> None:
    tones = ("plain", "good", "warning", "bad", "muted")
    marks = "i✓!✗–"
    for tone, mark in zip(tones, marks, strict=True):
        assert f"{mark}Title" in text(one(Callout("Title", (), tone)))
    for tone, mark in zip(tones[1:4], marks[1:4], strict=True):
        assert f"{mark}AttestedText" in text(one(Paragraph(line("AttestedText"), tone)))
