"""Upper bounds: the mass of each cell of the grid is spread to the cell's two ends (theory T19)."""

from __future__ import annotations

import math
from fractions import Fraction

from flint import arb

from accountant.enclose import precision
from accountant.pld.masses import Masses, from_sparse
from accountant.pld.mixture import MixedPair, MixedPoint, pair_of
from accountant.pld.pair import Pair, Point, ball, integer, rounded
from accountant.pld.release import Part
from accountant.pld.tilt import FLAT, Tilt

SLACK = 40  # offsets are multiples of h·2^−SLACK


def guard(part: Part, fineness: int, bits: int) -> int:
    """The precision at which masses come out to about one unit of the scale; less would give wider bounds, no wrong
    ones."""
    small = part.rate if part.rate == 1 else min(part.rate, 1 - part.rate)
    lost = max(part.up, part.down) * max(0, -_log2(small)) + max(0, -_log2(part.square))
    return bits + 2 * max(0, fineness) + lost + 16


def _log2(value: Fraction) -> int:
    return value.numerator.bit_length() - value.denominator.bit_length()


def spread(
    part: Part, sign: int, fineness: int, bits: int, tail: Fraction, lean: Tilt = FLAT, unit: Fraction = Fraction(1)
) -> Masses:
    """One step's masses from above, the loss of (mixture, normal) for sign +1, of (normal, mixture) for −1.

    A cell (x, x + h] with masses p, p' under P, Q gives v = (p − p'e^x)/(1 − e^{−h}) to x + h and p − v to x; so do
    cells of several units, where `lean` says that little mass is. At most
    `tail` of the mass lies below the grid and moves up to its first point, at most as much above and goes to +∞.
    """
    with precision(guard(part, fineness, bits)):
        pair, tail = pair_of(part), ball(tail)
        values = _Spread(pair, fineness, bits, lean, unit)
        if part.symmetric:
            return _symmetric(pair, values, tail)
        anchor = _anchor(part, pair, sign, fineness)
        low, high = loss_range(pair, sign, values.h, anchor, tail, lean.top)
        values.cells(sign, anchor, low, high)
        start, end = values.ends
        values.add(low, pair.masses(pair.bottom, start)[0] if sign > 0 else pair.masses(start, pair.top)[1])
        if sign > 0 and lean.top is not None:
            return values.collect(anchor, values.top_cell(anchor, high))
        above = pair.masses(end, pair.top)[0] if sign > 0 else pair.masses(pair.bottom, end)[1]
        return values.collect(anchor, values.units(above))


def _symmetric(pair: Pair | MixedPair, values: _Spread, tail: arb) -> Masses:
    """C_q: losses above 0 as of (mixture, normal), those below as of (normal, mixture), the rest at 0."""
    _, high = loss_range(pair, 1, values.h, Fraction(0), tail, values.lean.top)
    values.cells(1, Fraction(0), 0, high := max(high, 1))
    middle, end = values.ends
    if values.lean.top is not None:
        infinite = values.top_cell(Fraction(0), high)
    else:
        infinite = values.units(pair.masses(end, pair.top)[0])
    low, _ = loss_range(pair, -1, values.h, Fraction(0), tail)
    low = min(low, -1)
    values.cells(-1, Fraction(0), low, 0)
    values.add(low, pair.masses(values.ends[0], pair.top)[1])
    mixed, base = pair.masses(middle, pair.top)
    values.add(0, 1 - mixed - base)
    return values.collect(Fraction(0), infinite)


def _anchor(part: Part, pair: Pair | MixedPair, sign: int, fineness: int) -> Fraction:
    """A grid point next to the end of the loss's range, where for small q nearly all of the mass is."""
    if part.rate == 1 or part.down:  # the loss has no end there
        return Fraction(0)
    end = pair.rest.log()
    beyond = rounded(end, fineness + SLACK, up=False) - Fraction(2) ** (1 - SLACK - fineness)
    return sign * beyond


def loss_range(
    pair: Pair | MixedPair, sign: int, h: Fraction, anchor: Fraction, tail: arb, top: Fraction | None = None
) -> tuple[int, int]:
    """First and last index of the grid anchor + ih that has all but the tails, and but what is above the top."""
    mixed = sign > 0
    ends = [pair.ratio(pair.quantile(tail, mixed=mixed, above=above)).log() for above in (False, True)]
    if sign < 0:
        ends = [-ends[1], -ends[0]]
    scale = 1 / ball(h)
    low = integer((ends[0] - ball(anchor)) * scale, up=False)
    high = integer((ends[1] - ball(anchor)) * scale, up=True)
    if top is not None:
        high = min(high, math.ceil((top - anchor) / h))
    return low, max(low + 1, high)


class _Spread:
    """Collects integers by grid index."""

    def __init__(self, pair: Pair | MixedPair, fineness: int, bits: int, lean: Tilt, unit: Fraction):
        self.pair, self.fineness, self.bits, self.lean, self.unit = pair, fineness, bits, lean, unit
        self.h = unit * Fraction(2) ** -fineness
        self.scale = arb(2) ** bits
        self.widen: dict[int, arb] = {}
        self.masses: dict[int, int] = {}
        self.ends: tuple[Point | MixedPoint, Point | MixedPoint] = (pair.bottom, pair.top)

    def units(self, mass: arb) -> int:
        return max(0, integer(mass * self.scale, up=True))

    def add(self, index: int, mass: arb) -> None:
        self.masses[index] = self.masses.get(index, 0) + self.units(mass)

    def cells(self, sign: int, anchor: Fraction, low: int, high: int) -> None:
        """Spread the cells between the grid's indices low and high; `ends` become their outermost boundaries.

        A cell may be 3, 9, … units long where that matters little.
        """
        masses, i, length = self.masses, low, 1
        base, step = ball(anchor), ball(self.h)
        ratio, before = self._boundary(sign, base + low * step)
        first = before
        while i < high:
            length = min(length, high - i)
            following, point = self._boundary(sign, base + (i + length) * step)
            p, q = self.pair.masses(before, point) if sign > 0 else self.pair.masses(point, before)[::-1]
            whole = self.units(p)
            longest = self._longest(anchor, i, length, whole)
            if longest < length:
                length = max(1, min(length - 1, longest))
                continue
            up = min(whole, max(0, integer((p - q * ratio) * self._widen(length), up=True)))
            masses[i] = masses.get(i, 0) + whole - up
            i += length
            masses[i] = masses.get(i, 0) + up
            ratio, before = following, point
            length = min(longest, 3 * length)
        self.ends = (first, before)

    def top_cell(self, anchor: Fraction, high: int) -> int:
        """All above the last cell as one cell, of which the upper end is +∞; what goes there."""
        p, q = self.pair.masses(self.ends[1], self.pair.top)
        whole = self.units(p)
        up = min(whole, max(0, integer((p - q * ball(anchor + high * self.h).exp()) * self.scale, up=True)))
        self.masses[high] = self.masses.get(high, 0) + whole - up
        return up

    def _boundary(self, sign: int, loss: arb) -> tuple[arb, Point | MixedPoint]:
        ratio = loss.exp()
        return ratio, self.pair.point(ratio if sign > 0 else 1 / ratio)

    def _longest(self, anchor: Fraction, index: int, length: int, whole: int) -> int:
        x = float(anchor) + (index + length) * float(self.h)
        return self.lean.longest(float(whole.bit_length() - self.bits - length.bit_length() + 1), x)

    def _widen(self, length: int) -> arb:
        """2^bits/(1 − e^{−length·h})."""
        if length not in self.widen:
            self.widen[length] = self.scale / (1 - ball(-length * self.h).exp())
        return self.widen[length]

    def collect(self, anchor: Fraction, infinite: int) -> Masses:
        return from_sparse(anchor, self.fineness, self.masses, infinite, self.bits, True, self.unit)
