"""tests/vectors/reject/theorems: what each theorem must refuse, one small file for each side condition."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from accountant import THEOREMS, TheoremError, evaluate
from accountant.core.arithmetic import Ball
from tests.accountant.cases import build, premises

FOLDER = Path(__file__).parents[2] / "vectors" / "reject" / "theorems"
VECTORS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}

# Side conditions that no input can reach, and why. Empty is best.
UNREACHABLE: dict[tuple[str, str], str] = {
    ("T7", "0 ≤ μ"): "no theorem concludes a negative μ",
    ("T8", "0 ≤ μ"): "no theorem concludes a negative μ",
    ("T10", "0 ≤ η"): "C1 and C2 refuse such a step, and the phase's step is theirs",
    ("T23b", "0 ≤ m"): "L7b refuses such a loss, and there is no other",
    ("T23b", "0 ≤ M"): "L7b refuses such a loss, and there is no other",
    ("T26r", "noise wherever a shift is paid"): "the excursion before it has no noise either",
    ("T6m", "positions ascend within the epoch"): "the only position is that of the last batch",
}


@pytest.mark.parametrize("name", VECTORS)
def test_is_refused_by_name(name: str) -> None:
    """The premises hold; the theorem itself refuses, and names theorem, condition and value."""
    vector = VECTORS[name]
    t, given = THEOREMS[vector["theorem"]], premises(vector)
    for premise in given:
        assert premise.decided
    if "kind" in vector:  # the kernel refuses it by the kind of the parameter, before the theorem sees it
        with pytest.raises(TypeError, match=f"^{t.name}.{re.escape(vector['kind'])}"):
            build(vector)
        return
    with pytest.raises(TheoremError) as refusal:
        build(vector)
    assert refusal.value.__cause__.condition == vector["condition"]
    assert str(refusal.value).startswith(f"{t.name} ({t.id}): needs {vector['condition']}")


def test_files_are_well_formed() -> None:
    for name, vector in VECTORS.items():
        assert set(vector) <= {"theorem", "premises", "arguments", "condition", "kind"}
        assert ("kind" in vector) != ("condition" in vector)
        assert name == name.lower() and len(name) < 60


@pytest.mark.parametrize("id", THEOREMS)
def test_every_side_condition_has_a_vector(id: str) -> None:
    named = {vector.get("condition") for vector in VECTORS.values() if vector["theorem"] == id}
    for condition in THEOREMS[id].conditions:
        if (id, condition) in UNREACHABLE:
            continue
        pattern = re.escape(condition).replace(r"\{name\}", ".+")
        assert any(re.fullmatch(pattern, text) for text in named if text), f"{id}: no vector for {condition!r}"


def test_no_vector_names_a_condition_that_is_none() -> None:
    for name, vector in VECTORS.items():
        if "kind" in vector:
            continue
        patterns = (re.escape(c).replace(r"\{name\}", ".+") for c in THEOREMS[vector["theorem"]].conditions)
        assert any(re.fullmatch(p, vector["condition"]) for p in patterns), name


def test_what_the_vectors_start_from_is_accepted() -> None:
    """The same shapes with sound arguments are derivations: it is the one changed value that is refused."""
    seen = set()
    for vector in VECTORS.values():
        for premise in premises(vector):
            for node in premise.nodes():
                seen.add(node.theorem.id)
                evaluate(node, Ball())
    assert {"C1", "C2", "L1", "T10", "T1a", "T4", "T2"} <= seen


def test_what_is_called_unreachable_is_a_condition_without_a_vector() -> None:
    """The list of exceptions does not outlive its reasons."""
    for id, condition in UNREACHABLE:
        assert condition in THEOREMS[id].conditions
        assert not any((v["theorem"], v.get("condition")) == (id, condition) for v in VECTORS.values())
