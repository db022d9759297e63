"""T26 by brute force: the best of all schedules for gauges ψ_k(0) = s_k, ψ_k(z) = ρ_k z + d_k (z > 0).

A *step* is (ρ, s, d, τ²), all ≥ 0, s ≤ d. Two independent ways:

* `best`: the shortest path of the theory, over every pair of moments, each excursion a taut string of `timeline`.
  Fractions throughout, so its own error is zero. O(N²) strings of O(N³) each: N up to about a dozen.
* `value`: value iteration on a grid of distances, floats. The distance after each step is rounded *up* to the grid, so
  what it finds is a valid schedule's cost: never below the best, and above it by what the grid's spacing allows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from tests.oracles import timeline

Step = tuple[Fraction, Fraction, Fraction, Fraction]


def excursion(steps: Sequence[Step], z0: Fraction) -> Fraction | float:
    """Least cost of the steps by one string: apart from z0 > 0, or from 0 with the first step's s."""
    strung = [(rho, s if k == 0 and z0 == 0 else d, v) for k, (rho, s, d, v) in enumerate(steps)]
    return timeline.taut_string(strung, z0)[0]


def best(steps: Sequence[Step], z0: Fraction | int = 0) -> Fraction | float:
    """The least μ² over all schedules from starts z0 apart; inf where there is none. Exact."""
    z0, n = Fraction(z0), len(steps)
    cost: list[Fraction | float] = [Fraction(0) if z0 == 0 else math.inf]
    for j in range(1, n + 1):
        ways = [cost[i] + excursion(steps[i:j], Fraction(0)) for i in range(j) if cost[i] != math.inf]
        if z0 > 0:
            ways.append(excursion(steps[:j], z0))
        cost.append(min(ways))
    return cost[n]


def best_in_a_ball(steps: Sequence[Step], z0: Fraction | int, diameter: Fraction | int) -> Fraction | float:
    """The same where the runs are at most `diameter` apart after every step (and at the start)."""
    return min([best(steps, z0), *(best(steps[k:], diameter) for k in range(1, len(steps)))])


def value(steps: Sequence[tuple[float, float, float, float]], z0: float = 0.0, points: int = 801) -> float:
    """Value iteration backwards: least μ² from z0, on a grid of that many distances (an upper bound of the best)."""
    top, z = z0, z0
    for rho, _, d, _ in steps:
        z = rho * z + d
        top = max(top, z)
    grid = np.linspace(0, top or 1.0, points)
    togo = np.where(grid == 0, 0.0, np.inf)  # z_N = 0
    for rho, s, d, variance in reversed(steps):
        image = np.where(grid == 0, s, rho * grid + d)
        hidden = image[:, None] - grid[None, :]  # a_k that leads from one distance to another; lower ones are reached
        cost = np.where(hidden >= 0, hidden**2 / variance + togo[None, :], np.inf)
        # To stay above the image is allowed as well: a_k = 0 and the distance rounded up.
        up = np.minimum(np.searchsorted(grid, image, side="left"), points - 1)
        togo = np.minimum(cost.min(axis=1), togo[up])
    return float(togo[min(int(np.searchsorted(grid, z0, side="left")), points - 1)])


def tracked(steps: Sequence[Step], z0: Fraction | int = 0, diameter: Fraction | None = None) -> list[Fraction]:
    """T1: [w_0, …, w_N] with w_k = min(ψ_k(w_{k−1}), 2R). Exact."""
    w = Fraction(z0)
    path = [w]
    for rho, s, d, _ in steps:
        w = rho * w + d if w > 0 else s
        w = w if diameter is None else min(w, diameter)
        path.append(w)
    return path
