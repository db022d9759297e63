"""Derivatives of ε by finite differences at high precision; changed runs; what ε depends on most."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from accountant import (
    ConstantLoss,
    LeastSquaresLoss,
    LogisticLoss,
    NoisySGD,
    derive,
    derive_epsilon,
    derive_upper,
    enclose,
)
from accountant.core.arithmetic.floats import gaussian_epsilon
from accountant.explain.derivatives import derivatives, elasticities, scaled, variants
from tests.accountant.cases import closed, run
from tests.multiprecision import big
from tests.oracles import conversions

DELTA = F(1, 10**5)


def inside(found, truth: mpf, slack: str = "1e-12") -> bool:
    """Within the enclosure, but for the finite difference's own error."""
    room = mpf(slack) * abs(truth)
    return big(found.lower) - room <= truth <= big(found.upper) + room


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"unlearning_epochs": 1},
        {"unlearning_epochs": 2, "noise_std": 3},
        {"noise_std": F(1, 50)},
        {"unlearning_epochs": 1, "requests": (3,)},
        {"unlearning_epochs": (1, 1), "requests": (1, 2), "release": "all"},
        {"loss": ConstantLoss(1, 0, 2), "radius": F(1, 10)},
    ],
)
@pytest.mark.parametrize("delta", ["1e-5", "1e-30", "0.1"])
def test_derivatives_by_finite_differences(changes, delta) -> None:
    made = run(**changes)
    request = len(made.requests) - 1
    upper = derive_epsilon(derive(made, request), delta)
    found = derivatives(upper, made.noise_std)
    with mp.workdps(70):
        pair = enclose(upper.premises[0])
        mu, h, d = (big(pair.lower) + big(pair.upper)) / 2, mpf(10) ** -12, mpf(delta)

        def epsilon(factor, d=d):
            return conversions.epsilon_gdp(d, mu * factor)

        by_log_mu = (epsilon(1 + h) - epsilon(1 - h)) / (2 * h)
        if not epsilon(1):
            assert found is None
            return
        assert inside(found.by_mu, by_log_mu / mu)
        assert inside(found.by_noise_std, -by_log_mu / big(made.noise_std))
        by_delta = (epsilon(1, d * (1 + h)) - epsilon(1, d * (1 - h))) / (2 * h * d)
        assert inside(found.by_delta, by_delta)
        assert found.by_mu.sharp and found.by_noise_std.sharp and found.by_delta.sharp
        assert found.by_noise_std.upper < 0 < found.by_mu.lower and found.by_delta.upper < 0


@pytest.mark.parametrize("changes", [{}, {"unlearning_epochs": 1}, {"noise_std": 2}, {"loss": ConstantLoss(1, 0, 2)}])
def test_derivatives_of_a_mixture(changes) -> None:
    """The run derived anew with a little more and a little less noise, and at other δ."""
    made, h = run(4, batch_order="secret", **changes), F(1, 10**5)
    upper = derive_upper(made, DELTA)
    found = derivatives(upper, made.noise_std)
    assert upper.theorem.id == "T9" and found.by_mu is None

    def epsilon(noise: F, delta: F) -> F:
        value = enclose(derive_upper(replace(made, noise_std=noise * made.noise_std), delta))
        return (value.lower + value.upper) / 2

    by_noise = (epsilon(1 + h, DELTA) - epsilon(1 - h, DELTA)) / (2 * h * made.noise_std)
    by_delta = (epsilon(F(1), DELTA * (1 + h)) - epsilon(F(1), DELTA * (1 - h))) / (2 * h * DELTA)
    with mp.workdps(40):
        assert inside(found.by_noise_std, big(by_noise), "1e-7") and inside(found.by_delta, big(by_delta), "1e-7")


def test_the_derivative_in_noise_is_that_of_the_run_derived_anew() -> None:
    """μ is inversely proportional to σ for strings and restarts alike."""
    for changes in ({"unlearning_epochs": 1}, {"loss": ConstantLoss(1, 0, 2), "radius": F(1, 10), "epochs": 30}):
        made, h = run(**changes), F(1, 10**6)
        found = derivatives(derive_epsilon(derive(made), DELTA), made.noise_std)
        more, less = (
            enclose(derive_epsilon(derive(replace(made, noise_std=made.noise_std * factor)), DELTA)).upper
            for factor in (1 + h, 1 - h)
        )
        slope = float((more - less) / (2 * h * made.noise_std))
        assert slope == pytest.approx(float(found.by_noise_std.upper), rel=1e-6)


def test_where_there_is_no_derivative() -> None:
    quiet = run(noise_std=10**9)
    assert enclose(derive_upper(quiet, DELTA)).upper == 0 and derivatives(derive_upper(quiet, DELTA), F(10**9)) is None
    nothing = run(loss=ConstantLoss(1, F(1, 2), 0))
    assert derivatives(derive_upper(nothing, DELTA), nothing.noise_std) is None
    other = derive_epsilon(closed(F(3, 4), F(1), F(2), 3, 1, 4, 2), DELTA)  # T4: σ is no part of its premises
    assert derivatives(other, F(1)) is None


# --- changed runs -----------------------------------------------------------------------------------------------------


def test_variants_are_the_runs_with_one_change() -> None:
    made = run(6, 4, unlearning_epochs=(2, 1), requests=(1, 2))
    found = {v.change: v for v in variants(made, DELTA, 1)}
    others = {
        "one more unlearning epoch": replace(made, unlearning_epochs=(2, 2)),
        "one more learning epoch": replace(made, epochs=4),
        "twice the noise": replace(made, noise_std=F(2, 3)),
        "half the noise": replace(made, noise_std=F(1, 6)),
        "half the batch": replace(made, batch_size=2),
        "twice the batch": replace(made, batch_size=8),
    }
    assert set(found) == set(others)
    for change, other in others.items():
        assert found[change].epsilon == enclose(derive_upper(other, DELTA, 1)), change
        assert not found[change].refused
    first = {v.change: v for v in variants(made, DELTA, 0)}
    assert first["one more unlearning epoch"].epsilon == enclose(
        derive_upper(replace(made, unlearning_epochs=(3, 1)), DELTA, 0)
    )


def test_variants_that_do_not_exist_say_why() -> None:
    found = {v.change: v for v in variants(run(3, 3), DELTA)}
    assert "one more unlearning epoch" not in found  # it would be a claim about something else
    assert found["half the batch"].refused == "batch_size: 3 is odd" and found["half the batch"].epsilon is None
    assert "6 does not divide samples = 9" in found["twice the batch"].refused
    whole = {v.change: v for v in variants(run(1, 2), DELTA)}
    assert "4 > samples = 2" in whole["twice the batch"].refused
    assert whole["half the batch"].epsilon is not None


# --- what it depends on most ------------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(st.integers(1, 4), st.integers(0, 2), st.sampled_from([F(1, 4), F(1, 2), F(1)]), st.sampled_from(["1/5", "1"]))
def test_elasticities_agree_with_the_exact_derivative(batches, erased, step, noise) -> None:
    """Without a projection and with equal starts μ is proportional to M/σ."""
    made = run(batches, unlearning_epochs=erased, step_size=step, noise_std=noise)
    found = {e.parameter: e for e in elasticities(made, DELTA)}
    exact = derivatives(derive_upper(made, DELTA), made.noise_std)
    epsilon = enclose(derive_upper(made, DELTA)).upper
    if exact is None:
        assert found["noise_std"].elasticity is None
        return
    slope = float(exact.by_noise_std.upper * made.noise_std / epsilon)
    assert found["noise_std"].elasticity == pytest.approx(slope, rel=1e-4)
    assert found["loss.gradient_bound"].elasticity == pytest.approx(-slope, rel=1e-4)
    assert found["loss.gradient_bound"].halved == found["noise_std"].doubled
    assert found["loss.gradient_bound"].value == 2


def test_they_come_in_order_and_know_what_they_are() -> None:
    made = run(unlearning_epochs=2)
    found = elasticities(made, DELTA)
    sizes = [abs(e.elasticity) for e in found]
    assert sizes == sorted(sizes, reverse=True)
    assert {e.parameter for e in found} == {
        "noise_std", "step_size", "loss.smoothness", "loss.strong_convexity", "loss.gradient_bound",
    }  # fmt: skip
    known = {e.parameter: e for e in found}
    assert (
        known["loss.smoothness"].elasticity
        == 0
        == known["loss.smoothness"].halved.upper - enclose(derive_upper(made, DELTA)).upper
    )
    assert known["loss.strong_convexity"].elasticity < -1 and known["loss.strong_convexity"].doubled is not None
    doubled = replace(made, loss=replace(made.loss, strong_convexity=F(1)))
    assert known["loss.strong_convexity"].doubled == enclose(derive_upper(doubled, DELTA))
    here, more = (float(gaussian_epsilon(float(enclose(derive(x)).upper), 1e-5)) for x in (made, doubled))
    assert more < here


def test_a_side_that_is_refused_leaves_the_other() -> None:
    """η = 2/L: with more L, or a longer step, there is no contraction and no radius."""
    found = {e.parameter: e for e in elasticities(run(step_size=2), DELTA)}
    assert found["loss.smoothness"].doubled is None and found["loss.smoothness"].elasticity is not None
    assert found["step_size"].doubled is None and found["step_size"].elasticity is not None
    zero = {e.parameter: e for e in elasticities(run(noise_std=10**9), DELTA)}
    assert all(e.elasticity is None for e in zero.values())


def test_derived_losses_and_radii() -> None:
    loss = LogisticLoss("0.1", clip="0.5")
    made = NoisySGD(12, 4, 3, F(1, 3), loss, unlearning_epochs=1)
    found = {e.parameter: e for e in elasticities(made, DELTA)}
    assert set(found) == {"noise_std", "step_size", "loss.regularization", "loss.feature_norm", "loss.clip"}
    assert found["loss.clip"].elasticity == pytest.approx(-found["noise_std"].elasticity, rel=1e-4)
    assert found["loss.feature_norm"].elasticity == 0  # the clip is what bounds the gradient
    square = LeastSquaresLoss("0.1", 1, 1, radius=2)
    bounded = replace(made, loss=square, radius=2, step_size=F(1, 2))
    more = scaled("radius", bounded, F(3, 2))
    assert more.radius == more.loss.radius == 3
    assert {e.parameter for e in elasticities(bounded, DELTA)} >= {"radius", "loss.target_bound"}
    assert "loss.radius" not in {e.parameter for e in elasticities(bounded, DELTA)}
    apart = run(initial_distance=1, unlearning_epochs=1)
    assert "initial_distance" in {e.parameter for e in elasticities(apart, DELTA)}


def test_the_slope_of_very_many_batches_is_that_of_the_mixture() -> None:
    """In doubles there, against the exact derivative."""
    loss = ConstantLoss(1, F(1, 300), 1)
    made = run(600, 1, loss=loss, unlearning_epochs=1, noise_std=F(1, 50), step_size=1, batch_order="secret")
    found = {e.parameter: e for e in elasticities(made, DELTA)}
    upper = derive_upper(made, DELTA)
    exact = derivatives(upper, made.noise_std).by_noise_std.upper * made.noise_std / enclose(upper).upper
    assert found["noise_std"].elasticity == pytest.approx(float(exact), rel=1e-4)
    assert found["noise_std"].doubled.upper < enclose(upper).lower
