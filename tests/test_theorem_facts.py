"""One record a theorem: every table that is left has what the theorems name, and the records agree with the theorems.

A missing entry would make a formula, a picture or a row of a comparison vanish without a word.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from accountant.core.facts import Direction, Family, Profile, States
from accountant.core.quantities import (
    ApproximateDP,
    GaussianDP,
    GaussianWitness,
    LinearLoss,
    LossBounds,
    RenyiCurve,
    Sensitivity,
    Wasserstein,
)
from accountant.explain.formula import SUMS
from accountant.explain.formulas import FORMULAS
from accountant.theorems.timelines import Contraction, Drift, Shift, Timeline
from certify import checker
from certify.pictures.profiles import ABOVE, BELOW
from certify.results.compare import BASELINES, LABELS
from certify.trust.certificate import STATED

ROOT = Path(__file__).parents[1]

spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)
THEOREMS = generate.THEOREMS  # all of them: it imports whatever declares one

# What a certificate can say of a conclusion of each type; None: not in a certificate.
STATEMENTS = {
    LossBounds: {States.CONSTANTS},
    LinearLoss: {States.CONSTANTS},
    Contraction: {States.CONTRACTION},
    Drift: {States.DRIFT},
    Shift: {States.SHIFT},
    Timeline: {States.STEPS},
    Wasserstein: {States.WASSERSTEIN},
    Sensitivity: {States.SENSITIVITY},
    GaussianDP: {States.MU},
    GaussianWitness: {States.MU},
    RenyiCurve: {States.RENYI},
    ApproximateDP: {States.EPSILON, States.EPSILON_AND_MU},
}
BOUNDS = (Wasserstein, GaussianDP, GaussianWitness, RenyiCurve, ApproximateDP)  # the others are exact


@pytest.mark.parametrize("id", THEOREMS)
def test_every_table_has_what_a_theorem_names(id: str) -> None:
    facts = THEOREMS[id].facts
    assert facts.formula is None or facts.formula in FORMULAS
    assert facts.states is None or facts.states in STATED
    assert any(facts.family in families for families in generate.FAMILIES.values())
    sides = {Direction.ABOVE: [ABOVE], Direction.BELOW: [BELOW], Direction.OF_PREMISE: [ABOVE, BELOW]}
    assert facts.profile is None or all(facts.profile in table for table in sides[facts.direction])


@pytest.mark.parametrize("id", THEOREMS)
def test_a_record_agrees_with_its_theorem(id: str) -> None:
    theorem = THEOREMS[id]
    facts = theorem.facts
    assert (facts.direction is Direction.EXACT) == (theorem.concludes not in BOUNDS)
    if theorem.concludes is GaussianWitness:
        assert facts.direction is Direction.BELOW
    if theorem.concludes in (GaussianDP, RenyiCurve, Wasserstein):
        assert facts.direction is Direction.ABOVE
    if facts.direction is Direction.OF_PREMISE:
        assert len(theorem.premises) == 1, "of the first premise, and of no other"
    assert facts.states is None or facts.states in STATEMENTS[theorem.concludes]
    assert facts.profile is None or theorem.concludes is ApproximateDP, "δ(ε) is of an ε"
    if facts.states in (States.EPSILON, States.EPSILON_AND_MU):
        assert facts.profile is not None, "an ε that a certificate claims has a picture"
    assert facts.label is None or re.match(r"[A-Z]\d+", id)[0] in facts.label, "comparisons say whose bound it is"
    if facts.omits_batch_size:
        assert {"phase", "phases"} & set(theorem.kinds)


def test_nothing_in_a_table_is_left_over() -> None:
    every = [theorem.facts for theorem in THEOREMS.values()]
    assert {facts.formula for facts in every} - {None} == set(FORMULAS)
    assert set(SUMS) <= set(FORMULAS)
    assert {facts.states for facts in every} - {None} == set(STATED) == set(States)
    assert {facts.profile for facts in every} - {None} == set(ABOVE) | set(BELOW) == set(Profile)
    assert {facts.family for facts in every} == set(Family)
    placed = [family for of in generate.FAMILIES.values() for family in of]
    assert len(placed) == len(set(placed)) and set(placed) == set(Family)


def test_a_certificate_states_what_the_checker_reads() -> None:
    """Both sides of the format have the same theorems; T18f is a quadrature, which no certificate carries."""
    stating = {id: theorem.facts.states for id, theorem in THEOREMS.items() if theorem.facts.states}
    assert set(stating) == set(checker.RULES) | {"T18f"}
    for id, rule in checker.RULES.items():
        if stating[id] is not States.CONSTANTS:
            assert set(stating[id].value.split(", ")) == set(rule.concludes), id


def test_every_row_of_a_comparison_has_a_label() -> None:
    labels = LABELS | BASELINES
    assert all(labels.values()) and len(set(labels.values())) == len(labels)
