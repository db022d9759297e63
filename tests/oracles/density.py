"""Exact-up-to-stated-error densities of two 1-D chains with *non-linear* contractions, to attack the bounds T1–T5.

X_k = φ_k(X_{k−1}) + N(0, τ_k²) and X'_k with φ'_k, where |φ_k(x) − φ'_k(y)| ≤ c_k|x − y| + s_k for all x, y. Densities
live on a grid that covers all but 1e-16 of the mass; one step is the quadrature Σ_j f(x_j) N(· − φ(x_j); τ²) h.

**Own error**: everything is done on one fine grid (2n points) and on three coarse ones (about n, of unlike sizes, since
the error from a kink depends on where the kink falls between grid points). The rule is second order, so the coarse
errors are about four times the fine one; the error stated for a δ is twice the largest difference, plus (1 + e^ε) times
the missing mass, plus 1e-13 for rounding. That is a cautious estimate, not an enclosure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.special import log_ndtr, ndtr

from tests.oracles import timeline

Map = Callable[[np.ndarray], np.ndarray]
SPREAD = 8.5  # deviations kept on each side: 2e-17 of the mass a step is lost


@dataclass(frozen=True)
class MapPair:
    """One step: maps of the two runs, with c and s for which |φ(x) − φ'(y)| ≤ c|x−y| + s, and the variance τ²."""

    phi: Map
    phi_prime: Map
    c: Fraction
    s: Fraction
    variance: Fraction
    name: str = ""


@dataclass(frozen=True)
class DeltaEstimate:
    """δ(ε) in both directions, P = law of X_N against Q = law of X'_N, and the error of each number."""

    epsilon: float
    forward: float
    backward: float
    error: float


def gdp_delta(epsilon: float, mu: float) -> float:
    """T11 in doubles; own error about 1e-15 absolute for moderate ε."""
    if mu == 0:
        return max(0.0, -math.expm1(epsilon))
    if math.isinf(mu):
        return 1.0
    return float(ndtr(mu / 2 - epsilon / mu) - math.exp(epsilon + float(log_ndtr(-mu / 2 - epsilon / mu))))


def _push(x: np.ndarray, weights: np.ndarray, std: float, grid: np.ndarray) -> np.ndarray:
    """Density on `grid` of the mixture Σ_j weights_j N(x_j, std²), in blocks to keep memory small."""
    out = np.empty_like(grid)
    norm = 1.0 / (std * math.sqrt(2 * math.pi))
    for i in range(0, len(grid), 256):
        gap = (grid[i : i + 256, None] - x[None, :]) / std
        out[i : i + 256] = (np.exp(-0.5 * gap * gap) @ weights) * norm
    return out


def _compose(maps: Sequence[Map], stds: Sequence[float], radius: float | None) -> tuple[list[list[Map]], list[float]]:
    """Group noiseless steps with the next noisy one; the projection after a step is counted into the next map."""
    groups: list[list[Map]] = []
    noises: list[float] = []
    pending: list[Map] = []
    for k, (phi, std) in enumerate(zip(maps, stds, strict=True)):
        pending.append(phi)
        if std > 0:
            groups.append(pending)
            noises.append(std)
            pending = []
        if radius is not None and k < len(maps) - 1:
            pending.append(lambda x: np.clip(x, -radius, radius))
    if pending:
        raise ValueError("the last step needs noise: there is no density otherwise")
    return groups, noises


def _densities(
    chains: tuple[Sequence[Map], Sequence[Map]],
    stds: Sequence[float],
    starts: tuple[float, float],
    radius: float | None,
    n: int,
) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """(grid, h, density of X_N, density of X'_N), both on one grid; h is the spacing."""
    grouped = [_compose(maps, stds, radius) for maps in chains]
    noises = grouped[0][1]
    x = [np.array([start]) for start in starts]
    w = [np.ones(1), np.ones(1)]
    for k, std in enumerate(noises):
        images = []
        for side in (0, 1):
            y = x[side]
            for phi in grouped[side][0][k]:
                y = phi(y)
            images.append(y)
        low = min(y.min() for y in images) - SPREAD * std
        high = max(y.max() for y in images) + SPREAD * std
        grid = np.linspace(low, high, n)
        h = (high - low) / (n - 1)
        if h > std / 2:
            raise ValueError(f"grid too coarse: spacing {h:g}, noise {std:g}; raise n")
        f = [_push(images[side], w[side], std, grid) for side in (0, 1)]
        x, w = [grid, grid], [f[0] * h, f[1] * h]
    return grid, h, f[0], f[1]


def _positive_part(f: np.ndarray, h: float) -> float:
    """∫ max(f, 0) of the piecewise linear interpolant, exactly; where f changes sign only the triangle counts."""
    a, b = f[:-1], f[1:]
    up = np.maximum(a, 0) + np.maximum(b, 0)
    mixed = (a > 0) != (b > 0)
    share = np.where(mixed, up / np.where(mixed, np.abs(a) + np.abs(b), 1.0), 1.0)
    return float((0.5 * up * share).sum() * h)


def delta_of_pair(
    pairs: Sequence[MapPair],
    epsilons: Sequence[float],
    starts: tuple[float, float] = (0.0, 0.0),
    radius: float | None = None,
    n: int = 801,
) -> list[DeltaEstimate]:
    """δ(ε) of (X_N, X'_N) for each ε, from the densities; `radius` projects on [−radius, radius] after each step."""
    chains = ([p.phi for p in pairs], [p.phi_prime for p in pairs])
    stds = [math.sqrt(p.variance) for p in pairs]
    results = []
    for size in (2 * n, n, n - n // 19, n - n // 7):
        _, h, p, q = _densities(chains, stds, starts, radius, size)
        missing = max(abs(1 - p.sum() * h), abs(1 - q.sum() * h))
        values = []
        for epsilon in epsilons:
            e = math.exp(epsilon)
            values.append((_positive_part(p - e * q, h), _positive_part(q - e * p, h)))
        results.append((values, missing))
    out = []
    for i, epsilon in enumerate(epsilons):
        (forward, backward), *coarse = (values[i] for values, _ in results)
        gap = max(max(abs(f - forward), abs(b - backward)) for f, b in coarse)
        tail = (1 + math.exp(epsilon)) * (results[0][1] + 1e-16)
        out.append(DeltaEstimate(epsilon, forward, backward, float(2 * gap + tail + 1e-13)))
    return out


# --- families of maps: the Lipschitz constant and the gap are known by construction -----------------------------------


def linear(c: float, offset: float = 0.0) -> Map:
    """x ↦ c x + offset."""
    return lambda x: c * x + offset


def piecewise_linear(knots: Sequence[float], slopes: Sequence[float], offset: float = 0.0) -> Map:
    """Continuous, slopes[i] between knots[i−1] and knots[i]; Lipschitz constant max |slope|; value offset at knot 0."""
    ks, sl = np.asarray(knots, float), np.asarray(slopes, float)
    if len(sl) != len(ks) + 1:
        raise ValueError("one slope more than knots")

    def phi(x: np.ndarray) -> np.ndarray:
        y = np.full_like(x, offset, dtype=float) + sl[0] * np.minimum(x - ks[0], 0.0)
        for i, k in enumerate(ks):
            width = (ks[i + 1] - k) if i + 1 < len(ks) else np.inf
            y = y + sl[i + 1] * np.clip(x - k, 0.0, width)
        return y

    return phi


def huber_step(eta: float, m: float, h: float, bound: float, centre: float = 0.0) -> Map:
    """Gradient step x − η(m x + h·clip(x − centre, ±bound/h)): slope 1−η(m+h) inside, 1−ηm outside."""
    return lambda x: x - eta * (m * x + np.clip(h * (x - centre), -bound, bound))


def tanh_step(c: float, scale: float, centre: float = 0.0) -> Map:
    """x ↦ c·scale·tanh((x − centre)/scale): Lipschitz constant c, bounded range."""
    return lambda x: c * scale * np.tanh((x - centre) / scale)


def perturb(phi: Map, s: float, kind: str, frequency: float = 1.0, centre: float = 0.0) -> Map:
    """φ' = φ + s·g with |g| ≤ 1; φ' need not be a contraction: T2 asks only one of the two to be c-Lipschitz."""
    shapes: dict[str, Map] = {
        "constant": lambda x: np.ones_like(x),
        "cosine": lambda x: np.cos(frequency * (x - centre)),
        "tanh": lambda x: np.tanh(frequency * (x - centre)),
        "bump": lambda x: np.exp(-((frequency * (x - centre)) ** 2)),
        "minus": lambda x: -np.ones_like(x),
    }
    g = shapes[kind]
    return lambda x: phi(x) + s * g(x)


def largest_gap(pair: MapPair, low: float, high: float, n: int = 400) -> float:
    """sup over a grid of |φ(x) − φ'(y)| − c|x−y| − s: must be ≤ 0 (rounding), else the pair breaks its hypothesis."""
    x = np.linspace(low, high, n)
    gap = np.abs(pair.phi(x)[:, None] - pair.phi_prime(x)[None, :]) - float(pair.c) * np.abs(x[:, None] - x[None, :])
    return float(gap.max() - float(pair.s))


def random_pairs(rng: np.random.Generator, steps: int, quiet: float = 0.5, expanding: bool = False) -> list[MapPair]:
    """A random timeline of non-linear steps, each without shift (one map for both runs) with probability `quiet`.

    c in (0.2, 1) (up to 1.3 when `expanding`), s in (0.1, 1.5), τ² in (0.2, 1.5), all exact fractions.
    """
    pairs = []
    for _ in range(steps):
        c = Fraction(int(rng.integers(20, 131 if expanding else 100)), 100)
        s = Fraction(0) if rng.random() < quiet else Fraction(int(rng.integers(10, 151)), 100)
        variance = Fraction(int(rng.integers(20, 151)), 100)
        cf, sf = float(c), float(s)
        centre = float(rng.normal())
        family = str(rng.choice(["linear", "piecewise", "huber", "tanh"]))
        if family == "linear":
            phi = linear(cf * float(rng.choice([-1.0, 1.0])), centre)
        elif family == "piecewise":
            knots = np.sort(rng.normal(size=3) * 1.5)
            slopes = np.clip(rng.uniform(-1.5, 1.5, size=4), -1, 1) * cf
            phi = piecewise_linear(knots, slopes, centre)
        elif family == "huber":
            # m < 0 when c > 1: a concave outside; slopes 1−ηm = c outside and anything in [−c, c] inside
            eta, m = 1.0, 1.0 - cf
            inner = float(rng.uniform(-cf, cf))
            phi = huber_step(eta, m, max(1.0 - m - inner, 1e-6), float(rng.uniform(0.3, 2.0)), centre)
        else:
            phi = tanh_step(cf, float(rng.uniform(0.5, 3.0)), centre)
        if s == 0:
            phi_prime = phi
        else:
            kind = str(rng.choice(["constant", "minus", "cosine", "tanh", "bump"]))
            phi_prime = perturb(phi, sf, kind, float(rng.uniform(0.3, 2.0)), centre)
        if rng.random() < 0.5:
            phi, phi_prime = phi_prime, phi
        pairs.append(MapPair(phi, phi_prime, c, s, variance, family))
    return pairs


def steps_of(pairs: Sequence[MapPair]) -> list[timeline.Step]:
    """The timeline (c, s, τ²) of the pairs, for `timeline.taut_string` or for the code under test."""
    return [(p.c, p.s, p.variance) for p in pairs]


def excess(
    pairs: Sequence[MapPair],
    mu: float,
    epsilons: Sequence[float] = (0.0, 0.3, 1.0, 2.0, 4.0),
    starts: tuple[float, float] = (0.0, 0.0),
    radius: float | None = None,
    n: int = 801,
) -> float:
    """max over ε and direction of δ(ε) − (GDP profile at μ) − (own error): positive means that the bound μ is wrong."""
    worst = -math.inf
    for d in delta_of_pair(pairs, epsilons, starts, radius, n):
        worst = max(worst, max(d.forward, d.backward) - gdp_delta(d.epsilon, mu) - d.error)
    return worst
