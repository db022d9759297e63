"""Results as floats and in notebooks: the floats keep to the safe side, the pages say what is printed elsewhere."""

from __future__ import annotations

import math
from fractions import Fraction
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accountant.core.display import facts, page, table
from accountant.core.exact import Rounding, outward_double
from accountant.explain import explain
from certify import calibrate, certify, compare, crosscheck, plan, verify, write_certificate
from tests.certify.runs import EXAMPLES, tables, training


@given(st.fractions(), st.integers(-420, 420))
def test_a_float_is_on_the_safe_side_of_the_printed_decimal(mantissa: Fraction, exponent: int) -> None:
    text = f"{mantissa.numerator}e{exponent}"
    above, below = outward_double(text, Rounding.UP), outward_double(text, Rounding.DOWN)
    assert above is not None and below is not None
    assert math.isinf(above) or Fraction(above) >= Fraction(text)
    assert math.isinf(below) or Fraction(below) <= Fraction(text)
    assert math.nextafter(above, -math.inf) <= below or above == below, "neighbours, or the same"


def test_beyond_every_double() -> None:
    largest = math.nextafter(math.inf, 0)
    assert outward_double("1e400", Rounding.UP) == math.inf and outward_double("1e400", Rounding.DOWN) == largest
    assert outward_double("-1e400", Rounding.UP) == -largest and outward_double("-1e400", Rounding.DOWN) == -math.inf
    assert outward_double(None, Rounding.UP) is None


def test_the_floats_of_a_result() -> None:
    result = certify(tables())
    assert Fraction(result.epsilon_upper) >= Fraction(result.epsilon["upper"])  # type: ignore[arg-type]
    assert Fraction(result.epsilon_lower) <= Fraction(result.epsilon["lower"])  # type: ignore[arg-type]
    assert result.mu_upper == pytest.approx(float(result.mu["upper"])) and result.mu_lower <= result.mu_upper  # type: ignore
    assert certify(training()).mu_upper is None


class Cells(HTMLParser):
    """Checks that tags are balanced, and collects the texts of cells."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        if tag in ("td", "strong"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "strong"):
            self.cells[-1] += data


def test_every_result_has_a_page(tmp_path: Any) -> None:
    result = certify(EXAMPLES / "mnist.toml")
    shown = Cells(result._repr_html_()).cells
    assert shown[0] == "CERTIFIED" and result.epsilon["upper"] in shown and result.assumptions[0]["text"] in shown
    assert result.epsilon["upper"] in result._repr_latex_() and result._repr_latex_().count("$") == 2
    comparison = compare(EXAMPLES / "mnist.toml")
    assert {row.label for row in comparison.rows} <= set(Cells(comparison._repr_html_()).cells)
    explanation = explain(result.worst.upper)
    shown = Cells(explanation._repr_html_()).cells
    assert shown[0] == explanation.steps[-1].conclusion and explanation.steps[0].source in shown
    assert explanation._repr_latex_() == explanation.latex()
    verification = verify(write_certificate(result, tmp_path))
    assert Cells(verification._repr_html_()).cells[0] == "Verified"


def test_pages_of_training_runs_and_searches() -> None:
    comparison = compare(training())
    assert {row.label for row in comparison.rows} <= set(Cells(comparison._repr_html_()).cells)
    tuned = calibrate(tables(target={"epsilon": 5}))
    assert Cells(tuned._repr_html_()).cells[:2] == [f"noise_std = {tuned.value}", tuned.result.epsilon["upper"]]
    assert tuned.epsilon_upper is not None and tuned.epsilon_upper <= 5
    choices = plan(tables(target={"epsilon": 5}), batch_sizes=[4], unlearning_epochs=[1, 2])
    shown = Cells(choices._repr_html_()).cells
    assert all(row.as_json()["noise_std"] in shown for row in choices.rows)
    found = crosscheck(
        [{"noise_multiplier": 1, "sample_rate": "0.01", "steps": 10}], written_by="triples", delta="1e-5", printed="0.1"
    )
    assert Cells(found._repr_html_()).cells[0] == str(found.judgement)


def test_what_a_user_wrote_is_text_and_not_markup() -> None:
    shown = page("<b>", facts({"<i>": "&amp;", "none": None}), table("<u>", [{"a": True, "b": [None, {"c": 1}]}]), "")
    assert Cells(shown).cells == ["<b>", "&amp;", "yes", "–, c 1"] and "<i>" not in shown and "<u>" not in shown
    assert table("nothing", []) == "" and facts({"a": None}) == ""
