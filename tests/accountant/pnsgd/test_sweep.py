"""The vectorised sweep: equal to the bounds in balls and to `estimate`, point by point."""

from __future__ import annotations

import math
import random
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

from accountant import ConstantLoss, NoisySGD, derive, derive_upper, enclose
from accountant.core.arithmetic import ConditionViolated, Float
from accountant.core.arithmetic.floats import gaussian_epsilon
from accountant.pnsgd.estimates.estimate import estimate, estimate_mu
from accountant.pnsgd.estimates.sweep import epsilon_of, sweep, sweep_mu
from accountant.theorems.shifts import position_mu

MNIST: dict[str, Any] = {
    "samples": 11264,
    "batch_size": 128,
    "epochs": 100,
    "unlearning_epochs": 1,
    "noise_std": 0.0041,
    "step_size": 1 / 0.261264,
    "strong_convexity": 0.011264,
    "smoothness": 0.261264,
    "gradient_bound": 1,
}


def random_mechanism(rng: random.Random) -> NoisySGD:
    """c from 0 to 1, l from 1 to 8, learning and unlearning, T = 1 often."""
    smoothness = F(rng.randint(1, 64), 16)
    convexity = rng.choice([F(0), smoothness, smoothness * F(rng.randint(1, 99), 100), F(1, 10**9)])
    convexity = min(convexity, smoothness)
    step = rng.choice([F(1), F(2), F(rng.randint(1, 200), 100), F(1, 1000)]) / smoothness
    batches, batch = rng.choice([1, 2, 3, 8]), rng.randint(1, 4)
    return NoisySGD(
        samples=batches * batch,
        batch_size=batch,
        epochs=rng.choice([1, 1, 2, 3, 10, 500]),
        unlearning_epochs=rng.choice([0, 0, 1, 2, 5]),
        noise_std=F(rng.randint(1, 400), 100),
        step_size=step,
        loss=ConstantLoss(smoothness, convexity, F(rng.randint(1, 40), 10)),
        neighbours=rng.choice(["replace-one", "remove-one"]),
    )


def arguments(mechanism: NoisySGD) -> dict[str, Any]:
    constants = mechanism.loss.constants()
    return {
        "samples": mechanism.samples,
        "batch_size": mechanism.batch_size,
        "epochs": mechanism.epochs,
        "unlearning_epochs": mechanism.unlearning_epochs[0],
        "noise_std": float(mechanism.noise_std),
        "step_size": float(mechanism.step_size),
        "strong_convexity": float(constants.strong_convexity),
        "smoothness": float(constants.smoothness),
        "gradient_bound": float(constants.gradient_bound),
        "neighbours": mechanism.neighbours,
    }


def stacked(mechanisms: list[NoisySGD]) -> dict[str, Any]:
    rows = [arguments(mechanism) for mechanism in mechanisms]
    made = {key: np.array([row[key] for row in rows]) for key in rows[0] if key != "neighbours"}
    return made | {"neighbours": rows[0]["neighbours"]}


def mechanisms(count: int, neighbours: str, seed: int = 1) -> list[NoisySGD]:
    rng = random.Random(seed)
    found = []
    while len(found) < count:
        mechanism = random_mechanism(rng)
        # 1 − c = 2 − ηL at η a little below 2/L is no double: what cancels there, cancels in every double.
        if mechanism.neighbours == neighbours:
            found.append(mechanism)
    return found


@pytest.mark.parametrize("neighbours", ["replace-one", "remove-one"])
def test_equals_the_certified_bounds(neighbours: str) -> None:
    runs, delta = mechanisms(150, neighbours), F(1, 10**5)
    found = sweep(**stacked(runs), delta=float(delta))
    assert {run.unlearning_epochs[0] == 0 for run in runs} == {False, True}
    for run, mu, epsilon in zip(runs, found.mu, found.epsilon, strict=True):
        assert mu == pytest.approx(float(enclose(derive(run)).upper), rel=1e-9), run
        assert epsilon == pytest.approx(float(enclose(derive_upper(run, delta)).upper), rel=1e-9, abs=1e-300), run


def test_equals_estimate() -> None:
    runs = mechanisms(300, "replace-one", seed=2)
    found = sweep(**stacked(runs), delta=1e-6)
    for run, mu, epsilon in zip(runs, found.mu, found.epsilon, strict=True):
        assert mu == pytest.approx(estimate_mu(run), rel=1e-6), run  # estimate rounds c first
        if float(run.step_size * run.loss.smoothness) == 1:
            assert epsilon == pytest.approx(estimate(run, 1e-6), rel=1e-6, abs=1e-300)


def test_equals_the_closed_form_in_doubles() -> None:
    """Theory T4 as `closed_form` has it, on the paper's constants."""
    for k in (0, 1, 3):
        for batch_size in (128, 512, 11264):
            found = sweep_mu(**MNIST | {"unlearning_epochs": k, "batch_size": batch_size})
            eta, batches = MNIST["step_size"], 11264 // batch_size
            c, shift, variance = 1 - eta * 0.011264, 2 * eta / batch_size, 2 * eta * 0.0041**2
            expected = position_mu(Float(), c, shift, variance, batches, batches - 1, 100, k)
            assert float(found) == pytest.approx(float(expected), rel=1e-11)


def test_contraction_next_to_one_keeps_its_digits() -> None:
    run = NoisySGD(100, 10, 10**6, F(3), ConstantLoss(1, F(1, 10**13), 1), unlearning_epochs=(10**5,))
    assert float(sweep_mu(**arguments(run))) == pytest.approx(float(enclose(derive(run)).upper), rel=1e-12)


def test_steps_without_contraction_and_without_memory() -> None:
    alike = {"samples": 6, "batch_size": 2, "noise_std": 1.0, "gradient_bound": 1.0, "smoothness": 1.0, "step_size": 1}
    tau = math.sqrt(2)
    still = sweep_mu(**alike, strong_convexity=0, epochs=4, unlearning_epochs=2)  # c = 1: T·s/(τ√(l(T+K)−j))
    assert float(still) == pytest.approx(4 * 1 / (tau * math.sqrt(3 * 6 - 2)))
    for k, expected in ((0, 1 / tau), (1, 0.0)):  # c = 0: the last shift alone; gone after a step
        assert float(sweep_mu(**alike, strong_convexity=1, epochs=4, unlearning_epochs=k)) == pytest.approx(expected)
    alone = sweep_mu(**alike, strong_convexity=0.5, epochs=1, unlearning_epochs=0)
    assert float(alone) == pytest.approx(1 / tau)
    assert float(sweep_mu(**alike, strong_convexity=0.5, epochs=0, unlearning_epochs=1)) == 0


def test_the_step_2_over_l_is_no_expansion() -> None:
    for smoothness in np.linspace(0.1, 7, 200):
        changed = {"step_size": 2 / smoothness, "smoothness": smoothness, "strong_convexity": 0.0}
        assert np.isfinite(sweep_mu(**MNIST | changed))


def test_arguments_broadcast() -> None:
    noise, k = np.geomspace(1e-3, 1, 5)[:, None, None], np.array([0, 1, 4])[:, None]
    sizes, deltas = np.array([128, 512]), 1 / 11264
    found = sweep(**MNIST | {"noise_std": noise, "unlearning_epochs": k, "batch_size": sizes}, delta=deltas)
    assert found.mu.shape == found.epsilon.shape == (5, 3, 2)
    for place in np.ndindex(5, 3, 2):
        one = {"noise_std": noise[place[0], 0, 0], "unlearning_epochs": k[place[1], 0], "batch_size": sizes[place[2]]}
        alone = sweep(**MNIST | one, delta=deltas)
        assert found.mu[place] == pytest.approx(float(alone.mu), rel=1e-14)
        assert found.epsilon[place] == pytest.approx(float(alone.epsilon), rel=1e-10)


@pytest.mark.parametrize("delta", [0.9, 1e-2, 1e-5, 1e-10, 1e-30, 1e-250])
def test_epsilon_by_table_equals_the_search(delta: float) -> None:
    mus = np.exp(np.random.default_rng(3).uniform(math.log(delta) - 1, math.log(1e4), 60_000))
    found = epsilon_of(mus, delta)
    some = slice(0, 4000)
    with np.errstate(over="ignore"):
        searched = gaussian_epsilon(mus[some], delta)
    certain = np.abs(mus[some] / delta * math.sqrt(1 / (2 * math.pi)) - 1) > 1e-6  # δ(0) = δ is a matter of rounding
    if delta < 0.1:
        assert np.array_equal((found[some] == 0)[certain], (searched == 0)[certain])
    assert np.max(np.abs(found[some] - searched) / np.maximum(searched, 1e-6 * delta)) < 1e-9


def test_epsilon_at_the_ends() -> None:
    mus = np.concatenate([[0.0, 1e-300, math.inf, 1e120], np.linspace(0.1, 2, 9996)])
    found = epsilon_of(mus, 1e-5)
    assert list(found[:4]) == [0, 0, math.inf, math.inf] and np.all(np.diff(found[4:]) > 0)
    assert list(epsilon_of(mus[:4], 1e-5)) == [0, 0, math.inf, math.inf]
    assert epsilon_of(np.array([]), 1e-5).shape == (0,) and epsilon_of(0.5, 1e-5).shape == ()
    assert float(epsilon_of(1e8, 1e-5)) == pytest.approx(5e15, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "condition"),
    [
        ({"noise_std": 0.0}, "0 < σ"),
        ({"noise_std": math.nan}, "0 < σ"),
        ({"noise_std": np.array([1.0, -1.0])}, "0 < σ"),
        ({"unlearning_epochs": -1}, "0 ≤ K"),
        ({"unlearning_epochs": 1.5}, "0 ≤ K"),
        ({"epochs": -1}, "0 ≤ T"),
        ({"epochs": 0, "unlearning_epochs": 0}, r"T \+ K ≥ 1"),
        ({"batch_size": 0}, "1 ≤ b"),
        ({"batch_size": 20000}, "b ≤ n"),
        ({"step_size": 9.0}, "c ≤ 1"),
        ({"step_size": 0.0}, "0 < η"),
        ({"strong_convexity": 1.0}, "0 ≤ m ≤ L"),
        ({"gradient_bound": -1.0}, "0 ≤ M"),
        ({"neighbours": "add-one"}, "neighbours"),
        ({"delta": 1.0}, "0 < δ < 1"),
        ({"delta": 0.0}, "0 < δ < 1"),
    ],
)
def test_what_is_out_of_range_is_refused(change: dict[str, Any], condition: str) -> None:
    with pytest.raises(ConditionViolated, match=condition):
        sweep(**MNIST | {"delta": 1e-5} | change)


def test_epsilon_refuses_what_is_no_mu() -> None:
    for bad in (math.nan, -1.0):
        with pytest.raises(ConditionViolated, match="0 ≤ μ"):
            epsilon_of(np.array([1.0, bad]), 1e-5)


def test_many_deltas_at_once() -> None:
    """δ is an axis like any other: a few points, whole columns of equal δ, and a δ for each point."""
    deltas = np.array([1e-12, 1e-5, 0.3, 1 - 1e-9])
    found = sweep(**MNIST | {"noise_std": np.array([[0.001], [0.01], [1.0]])}, delta=deltas)
    assert found.mu.shape == (3, 1) and found.epsilon.shape == (3, 4)
    for i, delta in enumerate(deltas):
        np.testing.assert_allclose(found.epsilon[:, i], epsilon_of(found.mu[:, 0], delta), rtol=1e-12, atol=1e-300)
    mus = np.geomspace(1e-9, 1e103, 5000)
    many = epsilon_of(mus[:, None], deltas)
    for i, delta in enumerate(deltas):
        np.testing.assert_array_equal(many[:, i], epsilon_of(mus, delta))
    pairs = epsilon_of(mus, np.geomspace(1e-30, 0.5, 5000))
    for i in range(0, 5000, 500):
        assert pairs[i] == pytest.approx(float(epsilon_of(mus[i], np.geomspace(1e-30, 0.5, 5000)[i])), rel=1e-12)
    assert epsilon_of([], [1e-5]).shape == (0,)


@pytest.mark.parametrize("delta", [0, 1, float("nan"), [1e-5, 0.0], np.array([[1e-5], [1.5]]), -1e-5])
def test_every_delta_lies_between_0_and_1(delta) -> None:
    with pytest.raises(ConditionViolated, match="δ"):
        sweep(**MNIST, delta=delta)
