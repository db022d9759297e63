"""The tail of the normal distribution at many nearby points: one Taylor polynomial for each sixteenth, in balls."""

from __future__ import annotations

from functools import lru_cache

from flint import arb, arb_poly, ctx

_STEPS = 16  # anchors in a unit
_REACH = arb(9) / 256  # a little more than half a step, by which a point can miss its anchor
_CRAMER = arb(44) / 100  # |φ^{(n)}(x)| ≤ 1.0865 √(n!/(2π)) e^{−x²/4}: Cramér's inequality for Hermite functions
_MAX_X = 40


def upper_tail(x: arb) -> arb:
    """1 − Φ(x) for x above −1/8, to about the working precision, relatively: faster than erfc where points are many.

    Around the nearest sixteenth a: 1 − Φ(a + v) = 1 − Φ(a) − φ(a) Σ_{k<n} (−1)^k He_k(a) v^{k+1}/(k+1)!, and the rest
    is at most |v|^{n+1}/(n+1)! · sup |φ^{(n)}|. Everything is kept divided by e^{−a²/2}.
    """
    middle = float(x.mid())
    if -0.125 < middle < _MAX_X:
        anchor = round(middle * _STEPS)
        shift = x - arb(anchor) / _STEPS
        if abs(shift) < _REACH:
            scale, polynomial, rest = _around(anchor, ctx.prec)
            return scale * (polynomial(shift) + rest)
    return (x / arb(2).sqrt()).erfc() / 2


@lru_cache(maxsize=8192)
def _around(anchor: int, bits: int) -> tuple[arb, arb_poly, arb]:
    """e^{−a²/2} at a = anchor/16, the polynomial in v, and a ball for what it leaves out; `bits`: the working
    precision."""
    a = arb(anchor) / _STEPS
    scale = (-a * a / 2).exp()
    density = 1 / (2 * arb.pi()).sqrt()
    coefficients = [(a / arb(2).sqrt()).erfc() / 2 / scale]
    # e^{a²/2} sup e^{−ξ²/4} over the reach
    worst = _CRAMER * (a * a / 2 - (abs(a) - _REACH).max(arb(0)) ** 2 / 4).exp()
    enough = arb(2) ** -bits
    before, hermite, factorial, k = arb(0), arb(1), arb(1), 0  # He_{k−1}, He_k, k!
    while True:
        rest = worst * factorial.sqrt() * _REACH ** (k + 1) / (factorial * (k + 1))
        if rest < enough:
            return scale, arb_poly(coefficients), arb(0, rest.upper())
        coefficients.append((density if k % 2 else -density) * hermite / (factorial * (k + 1)))
        before, hermite = hermite, a * hermite - k * before
        k += 1
        factorial *= k
