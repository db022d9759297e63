"""Fixed point: log and Φ, to within two units 2^-bits."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from certify.checking.limits import Undecided
from certify.checking.numbers.elementary import artanh, at_most, density, in_units
from certify.checking.numbers.intervals import Interval
from certify.checking.work import remembered, spend


def fixed(x: Interval, bits: int) -> int:
    """A number of a narrow interval, in units of 2^-bits, rounded down: off by less than 2."""
    low = in_units(x.low, bits)
    if in_units(x.high, bits) > low + 1:
        raise Undecided
    return low


def fixed_ratio(value: Fraction, bits: int) -> int:
    """A rational in units of 2^-bits, rounded down."""
    return (value.numerator << bits) // value.denominator


@remembered
@lru_cache(maxsize=2**12)
def log_of_step(i: int, k: int, bits: int) -> int:
    """log(1 + i/2^k) = 2·artanh(i/(2^(k+1) + i)), 0 ≤ i ≤ 2^k, in units of 2^-bits: off by less than 2."""
    return fixed(2 * artanh(i, (2 << k) + i, bits + 32), bits)


def fixed_log(u: int, bits: int) -> int:
    """log of u > 0, both in units of 2^-bits; u is taken to be exact, the result is off by less than one unit.

    u = m·2^e with 1 ≤ m < 2; m is divided by 1 + i/2^k for k = 8, 16, 24, and the rest is summed as a series. With 32
    guard bits all roundings together (tables: below 2 each, ln 2 times |e| < 2^15) stay below 2^27 of 2^32.
    """
    work = bits + 32
    exponent = u.bit_length() - 1
    m = u << (work - exponent) if work >= exponent else u >> (exponent - work)
    spend(2 + (work * work >> 15))
    total = (exponent - bits) * log_of_step(1, 0, work)
    for k in (8, 16, 24):
        i = (m - (1 << work)) >> (work - k)
        if i:
            m = (m << k) // ((1 << k) + i)
            total += log_of_step(i, k, work)
    rest = m - (1 << work)  # below 2^-23
    power, n = rest, 1
    while power:
        total += power // n if n % 2 else -(power // n)
        power, n = power * rest >> work, n + 1
    return total >> 32


@remembered
@lru_cache(maxsize=2**12)
def normal_series(g: int, bits: int) -> list[int]:
    """The Taylor coefficients of Φ at -g/32, highest first, in units of 2^-bits.

    φ^(k)(x)/k! = b_k: (k+1)·b_(k+1) = -(x·b_k + b_(k-1)). Cramér: |φ^(k)| ≤ 0.44·sqrt(k!), so what is left out after
    d^n is below |d|^(n+1)·sqrt(n!)/(n+1)! < 2^-bits for |d| ≤ 1/64.
    """
    x, work = Fraction(-g, 32), bits + 64
    before, b = 0, fixed(density(Interval.of(-x, work + 32)), work)
    spend(100 + bits)
    coefficients, n, size = [fixed(at_most(Interval.of(x, work + 32)), work)], 0, 0
    while size < 2 * bits:  # size ≤ 2·log2((n+1)!/(sqrt(n!)·|d|^(n+1))), rounded down
        coefficients.append(b // (n + 1))
        before, b = b, -((-g * b // 32) + before) // (n + 1)
        n += 1
        size += 12 + n.bit_length() - 1
    return [c >> 64 for c in reversed(coefficients)]


def fixed_normal(x: int, bits: int) -> int:
    """Φ(x), both in units of 2^-bits, off by less than two units (x is exact)."""
    if x > 0:
        return (1 << bits) - fixed_normal(-x, bits)
    work = bits + 16
    g = (-x + (1 << (bits - 6))) >> (bits - 5)  # nearest multiple of 1/32
    if g * g > 2048 * work:  # |x| > sqrt(2·work) - 1/64: Φ(x) < 2^-work
        return 0
    d = (x << 16) + (g << (work - 5))
    series, total = normal_series(g, work), 0
    spend(2 + len(series) * (16 + (work * work >> 14)) // 128)
    for coefficient in series:
        total = coefficient + (total * d >> work)
    return total >> 16
