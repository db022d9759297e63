"""μ and ε of many runs at once, in doubles: T4 and T11 on whole arrays. For sweeps and plots; nothing certified.

A million points take a fraction of a second. Powers of c are exponentials of n·log c, with 1 − c = min(ηm, 2 − ηL)
taken from the constants, so that a c next to 1 loses no digits. At one δ, ε is a function of μ alone: it is solved for
at a few hundred μ, with its exact derivatives, and read off a polynomial in between.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from accountant.core.arithmetic import ConditionViolated
from accountant.core.arithmetic.floats import gaussian_epsilon
from accountant.mechanisms.neighbours import FIXED_SIZE, shift_of

Array = np.ndarray

_CHUNK = 1 << 15  # values that stay in the cache from one operation to the next
_SPACING = 0.05  # of the nodes, in log μ: leaves about 1e-12 of ε
_FEW = 1000  # μ at one δ: each is searched for by itself
_MAX_MU = 1e100  # ε beyond 1e199 is shown as inf
_MIN_EXPONENT = -1e300  # stands for log 0: times a count it is 0 or far below


@dataclass(frozen=True)
class Sweep:
    """mu, epsilon: arrays of the shape to which the arguments broadcast; that of δ counts for epsilon alone."""

    mu: Array
    epsilon: Array


def sweep(
    *,
    samples: Any,
    batch_size: Any,
    epochs: Any,
    unlearning_epochs: Any,
    noise_std: Any,
    step_size: Any,
    strong_convexity: Any,
    smoothness: Any,
    gradient_bound: Any,
    delta: Any,
    neighbours: str = "replace-one",
) -> Sweep:
    """μ and ε of PNSGD runs: a fixed order, one record in the last batch, equal starts, c ≤ 1, no active projection.

    Numbers or arrays, broadcast against each other. K = 0 is a claim about learning. A remainder of
    samples/batch_size is dropped. What depends on some axes alone is computed on these alone: give a grid as axes
    (shapes (a, 1, 1), (b, 1), (c,)) rather than as a million triples. About 1e-12 relative away from ε = 0.

    Raises:
        ConditionViolated: a value out of its range, c > 1 among them.
    """
    mu = sweep_mu(
        samples=samples,
        batch_size=batch_size,
        epochs=epochs,
        unlearning_epochs=unlearning_epochs,
        noise_std=noise_std,
        step_size=step_size,
        strong_convexity=strong_convexity,
        smoothness=smoothness,
        gradient_bound=gradient_bound,
        neighbours=neighbours,
    )
    return Sweep(mu, epsilon_of(mu, delta))


def sweep_mu(
    *,
    samples: Any,
    batch_size: Any,
    epochs: Any,
    unlearning_epochs: Any,
    noise_std: Any,
    step_size: Any,
    strong_convexity: Any,
    smoothness: Any,
    gradient_bound: Any,
    neighbours: str = "replace-one",
) -> Array:
    """T4's μ alone; see `sweep`."""
    n, b, t, k, sigma, eta, m, top, bound = (
        np.asarray(value, float)
        for value in (
            samples,
            batch_size,
            epochs,
            unlearning_epochs,
            noise_std,
            step_size,
            strong_convexity,
            smoothness,
            gradient_bound,
        )
    )
    whole = ((b, 1, "1 ≤ b"), (t, 0, "0 ≤ T"), (k, 0, "0 ≤ K"), (t + k, 1, "T + K ≥ 1"), (n - b, 0, "b ≤ n"))
    for value, least, condition in whole:
        _require((value >= least) & (value == np.floor(value)), condition, value)
    _require((sigma > 0) & np.isfinite(sigma), "0 < σ", sigma)
    _require((eta > 0) & np.isfinite(eta), "0 < η", eta)
    _require((m >= 0) & (m <= top), "0 ≤ m ≤ L", m)
    _require((bound >= 0) & np.isfinite(bound), "0 ≤ M", bound)
    gap = np.minimum(eta * m, 2 - eta * top)  # 1 − c
    # ηL = 2 may come out a little above it.
    _require(gap >= -1e-14, "c ≤ 1", 1 - gap)
    if neighbours not in FIXED_SIZE:
        raise ConditionViolated('neighbours = "replace-one" or "remove-one"', neighbours)
    gap = np.clip(gap, 0.0, 1.0)
    change = shift_of(neighbours)
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
        rate = np.maximum(np.log1p(-gap), _MIN_EXPONENT)  # log c
        batches = np.floor(n / b)
        # In units of s/τ, which alone depends on σ and M.
        unit = change * bound / b * np.sqrt(eta / 2) / sigma
        if not np.any(k == 0):
            return _unlearning(gap, rate, batches, t, k) * unit
        if not np.any(k > 0):
            return (_learning(gap, rate, batches, t) + 0 * k) * unit
        return np.where(k > 0, _unlearning(gap, rate, batches, t, k), _learning(gap, rate, batches, t)) * unit


def _require(holds: Array, condition: str, value: Array) -> None:
    if not np.all(holds):
        raise ConditionViolated(condition, float(np.broadcast_to(value, holds.shape)[~holds].flat[0]))


def _geometric(rate: Array, n: Array) -> Array:
    """Σ_{i<n} e^(rate·i), rate ≤ 0."""
    step = np.where(rate == 0, -1.0, rate)
    return np.where(rate == 0, n, np.expm1(n * step) / np.expm1(step))


def _squares(gap: Array, rate: Array, n: Array) -> Array:
    """Σ_{i<n} c^(2i); 1 − c² = (1 − c)(1 + c) keeps the digits of 1 − c."""
    step = np.where(gap == 0, -1.0, rate)
    return np.where(gap == 0, n, np.expm1(2 * n * step) / -np.where(gap == 0, 1.0, gap * (2 - gap)))


def _unlearning(gap: Array, rate: Array, batches: Array, t: Array, k: Array) -> Array:
    """T4, K ≥ 1, position l − 1, s = τ = 1."""
    learned = _geometric(rate * batches, t)
    return learned * np.exp(rate * (batches * k)) / np.sqrt(_squares(gap, rate, batches * (t + k - 1) + 1))


def _learning(gap: Array, rate: Array, batches: Array, t: Array) -> Array:
    """T4, K = 0, position l − 1, s = τ = 1."""
    t = np.maximum(t, 1.0)  # T = 0 only occurs where K ≥ 1
    arrived = _geometric(rate * batches, t - 1)
    gathered = _squares(gap, rate, batches * (t - 1))
    early, early_variance = np.exp(rate * batches) * arrived, np.exp(2 * rate) * gathered
    together = (early + 1) ** 2 / (early_variance + 1)
    apart = (np.exp(rate * (batches - 1)) * arrived) ** 2 / np.where(t > 1, gathered, 1.0) + 1
    one = (t == 1) | (early * (early_variance + 1) >= (early + 1) * early_variance)
    return np.sqrt(np.where(one, together, apart))


def epsilon_of(mu: Any, delta: Any) -> Array:
    """T11: ε at δ, numbers or arrays; 0 where μ ≤ the μ with δ(0) = δ. For a few μ `gaussian_epsilon` does it.

    Raises:
        ConditionViolated: needs 0 < δ < 1 and 0 ≤ μ, everywhere.
    """
    delta = np.asarray(delta, float)
    _require((delta > 0) & (delta < 1), "0 < δ < 1", delta)
    mu = np.asarray(mu, float)
    _require(mu >= 0, "0 ≤ μ", mu)
    if delta.ndim == 0:
        return _epsilon_at(mu, float(delta))
    mu, delta = np.broadcast_arrays(mu, delta)
    values, which = np.unique(delta, return_inverse=True)
    epsilon, which = np.empty(mu.shape), which.reshape(mu.shape)
    if mu.size < _FEW * len(values):
        flat, mus, deltas = epsilon.ravel(), mu.ravel(), delta.ravel()
        for begin in range(0, mu.size, _CHUNK):
            part = slice(begin, begin + _CHUNK)
            searched = _searched(np.minimum(mus[part], _MAX_MU), deltas[part])
            flat[part] = np.where(mus[part] > _MAX_MU, np.inf, searched)
        return epsilon
    for i, value in enumerate(values):
        epsilon[which == i] = _epsilon_at(mu[which == i], float(value))
    return epsilon


def _epsilon_at(mu: Array, delta: float) -> Array:
    """At one δ, by a polynomial in log μ where there are many.

    With r = ε/μ and u = log μ: dr/du = h − r, h = φ(b)/Φ(b) at b = −μ/2 − r, for dε/dμ = φ(b)/Φ(b).
    """
    first = 2 * math.sqrt(2) * float(scipy.special.erfinv(delta))  # δ(0) = erf(μ/√8)
    flat = mu.ravel()
    top = min(float(flat.max(initial=0.0)), _MAX_MU)
    if top <= first:
        return np.where(mu > _MAX_MU, np.inf, 0.0)
    nodes = math.ceil(math.log(top / first) / _SPACING) + 2
    if flat.size < 2 * nodes:
        return np.asarray(np.where(mu > _MAX_MU, np.inf, _searched(np.minimum(mu, _MAX_MU), delta)))
    table = _quintics(math.log(first), nodes, delta)
    epsilon = np.empty(flat.shape)
    for begin in range(0, flat.size, _CHUNK):
        part = flat[begin : begin + _CHUNK]
        place = np.log(np.clip(part, first, _MAX_MU) / first) / _SPACING
        cell = place.astype(np.intp)
        place -= cell
        value = np.take(table[5], cell)
        for coefficients in table[4::-1]:
            value *= place
            value += np.take(coefficients, cell)
        value *= part
        epsilon[begin : begin + _CHUNK] = np.where(part > _MAX_MU, np.inf, np.where(part > first, value, 0.0))
    return epsilon.reshape(mu.shape)


def _searched(mu: Array, delta: float | Array) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):  # Newton steps that go astray are refused
        return gaussian_epsilon(mu, delta)


def _quintics(first: float, nodes: int, delta: float) -> Array:
    """(6, nodes − 1): r = ε/μ as polynomials on cells of equal width in u, from value, slope, curvature at the ends."""
    mu = np.exp(first + _SPACING * np.arange(nodes))
    ratio = _searched(mu, delta) / mu
    ratio[0] = 0.0
    b = -mu / 2 - ratio
    hazard = math.sqrt(2 / math.pi) / scipy.special.erfcx(-b / math.sqrt(2))  # φ(b)/Φ(b)
    slope = hazard - ratio
    curvature = hazard * (b + hazard) * (mu / 2 + slope) - slope  # dh/db = −h(b + h), db/du = −μ/2 − dr/du
    y, d, e = ratio, slope * _SPACING, curvature * _SPACING**2
    rise = y[1:] - y[:-1] - d[:-1] - e[:-1] / 2
    turn = d[1:] - d[:-1] - e[:-1]
    bend = e[1:] - e[:-1]
    return np.array(
        [
            y[:-1],
            d[:-1],
            e[:-1] / 2,
            10 * rise - 4 * turn + bend / 2,
            -15 * rise + 7 * turn - bend,
            6 * rise - 3 * turn + bend / 2,
        ]
    )
