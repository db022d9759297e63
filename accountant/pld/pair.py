"""One pair (1−q)N(0,1) + qN(μ,1) against N(0,1): its privacy loss in balls.

With r(u) = 1 − q + q·e^{μu − μ²/2} the first is r times the second, and r grows with u. Every question about
the pair, or about the reversed one, becomes one about intervals of u.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, final

from flint import arb, fmpq

from accountant.core.exact import Rounding
from accountant.mechanisms.pairs import Way
from accountant.pld.normal import upper_tail


def ball(value: Fraction | int) -> arb:
    value = Fraction(value)
    return arb(fmpq(value.numerator, value.denominator))


def integer(x: arb, rounding: Rounding) -> int:
    """The whole number at or above (below) the whole ball."""
    whole = (x.upper().ceil() if rounding is Rounding.UP else x.lower().floor()).unique_fmpz()
    assert whole is not None  # for the ceiling or floor of an exact number
    return int(whole)


def rounded(x: arb, fineness: int, rounding: Rounding) -> Fraction:
    """A multiple of 2^−fineness at or above (below) the ball."""
    return Fraction(integer(x * arb(2) ** fineness, rounding), 1) / Fraction(2) ** fineness


@dataclass(frozen=True)
class Side:
    """How much of N(0,1) lies beyond a point, on the side where there is less: 1 − Φ(u) if `above`, else Φ(u)."""

    mass: arb
    above: bool


@dataclass(frozen=True)
class Boundary:
    """A boundary in u (None: −∞ or +∞) as each of a pair's normals sees it, from the lowest mean to the highest."""

    u: arb | None
    sides: tuple[Side, ...]


def side(u: arb) -> Side:
    return Side(upper_tail(u), True) if float(u.mid()) >= 0 else Side(upper_tail(-u), False)


def between(low: Side, high: Side) -> arb:
    """The mass of an interval, without cancellation of tails against 1."""
    if low.above:
        return low.mass - high.mass
    return 1 - high.mass - low.mass if high.above else high.mass - low.mass


class LossPair(ABC):
    """P and Q of one step, whose ratio r(u) = dP/dQ grows with u, so that a set of losses is an interval of u.

    Numbers of the working precision: make one inside `precision` and use it there.

    rest: below every ratio; bottom, top: u = −∞ and u = +∞.
    """

    base_is_normal: ClassVar[bool]  # whether Q is N(0,1)
    mu: arb
    rest: arb
    bottom: Boundary
    top: Boundary

    @abstractmethod
    def at(self, u: arb) -> Boundary:
        """The boundary at u."""

    @abstractmethod
    def masses(self, low: Boundary, high: Boundary) -> tuple[arb, arb]:
        """What P and what Q has between two boundaries."""

    @abstractmethod
    def ratio(self, u: arb) -> arb:
        """r(u)."""

    @abstractmethod
    def energy(self, u: arb) -> arb:
        """−log of Q's density, up to a constant."""

    @abstractmethod
    def inverse(self, ratio: arb, near: float = 0.0) -> arb | None:
        """The u with r(u) = ratio, the search for which a u `near` it may shorten; None for a ratio below every r."""

    @abstractmethod
    def quantile(self, tail: arb, *, mixed: bool, above: bool) -> arb:
        """A u beyond which there is at most `tail` of the mass, P's if `mixed`, else Q's; in quarters, so that every
        machine agrees."""

    def bulk(self) -> float:
        """How far apart the losses at u = 1 and −1 are: where most of the mass is. No bound."""
        return float((self.ratio(arb(1)) / self.ratio(arb(-1))).log().mid())

    def point(self, ratio: arb) -> Boundary:
        """The boundary where r = ratio."""
        u = self.inverse(ratio)
        return self.bottom if u is None else self.at(u)

    def reached(self, ratio: arb, near: float = 0.0) -> arb:
        """The u with r(u) = ratio, of a ratio that there is."""
        u = self.inverse(ratio, near)
        if u is None:
            raise ArithmeticError("a privacy loss below every other")
        return u

    def of_whom(self, way: Way, low: Boundary, high: Boundary) -> arb:
        """What the first of the pair, or of the reversed pair, has between two boundaries."""
        return self.masses(low, high)[0 if way is Way.FORWARD else 1]

    def neither(self, point: Boundary) -> arb:
        """1 less what P and what Q has above."""
        first, second = self.masses(point, self.top)
        return 1 - (first + second)


@final
class Pair(LossPair):
    """(1−q)N(0,1) + qN(μ,1) against N(0,1)."""

    base_is_normal = True

    def __init__(self, square: Fraction, rate: Fraction):
        self.mu = ball(square).sqrt()
        self.rate = ball(rate)
        self.rest = ball(1 - rate)
        self.half = self.mu / 2
        nothing, everything = Side(arb(0), False), Side(arb(0), True)
        self.bottom = Boundary(None, (nothing, nothing))
        self.top = Boundary(None, (everything, everything))

    def at(self, u: arb) -> Boundary:
        return Boundary(u, (side(u), side(u - self.mu)))

    def masses(self, low: Boundary, high: Boundary) -> tuple[arb, arb]:
        base, shifted = (between(a, b) for a, b in zip(low.sides, high.sides, strict=True))
        if self.rest.is_zero():
            return shifted, base
        return self.rest * base + self.rate * shifted, base

    def ratio(self, u: arb) -> arb:
        return self.rest + self.rate * (self.mu * (u - self.half)).exp()

    def energy(self, u: arb) -> arb:
        return u * u / 2

    def inverse(self, ratio: arb, near: float = 0.0) -> arb | None:
        excess = ratio - self.rest
        if excess > 0:
            return (excess / self.rate).log() / self.mu + self.half
        if excess <= 0:
            return None
        raise ArithmeticError("the precision does not tell a privacy loss from its infimum")

    def quantile(self, tail: arb, *, mixed: bool, above: bool) -> arb:
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
