"""docs/theory.md: every theorem is stated and proved there, and whatever cites the page cites what it has.

A citation is `docs/theory.md` followed by ids and parts, as in `docs/theory.md T2, T3` or `docs/theory.md §9`; the path
alone cites the page, and a Markdown link names an anchor.
"""

from __future__ import annotations

import importlib.util
import math
import re
from collections import Counter
from fractions import Fraction as F
from pathlib import Path
from statistics import NormalDist

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "theory.md"
TEXT = PAGE.read_text(encoding="utf-8")
FOLDERS = ("accountant", "certify", "docs", "examples", "findings", "hooks", "learners", "notebooks", "tests")
SUFFIXES = (".py", ".md", ".toml", ".typ", ".jinja", ".ipynb")
ITEM = r"(?:§\d+|[A-Z]\d+[a-z]?\b)"
CITATION = re.compile(rf"docs/theory\.md ({ITEM}(?:, {ITEM})*)")
Phi = NormalDist().cdf

spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)
THEOREMS = generate.THEOREMS  # all of them: it imports whatever declares one


def anchors(text: str) -> list[str]:
    """The anchors that GitHub gives to the headings of a page, in order; a repeated one is numbered."""
    seen: Counter[str] = Counter()
    found = []
    for title in re.findall(r"^#{1,6} (.*)$", text, re.MULTILINE):
        made = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        found.append(made if not seen[made] else f"{made}-{seen[made]}")
        seen[made] += 1
    return found


def sections() -> dict[str, str]:
    """Id -> what stands under its heading."""
    parts = re.split(r"^#{2,3} (?:([A-Z]\d+[a-z]?): )?.*$", TEXT, flags=re.MULTILINE)
    return {id: text for id, text in zip(parts[1::2], parts[2::2], strict=True) if id}


def cited(text: str) -> list[str]:
    return [item for found in CITATION.findall(text) for item in found.split(", ")]


def pages() -> list[Path]:
    """Whatever may cite the theory: every text file, but what this file and the vectors hold."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    found += [path for path in ROOT.iterdir() if path.suffix in SUFFIXES]
    return [path for path in found if path.is_file() and path != Path(__file__) and "vectors" not in path.parts]


def test_every_theorem_is_stated_and_proved() -> None:
    known = sections()
    assert set(THEOREMS) <= set(known)
    for id, declared in THEOREMS.items():
        assert f"`{declared.name}`" in known[id], f"{id}: where it is in the code"
        assert "∎" in known[id] or "proof" in known[id].lower() or "not proved here" in known[id], id


def test_every_id_from_t1_to_t28_has_a_heading() -> None:
    assert {f"T{number}" for number in range(1, 29)} <= set(sections())


def test_headings_have_anchors_of_their_own() -> None:
    assert [anchor for anchor, number in Counter(anchors(TEXT)).items() if number > 1] == []
    ids = re.findall(r"^### ([A-Z]\d+[a-z]?): ", TEXT, re.MULTILINE)
    assert len(ids) == len(set(ids))


def test_links_of_the_page_resolve() -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", TEXT)
    own = {link[1:] for link in links if link.startswith("#")}
    assert own and own <= set(anchors(TEXT))
    for link in links:
        path = link.partition("#")[0]
        assert link.startswith(("#", "http")) or (PAGE.parent / path).exists(), link


def test_the_contents_have_every_heading() -> None:
    contents = TEXT.partition("## Contents")[2].partition("\n## ")[0]
    listed = re.findall(r"\]\(#([^)]+)\)", contents)
    titles = re.findall(r"^(?:## \d+\.|### [A-Z]\d).*$", TEXT, re.MULTILINE)
    assert listed == anchors("\n".join(titles))


def test_formulas_are_closed_on_their_line() -> None:
    """GitHub shows a formula that runs over a line's end as text."""
    for number, line in enumerate(TEXT.splitlines(), 1):
        assert line.count("$") % 2 == 0, number


def test_citations_resolve() -> None:
    known = {*sections(), *(f"§{number}" for number in re.findall(r"^## (\d+)\. ", TEXT, re.MULTILINE))}
    wrong = {}
    for path in pages():
        text = path.read_text(encoding="utf-8")
        example = (
            {"T90", "L90", "L90u"} if path.name == "CONTRIBUTING.md" else set()
        )  # followed by tests/test_contributing.py
        bad = [item for item in cited(text) if item not in known | example]
        bad += set(re.findall(r"theory\.md#([\w-]+)", text)) - set(anchors(TEXT))
        bad += re.findall(r"(?<![/(\"])\btheory\.md", text)  # a path that leads nowhere
        bad += re.findall(r"\btheory,? (?:§|[TPLC]\d)\w*", text)  # an id without the page
        if bad:
            wrong[str(path.relative_to(ROOT))] = bad
    assert wrong == {}


def test_every_theorem_cites_its_own_proof() -> None:
    assert {id: t.source for id, t in THEOREMS.items() if id not in cited(t.source)} == {}


def test_the_table_of_theorems_links_to_the_proofs() -> None:
    table = (ROOT / "THEOREMS.md").read_text(encoding="utf-8")
    known = set(anchors(TEXT))
    targets = re.findall(r"\]\(docs/theory\.md#([^)]+)\)", table)
    assert set(targets) <= known
    for id in THEOREMS:
        assert re.search(rf"\* Proof: \[docs/theory\.md {id}\]\(docs/theory\.md#{id.lower()}-", table), id


def test_a_theorem_without_a_heading_is_named() -> None:
    with pytest.raises(LookupError, match=r"has no heading '### T99: …'"):
        generate.proof("T99")


def test_sources_become_links() -> None:
    shown = generate.linked("docs/theory.md T3, §9; Bok, Su, Altschuler 2024, T3 of it")
    assert shown == (
        "docs/theory.md [T3](docs/theory.md#t3-taut-string), [§9](docs/theory.md#9-traps); "
        "Bok, Su, Altschuler 2024, T3 of it"
    )


def string(rates: list[F], shifts: list[F]) -> F:
    """T3's least μ² with τ = 1 from equal starts: the energy of the greatest convex minorant, by the definition."""
    n = len(rates)
    C = [math.prod(rates[k + 1 :], start=F(1)) for k in range(n)]
    D, V = [F(0)], [F(0)]
    for k in range(n):
        D.append(D[-1] + C[k] * shifts[k])
        V.append(V[-1] + C[k] ** 2)
    at, total = 0, F(0)
    while at < n:  # the least slope to any later point, the last such point
        slope, after = min(((D[k] - D[at]) / (V[k] - V[at]), -k) for k in range(at + 1, n + 1))
        total += slope**2 * (V[-after] - V[at])
        at = -after
    return total


def test_the_example_of_t26() -> None:
    """An excursion of two steps and composition; composition; the string with drift everywhere."""
    half = F(1, 2)
    assert string([half] * 2, [F(1), F(1, 10)]) + F(1, 100) == F("0.298")
    assert F(1) + F(1, 100) == F("1.01")
    assert string([half] * 3, [F(1), F(1, 10), F(1)]) == F("1.288")
    assert all(f"${number}$" in sections()["T26"] for number in ("1.01", "1.288")) and "0.298" in sections()["T26"]


def test_the_counter_example_of_t26() -> None:
    """Runs that are 1 apart after N(0, 1), then 2·sign(x) + N(0, 1): total variation."""
    truth = (2 * Phi(0.5) - 1) * (2 * Phi(2) - 1)
    assert f"{truth:.4f}" == "0.3655" and "0.3655" in sections()["T26"]


def test_one_coin_is_no_bound_for_four() -> None:
    """T27 at T = 1, ε = 0, z = 1, q = 0.01: total variation of the two mixtures and N(0, 1)."""
    q, k = 0.01, 4
    weights = [math.comb(k, j) * q**j * (1 - q) ** (k - j) for j in range(k + 1)]

    def ratio(x: float) -> float:
        return sum(w * math.exp(j * x - j * j / 2) for j, w in enumerate(weights))

    low, high = -10.0, 10.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if ratio(middle) < 1 else (low, middle)
    four = sum(w * (1 - Phi(low - j)) for j, w in enumerate(weights)) - (1 - Phi(low))
    one = q * (2 * Phi(k / 2) - 1)
    assert (f"{one:.5f}", f"{four:.5f}") == ("0.00954", "0.01523")
    assert "0.00954" in sections()["T27"] and "0.01523" in sections()["T27"]


def test_the_steepest_slope_of_the_page() -> None:
    """T16: sup φ′ of psasc at C = s = 1, r = 0.01, by a grid, is the table's formula and the 6.5 of the text."""
    r = 0.01

    def phi(x: float) -> float:
        return x / (x + r / (x + r))

    grid = [i * 1e-4 for i in range(1, 20_000)]
    steepest = max((phi(x + 1e-6) - phi(x)) / 1e-6 for x in grid)
    assert math.isclose(steepest, 3 * math.sqrt(3) / (math.sqrt(r) * (4 - r) ** 1.5), rel_tol=1e-3)
    assert f"{steepest:.1f}" == "6.5" and "6.5" in sections()["T16"]


@pytest.mark.parametrize("second", [-1, 0], ids=["replace-one", "remove-one"])
@pytest.mark.parametrize("erased", [0, 1, 3])
def test_the_others_gradient_in_the_proof_of_t6m(second: int, erased: int) -> None:
    """Both runs' means, step by step, lie symmetrically about one point, wherever the differing record is."""
    learned, batches, rho = 2, 3, F(4, 5)
    geometric = [sum((rho**batches) ** e for e in range(epochs)) for epochs in (learned, erased)]
    A, B = geometric[0] * rho ** (erased * batches), geometric[1]
    others = (A * F(1 + second, 2) + B * second) / (A + B)
    assert abs(others) <= 1

    def mean(position: int | None, learning: F, unlearning: F) -> F:
        x = F(0)
        for step in range((learned + erased) * batches):
            own = learning if step < learned * batches else unlearning
            x = rho * x - (others + (own - others) / 4 if step % batches == position else others)
        return x

    centre = mean(None, others, others)
    for position in range(batches):
        first, other = (mean(position, F(own), F(second)) for own in (1, second))
        assert first + other == 2 * centre and first != other


@pytest.mark.parametrize("c", [0.2, 0.5, 0.7, 0.9])
def test_both_parts_of_the_charge_of_t28r_are_needed(c: float) -> None:
    """Affine steps, errors ±1 before each noise, τ = 1: what they add to μ, against the sum and either part of it."""
    apart = variance = 0.0
    for _ in range(400):
        apart, variance = c * apart + 2, c * c * variance + 1
    added = apart / math.sqrt(variance)
    assert math.isclose(added, 2 * math.sqrt(1 - c * c) / (1 - c)) and added <= 2 / (1 - c)
    assert (added > 2 * max(c, 1 - c) / (1 - c)) == (c < 1 / math.sqrt(2))


@pytest.mark.parametrize("q", [0.01, 0.3, 0.9])
@pytest.mark.parametrize("order", [1.5, 2.0, 7.3])
def test_the_inequality_in_the_proof_of_t18(q: float, order: float) -> None:
    """F(a) ≥ w·F(u/w) for u > 1, a = 1 − q + qu, w = u(1 − q) + q."""

    def f(x: float) -> float:
        return x**order - x ** (1 - order)

    for i in range(1, 400):
        u = math.exp(i / 50)
        a, w = 1 - q + q * u, u * (1 - q) + q
        assert f(a) >= w * f(u / w) * (1 - 1e-9)
