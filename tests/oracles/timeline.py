"""Timelines, the distance recursion T1 and the taut string T3 by brute force in exact rationals.

A *step* is a tuple (c, s, variance): contraction, shift, τ². A *timeline* is a list of steps plus z0, the distance of
the two starts. Everything here is `fractions.Fraction`, so **the oracle's own error is zero**; whoever feeds floats in
gets the exact answer for the binary values of those floats. Cost is quadratic in the number of steps N (and the
fractions grow with N as well): meant for N up to a few hundred with simple numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

Number = int | float | str | Fraction
Step = tuple[Fraction, Fraction, Fraction]
Point = tuple[Fraction, Fraction]


class ScheduleError(ValueError):
    """A shift schedule that proves nothing; the message names the condition of T2 that fails."""


@dataclass(frozen=True)
class Phase:
    """`epochs` passes over `batches` steps; `records` maps a batch position (0-based) to the shift of that step."""

    epochs: int
    batches: int
    c: Number
    variance: Number
    records: Mapping[int, Number] = field(default_factory=dict)


def make_steps(steps: Iterable[Sequence[Number]]) -> list[Step]:
    """Exact copy of the steps; rejects negative entries, for which none of the theorems is stated."""
    exact = [(Fraction(c), Fraction(s), Fraction(v)) for c, s, v in steps]
    if any(min(step) < 0 for step in exact):
        raise ValueError("contraction, shift and variance must be ≥ 0")
    return exact


def expand(phases: Iterable[Phase | Mapping]) -> list[Step]:
    """The step list of the phases, one step at a time. Exact.

    A phase is a `Phase` or a mapping with the same keys (`records` may be left out).
    """
    steps: list[tuple[Number, Number, Number]] = []
    for item in phases:
        phase = item if isinstance(item, Phase) else Phase(**item)
        if any(not 0 <= position < phase.batches for position in phase.records):
            raise ValueError("a record's position must be one of the batches")
        for _ in range(phase.epochs):
            for position in range(phase.batches):
                steps.append((phase.c, phase.records.get(position, 0), phase.variance))
    return make_steps(steps)


def track_distance(
    steps: Iterable[Sequence[Number]], z0: Number = 0, cap: Number | None = None, starts_in_ball: bool = False
) -> list[Fraction]:
    """T1, step by step: [w_0, …, w_N] with w_k = min(c_k w_{k−1} + s_k, cap). Exact.

    `cap` is the diameter 2R. It applies from step 1, and to w_0 only when `starts_in_ball`.
    """
    limit = None if cap is None else Fraction(cap)
    w = Fraction(z0)
    if limit is not None and starts_in_ball:
        w = min(w, limit)
    path = [w]
    for c, s, _ in make_steps(steps):
        w = c * w + s
        if limit is not None:
            w = min(w, limit)
        path.append(w)
    return path


def tail_products(steps: Iterable[Sequence[Number]]) -> list[Fraction]:
    """[C_0, …, C_N], C_k = c_{k+1}·…·c_N, each multiplied out from its definition. Exact."""
    exact = make_steps(steps)
    products = [Fraction(1)] * (len(exact) + 1)
    for k in range(len(exact) - 1, -1, -1):
        products[k] = exact[k][0] * products[k + 1]
    return products


def points(steps: Iterable[Sequence[Number]], z0: Number = 0) -> list[Point]:
    """[(V_0, D_0), …, (V_N, D_N)] in units of the last step. Exact.

    V_k = Σ_{i≤k} C_i² τ_i², D_k = C_0 z_0 + Σ_{i≤k} C_i s_i.
    """
    exact = make_steps(steps)
    tail = tail_products(exact)
    v, d = Fraction(0), tail[0] * Fraction(z0)
    out = [(v, d)]
    for k, (_, s, variance) in enumerate(exact, start=1):
        v += tail[k] ** 2 * variance
        d += tail[k] * s
        out.append((v, d))
    return out


def straight_witness(steps: Iterable[Sequence[Number]], z0: Number = 0) -> Point:
    """(D_N, V_N) of the straight witness T6, whose μ is D_N/√V_N, by running the two Gaussians forward. Exact.

    The mean difference obeys d ← c d + s and the common variance v ← c² v + τ² (deterministic starts z0 apart).
    """
    d, v = Fraction(z0), Fraction(0)
    for c, s, variance in make_steps(steps):
        d, v = c * d + s, c * c * v + variance
    return d, v


def string_vertices(pts: Sequence[Point]) -> list[Point] | None:
    """Corners of the greatest convex function from (0, 0) to the last point below all points; None if there is none.

    Gift wrapping: from a corner go on to the point with the least slope, the farthest one among equals. Every point is
    looked at from every corner, so no candidate set has to be believed. Exact, O(N²).
    """
    v_end, d_end = pts[-1]
    # At V_end the function must not exceed the lowest point there, and must equal d_end.
    lowest_at_end = min(d for v, d in pts if v == v_end)
    if v_end == 0:
        lowest_at_end = min(lowest_at_end, Fraction(0))  # the start (0, 0) is a constraint as well
    if lowest_at_end < d_end:
        return None
    corner = (Fraction(0), Fraction(0))
    corners = [corner]
    while corner[0] < v_end:
        best: tuple[Fraction, Fraction, Point] | None = None
        for v, d in pts:
            if v <= corner[0]:
                continue
            key = ((d - corner[1]) / (v - corner[0]), -v)
            if best is None or key < best[:2]:
                best = (*key, (v, d))
        assert best is not None
        corner = best[2]
        corners.append(corner)
    return corners


def taut_string(steps: Iterable[Sequence[Number]], z0: Number = 0) -> tuple[Fraction | float, list[Fraction] | None]:
    """T3 by brute force: (μ², schedule a_1…a_N), or (math.inf, None) when no schedule exists. Exact."""
    exact = make_steps(steps)
    corners = string_vertices(points(exact, z0))
    if corners is None:
        return math.inf, None
    energy = Fraction(0)
    for (v0, d0), (v1, d1) in pairwise(corners):
        energy += (d1 - d0) ** 2 / (v1 - v0)
    tail = tail_products(exact)
    schedule = []
    reached = Fraction(0)
    for k, (_, _, variance) in enumerate(exact, start=1):
        reached += tail[k] ** 2 * variance
        slope = Fraction(0)
        for (v0, d0), (v1, d1) in pairwise(corners):
            if v0 < reached <= v1:  # corners are points, so no step's interval straddles one
                slope = (d1 - d0) / (v1 - v0)
        schedule.append(slope * variance * tail[k])
    return energy, schedule


def string_height(pts: Sequence[Point], v: Fraction) -> Fraction:
    """Height at v of the greatest convex function below (0, 0) and all points, from the definition. Exact, O(N²).

    It is the lowest chord over v: min over pairs of points on both sides of v. A second way to the string.
    """
    cloud = [(Fraction(0), Fraction(0)), *pts]
    heights = [d for u, d in cloud if u == v]
    for v0, d0 in cloud:
        for v1, d1 in cloud:
            if v0 < v < v1:
                heights.append(d0 + (d1 - d0) * (v - v0) / (v1 - v0))
    return min(heights)


def check_schedule(steps: Iterable[Sequence[Number]], z0: Number, a: Sequence[Number]) -> Fraction:
    """T2: the μ² = Σ a_k²/τ_k² that the schedule proves, or `ScheduleError`. Exact."""
    exact = make_steps(steps)
    shifts = [Fraction(x) for x in a]
    if len(shifts) != len(exact):
        raise ScheduleError(f"length: needs {len(exact)} entries, got {len(shifts)}")
    z = Fraction(z0)
    if z < 0:
        raise ScheduleError("z_0 ≥ 0 fails")
    total = Fraction(0)
    for k, ((c, s, variance), shift) in enumerate(zip(exact, shifts, strict=True), start=1):
        if shift < 0:
            raise ScheduleError(f"a_{k} ≥ 0 fails")
        if shift > 0 and variance == 0:
            raise ScheduleError(f"a_{k} = 0 where τ_{k} = 0 fails")
        z = c * z + s - shift
        if z < 0:
            raise ScheduleError(f"z_{k} ≥ 0 fails")
        if shift > 0:
            total += shift**2 / variance
    if z != 0:
        raise ScheduleError("z_N = 0 fails")
    return total


def bounded_string(
    steps: Iterable[Sequence[Number]], z0: Number, cap: Number, starts_in_ball: bool = False
) -> tuple[Fraction | float, int]:
    """T5 by brute force: (least μ², the step k0 its string starts from); every k0 is tried. Exact, O(N³)."""
    exact = make_steps(steps)
    path = track_distance(exact, z0, cap, starts_in_ball)
    best: tuple[Fraction | float, int] = (math.inf, 0)
    for k0, w in enumerate(path):
        mu2, _ = taut_string(exact[k0:], w)
        if mu2 < best[0]:
            best = (mu2, k0)
    return best
