"""Scaled scalar linear models: the constants of T16, attacked by an adversary, and in a derivation."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest
from hypothesis import given

from accountant import (
    ConstantLoss,
    HuberLoss,
    LeastSquaresLoss,
    LogisticLoss,
    PoissonLoss,
    SmoothedHingeLoss,
    SoftmaxLoss,
    TheoremError,
    apply,
    evaluate,
    losses,
    theorems,
)
from accountant.core.arithmetic import Ball, Exact, Float, Symbol
from accountant.core.arithmetic.balls import precision
from accountant.core.rounding import DIGITS
from accountant.core.scaling import AutoS, Clip, InvalidScaling, Psac, Psasc, steepest_log_slope, steepest_slope
from accountant.dpsgd.sensitivity import derive_sensitivity
from accountant.pnsgd.scaled import derive_scaled_loss
from tests.accountant.core.test_scaling import amount, maps
from tests.oracles import loss_families
from tests.oracles import scaling as oracle


def logistic() -> loss_families.Family:
    return loss_families._scalar(
        lambda v: 1.0 if v >= 0 else -1.0,
        lambda z, y: float(np.logaddexp(0.0, -y * z)),
        lambda z, y: -y * float(np.exp(-np.logaddexp(0.0, y * z))),
    )


SHARP = Psasc(1, "0.01", 1)  # sup φ′ = 6.52

# name -> (loss, the oracle's family, map, how close a search gets to the claimed slope)
CASES = {
    "logistic": (LogisticLoss("0.1"), logistic(), SHARP, 0.8),
    "logistic_auto_s": (LogisticLoss("0.1", 2), logistic(), AutoS("0.5", "0.2"), 0.7),
    "logistic_clip": (LogisticLoss("0.1"), logistic(), Clip("0.7"), 0.99),
    "huber": (HuberLoss("0.1", "0.5", 2), loss_families.huber(0.5), SHARP, 0.99),
    "huber_psac": (HuberLoss("0.1", "0.5"), loss_families.huber(0.5), Psac(2, "0.1"), 0.99),
    "huber_monotone": (HuberLoss("0.1", "0.5"), loss_families.huber(0.5), Psasc("0.3", 2, 3), 0.99),
    "smoothed_hinge": (SmoothedHingeLoss("0.1", "0.5"), loss_families.smoothed_hinge(0.5), AutoS(1, "0.3"), 0.99),
    "least_squares": (LeastSquaresLoss("0.1", "0.5", 1, None, 2), loss_families.least_squares(0.5), SHARP, 0.99),
    "poisson": (PoissonLoss("0.1", 2, 1, None, 1), loss_families.poisson(2), Psasc(1, "0.2", "0.5"), 0.7),
}


def numbers(scaling) -> tuple:
    """(kind, C, r, s) in doubles."""
    kind, *values = scaling.arguments().values()
    return kind, *(None if v is None else float(v) for v in values)


def attacked(name: str, **changes):
    loss, family, scaling, _ = CASES[name]
    made = evaluate(derive_scaled_loss(loss, scaling), Exact())
    claims = {
        "map_": numbers(scaling),
        "feature_norm": float(loss.feature_norm),
        "claimed_bound": float(made.gradient_bound),
        "claimed_curvature": float(made.smoothness - made.strong_convexity),
        "radius": None if getattr(loss, "radius", None) is None else float(loss.radius),
    }
    return oracle.attack(family, **claims | changes)


@pytest.mark.parametrize("name", CASES)
def test_scaled_constants_resist_an_adversary(name: str) -> None:
    """The scaled gradient is monotone, Lipschitz with L − m, no longer than M; and the search comes close."""
    found = attacked(name, tries=300, rounds=5)
    assert not found.refutes(), found
    assert found.gradient > 0.99, found
    assert found.lipschitz > CASES[name][3], found


@pytest.mark.parametrize("name", ["huber", "logistic", "least_squares"])
def test_the_unscaled_smoothness_is_refuted(name: str) -> None:
    """C = s = 1, r = 0.01: with sup φ′ = 6.5 taken for 1 the claim is false."""
    loss = CASES[name][0].constants()
    found = attacked(name, claimed_curvature=float(loss.smoothness - loss.strong_convexity), tries=300, rounds=5)
    assert found.lipschitz > (1.2 if name == "logistic" else 6), found


def test_with_the_unscaled_step_size_the_map_expands() -> None:
    """One step of size 2/L of the unscaled loss drives two points apart; of the scaled loss it does not."""
    loss, family, scaling, _ = CASES["huber"]
    map_, x = ("psasc", 1.0, 0.01, 1.0), np.array([2.0, 0.0])
    theta, other = np.array([0.0251, 0.0]), np.array([0.0276, 0.0])  # g = ⟨x,θ⟩·x is about 0.1: φ is steep there
    scaled = evaluate(derive_scaled_loss(loss, scaling), Exact())
    m = float(loss.regularization)

    def apart(step: float) -> float:
        a, b = (t - step * (m * t + oracle.field(family, t, x, 0.0, map_)) for t in (theta, other))
        return float(np.linalg.norm(a - b) / np.linalg.norm(theta - other))

    assert apart(2 / float(loss.constants().smoothness)) > 2
    assert apart(2 / float(scaled.smoothness)) <= 1


@given(maps, amount, amount, amount, amount)
def test_scaled_constants_are_the_formulas(scaling, m, norm, other, radius) -> None:
    kind, c, r, s = scaling.arguments().values()
    slope, parts = steepest_slope(Exact(), kind, c, r, s), (kind, c, s)
    for loss in (
        LogisticLoss(m, norm),
        HuberLoss(m, other, norm),
        SmoothedHingeLoss(m, other, norm),
        LeastSquaresLoss(m, other, norm, None, radius),
        PoissonLoss(m, other, norm, None, min(radius, 3 / norm)),
    ):
        plain, made = loss.constants(), evaluate(derive_scaled_loss(loss, scaling), Exact())
        assert made.strong_convexity == m
        usual = slope * (plain.smoothness - m)
        if isinstance(loss, LogisticLoss):
            usual = min(usual, norm * steepest_log_slope(Exact(), *parts))
        elif isinstance(loss, PoissonLoss):
            usual = min(usual, norm * steepest_log_slope(Exact(), *parts) + slope * norm**2 * other)
        assert made.smoothness == m + usual
        assert made.gradient_bound == scaling.scaled_norm(Exact(), plain.gradient_bound)


@given(amount, amount, amount, amount)
def test_models_are_the_losses_without_a_clip(m, norm, other, radius) -> None:
    """The unclipped models against L1–L5 with no clip, for equality."""
    radius = min(radius, 3 / norm)
    for loss in (
        LogisticLoss(m, norm),
        HuberLoss(m, other, norm),
        SmoothedHingeLoss(m, other, norm),
        LeastSquaresLoss(m, other, norm, None, radius),
        PoissonLoss(m, other, norm, None, radius),
    ):
        model, arguments = loss.unscaled, loss.arguments()
        assert arguments.pop("clip") is None and set(model.assumes) == set(loss.theorem.assumes)
        made, plain = evaluate(apply(model, **arguments), Exact()), loss.constants()
        assert made.curvature + made.regularization == plain.smoothness
        assert made.regularization == plain.strong_convexity and made.gradient_bound == plain.gradient_bound


def test_clipping_by_the_map_is_clipping_by_the_loss() -> None:
    """The same M as L1–L4 with clip = C, and the same L."""
    for loss, clipped in (
        (LogisticLoss("0.1"), LogisticLoss("0.1", 1, "0.3")),
        (HuberLoss("0.1", 2), HuberLoss("0.1", 2, 1, "0.3")),
        (SmoothedHingeLoss("0.1", 2), SmoothedHingeLoss("0.1", 2, 1, "0.3")),
    ):
        assert evaluate(derive_scaled_loss(loss, Clip("0.3")), Exact()) == clipped.constants()


@pytest.mark.parametrize("scaling", [Psasc(2, "0.01", 4), AutoS(2, 1), AutoS(1, "0.2"), Clip(2), Psac(1, 2)], ids=str)
@pytest.mark.parametrize("model", ["least_squares_model", "poisson_model"])
def test_on_all_of_space_the_sensitivity_bounds_the_gradient(scaling, model: str) -> None:
    """No radius, no G: M = Δ; Poisson's curvature has no bound, its scaled curvature has."""
    told = {"regularization": F(1, 10), "feature_norm": F(3, 2), "target_bound": F(3), "radius": None}
    made = apply(getattr(losses, model), **told)
    scaled = evaluate(apply(theorems.scaled_linear_constants, made, **scaling.arguments()), Exact())
    assert scaled.gradient_bound == evaluate(derive_sensitivity(scaling), Exact()).norm
    family = loss_families.poisson(3) if model == "poisson_model" else loss_families.least_squares(3)
    found = oracle.attack(
        family, numbers(scaling), 1.5, float(scaled.gradient_bound), float(scaled.smoothness) - 0.1, tries=200, rounds=4
    )
    assert not found.refutes() and found.gradient > 0.99 and found.lipschitz > 0.6, found


def test_clipping_poisson_by_the_map_is_clipping_by_the_loss() -> None:
    """L5's own formula for an active clip, X²Y + XC, comes out of T16."""
    made = apply(losses.poisson_model, regularization=F(1), feature_norm=F(2), target_bound=F(3), radius=None)
    scaled = apply(theorems.scaled_linear_constants, made, **Clip("0.5").arguments())
    assert evaluate(scaled, Exact()) == PoissonLoss(1, 3, 2, "0.5").constants()


def test_the_rounded_slope_is_a_short_decimal_above() -> None:
    made = evaluate(derive_scaled_loss(HuberLoss(0, 1), SHARP), Exact())
    with precision(200):
        ball = steepest_slope(Ball(), "psasc", *SHARP.numbers(Ball()))
        assert ball < Ball().of(made.smoothness) < ball * Ball().of(1 + F(1, 10**17))
    assert len(str(made.smoothness * 10**DIGITS).rstrip("0")) <= DIGITS + 1
    assert float(made.smoothness) == pytest.approx(6.519624, abs=1e-6)


def test_the_constants_are_a_premise_like_any_loss() -> None:
    """C1 and C2 take them; the assumptions are those of the loss."""
    loss = derive_scaled_loss(HuberLoss("0.1", "0.5", 2), SHARP)
    constants = evaluate(loss, Exact())
    step = 1 / constants.smoothness
    rate = apply(
        theorems.contraction,
        loss,
        step_size=step,
        strong_convexity=constants.strong_convexity,
        smoothness=constants.smoothness,
    )
    shift = apply(
        theorems.gradient_shift,
        loss,
        step_size=step,
        batch_size=4,
        gradient_bound=constants.gradient_bound,
        neighbours="replace-one",
    )
    assert rate.preview.factor == 1 - step * constants.strong_convexity < 1
    assert shift.preview.distance == step * SHARP.scaled_norm(Exact(), F(1)) / 2
    assert rate.assumptions == {"features", "convexity", "smoothness", "per_record_clipping"}
    assert evaluate(loss, Float()).smoothness == pytest.approx(float(constants.smoothness))
    assert evaluate(loss, Symbol()).smoothness.is_positive


def test_what_is_no_scalar_linear_model_is_refused() -> None:
    """In the kernel too: L6, or a loss with a clip, is no premise of T16."""
    for loss in (SoftmaxLoss("0.1", 3), ConstantLoss(1, "0.1", 1)):
        with pytest.raises(InvalidScaling, match=r"^scaling: .* is not a scalar linear model"):
            derive_scaled_loss(loss, SHARP)
    with pytest.raises(InvalidScaling, match=r"^clip: a loss is clipped or scaled, not both"):
        derive_scaled_loss(LogisticLoss("0.1", 1, "0.5"), SHARP)
    for premise in (
        apply(losses.softmax_constants, **SoftmaxLoss("0.1", 3).arguments()),
        apply(losses.logistic_constants, **LogisticLoss("0.1", 1, "0.5").arguments()),
    ):
        with pytest.raises(TheoremError, match=r"scaled_linear_constants \(T16\): takes"):
            apply(theorems.scaled_linear_constants, premise, **SHARP.arguments())
