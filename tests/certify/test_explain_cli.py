"""`explain`: the tree, and formulas that evaluate to the numbers that were certified."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import sympy
from hypothesis import given, settings
from mpmath import mp, mpf

from accountant import Derivation, enclose
from accountant.explain import explain
from accountant.quantities import Contraction, GaussianDP, GaussianWitness, LossBounds, Shift
from certify import certify
from tests.certify.runs import EXAMPLES, plumbline, refused, tables, to_toml, valid_runs


def evaluated(formula: Any) -> Fraction:
    """The right side with the formula's own values, to forty digits."""
    number = sympy.N(formula.right.subs(dict(formula.values)), 40)
    assert number.is_Float or number.is_Integer or number.is_Rational, (formula.right, formula.values)
    with mp.workdps(40):
        return Fraction(mp.nstr(mpf(number._mpf_) if number.is_Float else mpf(int(number)), 35, strip_zeros=False))


def expected(node: Derivation, left: str) -> Fraction | None:
    """What a step concludes, by the name on the formula's left."""
    match node.glance:
        case LossBounds(smoothness, _, gradient_bound):
            return {"L": smoothness, "M": gradient_bound}[left]
        case Contraction(factor):
            return factor
        case Shift(distance):
            return distance
        case GaussianDP(_) | GaussianWitness(_):
            found = enclose(node)
            return ((found.lower + found.upper) / 2) ** 2
    return None


def check_formulas(derivation: Derivation) -> int:
    """Every formula with values against its step; returns how many there were."""
    explanation, checked = explain(derivation), 0
    by_id: dict[str, list[Derivation]] = {}
    for node in derivation.nodes():
        by_id.setdefault(node.theorem.id, []).append(node)
    for step in explanation.steps:
        for formula in step.formulas:
            if step.theorem in ("T11", "T2", "T10", "T6c"):
                continue
            values = [expected(node, str(formula.left)) for node in by_id[step.theorem]]
            found = evaluated(formula)
            assert any(v is not None and abs(found - v) <= abs(v) * Fraction(1, 10**12) for v in values), (
                step.theorem,
                formula,
                found,
            )
            checked += 1
    return checked


@settings(max_examples=6)
@given(valid_runs(radius=False, requests=2))
def test_formulas_evaluate_to_what_was_certified(run: Any) -> None:
    for claim in certify(run).claims:
        assert check_formulas(claim.upper) >= 2
        if claim.lower is not None:
            check_formulas(claim.lower)


@settings(max_examples=5)
@given(valid_runs(requests=2))
def test_bounds_with_a_radius_are_explained(run: Any) -> None:
    for claim in certify(run).claims:
        explanation = explain(claim.upper)
        assert explanation.steps[-1].theorem == "T11" and explanation.latex().count("&=") >= 2
        assert len(explanation.tree().splitlines()) >= len(explanation.steps)


@pytest.mark.parametrize("unlearning_epochs", [0, 1])
def test_expanding_steps_are_explained(unlearning_epochs: int) -> None:
    mechanism = {"radius": 1, "step_size": "2.5", "epochs": 5, "unlearning_epochs": unlearning_epochs}
    assert explain(certify(tables(mechanism=mechanism)).worst.upper).text()


def test_formulas_of_the_examples() -> None:
    for name, least in (("mnist", 3), ("learning", 3), ("digits", 5)):
        claim = certify(EXAMPLES / f"{name}.toml").worst
        assert check_formulas(claim.upper) >= least
        assert claim.lower is not None
        assert check_formulas(claim.lower) >= 1 or name == "learning"  # T6c is a number, found by search


def test_text_has_the_tree_and_the_formulas() -> None:
    done = plumbline("explain", EXAMPLES / "mnist.toml")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].endswith("T11 gaussian_profile: ε ≤ 0.0779602571713")
    assert lines[1].startswith("└─ ") and "T3 taut_string: μ ≤ 0.0323489636801" in lines[1]
    assert lines[2].startswith("   └─ ") and "T10 requests: 2 phases, 8888 steps" in lines[2]
    assert [line.strip("│├└─ ").split()[1] for line in lines[3:5]] == ["C1", "C2"]
    for text in ("μ  = ", "c = Max(", "2⋅M⋅η", "2⋅η⋅σ", "Source: theory T2, T3", "Φ"):
        assert text in done.out


@pytest.mark.parametrize("name", ["mnist", "learning", "digits", "breast_cancer"])
@pytest.mark.parametrize("lower", [False, True])
def test_latex_is_balanced(name: str, lower: bool) -> None:
    done = plumbline("explain", EXAMPLES / f"{name}.toml", "--format", "latex", *(["--lower"] if lower else []))
    assert (done.code, done.err) == (0, "")
    text = done.out.strip()
    assert text.startswith(r"\begin{align*}") and text.endswith(r"\end{align*}")
    depth = 0
    for i, c in enumerate(text):
        depth += {"{": 1, "}": -1}.get(c, 0) if text[i - 1] != "\\" else 0
        assert depth >= 0
    assert depth == 0 and text.count(r"\left") == text.count(r"\right")
    rows = text.splitlines()[1:-1]
    assert rows and all(row.count("&=") == 1 and row.count("&&") == 1 for row in rows)
    assert all(row.endswith(r" \\") for row in rows[:-1]) and not rows[-1].endswith(r"\\")


def test_json() -> None:
    done = plumbline("explain", EXAMPLES / "digits.toml", "--format", "json")
    shown = json.loads(done.out)
    assert (done.code, done.err) == (0, "") and set(shown) == {"steps", "assumptions"}
    assert [step["theorem"] for step in shown["steps"]] == ["L1", "C1", "C2", "T10", "T3", "T11"]
    for i, step in enumerate(shown["steps"]):
        assert step["number"] == i + 1 and all(1 <= premise <= i for premise in step["premises"])
        assert step["statement"] and step["conclusion"] and step["source"] and step["name"]
        for formula in step["formulas"]:
            assert set(formula) == {"latex", "text", "values"}
            assert all(sympy.sympify(value).is_real for value in formula["values"].values())
    assert shown["steps"][-1]["conclusion"] == f"ε ≤ {certify(EXAMPLES / 'digits.toml').epsilon['upper']}"
    assert set(shown["assumptions"]) >= {"convexity", "gaussian_noise", "feature_norm"}


def test_lower() -> None:
    done = plumbline("explain", EXAMPLES / "mnist.toml", "--lower")
    assert done.code == 0 and "T6 straight_witness: μ ≥ 0.03234896368" in done.out
    assert "ε ≥ 0.0779602571712" in done.out.splitlines()[0] and "taut_string" not in done.out


def test_no_lower_bound_with_a_projection(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(tables(mechanism={"radius": 1})))
    assert "no lower bound" in refused(plumbline("explain", path, "--lower"))


def test_requests() -> None:
    file = EXAMPLES / "breast_cancer.toml"
    found = certify(file)
    for i, request in enumerate(found.requests):
        done = plumbline("explain", file, "--request", str(i + 1))
        assert done.code == 0 and done.out.splitlines()[0].endswith(f"ε ≤ {request['epsilon']}")
    worst = plumbline("explain", file).out.splitlines()[0]
    assert worst.endswith(f"ε ≤ {found.epsilon['upper']}")


@pytest.mark.parametrize("request_number", ["0", "4", "-1", "100000000000000000000"])
def test_request_out_of_range(request_number: str) -> None:
    line = refused(plumbline("explain", EXAMPLES / "breast_cancer.toml", f"--request={request_number}"))
    assert f"--request: {request_number} is none of the requests 1 … 3" in line


def test_a_missed_target_is_explained_too(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(tables(target={"epsilon": "0.01"})))
    assert plumbline("explain", path).code == 0
