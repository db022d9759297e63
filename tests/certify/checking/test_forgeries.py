"""Certificates of the newer kinds, forged by rule: a better number told consistently, a pointer to another step with a
front page that follows from it, another list of assumptions. Each is refused, in one line."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from certify import checker
from tests.vectors import make_certificates as make

ACCEPT = Path(make.__file__).parent / "accept"
DRIFTING = ["clipped_one_record", "clipped_two_excursions", "batch_clipped", "drifts_then_contracts"]
SEVERAL = ["secret_two_records", "executed_two_of_two", "five_requests", "two_requests_two_batches"]
EXECUTED = ["noise_above_rounding", "noise_above_rounding_of_all_models", "executed_with_clipping_seen"]
EXACT = ["training_full", "training_shuffled", "training_group_full", "training_group_fixed", "figures_of_training"]
NEWER = [*DRIFTING, *SEVERAL, *EXECUTED, "expansive_wide_ball", "expansion_by_gauges", "clipped_release_all"]
SAMPLED = ["training_replace_one", "training_group", "training_group_replaced", "training_group_together"]
WITNESSES = ("T6", "T6c", "T6m", "T20l", "T19l", "T27l")


def statement_of(name: str) -> dict[str, Any]:
    """The statement inside an accepted vector."""
    return json.loads(base64.b64decode(json.loads((ACCEPT / f"{name}.json").read_bytes())["payload"]))


def refused(stated: dict[str, Any]) -> None:
    with pytest.raises(checker.CheckError) as why:
        checker.verify(make.seal(stated))
    assert why.value.steps[-1].count("\n") == 0 and len(str(why.value)) > 10


# --- numbers ---------------------------------------------------------------------------------------------------------


def better_numbers(stated: dict[str, Any], by: Fraction) -> Iterator[tuple[str, str]]:
    """Every number that some step concludes, and one that is better by a part of itself."""
    steps, known = stated["predicate"]["proof"]["steps"], set()
    for step in steps:
        theorem = step["theorem"]
        below = theorem in WITNESSES or (theorem == "T11" and steps[int(step["premises"][0])]["theorem"] in WITNESSES)
        for value in step["concludes"].values():
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and text != "0" and (text, below) not in known:
                    known.add((text, below))
                    number = Fraction(text) * (1 + by if below else 1 - by)
                    exact = "/" in text or theorem[0] in "LC" or theorem in ("T10", "T14", "T15", "T16", "T22", "T23")
                    yield text, make.exact(number) if exact else f"{float(number):.10g}"


@pytest.mark.parametrize("name", [*NEWER, *EXACT])
def test_no_number_can_be_told_better_consistently(name: str) -> None:
    """By a millionth of itself, in the step and wherever it is shown."""
    stated, lies = statement_of(name), 0
    run = stated["predicate"].pop("run")
    for text, lie in better_numbers(stated, Fraction(1, 10**6)):
        told = json.loads(json.dumps(stated).replace(f'"{text}"', f'"{lie}"'))
        told["predicate"]["run"] = run
        refused(told)
        lies += 1
    assert lies >= 8


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLED)
def test_no_sampled_bound_can_be_told_better_consistently(name: str) -> None:
    """By a twentieth: these vectors state what is rounded to three digits."""
    stated = statement_of(name)
    run = stated["predicate"].pop("run")
    for text, lie in better_numbers(stated, Fraction(1, 20)):
        told = json.loads(json.dumps(stated).replace(f'"{text}"', f'"{lie}"'))
        told["predicate"]["run"] = run
        refused(told)


# --- pointers --------------------------------------------------------------------------------------------------------


def pruned(predicate: dict[str, Any]) -> None:
    """Leave out the steps that nothing refers to."""
    steps, claims = predicate["proof"]["steps"], predicate["proof"]["claims"]
    found = [v for claim in claims for value in claim.values() for v in (value if isinstance(value, list) else [value])]
    used: set[int] = set()
    while found:
        at = found.pop()
        if at is not None and int(at) not in used:
            used.add(int(at))
            found += steps[int(at)]["premises"]
    named = {str(old): str(new) for new, old in enumerate(sorted(used))} | {None: None}
    for step in steps:
        step["premises"] = [named.get(at, at) for at in step["premises"]]
    for claim in claims:
        for key, value in claim.items():
            claim[key] = [named[v] for v in value] if isinstance(value, list) else named[value]
    predicate["proof"]["steps"] = [steps[i] for i in sorted(used)]


def front_page_follows(predicate: dict[str, Any]) -> bool:
    """Show what the proof as it is now implies; False where it implies nothing."""
    proof, training = predicate["proof"], predicate["run"]["mechanism"]["kind"] in checker.TRAINING
    run = checker.read_training(predicate["run"]) if training else checker.read_run(predicate["run"])
    guarantees = checker.two_guarantees(run, predicate["run"]) if training else []
    try:
        worst = 0 if training else checker.worst_claim(run, proof["steps"], proof["claims"], 0)
        predicate.update(checker.front_page(predicate, run, worst, 0, guarantees))
    except (checker.CheckError, AttributeError, LookupError, TypeError, ValueError):  # step 5 comes before
        return False
    return True


def pointed_elsewhere(predicate: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every claim's, and every step's, pointer changed to every other step (or, of claims, to none)."""
    count = len(predicate["proof"]["steps"])
    for kind, index, key in (
        *(("claims", i, key) for i, claim in enumerate(predicate["proof"]["claims"]) for key in claim),
        *(("steps", i, j) for i, s in enumerate(predicate["proof"]["steps"]) for j in range(len(s["premises"]))),
    ):
        for other in (*map(str, range(count if kind == "claims" else index)), *[None] * (kind == "claims")):
            for place in (0, 1) if key == "guarantees" else (None,):
                changed = copy.deepcopy(predicate)
                node = changed["proof"][kind][index]
                node, at = (node["premises"], key) if kind == "steps" else (node, key)
                node, at = (node[at], place) if place is not None else (node, at)
                if node[at] != other:
                    node[at] = other
                    pruned(changed)
                    yield changed


def numbers_of(predicate: dict[str, Any]) -> dict[str, tuple[Fraction | None, bool]]:
    """What the front page claims, and whether it is a bound from below."""
    shown = {
        f"{key}.{end}": (predicate[key][end], end == "lower") for key in ("epsilon", "mu") for end in predicate[key]
    }
    shown |= {f"wasserstein.{key}": (value, False) for key, value in predicate["wasserstein"].items()}
    shown |= {f"renyi {entry['order']}": (entry["upper"], False) for entry in predicate["renyi"]}
    shown |= {f"request {i}": (entry["epsilon"], False) for i, entry in enumerate(predicate["requests"])}
    shown |= {entry["name"]: (entry["epsilon"]["upper"], False) for entry in predicate.get("guarantees", ())}
    return {name: (value and Fraction(value), below) for name, (value, below) in shown.items()}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name not in DRIFTING[:2])) for name in [*NEWER, *EXACT]],
)
def test_no_pointer_leads_to_a_better_claim(name: str) -> None:
    """Whatever step is referred to, and with a front page that agrees: what is accepted says no more than before."""
    stated = statement_of(name)
    stated["predicate"].pop("figures", None)
    assert front_page_follows(copy.deepcopy(stated["predicate"]))
    honest, tried, followed = numbers_of(stated["predicate"]), 0, 0
    for forged in pointed_elsewhere(stated["predicate"]):
        tried += 1
        if not front_page_follows(forged):
            continue
        followed += 1
        try:
            checker.verify(make.seal({**stated, "predicate": forged}))
        except checker.CheckError:
            continue
        for key, (value, below) in numbers_of(forged).items():
            known = honest[key][0]
            better = value is not None and (known is None or (value > known if below else value < known))
            assert not better, key
    assert tried > 40 and followed > 5


# --- assumptions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*NEWER, *EXACT, *SAMPLED])
def test_the_list_of_assumptions_is_the_one_that_the_run_implies(name: str) -> None:
    """None left out, none told twice, none with another status; no theorem left out either."""
    stated, tried = statement_of(name), 0
    for i, entry in enumerate(stated["predicate"]["assumptions"]):
        for status in ("proved", "checked", "attested", "violated"):
            if status != entry["status"]:
                changed = copy.deepcopy(stated)
                changed["predicate"]["assumptions"][i]["status"] = status
                refused(changed)
                tried += 1
        for entries in ([], [entry, entry]):
            changed = copy.deepcopy(stated)
            changed["predicate"]["assumptions"][i : i + 1] = entries
            refused(changed)
            tried += 1
    for theorem in stated["predicate"]["theorems"]:
        changed = copy.deepcopy(stated)
        changed["predicate"]["theorems"].remove(theorem)
        refused(changed)
    assert tried > 15
