"""How many points a grid needs: an estimate chooses it, and no bound rests on that."""

from __future__ import annotations

import math
from fractions import Fraction

from accountant.pld.compose import epsilon_at, fineness_of, tail_of
from accountant.pld.release import Part
from accountant.pld.tilt import tilt

LEAST, FEWEST, DOUBTED = 1 << 9, 1 << 11, 1 << 15
FLOOR = Fraction(1, 1000)  # an ε below it is known to the width of that: a relative 1e-3 is 1e-6 then
LEAST_TAIL = 0.5  # −log of what δ(ε) is of δ(0), about: ε so small is not estimated
# What the upper bound, the lower bound, and both together add to the variance of a step's loss, in h².
UPPER, LOWER, BOTH = 0.235, 0.185, 0.42


def points_for(made: tuple[Part, ...], delta: Fraction, width: Fraction, added: float = BOTH) -> int:
    """How many points should do for an error of `width`, relative to the larger of ε and FLOOR, where a grid adds
    `added`·h² to a step's variance.

    A grid that adds v to the variance of the whole loss, and keeps the mean of e^{−x}, moves ε by about v(θ + 1)/2, θ
    the slope of −log δ(ε).
    """
    lean = tilt(made, 1, delta)
    if lean.epsilon * lean.slope < LEAST_TAIL:
        return FEWEST
    tail = tail_of(made, delta)
    square = sum(part.steps * 4.0 ** -fineness_of(part, 1, tail, FEWEST, lean.top) for part in made)
    excess = added * square * (lean.slope + 1) / 2 / (max(lean.epsilon, float(FLOOR)) * float(width))
    points = _rounded(FEWEST * math.sqrt(excess))
    if points <= DOUBTED:
        return max(points, LEAST)
    found = epsilon_at(made, 1, True, delta, FEWEST)  # a look at what is so hard: rare large losses are not
    far = found is None or float(found) > lean.epsilon * (1 + excess * float(width) / 16)
    return points if far else FEWEST


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
