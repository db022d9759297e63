"""Balls (arb): the true value lies in the ball. This is the arithmetic whose numbers are certified."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from typing import final

import numpy as np
from flint import arb, ctx, fmpq

from accountant.core.arithmetic.base import Arithmetic, Number, Undecided
from accountant.core.exact import Rounding


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Balls of that many bits inside the `with`. Precision is process-wide state: not for use from several threads."""
    before = ctx.prec
    ctx.prec = bits
    try:
        yield
    finally:
        ctx.prec = before


_MIN_DELTA = arb(10) ** -300  # a smaller δ is not a double
_NEWTON_STEPS = 40
_DOUBLES_KNOW = 2.0**20  # μ up to which an ε in doubles is a start for Newton's method
_Mixture = Sequence[tuple[Number, Number]]  # (μ, weight)


@lru_cache(maxsize=256)
def _guess(mus: tuple[float, ...], weights: tuple[float, ...], delta: float) -> float:
    """ε in doubles; every precision asks for the same one. Doubles are loaded only here and for T24."""
    from accountant.core.arithmetic.floats import mixture_epsilon

    return mixture_epsilon(np.array(mus), np.array(weights), delta)


@lru_cache(maxsize=256)
def _diffused_guess(mu: float, ratio: float, steps: int, delta: float) -> float:
    from accountant.core.arithmetic.floats import diffused_epsilon

    return diffused_epsilon(mu, ratio, steps, delta)


@final
class Ball(Arithmetic):
    """arb at the working precision; only `accountant.core.enclose` sets it."""

    def of(self, value: Fraction | int) -> Number:
        return arb(fmpq(value.numerator, value.denominator))

    def sqrt(self, x: Number) -> Number:
        return x.sqrt()

    def log(self, x: Number) -> Number:
        return x.log()

    def exp(self, x: Number) -> Number:
        return x.exp()

    def normal_cdf(self, x: Number) -> Number:
        return normal_cdf(x)

    def absolute(self, x: Number) -> Number:
        return abs(x)

    def maximum(self, x: Number, y: Number) -> Number:
        return arb(x).max(arb(y))

    def at_least(self, x: Number, y: Number) -> bool | None:
        # `not x >= y` does not prove x < y: both are asked.
        if x >= y:
            return True
        return False if x < y else None

    def where_at_least(self, x: Number, y: Number, then: Number, otherwise: Number) -> Number:
        answer = self.at_least(x, y)
        return then.union(otherwise) if answer is None else (then if answer else otherwise)

    def gaussian_delta(self, mu: Number, epsilon: Number) -> Number:
        return normal_cdf(mu / 2 - epsilon / mu) - far_tail(mu, epsilon)

    def mixture_epsilon(self, mus: Sequence[Number], weights: Sequence[Number], delta: Number) -> Number:
        if not all(mu.is_finite() and not mu < 0 for mu in mus):
            raise Undecided("μ is finite and not negative")
        mixture = [(mu, weight) for mu, weight in zip(mus, weights, strict=True) if not mu.is_zero()]
        # δ grows with every μ: ε is bracketed at the lower and at the upper ends of their balls.
        bottom = self._bracket([(mu.lower(), w) for mu, w in mixture if mu.lower() > 0], delta, Rounding.DOWN)
        return bottom.union(self._bracket([(mu.upper(), w) for mu, w in mixture], delta, Rounding.UP))

    def _mixture_delta(self, mixture: _Mixture, epsilon: Number) -> Number:
        return sum((weight * self.gaussian_delta(mu, epsilon) for mu, weight in mixture), arb(0))

    def _bracket(self, mixture: _Mixture, delta: Number, rounding: Rounding) -> Number:
        """An exact ε close to the root, with δ(ε) ≤ delta proven if `up`, else δ(ε) ≥ delta proven (or 0)."""
        if self._mixture_delta(mixture, arb(0)) <= delta:
            return arb(0)
        root = self._root(mixture, delta)
        step = root * arb(2) ** (6 - ctx.prec)
        for _ in range(ctx.prec):
            candidate = (root + step).upper() if rounding is Rounding.UP else (root - step).lower()
            if rounding is Rounding.DOWN and candidate <= 0:
                return arb(0)
            value = self._mixture_delta(mixture, candidate)
            if (value <= delta) if rounding is Rounding.UP else (value >= delta):
                return candidate
            step *= 8
        raise Undecided("δ(ε) ≤ δ")

    def _root(self, mixture: _Mixture, delta: Number) -> Number:
        """About the ε with δ(ε) = delta, to the working precision; not proved."""
        mus = tuple(float(mu) for mu, _ in mixture)
        if len(mixture) > 1 and delta >= _MIN_DELTA and max(mus) < _DOUBLES_KNOW:
            root = arb(_guess(mus, tuple(float(weight) for _, weight in mixture), float(delta.mid())))
            for _ in range(max(1, ctx.prec.bit_length() - 5)):  # each Newton step doubles the digits
                root = self._newton(mixture, delta, root)
            return root
        # From the Rényi route of the largest μ, which is above: log δ(ε) is concave, and no step goes too far.
        most = max((mu for mu, _ in mixture), key=lambda mu: float(mu.mid().log()))
        root = (most * most / 2 + most * (-2 * delta.log()).sqrt()).mid()
        for _ in range(_NEWTON_STEPS):
            root, before = self._newton(mixture, delta, root), root
            if abs(root - before) <= root * arb(2) ** (-8 - ctx.prec // 2):  # the next step would double the digits
                return root
        return root

    def diffused_epsilon(self, mu: Number, ratio: Number, steps: int, delta: Number) -> Number:
        if not (mu.is_finite() and ratio.is_finite()) or mu < 0 or ratio < 0:
            raise Undecided("μ and D/τ are finite and not negative")
        # δ grows with μ and with D/τ: ε is bracketed at the lower and at the upper ends of their balls.
        bottom, top = zip(*((x.lower().max(arb(0)), x.upper()) for x in (mu, ratio)), strict=True)
        if top[0].is_zero() or top[1].is_zero():
            return arb(0)
        at_zero = self.gaussian_delta(top[0], arb(0)) * (2 * normal_cdf(top[1] / 2) - 1) ** steps
        if at_zero <= delta:
            return arb(0)
        root = self._diffused_root(*top, steps, delta)
        low = self._diffused_end(*bottom, steps, delta, root, Rounding.DOWN)
        return low.union(self._diffused_end(*top, steps, delta, root, Rounding.UP))

    @staticmethod
    def _diffused_end(mu: Number, ratio: Number, steps: int, delta: Number, root: Number, rounding: Rounding) -> Number:
        """An exact ε close to the root, with δ ≤ delta proven after the steps if `up`, else δ ≥ delta proven (or 0)."""
        step = root * arb(2) ** max(-56, 12 - ctx.prec)
        for _ in range(12):
            candidate = (root + step).upper() if rounding is Rounding.UP else (root - step).lower()
            if rounding is Rounding.DOWN and (not candidate > 0 or mu.is_zero() or ratio.is_zero()):
                return arb(0)
            value = diffused_delta(
                mu, ratio, steps, candidate, delta, arb.upper if rounding is Rounding.UP else arb.lower
            )
            if (value <= delta) if rounding is Rounding.UP else (value >= delta):
                return candidate
            step *= 8
        raise Undecided("δ(ε) ≤ δ")

    @staticmethod
    def _diffused_root(mu: Number, ratio: Number, steps: int, delta: Number) -> Number:
        """About the ε of T24: the one in doubles, and a Newton step from there; not proved."""
        known = float(mu), float(ratio), steps, float(delta.mid())
        guess = _diffused_guess(*known)
        if not 0 < guess < np.inf:
            return arb(0)
        from accountant.core.arithmetic.floats import diffused_log_delta

        apart = guess * 1e-7
        ends = (diffused_log_delta(*known[:3], end, -np.inf) for end in (guess + apart, guess - apart))
        slope = -abs(np.subtract(*ends)) / (2 * apart)
        value = diffused_delta(mu, ratio, steps, arb(guess), arb(0), arb.mid).log() - delta.log()
        following = (guess - value / slope).mid() if slope else arb(guess)
        return following if following.is_finite() and following > 0 else arb(guess)

    def _newton(self, mixture: _Mixture, delta: Number, epsilon: Number) -> Number:
        value = self._mixture_delta(mixture, epsilon)
        slope = sum((w * far_tail(mu, epsilon) for mu, w in mixture), arb(0))
        following = (epsilon + (value.log() - delta.log()) * value / slope).mid()
        return following if following.is_finite() and following > 0 else epsilon


def diffused_delta(
    mu: Number, ratio: Number, steps: int, epsilon: Number, enough: Number, side: Callable[[Number], Number]
) -> Number:
    """δ(ε) of μ after `steps` times δ ← δ·Θ_ε̃(ratio) (T24), or after fewer where it is at most `enough` by then.

    `side` keeps one end of each δ (or the middle): the map is increasing, so upper ends stay above the truth, lower
    ones below, and no ball widens by dependence. μ, ratio > 0.
    """
    grown, half = epsilon.expm1(), ratio / 2
    delta = side(Ball().gaussian_delta(mu, epsilon))
    for _ in range(steps):
        if not delta > 0 or delta < enough:  # on the way down; a δ that is far from it is not computed further
            return delta.max(arb(0))
        odds = 1 + grown / delta
        bend = odds.log() / ratio
        delta = side(delta * (normal_cdf(half - bend) - odds * normal_cdf(-half - bend)))
    if not delta.is_finite():
        raise Undecided("δ(ε) is finite")
    return delta.max(arb(0))


def normal_cdf(x: Number) -> Number:
    """Φ(x), with full relative accuracy in the lower tail."""
    return (-x / arb(2).sqrt()).erfc() / 2


_FAR = arb(2) ** 12
_TERMS = 12


def far_tail(mu: Number, epsilon: Number) -> Number:
    """e^ε Φ(b), b = −μ/2 − ε/μ. Where b is far out, without e^ε: with a = b + μ it is φ(a)·(1 − Φ(x))/φ(x), x = −b,
    and that quotient, 1/x − 1/x³ + 3/x⁵ − 15/x⁷ …, lies between any two partial sums that follow each other."""
    ratio = epsilon / mu
    if not mu > _FAR:
        return epsilon.exp() * normal_cdf(-mu / 2 - ratio)
    a, x = mu / 2 - ratio, mu / 2 + ratio
    term = total = 1 / x
    for k in range(1, _TERMS):
        term = -term * (2 * k - 1) / (x * x)
        total += term
    quotient = total.union(total - term)
    return (-a * a / 2).exp() / (2 * arb.pi()).sqrt() * quotient


_NEXT_TO_ZERO = arb(2) ** -20_000


def to_fraction(x: Number) -> Fraction:
    """The exact value of a ball without radius."""
    mantissa, exponent = x.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def ends(x: Number) -> tuple[Fraction, Fraction] | None:
    """The ball's two ends as exact rationals; None for a ball without bound."""
    return (_end(x.lower(), Rounding.DOWN), _end(x.upper(), Rounding.UP)) if x.is_finite() else None


def _end(x: Number, rounding: Rounding) -> Fraction:
    """The exact value; next to zero something a little further out, to keep the denominator small enough for memory."""
    if -_NEXT_TO_ZERO < x < _NEXT_TO_ZERO and not x.is_zero():
        up = rounding is Rounding.UP
        return to_fraction((_NEXT_TO_ZERO if up else -_NEXT_TO_ZERO) if up == (x > 0) else arb(0))
    return to_fraction(x)
