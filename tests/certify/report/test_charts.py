"""The pictures of a report: strict SVG, drawn at the right places, the same bytes everywhere."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from certify import certify
from certify.pictures.figures import make_figures
from certify.report.axes import Scale, logarithm, plain, ticks, trace
from certify.report.canvas import BOTTOM, LEFT, RIGHT, TOP
from certify.report.charts import print_colours, profile_chart, sweep_chart
from certify.report.document import Figure
from certify.report.html import TEMPLATES
from certify.report.reading import Reading, read
from certify.trust.certificate import make_statement
from tests.certify.envelopes import seal
from tests.certify.runs import EXAMPLES, ROOT, mnist, tables, training

RUNS = {
    "digits": EXAMPLES / "digits.toml",
    "network": EXAMPLES / "network.toml",
    "far target": mnist(),
    "several": tables(mechanism={"unlearning_epochs": [1, 2]}, requests={"sizes": [1, 1]}),
    "training": training({"steps": 20}),
    "plain": training({"sampling": "full", "sample_rate": None, "steps": 20, "noise_multiplier": 5}),
    "no target": tables(target={"epsilon": 0}),
    "nothing left": tables(mechanism={"noise_std": "1e5"}),
}


@cache
def with_figures(name: str) -> str:
    result = certify(RUNS[name])
    return json.dumps(make_statement(result, figures=make_figures(result)))


def reading(name: str, **changed: Any) -> Reading:
    """A certificate that the checker has seen; with `changed` figures, one that it has not."""
    made = json.loads(with_figures(name))
    if not changed:
        return read(seal(made))
    for key, entries in changed.items():
        made["predicate"]["figures"][key] |= entries
    return Reading(b"", None, made, "")


def figures(name: str) -> list[Figure]:
    seen = reading(name)
    return [figure for figure in (profile_chart(seen), sweep_chart(seen)) if figure is not None]


def elements(svg: str) -> list[ET.Element]:
    return list(ET.fromstring(svg).iter())


@pytest.mark.parametrize("name", RUNS)
def test_a_strict_policy_finds_nothing_to_block(name: str) -> None:
    drawn = figures(name)
    assert drawn or name == "nothing left"
    for figure in drawn:
        found = elements(figure.svg)
        tags = {element.tag.removeprefix("{http://www.w3.org/2000/svg}") for element in found}
        assert tags <= {"svg", "title", "desc", "path", "circle", "text"}
        assert "<?" not in figure.svg and "<!" not in figure.svg
        for element in found:
            assert not {"style", "class", "href", "onload", "width", "height"} & set(element.attrib)
            for key in ("fill", "stroke"):
                assert re.fullmatch(r"none|currentColor|var\(--[a-z0-9-]+\)", element.get(key, "none"))
        root = found[0]
        assert root.get("role") == "img"
        named = [next(e for e in found if e.get("id") == name) for name in root.get("aria-labelledby").split()]
        assert [e.tag.rpartition("}")[2] for e in named] == ["title", "desc"] and named[1].text == figure.alternative
        ids = [e.get("id") for e in found if e.get("id")]
        assert len(ids) == len(set(ids)) and all(each.startswith(figure.id) for each in ids)
        assert "nan" not in figure.svg and "inf" not in figure.svg


def test_the_colours_are_those_of_the_page_and_of_paper() -> None:
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    for figure in figures("digits"):
        for name in set(re.findall(r"var\((--[a-z0-9-]+)\)", figure.svg)):
            assert f"{name}:" in style
        printed = print_colours(figure.svg)
        assert "var(" not in printed and "currentColor" not in printed
        assert len(elements(printed)) == len(elements(figure.svg))


@pytest.mark.parametrize("name", ["digits", "training", "far target"])
def test_points_lie_where_their_numbers_say(name: str) -> None:
    """The run's own point of the profile is at (ε, δ) on the axes that the ticks show."""
    seen = reading(name)
    figure = profile_chart(seen)
    found = elements(figure.svg)
    (circle,) = (e for e in found if e.tag.endswith("circle") and float(e.get("cy")) > TOP)
    texts = [e for e in found if e.tag.endswith("text")]
    across = {e.text: float(e.get("x")) for e in texts if e.get("text-anchor") == "middle" and e.text != "ε"}
    down = {e.text: float(e.get("y")) - 4 for e in texts if e.get("text-anchor") == "end" and float(e.get("x")) < LEFT}
    own, delta = float(seen.predicate["epsilon"]["upper"]), Fraction(seen.predicate["delta"])
    marks = sorted((float(text), at) for text, at in across.items())
    log = name == "far target"
    (first, x0), (last, x1) = marks[0], marks[-1]
    if log:
        first, last, own = (float(logarithm(Fraction(value))) for value in (first, last, own))
    assert float(circle.get("cx")) == pytest.approx(x0 + (own - first) / (last - first) * (x1 - x0), abs=0.1)
    step = (down["0.001"] - down["0.01"]) if "0.01" in down else (down["10⁻⁴"] - down["0.001"])
    assert float(circle.get("cy")) == pytest.approx(down["0.001"] + (-3 - logarithm(delta)) * step, abs=0.1)


def test_texts_have_the_certificates_numbers() -> None:
    for name in ("digits", "several", "training"):
        seen = reading(name)
        shown = seen.predicate["epsilon"]
        for figure in (profile_chart(seen), sweep_chart(seen)):
            for text in (shown["upper"], shown["target"], seen.predicate["delta"]):
                assert text in figure.alternative and text in figure.svg
    assert "request 2" in sweep_chart(reading("several")).alternative or reading("several").worst == 0


def test_the_same_bytes_in_two_processes() -> None:
    code = (
        "from tests.certify.report.test_charts import figures; import hashlib; "
        "print(hashlib.sha256(''.join(f.svg for f in figures('digits') + figures('training')).encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


HUGE, TINY = "1e9999", "1e-9999"


@pytest.mark.parametrize(
    "changed",
    [
        {"profile": {"epsilon": ["0", "1" + "0" * 400], "upper": ["0.5", "0"], "lower": [None, None]}},
        {"profile": {"epsilon": ["0", "1/3"], "upper": ["0", "0"], "lower": ["0", None]}},
        {"profile": {"epsilon": ["0", "1"], "upper": [TINY, HUGE], "lower": [HUGE, TINY]}},
        {"profile": {"epsilon": ["1", "2"], "upper": ["0.9", "0.00000001"], "lower": ["0.5", "0"]}},
        {"sweep": {"values": ["1"], "upper": ["1"], "lower": ["1"], "published": ["1"]}},
        {"sweep": {"values": ["2", "1"], "upper": ["1", "1"], "lower": ["1", "1"], "published": ["1", "1"]}},
        {"sweep": {"values": ["0", "5"], "upper": [None, None], "lower": [None, "1"], "published": [None, TINY]}},
        {"sweep": {"values": ["1", "9" * 400], "upper": ["1", HUGE], "lower": ["0", None], "published": [None, None]}},
        {"sweep": {"values": ["1", "9" * 400], "upper": ["1", "2"], "lower": ["0", None], "published": [None, None]}},
        {"sweep": {"published_name": None}},
    ],
)
def test_any_numbers_of_the_right_shape_are_drawn_or_left_out(changed: dict[str, Any]) -> None:
    seen = reading("digits", **changed)
    for figure in (profile_chart(seen), sweep_chart(seen)):
        if figure is not None:
            assert "nan" not in figure.svg and "inf" not in figure.svg
            ET.fromstring(figure.svg)


def test_without_data_there_is_no_picture() -> None:
    made = json.loads(with_figures("digits"))
    for left_out in ({"profile": None, "sweep": None, "published": None}, None):
        made["predicate"]["figures"] = left_out
        seen = Reading(b"", None, made, "")
        assert profile_chart(seen) is None and sweep_chart(seen) is None


places = st.floats(-50, 150) | st.just(float("-inf"))


@given(points=st.lists(st.none() | st.tuples(st.floats(-50, 150), places), max_size=12))
@example(points=[(50.0, float("-inf")), (50.0, 1e-138)])  # a hair inside the edge
@example(points=[(50.0, 1e-138), (50.0, float("-inf"))])
@example(points=[(-50.0, 50.0), (1e-138, 50.0)])
@example(points=[(150.0, 50.0), (math.nextafter(100, 0), 50.0), (50.0, 150.0)])
def test_no_line_leaves_the_frame(points: list[tuple[float, float] | None]) -> None:
    path = trace(points, Scale(0, 100, LEFT, RIGHT), Scale(0, 100, BOTTOM, TOP))
    numbers = [float(text) for text in re.findall(r"-?\d+\.?\d*", path)]
    assert all(LEFT - 0.01 <= x <= RIGHT + 0.01 for x in numbers[::2])
    assert all(TOP - 0.01 <= y <= BOTTOM + 0.01 for y in numbers[1::2])
    inside = [p for p in points if p is not None and 0 < p[0] < 100 and 0 < p[1] < 100]
    if len(points) > 1 and all(p is not None for p in points) and inside and any(p != inside[0] for p in points):
        assert path


@given(low=st.floats(-20, 20), width=st.floats(0.2, 30), log=st.booleans())
def test_ticks_are_few_and_say_where_they_are(low: float, width: float, log: bool) -> None:
    scale = Scale(low, low + width, 0, 1, log=log)
    found = ticks(scale)
    assert 1 <= len(found) <= 11 or (log and width < 1.5)
    for value, text in found:
        assert low - 1e-6 <= value <= low + width + 1e-6
        if not set(text) & set("⁻⁰¹²³⁴⁵⁶⁷⁸⁹"):
            assert float(text) == pytest.approx(10**value if log else value, rel=0.05, abs=1e-9)


def test_numbers_as_people_write_them() -> None:
    expected = {"0": "0", "0.5": "0.5", "0.001": "0.001", "20000": "20000", "0.25": "0.25", "-3": "-3"}
    expected |= {"1e7": "10⁷", "2e-7": "2·10⁻⁷"}
    assert {text: plain(Fraction(text)) for text in expected} == expected


def test_typst_shows_them() -> None:
    typst = pytest.importorskip("typst")
    for figure in figures("digits"):
        source = '#image(bytes(sys.inputs.svg), format: "svg", alt: "a chart")'
        made = typst.compile(source.encode(), sys_inputs={"svg": print_colours(figure.svg)})
        assert made.startswith(b"%PDF")
