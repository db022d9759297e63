"""A numerical adversary for the constants of ridge-regularised binary logistic regression with per-sample clipping.

Claim under attack: for records (x, y), |x| ≤ X, y = ±1, loss log(1 + e^{−y⟨x,θ⟩}) + (m/2)|θ|², where each record's data
gradient g is clipped to min(1, C/|g|)·g *before* the regulariser m θ is added:
  * |clipped data gradient| ≤ min(C, X);
  * the clipped data gradient of a record is monotone in θ and Lipschitz with constant X²/4;
  * a step θ ↦ θ − η(m θ + mean of clipped gradients) is Lipschitz with max(|1−ηm|, |1−ηL|), L = m + X²/4;
  * replacing a record of a batch of b moves the step by at most 2η·min(C, X)/b.

**Own error**: a search only ever finds *lower* estimates of the suprema, so a ratio ≤ 1 supports the claim and proves
nothing; a ratio > 1 + 1e-9 refutes it (pairs of parameters are kept ≥ 1e-3 apart, so rounding is below 1e-12).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

APART = 1e-3


@dataclass(frozen=True)
class Ratios:
    """Best found (largest) value of each quantity divided by what the theory claims; > 1 + 1e-9 refutes.

    `monotone` is the least found ⟨G(θ)−G(θ'), θ−θ'⟩/(|θ−θ'|²·X²/4): below −1e-9 refutes.
    """

    gradient: float
    lipschitz: float
    monotone: float
    contraction: float
    shift: float

    def refutes(self, tolerance: float = 1e-9) -> bool:
        """True if some claim is violated beyond rounding."""
        worst = max(self.gradient, self.lipschitz, self.contraction, self.shift)
        return worst > 1 + tolerance or self.monotone < -tolerance


def clipped_gradient(theta: np.ndarray, x: np.ndarray, y: float, clip: float) -> np.ndarray:
    """Clipped data gradient of one record, straight from the definition."""
    margin = y * float(x @ theta)
    weight = np.exp(-np.logaddexp(0.0, margin))  # 1/(1+e^{margin}), without overflow
    g = -y * weight * x
    norm = float(np.linalg.norm(g))
    return g if norm <= clip else g * (clip / norm)


def _into_ball(v: np.ndarray, radius: float) -> np.ndarray:
    norm = float(np.linalg.norm(v))
    return v if norm <= radius else v * (radius / norm)


def _climb(
    objective: Callable[[np.ndarray], float], size: int, rng: np.random.Generator, tries: int, rounds: int
) -> float:
    """Largest value found: random starts of several scales, then Nelder–Mead from the best few."""
    starts = [rng.normal(size=size) * 10.0 ** rng.uniform(-2, 2) for _ in range(tries)]
    scored = sorted(((objective(s), i) for i, s in enumerate(starts)), reverse=True)
    best = scored[0][0]
    for _, i in scored[:rounds]:
        found = minimize(
            lambda v: -objective(v),
            starts[i],
            method="Nelder-Mead",
            options={"maxiter": 800, "xatol": 1e-7, "fatol": 1e-12, "adaptive": True},
        )
        best = max(best, float(-found.fun))
    return best


def attack_logistic(
    feature_norm: float,
    clip: float,
    regularization: float,
    step_size: float,
    batch_size: int = 2,
    dimension: int = 2,
    seed: int = 0,
    tries: int = 200,
    rounds: int = 3,
    claimed_curvature: float | None = None,
) -> Ratios:
    """Search for parameters and data that violate the claims; returns the worst ratios found.

    `claimed_curvature` replaces X²/4: give a smaller one to see the adversary succeed.
    """
    rng = np.random.default_rng(seed)
    d, b, m, eta = dimension, batch_size, regularization, step_size
    bound = min(clip, feature_norm)
    curvature = feature_norm**2 / 4 if claimed_curvature is None else claimed_curvature
    smooth = m + curvature
    factor = max(abs(1 - eta * m), abs(1 - eta * smooth))

    def record(v: np.ndarray) -> tuple[np.ndarray, float]:
        return _into_ball(v[:d], feature_norm), 1.0 if v[d] >= 0 else -1.0

    def parameters(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        theta, gap = v[:d], v[d : 2 * d]
        norm = float(np.linalg.norm(gap))
        if norm < APART:  # keep the pair apart, in the direction asked for
            gap = gap * (APART / norm) if norm > 0 else np.full(d, APART)
        return theta, theta + gap

    def gradient(v: np.ndarray) -> float:
        x, y = record(v[d:])
        return float(np.linalg.norm(clipped_gradient(v[:d], x, y, clip))) / bound

    def differences(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        theta, other = parameters(v)
        x, y = record(v[2 * d :])
        return clipped_gradient(theta, x, y, clip) - clipped_gradient(other, x, y, clip), theta - other

    def lipschitz(v: np.ndarray) -> float:
        dg, dt = differences(v)
        return float(np.linalg.norm(dg) / np.linalg.norm(dt)) / curvature

    def minus_monotone(v: np.ndarray) -> float:
        dg, dt = differences(v)
        return -float(dg @ dt) / float(dt @ dt) / curvature

    def step(theta: np.ndarray, records: list[tuple[np.ndarray, float]]) -> np.ndarray:
        mean = sum((clipped_gradient(theta, x, y, clip) for x, y in records), np.zeros(d)) / b
        return theta - eta * (m * theta + mean)

    def contraction(v: np.ndarray) -> float:
        theta, other = parameters(v)
        data = [record(v[2 * d + i * (d + 1) :]) for i in range(b)]
        moved = np.linalg.norm(step(theta, data) - step(other, data))
        return float(moved / np.linalg.norm(theta - other)) / factor

    def reflection(v: np.ndarray) -> float:
        # ≤ contraction(v) by Cauchy–Schwarz; climbs towards a slope of −|1−ηL|, where `contraction` has a valley before
        theta, other = parameters(v)
        data = [record(v[2 * d + i * (d + 1) :]) for i in range(b)]
        gap = theta - other
        return -float((step(theta, data) - step(other, data)) @ gap) / float(gap @ gap) / factor

    def shift(v: np.ndarray) -> float:
        data = [record(v[d + i * (d + 1) :]) for i in range(b + 1)]
        moved = step(v[:d], data[:b]) - step(v[:d], [data[b], *data[1:b]])
        return float(np.linalg.norm(moved)) / (2 * eta * bound / b)

    return Ratios(
        gradient=_climb(gradient, 2 * d + 1, rng, tries, rounds),
        lipschitz=_climb(lipschitz, 3 * d + 1, rng, tries, rounds),
        monotone=-_climb(minus_monotone, 3 * d + 1, rng, tries, rounds),
        contraction=max(_climb(f, 2 * d + b * (d + 1), rng, tries, rounds) for f in (contraction, reflection)),
        shift=_climb(shift, d + (b + 1) * (d + 1), rng, tries, rounds),
    )
