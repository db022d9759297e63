"""Very many steps of a very rare participation: small losses and jumps, each on a grid of its own.

Let ν be one step's measure of the loss (see masses), b what it has where |x| ≤ c, j the rest; m = b's mass, b̃ = b/m,
r = ∫e^{−x} db̃. For every non-decreasing F that is convex in e^{−x}, by Jensen,

  ∫∫ F(x + y) dj(x) db̃(y) ≥ ∫ F(x − log r) dj(x).

* **Upper**: with s ≥ log r and j₊ = j moved up by s, ν is dominated by b̃ ∗ (m·δ₀ + j₊): where the second factor takes
  its atom both sides have b, elsewhere by the line above. So is the T-fold composition by b̃^T ∗ (m·δ₀ + j₊)^T.
* **Lower**: ν^T has the terms C(T,k) b^{T−k} ∗ j^k. For k ≤ K merge K − k of the b into a point at −log r each, of mass
  m; b̃^{T−K} is left in common: ν^T dominates b̃^{T−K} ∗ δ_{−K·log r} ∗ Σ_{k≤K} C(T,k) m^{T−k} j₊^k, with s ≤ log r here;
  that is the sum over all k, (m·δ₀ + j₊)^T, less a measure whose mass is Σ_{k>K} C(T,k) λ^k at most, λ the mass of j.
  A δ(ε) gives no point a weight above 1, so that this much is taken from it.

So b, whose losses are tiny, is composed on a grid as fine as it needs, and j, which is rare, on one that reaches far.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from flint import arb

from accountant.core.arithmetic.balls import precision
from accountant.core.exact import Rounding
from accountant.mechanisms.pairs import BOTH, Way
from accountant.mechanisms.release import Part
from accountant.pld.masses import Masses, compose, power
from accountant.pld.merge import merge_bulk, merge_jumps, start_of_jumps
from accountant.pld.mixture import pair_of
from accountant.pld.pair import Boundary, LossPair, ball, integer, rounded
from accountant.pld.spread import SLACK, guard, spread_bulk, spread_jumps
from accountant.pld.tilt import BITS, FLOOR, Tilt

# Example values (a test computes them again):
# z = 1, δ = 1e-5: border c, P[|loss| > c] of a step, size of most losses (— if one grid is enough):
#   q = 1e-03, T = 1e+04:  —
#   q = 1e-06, T = 1e+07:  1.91e-05, 0.000233, 1.43e-06
#   q = 1e-07, T = 1e+08:  3.21e-06, 3.17e-05, 1.43e-07

MIN_STEPS = 1 << 12  # fewer steps are composed on one grid
_FEW = 1 << 15  # points up to which one grid is enough for all
_WIDTH = 2.0**-11
_SPREAD, _COARSENED = 0.42, 0.25  # of h², what a grid adds to the variance of a step, and of a sum that is put on it
# A bulk begins with so many fewer cells than there are points: coarser ones, before it is wide, cost a lower bound its
# mean. With cells no longer than most losses it is wide soon; else its far end must go several times into a window.
_ROOM, _MORE_ROOM = 4, 8
_NARROW = 2  # cells that most losses have together
_FIRST = 4  # spacings that the least jump has, so that a cell's mean can be any of the points
_SHARE = 16  # at most a step in so many is left out of a lower bound
_LOST = 22  # bits of δ below which what a lower bound leaves out may be


@dataclass(frozen=True)
class Border:
    """c, with what estimates need: the mass of larger |losses|, as what power of c it falls, the others' mean square,
    the size of most losses and the mean one's, and the largest one on a grid. All of one step. fewer: how many fewer
    cells than there are points the grid of the small losses begins with."""

    loss: Fraction
    beyond: float
    power: float
    square: float
    size: float
    mean: float
    reach: float
    fewer: int


def allowed(tilt: Tilt, width: float) -> float:
    """What a grid may add to the variance v of the whole loss: ε moves by about v(θ + 1)/2, θ the slope of −log δ."""
    steep = tilt.slope if tilt.steep is None else tilt.steep
    return 2 * max(tilt.epsilon, float(FLOOR)) * width / (steep + 1)


@lru_cache(maxsize=256)
def border_of(part: Part, way: Way, tilt: Tilt, tail: Fraction, delta: Fraction) -> Border | None:
    """The c that splits a step's losses best; None if one grid is enough for all.

    An estimate, the same for every number of points: no bound rests on it.
    """
    if part.rate == 1 or part.steps < MIN_STEPS or (part.down and not part.mirrored):
        return None
    room = allowed(tilt, _WIDTH)
    with precision(BITS):
        pair = pair_of(part)
        tried = _candidates(part, pair, way, _reach(part, pair, way, tilt, tail))
    if not tried:
        return None
    whole = tried[0].reach / _fine(part.steps, tried[0].mean, room)
    if whole <= _FEW:
        return None
    least, best = min(
        (points_needed(part, border, delta, room), border.loss, border.fewer, border) for border in tried
    )[::3]
    return best if least < whole / 2 else None


def _fine(steps: int, mean: float, room: float) -> float:
    """The h whose cells add `room` to the variance: .42h² a step, but no more than h times the mean size."""
    return max(math.sqrt(room / (_SPREAD * steps)), room / (steps * mean))


def points_needed(part: Part, border: Border, delta: Fraction, room: float) -> float:
    """About how many points do, with two grids that may add `room` to the variance."""
    left = _left_out(part.steps * border.beyond, delta)
    if left > part.steps // _SHARE or left * border.square > room / 2:
        return math.inf
    sides, c = (2 if part.mirrored else 1), float(border.loss)
    fine = _fine(part.steps, border.mean, room / 2)
    if border.fewer == _ROOM:
        fine = min(fine, border.size / _NARROW)
    coarse = min(
        c / max(_FIRST, border.power), math.sqrt(room / 2 / (_SPREAD * part.steps * border.beyond + _COARSENED))
    )
    return sides * max(c * _ROOM / fine, border.reach / coarse)


def _reach(part: Part, pair: LossPair, way: Way, tilt: Tilt, tail: Fraction) -> float:
    """The largest |loss| on a grid."""
    bottom = tail if tilt.bottom is None else tilt.bottom
    reaches = []
    for one in BOTH if part.mirrored else (way,):
        forward = one is Way.FORWARD
        u = pair.quantile(ball(tail if forward else bottom), mixed=forward, above=True)
        loss = float(pair.ratio(u).log().mid())
        reaches.append(min(loss, float(tilt.top)) if forward and tilt.top is not None else loss)
    return max(reaches)


def _candidates(part: Part, pair: LossPair, way: Way, reach: float) -> list[Border]:
    """Borders half a unit of u apart."""
    ways = BOTH if part.mirrored else (way,)
    losses: list[float] = []
    inside: list[float] = []
    beyond: list[float] = []
    for k in range(-24, 1 << 12):
        u = arb(k) / 2
        loss = float(pair.ratio(u).log().mid())
        if loss > reach and k > 0:
            break
        losses.append(loss)
        for masses, end in ((inside, pair.at(u + arb(1) / 2)), (beyond, pair.top)):
            masses.append(sum((float(pair.of_whom(one, pair.at(u), end).mid()) for one in ways), 0.0))
    size, square = pair.bulk(), 0.0
    borders: list[Border] = []
    mean = sum(mass * abs(loss) for mass, loss in zip(inside, losses, strict=True))
    for k in range(len(losses) - 1):
        if 0 < losses[k] < reach / 2 and k > 24 and beyond[k + 1] > 0:
            fall = math.log(beyond[k] / beyond[k + 1]) / math.log(losses[k + 1] / losses[k])
            given = Fraction(losses[k]), beyond[k], fall, square, size, mean, reach
            borders += [Border(*given, fewer) for fewer in (_ROOM, _MORE_ROOM)]
        square += inside[k] * losses[k] ** 2
    return borders


def _left_out(mean: float, delta: Fraction) -> int:
    """The least K with mean^{K+1}/(K+1)! small against δ, about."""
    if not mean > 0:
        return 0
    wanted = math.log(delta.numerator) - math.log(delta.denominator) - _LOST * math.log(2)
    low, high = math.ceil(2 * mean), math.ceil(8 * mean) + 4 * math.ceil(-wanted) + 8
    while high - low > 1:
        middle = (low + high) // 2
        small = (middle + 1) * math.log(mean) - math.lgamma(middle + 2) < wanted
        low, high = (low, middle) if small else (middle, high)
    return high


def split_power(
    part: Part, way: Way, rounding: Rounding, split: Border, tilt: Tilt, tail: Fraction, bits: int, delta: Fraction,
    points: int, unit: Fraction, budget: int, bottom: int, window: int,
) -> Masses:  # fmt: skip
    """All of the part's steps, bulk and jumps apart."""
    border, sides = split.loss, (2 if part.mirrored else 1)
    fine = _fineness(sides * float(border), points // split.fewer, unit)
    coarse = _fineness(sides * split.reach, points, unit)
    end = None if rounding is Rounding.UP else start_of_jumps(part, way, tilt, unit, border, coarse)
    with precision(guard(part, max(fine, coarse), bits)):
        pair = pair_of(part)
        point = pair.point(ball(border).exp()) if end is None else pair.at(arb(end))
        mass, log_ratio = _bulk_of(part, pair, way, point)
        up = rounded(log_ratio, fine + SLACK, Rounding.UP)
        down = rounded(log_ratio, fine + SLACK, Rounding.DOWN)
        beyond = 1 - mass
        # by its exponent alone: the same on every machine
        share = math.frexp(max(float(beyond.mid()), 2.0**-bits))[1]
    given = part, way, bits, tail
    apart = replace(tilt, share=float(share))
    left = 0
    if end is None:
        small = spread_bulk(*given, tilt, unit, border, fine)
        jumps = spread_jumps(*given, apart, unit, border, coarse, up)
    else:
        small = merge_bulk(*given, tilt, unit, end, fine)
        jumps = merge_jumps(*given, apart, unit, end, coarse, down)
        with precision(2 * BITS + bits):
            left = min(part.steps, _left_out(part.steps * float(beyond.upper()), delta))
            lost = _lost(part.steps * beyond.upper(), left) if left < part.steps else arb(0)
    if left < part.steps:
        small = power(small, part.steps - left, budget, window, bottom, split.size)
    else:
        small = replace(small, offset=Fraction(0), count=1, packed=1 << bits, total=1 << bits)
    jumps = power(jumps, part.steps, budget, window, bottom, 0.0)
    if rounding is Rounding.DOWN:
        jumps = replace(jumps, offset=jumps.offset - left * up, infinite=-integer(lost * arb(2) ** bits, Rounding.UP))
        small = _gathered(small, jumps)
    return compose(small, jumps, budget, window, bottom)


def _lost(mean: arb, left: int) -> arb:
    """Σ_{k>K} mean^k/k!, which is at most its first term over 1 − mean/(K + 2); or 1, all that there is."""
    if mean <= 0:
        return arb(0)
    first = (mean.log() * (left + 1) - arb(left + 2).lgamma()).exp()
    shrink = 1 - mean / (left + 2)
    return (first / shrink).min(arb(1)) if shrink > 0 else arb(1)


def _bulk_of(part: Part, pair: LossPair, way: Way, point: Boundary) -> tuple[arb, arb]:
    """(P's mass of the bulk, log r); point: where the larger losses begin."""
    if part.mirrored:
        return pair.neither(point), arb(0)
    mixed, base = pair.masses(pair.bottom, point)
    p, q = (mixed, base) if way is Way.FORWARD else (base, mixed)
    return p, (q / p).log()


def _fineness(extent: float, points: int, unit: Fraction) -> int:
    """The finest spacing, unit·2^−fineness, of which `points` come to that much at least."""
    fineness = math.floor(math.log2(points * float(unit) / extent)) + 1
    while extent > points * float(unit) * 2.0**-fineness:
        fineness -= 1
    return fineness


def _gathered(m: Masses, coarse: Masses) -> Masses:
    """Where all of m is within a fraction of the other's spacing: one point, at the mean of e^{−x}; else m."""
    values, h = m.values(), float(m.spacing)
    scale = float(1 << m.bits)
    total = sum(values)
    if not total:
        return m
    mean = sum(i * (v / scale) for i, v in enumerate(values)) / (total / scale) * h
    square = sum((i * h - mean) ** 2 * (v / scale) for i, v in enumerate(values)) / (total / scale)
    if math.sqrt(square) > float(coarse.spacing) / 2:
        return m
    with precision(m.bits + 2 * BITS):
        step = (-ball(m.spacing)).exp()
        weighted = arb(0)
        for value in reversed(values):
            weighted = weighted * step + value
        place = m.offset + rounded(-(weighted / total).log(), coarse.fineness + SLACK, Rounding.DOWN)
    return replace(m, offset=place, fineness=coarse.fineness, count=1, packed=total)
