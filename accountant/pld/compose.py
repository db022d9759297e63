"""A schedule's privacy-loss masses, from above or from below, on a grid that the number of points alone decides."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from accountant.enclose import precision
from accountant.pld import profile
from accountant.pld.masses import Masses, compose, power, width
from accountant.pld.merge import merge
from accountant.pld.pair import Pair, ball
from accountant.pld.release import Part
from accountant.pld.spread import loss_range, spread

CUT = 18  # one cut may take δ·2^−CUT, divided by the number of copies that are made of what it cuts
ROUNDING = 22  # so many bits below δ/(steps·points) is the scale
COARSE = 160  # the precision at which ranges are measured; they only choose the grid


def scale_of(parts: tuple[Part, ...], delta: Fraction, points: int) -> int:
    """Bits of the masses: each of the roundings, at most 2·steps·points of them, is a unit 2^−bits."""
    steps = sum(part.steps for part in parts)
    bits = (steps * points * delta.denominator // delta.numerator).bit_length() + ROUNDING
    return (width(bits) - 3) // 2  # the slots have that much room


def fineness_of(part: Part, sign: int, tail: Fraction, points: int) -> int:
    """The finest grid, spacing 2^−fineness, on which one step has at most `points` cells."""
    with precision(COARSE):
        pair = Pair(part.square, part.rate)
        low, high = loss_range(pair, sign, 0, Fraction(0), ball(tail), fine=COARSE // 2)
        if part.symmetric:
            low = -high
    fineness = points.bit_length() - 1
    while (high - low) * Fraction(2) ** (fineness - COARSE // 2) > points:
        fineness -= 1
    while (high - low) * Fraction(2) ** (fineness + 1 - COARSE // 2) <= points:
        fineness += 1
    return fineness


@lru_cache(maxsize=2)
def composed(parts: tuple[Part, ...], sign: int, upper: bool, delta: Fraction, points: int) -> Masses:
    """All steps together, where δ's of about `delta` matter. sign: +1 for the pairs (mixture, normal), −1 for the
    reversed ones.

    Parts in their order; each by repeated squaring; a window of more than `points` masses is coarsened.
    """
    bits = scale_of(parts, delta, points)
    budget = int(delta * 2**bits) >> CUT
    tail = delta / 2**CUT / sum(part.steps for part in parts)
    result = None
    for part in parts:
        one = (spread if upper else merge)(part, sign, fineness_of(part, sign, tail, points), bits, tail)
        many = power(one, part.steps, budget, points)
        result = many if result is None else compose(result, many, budget, points)
    return result


@lru_cache(maxsize=1024)
def epsilon_at(parts: tuple[Part, ...], sign: int, upper: bool, delta: Fraction, points: int) -> Fraction | None:
    """ε(δ) of one direction, from above or from below."""
    return profile.epsilon(composed(parts, sign, upper, delta, points), delta)
