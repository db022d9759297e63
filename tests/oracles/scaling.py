"""Per-sample scaling from its definitions: suprema by search in 50 digits, gradient fields in doubles.

The weights are written as in the papers' tables: min(1, C/x), C/(x + r), C/(x + r/(x + r)), C/(s·x + r/(x + r)).

**Own error**: a search finds *lower* estimates of a supremum. `highest` looks at 400 points over 36 decades and refines
the best cell by golden sections until it is narrower than 1e-24 of itself; for a function with one peak that is the
supremum to 40 digits, or, for one that rises to the end, its value at 1e18 (within about 1e-18 of the limit). `attack`
climbs from random starts; pairs of parameters are kept 1e-3 apart, so that rounding is below 1e-11: a ratio above
1 + 1e-8 refutes a claim, one below proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpmath import mp, mpf

from tests.oracles.loss_families import Family
from tests.oracles.losses import APART, _climb, _into_ball

DIGITS = 50


def weight(kind: str, x: Any, c: Any, r: Any = None, s: Any = None) -> Any:
    """w(x), x ≥ 0, in whatever numbers are given."""
    if kind == "clip":
        return 1 if x <= c else c / x
    if kind == "auto-s":
        return c / (x + r)
    if kind == "psac":
        return c / (x + r / (x + r))
    return c / (s * x + r / (x + r))


def scaled(kind: str, x: Any, c: Any, r: Any = None, s: Any = None) -> Any:
    """φ(x)."""
    return x * weight(kind, x, c, r, s)


def slope(kind: str, x: mpf, c: Any, r: Any = None, s: Any = None) -> mpf:
    """φ′(x), x > 0, by a central difference whose error is about 1e-24 of it; at a kink, a mean of both sides."""
    with mp.workdps(2 * DIGITS):
        h = x * mpf(10) ** -25
        return (scaled(kind, x + h, c, r, s) - scaled(kind, x - h, c, r, s)) / (2 * h)


def highest(f: Callable[[mpf], mpf], low: int = -18, high: int = 18) -> tuple[mpf, mpf]:
    """(argmax, max) of f over 10^low … 10^high."""
    with mp.workdps(DIGITS):
        grid = [mpf(10) ** (low + mpf(i) * (high - low) / 400) for i in range(401)]
        values = [f(x) for x in grid]
        best = max(range(401), key=values.__getitem__)
        a, b = grid[max(best - 1, 0)], grid[min(best + 1, 400)]
        golden = (mp.sqrt(5) - 1) / 2
        while b - a > a * mpf(10) ** -24:
            left, right = b - golden * (b - a), a + golden * (b - a)
            a, b = (left, b) if f(left) < f(right) else (a, right)
        x = (a + b) / 2
        return max(((x, f(x)), (grid[best], values[best])), key=lambda pair: pair[1])


@dataclass(frozen=True)
class Found:
    """The largest ratios found of what a scaled gradient does to what is claimed of it; > 1 + 1e-8 refutes.

    `monotone`: the least found ⟨G(θ)−G(θ'), θ−θ'⟩/|θ−θ'|² over the claimed curvature; below −1e-8 refutes.
    """

    gradient: float
    lipschitz: float
    monotone: float

    def refutes(self, tolerance: float = 1e-8) -> bool:
        """True if some claim is violated beyond rounding."""
        return max(self.gradient, self.lipschitz) > 1 + tolerance or self.monotone < -tolerance


def field(family: Family, theta: np.ndarray, x: np.ndarray, y: float, map_: tuple) -> np.ndarray:
    """One record's scaled data gradient; `map_` is (kind, C, r, s)."""
    g = family.gradient(theta, x, y)
    kind, *parameters = map_
    return g * weight(kind, float(np.linalg.norm(g)), *parameters)


def attack(
    family: Family,
    map_: tuple,
    feature_norm: float,
    claimed_bound: float,
    claimed_curvature: float,
    radius: float | None = None,
    seed: int = 0,
    tries: int = 150,
    rounds: int = 3,
) -> Found:
    """Search parameters (two of them) and records for a scaled gradient that is too long or changes too fast."""
    rng = np.random.default_rng(seed)

    def record(v: np.ndarray) -> tuple[np.ndarray, float]:
        return _into_ball(v[:2], feature_norm), family.label(float(v[2]))

    def inside(theta: np.ndarray) -> np.ndarray:
        return theta if radius is None else _into_ball(theta, radius)

    def gradient(v: np.ndarray) -> float:
        return float(np.linalg.norm(field(family, inside(v[:2]), *record(v[2:]), map_))) / claimed_bound

    def differences(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gap = v[2:4]
        norm = float(np.linalg.norm(gap))
        if norm < APART:
            gap = gap * (APART / norm) if norm > 0 else np.full(2, APART)
        theta, other = inside(v[:2]), inside(v[:2] + gap)
        if np.linalg.norm(theta - other) < APART / 10:  # both at the rim
            theta = other * (1 - APART)
        x, y = record(v[4:])
        return field(family, theta, x, y, map_) - field(family, other, x, y, map_), theta - other

    def lipschitz(v: np.ndarray) -> float:
        dg, dt = differences(v)
        return float(np.linalg.norm(dg) / np.linalg.norm(dt)) / claimed_curvature

    def minus_monotone(v: np.ndarray) -> float:
        dg, dt = differences(v)
        return -float(dg @ dt) / float(dt @ dt) / claimed_curvature

    return Found(
        gradient=_climb(gradient, 5, rng, tries, rounds),
        lipschitz=_climb(lipschitz, 7, rng, tries, rounds),
        monotone=-_climb(minus_monotone, 7, rng, tries, rounds),
    )
