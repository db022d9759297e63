"""Laws of the whole: what must happen to μ when a parameter of a run changes. Exact, for random small runs."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accountant import (
    ConstantLoss,
    InvalidMechanism,
    NoisySGD,
    derive,
    derive_epsilon,
    derive_published,
    derive_renyi,
    derive_witness,
    enclose,
    enclose_all,
    evaluate,
)
from accountant.core.arithmetic import Float
from accountant.pnsgd.derive import derive_timeline
from tests.accountant import cases
from tests.accountant.cases import mu_squared, run

share = st.fractions(0, 1, max_denominator=8)


@st.composite
def runs(draw, kinds: tuple[str, ...] = ("learn", "unlearn", "several")) -> NoisySGD:
    """Small runs without projection, c from 0 to 1 (both ends among them)."""
    batches, batch_size = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    smoothness = draw(st.sampled_from([F(1), F(3, 10), F(7, 3)]))
    loss = ConstantLoss(smoothness, smoothness * draw(share), draw(st.fractions(F(1, 4), 4, max_denominator=4)))
    kind = draw(st.sampled_from(kinds))
    unlearning = {"learn": (0,), "unlearn": (draw(st.integers(1, 3)),)}.get(kind)
    room = batches * batch_size
    if unlearning is None:
        first = draw(st.integers(1, max(1, room - 1)))
        sizes = (first, draw(st.integers(1, max(1, room - first)))) if room > 1 else (1,)
        unlearning = tuple(draw(st.integers(1, 2)) for _ in sizes)
    else:
        sizes = (draw(st.integers(1, room)),)
    return run(
        batches,
        batch_size,
        epochs=draw(st.integers(1, 4)),
        unlearning_epochs=unlearning,
        requests=sizes,
        noise_std=draw(st.fractions(F(1, 5), 2, max_denominator=5)),
        loss=loss,
        step_size=draw(st.sampled_from([F(1, 2), F(1), F(3, 2), F(2)])) / smoothness,
        initial_distance=draw(st.sampled_from([F(0), F(0), F(1, 2)])),
        neighbours=draw(st.sampled_from(["replace-one", "remove-one"])),
    )


def value(mechanism: NoisySGD) -> F:
    return mu_squared(derive(mechanism, len(mechanism.requests) - 1))


def stronger(mechanism: NoisySGD, factor: F) -> ConstantLoss:
    loss = mechanism.loss
    return ConstantLoss(loss.smoothness, loss.strong_convexity, factor * loss.gradient_bound)


factor = st.fractions(1, 3, max_denominator=6)


@given(runs(), factor)
def test_more_noise_is_never_worse(mechanism, by) -> None:
    noisier = replace(mechanism, noise_std=by * mechanism.noise_std)
    assert value(noisier) * by**2 == value(mechanism)  # μ ∝ 1/σ


@given(runs(), factor)
def test_a_larger_gradient_bound_is_never_better(mechanism, by) -> None:
    assert value(replace(mechanism, loss=stronger(mechanism, by))) >= value(mechanism)


@given(runs())
def test_longer_learning_is_never_better_from_equal_starts(mechanism) -> None:
    mechanism = replace(mechanism, initial_distance=F(0))
    assert value(replace(mechanism, epochs=mechanism.epochs + 1)) >= value(mechanism)


@given(runs(("unlearn", "several")), st.data())
def test_longer_unlearning_is_never_worse(mechanism, data) -> None:
    i = len(mechanism.unlearning_epochs) - 1
    longer = (*mechanism.unlearning_epochs[:i], mechanism.unlearning_epochs[i] + data.draw(st.integers(1, 2)))
    assert value(replace(mechanism, unlearning_epochs=longer)) <= value(mechanism)


@given(runs(("learn", "unlearn")))
def test_a_larger_request_is_never_better(mechanism) -> None:
    if mechanism.requests[0] < mechanism.samples:
        assert value(replace(mechanism, requests=(mechanism.requests[0] + 1,))) >= value(mechanism)


@given(runs(), st.fractions(0, 2, max_denominator=4))
def test_starts_further_apart_are_never_better(mechanism, by) -> None:
    assert value(replace(mechanism, initial_distance=mechanism.initial_distance + by)) >= value(mechanism)


@given(runs())
def test_removing_is_never_worse_than_replacing(mechanism) -> None:
    removed, replaced = (
        value(replace(mechanism, neighbours=neighbours)) for neighbours in ("remove-one", "replace-one")
    )
    assert removed <= replaced


@given(runs(), st.sampled_from([F(1, 7), F(3), F(10**6)]))
def test_units_do_not_matter(mechanism, unit) -> None:
    """x → λx: gradient bound, noise and starts scale by λ; m, L, η stay; W∞ scales, μ does not."""
    scaled = replace(
        mechanism,
        loss=stronger(mechanism, unit),
        noise_std=unit * mechanism.noise_std,
        initial_distance=unit * mechanism.initial_distance,
    )
    assert value(scaled) == value(mechanism)
    assert mu_squared(derive_witness(scaled)) == mu_squared(derive_witness(mechanism))
    request = len(mechanism.requests) - 1
    before, after = (
        cases.apply(
            cases.theorems.wasserstein_tracking,
            derive_timeline(m, request),
            phases=len(m.requests),
        )
        for m in (mechanism, scaled)
    )
    A = cases.Exact()
    assert evaluate(after, A).distance == unit * evaluate(before, A).distance


@given(runs(), st.sampled_from([F(1, 7), F(3)]))
def test_time_units_do_not_matter(mechanism, unit) -> None:
    """f → λf, η → η/λ: the step stays; σ² scales by λ, as 2ησ² must stay."""
    loss = mechanism.loss
    scaled = replace(
        mechanism,
        loss=ConstantLoss(unit**2 * loss.smoothness, unit**2 * loss.strong_convexity, unit**2 * loss.gradient_bound),
        step_size=mechanism.step_size / unit**2,
        noise_std=unit * mechanism.noise_std,
    )
    assert value(scaled) == value(mechanism)


@given(runs())
def test_lower_is_never_above_upper(mechanism) -> None:
    for request in range(len(mechanism.requests)):
        assert mu_squared(derive_witness(mechanism, request)) <= mu_squared(derive(mechanism, request))


@given(runs(("learn", "unlearn")))
def test_a_radius_that_binds_nothing_changes_nothing(mechanism) -> None:
    assert value(replace(mechanism, radius=F(10**6))) == value(mechanism)


def test_a_tie_everywhere_is_decided_in_fractions() -> None:
    """z = 0 at every step: no ball could tell, η being no dyadic number."""
    for loss in (ConstantLoss(1, 0, 1), ConstantLoss("3/7", 0, "1/3")):
        everybody = run(2, 1, loss=loss, requests=(2,))
        steps = 2 * everybody.epochs
        step = everybody.step_size
        expected = steps * (2 * step * loss.gradient_bound) ** 2 / (2 * step * everybody.noise_std**2)
        assert value(everybody) == expected
        found = enclose(derive(everybody))
        assert found.lower**2 <= expected <= found.upper**2


@settings(max_examples=40)
@given(runs(), st.sampled_from(["0.5", "1e-5", "1e-40"]))
def test_doubles_agree_with_balls(mechanism, delta) -> None:
    pair = derive(mechanism, len(mechanism.requests) - 1)
    assert float(evaluate(pair, Float()).mu) == pytest.approx(float(value(mechanism)) ** 0.5, rel=1e-12)
    assert float(evaluate(pair, Float()).mu) == pytest.approx(float(enclose(pair).upper), rel=1e-9)
    epsilon = derive_epsilon(pair, delta)
    assert float(evaluate(epsilon, Float()).epsilon) == pytest.approx(float(enclose(epsilon).upper), rel=1e-9)
    for ours, ball in zip(
        evaluate(derive_renyi(pair), Float()).divergences, enclose_all(derive_renyi(pair)), strict=True
    ):
        assert float(ours) == pytest.approx(float(ball.upper), rel=1e-9)
    for bound in derive_published(mechanism, delta).values():
        assert float(evaluate(bound, Float()).epsilon) == pytest.approx(float(enclose(bound).upper), rel=1e-9)


@given(runs())
def test_a_smaller_delta_is_a_larger_epsilon(mechanism) -> None:
    pair = derive(mechanism)
    upper = [enclose(derive_epsilon(pair, delta)).upper for delta in ("0.3", "1e-3", "1e-9", "1e-60")]
    assert upper == sorted(upper)


# --- the edges --------------------------------------------------------------------------------------------------------

EDGES = {
    "learning alone": {"unlearning_epochs": 0},
    "no learning": {"epochs": 0, "unlearning_epochs": 1},
    "full batch": {"samples": 6, "batch_size": 6},
    "one record a batch": {"samples": 6, "batch_size": 1},
    "one record in all": {"samples": 1, "batch_size": 1},
    "c = 0": {"loss": ConstantLoss(2, 2, 1), "step_size": F(1, 2)},
    "c = 0, unlearned": {"loss": ConstantLoss(2, 2, 1), "step_size": F(1, 2), "unlearning_epochs": 2},
    "c = 1, m = 0": {"loss": ConstantLoss(2, 0, 1)},
    "c = 1, η = 2/L": {"step_size": F(2)},
    "c > 1 in a ball": {"step_size": F(3), "radius": 2},
    "no gradient": {"loss": ConstantLoss(1, F(1, 2), 0), "unlearning_epochs": 1},
}


@pytest.mark.parametrize("edge", EDGES)
def test_every_edge_has_an_answer(edge: str) -> None:
    mechanism = run(**EDGES[edge])
    upper = enclose(derive(mechanism))
    witness = derive_witness(mechanism)
    assert (witness is None) == (mechanism.radius is not None)
    if witness is not None:
        assert enclose(witness).lower <= upper.upper
    expected = {"no learning": 0, "c = 0, unlearned": 0, "no gradient": 0}
    assert (upper.upper == 0) == (edge in expected)
    epsilon = enclose(derive_epsilon(derive(mechanism), "1e-3"))
    assert (epsilon.upper == 0) == (edge in expected)
    for bound in derive_published(mechanism, "1e-3").values():
        assert enclose(bound).lower > 0 or edge == "no learning"


def test_known_values_at_the_edges() -> None:
    """c = 0: only the last step counts. c = 1 full batch: T shifts against T noises. l = 1, T = 1: one step."""
    forgets = run(3, 2, loss=ConstantLoss(2, 2, 1), step_size=F(1, 2), noise_std=1, epochs=5)
    assert value(forgets) == (2 * F(1, 2) / 2) ** 2 / 1
    for t in (1, 4):
        walk = run(1, 2, loss=ConstantLoss(1, 0, 1), step_size=F(1), noise_std=1, epochs=t)
        assert value(walk) == t * F(1) ** 2 / 2
    parts = run(3, 2, loss=ConstantLoss(1, 0, 1), step_size=F(1), noise_std=1, epochs=1, unlearning_epochs=2)
    assert value(parts) == F(1, 2) / 7  # one shift, spread over its own step and six clean ones


def test_a_release_before_any_step_is_refused() -> None:
    with pytest.raises(InvalidMechanism, match="nothing is run before a release"):
        run(epochs=0, unlearning_epochs=0)
