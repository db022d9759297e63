"""L1 and the losses: constants derived from the formula, attacked by a numerical adversary."""

from __future__ import annotations

from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accountant import ConstantLoss, InvalidLoss, LogisticLoss, apply, derive, enclose, evaluate
from accountant.core.arithmetic import Exact
from accountant.losses import logistic_constants
from accountant.pnsgd.derive import derive_timeline
from tests.accountant.cases import run
from tests.oracles import losses

amount = st.fractions(F(1, 50), 5, max_denominator=50)


@pytest.mark.parametrize(
    ("feature_norm", "clip", "regularization", "share"),
    [("1", "1", "0.01", "1"), ("1", "0.3", "0.1", "2"), ("2", "0.5", "0.1", "1.5"), ("1", None, "0.1", "0.5")],
)
def test_logistic_constants_resist_an_adversary(feature_norm, clip, regularization, share) -> None:
    """An optimiser looks for gradients, slopes, steps and shifts beyond what L, m, M (and C1, C2) allow."""
    loss = LogisticLoss(regularization, feature_norm, clip)
    constants = loss.constants()
    step = F(share) / constants.smoothness
    bound = float(feature_norm) if clip is None else float(clip)
    found = losses.attack_logistic(
        float(feature_norm),
        bound,
        float(regularization),
        float(step),
        tries=100,
        claimed_curvature=float(constants.smoothness - constants.strong_convexity),
    )
    assert not found.refutes(), found
    assert min(bound, float(feature_norm)) == float(constants.gradient_bound)
    assert found.gradient > 0.98 and found.shift > 0.95  # and hardly less would do


@given(amount, amount, st.one_of(st.none(), amount))
def test_constants_are_the_formulas(m, norm, clip) -> None:
    constants = LogisticLoss(m, norm, clip).constants()
    assert constants.smoothness == m + norm * norm / 4
    assert constants.strong_convexity == m
    assert constants.gradient_bound == (norm if clip is None else min(clip, norm))
    derived = apply(logistic_constants, regularization=m, feature_norm=norm, clip=clip)
    assert evaluate(derived, Exact()) == constants


def test_derived_constants_are_a_premise_and_attested_ones_are_not() -> None:
    logistic = derive(run(loss=LogisticLoss("0.1"), step_size="1/L"))
    assert "L1" in {node.theorem.id for node in logistic.nodes()} and "feature_norm" in logistic.assumptions
    attested = derive(run(loss=ConstantLoss("0.35", "0.1", 1), step_size="1/L"))
    assert "L1" not in {node.theorem.id for node in attested.nodes()}
    assert enclose(logistic) == enclose(attested)  # L = 0.1 + 1/4


def test_the_loss_of_the_timeline_is_one_derivation() -> None:
    timeline = derive_timeline(run(loss=LogisticLoss("0.1"), step_size="1/L", unlearning_epochs=2))
    assert sum(node.theorem.id == "L1" for node in timeline.nodes()) == 1


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: ConstantLoss(-1, 0, 1), "smoothness"),
        (lambda: ConstantLoss(1, "-0.1", 1), "strong_convexity"),
        (lambda: ConstantLoss(1, 0, -1), "gradient_bound"),
        (lambda: ConstantLoss(1, "1.01", 1), "strong_convexity"),
        (lambda: LogisticLoss(-1), "regularization"),
        (lambda: LogisticLoss("0.1", 0), "feature_norm"),
        (lambda: LogisticLoss("0.1", 1, 0), "clip"),
        (lambda: LogisticLoss("0.1", 1, "-2"), "clip"),
    ],
)
def test_impossible_constants_are_refused_by_name(make, key: str) -> None:
    with pytest.raises(InvalidLoss, match=rf"^{key}: ") as refusal:
        make()
    assert refusal.value.key == key


def test_floats_are_refused_with_the_fix() -> None:
    with pytest.raises(TypeError, match=r'smoothness: a float is not exact; write the decimal string "0\.25"'):
        ConstantLoss(0.25, 0, 1)
    with pytest.raises(TypeError, match="clip: a float is not exact"):
        LogisticLoss("0.1", 1, 0.5)


def test_extremes_are_allowed() -> None:
    assert ConstantLoss(0, 0, 0).constants().gradient_bound == 0
    assert LogisticLoss(0).constants().strong_convexity == 0
