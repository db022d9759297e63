"""One pair of mixtures of normals, Σ_j p_j·N(jμ,1) against Σ_j q_j·N(−jμ,1); binomial ones for `Coins`.

Source: docs/theory.md T17r, T27.

Its ratio r(u) grows with u, for the first density over φ(u) is a sum of growing exponentials and the second a sum of
falling ones. So every question about losses becomes one about intervals of u, as for `pair.Pair`, the case (1, 0).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import final

from flint import arb, ctx

from accountant.mechanisms.pairs import Coins, Symmetrised
from accountant.mechanisms.release import Part
from accountant.pld.pair import Boundary, LossPair, Pair, Side, ball, between, side

_SEARCHED = 200  # halvings of an interval of u, in doubles
_POLISHED = 12  # Newton steps in balls
_WIDENED = 40  # times that the interval of the last step is doubled before it counts as too wide


@final
class MixedPair(LossPair):
    """The pair of any positive weights p_0 … p_up and q_0 … q_down; a Boundary of it has a side for each normal, from
    N(−down·μ, 1) to N(up·μ, 1)."""

    base_is_normal = False

    def __init__(self, square: Fraction, first: Sequence[Fraction], second: Sequence[Fraction]):
        self.mu = ball(square).sqrt()
        self.up, self.down = up, down = len(first) - 1, len(second) - 1
        self.rest = ball(first[0] if not down else Fraction(0))  # below every ratio
        self._first, self._second = [ball(w) for w in first], [ball(w) for w in second]
        self._alike = tuple(first) == tuple(second)
        # coefficients of x^j and x^−j, x = e^{μu}, in the densities over φ(u)
        shrunk = [(-(self.mu**2) * j * j / 2).exp() for j in range(max(up, down) + 1)]
        self._rising = [w * s for w, s in zip(self._first, shrunk, strict=False)]
        self._falling = [w * s for w, s in zip(self._second, shrunk, strict=False)]
        self._logs = tuple(
            [(j, float(c.log().mid())) for j, c in enumerate(part) if j] for part in (self._rising, self._falling)
        )
        ends = [tuple(Side(arb(mass), False) for _ in range(up + down + 1)) for mass in (0, 1)]
        self.bottom, self.top = Boundary(None, ends[0]), Boundary(None, _everything(ends[1]))

    def at(self, u: arb) -> Boundary:
        return Boundary(u, tuple(side(u - j * self.mu) for j in range(-self.down, self.up + 1)))

    def masses(self, low: Boundary, high: Boundary) -> tuple[arb, arb]:
        each = [between(a, b) for a, b in zip(low.sides, high.sides, strict=True)]
        first = sum((w * m for w, m in zip(self._first, each[self.down :], strict=True)), arb(0))
        second = sum((w * m for w, m in zip(self._second, each[self.down :: -1], strict=True)), arb(0))
        return first, second

    def ratio(self, u: arb) -> arb:
        x = (self.mu * u).exp()
        return _polynomial(self._rising, x) / _polynomial(self._falling, 1 / x)

    def energy(self, u: arb) -> arb:
        return u * u / 2 - _polynomial(self._falling, (-self.mu * u).exp()).log()

    def inverse(self, ratio: arb, near: float = 0.0) -> arb | None:
        """Enclosed by the interval Newton method."""
        if not self.down:
            if ratio <= self.rest:
                return None
            if not ratio > self.rest:
                raise ArithmeticError("the precision does not tell a privacy loss from its infimum")
        first, second = self._first[0], self._second[0]
        gap = second * (ratio - 1) if self._alike else second * ratio - first
        if self._alike and self.up == 1 and (root := self._root(ratio, gap)) is not None:
            return root
        u = arb(self._guess(ratio, gap, near))
        off, slope = self._excess(u, ratio, gap)
        for _ in range(_POLISHED):
            step = (off / slope).mid()
            u = (u - step).mid()
            off, slope = self._excess(u, ratio, gap)
            if abs(float(step)) <= abs(float(u)) * 2.0 ** (-ctx.prec // 2) + 2.0 ** (-ctx.prec // 2):
                break
        reach = abs(2 * off / slope).upper() + arb(2) ** (-ctx.prec)
        for _ in range(_WIDENED):
            around = arb(u.mid(), reach)
            slope = self._excess(around, ratio, gap)[1]
            if slope > 0:
                following = u - off / slope
                if abs(following - u).upper() <= reach:
                    return following
            reach *= 2
        raise ArithmeticError("the precision does not enclose where a privacy loss lies")

    def _root(self, ratio: arb, gap: arb) -> arb | None:
        """The same for two normals each, of equal weights, where c·x² − gap·x − c·ratio = 0; None if the precision is
        too low."""
        c = self._rising[1]
        root = (gap**2 + 4 * c * c * ratio).sqrt()
        x = (root + gap) / (2 * c) if gap.mid() >= 0 else 2 * c * ratio / (root - gap)
        return x.log() / self.mu if x > 0 else None

    def _excess(self, u: arb, ratio: arb, gap: arb) -> tuple[arb, arb]:
        """A function with the root wanted, and its slope, which is μ or more everywhere, as that of r is not.

        With A and B the densities' sums over φ(u) without their constant terms, r(u) = ratio is A = gap + ratio·B, all
        of it positive for gap ≥ 0; else A − gap = ratio·B. The function is the difference of the logarithms.
        """
        x = (self.mu * u).exp()
        (rising, up), (falling, down) = _without_constant(self._rising, x), _without_constant(self._falling, 1 / x)
        falling, down = falling * ratio, down * ratio
        if gap.mid() >= 0:
            falling += gap
        else:
            rising -= gap
        return (rising / falling).log(), self.mu * (up / rising + down / falling)

    def _guess(self, ratio: arb, gap: arb, near: float) -> float:
        """About that u, in doubles: Newton's steps, or bisection where they leave the interval; any value would do, a
        good one saves steps in balls."""
        mu, about = float(self.mu.mid()), float(ratio.mid().log().mid())
        left = -math.inf if gap.mid() == 0 else float(abs(gap.mid()).log().mid())
        sides = (-math.inf, left) if gap.mid() >= 0 else (left, -math.inf)

        def excess(u: float) -> tuple[float, float]:
            (rising, up), (falling, down) = (
                _log_sum(logs, sign * mu * u, moved, side)
                for logs, sign, moved, side in zip(self._logs, (1, -1), (0.0, about), sides, strict=True)
            )
            return rising - falling, mu * (up + down)

        u = near
        off, slope = excess(u)
        low, high = sorted((u, u - off / mu))  # the slope is μ or more
        for _ in range(_SEARCHED):
            low, high = (u, high) if off < 0 else (low, u)
            before, u = u, u - off / slope
            if not low < u < high:
                u = (low + high) / 2
            if abs(u - before) <= 2.0**-40 * max(1.0, abs(u)):  # by Newton's steps: what is left is its square
                break
            off, slope = excess(u)
        return u

    def quantile(self, tail: arb, *, mixed: bool, above: bool) -> arb:
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


def pair_of(part: Part) -> LossPair:
    """The pair of one step, at the working precision; of a symmetrised one, what it is made of.

    Raises:
        TypeError: a dominating pair that has no implementation.
    """
    match part.pair:
        case Symmetrised() | Coins(1, 0):
            return Pair(part.square, part.rate)
    if weights := part.pair.weights(part.rate):
        return MixedPair(part.square, *weights)
    raise TypeError(f"{type(part.pair).__name__}: nothing computes the losses of such a pair")


def _everything(sides: tuple[Side, ...]) -> tuple[Side, ...]:
    """Below +∞ lies all the mass: nothing above."""
    return tuple(Side(arb(0), True) for _ in sides)


def _polynomial(coefficients: list[arb], x: arb) -> arb:
    total = arb(0)
    for c in reversed(coefficients):
        total = total * x + c
    return total


def _without_constant(coefficients: list[arb], x: arb) -> tuple[arb, arb]:
    """Σ_{j≥1} c_j x^j and Σ_{j≥1} j c_j x^j."""
    total, moment = arb(0), arb(0)
    for j in range(len(coefficients) - 1, 0, -1):
        total, moment = (total + coefficients[j]) * x, (moment + j * coefficients[j]) * x
    return total, moment


def _log_sum(logs: list[tuple[int, float]], exponent: float, moved: float, alone: float) -> tuple[float, float]:
    """log(e^alone + e^moved Σ_j e^{log c_j + j·exponent}) and its slope by the exponent, in doubles."""
    terms = [(j, log + moved + j * exponent) for j, log in logs] + [(0, alone)]
    peak = max(log for _, log in terms)
    weights = [(j, math.exp(log - peak)) for j, log in terms]
    total = sum(weight for _, weight in weights)
    return peak + math.log(total), sum(j * weight for j, weight in weights) / total
