"""How many points a grid needs: an estimate chooses it, and no bound rests on that."""

from __future__ import annotations

import math
from fractions import Fraction

from accountant.core.arithmetic.balls import precision
from accountant.core.exact import Rounding
from accountant.mechanisms.pairs import Way
from accountant.mechanisms.release import Part
from accountant.pld.compose import epsilon_at, fineness_of, tail_of
from accountant.pld.mixture import pair_of
from accountant.pld.split import allowed, border_of, points_needed
from accountant.pld.tilt import BITS, FLOOR, choose_tilt

MIN_POINTS, FIRST_POINTS = 1 << 9, 1 << 11  # of a grid; of the one that an estimate tries first
MAX_UNCHECKED_POINTS = 1 << 15  # a larger estimate is checked on the first grid
MIXED = 1.5  # times the estimate for two grids, where several coins are tossed: one attempt costs less than two
MIN_TAIL = 0.5  # −log of what δ(ε) is of δ(0), about: ε so small is not estimated
# What the upper bound, the lower bound, and both together add to the variance of a step's loss, in h².
UPPER, LOWER, BOTH = 0.235, 0.185, 0.42


def points_for(parts: tuple[Part, ...], delta: Fraction, width: Fraction, added: float = BOTH) -> int:
    """How many points should do for an error of `width`, relative to the larger of ε and FLOOR, where a grid adds
    `added`·h² to a step's variance.

    A grid that adds v to the variance of the whole loss, and keeps the mean of e^{−x}, moves ε by about v(θ + 1)/2, θ
    the slope of −log δ(ε).
    """
    tilt = choose_tilt(parts, Way.FORWARD, delta)
    if tilt.epsilon * tilt.slope < MIN_TAIL:
        return FIRST_POINTS
    tail = tail_of(parts, delta)
    room = allowed(tilt, float(width))
    splits = [border_of(part, Way.FORWARD, tilt, tail, delta) for part in parts]
    if any(splits):
        pairs = [(part, border) for part, border in zip(parts, splits, strict=True) if border is not None]
        return max(
            MIN_POINTS, *(_rounded(_more(part) * points_needed(part, border, delta, room)) for part, border in pairs)
        )
    spacings = [2.0 ** -fineness_of(part, Way.FORWARD, tail, FIRST_POINTS, tilt) for part in parts]
    excess = added * sum(part.steps * h * h for part, h in zip(parts, spacings, strict=True)) / room
    if tilt.top is not None:  # where nearly all losses are far below h, they add no more than their own size, times h
        with precision(BITS):
            sizes = [pair_of(part).bulk() for part in parts]
        given = zip(parts, spacings, sizes, strict=True)
        excess = min(excess, (sum(part.steps * h * size for part, h, size in given) / room) ** 2)
    points = _rounded(FIRST_POINTS * math.sqrt(excess))
    if points <= MAX_UNCHECKED_POINTS:
        return max(points, MIN_POINTS)
    epsilon = epsilon_at(parts, Way.FORWARD, Rounding.UP, delta, FIRST_POINTS)
    far = epsilon is None or float(epsilon) > tilt.epsilon * (1 + excess * float(width) / 16)
    return points if far else FIRST_POINTS


def _more(part: Part) -> float:
    return MIXED if part.up + part.down > 1 else 1.0


def _rounded(points: float) -> int:
    """Two digits of it, upwards."""
    scale = max(0, math.frexp(points)[1] - 5)
    return math.ceil(points / 2**scale) << scale


def more_points(points: int, upper: Fraction | None, lower: Fraction, width: Fraction) -> int:
    """The width shrinks with the square of the number of points."""
    if upper is None:
        return 2 * points
    excess = float((upper - lower) / (width * max(upper, FLOOR)))
    return _rounded(points * min(16.0, max(1.1, 1.05 * math.sqrt(excess))))
