"""Lower bounds: the mass of each cell is merged at the mean of e^{−x}, the cells being such that this is a grid point.

Any cells give a valid bound, since the test p ≥ p'e^x, made in balls, says where a cell's mass may go; so `ends`
decides in doubles where they end. With the grid point in the middle of the cell's masses the bias is O(T h²), as above.
"""

from __future__ import annotations

import math
from fractions import Fraction

from flint import arb

from accountant.core.enclose import precision
from accountant.mechanisms.release import Part
from accountant.pld.ends import FARTHEST, Ends, choose_start, start_below
from accountant.pld.masses import Masses, from_sparse
from accountant.pld.mixture import MixedPair, MixedPoint, pair_of
from accountant.pld.pair import Pair, Point, ball, integer, rounded
from accountant.pld.spread import SLACK, guard
from accountant.pld.tilt import FLAT, Tilt

ROUGH = 40  # bits of the masses where cells are chosen


def merge(
    part: Part, sign: int, fineness: int, bits: int, tail: Fraction, lean: Tilt = FLAT, unit: Fraction = Fraction(1)
) -> Masses:
    """One step's masses from below, the loss of (mixture, normal) for sign +1, of (normal, mixture) for −1.

    `lean` says where cells of several units will do. At most `tail` of the mass is dropped at the bottom; what lies
    beyond the top cell's beginning stays there.
    """
    h, signs = unit * Fraction(2) ** -fineness, (1, -1) if part.mirrored else (sign,)
    with precision(guard(part, fineness, ROUGH)):
        search = Ends(pair_of(part), fineness, lean, h)
        pair, tail = search.pair, ball(tail)
        bottom = tail if lean.bottom is None else ball(lean.bottom)
        lasts = [float(pair.quantile(tail if way > 0 else bottom, mixed=way > 0, above=True).mid()) for way in signs]
        if lean.top is not None and signs[0] > 0:  # the last cell has all that is above
            lasts[0] = min(lasts[0], float(pair.inverse(ball(lean.top).exp()).mid()))
        least = pair.quantile(bottom if sign > 0 else tail, mixed=sign > 0, above=False)
        start, first = choose_start(search, part.mirrored, sign, least)
        loss = first(start)
        ends = [search.until(way, start, loss, last) for way, last in zip(signs, lasts, strict=True)]
    with precision(guard(part, fineness, bits)):
        cells = _Cells(pair_of(part), fineness, bits, unit)
        for way, found in zip(signs, ends, strict=True):
            cells.fill(way, start, loss, found, topmost=way > 0 and lean.top is not None)
        begin = cells.pair.at(arb(start))
        if part.mirrored:  # the cell in the middle is alike under P and Q
            if not cells.pair.ratio(arb(start)) >= 1:
                raise ArithmeticError("the cell in the middle does not hold the loss 0")
            cells.add(0, 1 - sum(cells.pair.masses(begin, cells.pair.top)))
            return cells.collect(Fraction(0))
        cells.place(sign, cells.pair.bottom, begin, ball(loss - h), 0)
        return cells.collect(sign * (loss - h))


def merge_bulk(
    part: Part,
    sign: int,
    bits: int,
    tail: Fraction,
    lean: Tilt,
    unit: Fraction,
    end: float,
    fineness: int,
) -> Masses:
    """One step's losses up to that at u = end, or as far below 0, as a probability (see split)."""
    h, signs = unit * Fraction(2) ** -fineness, (1, -1) if part.mirrored else (sign,)
    with precision(guard(part, fineness, ROUGH)):
        search = Ends(pair_of(part), fineness, lean, h)
        pair = search.pair
        bottom = tail if lean.bottom is None or sign < 0 else lean.bottom
        least = pair.quantile(ball(bottom), mixed=sign > 0, above=False)
        start, first = choose_start(search, part.mirrored, sign, least)
        start = min(start, end)
        loss = first(start)
        ends = [search.until(way, start, loss, end) for way in signs]
    with precision(guard(part, fineness, bits)):
        cells = _Cells(pair_of(part), fineness, bits, unit)
        pair = cells.pair
        begin, point = pair.at(arb(start)), pair.at(arb(end))
        if part.mirrored:
            cells.scale /= 1 - sum(pair.masses(point, pair.top))
        else:
            cells.scale /= pair.masses(pair.bottom, point)[0 if sign > 0 else 1]
        for way, found in zip(signs, ends, strict=True):
            cells.fill(way, start, loss, found, end=point)
        if part.mirrored:
            if not pair.ratio(arb(start)) >= 1:
                raise ArithmeticError("the cell in the middle does not hold the loss 0")
            cells.add(0, 1 - sum(pair.masses(begin, pair.top)))
            return cells.collect(Fraction(0))
        cells.place(sign, pair.bottom, begin, ball(loss - h), 0)
        return cells.collect(sign * (loss - h))


def merge_jumps(
    part: Part,
    sign: int,
    bits: int,
    tail: Fraction,
    lean: Tilt,
    unit: Fraction,
    start: float,
    fineness: int,
    shift: Fraction,
) -> Masses:
    """The larger ones, moved up by `shift`, and what the others have together at 0 (see split)."""
    h, signs = unit * Fraction(2) ** -fineness, (1, -1) if part.mirrored else (sign,)
    with precision(guard(part, fineness, ROUGH)):
        search, chains = Ends(pair_of(part), fineness, lean, h), []
        pair = search.pair
        bottom = tail if lean.bottom is None else lean.bottom
        for way in signs:
            last = float(pair.quantile(ball(tail if way > 0 else bottom), mixed=way > 0, above=True).mid())
            if way > 0 and lean.top is not None:
                last = min(last, float(pair.inverse(ball(lean.top).exp()).mid()))
            border = rounded(pair.ratio(arb(start)).log(), fineness + SLACK, up=True)
            index = math.ceil((border + way * shift) / h + Fraction(1, 8))
            loss = index * h - way * shift
            chains.append((way, index, loss, search.until(way, start, loss, last)))
    with precision(guard(part, fineness, bits)):
        cells = _Cells(pair_of(part), fineness, bits, unit)
        pair, point = cells.pair, cells.pair.at(arb(start))
        for way, index, loss, found in chains:
            cells.before = way * (index - 1)
            cells.fill(way, start, loss, found, topmost=way > 0 and lean.top is not None)
        cells.before = 0
        if part.mirrored:
            cells.add(0, 1 - sum(pair.masses(point, pair.top)))
        else:
            cells.add(0, pair.masses(pair.bottom, point)[0 if sign > 0 else 1])
        return cells.collect(Fraction(0))


def start_of_jumps(part: Part, sign: int, lean: Tilt, unit: Fraction, border: Fraction, fineness: int) -> float:
    """The u next to where the loss is `border` from which the jumps' cells do not alternate."""
    h = unit * Fraction(2) ** -fineness
    with precision(guard(part, fineness, ROUGH) + 64):
        search = Ends(pair_of(part), fineness, lean, h)
        loss = math.ceil(border / h + Fraction(1, 2)) * h
        return start_below(search, 1 if part.mirrored else sign, loss)


class _Cells:
    """Collects integers by grid index; `before` is added to each."""

    def __init__(self, pair: Pair | MixedPair, fineness: int, bits: int, unit: Fraction):
        self.pair, self.fineness, self.bits, self.unit = pair, fineness, bits, unit
        self.h = unit * Fraction(2) ** -fineness
        self.scale = arb(2) ** bits
        self.step = ball(self.h)
        self.shrink = (-self.step).exp()
        self.masses: dict[int, int] = {}
        self.before = 0

    def add(self, index: int, mass: arb) -> None:
        index += self.before
        self.masses[index] = self.masses.get(index, 0) + max(0, integer(mass * self.scale, up=False))

    def fill(
        self,
        sign: int,
        start: float,
        loss: Fraction,
        ends: list[tuple[int, float]],
        topmost: bool = False,
        end: Point | MixedPoint | None = None,
    ) -> None:
        """Cells from u = start to `end` (+∞), at the points loss, loss + h …, index 1, 2 …, of sign +1; mirrored for
        −1.

        topmost: the last of them goes where its mean is, however far up.
        """
        before, index, base = self.pair.at(arb(start)), 0, ball(loss)
        for index, high in ends:
            point = self.pair.at(arb(high))
            self.place(sign, before, point, base + (index - 1) * self.step, index)
            before = point
        last = self.pair.top if end is None else end
        self.place(sign, before, last, base + index * self.step, index + 1, anywhere=topmost)

    def place(
        self,
        sign: int,
        low: Point | MixedPoint,
        high: Point | MixedPoint,
        loss: arb,
        index: int,
        anywhere: bool = False,
    ) -> None:
        """Put a cell's mass at `loss`, the grid's `index` (both for sign +1; −loss, −index for −1), or as many points
        further down as it takes; `anywhere`: or further up."""
        mixed, base = self.pair.masses(low, high)
        p, q = (mixed, base) if sign > 0 else (base, mixed)
        ratio = (sign * loss).exp()
        for down in range(0 if anywhere else 3):
            if p >= q * ratio:
                self.add(sign * index - down, p)
                return
            ratio *= self.shrink
        if p > 0 and q > 0:
            steps = ((p / q).log() - sign * loss) / self.step
            down = integer(steps, up=False)
            if -down < FARTHEST + 4 * abs(index + self.before):  # or else it is dropped: the grid would become too long
                self.add(sign * index + down, p)

    def collect(self, offset: Fraction) -> Masses:
        return from_sparse(offset, self.fineness, self.masses, 0, self.bits, False, self.unit)
