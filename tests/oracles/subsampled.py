"""Sampled Gaussian pairs in mpmath and by tensor quadrature: δ(ε) of one step, of two and three, and Rényi moments.

The pair is (1−q)N(0,z²) + qN(s,z²) against N(0,z²), s = 1 (add-or-remove-one) or 2 (replace-one). Nothing here knows of
grids, cells or integers.

**Own error**: `delta_one` is a closed formula at 60 digits with growing precision: 45 digits. `moment` is tanh-sinh
quadrature of a smooth integrand, checked by halving: 25 digits. `delta_two` and `delta_three` integrate
`delta_one` over the other steps with Gauss-Legendre panels in doubles; `delta_few` says how well.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from mpmath import mp, mpf
from scipy.special import log_ndtr, ndtr

DIGITS = 60
Real = int | str | float | mpf


def _loss(u: mpf, q: mpf, mu: mpf) -> mpf:
    return mp.log(1 - q + q * mp.exp(mu * u - mu * mu / 2))


def _normal(x: mpf) -> mpf:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def delta_one(z: Real, q: Real, epsilon: Real, direction: str, shift: int = 1) -> mpf:
    """One step's δ(ε) for any real ε; direction "remove" is (mixture, normal), "add" the reverse, "symmetric" C_q."""
    with mp.workdps(DIGITS):
        q, mu, e = mpf(q), mpf(shift) / mpf(z), mpf(epsilon)
        if direction == "symmetric":
            if e < 0:
                return 1 - mp.exp(e) + mp.exp(e) * delta_one(z, q, -e, "remove", shift)
            direction = "remove"
        if direction == "add":  # H(A, B)(ε) = 1 − e^ε + e^ε H(B, A)(−ε)
            return 1 - mp.exp(e) + mp.exp(e) * delta_one(z, q, -e, "remove", shift)
        inner = (mp.exp(e) - 1 + q) / q
        if inner <= 0:
            return 1 - mp.exp(e)
        u = mp.log(inner) / mu + mu / 2
        return (1 - q) * _normal(-u) + q * _normal(mu - u) - mp.exp(e) * _normal(-u)


def delta_one_by_quadrature(z: Real, q: Real, epsilon: Real, direction: str, shift: int = 1) -> mpf:
    """∫ (p − e^ε p')₊, split where the integrand's sign changes."""
    with mp.workdps(30):
        q, mu, e = mpf(q), mpf(shift) / mpf(z), mpf(epsilon)

        def densities(u: mpf) -> tuple[mpf, mpf]:
            base = mp.npdf(u)
            mixed = (1 - q) * base + q * mp.npdf(u, mu)
            return (mixed, base) if direction == "remove" else (base, mixed)

        inner = (mp.exp(e if direction == "remove" else -e) - 1 + q) / q
        cuts = [mpf(-20), mpf(0), mu, mu + 20]
        if inner > 0:
            cuts.append(mp.log(inner) / mu + mu / 2)
        cuts = sorted(c for c in cuts if -20 <= c <= mu + 20)

        def gain(u: mpf) -> mpf:
            p, r = densities(u)
            return max(mpf(0), p - mp.exp(e) * r)

        return mp.quad(gain, cuts)


def _nodes(low: float, high: float, panels: int) -> tuple[np.ndarray, np.ndarray]:
    x, w = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(low, high, panels + 1)
    half, middle = (edges[1:] - edges[:-1]) / 2, (edges[1:] + edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * x).ravel(), (half[:, None] * w).ravel()


def _phi(x: np.ndarray) -> np.ndarray:
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _losses(u: np.ndarray, q: float, mu: float) -> np.ndarray:
    v = mu * u - mu * mu / 2
    return np.where(v > 600, v + math.log(q), np.log1p(q * np.expm1(np.minimum(v, 600))))


def measure(z: float, q: float, direction: str, shift: int = 1, panels: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """The law of one step's privacy loss as points and weights, for smooth integrands."""
    mu = shift / z
    if direction == "symmetric":
        u, w = _nodes(mu / 2, mu + 13, panels)
        base, mixed = _phi(u), (1 - q) * _phi(u) + q * _phi(u - mu)
        x = _losses(u, q, mu)
        above = (1 - q) * ndtr(-mu / 2) + q * ndtr(mu / 2)
        return np.concatenate([x, -x, [0.0]]), np.concatenate([w * mixed, w * base, [1 - above - ndtr(-mu / 2)]])
    u, w = _nodes(-13, mu + 13, panels)
    x = _losses(u, q, mu)
    if direction == "remove":
        return x, w * ((1 - q) * _phi(u) + q * _phi(u - mu))
    return -x, w * _phi(u)


def _delta_one(z: float, q: float, epsilon: np.ndarray, direction: str, shift: int) -> np.ndarray:
    """`delta_one` in doubles, elementwise."""
    mu, e = shift / z, np.asarray(epsilon, float)
    if direction in ("add", "symmetric"):
        flip = e < 0 if direction == "symmetric" else np.ones(e.shape, bool)
        out = np.empty(e.shape)
        out[~flip] = _delta_one(z, q, e[~flip], "remove", shift)
        with np.errstate(over="ignore", invalid="ignore"):
            turned = -np.expm1(e[flip]) + np.exp(e[flip]) * _delta_one(z, q, -e[flip], "remove", shift)
        out[flip] = np.where(e[flip] > 600, 0, turned)
        return out
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        inner = (np.expm1(np.minimum(e, 600)) + q) / q
        u = np.where(e > 600, e - math.log(q), np.log(np.maximum(inner, 1e-300))) / mu + mu / 2
        out = (1 - q) * ndtr(-u) + q * ndtr(mu - u) - np.exp(e + log_ndtr(-u))
        return np.where(inner > 0, out, -np.expm1(np.minimum(e, 0)))


def delta_two(z: float, q: float, epsilon: float, direction: str, shift: int = 1, panels: int = 400) -> float:
    """Two steps: ∫ δ₁(ε − x) dν(x)."""
    x, w = measure(z, q, direction, shift, panels)
    return float(w @ _delta_one(z, q, epsilon - x, direction, shift))


def delta_three(z: float, q: float, epsilon: float, direction: str, shift: int = 1, panels: int = 100) -> float:
    x, w = measure(z, q, direction, shift, panels)
    inner = _delta_one(z, q, (epsilon - x[:, None] - x[None, :]).ravel(), direction, shift).reshape(len(x), -1)
    return float(w @ inner @ w)


def delta_few(steps: int, z: float, q: float, epsilon: float, direction: str, shift: int = 1) -> tuple[float, float]:
    """(δ of one, two or three steps, its error): three times what a third fewer panels change."""
    if steps == 1:
        return float(delta_one(z, q, epsilon, direction, shift)), 1e-15
    rule, panels = (delta_two, 400) if steps == 2 else (delta_three, 100)
    fine, rough = (rule(z, q, epsilon, direction, shift, n) for n in (panels, panels * 2 // 3))
    return fine, 3 * abs(fine - rough) + 1e-13


def opposite_records(z: float, q: float, steps: int = 2) -> float:
    """δ(0) of two steps where the record's term is 1 in one run and −1 in the other, the others' 0: half the L1
    distance of the two densities, by the trapezium rule (1e-5)."""
    x = np.linspace(-12 * z, 12 * z, 3001)
    densities = [((1 - q) * _phi(x / z) + q * _phi((x - s) / z)) / z for s in (1, -1)]
    one, other = (np.multiply.outer(p, p) for p in densities)
    return float(np.abs(one - other).sum() * (x[1] - x[0]) ** steps / 2)


def delta_mixed(steps: list[tuple[float, float, str]], epsilon: float, shift: int = 1) -> float:
    """Two steps of their own z, q and direction, one after the other."""
    (z, q, direction), last = steps
    x, w = measure(z, q, direction, shift, panels=400)
    return float(w @ _delta_one(last[0], last[1], epsilon - x, last[2], shift))


def moment(z: Real, q: Real, order: Real, direction: str) -> mpf:
    """E_Q[(P/Q)^α] by quadrature; the Rényi divergence is log of it over α − 1."""
    with mp.workdps(40):
        q, mu, a = mpf(q), 1 / mpf(z), mpf(order)

        def integrand(u: mpf) -> mpf:
            ratio = 1 - q + q * mp.exp(mu * u - mu * mu / 2)
            return mp.npdf(u) * (ratio**a if direction == "remove" else ratio ** (1 - a))

        middle = mp.log((1 - q) / q) / mu + mu / 2 if q < 1 else mpf(0)
        cuts = sorted({mpf(-16), mpf(-4), mpf(0), middle, a * mu, a * mu + 4, a * mu + 16, mpf(16)})
        cuts = [c for c in cuts if -16 <= c <= a * mu + 16]
        return mp.quad(integrand, cuts)


def renyi(z: Real, q: Real, order: Real) -> mpf:
    """The larger of both directions' D_α."""
    with mp.workdps(40):
        a = mpf(order)
        return max(mp.log(moment(z, q, order, d)) / (a - 1) for d in ("remove", "add"))


def epsilon_of(delta_at: Callable[[float], float], delta: float) -> float:
    """The root of a decreasing δ(ε), by bisection in doubles."""
    low, high = 0.0, 1.0
    if delta_at(0.0) <= delta:
        return 0.0
    while delta_at(high) > delta:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if delta_at(middle) > delta else (low, middle)
    return high
