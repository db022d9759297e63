"""The loss tables of the run file: constants, assumptions, canonical form, and what the checker makes of them."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction as F
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accountant import InvalidLoss, losses
from accountant.explain.names import _NAMES, MEANING
from certify import checker
from certify.results.certify import certify
from certify.runfile.pnsgd_tables import IN_A_BALL, LOSSES, TABLES
from certify.runfile.read import read_run
from certify.trust.certificate import make_statement
from tests.certify.envelopes import seal
from tests.certify.runs import EXAMPLES, tables

M, X = {"regularization": "0.1"}, {"feature_norm": "3/2"}


def whose(loss: dict[str, Any], **mechanism: Any) -> dict[str, Any]:
    return tables(loss=M | loss, mechanism={"step_size": "1/L"} | mechanism)


RUNS: dict[str, Any] = {
    "least_squares": whose(X | {"kind": "least-squares", "target_bound": 2, "clip": "0.5"}),
    "least_squares_ball": whose({"kind": "least-squares", "target_bound": 2}, radius=3),
    "huber": whose(X | {"kind": "huber", "threshold": "0.25"}),
    "huber_clip": whose({"regularization": 0, "kind": "huber", "threshold": 1, "clip": "0.3"}),
    "smoothed_hinge": whose(X | {"kind": "smoothed-hinge", "smoothing": "1/3"}),
    "smoothed_hinge_ball": whose({"kind": "smoothed-hinge", "smoothing": 2}, radius="0.5"),
    "poisson_clip": whose({"kind": "poisson", "target_bound": 7, "clip": 1}),
    "poisson_ball": whose(X | {"kind": "poisson", "target_bound": 7}, radius="1/7"),
    "poisson_both": whose({"kind": "poisson", "target_bound": 2, "clip": 1}, radius=1),
    "softmax": whose(X | {"kind": "softmax", "classes": 10}),
    "softmax_idle_clip": whose({"kind": "softmax", "classes": 2, "clip": "1.4142135624"}),
}


def test_every_kind_is_described() -> None:
    """A record says what each of its numbers is: no field is left out, no letter is used for two of them."""
    letters: dict[str, str] = {}
    for loss in losses.LOSSES:
        names = [field.name for field in fields(loss) if field.name != "radius"]
        assert loss.words and set(loss.run_keys) == set(names) and all(key.meaning for key in loss.run_keys.values())
        for name, key in loss.run_keys.items():
            if key.letter is not None and key.letter not in ("m", "M", "L"):
                assert letters.setdefault(key.letter, name) == name
                assert _NAMES[name] == key.letter and MEANING[key.letter]


def kind_of(run: Any) -> str:
    return run["loss"]["kind"]


def test_every_kind_has_a_run() -> None:
    assert {kind_of(run) for run in RUNS.values()} | {"logistic", "constants", "clipped"} == LOSSES.keys()
    assert len(TABLES["loss"]) == len(LOSSES)


@pytest.mark.parametrize("name", RUNS)
def test_a_certificate_of_each_loss_is_verified(name: str) -> None:
    run = RUNS[name] | {"target": {"epsilon": 50, "delta": "0.001"}}
    result = certify(run)
    report = checker.verify(seal(make_statement(result)), result.digest)
    assert report.verdict == str(result.verdict) == "CERTIFIED"
    assert [(a["id"], a["status"], a["text"]) for a in result.assumptions] == list(report.assumptions)
    assert [a["status"] for a in result.assumptions[:3]] == ["proved"] * 3
    clipped = int(run["loss"].get("clip") is not None)  # each record's own gradient: assumed before what the loss needs
    assert [a["id"] for a in result.assumptions[3 : 3 + clipped]] == ["per_record_clipping"] * clipped
    of_the_loss = tuple(a["id"] for a in result.assumptions[3 + clipped :][: len(checker.LOSSES[kind_of(run)][1])])
    assert of_the_loss == checker.LOSSES[kind_of(run)][1] == result.run.mechanism.loss.theorem.assumes
    assert checker.LOSSES[kind_of(run)][0] in result.theorems


@pytest.mark.parametrize("name", RUNS)
def test_the_canonical_form_reads_as_the_same_run(name: str) -> None:
    first = read_run(RUNS[name])
    again = read_run({key: table for key, table in first.canonical.items() if table is not None})
    assert again.canonical == first.canonical and again.mechanism == first.mechanism
    assert set(first.canonical["loss"]) == set(LOSSES[kind_of(RUNS[name])][0].model_fields)


positive = st.one_of(st.fractions(F(1, 40), 6, max_denominator=40), st.fractions(F(1, 10**6), 1, max_denominator=10**7))


@settings(max_examples=300)
@given(st.sampled_from(sorted(set(LOSSES) - {"constants"})), st.data())
def test_accountant_and_checker_derive_the_same_constants(kind: str, data: Any) -> None:
    """Two restatements of the same theorems: equal in exact rationals, or both refuse."""
    table, made = LOSSES[kind]
    values: dict[str, Any] = {}
    for key in [k for k in table.model_fields if k not in ("kind", "clipping")] + ["radius"] * (made in IN_A_BALL):
        optional = key in ("clip", "radius") and kind != "clipped"
        values[key] = data.draw(st.one_of(st.none(), positive) if optional else positive, label=key)
    if kind == "softmax":
        values["classes"] = data.draw(st.integers(1, 5))
    theorem = checker.LOSSES[kind][0]
    args = {key: None if value is None else str(value) for key, value in values.items()}
    assert args.keys() == checker.RULES[theorem].arguments.keys()
    try:
        expected = made(**values).constants()
    except InvalidLoss:
        with pytest.raises(checker.DoesNotFollow):
            checker.loss_constants(theorem, args)
        return
    assert checker.loss_constants(theorem, args) | {"whole_batch": False} == vars(expected)


def test_the_example_is_certified() -> None:
    result = certify(EXAMPLES / "least_squares.toml")
    assert result.verdict == "CERTIFIED" and "L2" in result.theorems


def test_a_ball_or_a_clip_is_needed_and_named() -> None:
    for kind in ("least-squares", "poisson"):
        with pytest.raises(Exception, match=r"^mechanism\.radius: is missing; .* give a radius, or loss\.clip$"):
            read_run(tables(loss=M | {"kind": kind, "target_bound": 1}))
