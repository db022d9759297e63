"""Secret batches, the range before the noise, and witnesses."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath as mp

from tests.vectors.producer.numbers import Json, outward, real
from tests.vectors.producer.strings import delta_of, noise_of, string, walk

# fmt: off

def root_of(function: Callable[[mp.mpf], Any], low: mp.mpf, high: mp.mpf) -> mp.mpf:
    """Where a function that is true on the left becomes false, to 25 digits."""
    for _ in range(90):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) else (low, middle)
    return low


def moved(phases: list[Json], position: int) -> list[Json]:
    """The same phases with the one differing record in another batch."""
    return [phase | {"records": [[str(position), "1"]] if phase["records"] else []} for phase in phases]


def gaps(positions: list[int], batches: int) -> list[tuple[int, int]]:
    """How far each position is from the one before, and from the one after (1 at the ends)."""
    around = [-1, *positions, batches]
    return [(q - p, r - q) for p, q, r in zip(around, around[1:], around[2:], strict=False)]


def secret_epsilon(phases: list[Json], c: Fraction, one: Fraction, delta: Fraction, positions: list[int],
                   rule: str) -> mp.mpf:
    """ε by T9, from the strings of the record in each position."""
    batches = int(phases[0]["batches"])
    mus = []
    for position in positions:
        moments, w, v, _ = walk(moved(phases, position), Fraction(0), c, one)
        mus.append(mp.sqrt(string(moments, w, v, c)[1]))
    counts = [mp.mpf(p) if rule == "right" else mp.mpf(p + q) / 2 for p, q in gaps(positions, batches)]
    rows = list(zip(counts, mus, strict=True))
    return root_of(lambda e: sum(n * delta_of(e, mu) for n, mu in rows) > batches * real(delta), mp.mpf(0), mp.mpf(50))


def secret_curve(phases: list[Json], c: Fraction, one: Fraction, order: mp.mpf, positions: list[int]) -> mp.mpf:
    """D_α by T9r."""
    batches, total = int(phases[0]["batches"]), mp.mpf(0)
    for position, (count, _) in zip(positions, gaps(positions, batches), strict=True):
        moments, w, v, _ = walk(moved(phases, position), Fraction(0), c, one)
        total += count * mp.exp((order - 1) * order * string(moments, w, v, c)[1] / 2)
    return mp.log(total / batches) / (order - 1)


def secret_low(phases: list[Json], slope: Fraction, one: Fraction, delta: Fraction, positions: list[int]) -> Json:
    """(ε, threshold) by T6m: the threshold by a search in doubles, ε for it in 80 digits."""
    batches, distances = int(phases[0]["batches"]), []
    for position in positions:
        _, w, v, _ = walk(moved(phases, position), Fraction(0), slope, one)
        distances.append(w)
    counts = [after for _, after in gaps(positions, batches)]
    rows = list(zip(counts, distances, strict=True))
    scaled, root = [(n, float(d / mp.sqrt(v)) / 2) for n, d in rows], 2**0.5

    def rough(t: float) -> float:
        low, high = 0.0, 50.0
        for _ in range(40):
            e = (low + high) / 2
            total = sum(n * (math.erfc((t - d) / root) - math.exp(e) * math.erfc((t + d) / root)) for n, d in scaled)
            low, high = (e, high) if total >= 2 * batches * float(delta) else (low, e)
        return low

    threshold = Fraction(f"{max((i / 100 for i in range(0, 600, 3)), key=rough) * float(mp.sqrt(v)):.4g}")
    t, s = real(threshold), mp.sqrt(v)

    def reached(e: mp.mpf) -> bool:
        total = sum(n * (mp.ncdf((d / 2 - t) / s) - mp.exp(e) * mp.ncdf((-d / 2 - t) / s)) for n, d in rows)
        return total >= batches * real(delta)

    return root_of(reached, mp.mpf(0), mp.mpf(50)), threshold


def range_epsilon(squared: mp.mpf, reach: mp.mpf, phase: Json, delta: Fraction) -> mp.mpf:
    """ε by T24: from δ(ε) of μ, step by step."""
    ratio = reach / mp.sqrt(noise_of(phase))

    def exceeds(e: mp.mpf) -> bool:
        left = delta_of(e, mp.sqrt(squared))
        for _ in range(int(phase["epochs"]) * int(phase["batches"])):
            if left <= real(delta):  # it only falls
                return False
            left *= delta_of(mp.log1p(mp.expm1(e) / left), ratio)
        return left > real(delta)

    return root_of(exceeds, mp.mpf(0), mp.mpf(50))


def curved_low(phase: Json, m: Fraction, bound: Fraction, one: Fraction, delta: Fraction, own: Fraction,
               others: Fraction) -> Json:
    """(ε, μ) by T6c, step by step."""
    eta, size, ((position, count),) = Fraction(phase["step_size"]), int(phase["batch_size"]), phase["records"]
    quiet, mixed = 1 - eta * (m + others), 1 - eta * (m + own * (size - int(count)) / size)
    noise, steps = 2 * eta * Fraction(phase["noise_std"]) ** 2, int(phase["epochs"]) * int(phase["batches"])
    d = v = mp.mpf(0)
    for k in range(steps):
        here = k % int(phase["batches"]) == int(position)
        slope = real(mixed if here else quiet)
        d, v = slope * d + (real(one) * int(count) if here else 0), slope**2 * v + real(noise)
    q, h = max(quiet, mixed), max(own, others)
    room = real(bound / h - one * int(count) / (1 - q)) if h else mp.inf
    p = 2 * steps * mp.ncdf(-room / mp.sqrt(real(noise / (1 - q**2))))
    low = root_of(lambda e: delta_of(e, d / mp.sqrt(v)) - (1 + mp.exp(e)) * p >= real(delta), mp.mpf(0), mp.mpf(50))
    shown = real(Fraction(outward(low, False)))
    return low, root_of(lambda mu: delta_of(shown, mu) <= real(delta), mp.mpf("1e-9"), mp.mpf(50))
