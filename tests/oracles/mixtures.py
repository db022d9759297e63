"""Mixtures of Gaussians, P = Σ_j Bin(a,q;j)·N(j,z²) against Q = Σ_j Bin(b,q;j)·N(−j,z²): groups of records and replaced
records under Poisson sampling, coin by coin, by a contour integral and by brute mechanisms.

(1, 0) is a record removed, (0, 1) one added, (1, 1) one replaced; (a, b): a records only in one data set, b only in the
other. Nothing here knows of grids, cells or integers, and the weights come from every outcome of the coins.

**Own error**: `delta_one` is a closed formula at 40 digits (the likelihood ratio grows with x, so that the set where
P > e^ε Q is a half line, whose end is bisected to 40 digits): 30 digits. `delta_two` is a quadrature in doubles: 1e-8.
`delta_many` is the trapezium rule on a vertical line, of an integrand that is analytic and decays where the steps are
many; it compares two lines and two spacings: 1e-8 of δ. `delta_of_terms` is the trapezium rule over the positive part
of a smooth function: 1e-5.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
from mpmath import mp, mpf
from scipy.optimize import minimize_scalar
from scipy.special import log_ndtr, logsumexp, ndtr

Real = int | str | float | mpf


def coins(count: int, rate: Real) -> list[mpf]:
    """How probable 0, 1, …, `count` heads are, by adding up every outcome of the coins."""
    q, weights = mpf(rate), [mpf(0)] * (count + 1)
    for outcome in itertools.product((0, 1), repeat=count):
        weight = mpf(1)
        for head in outcome:
            weight *= q if head else 1 - q
        weights[sum(outcome)] += weight
    return weights


def delta_one(z: Real, q: Real, own: int, other: int, epsilon: Real) -> mpf:
    """∫ (P − e^ε Q)₊ of one step, for any real ε."""
    with mp.workdps(40):
        z, factor = mpf(z), mp.exp(mpf(epsilon))
        ours = [(w, j) for j, w in enumerate(coins(own, q))]
        theirs = [(w, -j) for j, w in enumerate(coins(other, q))]

        def density(parts: list, x: mpf) -> mpf:
            return mp.fsum(w * mp.npdf(x, j, z) for w, j in parts)

        def tail(parts: list, x: mpf) -> mpf:
            return mp.fsum(w * mp.erfc((x - j) / (z * mp.sqrt(2))) / 2 for w, j in parts)

        low, high = -60 * z - other, 60 * z + own
        if density(ours, low) > factor * density(theirs, low):
            return 1 - factor
        for _ in range(200):
            middle = (low + high) / 2
            above = density(ours, middle) > factor * density(theirs, middle)
            low, high = (low, middle) if above else (middle, high)
        return tail(ours, high) - factor * tail(theirs, high)


def _points(low: float, high: float, panels: int) -> tuple[np.ndarray, np.ndarray]:
    x, w = np.polynomial.legendre.leggauss(24)
    edges = np.linspace(low, high, panels + 1)
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * x).ravel(), (half[:, None] * w).ravel()


def _logs(x: np.ndarray, z: float, q: float, count: int, sign: int) -> np.ndarray:
    """The logarithm of a mixture's density."""
    with np.errstate(divide="ignore"):
        weights = np.log(np.array([float(w) for w in coins(count, q)]))
    means = sign * np.arange(count + 1)
    exponents = weights[:, None] - (x - means[:, None]) ** 2 / (2 * z * z)
    return logsumexp(exponents, axis=0) - math.log(z * math.sqrt(2 * math.pi))


class Loss:
    """One step's privacy loss L = log P/Q under P, as its moments E_P[e^{sL}] for complex s."""

    def __init__(self, z: Real, q: Real, own: int, other: int):
        self.given = float(mpf(z)), float(mpf(q)), own, other

    def nodes(self, height: float) -> tuple[np.ndarray, np.ndarray]:
        """(log of weight times density, L): enough of the line for the moments up to Re s = height."""
        z, q, own, other = self.given
        span = 14 * z
        low, high = -other - span, own + height * (own + other) + span
        x, w = _points(low, high, max(60, math.ceil((high - low) / (z / 2))))
        ours, theirs = _logs(x, z, q, own, 1), _logs(x, z, q, other, -1)
        return np.log(w) + ours, ours - theirs


Schedule = Sequence[tuple[Loss, int]]


def _contour(schedule: Schedule, epsilon: float, height: float, step: float) -> float:
    """δ = (1/2πi)∫ Π M_i(s)^{T_i} e^{−sε}/(s(s+1)) ds on Re s = height: (1 − e^{ε−L})₊ is the residues at 0 and −1."""
    parts = [(*loss.nodes(height), steps) for loss, steps in schedule]
    total, k, largest = 0.0, 0, 0.0
    while True:
        s = height + 1j * step * (k + np.arange(64))
        powers = -s * epsilon - np.log(s) - np.log(s + 1)
        for weights, losses, steps in parts:
            exponents = weights[:, None] + losses[:, None] * s
            peak = exponents.real.max(axis=0)
            powers = powers + steps * (np.log(np.exp(exponents - peak).sum(axis=0)) + peak)
        values = np.exp(powers)
        total += values.real.sum() - (values.real[0] / 2 if k == 0 else 0)
        largest, k = max(largest, np.abs(values).max()), k + 64
        if np.abs(values).max() < 1e-12 * largest:
            return total * step / math.pi
        if k > 20_000:
            raise ArithmeticError("too few steps: the integrand does not decay")


def delta_two(first: Loss, second: Loss, epsilon: float) -> float:
    """Two steps: the second one's δ(ε − L) over the first one's L."""
    weights, losses = first.nodes(0)
    z, q, own, other = second.given
    needed = epsilon - losses
    low, high = np.full(needed.shape, -40 * z - other), np.full(needed.shape, 40 * z + own)
    for _ in range(100):
        middle = (low + high) / 2
        above = _logs(middle, z, q, own, 1) - _logs(middle, z, q, other, -1) > needed
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    ours = sum(float(w) * ndtr((j - high) / z) for j, w in enumerate(coins(own, q)))
    theirs = sum(float(w) * np.exp(needed + log_ndtr((-j - high) / z)) for j, w in enumerate(coins(other, q)))
    return float(np.exp(weights) @ np.maximum(ours - theirs, 0))


def delta_many(schedule: Schedule, epsilon: float) -> float:
    """δ(ε) of all the steps together, ε > 0 or not; two lines have to agree."""

    def exponent(height: float) -> float:
        total = -height * epsilon - math.log(height * (height + 1))
        for loss, steps in schedule:
            weights, losses = loss.nodes(height)
            total += steps * logsumexp(weights + height * losses)
        return total

    saddle = float(minimize_scalar(exponent, bounds=(0.05, 200), method="bounded").x)
    curvature = (exponent(saddle * 1.01) - 2 * exponent(saddle) + exponent(saddle * 0.99)) / (saddle * 0.01) ** 2
    step = min(0.15 / math.sqrt(max(curvature, 1e-9)), saddle / 6)
    one, two = _contour(schedule, epsilon, saddle, step), _contour(schedule, epsilon, saddle * 0.9, step * 0.8)
    if abs(one - two) > 1e-8 * abs(one):
        raise ArithmeticError(f"the contour integral is not settled: {one} and {two}")
    return one


def epsilon_many(schedule: Schedule, delta: float, low: float, high: float) -> float:
    """ε(δ), which lies between low and high."""
    return inverse(lambda epsilon: delta_many(schedule, epsilon), delta, low, high)


def inverse(delta_at: Callable[[float], float], delta: float, low: float, high: float) -> float:
    """By secants in log δ, which is nearly straight."""
    target = math.log(delta)
    f_low, f_high = math.log(delta_at(low)) - target, math.log(delta_at(high)) - target
    if not f_low >= 0 >= f_high:
        raise ValueError(f"ε is not between {low} and {high}")
    for _ in range(60):
        guess = low + (high - low) * min(max(f_low / (f_low - f_high), 0.02), 0.98)
        value = math.log(delta_at(guess)) - target
        if abs(value) < 1e-11 or high - low < 1e-11:
            break
        if value > 0:
            low, f_low = guess, value
        else:
            high, f_high = guess, value
    return guess


def delta_of_terms(
    z: float, q: float, own: Sequence[Sequence[float]], other: Sequence[Sequence[float]], epsilon: float
) -> float:
    """δ(ε) of one step in the plane whose records add these terms (norm 1 at most), each with its own coin: the records
    `own` are in the first data set alone, `other` in the second. A mechanism that the pair (a, b) has to dominate."""
    grid = np.linspace(-12 * z - 6, 12 * z + 6, 1201)
    x, y = grid[:, None], grid[None, :]

    def density(terms: Sequence[Sequence[float]]) -> np.ndarray:
        total = np.zeros((grid.size, grid.size))
        for outcome in itertools.product((0, 1), repeat=len(terms)):
            weight = math.prod(q if head else 1 - q for head in outcome)
            mean = sum((np.asarray(t, float) for t, head in zip(terms, outcome, strict=True) if head), np.zeros(2))
            total += weight * np.exp(-((x - mean[0]) ** 2 + (y - mean[1]) ** 2) / (2 * z * z))
        return total / (2 * math.pi * z * z)

    gain = np.maximum(density(own) - math.exp(epsilon) * density(other), 0)
    return float(gain.sum() * (grid[1] - grid[0]) ** 2)
