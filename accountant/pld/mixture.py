"""One pair of binomial mixtures of normals, Σ_j Bin(up,q;j)N(jμ,1) against Σ_j Bin(down,q;j)N(−jμ,1): theory T17r, T27.

Its ratio r(u) grows with u, for the first density over φ(u) is a sum of growing exponentials and the second a sum of
falling ones. So whatever is asked of it is asked of intervals of u, as of `pair.Pair`, which is the case (1, 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from flint import arb, ctx

from accountant.pld.pair import Pair, Side, ball, between, side
from accountant.pld.release import Part

_SEARCHED = 200  # halvings of an interval of u, in doubles
_POLISHED = 12  # Newton steps in balls
_WIDENED = 40  # times that the interval of the last step is doubled before it counts as too wide


@dataclass(frozen=True)
class MixedPoint:
    """A boundary in u (None: −∞ or +∞) as each of the normals sees it, from N(−down·μ, 1) to N(up·μ, 1)."""

    u: arb | None
    sides: tuple[Side, ...]


class MixedPair:
    """Numbers of the working precision: make one inside `precision` and use it there. Has what `Pair` has."""

    def __init__(self, square: Fraction, rate: Fraction, up: int, down: int):
        self.mu = ball(square).sqrt()
        self.up, self.down = up, down
        self.rest = ball((1 - rate) ** up if not down else Fraction(0))  # below every ratio
        weights = {n: [math.comb(n, j) * rate**j * (1 - rate) ** (n - j) for j in range(n + 1)] for n in (up, down)}
        self._first = [ball(w) for w in weights[up]]
        self._second = [ball(w) for w in weights[down]]
        # coefficients of x^j and x^−j, x = e^{μu}, in the densities over φ(u)
        shrunk = [(-(self.mu**2) * j * j / 2).exp() for j in range(max(up, down) + 1)]
        self._rising = [w * s for w, s in zip(self._first, shrunk, strict=False)]
        self._falling = [w * s for w, s in zip(self._second, shrunk, strict=False)]
        self._doubles = float(self.mu.mid()), [float(c.mid()) for c in self._first], [float(c) for c in self._second]
        ends = [tuple(Side(arb(mass), False) for _ in range(up + down + 1)) for mass in (0, 1)]
        self.bottom, self.top = MixedPoint(None, ends[0]), MixedPoint(None, _everything(ends[1]))

    def at(self, u: arb) -> MixedPoint:
        return MixedPoint(u, tuple(side(u - j * self.mu) for j in range(-self.down, self.up + 1)))

    def masses(self, low: MixedPoint, high: MixedPoint) -> tuple[arb, arb]:
        """What the first and what the second has between two boundaries."""
        each = [between(a, b) for a, b in zip(low.sides, high.sides, strict=True)]
        first = sum((w * m for w, m in zip(self._first, each[self.down :], strict=True)), arb(0))
        second = sum((w * m for w, m in zip(self._second, each[self.down :: -1], strict=True)), arb(0))
        return first, second

    def ratio(self, u: arb) -> arb:
        x = (self.mu * u).exp()
        return _polynomial(self._rising, x) / _polynomial(self._falling, 1 / x)

    def base_density(self, u: arb) -> arb:
        """The second's density over that of N(0, 1)."""
        return _polynomial(self._falling, (-self.mu * u).exp())

    def _slope(self, u: arb) -> arb:
        """Of log r: μ times the sum of the mean index in either mixture."""
        x = (self.mu * u).exp()
        return self.mu * (_mean_index(self._rising, x) + _mean_index(self._falling, 1 / x))

    def bulk(self) -> float:
        """How far apart the losses at u = 1 and −1 are: where most of the mass is. No bound."""
        return float((self.ratio(arb(1)) / self.ratio(arb(-1))).log().mid())

    def inverse(self, ratio: arb) -> arb | None:
        """The u with r(u) = ratio, enclosed by the interval Newton method; None for a ratio below every r."""
        if not self.down:
            if ratio <= self.rest:
                return None
            if not ratio > self.rest:
                raise ArithmeticError("the precision does not tell a privacy loss from its infimum")
        wanted = ratio.log()
        u = arb(self._guess(float(wanted.mid())))
        slope = self._slope(u)
        for _ in range(_POLISHED):
            step = ((self.ratio(u).log() - wanted) / slope).mid()
            u = (u - step).mid()
            slope = self._slope(u)
            if abs(float(step)) <= abs(float(u)) * 2.0 ** (-ctx.prec // 2) + 2.0 ** (-ctx.prec // 2):
                break
        off = self.ratio(u).log() - wanted
        reach = abs(2 * off / slope).upper() + arb(2) ** (-ctx.prec)
        for _ in range(_WIDENED):
            around = arb(u.mid(), reach)
            slope = self._slope(around)
            if slope > 0:
                found = u - off / slope
                if abs(found - u).upper() <= reach:
                    return found
            reach *= 2
        raise ArithmeticError("the precision does not enclose where a privacy loss lies")

    def _guess(self, wanted: float) -> float:
        """About the u with that log ratio, by bisection in doubles; any value would do, a good one saves steps."""
        mu, first, second = self._doubles

        def loss(u: float) -> float:
            return _log_sum(first, mu * u, mu) - _log_sum(second, -mu * u, mu)

        low, high = -1.0, 1.0
        while loss(low) > wanted and low > -1e18:
            low *= 2
        while loss(high) < wanted and high < 1e18:
            high *= 2
        for _ in range(_SEARCHED):
            middle = (low + high) / 2
            if not low < middle < high:
                break
            low, high = (middle, high) if loss(middle) < wanted else (low, middle)
        return (low + high) / 2

    def point(self, ratio: arb) -> MixedPoint:
        """The boundary where r = ratio."""
        u = self.inverse(ratio)
        return self.bottom if u is None else self.at(u)

    def quantile(self, tail: arb, *, mixed: bool, above: bool) -> arb:
        """A u beyond which there is at most `tail` of the mass, in quarters, so that every machine agrees."""
        count = (self.up if above else 0) if mixed else (0 if above else self.down)
        shift = int(float(self.mu.upper()) * 4) * count + count
        low, high = (-40 * 4, 40 * 4 + shift) if above else (-40 * 4 - shift, 40 * 4)
        while high - low > 1:
            middle = (low + high) // 2
            if (self._tail(arb(middle) / 4, mixed, above) <= tail) == above:
                high = middle
            else:
                low = middle
        return arb(high if above else low) / 4

    def _tail(self, u: arb, mixed: bool, above: bool) -> arb:
        sign, root = (1 if above else -1), arb(2).sqrt()
        weights, way = (self._first, 1) if mixed else (self._second, -1)
        tails = (w * (sign * (u - way * j * self.mu) / root).erfc() / 2 for j, w in enumerate(weights))
        return sum(tails, arb(0))


def pair_of(part: Part) -> Pair | MixedPair:
    """The pair of one step, at the working precision."""
    if part.rate == 1 or (part.up, part.down) == (1, 0):
        return Pair(part.square, part.rate)
    return MixedPair(part.square, part.rate, part.up, part.down)


def _everything(sides: tuple[Side, ...]) -> tuple[Side, ...]:
    """Below +∞ lies all the mass: nothing above."""
    return tuple(Side(arb(0), True) for _ in sides)


def _polynomial(coefficients: list[arb], x: arb) -> arb:
    total = arb(0)
    for c in reversed(coefficients):
        total = total * x + c
    return total


def _mean_index(coefficients: list[arb], x: arb) -> arb:
    weighted = [j * c for j, c in enumerate(coefficients)]
    return _polynomial(weighted, x) / _polynomial(coefficients, x)


def _log_sum(weights: list[float], exponent: float, mu: float) -> float:
    """log Σ w_j e^{j·exponent − j²μ²/2}, in doubles."""
    terms = [math.log(w) + j * exponent - j * j * mu * mu / 2 for j, w in enumerate(weights) if w > 0]
    peak = max(terms)
    return peak + math.log(sum(math.exp(t - peak) for t in terms))
