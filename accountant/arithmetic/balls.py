"""Balls (arb): the true value lies in the ball. This is the arithmetic whose numbers are certified."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import final

from flint import arb, ctx, fmpq

from accountant.arithmetic.base import Arithmetic, Number, Undecided
from accountant.arithmetic.floats import gaussian_epsilon


@lru_cache(maxsize=256)
def _guess(mu: float, delta: float) -> float:
    """ε in doubles; the same one is asked for at every precision."""
    return float(gaussian_epsilon(mu, delta))


@final
class Ball(Arithmetic):
    """arb at the working precision; only `accountant.enclose` sets it."""

    def of(self, value: Fraction | int) -> Number:
        value = Fraction(value)
        return arb(fmpq(value.numerator, value.denominator))

    def sqrt(self, x: Number) -> Number:
        return x.sqrt()

    def log(self, x: Number) -> Number:
        return x.log()

    def maximum(self, x: Number, y: Number) -> Number:
        return arb(x).max(arb(y))

    def at_least(self, x: Number, y: Number) -> bool | None:
        # `not x >= y` would be no proof of x < y: both are asked.
        if x >= y:
            return True
        return False if x < y else None

    def where_at_least(self, x: Number, y: Number, then: Number, otherwise: Number) -> Number:
        answer = self.at_least(x, y)
        return then.union(otherwise) if answer is None else (then if answer else otherwise)

    def gaussian_delta(self, mu: Number, epsilon: Number) -> Number:
        ratio = epsilon / mu
        return normal_cdf(mu / 2 - ratio) - epsilon.exp() * normal_cdf(-mu / 2 - ratio)

    def gaussian_epsilon(self, mu: Number, delta: Number) -> Number:
        if not mu.is_finite() or not mu >= 0:
            raise Undecided("μ is finite and not negative")
        if mu.is_zero():
            return arb(0)
        # ε grows with μ: it is bracketed at the two ends of the ball.
        bottom = self._bracket(mu.lower(), delta, up=False) if mu.lower() > 0 else arb(0)
        return bottom.union(self._bracket(mu.upper(), delta, up=True))

    def _root(self, mu: Number, delta: Number) -> Number:
        """About the ε with δ(ε) = delta, to the working precision; nothing is proved of it."""
        root = arb(_guess(float(mu), float(delta.mid())))
        for _ in range(max(1, ctx.prec.bit_length() - 5)):  # each Newton step doubles the digits
            root = self._newton(mu, delta, root)
        return root

    def _bracket(self, mu: Number, delta: Number, *, up: bool) -> Number:
        """An exact ε close to the root, with δ(ε) ≤ delta proven if `up`, else δ(ε) ≥ delta proven (or 0)."""
        if self.gaussian_delta(mu, arb(0)) <= delta:
            return arb(0)
        root = self._root(mu, delta)
        step = root * arb(2) ** (6 - ctx.prec)
        for _ in range(ctx.prec):
            candidate = (root + step).upper() if up else (root - step).lower()
            if not up and candidate <= 0:
                return arb(0)
            value = self.gaussian_delta(mu, candidate)
            if (value <= delta) if up else (value >= delta):
                return candidate
            step *= 8
        raise Undecided("δ(ε) ≤ δ")

    def _newton(self, mu: Number, delta: Number, epsilon: Number) -> Number:
        value = self.gaussian_delta(mu, epsilon)
        slope = epsilon.exp() * normal_cdf(-mu / 2 - epsilon / mu)
        following = (epsilon + (value.log() - delta.log()) * value / slope).mid()
        return following if following.is_finite() and following > 0 else epsilon


def normal_cdf(x: Number) -> Number:
    """Φ(x), with full relative accuracy in the lower tail."""
    return (-x / arb(2).sqrt()).erfc() / 2


_NEXT_TO_ZERO = arb(2) ** -20_000


def to_fraction(x: Number) -> Fraction:
    """The exact value of a ball without radius."""
    mantissa, exponent = x.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def ends(x: Number) -> tuple[Fraction, Fraction] | None:
    """The ball's two ends as exact rationals; None for a ball without bound."""
    return (_end(x.lower(), up=False), _end(x.upper(), up=True)) if x.is_finite() else None


def _end(x: Number, *, up: bool) -> Fraction:
    """The exact value; next to zero something a little further out, lest the denominator fill the memory."""
    if -_NEXT_TO_ZERO < x < _NEXT_TO_ZERO and not x.is_zero():
        return to_fraction((_NEXT_TO_ZERO if up else -_NEXT_TO_ZERO) if up == (x > 0) else arb(0))
    return to_fraction(x)
