"""Which losses of a step matter, and where to cut them. Floats: nothing is believed of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from certify.checking.limits import MAX_REACH
from certify.checking.sampled.mixtures import mixture_thresholds, point_of_mixture
from certify.checking.sampled.schedule import Release


def upper_tail(x: float) -> float:
    """Φ(-x)"""
    return math.erfc(x / math.sqrt(2)) / 2


def log_of(value: Fraction) -> float:
    """log of a positive rational, however small."""
    return math.log(value.numerator) - math.log(value.denominator)


def loss_window(release: Release, allowance: float) -> tuple[float, float]:
    """Losses of one step beyond which P, or Q, has at most that mass."""
    q, s = float(release.rate), float(release.shift)
    sides = [[math.comb(count, j) * q**j * (1 - q) ** (count - j) for j in range(count + 1)]
             for count in (release.first, release.second)]  # fmt: skip

    def point(loss: float) -> float:
        if not release.alone:
            return point_of_mixture(release, loss)
        ratio = (math.expm1(loss) + q) / q
        return math.log(ratio) / s + s / 2 if ratio > 0 else -math.inf

    def tail(side: int, x: float) -> float:  # P above x; Q below -x
        return sum(weight * upper_tail(x - j * s) for j, weight in enumerate(sides[side]))

    def crossing(mass: Callable[[float], float]) -> float:
        low, high = 0.0, float(MAX_REACH)
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if mass(middle) > allowance else (low, middle)
        return high

    high = crossing(lambda x: tail(0, point(x)))
    low = -high if release.symmetrised else -crossing(lambda x: tail(1, -point(-x)))
    return low, high


def thresholds(release: Release, nodes: range, step: Fraction) -> list[float]:
    """Of all cells but the first, such that the lines of two neighbouring cells meet at their common node.

    That fixes each threshold from its neighbour. An error shrinks in the direction in which the curvature of H rises,
    so go down to some way below its peak, which is at x = -s, and up to there. Near the bottom the line must not be
    below 1 - t at the lower node of its cell. Where H has two bends (kinked), the middle of the cell does better.
    """
    q, s, h = float(release.rate), float(release.shift), float(step)

    def point(loss: float) -> float:
        ratio = (math.expm1(loss) + q) / q
        return math.log(ratio) / s + s / 2 if ratio > 0 else -40.0

    def beyond(x: float, j: int) -> float:  # P - t·Q of all that is above x (below x, negated, where x_j < 0)
        offset = -q - math.expm1((nodes.start + j) * h)
        return q * upper_tail(x - s) + offset * upper_tail(x) if knots[j] > 0 else -below(x, j)

    def below(x: float, j: int) -> float:
        return q * upper_tail(s - x) - (q + math.expm1((nodes.start + j) * h)) * upper_tail(-x)

    def root(rises: Callable[[float], bool], low: float, high: float) -> float:
        for _ in range(32):
            middle = (low + high) / 2
            low, high = (middle, high) if rises(middle) else (low, middle)
        return low

    if not release.alone:
        return mixture_thresholds(release, [(i + 0.5) * h for i in nodes[1:-1]])
    if release.kinked:
        return [point((i + 0.5) * h) for i in nodes[1:-1]]
    knots = [point(i * h) for i in nodes]
    last = len(knots) - 2
    peak = next((j for j in range(1, last) if knots[j] > -s - 3), last)
    found = [-40.0] * last + [point((nodes.stop - 1.5) * h)]
    for j in range(last, peak - 1, -1):
        if below(found[j], j) > 0:
            found[j] = root(lambda x, j=j: below(x, j) < 0, knots[j], found[j])
            found[j] -= 1e-4 * (found[j] - knots[j])
            break
        if j > peak:
            wanted = beyond(found[j], j)
            found[j - 1] = root(lambda x, j=j, wanted=wanted: beyond(x, j) < wanted, knots[j - 1], knots[j])
    for j in range(1, peak):
        wanted = beyond(found[j - 1], j)
        found[j] = root(lambda x, j=j, wanted=wanted: beyond(x, j) > wanted, knots[j], knots[j + 1])
    return found[1:]
