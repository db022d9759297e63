"""δ(ε) of a distribution on a grid, and its inverse: sums of integers, then one exponential or logarithm in balls."""

from __future__ import annotations

from fractions import Fraction

from flint import arb

from accountant.core.arithmetic.balls import precision
from accountant.core.exact import Rounding
from accountant.pld.masses import Masses
from accountant.pld.pair import ball, integer, rounded

GUARD = 48
DIGITS = 96  # ε comes out as a multiple of 2^−DIGITS at least


def _decay(m: Masses) -> tuple[int, int]:
    """(e^{−h} as an integer at scale 2^shift, shift): from below for an upper bound, from above for a lower one."""
    shift = m.bits + GUARD
    with precision(shift + 64):
        return max(0, integer(arb(2) ** shift * (-ball(m.spacing)).exp(), m.rounding.opposite)), shift


def delta(m: Masses, epsilon: Fraction) -> Fraction:
    """Σ_{x>ε} p_x(1 − e^{ε−x}) + p_∞, rounded the way of the bound."""
    decay, shift = _decay(m)
    place = (Fraction(epsilon) - m.offset) / m.spacing
    first = max(0, place.numerator // place.denominator + 1)  # the first index with x > ε
    mass = weighted = 0
    for value in reversed(m.values()[first:]):
        weighted = (value << GUARD) + _shifted(weighted * decay, shift, m.rounding.opposite)
        mass += value
    with precision(m.bits + 2 * GUARD):
        factor = ball(Fraction(epsilon) - m.offset - first * m.spacing).exp()
        bound = m.infinite + mass - factor * arb(weighted) / arb(2) ** GUARD
        units = rounded(bound, GUARD, m.rounding)
    return max(Fraction(0), min(Fraction(1), units / Fraction(2) ** m.bits))


def epsilon(m: Masses, delta: Fraction) -> Fraction | None:
    """The least ε ≥ 0 with δ(ε) ≤ delta, rounded the way of the bound; None where +∞ alone holds more than delta.

    In a cell of the grid δ(ε) = S + p_∞ − e^{ε−x}W, with S and W the sums of p and of p·e^{x−x_i} from its upper end x
    on. For a lower bound the formula of any cell is below δ(ε), so that any cell gives a valid bound.
    """
    decay, shift = _decay(m)
    wanted = delta * Fraction(2) ** m.bits - m.infinite  # S − e^{ε−x}W must come down to it
    if m.rounding is Rounding.UP and wanted <= 0:
        return None
    values, mass, weighted, top = m.values(), 0, 0, m.count - 1
    index = top
    for index in range(top, -1, -1):
        mass += values[index]
        weighted = (values[index] << GUARD) + _shifted(weighted * decay, shift, m.rounding.opposite)
        lowered = _shifted(weighted * decay, shift, m.rounding.opposite)
        if mass - Fraction(lowered, 2**GUARD) > wanted:  # δ one point further down exceeds delta: it is this cell
            break
    if mass <= wanted or not weighted:
        return Fraction(0)
    upper_end = m.offset + index * m.spacing
    fineness = max(DIGITS, m.fineness + GUARD)
    with precision(m.bits + fineness + 2 * GUARD):
        root = (ball(mass - wanted) * arb(2) ** GUARD / arb(weighted)).log() + ball(upper_end)
        value = rounded(root, fineness, m.rounding)
    if m.rounding is Rounding.UP:
        # beyond the cell's ends the formula is not δ: its upper end is one at which δ ≤ delta is known
        value = min(max(value, upper_end - m.spacing if index else value), upper_end)
    return max(Fraction(0), value)


def _shifted(value: int, shift: int, rounding: Rounding) -> int:
    return -(-value >> shift) if rounding is Rounding.UP else value >> shift
