"""A numerical adversary for the constants of regression and classification losses, from their definitions alone.

Claims under attack, for records (x, y), |x| ≤ X and y as the family allows, loss ℓ + (m/2)|θ|², θ in the ball of radius
R around the origin (or anywhere), each record's data gradient g clipped to min(1, C/|g|)·g before m θ is added:
  * |clipped data gradient| ≤ M;
  * it is monotone in θ, and Lipschitz with constant L − m;
  * a step θ ↦ θ − η(m θ + mean of clipped gradients) is Lipschitz with max(|1−ηm|, |1−ηL|);
  * replacing a record of a batch of b moves the step by at most 2ηM/b.

Every gradient is written out by hand beside its loss; a test compares the two by finite differences.

**Own error**: as in `losses`: a search finds lower estimates of the suprema; a ratio > 1 + 1e-9 refutes a claim, and
one ≤ 1 proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from tests.oracles.losses import APART, Ratios, _climb, _into_ball

Record = tuple[np.ndarray, float]


@dataclass(frozen=True)
class Family:
    """One family with its numbers: how a label is read off a real number, the data loss, and its data gradient.

    θ is a vector; for several classes, the rows of θ one after the other.
    """

    label: Callable[[float], float]
    value: Callable[[np.ndarray, np.ndarray, float], float]
    gradient: Callable[[np.ndarray, np.ndarray, float], np.ndarray]
    rows: int = 1


def _scalar(label, value, derivative) -> Family:
    return Family(label, lambda t, x, y: value(float(x @ t), y), lambda t, x, y: derivative(float(x @ t), y) * x)


def least_squares(target_bound: float) -> Family:
    return _scalar(lambda v: target_bound * np.tanh(v), lambda z, y: (z - y) ** 2 / 2, lambda z, y: z - y)


def huber(threshold: float) -> Family:
    def value(z: float, y: float) -> float:
        r = abs(z - y)
        return r * r / 2 if r <= threshold else threshold * (r - threshold / 2)

    return _scalar(lambda v: 10 * v, value, lambda z, y: max(-threshold, min(threshold, z - y)))


def smoothed_hinge(smoothing: float) -> Family:
    def value(z: float, y: float) -> float:
        t = y * z
        if t >= 1:
            return 0.0
        return (1 - t) ** 2 / (2 * smoothing) if t >= 1 - smoothing else 1 - t - smoothing / 2

    def derivative(z: float, y: float) -> float:
        return -y * min(1.0, max(0.0, (1 - y * z) / smoothing))

    return _scalar(lambda v: 1.0 if v >= 0 else -1.0, value, derivative)


def poisson(target_bound: float) -> Family:
    def growth(z: float) -> float:
        return float(np.exp(min(z, 60.0)))

    return _scalar(
        lambda v: target_bound * (1 + np.tanh(v)) / 2, lambda z, y: growth(z) - y * z, lambda z, y: growth(z) - y
    )


def softmax(classes: int) -> Family:
    def scores(theta: np.ndarray, x: np.ndarray) -> np.ndarray:
        return theta.reshape(classes, -1) @ x

    def value(theta: np.ndarray, x: np.ndarray, y: float) -> float:
        s = scores(theta, x)
        return float(logsumexp(s) - s[int(y)])

    def gradient(theta: np.ndarray, x: np.ndarray, y: float) -> np.ndarray:
        s = scores(theta, x)
        p = np.exp(s - s.max())
        p /= p.sum()
        p[int(y)] -= 1
        return np.outer(p, x).ravel()

    return Family(lambda v: float(int(abs(v) * 10) % classes), value, gradient, classes)


def attack(
    family: Family,
    feature_norm: float,
    clip: float | None,
    radius: float | None,
    regularization: float,
    step_size: float,
    claimed_curvature: float,
    claimed_bound: float,
    batch_size: int = 2,
    dimension: int = 2,
    seed: int = 0,
    tries: int = 100,
    rounds: int = 3,
) -> Ratios:
    """Search for parameters and data that violate the claims; returns the worst ratios found."""
    rng = np.random.default_rng(seed)
    d, n, b, m, eta = dimension, dimension * family.rows, batch_size, regularization, step_size
    factor = max(abs(1 - eta * m), abs(1 - eta * (m + claimed_curvature)))

    def record(v: np.ndarray) -> Record:
        return _into_ball(v[:d], feature_norm), family.label(float(v[d]))

    def inside(theta: np.ndarray) -> np.ndarray:
        return theta if radius is None else _into_ball(theta, radius)

    def apart(v: np.ndarray, least: float = APART) -> np.ndarray:
        norm = float(np.linalg.norm(v))
        if norm >= least:
            return v
        return v * (least / norm) if norm > 0 else np.full(n, least / np.sqrt(n))

    def close(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Two points APART from each other, both in the ball."""
        theta = v[:n] if radius is None else _into_ball(v[:n], radius - APART)
        return theta, theta + _into_ball(apart(v[n : 2 * n]), APART)

    def parameters(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Any two points of the ball; where they would be too close to divide by, a pair that is not."""
        theta, other = inside(v[:n]), inside(v[:n] + apart(v[n : 2 * n]))
        return (theta, other) if np.linalg.norm(theta - other) >= APART / 2 else close(v)

    def clipped(theta: np.ndarray, x: np.ndarray, y: float) -> np.ndarray:
        g = family.gradient(theta, x, y)
        norm = float(np.linalg.norm(g))
        return g if clip is None or norm <= clip else g * (clip / norm)

    def gradient(v: np.ndarray) -> float:
        return float(np.linalg.norm(clipped(inside(v[:n]), *record(v[n:])))) / claimed_bound

    def differences(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        theta, other = close(v)
        x, y = record(v[2 * n :])
        return clipped(theta, x, y) - clipped(other, x, y), theta - other

    def lipschitz(v: np.ndarray) -> float:
        dg, dt = differences(v)
        return float(np.linalg.norm(dg) / np.linalg.norm(dt)) / claimed_curvature

    def minus_monotone(v: np.ndarray) -> float:
        dg, dt = differences(v)
        return -float(dg @ dt) / float(dt @ dt) / claimed_curvature

    def step(theta: np.ndarray, records: list[Record]) -> np.ndarray:
        return theta - eta * (m * theta + sum((clipped(theta, x, y) for x, y in records), np.zeros(n)) / b)

    def contraction(v: np.ndarray) -> float:
        theta, other = parameters(v)
        data = [record(v[2 * n + i * (d + 1) :]) for i in range(b)]
        moved = np.linalg.norm(step(theta, data) - step(other, data))
        return float(moved / np.linalg.norm(theta - other)) / factor

    def shift(v: np.ndarray) -> float:
        theta = inside(v[:n])
        data = [record(v[n + i * (d + 1) :]) for i in range(b + 1)]
        moved = step(theta, data[:b]) - step(theta, [data[b], *data[1:b]])
        return float(np.linalg.norm(moved)) / (2 * eta * claimed_bound / b)

    return Ratios(
        gradient=_climb(gradient, n + d + 1, rng, tries, rounds),
        lipschitz=_climb(lipschitz, 2 * n + d + 1, rng, tries, rounds),
        monotone=-_climb(minus_monotone, 2 * n + d + 1, rng, tries, rounds),
        contraction=_climb(contraction, 2 * n + b * (d + 1), rng, tries, rounds),
        shift=_climb(shift, n + (b + 1) * (d + 1), rng, tries, rounds),
    )
