"""Lower bounds: the mass of each cell is merged at the mean of e^{−x}, the cells being such that this is a grid point.

Any cells give a valid bound, since the test p ≥ p'e^x, made in balls, says where a cell's mass may go; so `ends`
decides in doubles where they end. With the grid point in the middle of the cell's masses the bias is O(T h²), as above.
"""

from __future__ import annotations

import math
from fractions import Fraction

from flint import arb

from accountant.core.arithmetic.balls import precision
from accountant.core.exact import Rounding
from accountant.mechanisms.pairs import BOTH, Way
from accountant.mechanisms.release import Part
from accountant.pld.ends import MAX_EMPTY_POINTS, CellEndSearch, choose_start, start_below
from accountant.pld.masses import Masses, from_sparse
from accountant.pld.mixture import pair_of
from accountant.pld.pair import Boundary, LossPair, ball, integer, rounded
from accountant.pld.spread import SLACK, guard
from accountant.pld.tilt import FLAT, Tilt

# Example values (a test computes them again):
# z = 1, q = 1/2, h = 1/2, at most 1/1000 below:
#   loss x   -0.6434  -0.1434   0.3566   0.8566   1.3566       ∞
#   mass p    0.0080   0.7872   0.0000   0.1603   0.0445  0.0000   Σ p·e^−x = 1.0033

ROUGH = 40  # bits of the masses where cells are chosen


def merge(
    part: Part, way: Way, fineness: int, bits: int, tail: Fraction, tilt: Tilt = FLAT, unit: Fraction = Fraction(1)
) -> Masses:
    """One step's masses from below, the loss of (mixture, normal) or, REVERSED, of (normal, mixture).

    `tilt` says where cells of several units will do. At most `tail` of the mass is dropped at the bottom; what lies
    beyond the top cell's beginning stays there.
    """
    h, ways = unit * Fraction(2) ** -fineness, BOTH if part.mirrored else (way,)
    with precision(guard(part, fineness, ROUGH)):
        search = CellEndSearch(pair_of(part), fineness, tilt, h)
        pair, above = search.pair, ball(tail)
        below = above if tilt.bottom is None else ball(tilt.bottom)
        lasts = [_last(pair, one, above, below, tilt) for one in ways]
        forward = way is Way.FORWARD
        least = pair.quantile(below if forward else above, mixed=forward, above=False)
        start, first = choose_start(search, part.mirrored, way, least)
        loss = first(start)
        ends = [search.until(one, start, loss, last) for one, last in zip(ways, lasts, strict=True)]
    with precision(guard(part, fineness, bits)):
        cells = _Cells(pair_of(part), fineness, bits, unit)
        for one, cell_ends in zip(ways, ends, strict=True):
            cells.fill(one, start, loss, cell_ends, topmost=one is Way.FORWARD and tilt.top is not None)
        begin = cells.pair.at(arb(start))
        if part.mirrored:  # the cell in the middle is alike under P and Q
            if not cells.pair.ratio(arb(start)) >= 1:
                raise ArithmeticError("the cell in the middle does not hold the loss 0")
            cells.add(0, cells.pair.neither(begin))
            return cells.collect(Fraction(0))
        cells.place(way, cells.pair.bottom, begin, ball(loss - h), 0)
        return cells.collect(way * (loss - h))


def merge_bulk(
    part: Part,
    way: Way,
    bits: int,
    tail: Fraction,
    tilt: Tilt,
    unit: Fraction,
    end: float,
    fineness: int,
) -> Masses:
    """One step's losses up to that at u = end, or as far below 0, as a probability (see split)."""
    h, ways = unit * Fraction(2) ** -fineness, BOTH if part.mirrored else (way,)
    with precision(guard(part, fineness, ROUGH)):
        search = CellEndSearch(pair_of(part), fineness, tilt, h)
        pair = search.pair
        forward = way is Way.FORWARD
        bottom = tail if tilt.bottom is None or not forward else tilt.bottom
        least = pair.quantile(ball(bottom), mixed=forward, above=False)
        start, first = choose_start(search, part.mirrored, way, least)
        start = min(start, end)
        loss = first(start)
        ends = [search.until(one, start, loss, end) for one in ways]
    with precision(guard(part, fineness, bits)):
        cells = _Cells(pair_of(part), fineness, bits, unit)
        pair = cells.pair
        begin, point = pair.at(arb(start)), pair.at(arb(end))
        cells.scale /= pair.neither(point) if part.mirrored else pair.of_whom(way, pair.bottom, point)
        for one, cell_ends in zip(ways, ends, strict=True):
            cells.fill(one, start, loss, cell_ends, end=point)
        if part.mirrored:
            if not pair.ratio(arb(start)) >= 1:
                raise ArithmeticError("the cell in the middle does not hold the loss 0")
            cells.add(0, pair.neither(begin))
            return cells.collect(Fraction(0))
        cells.place(way, pair.bottom, begin, ball(loss - h), 0)
        return cells.collect(way * (loss - h))


def merge_jumps(
    part: Part,
    way: Way,
    bits: int,
    tail: Fraction,
    tilt: Tilt,
    unit: Fraction,
    start: float,
    fineness: int,
    shift: Fraction,
) -> Masses:
    """The larger ones, moved up by `shift`, and what the others have together at 0 (see split)."""
    h, ways = unit * Fraction(2) ** -fineness, BOTH if part.mirrored else (way,)
    with precision(guard(part, fineness, ROUGH)):
        search, chains = CellEndSearch(pair_of(part), fineness, tilt, h), []
        pair = search.pair
        bottom = tail if tilt.bottom is None else tilt.bottom
        for one in ways:
            last = _last(pair, one, ball(tail), ball(bottom), tilt)
            border = rounded(pair.ratio(arb(start)).log(), fineness + SLACK, Rounding.UP)
            index = math.ceil((border + one * shift) / h + Fraction(1, 8))
            loss = index * h - one * shift
            chains.append((one, index, loss, search.until(one, start, loss, last)))
    with precision(guard(part, fineness, bits)):
        cells = _Cells(pair_of(part), fineness, bits, unit)
        pair, point = cells.pair, cells.pair.at(arb(start))
        for one, index, loss, cell_ends in chains:
            topmost = one is Way.FORWARD and tilt.top is not None
            cells.fill(one, start, loss, cell_ends, topmost=topmost, before=one * (index - 1))
        cells.add(0, pair.neither(point) if part.mirrored else pair.of_whom(way, pair.bottom, point))
        return cells.collect(Fraction(0))


def _last(pair: LossPair, way: Way, above: arb, below: arb, tilt: Tilt) -> float:
    """The u up to which cells go: where so much is left, or the top, above which one cell has all that there is."""
    forward = way is Way.FORWARD
    last = float(pair.quantile(above if forward else below, mixed=forward, above=True).mid())
    if forward and tilt.top is not None:
        last = min(last, float(pair.reached(ball(tilt.top).exp()).mid()))
    return last


def start_of_jumps(part: Part, way: Way, tilt: Tilt, unit: Fraction, border: Fraction, fineness: int) -> float:
    """The u next to where the loss is `border` from which the jumps' cells do not alternate."""
    h = unit * Fraction(2) ** -fineness
    with precision(guard(part, fineness, ROUGH) + 64):
        search = CellEndSearch(pair_of(part), fineness, tilt, h)
        loss = math.ceil(border / h + Fraction(1, 2)) * h
        return start_below(search, Way.FORWARD if part.mirrored else way, loss)


class _Cells:
    """Collects integers by grid index."""

    def __init__(self, pair: LossPair, fineness: int, bits: int, unit: Fraction):
        self.pair, self.fineness, self.bits, self.unit = pair, fineness, bits, unit
        self.h = unit * Fraction(2) ** -fineness
        self.scale = arb(2) ** bits
        self.step = ball(self.h)
        self.shrink = (-self.step).exp()
        self.masses: dict[int, int] = {}

    def add(self, index: int, mass: arb) -> None:
        self.masses[index] = self.masses.get(index, 0) + max(0, integer(mass * self.scale, Rounding.DOWN))

    def fill(
        self,
        way: Way,
        start: float,
        loss: Fraction,
        ends: list[tuple[int, float]],
        topmost: bool = False,
        end: Boundary | None = None,
        before: int = 0,
    ) -> None:
        """Cells from u = start to `end` (+∞), at the points loss, loss + h …, index 1, 2 …; REVERSED mirrors them.

        topmost: the last of them goes where its mean is, however far up. before: what is added to each index.
        """
        low, index, base = self.pair.at(arb(start)), 0, ball(loss)
        for index, high in ends:
            point = self.pair.at(arb(high))
            self.place(way, low, point, base + (index - 1) * self.step, index, before=before)
            low = point
        last = self.pair.top if end is None else end
        self.place(way, low, last, base + index * self.step, index + 1, anywhere=topmost, before=before)

    def place(
        self,
        way: Way,
        low: Boundary,
        high: Boundary,
        loss: arb,
        index: int,
        anywhere: bool = False,
        before: int = 0,
    ) -> None:
        """Put a cell's mass at `loss`, the grid's `index` (both negated for REVERSED) after `before`, or as many points
        further down as it takes; `anywhere`: or further up."""
        mixed, base = self.pair.masses(low, high)
        p, q = (mixed, base) if way is Way.FORWARD else (base, mixed)
        sign = int(way)
        ratio = (sign * loss).exp()
        for down in range(0 if anywhere else 3):
            if p >= q * ratio:
                self.add(before + sign * index - down, p)
                return
            ratio *= self.shrink
        if p > 0 and q > 0:
            steps = ((p / q).log() - sign * loss) / self.step
            down = integer(steps, Rounding.DOWN)
            if -down < MAX_EMPTY_POINTS + 4 * abs(index + before):  # else the mass is dropped: the grid is full
                self.add(before + sign * index + down, p)

    def collect(self, offset: Fraction) -> Masses:
        return from_sparse(offset, self.fineness, self.masses, 0, self.bits, Rounding.DOWN, self.unit)
