"""`explain`: the tree, and formulas that evaluate to the numbers that were certified."""

from __future__ import annotations

import json
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import sympy
from hypothesis import given, settings
from mpmath import mp, mpf

from accountant import Derivation, enclose
from accountant.core.quantities import GaussianDP, GaussianWitness, LossBounds
from accountant.explain import explain
from accountant.theorems.timelines import Contraction, Shift
from certify import certify
from certify.results.explain import analyse
from tests.certify.runs import EXAMPLES, constants, plumbline, refused, tables, to_toml, valid_runs

DERIVATION = {"steps", "values", "assumptions"}
ANALYSIS = {"limits", "sensitivities", "phases", "segments", "elasticities"}
SECTIONS = ("Limits", "Sensitivity", "What dominates")


def evaluated(formula: Any) -> Fraction:
    """The right side with the formula's own values, to forty digits."""
    number = sympy.N(formula.right.subs(dict(formula.values)), 40)
    assert number.is_Float or number.is_Integer or number.is_Rational, (formula.right, formula.values)
    with mp.workdps(40):
        return Fraction(mp.nstr(mpf(number._mpf_) if number.is_Float else mpf(int(number)), 35, strip_zeros=False))


def expected(node: Derivation, left: str) -> Fraction | None:
    """What a step concludes, by the name on the formula's left."""
    match node.preview:
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
            if step.theorem in ("T11", "T2", "T10", "T6c", "T24") or not (formula.values or formula.right.is_number):
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
        assert explanation.steps[-1].theorem in ("T11", "T24") and explanation.latex().count("&=") >= 2
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
    for text in ("μ  = ", "c = Max(", "2⋅M⋅η", "2⋅η⋅σ", "Source: docs/theory.md T2, T3", "Φ"):
        assert text in done.out


@pytest.mark.parametrize("name", ["mnist", "learning", "digits", "breast_cancer"])
@pytest.mark.parametrize("lower", [False, True])
def test_latex_is_balanced(name: str, lower: bool) -> None:
    done = plumbline("explain", EXAMPLES / f"{name}.toml", "--format", "latex", *(["--lower"] if lower else []))
    assert (done.code, done.err) == (0, "")
    parts = done.out.strip().split("\n\n")
    assert len(parts) == (1 if lower else 2) and ("lim_" in parts[-1]) == (not lower)
    for text in parts:
        check_latex(text)


def check_latex(text: str) -> None:
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
    assert (done.code, done.err) == (0, "") and set(shown) == DERIVATION | ANALYSIS
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


@pytest.mark.slow
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
    assert f"--request: {request_number} is not one of the requests 1 … 3" in line


def test_a_missed_target_is_explained_too(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(to_toml(tables(target={"epsilon": "0.01"})))
    assert plumbline("explain", path).code == 0


# --- limits, sensitivity, what dominates ------------------------------------------------------------------------------


def test_text_has_the_sections() -> None:
    out = plumbline("explain", EXAMPLES / "mnist.toml").out
    assert [line for line in out.splitlines() if line in SECTIONS] == list(SECTIONS)
    for text in (
        "Values\n",
        "T → ∞: μ → 0.0323489636801, ε → 0.07796025717",
        "K → ∞: μ → 0, ε → 0\n",
        "c → 1: μ → 5.61962879256",
        "∂ε/∂σ  =  -21.74",
        "one more unlearning epoch  ε ≤ 0.000497643383572",
        "twice the batch",
        "loss.gradient_bound",
        "learning    8800",
        "unlearning  88",
        "from phase 1, epoch 1, batch 88 to the end",
    ):
        assert text in out, text


@pytest.mark.parametrize("flag", ["--brief", "--lower"])
@pytest.mark.parametrize("form", ["text", "latex", "json"])
def test_brief_is_the_derivation_alone(flag: str, form: str) -> None:
    done = plumbline("explain", EXAMPLES / "digits.toml", flag, "--format", form)
    assert done.code == 0 and not any(section in done.out.splitlines() for section in SECTIONS)
    if form == "json":
        assert set(json.loads(done.out)) == DERIVATION
    assert "lim_" not in done.out


def test_json_of_the_analysis() -> None:
    shown = json.loads(plumbline("explain", EXAMPLES / "breast_cancer.toml", "--format", "json").out)
    limits = {limit["limit"]: limit for limit in shown["limits"]}
    assert set(limits) == {"T → ∞", "K → ∞", "c → 1"}
    assert limits["K → ∞"]["epsilon"] == "0" and limits["K → ∞"]["leading"]["values"].keys().isdisjoint({"K_3"})
    assert limits["T → ∞"]["formula"]["latex"].startswith(r"\mu^{2} =")
    slopes = shown["sensitivities"]["derivatives"]
    for name in ("noise_std", "mu", "delta"):
        assert Fraction(slopes[name]["lower"]) < Fraction(slopes[name]["upper"])
    changes = {c["change"]: c for c in shown["sensitivities"]["changes"]}
    assert changes["twice the batch"]["epsilon"] is None and "448" in changes["twice the batch"]["refused"]
    epsilon = Fraction(certify(EXAMPLES / "breast_cancer.toml").epsilon["upper"])
    assert Fraction(changes["twice the noise"]["epsilon"]) < epsilon < Fraction(changes["half the noise"]["epsilon"])
    assert [p["phase"] for p in shown["phases"]] == ["learning", "unlearning 1", "unlearning 2", "unlearning 3"]
    for key in ("share_of_mu_squared", "share_of_distance"):
        assert sum(p[key] for p in shown["phases"]) == pytest.approx(1)
    assert {e["parameter"] for e in shown["elasticities"]} >= {"noise_std", "loss.regularization", "loss.feature_norm"}
    assert shown["segments"][0]["to"] == "the end"


def test_of_a_bound_without_a_limit() -> None:
    flat = tables(constants(1, 0))
    limits = {limit["limit"]: limit for limit in of_run(flat)["limits"]}
    assert limits["T → ∞"]["mu"] == limits["T → ∞"]["epsilon"] == "oo" and limits["T → ∞"]["leading"]
    assert "c → 1" not in limits


def of_run(run: Any, *arguments: str) -> Any:
    path = Path(tempfile.mkdtemp()) / "run.toml"
    path.write_text(to_toml(run))
    done = plumbline("explain", path, "--format", "json", *arguments)
    assert done.code == 0, done
    text = plumbline("explain", path, *arguments)
    assert text.code == 0 and plumbline("explain", path, "--format", "latex", *arguments).code == 0
    return json.loads(done.out)


@pytest.mark.parametrize(
    ("changes", "threat"),
    [
        ({"radius": 1}, {}),
        ({"radius": 1, "step_size": "2.5"}, {}),
        ({"radius": "0.1", "epochs": 40, "unlearning_epochs": 0}, {}),
        ({"batch_order": "secret"}, {}),
        ({"batch_order": "secret", "unlearning_epochs": 0}, {}),
        ({"unlearning_epochs": [1, 1]}, {"release": "all"}),
        ({"radius": 1}, {"reference": "stationary"}),
        ({"radius": 1}, {"reference": "retrain-T"}),
        ({"epochs": 0, "initial_distance": 1}, {}),
        ({"noise_std": 1000000}, {}),
        ({"samples": 1, "batch_size": 1, "epochs": 1}, {}),
    ],
)
def test_every_kind_of_run_is_explained(changes: Any, threat: Any) -> None:
    shown = of_run(tables(mechanism=changes, threat=threat))
    assert set(shown) == DERIVATION | ANALYSIS and shown["elasticities"] and shown["sensitivities"]["changes"]
    if threat.get("release") == "all":
        assert [p["phase"] for p in shown["phases"]] == ["learning", "unlearning 1"]
    for share in ("share_of_mu_squared",):
        assert not shown["phases"] or sum(p[share] for p in shown["phases"]) == pytest.approx(1)


@pytest.mark.slow
@settings(max_examples=10)
@given(valid_runs(requests=2))
def test_random_runs_are_analysed(run: Any) -> None:
    found = certify(run)
    for i, claim in enumerate(found.claims):
        more = analyse(found.run.mechanism, found.run.target_delta, i, claim.upper, claim.bound)
        assert more.text() and json.dumps(more.as_json())
        if more.limits and any(limit.formula for limit in more.limits):
            check_latex(more.latex())
