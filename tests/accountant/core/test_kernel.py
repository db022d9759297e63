"""The trusted core: what a derivation may be made of, what it carries, and that nothing fails open."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from fractions import Fraction as F
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import sympy

from accountant import (
    ASSUMPTIONS,
    THEOREMS,
    Derivation,
    LogisticLoss,
    TheoremError,
    apply,
    derive,
    derive_epsilon,
    derive_published,
    derive_timeline,
    derive_witness,
    enclose,
    evaluate,
    losses,
    theorems,
)
from accountant.core.arithmetic import Ball, Exact, Float, Symbol
from accountant.core.kernel import Theorem, theorem
from accountant.core.quantities import GaussianDP, LinearLoss, LossBounds
from tests.accountant import cases
from tests.accountant.cases import FACTS, closed, run

ROOT = Path(__file__).parents[3]


# --- the table --------------------------------------------------------------------------------------------------------


def test_the_table_is_the_one_that_is_documented() -> None:
    page = (ROOT / "THEOREMS.md").read_text(encoding="utf-8")
    documented = re.findall(r"^### ([A-Z]\d+[a-z]?):? ", page, flags=re.MULTILINE)
    assert sorted(documented) == sorted(THEOREMS) and len(documented) >= 61
    of_losses = {name for name in losses.__all__ if isinstance(getattr(losses, name), Theorem)}
    assert {t.name for t in THEOREMS.values()} == set(theorems.__all__) | of_losses
    for id, t in THEOREMS.items():
        assert getattr(losses if t.name in of_losses else theorems, t.name) is t and t.id == id


@pytest.mark.parametrize("id", THEOREMS)
def test_every_theorem_says_what_where_from_and_under_which_conditions(id: str) -> None:
    t = THEOREMS[id]
    assert len(t.statement) > 60 and t.source and t.conditions
    assert all(len(condition) >= 5 for condition in t.conditions)
    assert set(t.assumes) <= set(ASSUMPTIONS)


@pytest.mark.parametrize("id", THEOREMS)
def test_every_oracle_is_a_test_that_exists(id: str) -> None:
    file, name = THEOREMS[id].oracle.split("::")
    tree = ast.parse((ROOT / file).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("id", THEOREMS)
def test_every_require_is_listed_as_a_condition(id: str) -> None:
    """Counted in another way: the strings that follow `A.require(` in the body's own source."""
    source = inspect.getsource(THEOREMS[id].body)
    own = [ast.unparse(call.args[1]) for call in ast.walk(ast.parse(source[source.index("def ") :]))
           if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "require"]  # fmt: skip
    assert {ast.literal_eval(text) for text in own} <= set(THEOREMS[id].conditions)


def test_conditions_of_helpers_are_listed_too() -> None:
    assert "the schedule stays above zero: z_k ≥ 0" in THEOREMS["T3"].conditions
    assert "positions ascend within the epoch" in THEOREMS["T10"].conditions
    assert "neighbours: replace-one or remove-one" in THEOREMS["C2"].conditions
    assert "c < 1" in THEOREMS["P1"].conditions


def test_an_id_is_taken_once_and_assumptions_are_known() -> None:
    with pytest.raises(ValueError, match="T3 is taken by taut_string"):
        theorem("T3", concludes=GaussianDP, facts=FACTS, source="", oracle="")(lambda A: GaussianDP(A.of(0)))
    with pytest.raises(ValueError, match=r"assumes \['luck'\]"):
        theorem("X9", concludes=GaussianDP, facts=FACTS, source="", oracle="", assumes=("luck",))(
            lambda A: GaussianDP(A.of(0))
        )
    assert "X9" not in THEOREMS


# --- how a derivation is made -----------------------------------------------------------------------------------------


def forged(**changes) -> Theorem:
    """μ = 0 for everybody, under a name of the table or a new one."""
    fields = {f.name: getattr(THEOREMS["T4"], f.name) for f in dataclasses.fields(Theorem) if f.init}
    return Theorem(**(fields | {"body": lambda A: GaussianDP(A.of(0))} | changes))


def test_a_forged_theorem_is_refused() -> None:
    for id in ("T4", "T99"):
        with pytest.raises(TheoremError, match=f"{id} is not a theorem of this table"):
            apply(forged(id=id))
        with pytest.raises(TheoremError, match=f"{id} is not a theorem of this table"):
            Derivation(forged(id=id), (), ())


def test_theorems_and_derivations_are_frozen() -> None:
    pair = derive(run())
    with pytest.raises(dataclasses.FrozenInstanceError):
        pair.preview = GaussianDP(0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        pair.theorem.body = lambda A: GaussianDP(0)
    with pytest.raises(TypeError):
        Derivation(pair.theorem, pair.premises, pair.arguments, GaussianDP(0))  # preview is computed, never given


def test_premises_are_derivations_and_nothing_that_looks_like_one() -> None:
    fake = SimpleNamespace(
        theorem=THEOREMS["T3"], preview=GaussianDP(Ball().of(0)), premises=(), nodes=lambda: iter(())
    )
    for premise in (fake, GaussianDP(F(0)), F(1, 10), None):
        with pytest.raises(TypeError, match=r"gaussian_profile \(T11\): a premise is a Derivation"):
            apply(theorems.gaussian_profile, premise, delta=F(1, 10))


def test_wrong_kinds_of_premises_are_refused() -> None:
    timeline, pair = derive_timeline(run()), derive(run())
    epsilon = derive_epsilon(pair, "1e-5")
    for wrong in ((timeline,), (epsilon,), (), (pair, pair)):
        with pytest.raises(TheoremError, match=r"gaussian_profile \(T11\): takes"):
            apply(theorems.gaussian_profile, *wrong, delta=F(1, 10))
    with pytest.raises(TheoremError, match=r"renyi_curve \(T2\): takes"):
        apply(theorems.renyi_curve, derive_witness(run()), orders=(F(2),))  # a witness bounds from below
    with pytest.raises(TheoremError, match=r"taut_string \(T3\): takes"):
        apply(theorems.taut_string, pair, corners=())
    with pytest.raises(TheoremError, match=r"contraction \(C1\): takes"):
        apply(theorems.contraction, pair, step_size=F(1), strong_convexity=F(0), smoothness=F(1))


@pytest.mark.parametrize("inexact", [0.5, np.float64(0.5), 1j, True, [1, 2], {"a": 1}, Ball().of(1), sympy.Integer(1)])
def test_inexact_arguments_are_refused(inexact) -> None:
    with pytest.raises(TypeError, match=r"gaussian_profile.delta: a certified path takes exact numbers, got"):
        apply(theorems.gaussian_profile, derive(run()), delta=inexact)
    with pytest.raises(TypeError, match=r"renyi_curve\.orders"):
        apply(theorems.renyi_curve, derive(run()), orders=(F(2), inexact))
    phase = dataclasses.replace(cases.stage(F(1, 2)).phase, noise_std=inexact)
    with pytest.raises(TypeError, match=r"requests.phases.noise_std"):
        apply(theorems.requests, start=F(0), diameter=None, phases=(phase,))


def test_unknown_and_missing_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="gamma"):
        apply(theorems.gaussian_profile, derive(run()), delta=F(1, 10), gamma=F(1))
    with pytest.raises(TypeError, match="delta"):
        apply(theorems.gaussian_profile, derive(run()))


def test_a_failure_names_theorem_condition_and_value() -> None:
    with pytest.raises(TheoremError, match=r"^contraction \(C1\): needs m ≤ L, got 1$") as refusal:
        apply(theorems.contraction, step_size=F(1), strong_convexity=F(2), smoothness=F(1))
    assert refusal.value.__cause__.condition == "m ≤ L"


def test_a_derived_constant_cannot_be_replaced() -> None:
    loss = apply(losses.logistic_constants, regularization=F(1, 10), feature_norm=F(1), clip=None)
    known = {"step_size": F(1), "strong_convexity": F(1, 10), "smoothness": F(35, 100)}
    assert evaluate(apply(theorems.contraction, loss, **known), Exact()).factor == F(9, 10)
    for name in ("strong_convexity", "smoothness"):
        for gap in (F(1, 10**50), -F(1, 10**50)):
            with pytest.raises(TheoremError, match=f"{name} as derived from the loss"):
                apply(theorems.contraction, loss, **(known | {name: known[name] + gap}))


# --- what it carries --------------------------------------------------------------------------------------------------


def test_assumptions_are_never_dropped() -> None:
    mechanism = run(loss=LogisticLoss("0.1"), step_size="1/L", unlearning_epochs=1)
    pair = derive(mechanism)
    tops = [derive_epsilon(pair, "1e-5"), derive_witness(mechanism), *derive_published(mechanism, "1e-5").values()]
    for top in tops:
        for node in top.nodes():
            assert set(node.theorem.assumes) <= top.assumptions
            for premise in node.premises:
                assert premise.assumptions <= node.assumptions
    everything = {"convexity", "smoothness", "gradient_bound", "feature_norm", "gaussian_noise", "starts"}
    assert tops[0].assumptions == everything | {"batches:fixed"}


def test_nodes_come_once_premises_first() -> None:
    nodes = list(derive_epsilon(derive(run(unlearning_epochs=2)), "1e-5").nodes())
    assert len({id(node) for node in nodes}) == len(nodes)
    for i, node in enumerate(nodes):
        assert all(any(p is earlier for earlier in nodes[:i]) for p in node.premises)
    assert nodes[-1].theorem.id == "T11"


# --- how it is evaluated ----------------------------------------------------------------------------------------------


def test_rational_theorems_are_decided_exactly_in_every_arithmetic() -> None:
    """η = 2/L with η no dyadic number: c = 1 exactly, so c ≤ 1 holds, and a hair more does not."""
    for smoothness in (F(3, 10), F(7, 3), F("0.261264")):
        rate = apply(
            theorems.contraction, step_size=2 / smoothness, strong_convexity=smoothness / 3, smoothness=smoothness
        )
        assert rate.preview.factor == 1 and type(rate.preview.factor) is F
        assert evaluate(rate, Ball()).factor.is_exact() and evaluate(rate, Float()).factor == 1.0
        item = cases.Stage(2, 2, 1, 2 / smoothness, F(1), smoothness / 3, smoothness, F(1), ((1, 1),))
        assert enclose(cases.taut([item])).lower > 0
    of_losses = {id for id, t in THEOREMS.items() if t.concludes in (LossBounds, LinearLoss)} - {"T16"}
    scaling = {"T14", "T14g", "T15", "T16"}
    assert {t.id for t in THEOREMS.values() if t.rational} == {
        "C1",
        "C2",
        "T10",
        "T22",
        "T23",
        "T23b",
        "T28r",
    } | of_losses | scaling


def test_the_same_derivation_in_four_arithmetics() -> None:
    made = closed(F(3, 4), F(1), F(2), 3, 1, 4, 2)
    square = cases.mu_squared(made)
    ball = evaluate(made, Ball()).mu
    assert (ball * ball - Ball().of(square)).contains(0)
    assert float(evaluate(made, Float()).mu) ** 2 == pytest.approx(float(square), rel=1e-12)
    assert evaluate(made, Symbol()).mu ** 2 == sympy.Rational(square.numerator, square.denominator)


def test_known_quantities_are_used_and_filled() -> None:
    pair = derive(run())
    known = {}
    first = evaluate(pair, Float(), known)
    assert set(known) == set(pair.nodes())
    known[pair] = GaussianDP(42.0)
    assert evaluate(pair, Float(), known).mu == 42.0 and evaluate(pair, Float()).mu == first.mu


def test_messages_are_one_line() -> None:
    with pytest.raises(TheoremError) as refusal:
        apply(theorems.requests, start=F(-1), diameter=None, phases=())
    assert re.fullmatch(r"requests \(T10\): needs 0 ≤ initial distance, got -1", str(refusal.value))
