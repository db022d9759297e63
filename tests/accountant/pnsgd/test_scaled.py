"""PNSGD whose per-sample gradients are scaled (T16): the constants that a run uses, and the step itself, by simulation.

The oracle is the definition: each record's data gradient in doubles, its weight by `tests.oracles.scaling`, the batch's
mean, the regulariser, the noise. **Own error**: distances below are at least 1e-4, so rounding is below 1e-11 of them.
"""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest

from accountant import HuberLoss, InvalidLoss, InvalidMechanism, LogisticLoss, NoisySGD, derive, enclose, evaluate
from accountant.core.arithmetic import Exact
from accountant.core.kernel import THEOREMS
from accountant.core.scaling import AutoS, Clip, Psac, Psasc
from accountant.explain.derivatives import elasticities
from accountant.explain.limits import limits
from accountant.losses import SCALED_MODELS, ScaledLoss
from accountant.pnsgd.derive import derive_distance, derive_lower, derive_timeline, derive_upper
from accountant.pnsgd.estimates.estimate import estimate_mu
from accountant.pnsgd.scaled import derive_scaled, derive_scaled_loss, scale_loss
from tests.accountant import cases
from tests.oracles import scaling as oracle

MAPS = {
    "clip": Clip("0.4"),
    "auto-s": AutoS("0.5", "0.2"),
    "psac": Psac(1, "0.1"),
    "psasc": Psasc(1, "0.01", 1),
    "psasc_monotone": Psasc("0.3", 2, 3),
}
MODELS = {
    "logistic": {},
    "least-squares": {"target_bound": 2},
    "huber": {"threshold": "0.5"},
    "smoothed-hinge": {"smoothing": "0.5"},
    "poisson": {"target_bound": 3},
}
EVERY = [(model, name) for model in MODELS for name in MAPS]
FEATURE_NORM, M = F(3, 2), F(1, 10)


def scaled(model: str, name: str, **changes) -> ScaledLoss:
    return ScaledLoss(model, M, MAPS[name], FEATURE_NORM, **MODELS[model] | changes)


def scaled_run(loss, **changes) -> NoisySGD:
    told = {"batch_size": 4, "epochs": 6, "unlearning_epochs": 2, "noise_std": "0.3", "step_size": "1/L"}
    return cases.run(**told | {"loss": loss} | changes)


# --- what the run uses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "name"), EVERY)
@pytest.mark.parametrize("radius", [None, 2])
def test_the_run_has_the_constants_of_t16(model: str, name: str, radius) -> None:
    domain = {"radius": radius} if model in ("least-squares", "poisson") else {}
    loss = scaled(model, name, **domain)
    constants = evaluate(derive_scaled(loss), Exact())
    assert loss.constants() == constants and constants.strong_convexity == M and constants.convex
    mechanism = scaled_run(loss, radius=radius)
    assert mechanism.step_size == 1 / constants.smoothness
    timeline = derive_timeline(mechanism)
    rate, shift = timeline.premises[:2]
    assert dict(rate.arguments)["smoothness"] == constants.smoothness
    assert rate.preview.factor == 1 - M / constants.smoothness
    assert shift.preview.distance == 2 * mechanism.step_size * constants.gradient_bound / 4
    for premise in (rate, shift):
        assert [p.theorem.id for p in premise.premises] == ["T16"]
    used = {node.theorem.id for node in derive(mechanism).nodes()}
    assert {"T16", loss.theorem.id, "C1", "C2", "T10"} <= used
    assert set(loss.theorem.assumes) <= derive(mechanism).assumptions


def test_every_model_is_tested() -> None:
    assert tuple(MODELS) == SCALED_MODELS and {m.kind for m in MAPS.values()} == {"clip", "auto-s", "psac", "psasc"}


def test_a_loss_is_scaled_as_it_is_derived() -> None:
    """`scale_loss` keeps every number; the derivation is the one of `derive_scaled_loss`."""
    loss = HuberLoss("0.1", "0.5", "1.5")
    made = scale_loss(loss, MAPS["psac"])
    assert made == scaled("huber", "psac")
    assert evaluate(derive_scaled_loss(loss, MAPS["psac"]), Exact()) == made.constants()


@pytest.mark.parametrize(("model", "name"), EVERY)
def test_upper_and_lower_bounds_bracket(model: str, name: str) -> None:
    """Unlearning after learning: the witness of the class (m, L, M) stays below, and search agrees with the proof."""
    mechanism = scaled_run(scaled(model, name))
    upper, lower = enclose(derive_upper(mechanism, "1e-5")), enclose(derive_lower(mechanism, "1e-5"))
    assert 0 < lower.upper < upper.upper < lower.upper * F(11, 10)
    assert float(enclose(derive(mechanism)).upper) == pytest.approx(estimate_mu(mechanism), rel=1e-9)


def test_the_clip_map_is_the_loss_with_a_clip() -> None:
    for plain, made in (
        (HuberLoss("0.1", 2, 1, "0.3"), ScaledLoss("huber", "0.1", Clip("0.3"), threshold=2)),
        (LogisticLoss("0.1", 1, "0.3"), ScaledLoss("logistic", "0.1", Clip("0.3"))),
    ):
        assert made.constants() == plain.constants()
        assert enclose(derive(scaled_run(made))) == enclose(derive(scaled_run(plain)))


def test_a_step_that_only_the_unscaled_loss_allows_is_refused() -> None:
    """Between 2/L of the scaled and 2/L of the unscaled loss; in a ball it is an expanding step."""
    plain, made = HuberLoss(M, "0.5", FEATURE_NORM), scaled("huber", "psasc")
    unscaled, own = 2 / plain.constants().smoothness, 2 / made.constants().smoothness
    assert own < unscaled / 5
    step = (own + unscaled) / 2
    assert derive_timeline(scaled_run(plain, step_size=step)).premises[0].preview.factor < 1
    with pytest.raises(InvalidMechanism, match=r"^step_size: .* > 2/L = 0\.13.* with the L of the scaled loss"):
        scaled_run(made, step_size=step)
    assert derive_timeline(scaled_run(made, step_size=own)).premises[0].preview.factor == 1
    (expanding,) = {
        n for n in derive_timeline(scaled_run(made, step_size=step, radius=1)).nodes() if n.theorem.id == "C1"
    }
    assert expanding.preview.factor > 1


def test_what_is_no_scaled_loss_is_refused() -> None:
    def refuses(key: str, *arguments, **named) -> None:
        with pytest.raises(InvalidLoss) as refused:
            ScaledLoss(*arguments, **named)
        assert refused.value.key == key

    refuses("kind", "softmax", 1, Clip(1))
    refuses("regularization", "logistic", -1, Clip(1))
    refuses("feature_norm", "logistic", 1, Clip(1), 0)
    refuses("threshold", "huber", 1, Clip(1))
    refuses("threshold", "huber", 1, Clip(1), threshold=0)
    refuses("threshold", "logistic", 1, Clip(1), threshold=1)
    refuses("smoothing", "smoothed-hinge", 1, Clip(1))
    refuses("target_bound", "poisson", 1, Clip(1))
    refuses("radius", "logistic", 1, Clip(1), radius=1)
    refuses("radius", "poisson", 1, Clip(1), 2, target_bound=1, radius=51)
    with pytest.raises(TypeError, match="is not a map"):
        ScaledLoss("logistic", 1, None)
    with pytest.raises(TypeError, match="float"):
        ScaledLoss("logistic", 0.1, Clip(1))
    with pytest.raises(InvalidMechanism, match="radius"):
        scaled_run(ScaledLoss("least-squares", 1, Clip(1), target_bound=1, radius=1), radius=2)


def test_limits_and_elasticities_speak_of_the_scaled_loss() -> None:
    """c → 1 takes m away, not the map; the loss's own numbers count."""
    mechanism = scaled_run(scaled("huber", "psac"))
    (flat,) = (limit for limit in limits(mechanism, F(1, 10**5)) if limit.towards.startswith("c"))
    without = ScaledLoss("huber", 0, MAPS["psac"], FEATURE_NORM, threshold="0.5")
    expected = enclose(derive_upper(scaled_run(without, step_size=mechanism.step_size), "1e-5"))
    assert flat.epsilon == expected
    found = {e.parameter: e.elasticity for e in elasticities(mechanism, F(1, 10**5))}
    assert {"loss.regularization", "loss.feature_norm", "loss.threshold"} <= set(found)
    assert 0 < found["loss.threshold"] < 1  # φ grows more slowly than its argument


# --- the step itself --------------------------------------------------------------------------------------------------

DERIVATIVES = {  # ℓ′(z; y)
    "logistic": lambda z, y: -y / (1 + np.exp(y * z)),
    "least-squares": lambda z, y: z - y,
    "huber": lambda z, y: np.clip(z - y, -0.5, 0.5),
    "smoothed-hinge": lambda z, y: -y * np.clip((1 - y * z) / 0.5, 0, 1),
    "poisson": lambda z, y: np.exp(z) - y,
}


def targets(rng: np.random.Generator, model: str, size: int) -> np.ndarray:
    if model == "poisson":
        return rng.integers(0, 4, size).astype(float)
    return rng.choice([-1.0, 1.0], size) if model in ("logistic", "smoothed-hinge") else rng.uniform(-2, 2, size)


def features(rng: np.random.Generator, size: int, dimension: int) -> np.ndarray:
    made = rng.standard_normal((size, dimension))
    length = float(FEATURE_NORM) * rng.choice([1.0, 1.0, 0.3], size)
    return made / np.linalg.norm(made, axis=1, keepdims=True) * length[:, None]


def noiseless(model: str, map_: tuple, theta: np.ndarray, x: np.ndarray, y: np.ndarray, step: float) -> np.ndarray:
    """θ − η(mean of the scaled data gradients + mθ)."""
    total = np.zeros_like(theta)
    for record, target in zip(x, y, strict=True):
        g = DERIVATIVES[model](record @ theta, target) * record
        total += oracle.weight(map_[0], float(np.linalg.norm(g)), *map_[1:]) * g
    return theta - step * (total / len(y) + float(M) * theta)


def plain(scaling) -> tuple:
    kind, *values = scaling.arguments().values()
    return kind, *(None if v is None else float(v) for v in values)


def greatest_ratio(model: str, name: str, step: float, tries: int = 400) -> float:
    """How far one noiseless step drives two close points apart, at most, in a random search near where φ is steep."""
    rng, map_, worst = np.random.default_rng(5), plain(MAPS[name]), 0.0
    for _ in range(tries):
        size, dimension = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        x = features(rng, size, dimension)
        y = targets(rng, model, size)
        theta = rng.standard_normal(dimension) * 10 ** rng.uniform(-2, 0.5)
        if model in ("least-squares", "huber") and rng.random() < 0.5:
            y = np.clip(x @ theta + rng.normal(0, 0.1, size), -2, 2)  # short gradients
        other = theta + rng.standard_normal(dimension) * 10 ** rng.uniform(-3, 0)
        distance = np.linalg.norm(theta - other)
        moved = noiseless(model, map_, theta, x, y, step) - noiseless(model, map_, other, x, y, step)
        worst = max(worst, float(np.linalg.norm(moved) / distance))
    return worst


@pytest.mark.parametrize(("model", "name"), EVERY)
def test_the_scaled_step_contracts_by_the_stated_factor(model: str, name: str) -> None:
    """At "1/L", 2/(L+m) and 2/L: no two points come closer by less than c says."""
    for step_size in ("1/L", "2/(L+m)", 2 / scaled(model, name).constants().smoothness):
        mechanism = scaled_run(scaled(model, name), step_size=step_size)
        factor = derive_timeline(mechanism).premises[0].preview.factor
        found = greatest_ratio(model, name, float(mechanism.step_size))
        assert found <= float(factor) * (1 + 1e-9), (step_size, found)
        assert found > 0.8 * float(1 - mechanism.step_size * M)  # what a flat direction does


def test_the_unscaled_step_size_expands() -> None:
    """The same search refutes a contraction where the map's slope is left out of L."""
    step = 2 / HuberLoss(M, "0.5", FEATURE_NORM).constants().smoothness
    assert greatest_ratio("huber", "psasc", float(step)) > 1.5


def project(theta: np.ndarray, radius: float | None) -> np.ndarray:
    norm = np.linalg.norm(theta)
    return theta if radius is None or norm <= radius else theta * (radius / norm)


def coupled(model: str, name: str, mechanism: NoisySGD, data: tuple, replaced: tuple, seed: int) -> list[float]:
    """Distances at the end of learning and at release, of two runs with the same noise."""
    (x, y), (position, record, target) = data, replaced
    other_x, other_y = x.copy(), y.copy()
    other_x[position], other_y[position] = record, target
    rng, map_ = np.random.default_rng(seed), plain(MAPS[name])
    step, noise = float(mechanism.step_size), float(mechanism.noise_std)
    radius = None if mechanism.radius is None else float(mechanism.radius)
    b, found = mechanism.batch_size, []
    first = second = np.zeros(x.shape[1])
    for epochs, same in ((mechanism.epochs, False), (sum(mechanism.unlearning_epochs), True)):
        if same:  # the record is erased from the first run: from here on the data are alike
            x, y = other_x, other_y
        for _ in range(epochs):
            for start in range(0, len(y), b):
                batch = slice(start, start + b)
                added = np.sqrt(2 * step) * noise * rng.standard_normal(x.shape[1])
                first = project(noiseless(model, map_, first, x[batch], y[batch], step) + added, radius)
                second = project(noiseless(model, map_, second, other_x[batch], other_y[batch], step) + added, radius)
        found.append(float(np.linalg.norm(first - second)))
    return found


@pytest.mark.parametrize(("model", "name"), EVERY)
@pytest.mark.parametrize("radius", [None, 1])
def test_coupled_runs_stay_within_the_tracked_distance(model: str, name: str, radius) -> None:
    """T1 on random data, the differing record anywhere, after learning and after unlearning."""
    domain = {"radius": radius} if model in ("least-squares", "poisson") else {}
    mechanism = scaled_run(scaled(model, name, **domain), radius=radius)
    bounds = [float(enclose(derive_distance(derive_timeline(mechanism), phases)).upper) for phases in (1, 2)]
    for seed in range(4):
        rng = np.random.default_rng(seed)
        data = features(rng, 12, 2), targets(rng, model, 12)
        position = 11 if seed < 2 else int(rng.integers(12))
        record, target = -data[0][position], data[1][position]
        found = coupled(model, name, mechanism, data, (position, record, target), seed)
        assert all(0 < d <= bound * (1 + 1e-9) for d, bound in zip(found, bounds, strict=True)), (found, bounds)


@pytest.mark.parametrize("name", MAPS)
def test_the_tracked_distance_is_reached(name: str) -> None:
    """One record a batch, on Huber's linear tail: two opposite gradients of the greatest norm. W∞ is attained where
    every step contracts by c alone: one batch, of which the record is all."""
    loss = ScaledLoss("huber", M, MAPS[name], FEATURE_NORM, threshold="0.5")
    mechanism = scaled_run(loss, samples=1, batch_size=1, epochs=8, unlearning_epochs=1, noise_std="0.01")
    x, y = np.array([[float(FEATURE_NORM)]]), np.array([1e4])
    found = coupled("huber", name, mechanism, (x, y), (0, -x[0], 1e4), seed=1)
    learned = float(enclose(derive_distance(derive_timeline(mechanism), 1)).upper)
    assert learned * (1 - 1e-9) < found[0] <= learned * (1 + 1e-9)


def test_t16_is_the_theorem_in_use() -> None:
    """The constants come from the kernel's table, not from a second copy."""
    assert scaled("logistic", "clip").theorem is THEOREMS["L1u"]
    assert derive_scaled(scaled("poisson", "psac")).theorem is THEOREMS["T16"]
