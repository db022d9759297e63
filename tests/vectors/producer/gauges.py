"""Gauges: clipped steps (T26)."""

from __future__ import annotations

from fractions import Fraction

import mpmath as mp

from tests.vectors.producer.numbers import Json, real
from tests.vectors.producer.strings import noise_of

# fmt: off

def single_steps(phases: list[Json], factor: Fraction, one: Fraction) -> list[Json]:
    """(moment, ρ, s, d, τ²) of every step, and the moment after the last."""
    found = []
    for block, phase in enumerate(phases):
        shifts = {int(p): int(n) * real(phase.get("one", one)) for p, n in phase["records"]}
        for epoch in range(int(phase["epochs"])):
            for position in range(int(phase["batches"])):
                s, d = shifts.get(position, mp.mpf(0)), phase.get("drift")
                found.append(((block, epoch, position), real(phase.get("factor", factor)), s,
                              s if d is None else real(d), noise_of(phase)))
    return [*found, ((len(phases), 0, 0), None, None, None, None)]


def straight(steps: list[Json], distance: mp.mpf, at_once: bool) -> mp.mpf | None:
    """w²/v along these steps; None where z would fall below 0. at_once: the first step drifts too."""
    w, v, passed = distance, mp.mpf(0), []
    for i, (_, rho, s, d, noise) in enumerate(steps):
        w, v = rho * w + (s if i == 0 and distance == 0 and not at_once else d), rho**2 * v + noise
        passed.append((w, v))
    left = mp.mpf(1)
    for (w_k, v_k), (_, rho, *_) in zip(passed[-2::-1], steps[:0:-1], strict=True):
        left *= rho
        if w_k * v < w * left * v_k * (1 - mp.mpf(10) ** -50):
            return None
    return w**2 / v


def gauges(steps: list[Json], distance: mp.mpf, whole: bool, apart: bool, quiet: set[int]) -> Json:
    """The excursions and μ² of the best schedule: f(j) = min over i of f(i) + E(i,j). apart: whether there may be
    excursions. whole: of whole epochs alone, but in the blocks `quiet`, and from the start."""
    ends = [i for i, step in enumerate(steps) if not whole or i == 0 or step[0][2] == 0 or step[0][0] in quiet]
    best: dict[int, Json] = {} if distance > 0 else {0: (mp.mpf(0), [])}

    def offer(end: int, energy: mp.mpf | None, taken: list[Json]) -> None:
        if energy is not None and (end not in best or energy < best[end][0] * (1 - mp.mpf(10) ** -50)):
            best[end] = energy, taken

    for end in ends[1:] if distance > 0 else ():
        offer(end, straight(steps[:end], distance, whole), [(steps[0][0], steps[end][0])])
    for k, i in enumerate(ends):
        for end in ends[k + 1 :] if i in best else ():
            energy, taken = best[i]
            if end == ends[k + 1]:
                offer(end, energy + mp.fsum(s**2 / noise for _, _, s, _, noise in steps[i:end]), taken)
            parts = apart and (whole or steps[i][2] > 0)
            cost = straight(steps[i:end], mp.mpf(0), whole) if parts else None
            offer(end, None if cost is None else energy + cost, [*taken, (steps[i][0], steps[end][0])])
    found = best.get(len(steps) - 1)
    return found and (found[1], found[0])
