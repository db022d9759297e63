"""Upper bounds: the mass of each cell of the grid is spread to the cell's two ends (theory T19)."""

from __future__ import annotations

from fractions import Fraction

from flint import arb

from accountant.enclose import precision
from accountant.pld.masses import Masses, from_values
from accountant.pld.pair import Pair, Point, ball, integer, rounded
from accountant.pld.release import Part

SLACK = 40  # offsets are multiples of h·2^−SLACK


def guard(part: Part, fineness: int, bits: int) -> int:
    """The precision at which masses come out to about one unit of the scale; less would give wider bounds, no wrong
    ones."""
    small = part.rate if part.rate == 1 else min(part.rate, 1 - part.rate)
    lost = max(0, -_log2(small)) + max(0, -_log2(part.square))
    return bits + 2 * max(0, fineness) + lost + 16


def _log2(value: Fraction) -> int:
    return value.numerator.bit_length() - value.denominator.bit_length()


def spread(part: Part, sign: int, fineness: int, bits: int, tail: Fraction) -> Masses:
    """One step's masses from above, the loss of (mixture, normal) for sign +1, of (normal, mixture) for −1.

    A cell (x, x + h] with masses p, p' under P, Q gives v = (p − p'e^x)/(1 − e^{−h}) to x + h and p − v to x. At most
    `tail` of the mass lies below the grid and moves up to its first point, at most as much above and goes to +∞.
    """
    with precision(guard(part, fineness, bits)):
        pair, tail = Pair(part.square, part.rate), ball(tail)
        if part.symmetric:
            return _symmetric(pair, fineness, bits, tail)
        anchor = _anchor(part, pair, sign, fineness)
        low, high = loss_range(pair, sign, fineness, anchor, tail)
        values = _Spread(pair, fineness, bits)
        values.cells(sign, anchor, low, high)
        start, end = values.ends
        if sign > 0:
            below, above = pair.masses(pair.bottom, start)[0], pair.masses(end, pair.top)[0]
        else:
            below, above = pair.masses(start, pair.top)[1], pair.masses(pair.bottom, end)[1]
        values.add(low, below)
        infinite = values.units(above)
        return values.collect(anchor, infinite)


def _symmetric(pair: Pair, fineness: int, bits: int, tail: arb) -> Masses:
    """C_q: losses above 0 as of (mixture, normal), those below as of (normal, mixture), the rest at 0."""
    values = _Spread(pair, fineness, bits)
    _, high = loss_range(pair, 1, fineness, Fraction(0), tail)
    values.cells(1, Fraction(0), 0, max(high, 1))
    middle, end = values.ends
    infinite = values.units(pair.masses(end, pair.top)[0])
    low, _ = loss_range(pair, -1, fineness, Fraction(0), tail)
    low = min(low, -1)
    values.cells(-1, Fraction(0), low, 0)
    values.add(low, pair.masses(values.ends[0], pair.top)[1])
    mixed, base = pair.masses(middle, pair.top)
    values.add(0, 1 - mixed - base)
    return values.collect(Fraction(0), infinite)


def _anchor(part: Part, pair: Pair, sign: int, fineness: int) -> Fraction:
    """A grid point next to the end of the loss's range, where for small q nearly all of the mass is."""
    if part.rate == 1:
        return Fraction(0)
    end = pair.rest.log()
    beyond = rounded(end, fineness + SLACK, up=False) - Fraction(2) ** (1 - SLACK - fineness)
    return sign * beyond


def loss_range(pair: Pair, sign: int, fineness: int, anchor: Fraction, tail: arb, *, fine: int = 0) -> tuple[int, int]:
    """First and last index of the grid anchor + ih that has all but the tails; with `fine`, in units of h·2^−fine."""
    mixed = sign > 0
    ends = [pair.ratio(pair.quantile(tail, mixed=mixed, above=above)).log() for above in (False, True)]
    if sign < 0:
        ends = [-ends[1], -ends[0]]
    scale = arb(2) ** (fineness + fine)
    low = integer((ends[0] - ball(anchor)) * scale, up=False)
    return low, max(low + 1, integer((ends[1] - ball(anchor)) * scale, up=True))


class _Spread:
    """Collects integers by grid index."""

    def __init__(self, pair: Pair, fineness: int, bits: int):
        self.pair, self.fineness, self.bits = pair, fineness, bits
        self.h = Fraction(2) ** -fineness
        self.scale = arb(2) ** bits
        self.widen = self.scale / (1 - (-ball(self.h)).exp())
        self.masses: dict[int, int] = {}
        self.ends: tuple[Point, Point] = (pair.bottom, pair.top)

    def units(self, mass: arb) -> int:
        return max(0, integer(mass * self.scale, up=True))

    def add(self, index: int, mass: arb) -> None:
        self.masses[index] = self.masses.get(index, 0) + self.units(mass)

    def cells(self, sign: int, anchor: Fraction, low: int, high: int) -> None:
        """Spread the cells between the grid's indices low and high; `ends` become their outermost boundaries."""
        pair, masses = self.pair, self.masses
        ratio = ball(anchor + low * self.h).exp()
        grow = ball(self.h).exp()
        before = first = pair.point(ratio if sign > 0 else 1 / ratio)
        for i in range(low, high):
            if not i % 64:
                ratio = ball(anchor + i * self.h).exp()  # afresh, so that the balls stay small
            following = ratio * grow
            point = pair.point(following if sign > 0 else 1 / following)
            if sign > 0:
                p, q = pair.masses(before, point)
            else:
                q, p = pair.masses(point, before)
            whole = self.units(p)
            up = min(whole, max(0, integer((p - q * ratio) * self.widen, up=True)))
            masses[i] = masses.get(i, 0) + whole - up
            masses[i + 1] = masses.get(i + 1, 0) + up
            ratio, before = following, point
        self.ends = (first, before)

    def collect(self, anchor: Fraction, infinite: int) -> Masses:
        low, high = min(self.masses), max(self.masses)
        values = [self.masses.get(i, 0) for i in range(low, high + 1)]
        return from_values(anchor + low * self.h, self.fineness, values, infinite, self.bits, True)
