"""Lower bounds: the mass of each cell is merged at the mean of e^{−x}, the cells being such that this is a grid point.

Any cells give a valid bound, since the test p ≥ p'e^x, made in balls, says where a cell's mass may go; so `ends`
decides in doubles where they end. With the grid point in the middle of the cell's masses the bias is O(T h²), as above.
"""

from __future__ import annotations

from fractions import Fraction

from flint import arb

from accountant.enclose import precision
from accountant.pld.ends import FARTHEST, Ends, choose_start
from accountant.pld.masses import Masses, from_sparse
from accountant.pld.mixture import MixedPair, MixedPoint, pair_of
from accountant.pld.pair import Pair, Point, ball, integer
from accountant.pld.release import Part
from accountant.pld.spread import guard
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
        lasts = [float(pair.quantile(tail, mixed=way > 0, above=True).mid()) for way in signs]
        if lean.top is not None and signs[0] > 0:  # the last cell has all that is above
            lasts[0] = min(lasts[0], float(pair.inverse(ball(lean.top).exp()).mid()))
        least = pair.quantile(tail, mixed=sign > 0, above=False)
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


class _Cells:
    """Collects integers by grid index."""

    def __init__(self, pair: Pair | MixedPair, fineness: int, bits: int, unit: Fraction):
        self.pair, self.fineness, self.bits, self.unit = pair, fineness, bits, unit
        self.h = unit * Fraction(2) ** -fineness
        self.scale = arb(2) ** bits
        self.step = ball(self.h)
        self.shrink = (-self.step).exp()
        self.masses: dict[int, int] = {}

    def add(self, index: int, mass: arb) -> None:
        self.masses[index] = self.masses.get(index, 0) + max(0, integer(mass * self.scale, up=False))

    def fill(
        self, sign: int, start: float, loss: Fraction, ends: list[tuple[int, float]], topmost: bool = False
    ) -> None:
        """Cells from u = start to +∞, at the points loss, loss + h …, index 1, 2 …, of sign +1; mirrored for −1.

        topmost: the last of them goes where its mean is, however far up.
        """
        before, index, base = self.pair.at(arb(start)), 0, ball(loss)
        for index, high in ends:
            point = self.pair.at(arb(high))
            self.place(sign, before, point, base + (index - 1) * self.step, index)
            before = point
        self.place(sign, before, self.pair.top, base + index * self.step, index + 1, anywhere=topmost)

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
            if -down < FARTHEST + 4 * abs(index):  # or else it is dropped: the grid would become too long
                self.add(sign * index + down, p)

    def collect(self, offset: Fraction) -> Masses:
        return from_sparse(offset, self.fineness, self.masses, 0, self.bits, False, self.unit)
