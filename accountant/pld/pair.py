"""One pair (1−q)N(0,1) + qN(μ,1) against N(0,1): its privacy loss in balls.

With r(u) = 1 − q + q·e^{μu − μ²/2} the first is r times the second, and r grows with u. Whatever is asked of the
pair, or of the reversed one, is asked of intervals of u.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from flint import arb, fmpq

from accountant.pld.normal import upper_tail


def ball(value: Fraction | int) -> arb:
    value = Fraction(value)
    return arb(fmpq(value.numerator, value.denominator))


def integer(x: arb, *, up: bool) -> int:
    """The whole number at or above (below) the whole ball."""
    return int((x.upper().ceil() if up else x.lower().floor()).unique_fmpz())


def rounded(x: arb, fineness: int, *, up: bool) -> Fraction:
    """A multiple of 2^−fineness at or above (below) the ball."""
    return Fraction(integer(x * arb(2) ** fineness, up=up), 1) / Fraction(2) ** fineness


@dataclass(frozen=True)
class Side:
    """How much of N(0,1) lies beyond a point, on the side where there is less: 1 − Φ(u) if `above`, else Φ(u)."""

    mass: arb
    above: bool


@dataclass(frozen=True)
class Point:
    """A boundary in u (None: −∞ or +∞) as N(0,1) and N(μ,1) see it."""

    u: arb | None
    base: Side
    shifted: Side


def side(u: arb) -> Side:
    return Side(upper_tail(u), True) if float(u.mid()) >= 0 else Side(upper_tail(-u), False)


def between(low: Side, high: Side) -> arb:
    """The mass of an interval, without cancellation of tails against 1."""
    if low.above:
        return low.mass - high.mass
    return 1 - high.mass - low.mass if high.above else high.mass - low.mass


class Pair:
    """Numbers of the working precision: make one inside `precision` and use it there."""

    def __init__(self, square: Fraction, rate: Fraction):
        self.mu = ball(square).sqrt()
        self.rate = ball(rate)
        self.rest = ball(1 - rate)
        self.half = self.mu / 2
        nothing, everything = Side(arb(0), False), Side(arb(0), True)
        self.bottom = Point(None, nothing, nothing)
        self.top = Point(None, everything, everything)

    def at(self, u: arb) -> Point:
        return Point(u, side(u), side(u - self.mu))

    def masses(self, low: Point, high: Point) -> tuple[arb, arb]:
        """What the mixture and what N(0,1) has between two boundaries."""
        base = between(low.base, high.base)
        if self.rest.is_zero():
            return between(low.shifted, high.shifted), base
        return self.rest * base + self.rate * between(low.shifted, high.shifted), base

    def ratio(self, u: arb) -> arb:
        return self.rest + self.rate * (self.mu * (u - self.half)).exp()

    def bulk(self) -> float:
        """How far apart the losses at u = 1 and −1 are: where most of the mass is. No bound."""
        return float((self.ratio(arb(1)) / self.ratio(arb(-1))).log().mid())

    def inverse(self, ratio: arb) -> arb | None:
        """The u with r(u) = ratio; None for a ratio of 1 − q or less, below every r."""
        excess = ratio - self.rest
        if excess > 0:
            return (excess / self.rate).log() / self.mu + self.half
        if excess <= 0:
            return None
        raise ArithmeticError("the precision does not tell a privacy loss from its infimum")

    def point(self, ratio: arb) -> Point:
        """The boundary where r = ratio."""
        u = self.inverse(ratio)
        return self.bottom if u is None else self.at(u)

    def quantile(self, tail: arb, *, mixed: bool, above: bool) -> arb:
        """A u beyond which there is at most `tail` of the mass, in quarters, so that every machine agrees."""
        shift = int(float(self.mu.upper()) * 4) + 1 if mixed and above else 0
        low, high = -40 * 4, 40 * 4 + shift  # searched by bisection: within it the mass is monotone
        if not above:
            low, high = -high, -low
        while high - low > 1:
            middle = (low + high) // 2
            here = self._tail(arb(middle) / 4, mixed, above)
            if (here <= tail) == above:
                high = middle
            else:
                low = middle
        return arb(high if above else low) / 4

    def _tail(self, u: arb, mixed: bool, above: bool) -> arb:
        sign = 1 if above else -1
        root = arb(2).sqrt()
        base = (sign * u / root).erfc() / 2
        return self.rest * base + self.rate * ((sign * (u - self.mu)) / root).erfc() / 2 if mixed else base
