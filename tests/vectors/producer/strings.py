"""One Gaussian pair, the walk over every step of a run, and the string below all corners."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import mpmath as mp

from tests.vectors.producer.numbers import Json, real

# fmt: off

def delta_of(epsilon: mp.mpf, mu: mp.mpf) -> mp.mpf:
    if mu == 0:
        return mp.mpf(0)
    return mp.ncdf(mu / 2 - epsilon / mu) - mp.exp(epsilon) * mp.ncdf(-mu / 2 - epsilon / mu)


def epsilon_of(delta: mp.mpf, mu: mp.mpf) -> mp.mpf:
    if mu == 0 or delta_of(mp.mpf(0), mu) <= delta:
        return mp.mpf(0)
    low, high = mp.mpf(0), mp.mpf(1)
    while delta_of(high, mu) > delta:
        high *= 2
    for _ in range(110):
        middle = (low + high) / 2
        low, high = (middle, high) if delta_of(middle, mu) > delta else (low, middle)
    return high


def noise_of(phase: Json) -> mp.mpf:
    """τ²"""
    return real(2 * Fraction(phase["step_size"]) * Fraction(phase["noise_std"]) ** 2)


def walk(phases: list[Json], start: Fraction, factor: Fraction, one: Fraction, cap: Fraction | None = None,
         restart: int | None = None) -> Json:
    """All moments of a timeline: (block, epoch, position, w, v, is there a shift), w, v, and the ends of the blocks.

    With a restart, the moments begin there, with v = 0 and without a cap from there on. A phase may have a factor, a
    shift and a drift of its own.
    """
    limit = mp.inf if cap is None else real(cap)
    w, v, index = min(real(start), limit), mp.mpf(0), 0
    moments, ends = [], [w]
    for block, phase in enumerate(phases):
        noise, c = noise_of(phase), real(phase.get("factor", factor))
        shifts = {int(p): int(n) * real(phase.get("one", one)) for p, n in phase["records"]}
        for epoch in range(int(phase["epochs"])):
            for position in range(int(phase["batches"])):
                if index == restart:
                    moments, v, limit = [], mp.mpf(0), mp.inf
                index += 1
                moments.append((block, epoch, position, w, v, position in shifts))
                apart = phase.get("drift") is not None and w > 0
                w = min(c * w + (real(phase["drift"]) if apart else shifts.get(position, 0)), limit)
                v = c * c * v + noise
        ends.append(w)
    return moments, w, v, ends


def string(moments: list[Json], w: mp.mpf, v: mp.mpf, factor: Fraction,
           phases: list[Json] | None = None) -> tuple[list[Json], mp.mpf]:
    """The corners and μ² of the greatest convex function below the points (V_k, D_k): their lower convex hull."""
    weight, points = mp.mpf(1), [(v, w, None)]
    for index in range(len(moments) - 1, 0, -1):
        block, epoch, position, w_k, v_k, shifted = moments[index]
        weight *= real(phases[block].get("factor", factor) if phases else factor)
        if shifted and weight > 0:
            points.append((v_k * weight**2, w_k * weight, (block, epoch, position)))
    hull: list[Json] = [(mp.mpf(0), mp.mpf(0), None)]
    for point in reversed(points):  # the string begins at 0, the points at the distance of the starts
        while len(hull) > 1:
            (x, y, _), (x1, y1, _) = hull[-2], hull[-1]
            left, right = (y1 - y) * (point[0] - x), (point[1] - y) * (x1 - x)
            if left < right - abs(right) * mp.mpf(10) ** -50:  # a true corner
                break
            hull.pop()
        hull.append(point)
    energy = sum((b[1] - a[1]) ** 2 / (b[0] - a[0]) for a, b in pairwise(hull) if b[1] > a[1])
    corners: list[Json] = []
    for _, _, (block, epoch, position) in hull[1:-1]:
        last = corners[-1] if corners else None
        if last and (last["block"], last["position"], int(last["last"]) + 1) == (str(block), str(position), epoch):
            last["last"] = str(epoch)
        else:
            corners.append({"block": str(block), "position": str(position), "first": str(epoch), "last": str(epoch)})
    return corners, mp.mpf(energy)


def moment(at: tuple[int, int, int]) -> Json:
    return dict(zip(("block", "epoch", "position"), map(str, at), strict=True))
