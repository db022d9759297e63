"""Upper bounds: the mass of each cell of the grid is spread to the cell's two ends (docs/theory.md T19)."""

from __future__ import annotations

import math
from fractions import Fraction

from flint import arb

from accountant.core.arithmetic.balls import precision
from accountant.core.exact import Rounding
from accountant.mechanisms.pairs import BOTH, Way
from accountant.mechanisms.release import Part
from accountant.pld.masses import Masses, from_sparse
from accountant.pld.mixture import pair_of
from accountant.pld.pair import Boundary, LossPair, ball, integer, rounded
from accountant.pld.tilt import FLAT, Tilt

# Example values (a test computes them again):
# z = 1, q = 1/2, h = 1/2, at most 1/1000 below:
#   loss x   -0.6931  -0.1931   0.3069   0.8069   1.3069   1.8069   2.3069   2.8069   3.3069       ∞
#   mass p    0.1282   0.3897   0.2599   0.1335   0.0585   0.0216   0.0066   0.0016   0.0003  0.0001   Σ p·e^−x = 1.0000

SLACK = 40  # offsets are multiples of h·2^−SLACK


def guard(part: Part, fineness: int, bits: int) -> int:
    """The precision at which masses come out to about one unit of the scale; less would give wider bounds, still
    valid."""
    small = part.rate if part.rate == 1 else min(part.rate, 1 - part.rate)
    lost = max(part.up, part.down) * max(0, -_log2(small)) + max(0, -_log2(part.square))
    return bits + 2 * max(0, fineness) + lost + 16


def _log2(value: Fraction) -> int:
    return value.numerator.bit_length() - value.denominator.bit_length()


def spread(
    part: Part, way: Way, fineness: int, bits: int, tail: Fraction, tilt: Tilt = FLAT, unit: Fraction = Fraction(1)
) -> Masses:
    """One step's masses from above, the loss of (mixture, normal) or, REVERSED, of (normal, mixture).

    A cell (x, x + h] with masses p, p' under P, Q gives v = (p − p'e^x)/(1 − e^{−h}) to x + h and p − v to x; so do
    cells of several units, where `tilt` says that little mass is. At most
    `tail` of the mass lies below the grid and moves up to its first point, at most as much above and goes to +∞; or as
    much as `tilt` says.
    """
    with precision(guard(part, fineness, bits)):
        pair, most = pair_of(part), ball(tail)
        values = _Spread(pair, fineness, bits, tilt, unit)
        if part.mirrored:
            return _mirrored(pair, values, most)
        anchor = _anchor(part, pair, way, fineness)
        low, high = loss_range(pair, way, values.h, anchor, most, tilt)
        start, end = values.cells(way, anchor, low, high)
        values.add(low, _beyond(pair, way, start, Rounding.DOWN))
        if way is Way.FORWARD and tilt.top is not None:
            return values.collect(anchor, values.top_cell(anchor, end, high))
        return values.collect(anchor, values.units(_beyond(pair, way, end, Rounding.UP)))


def _beyond(pair: LossPair, way: Way, point: Boundary, end: Rounding) -> arb:
    """The mass of losses above the one at that boundary, or below it (`end` DOWN)."""
    if (way is Way.FORWARD) == (end is Rounding.UP):
        return pair.of_whom(way, point, pair.top)
    return pair.of_whom(way, pair.bottom, point)


def _mirrored(pair: LossPair, values: _Spread, tail: arb) -> Masses:
    """Losses above 0 as of the pair, those below as of the reversed one, the rest at 0. So C_q is defined; where the
    reversed pair is the mirror image, it is the pair itself."""
    _, high = loss_range(pair, Way.FORWARD, values.h, Fraction(0), tail, values.tilt)
    middle, end = values.cells(Way.FORWARD, Fraction(0), 0, high := max(high, 1))
    if values.tilt.top is not None:
        infinite = values.top_cell(Fraction(0), end, high)
    else:
        infinite = values.units(pair.masses(end, pair.top)[0])
    low, _ = loss_range(pair, Way.REVERSED, values.h, Fraction(0), tail, values.tilt)
    low = min(low, -1)
    start, _ = values.cells(Way.REVERSED, Fraction(0), low, 0)
    values.add(low, pair.masses(start, pair.top)[1])
    mixed, base = pair.masses(middle, pair.top)
    values.add(0, 1 - mixed - base)
    return values.collect(Fraction(0), infinite)


def _anchor(part: Part, pair: LossPair, way: Way, fineness: int) -> Fraction:
    """A grid point next to the end of the loss's range, where for small q nearly all of the mass is."""
    if part.rate == 1 or part.down:  # the loss has no end there
        return Fraction(0)
    end = pair.rest.log()
    beyond = rounded(end, fineness + SLACK, Rounding.DOWN) - Fraction(2) ** (1 - SLACK - fineness)
    return way * beyond


def loss_range(
    pair: LossPair, way: Way, h: Fraction, anchor: Fraction, tail: arb, tilt: Tilt = FLAT
) -> tuple[int, int]:
    """First and last index of the grid anchor + ih that has all but the tails, and but what is above the top."""
    forward = way is Way.FORWARD
    tails = {False: tail if tilt.bottom is None else ball(tilt.bottom), True: tail}
    ends = [
        pair.ratio(pair.quantile(tails[above == forward], mixed=forward, above=above)).log() for above in (False, True)
    ]
    if not forward:
        ends = [-ends[1], -ends[0]]
    scale = 1 / ball(h)
    low = integer((ends[0] - ball(anchor)) * scale, Rounding.DOWN)
    high = integer((ends[1] - ball(anchor)) * scale, Rounding.UP)
    if tilt.top is not None:
        high = min(high, math.ceil((tilt.top - anchor) / h))
    return low, max(low + 1, high)


def spread_bulk(
    part: Part,
    way: Way,
    bits: int,
    tail: Fraction,
    tilt: Tilt,
    unit: Fraction,
    border: Fraction,
    fineness: int,
) -> Masses:
    """One step's losses of at most `border`, up or down, as a probability (see split)."""
    with precision(guard(part, fineness, bits)):
        pair = pair_of(part)
        values, h = _Spread(pair, fineness, bits, tilt, unit), unit * Fraction(2) ** -fineness
        point = pair.point(ball(border).exp())
        if part.mirrored:
            mixed, base = pair.masses(point, pair.top)
            values.scale /= 1 - mixed - base
            count = math.ceil(border / h)
            start, _ = values.cells(Way.FORWARD, Fraction(0), 0, count, end=border)
            first, second = pair.masses(start, pair.top)
            values.cells(Way.REVERSED, Fraction(0), -count, 0, start=-border)
            values.add(0, 1 - first - second)
            return values.collect(Fraction(0), 0)
        values.scale /= pair.of_whom(way, pair.bottom, point)
        anchor = _anchor(part, pair, way, fineness)
        low, high = loss_range(pair, way, h, anchor, ball(tail), tilt)
        if way is Way.FORWARD:
            high = math.ceil((border - anchor) / h)
            low = min(low, high - 1)
            start, _ = values.cells(way, anchor, low, high, end=border)
            values.add(low, pair.masses(pair.bottom, start)[0])
            return values.collect(anchor, 0)
        low = math.floor((-border - anchor) / h)
        high = max(high, low + 1)
        _, end = values.cells(way, anchor, low, high, start=-border)
        return values.collect(anchor, values.units(pair.masses(pair.bottom, end)[1]))


def spread_jumps(
    part: Part,
    way: Way,
    bits: int,
    tail: Fraction,
    tilt: Tilt,
    unit: Fraction,
    border: Fraction,
    fineness: int,
    shift: Fraction,
) -> Masses:
    """The larger ones, moved up by `shift`, and what the others have together at 0 (see split)."""
    with precision(guard(part, fineness, bits)):
        pair = pair_of(part)
        values, h = _Spread(pair, fineness, bits, tilt, unit), unit * Fraction(2) ** -fineness
        point, infinite = pair.point(ball(border).exp()), 0
        for one in BOTH if part.mirrored else (way,):
            low, high = loss_range(pair, one, h, -shift, ball(tail), tilt)
            if one is Way.FORWARD:
                low = math.floor((border + shift) / h)
                high = max(high, low + 1)
                _, end = values.cells(one, -shift, low, high, start=border)
                infinite = (
                    values.top_cell(-shift, end, high)
                    if tilt.top is not None
                    else values.units(pair.masses(end, pair.top)[0])
                )
            else:
                high = math.ceil((shift - border) / h)
                low = min(low, high - 1)
                start, _ = values.cells(one, -shift, low, high, end=-border)
                values.add(low, pair.masses(start, pair.top)[1])
        values.add(0, pair.neither(point) if part.mirrored else pair.of_whom(way, pair.bottom, point))
        return values.collect(Fraction(0), infinite)


class _Spread:
    """Collects integers by grid index."""

    def __init__(self, pair: LossPair, fineness: int, bits: int, tilt: Tilt, unit: Fraction):
        self.pair, self.fineness, self.bits, self.tilt, self.unit = pair, fineness, bits, tilt, unit
        self.h = unit * Fraction(2) ** -fineness
        self.scale = arb(2) ** bits
        self.widen: dict[int, arb] = {}
        self.masses: dict[int, int] = {}

    def units(self, mass: arb) -> int:
        return max(0, integer(mass * self.scale, Rounding.UP))

    def add(self, index: int, mass: arb) -> None:
        self.masses[index] = self.masses.get(index, 0) + self.units(mass)

    def cells(
        self,
        way: Way,
        anchor: Fraction,
        low: int,
        high: int,
        start: Fraction | None = None,
        end: Fraction | None = None,
    ) -> tuple[Boundary, Boundary]:
        """Spread the cells between the grid's indices low and high; their outermost boundaries.

        A cell may be 3, 9, … units long where that matters little. start, end: losses in the first and in the last
        cell, where these begin and end instead.
        """
        masses, i, length, forward = self.masses, low, 1, way is Way.FORWARD
        base, step = ball(anchor), ball(self.h)
        ratio, before = self._boundary(way, base + low * step)
        if start is not None:
            _, before = self._boundary(way, ball(start))
        first = before
        while i < high:
            length = min(length, high - i)
            following, point = self._boundary(way, base + (i + length) * step)
            if end is not None and i + length == high:
                _, point = self._boundary(way, ball(end))
            p, q = self.pair.masses(before, point) if forward else self.pair.masses(point, before)[::-1]
            whole = self.units(p)
            longest = self._longest(anchor, i, length, whole)
            if longest < length:
                length = max(1, min(length - 1, longest))
                continue
            up = min(whole, max(0, integer((p - q * ratio) * self._widen(length), Rounding.UP)))
            masses[i] = masses.get(i, 0) + whole - up
            i += length
            masses[i] = masses.get(i, 0) + up
            ratio, before = following, point
            length = min(longest, 3 * length)
        return first, before

    def top_cell(self, anchor: Fraction, last: Boundary, high: int) -> int:
        """All above the last cell, which ends at `last`, as one cell, of which the upper end is +∞; what goes there."""
        p, q = self.pair.masses(last, self.pair.top)
        whole = self.units(p)
        up = min(whole, max(0, integer((p - q * ball(anchor + high * self.h).exp()) * self.scale, Rounding.UP)))
        self.masses[high] = self.masses.get(high, 0) + whole - up
        return up

    def _boundary(self, way: Way, loss: arb) -> tuple[arb, Boundary]:
        ratio = loss.exp()
        return ratio, self.pair.point(ratio if way is Way.FORWARD else 1 / ratio)

    def _longest(self, anchor: Fraction, index: int, length: int, whole: int) -> int:
        x = float(anchor) + (index + length) * float(self.h)
        return self.tilt.longest(float(whole.bit_length() - self.bits - length.bit_length() + 1), x)

    def _widen(self, length: int) -> arb:
        """2^bits/(1 − e^{−length·h})."""
        if length not in self.widen:
            self.widen[length] = self.scale / (1 - ball(-length * self.h).exp())
        return self.widen[length]

    def collect(self, anchor: Fraction, infinite: int) -> Masses:
        return from_sparse(anchor, self.fineness, self.masses, infinite, self.bits, Rounding.UP, self.unit)
