"""δ(ε) of binomial mixtures of normals over one or two steps, by quadrature in doubles: docs/theory.md T17r, T27.

P = Σ_j Bin(a,q;j)·N(j, z²), Q = Σ_j Bin(b,q;j)·N(−j, z²). One step: ∫ (P − e^ε Q)₊ with the crossing found by
bisection, so the error is that of Φ (1e-15, absolutely). Two steps: the outer integral over P's normals by
Gauss–Legendre on 120 panels of 20 nodes; **own error**: `own_error` says what half the panels change.
"""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr, logsumexp, ndtr
from scipy.stats import binom

Array = np.ndarray
HALVINGS = 80


def weights(count: int, q: float) -> Array:
    return binom.pmf(np.arange(count + 1), count, q)


def _log_density(y: Array, w: Array, z: float, sign: int) -> Array:
    """Of the mixture, up to the constant of a normal."""
    return logsumexp(-((y[:, None] - sign * np.arange(len(w))) ** 2) / (2 * z * z), axis=1, b=w)


def log_ratio(y: Array, z: float, q: float, a: int, b: int) -> Array:
    return _log_density(y, weights(a, q), z, 1) - _log_density(y, weights(b, q), z, -1)


def _crossings(epsilon: Array, z: float, q: float, a: int, b: int) -> Array:
    """Where the ratio, which grows, reaches e^ε; ±60 z beyond the outermost normal where it does not before."""
    low, high = np.full(len(epsilon), -b - 60 * z), np.full(len(epsilon), a + 60 * z)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        below = log_ratio(middle, z, q, a, b) < epsilon
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def delta_one(epsilon: Array | float, z: float, q: float, a: int, b: int) -> Array:
    """One step's ∫ (P − e^ε Q)₊, for any real ε."""
    epsilon = np.atleast_1d(np.asarray(epsilon, float))
    y = _crossings(epsilon, z, q, a, b)
    first = sum(w * ndtr((j - y) / z) for j, w in enumerate(weights(a, q)))
    second = sum(w * np.exp(epsilon + log_ndtr((-j - y) / z)) for j, w in enumerate(weights(b, q)))
    return np.maximum(0.0, first - second)


def delta_two(epsilon: float, z: float, q: float, a: int, b: int, panels: int = 120) -> float:
    """Two steps: E over P's y of one step's δ at ε − loss(y)."""
    nodes, node_weights = np.polynomial.legendre.leggauss(20)
    edges = np.linspace(-12 * z, a + 12 * z, panels + 1)
    half = (edges[1] - edges[0]) / 2
    y = ((edges[:-1] + half)[:, None] + half * nodes).ravel()
    density = np.exp(_log_density(y, weights(a, q), z, 1)) / (z * np.sqrt(2 * np.pi))
    inner = delta_one(epsilon - log_ratio(y, z, q, a, b), z, q, a, b)
    return float((half * np.tile(node_weights, panels) * density * inner).sum())


def own_error(epsilon: float, z: float, q: float, a: int, b: int) -> float:
    return abs(delta_two(epsilon, z, q, a, b) - delta_two(epsilon, z, q, a, b, panels=60))


def delta(epsilon: float, z: float, q: float, a: int, b: int, steps: int) -> float:
    return float(delta_one(epsilon, z, q, a, b)[0]) if steps == 1 else delta_two(epsilon, z, q, a, b)


def pairs(neighbours: str, group: int) -> list[tuple[int, int]]:
    """Every (a, b) that counts: both directions of every split."""
    if neighbours == "replace-one":
        return [(group, group)]
    return [(a, group - a) for a in range(group + 1)]
