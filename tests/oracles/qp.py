"""T2's best schedule as a numerical quadratic programme, in the raw recursion: no V, no D, no convex hull.

With u_k = a_k/τ_k the programme is: minimise |u|² subject to u ≥ 0, z_k ≥ 0 for all k, z_N = 0, where z_k is affine in
u. That is a least-distance problem, which Lawson and Hanson reduce to one non-negative least-squares problem (solved by
scipy's `lsq_linear(method="bvls")`; `scipy.optimize.nnls` 1.17 returns wrong answers on some of these).

**Own error**: `lower` ≤ minimum ≤ `upper`, `lower` from weak duality with the multipliers found, `upper` from a
repaired schedule; both are sound up to float rounding (about 1e-12 relative for up to ~40 steps with comparable
noises). A bracket wider than 1e-7 relative is not returned: `ArithmeticError`. `tolerance` is what a caller compares
with. Infeasible (`upper` = inf) is only said with a Farkas certificate to 1e-9, or when z_N does not depend on u.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import lsq_linear


@dataclass(frozen=True)
class QPResult:
    """Bracket of min Σ a²/τ² and the feasible schedule that attains `upper` (None when infeasible)."""

    lower: float
    upper: float
    schedule: tuple[float, ...] | None

    @property
    def value(self) -> float:
        """Midpoint of the bracket."""
        return self.upper if math.isinf(self.upper) else 0.5 * (self.lower + self.upper)

    @property
    def tolerance(self) -> float:
        """Half the bracket plus rounding."""
        return 0.0 if math.isinf(self.upper) else 0.5 * (self.upper - self.lower) + 1e-10 * abs(self.upper)


def _affine(steps: Sequence[tuple[float, float, float]], z0: float) -> tuple[np.ndarray, np.ndarray]:
    """z_k = constant_k − (matrix u)_k for k = 1…N, by running the recursion once for each unit vector."""
    n = len(steps)
    matrix, constant = np.zeros((n, n)), np.zeros(n)
    z = z0
    for k, (c, s, _) in enumerate(steps):
        z = c * z + s
        constant[k] = z
    for i in range(n):
        z = 0.0
        for k, (c, _, variance) in enumerate(steps):
            z = c * z + (math.sqrt(variance) if k == i else 0.0)
            matrix[k, i] = z
    return matrix, constant


def _repair(steps: Sequence[tuple[float, float, float]], z0: float, u: np.ndarray) -> tuple[float, ...] | None:
    """Nearest schedule for which the recursion really holds: never overdraw, and settle all at the last noisy step."""
    noisy = [k for k, (_, _, variance) in enumerate(steps) if variance > 0]
    last = noisy[-1] if noisy else -1
    z, out = z0, []
    for k, (c, s, variance) in enumerate(steps):
        z = c * z + s
        a = 0.0 if variance == 0 else min(max(float(u[k]), 0.0) * math.sqrt(variance), z)
        if k == last:
            a = z
        z -= a
        out.append(a)
    return tuple(out) if z == 0 else None


def best_schedule(steps: Sequence[Sequence[float]], z0: float = 0.0) -> QPResult:
    """Minimum of Σ a²/τ² over all schedules of T2; `upper` is inf when none is feasible."""
    floats = [(float(c), float(s), float(v)) for c, s, v in steps]
    start = float(z0)
    n = len(floats)
    if n == 0:
        return QPResult(0.0, 0.0, ()) if start == 0 else QPResult(math.inf, math.inf, None)
    matrix, constant = _affine(floats, start)
    scale = float(np.max(np.abs(constant)))
    noise = math.sqrt(max(v for _, _, v in floats))
    if scale == 0:
        return QPResult(0.0, 0.0, (0.0,) * n)
    noise = noise or 1.0
    # Unknown u in units of scale/noise. Rows G u ≥ h: z_k ≥ 0 for k < N, −z_N ≥ 0, u ≥ 0; each row of norm one.
    # z_N ≥ 0 may be left out: where z_N < 0 a smaller u does as well. With it the programme is degenerate.
    g = np.vstack([-matrix[:-1] / noise, matrix[-1:] / noise, np.eye(n)])
    h = np.concatenate([-constant[:-1] / scale, constant[-1:] / scale, np.zeros(n)])
    norms = np.linalg.norm(g, axis=1)
    if norms[n - 1] == 0:  # z_N does not depend on u
        if constant[-1] > 0:
            return QPResult(math.inf, math.inf, None)
        return QPResult(0.0, 0.0, (0.0,) * n)
    used = norms > 0
    g, h = g[used] / norms[used, None], h[used] / norms[used]
    rng = np.random.default_rng(0)
    for _ in range(8):  # the answer is checked; should it be unconverged, another row order is tried
        order = rng.permutation(len(h))
        result = _solve(g[order], h[order], floats, start, scale / noise)
        if result is not None:
            return result
    raise ArithmeticError("no bracket found: scale the timeline or shorten it")


def _solve(
    g: np.ndarray, h: np.ndarray, steps: Sequence[tuple[float, float, float]], z0: float, unit: float
) -> QPResult | None:
    """min |u|² s.t. G u ≥ h by one NNLS; None if neither a tight bracket nor a Farkas certificate comes out."""
    n = g.shape[1]
    system = np.vstack([g.T, h[None, :]])
    target = np.zeros(n + 1)
    target[-1] = 1.0
    found = lsq_linear(system, target, bounds=(0, np.inf), method="bvls", tol=1e-15, max_iter=100 * (n + 1))
    multipliers = np.maximum(found.x, 0.0)
    r = system @ multipliers - target
    if np.linalg.norm(r) < 1e-9:  # the Farkas certificate: G'y = 0, h'y = 1, y ≥ 0
        return QPResult(math.inf, math.inf, None)
    schedule = _repair(steps, z0, -r[:n] / r[n] * unit)
    if schedule is None:
        return None
    upper = sum(a * a / v for a, (_, _, v) in zip(schedule, steps, strict=True) if v > 0)
    # Weak duality: for y ≥ 0 the value is at least 2 h'y − |G'y|²; y scaled for the best one.
    hy, gy = float(h @ multipliers), float(np.sum((g.T @ multipliers) ** 2))
    lower = hy * hy / gy * unit**2 if hy > 0 and gy > 0 else 0.0
    return QPResult(lower, upper, schedule) if upper - lower <= 1e-7 * upper else None
