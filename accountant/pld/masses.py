"""Privacy-loss masses on a grid, as integers, and what may be done to them without losing the bound.

A distribution is a measure ν of the privacy loss x under P; Q's mass is e^{−x} times it, and
δ(ε) = ∫ (1 − e^{ε−x})₊ dν. Composition is convolution. For every fixed other factor μ the map
F(x) = ∫ (1 − e^{ε−x−y})₊ dμ(y) is non-decreasing in x and convex in t = e^{−x}. Hence, whatever is composed with it
later:

* **upper** bounds stay so when mass is added, moved up, or spread with the mean of e^{−x} kept (Jensen);
* **lower** bounds stay so when mass is taken away, moved down, or merged at the mean of e^{−x}.

No other operation is done here. Masses are integers at scale 2^bits: rounding up adds, rounding down takes away.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice

from flint import arb, fmpz

from accountant.core.arithmetic.balls import precision
from accountant.core.exact import Rounding

# Example values (a test computes them again):
# h = 1/2, masses on five points, and what coarsening makes of them (Σ mass·e^−x in the last column):
#   x                -0.5      0.0      0.5      1.0      1.5      2.0      2.5
#   given                   0.1000   0.2000   0.4000   0.2000   0.1000               0.4266
#   spread up               0.1755            0.6000            0.2245               0.4266
#   merged down             0.1787            0.7213            0.1000               0.4576

# A coarsening from h to 2h adds (or takes) about h²/2 to the variance of each copy, the first grid h²/6 (h²/12) to each
# step's. After 4, 7, 10 … squarings that is 1/5 and then always half as much of it, and every level costs less.
# Not so where the mass sits on single points still.
LEVELS = 4
# spacings that the bulk must have: for upper bounds, and for lower ones, which lose mean where few points hold the mass
WIDE = {Rounding.UP: 4, Rounding.DOWN: 16}
FEW = 64  # masses that are never worth coarsening
_RUN = 4096


@dataclass(frozen=True)
class Masses:
    """masses[i] at offset + i·unit·2^−fineness, packed: mass i in the bits from i·width on.

    infinite: the atom at +∞; total: no less than the finite masses together (upper bounds alone use both). Of a lower
    bound −infinite is what a δ(ε) may come out too large by.
    """

    offset: Fraction
    fineness: int
    count: int
    packed: int
    infinite: int
    total: int
    bits: int
    rounding: Rounding
    unit: Fraction = Fraction(1)

    @property
    def spacing(self) -> Fraction:
        return self.unit * Fraction(2) ** -self.fineness

    def values(self) -> list[int]:
        return _values(self.packed, self.count, self.bits)


def width(bits: int) -> int:
    """Bits for one mass: room for a product of two, whose masses add up to less than 2^{2·bits+2}."""
    return -(-(2 * bits + 3) // 8) * 8


def _values(packed: int, count: int, bits: int) -> list[int]:
    size = width(bits) // 8
    raw = packed.to_bytes(count * size, "little")
    return [int.from_bytes(raw[i : i + size], "little") for i in range(0, len(raw), size)]


def pack(values: list[int], bits: int) -> int:
    size = width(bits) // 8
    return int.from_bytes(_joined(v.to_bytes(size, "little") for v in values), "little")


def _joined(pieces: Iterator[bytes]) -> bytearray:
    """Pieces that are not empty, joined in runs: joining all of them at once would take three times the memory."""
    joined = bytearray()
    while run := b"".join(islice(pieces, _RUN)):
        joined += run
    return joined


def _repeated(value: int, count: int, bits: int) -> int:
    """The same value in every slot."""
    return int.from_bytes(value.to_bytes(width(bits) // 8, "little") * count, "little")


def from_values(
    offset: Fraction,
    fineness: int,
    values: list[int],
    infinite: int,
    bits: int,
    rounding: Rounding,
    unit: Fraction = Fraction(1),
) -> Masses:
    return from_sparse(offset, fineness, dict(enumerate(values)), infinite, bits, rounding, unit)


def from_sparse(
    offset: Fraction,
    fineness: int,
    values: dict[int, int],
    infinite: int,
    bits: int,
    rounding: Rounding,
    unit: Fraction = Fraction(1),
) -> Masses:
    """The grid from the least of these indices to the largest; index 0 is at the offset."""
    total = sum(values.values())
    if total + infinite >= 2 << bits or (total > 1 << bits and rounding is Rounding.DOWN):
        raise ArithmeticError("more mass than a distribution has")
    low, size = min(values), width(bits) // 8
    count = max(values) - low + 1
    raw = bytearray(count * size)
    for index, value in values.items():
        raw[(index - low) * size : (index - low + 1) * size] = value.to_bytes(size, "little")
    offset += low * unit * Fraction(2) ** -fineness
    return Masses(offset, fineness, count, int.from_bytes(raw, "little"), infinite, total, bits, rounding, unit)


def _product(one: int, other: int) -> int:
    left = fmpz(one)
    return int(left * left if one is other else left * fmpz(other))


def convolve(one: Masses, other: Masses) -> Masses:
    """The composition of both, rounded outward; the spacings must agree."""
    if (one.spacing, one.bits, one.rounding) != (other.spacing, other.bits, other.rounding):
        raise ValueError("grids, scales and directions must agree")
    bits, count = one.bits, one.count + other.count - 1
    unit = (1 << bits) - 1
    product = _product(one.packed, other.packed)  # one long number after the other: memory
    if one.rounding is Rounding.UP:
        product += _repeated(unit, count, bits)
    product >>= bits
    product &= _repeated((1 << (width(bits) - bits)) - 1, count, bits)
    if one.rounding is Rounding.UP:
        infinite = one.infinite * (other.total + other.infinite) + other.infinite * one.total
        infinite = (infinite + unit) >> bits
    else:  # what is to be taken from δ, of either, with the other's mass of 1 at most
        infinite = one.infinite + other.infinite - (one.infinite * other.infinite >> bits)
    total = ((one.total * other.total + unit) >> bits) + count
    if (total + max(0, infinite)) >> (bits + 1):
        raise ArithmeticError("more mass than a distribution has: the scale is too coarse")
    return replace(one, offset=one.offset + other.offset, count=count, packed=product, infinite=infinite, total=total)


def trim(m: Masses, budget: int, bottom: int | None = None) -> Masses:
    """Without the ends that hold at most `budget` (at the lower one `bottom`, unless it is None) each.

    Upper: what is cut above goes to +∞, what is cut below moves up to the lowest point that is kept. Lower: what is
    cut above moves down to the highest point that is kept, what is cut below is dropped.
    """
    size = width(m.bits) // 8
    raw = m.packed.to_bytes(m.count * size, "little")
    low, below = _end(raw, size, 0, m.count - 1, budget if bottom is None else bottom, 1)
    high, above = _end(raw, size, m.count, low + 1, budget, -1)
    packed = int.from_bytes(raw[low * size : high * size], "little")
    infinite = m.infinite
    if m.rounding is Rounding.UP:
        packed, infinite = packed + below, infinite + above
    else:
        packed += above << ((high - low - 1) * size * 8)
    return replace(m, offset=m.offset + low * m.spacing, count=high - low, packed=packed, infinite=infinite)


def _end(raw: bytes, size: int, start: int, stop: int, budget: int, way: int) -> tuple[int, int]:
    """As far from `start` towards `stop` as the masses on the way come to `budget` at most, and what they come to.

    In strides that double and halve; slots add up to the remainder modulo 2^width − 1, which no sum here reaches.
    """
    modulus, total, stride = (1 << 8 * size) - 1, 0, 1
    while stride and start != stop:
        stride = min(stride, abs(stop - start))
        ahead = start + way * stride
        first, last = min(start, ahead), max(start, ahead)
        mass = int.from_bytes(raw[first * size : last * size], "little") % modulus
        if total + mass <= budget:
            start, total, stride = ahead, total + mass, 2 * stride
        else:
            stride //= 2
    return start, total


def coarsen(m: Masses) -> Masses:
    """The same on every second point: on those that hold more, as where nearly all of the mass is at one point."""
    even, odd = (int.from_bytes(half, "little") for half in _halves(m))
    modulus = (1 << width(m.bits)) - 1  # slots add up to the remainder
    if odd % modulus > even % modulus:
        even, odd = odd << width(m.bits), even
        m = replace(m, offset=m.offset - m.spacing, count=m.count + 1)
    return _COARSEN[m.rounding](m, even, odd)


def _halves(m: Masses) -> tuple[bytearray, bytearray]:
    """The slots of the even points, and those of the odd ones."""
    size = width(m.bits) // 8
    raw = m.packed.to_bytes(m.count * size, "little")
    even, odd = (_joined(raw[i : i + size] for i in range(first, len(raw), 2 * size)) for first in (0, size))
    return even, odd


def _spread_odd(m: Masses, even: int, odd: int) -> Masses:
    """Each odd point's mass to both neighbours, 1/(1 + e^{−h}) of it up: the mean of e^{−x} is kept.

    All at once: a slot has room for a mass times the share.
    """
    with precision(m.bits + 32):  # far apart: all of it, and no more
        share = min(1 << m.bits, _integer(arb(2) ** m.bits / (1 + (-_ball(m.spacing)).exp()), Rounding.UP))
    size = width(m.bits)
    pairs = m.count // 2
    up = odd * share + _repeated((1 << m.bits) - 1, pairs, m.bits)
    up = (up >> m.bits) & _repeated((1 << (size - m.bits)) - 1, pairs, m.bits)
    return replace(m, fineness=m.fineness - 1, count=pairs + 1, packed=even + (odd - up) + (up << size))


def _merge_odd(m: Masses, even: int, odd: int) -> Masses:
    """Each odd point's mass goes in part down, in part up, so that the mean of e^{−x} at an even point is its own.

    From the top: what comes up to an even point from below, u, costs u(e^h − 1); what comes down from above, d, pays
    d(1 − e^{−h}); so u ≤ d·e^{−h}.
    """
    shift = m.bits + 8
    with precision(shift + 32):
        share = max(0, _integer(arb(2) ** shift * (-_ball(m.spacing)).exp(), Rounding.DOWN))
    kept, merged = _values(even, m.count - m.count // 2, m.bits), _values(odd, m.count // 2, m.bits)
    down = 0
    for i in range(len(merged) - 1, -1, -1):
        mass = merged[i]
        up = min(mass, down * share >> shift) if i + 1 < len(kept) else 0
        down = mass - up
        kept[i] += down
        if up:
            kept[i + 1] += up
    return replace(m, fineness=m.fineness - 1, count=len(kept), packed=pack(kept, m.bits))


_COARSEN = {Rounding.UP: _spread_odd, Rounding.DOWN: _merge_odd}


def power(
    base: Masses, steps: int, budget: int, points: int, bottom: int | None = None, bulk: float = math.inf
) -> Masses:
    """`base` composed `steps` ≥ 1 times with itself, by repeated squaring, on grids that grow coarser.

    budget, bottom: all that may be cut at the upper and at the lower end of one level, times the number of copies made
    of it. points: a longer window is coarsened until it has no more. bulk: how wide most of the mass is after one step.
    """
    bottom = budget if bottom is None else bottom
    square, uses, level, due = base, steps, 0, LEVELS
    result: Masses | None = None
    square = fit(square, budget // uses, points, bottom // uses)
    while uses:
        if uses & 1:
            result = square if result is None else compose(result, square, budget, points, bottom)
        uses >>= 1
        if uses:
            level += 1
            square = fit(convolve(square, square), budget // uses, points, bottom // uses)
            wide = bulk * 2.0 ** (level // 2) > WIDE[base.rounding] * float(square.spacing)
            if level >= due and wide and square.count > FEW:
                square, due = coarsen(square), level + 3
    assert result is not None  # steps ≥ 1
    return result


def compose(one: Masses, other: Masses, budget: int, points: int, bottom: int | None = None) -> Masses:
    """The composition of two grids: the finer one is coarsened first."""
    while one.fineness > other.fineness:
        one = coarsen(one)
    while other.fineness > one.fineness:
        other = coarsen(other)
    return fit(convolve(one, other), budget, points, bottom)


def fit(m: Masses, budget: int, points: int, bottom: int | None = None) -> Masses:
    m = trim(m, budget, bottom)
    while m.count > points:
        m = coarsen(m)
    return m


def _ball(value: Fraction) -> arb:
    return arb(fmpz(value.numerator)) / arb(fmpz(value.denominator))


def _integer(x: arb, rounding: Rounding) -> int:
    """The whole number at or above (below) the ball, to one unit."""
    whole = (x.upper().ceil() if rounding is Rounding.UP else x.lower().floor()).unique_fmpz()
    assert whole is not None  # for the ceiling or floor of an exact number
    return int(whole)
