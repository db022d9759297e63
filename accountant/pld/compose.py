"""A schedule's privacy-loss masses, from above or from below, on a grid that the number of points alone decides."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from accountant.core.arithmetic.balls import precision
from accountant.core.exact import Rounding
from accountant.mechanisms.pairs import Way
from accountant.mechanisms.release import Part
from accountant.pld import profile
from accountant.pld.masses import Masses, compose, power, width
from accountant.pld.merge import merge
from accountant.pld.mixture import pair_of
from accountant.pld.pair import ball
from accountant.pld.split import border_of, split_power
from accountant.pld.spread import loss_range, spread
from accountant.pld.tilt import FLAT, Tilt, choose_tilt

# One cut may take δ·2^−CUT above, divided by the number of copies that are made of what it cuts; below, 2^−CUT: what
# lies there comes to count only together with a tail of the rest, which is itself about as small as δ.
CUT = 18
ROUNDING = 18  # so many bits below δ/(steps·points) is the scale; with less, rounding alone would keep windows long
WINDOW = 2  # the longest window, over one step's
COARSE = 160  # the precision at which ranges are measured; they only choose the grid


def scale_of(parts: tuple[Part, ...], delta: Fraction, points: int) -> int:
    """Bits of the masses: each of the roundings, about 2·steps·points of them, is a unit 2^−bits."""
    steps = sum(part.steps for part in parts)
    bits = (steps * points * delta.denominator // delta.numerator).bit_length() + ROUNDING
    return (width(bits) - 3) // 2  # the slots have that much room


def tail_of(parts: tuple[Part, ...], delta: Fraction) -> Fraction:
    """What one step may lose at either end of its grid."""
    return delta / 2**CUT / sum(part.steps for part in parts)


def unit_of(points: int) -> Fraction:
    """The mantissa of every spacing, in (1/2, 1]: so that a few points more make a slightly finer grid."""
    return Fraction(32, (points << 5) >> (points.bit_length() - 1))


def fineness_of(part: Part, way: Way, tail: Fraction, points: int, tilt: Tilt = FLAT) -> int:
    """The finest grid, spacing unit·2^−fineness, on which one step has at most `points` cells."""
    with precision(COARSE):
        pair = pair_of(part)
        low, high = loss_range(pair, way, Fraction(1, 2 ** (COARSE // 2)), Fraction(0), ball(tail), tilt)
        if part.mirrored:
            high = max(high, -low)
            low = -high
    cells = Fraction(max(1, high - low), 2 ** (COARSE // 2)) / unit_of(points)
    fineness = points.bit_length() - 1
    while cells * Fraction(2) ** fineness > points:
        fineness -= 1
    while cells * Fraction(2) ** (fineness + 1) <= points:
        fineness += 1
    return fineness


_ON_A_GRID = {Rounding.UP: spread, Rounding.DOWN: merge}


@lru_cache(maxsize=2)
def composed(parts: tuple[Part, ...], way: Way, rounding: Rounding, delta: Fraction, points: int) -> Masses:
    """All steps together, where δ's of about `delta` matter, rounded up (a bound from above) or down.

    Parts in their order; each by repeated squaring, on coarser grids as it goes on; a window of more than
    WINDOW·points masses is coarsened at once.
    """
    way, rounding = Way(way), Rounding(rounding)  # an int or a bool would match neither, without an error
    bits = scale_of(parts, delta, points)
    budget, bottom = int(delta * 2**bits) >> CUT, 2**bits >> CUT
    tilt = choose_tilt(parts, way, delta)
    tail = tail_of(parts, delta)
    result: Masses | None = None
    for part in parts:
        with precision(COARSE):
            bulk = pair_of(part).bulk()
        border = border_of(part, way, tilt, tail, delta)
        if border is not None:
            given = points, unit_of(points), budget, bottom, WINDOW * points
            many = split_power(part, way, rounding, border, tilt, tail, bits, delta, *given)
            result = many if result is None else compose(result, many, budget, WINDOW * points, bottom)
            continue
        fineness = fineness_of(part, way, tail, points, tilt)
        one = _ON_A_GRID[rounding](part, way, fineness, bits, tail, tilt, unit_of(points))
        many = power(one, part.steps, budget, WINDOW * points, bottom, bulk)
        result = many if result is None else compose(result, many, budget, WINDOW * points, bottom)
    assert result is not None  # there is a part
    return result


@lru_cache(maxsize=1024)
def epsilon_at(parts: tuple[Part, ...], way: Way, rounding: Rounding, delta: Fraction, points: int) -> Fraction | None:
    """ε(δ) of one direction, from above or from below."""
    return profile.epsilon(composed(parts, way, rounding, delta, points), delta)
