"""Where a lower bound's cells end, in doubles: any choice is valid, a good one puts each cell's mean on its point."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction

from flint import arb

from accountant.core.exact import Rounding
from accountant.mechanisms.pairs import Way
from accountant.pld.pair import Boundary, LossPair, ball, rounded
from accountant.pld.spread import SLACK
from accountant.pld.tilt import Tilt

# Example values (a test computes them again):
# z = 1, q = 1/2, h = 1/4, from u = 0.5 on, where the loss is 0: cells, each with its mean at its point:
#   point         0.1250   0.3750   0.6250   0.8750   1.1250   1.3750   1.6250   1.8750
#   end in u      0.9814   1.3256   1.7130   1.9706   2.3511   2.5246   2.9806   2.9963
#   loss there    0.2694   0.4957   0.7802   0.9843   1.3038   1.4555   1.8678   1.8823

MAX_EMPTY_POINTS = 1 << 10  # points without a cell after which the search ends
_FILL = 4  # times the central two standard deviations
_NARROW = 0.25  # cells for which the series below is good to 1e-10
_LIFTS = 9  # a start is raised by at most so many sixteenths of a cell, less two
_LOOK = 40  # cells after which a start is checked for alternating widths
_TRIES, _CALM = 12, 2.0**-7
_AIM = 2.0**-25  # how far beyond the grid point a cell's mean is aimed, in cells
_SETTLED, _ITERATIONS = 2.0**-28, 12  # of a cell, when its end is found


def choose_start(
    search: CellEndSearch, mirrored: bool, way: Way, least: arb
) -> tuple[float, Callable[[float], Fraction]]:
    """Where the bottom cell ends, in u, and the loss of the cell after it as a function of that."""
    pair, h, fineness = search.pair, search.h, search.fineness

    def half_a_step(u: float) -> Fraction:
        return rounded(pair.ratio(arb(u)).log() + ball(h / 2), fineness + SLACK, Rounding.UP)

    def above_the_mean(u: float) -> Fraction:
        mixed, base = pair.masses(pair.bottom, pair.at(arb(u)))
        slack = h * way / 2**SLACK
        rounding = Rounding.DOWN if way is Way.FORWARD else Rounding.UP
        return rounded((mixed / base).log(), fineness + SLACK, rounding) - slack + h

    if mirrored:  # the cell in the middle has the mean 0, wherever it ends
        return start_below(search, Way.FORWARD, h), lambda u: h
    guess = _start(pair, h, least)
    first = half_a_step if guess is None else above_the_mean
    if guess is not None and (lifted := _lifted(search, guess, first)) is not guess:
        return float(lifted.mid()), first
    return search.find_stable_start(way, least if guess is None else guess, first), first


def start_below(search: CellEndSearch, way: Way, loss: Fraction) -> float:
    """The u from which cells begin, the first of them at `loss`."""
    h = search.h
    guess = search.pair.reached(ball(loss - h / 2).exp())
    if (lifted := _lifted(search, guess, lambda u: loss)) is not guess:
        return float(lifted.mid())
    return search.find_stable_start(way, guess, lambda u: loss, reach=3 * h / 8)


def _start(pair: LossPair, h: Fraction, least: arb) -> arb | None:
    """Where the bottom cell may end: the loss there is about h/2 above the cell's mean; None where the mass below
    `least` is negligible and the mean further away."""

    def far(u: arb) -> bool:
        mixed, base = pair.masses(pair.bottom, pair.at(u))
        return bool(pair.ratio(u) * base > mixed * half)

    half = ball(h / 2).exp()
    if far(least):
        return None
    low, high = least, least + 1
    while not far(high):
        high += 1
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if far(middle) else (middle, high)
    return arb(high.mid())


def _lifted(search: CellEndSearch, guess: arb, first: Callable[[float], Fraction]) -> arb:
    """The guess, or where hardly anything has a loss of h a start so much higher that the mean of what is above it
    comes to the first point; the guess again where none does."""
    pair, level, lifted = search.pair, search.pair.ratio(guess), guess
    for sixteenth in range(1, _LIFTS):
        start = float(lifted.mid())
        mixed, base = pair.masses(pair.at(arb(start)), pair.top)
        if not mixed < base * (ball(first(start)) + ball(search.h / 16)).exp():
            return lifted
        lifted = pair.reached(level * ball(search.h * Fraction(sixteenth, 16)).exp())
    return guess


class CellEndSearch:
    """The search for them, for one pair and one grid."""

    def __init__(self, pair: LossPair, fineness: int, tilt: Tilt, h: Fraction):
        self.pair, self.fineness, self.tilt, self.h = pair, fineness, tilt, h
        self.mu = float(pair.mu.mid())

    def until(self, way: Way, start: float, loss: Fraction, last: float) -> list[tuple[int, float]]:
        """(index, end) of the cells from u = start to `last`, for some of the points loss, loss + h …, index 1, 2 …"""
        ends = []
        for index, high in self._ends(way, start, loss, longest=self._filled()):
            if high >= last:
                break
            ends.append((index, high))
        return ends

    def find_stable_start(
        self, way: Way, guess: arb, first: Callable[[float], Fraction], reach: Fraction | None = None
    ) -> float:
        """A start near the guess (within `reach`, in loss) from which wide and narrow cells do not alternate: by false
        position."""
        level = self.pair.ratio(guess)
        tried: list[tuple[float, float]] = []  # (|alternation|, start)
        known: dict[bool, tuple[Fraction, float]] = {}  # alternation > 0 -> (offset in loss, alternation)
        offset = Fraction(0)
        for _ in range(_TRIES):
            u = self.pair.inverse(level * ball(offset).exp())
            if u is None:
                break
            start = float(u.mid())
            alternation = self._alternation(way, start, first(start))
            tried.append((abs(alternation), start))
            if abs(alternation) < _CALM:
                break
            known[alternation > 0] = offset, alternation
            if len(known) == 2:
                (x0, y0), (x1, y1) = known[False], known[True]
                offset = x0 + Fraction(round(y0 / (y0 - y1) * 2**20), 2**20) * (x1 - x0)
            else:
                offset -= self.h * Fraction(round(alternation * 2**20), 2**20)
            if reach is not None:
                offset = max(-reach, min(reach, offset))
        return min(tried)[1]

    def _alternation(self, way: Way, start: float, loss: Fraction) -> float:
        """By how much of h grid points miss the middles of cells some way from the start, of odd ones below and of even
        ones above, less what they all miss it by; ±1/2 where cells are left out."""
        low, before, missed = start, 0, []
        for index, high in self._ends(way, start, loss):
            if index != before + 1:
                return -0.5 if before % 2 else 0.5
            if index >= _LOOK:
                x = (ball(loss + (index - 1) * self.h) - self.pair.ratio(arb(low)).log()) / ball(self.h)
                missed.append(float(x.mid()) - 0.5)
                if len(missed) == 2:
                    return (missed[0] - missed[1]) / 2 if index % 2 else (missed[1] - missed[0]) / 2
            low, before = high, index
        return 1.0

    def _ends(self, way: Way, low: float, loss: Fraction, longest: int = 1) -> Iterator[tuple[int, float]]:
        """(index, upper end in u) of the cells, until one takes all of the rest.

        Where little mass is, cells are 3, 9, … units long, and their points as far apart as their middles.
        """
        index, length, following = 0, 1, 1  # of the cell before, its length, and the next one's
        yielded, base, step = 0, ball(loss), ball(self.h)
        x, h = float(loss), float(self.h)
        while True:
            while True:
                middle = index + (length + following) // 2
                ratio = (base + step * (middle - 1)).exp()
                target = float(self.pair.reached(ratio, low).mid())
                allowed = min(longest, self._longest(way, low, target, following, x + (middle - 1) * h))
                if following <= allowed or following == 1:
                    break
                following //= 3
            if middle - yielded > MAX_EMPTY_POINTS:  # the doubles cannot distinguish the points
                return
            if target > low:
                high = self._end(way, low, target, ratio)
                if high is None or not high > low:
                    return
                yield middle, high
                low, yielded = high, middle
            index, length = middle, following
            following = 3 * length if 3 * length <= allowed else min(length, allowed)

    def _filled(self) -> int:
        """So long may cells be that the bulk of a few steps' loss fills the gaps between their points, without which a
        coarsening would take every second point's mass down."""
        room, length = _FILL * self.pair.bulk() / float(self.h), 1
        while 3 * length <= room:
            length *= 3
        return length

    def _longest(self, way: Way, low: float, target: float, length: int, x: float) -> int:
        """How many units a cell around `target`, loss x, may have: the logarithm of the density is no more than a
        square."""
        wide = 2 * max(target - low, 2.0**-60)
        log_density = (x if way is Way.FORWARD else 0.0) - target * target / 2
        log2_mass = math.frexp(wide / length)[1] + log_density * 1.4427
        return self.tilt.longest(log2_mass, way * x)

    def _end(self, way: Way, low: float, target: float, ratio: arb) -> float | None:
        """The b for which [low, b] has mean ratio r(target) under N(0,1), in doubles; None where there is none.

        With c, w the cell's middle and width, V uniform on ±w/2: E e^{gV − V²/2} = Σ He_{2k}(g)(w/2)^{2k}/(2k+1)!, and
        c + log(E(g + μ)/E(g))/μ = target, g = −c. Sums and products alone: the same on every machine.
        """
        if not self.pair.base_is_normal:
            return self._end_in_balls(way, low, target, ratio)
        high = 2 * target - low
        aim = target + way * (high - low) * _AIM
        for _ in range(_ITERATIONS):
            width, middle = high - low, (high + low) / 2
            if width <= 0 or width * (abs(middle) + self.mu + 1) > _NARROW:
                return self._end_in_balls(way, low, target, ratio)
            up, down = _tilted(self.mu - middle, width), _tilted(-middle, width)
            s = (up - down) / (up + down)
            before, high = high, 2 * (aim - 2 * s * (1 + s * s / 3 + s * s * s * s / 5) / self.mu) - low
            if abs(high - before) <= _SETTLED * width:
                break
        return high

    def _end_in_balls(self, way: Way, low: float, target: float, ratio: arb) -> float | None:
        """The same for wide cells: the false position, with Illinois' halving."""
        pair, start, scale = self.pair, self.pair.at(arb(low)), 1 / ball(self.h)

        def excess(point: Boundary) -> float:
            """The mean's distance from where it is aimed, in h."""
            mixed, base = pair.masses(start, point)
            return float(((mixed / (base * ratio)).log() * scale).mid()) - way * _AIM

        if not excess(pair.top) > 0:
            return None
        a, b = target, 2 * target - low
        fa, fb = excess(pair.at(arb(a))), excess(pair.at(arb(b)))
        while fb < 0:
            a, fa, b = b, fb, 2 * b - low
            fb = excess(pair.at(arb(b)))
        for _ in range(40):
            if fb - fa <= 0:
                break
            c = b - fb * (b - a) / (fb - fa)
            if not a < c < b:
                c = (a + b) / 2
            fc = excess(pair.at(arb(c)))
            if abs(fc) < _AIM / 2:
                return c
            if fc > 0:
                b, fb, fa = c, fc, fa / 2
            else:
                a, fa, fb = c, fc, fb / 2
        return b if way is Way.FORWARD else a


def _tilted(g: float, width: float) -> float:
    """Σ_{k≤4} He_{2k}(g) (w/2)^{2k}/(2k+1)!."""
    g2, v = g * g, width * width / 4
    he4 = (g2 - 6) * g2 + 3
    he6 = ((g2 - 15) * g2 + 45) * g2 - 15
    he8 = (((g2 - 28) * g2 + 210) * g2 - 420) * g2 + 105
    return 1 + v * ((g2 - 1) / 6 + v * (he4 / 120 + v * (he6 / 5040 + v * he8 / 362880)))
