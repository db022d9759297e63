"""Privacy-loss masses on a grid, as integers, and what may be done to them without losing the bound.

A distribution is a measure ν of the privacy loss x under P; Q's mass is e^{−x} times it, and
δ(ε) = ∫ (1 − e^{ε−x})₊ dν. Composition is convolution. For every fixed other factor μ the map
F(x) = ∫ (1 − e^{ε−x−y})₊ dμ(y) is non-decreasing in x and convex in t = e^{−x}. Hence, whatever is composed with it
later:

* **upper** bounds stay so when mass is added, moved up, or spread with the mean of e^{−x} kept (Jensen);
* **lower** bounds stay so when mass is taken away, moved down, or merged at the mean of e^{−x}.

Nothing else is done here. Masses are integers at scale 2^bits: rounding up adds, rounding down takes away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from flint import arb, fmpz

from accountant.enclose import precision


@dataclass(frozen=True)
class Masses:
    """masses[i] at offset + i·2^−fineness, packed: mass i in the bits from i·width on.

    infinite: the atom at +∞; total: no less than the finite masses together (upper bounds alone use both).
    """

    offset: Fraction
    fineness: int
    count: int
    packed: int
    infinite: int
    total: int
    bits: int
    upper: bool

    @property
    def spacing(self) -> Fraction:
        return Fraction(2) ** -self.fineness

    def values(self) -> list[int]:
        size = width(self.bits) // 8
        raw = self.packed.to_bytes(self.count * size, "little")
        return [int.from_bytes(raw[i : i + size], "little") for i in range(0, len(raw), size)]


def width(bits: int) -> int:
    """Bits for one mass: room for a product of two, whose masses add up to less than 2^{2·bits+2}."""
    return -(-(2 * bits + 3) // 64) * 64


def pack(values: list[int], bits: int) -> int:
    size = width(bits) // 8
    return int.from_bytes(b"".join(v.to_bytes(size, "little") for v in values), "little")


@lru_cache(maxsize=128)
def _repeated(value: int, count: int, bits: int) -> int:
    """The same value in every slot."""
    return int.from_bytes(value.to_bytes(width(bits) // 8, "little") * count, "little")


def from_values(offset: Fraction, fineness: int, values: list[int], infinite: int, bits: int, upper: bool) -> Masses:
    total = sum(values)
    if (total + infinite) >> (bits + 1):
        raise ArithmeticError("more mass than a distribution has")
    return Masses(offset, fineness, len(values), pack(values, bits), infinite, total, bits, upper)


def convolve(one: Masses, other: Masses) -> Masses:
    """The composition of both, rounded outward; the spacings must agree."""
    if (one.fineness, one.bits, one.upper) != (other.fineness, other.bits, other.upper):
        raise ValueError("grids, scales and directions must agree")
    bits, count = one.bits, one.count + other.count - 1
    left = fmpz(one.packed)
    product = int(left * left if one is other else left * fmpz(other.packed))
    unit = (1 << bits) - 1
    if one.upper:
        product += _repeated(unit, count, bits)
    product = (product >> bits) & _repeated((1 << (width(bits) - bits)) - 1, count, bits)
    infinite = one.infinite * (other.total + other.infinite) + other.infinite * one.total
    infinite = (infinite + unit) >> bits
    total = ((one.total * other.total + unit) >> bits) + count
    if (total + infinite) >> (bits + 1):
        raise ArithmeticError("more mass than a distribution has: the scale is too coarse")
    return Masses(one.offset + other.offset, one.fineness, count, product, infinite, total, bits, one.upper)


def trim(m: Masses, budget: int) -> Masses:
    """Without the ends that hold at most `budget` each.

    Upper: what is cut above goes to +∞, what is cut below moves up to the lowest point that is kept. Lower: what is
    cut above moves down to the highest point that is kept, what is cut below is dropped.
    """
    size = width(m.bits) // 8
    raw = m.packed.to_bytes(m.count * size, "little")
    low, below = 0, 0
    while low < m.count - 1:
        mass = int.from_bytes(raw[low * size : (low + 1) * size], "little")
        if below + mass > budget:
            break
        low, below = low + 1, below + mass
    high, above = m.count, 0
    while high > low + 1:
        mass = int.from_bytes(raw[(high - 1) * size : high * size], "little")
        if above + mass > budget:
            break
        high, above = high - 1, above + mass
    packed = int.from_bytes(raw[low * size : high * size], "little")
    infinite = m.infinite
    if m.upper:
        packed, infinite = packed + below, infinite + above
    else:
        packed += above << ((high - low - 1) * size * 8)
    return replace(m, offset=m.offset + low * m.spacing, count=high - low, packed=packed, infinite=infinite)


def coarsen(m: Masses) -> Masses:
    """The same on every second point."""
    return (_spread_odd if m.upper else _merge_odd)(m)


def _spread_odd(m: Masses) -> Masses:
    """Each odd point's mass to both neighbours, 1/(1 + e^{−h}) of it up: the mean of e^{−x} is kept."""
    shift = m.bits + 8
    with precision(shift + 32):
        share = _integer((arb(2) ** shift / (1 + (-_ball(m.spacing)).exp())).upper(), up=True)
    values = m.values()
    made, odd = values[0::2], values[1::2]
    if len(made) == len(odd):
        made.append(0)
    for i, mass in enumerate(odd):
        up = -(-mass * share >> shift)
        made[i] += mass - up
        made[i + 1] += up
    packed = pack(made, m.bits)
    return replace(m, fineness=m.fineness - 1, count=len(made), packed=packed)


def _merge_odd(m: Masses) -> Masses:
    """Each odd point's mass goes in part down, in part up, so that the mean of e^{−x} at an even point is its own.

    From the top: what comes up to an even point from below, u, costs u(e^h − 1); what comes down from above, d, pays
    d(1 − e^{−h}); so u ≤ d·e^{−h}.
    """
    shift = m.bits + 8
    with precision(shift + 32):
        share = _integer((arb(2) ** shift * (-_ball(m.spacing)).exp()).lower(), up=False)
    values = m.values()
    made, odd = values[0::2], values[1::2]
    down = 0
    for i in range(len(odd) - 1, -1, -1):
        mass = odd[i]
        up = min(mass, down * share >> shift) if i + 1 < len(made) else 0
        down = mass - up
        made[i] += down
        if up:
            made[i + 1] += up
    return replace(m, fineness=m.fineness - 1, count=len(made), packed=pack(made, m.bits))


def power(base: Masses, steps: int, budget: int, points: int) -> Masses:
    """`base` composed `steps` ≥ 1 times with itself, by repeated squaring.

    budget: all that may be cut at one end of one level, times the number of copies made of it. points: a longer window
    is coarsened until it has no more.
    """
    square, result, uses = base, None, steps
    square = fit(square, budget // uses, points)
    while uses:
        if uses & 1:
            result = square if result is None else compose(result, square, budget, points)
        uses >>= 1
        if uses:
            square = fit(convolve(square, square), budget // uses, points)
    return result


def compose(one: Masses, other: Masses, budget: int, points: int) -> Masses:
    """The composition of two grids: the finer one is coarsened first."""
    while one.fineness > other.fineness:
        one = coarsen(one)
    while other.fineness > one.fineness:
        other = coarsen(other)
    return fit(convolve(one, other), budget, points)


def fit(m: Masses, budget: int, points: int) -> Masses:
    m = trim(m, budget)
    while m.count > points:
        m = coarsen(m)
    return m


def _ball(value: Fraction) -> arb:
    return arb(fmpz(value.numerator)) / arb(fmpz(value.denominator))


def _integer(x: arb, *, up: bool) -> int:
    """The whole number at or above (below) the ball, to one unit."""
    return int((x.upper().ceil() if up else x.lower().floor()).unique_fmpz())
