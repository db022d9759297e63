"""Rényi moments of the sampled Gaussian at any order, by quadrature in balls."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

from flint import acb, arb, ctx

from accountant.core.arithmetic.balls import precision
from accountant.core.exact import Rounding
from accountant.pld.pair import ball, integer, rounded

MAX_ORDER = 512
MIN_BITS = 128
MAX_BITS = 1024
EVALUATIONS = 200_000
ACCURACY = 50  # bits of the divergence, relatively


@dataclass(frozen=True)
class Orders:
    """Orders α that stay exact in every arithmetic."""

    values: tuple[Fraction, ...] = field(metadata={"exact": True})


@lru_cache(maxsize=1024)
def renyi_upper(square: Fraction, rate: Fraction, order: Fraction) -> Fraction:
    """An upper bound on D_α, both directions, of (1−q)N(0,1) + qN(μ,1) against N(0,1), μ² = square; α > 1.

    With r the ratio of the densities, e^{(α−1)D_α} is E r^α under N(0,1), and E r^{1−α} for the reversed pair.
    """
    if not rate or not square:
        return Fraction(0)
    bits = MIN_BITS
    while True:
        with precision(bits):
            moments = [_log_moment(square, rate, power) / ball(order - 1) for power in (order, 1 - order)]
            if all(f.rad() < arb(2) ** -ACCURACY * abs(f) for f in moments) or bits >= MAX_BITS:
                if not all(f.is_finite() for f in moments):
                    raise ArithmeticError(f"order {order}: no enclosure at {bits} bits")
                return max(Fraction(0), max(rounded(f, bits, Rounding.UP) for f in moments))
        bits *= 2


def _log_moment(square: Fraction, rate: Fraction, power: Fraction) -> arb:
    """log E r(u)^s under N(0,1), s = power, outside [0, 1].

    Outside [a, b], for s > 1 by convexity, r^s ≤ 1 − q + q·e^{s(μu − μ²/2)}, whose integral is two normal tails; for
    s < 0, r^s ≤ (1 − q)^s, unless q = 1. Everything is divided by the integrand's peak.
    """
    mu, q, s = ball(square).sqrt(), ball(rate), ball(power)
    bounded = power < 0 and rate < 1
    depth = abs(s) * (1 + abs((1 - q).log() if bounded else q.log()))
    reach, centre = (arb(2) * (ctx.prec + 8 + depth)).sqrt(), arb(0) if bounded else s * mu
    a, b = integer(centre.min(arb(0)) - reach, Rounding.DOWN), integer(centre.max(arb(0)) + reach, Rounding.UP)

    def exponent(u: arb) -> arb:
        return (1 - q + q * (mu * u - mu * mu / 2).exp()).log() * s - u * u / 2

    peak = arb(max(float(exponent(arb(u)).mid()) for u in range(a, b + 1)))
    root = arb(2).sqrt()

    def tail(x: arb) -> arb:
        return (x / root).erfc() / 2

    plain = tail(-arb(a)) + tail(arb(b))
    if bounded:
        rest = plain * ((1 - q).log() * s - peak).exp()
    else:
        scale = ((s * s - s) * mu * mu / 2 - peak).exp()
        rest = (1 - q) * plain * (-peak).exp() + q * scale * (tail(s * mu - a) + tail(b - s * mu))
    density = 1 / (2 * arb.pi()).sqrt()

    def integrand(u: acb, analytic: bool) -> acb:
        ratio = 1 - q + q * (mu * u - mu * mu / 2).exp()
        return density * (ratio.log(analytic) * s - u * u / 2 - peak).exp()

    inside = acb.integral(integrand, acb(a), acb(b), eval_limit=EVALUATIONS).real
    return (inside + arb(0).union(rest)).log() + peak
