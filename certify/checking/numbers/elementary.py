"""exp, log, π and the normal tail."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

from certify.checking.numbers.intervals import Dyadic, Interval, Number, _compare, _rounded
from certify.checking.work import remembered, spend


def in_units(number: Dyadic, bits: int) -> int:
    """In units of 2^-bits, rounded down."""
    shift = number[1] + bits
    return number[0] << shift if shift >= 0 else number[0] >> -shift


def series(x: Interval, stride: int) -> Interval:
    """Σ_k x^k/(d_1·…·d_k) for x ≥ 0: e^x for stride 1 (d_k = k), Σ x^k/(1·3·…·(2k+1)) for stride 2 (d_k = 2k+1).

    In plain integers, scaled by 2^bits: one column is rounded down, one up. Every term is positive; once d_k ≥ 2x each
    is at most half of the one before, so what is left out is at most the last term.
    """
    bits = x.bits

    x_low, x_high = in_units(x.low, bits), -in_units((-x.high[0], x.high[1]), bits)
    low = high = total_low = total_high = 1 << bits
    divisor, each = stride - 1, 2 + (bits >> 9) + (bits * bits >> 20)
    while high > 1 or divisor << bits < 2 * x_high:
        spend(each)
        divisor += stride
        low = (low * x_low >> bits) // divisor
        high = -((-high * x_high >> bits) // divisor)  # >> and // round down, so that this rounds up
        total_low, total_high = total_low + low, total_high + high
    return Interval((total_low, -bits), (total_high + high, -bits), bits)


def exp(x: Interval) -> Interval:
    """e^x for x ≥ 0: halve x until it is below 2^-8, sum the Taylor series, square back."""
    bits, mantissa, exponent = x.bits, x.high[0], x.high[1]
    halvings = max(0, mantissa.bit_length() + exponent + 8) if mantissa else 0
    work = bits + halvings + 16  # each squaring doubles the relative error
    total = series(Interval((x.low[0], x.low[1] - halvings), (mantissa, exponent - halvings), work), 1)
    for _ in range(halvings):
        total = total * total
    return Interval(_rounded(total.low, bits, False), _rounded(total.high, bits, True), bits)


def exp_minus(x: Interval) -> Interval:
    """e^-x for x ≥ 0. Beyond 2^64 it is enough to know that 0 < e^-x < 2^-x."""
    if _compare(x.low, (1, 64)) >= 0:
        return Interval((0, 0), (1, -(2**64)), x.bits)
    return 1 / exp(x)


def artanh(p: int, q: int, bits: int) -> Interval:
    """artanh(p/q) = Σ (p/q)^(2k+1)/(2k+1) for 0 ≤ p/q ≤ 1/3, absolutely to about 2^-bits: plain integers, as `series`.

    Each power is at most a ninth of the one before, so what is left out is less than the last.
    """
    low, high, k = (p << bits) // q, -((-p << bits) // q), 1
    square_low, square_high = (p * p << bits) // (q * q), -((-p * p << bits) // (q * q))
    total_low, total_high, each = low, high, 2 + (bits >> 9) + (bits * bits >> 20)
    while high > 1:
        spend(each)
        low, high, k = low * square_low >> bits, -(-high * square_high >> bits), k + 2
        total_low, total_high = total_low + low // k, total_high - (-high // k)
    return Interval((total_low, -bits), (total_high + high, -bits), bits)


@remembered
@cache
def log_of_two(bits: int) -> Interval:
    """log 2 = 2 artanh(1/3)"""
    return 2 * artanh(1, 3, bits)


def log(x: Interval) -> Interval:
    """log x for x ≥ 1. At the lower end u·2^k, 1 ≤ u < 2, it is 2 artanh((u-1)/(u+1)) + k·log 2; the slope is 1/x."""
    mantissa, exponent = x.low
    unit = 1 << (mantissa.bit_length() - 1)
    value = 2 * artanh(mantissa - unit, mantissa + unit, x.bits)
    value = value + (unit.bit_length() - 1 + exponent) * log_of_two(x.bits)
    least = Interval(x.low, x.low, x.bits)
    return Interval(value.low, (value + (x - least) / least).high, x.bits)


@remembered
@cache
def pi(bits: int) -> Interval:
    """π = 16 arctan(1/5) - 4 arctan(1/239) (Machin); the series alternate, so two partial sums enclose each arctan."""

    def arctan_of_inverse(q: int) -> Interval:
        total = Interval.of(0, bits + 16)
        k = 0
        while True:
            term = Interval.of(Fraction(1, (2 * k + 1) * q ** (2 * k + 1)), bits + 16)
            following = total + term if k % 2 == 0 else total - term
            if _compare(term.high, (1, -bits - 16)) < 0:
                ends = (total, following) if k % 2 == 0 else (following, total)
                return Interval(ends[0].low, ends[1].high, bits + 16)
            total, k = following, k + 1

    return 16 * arctan_of_inverse(5) - 4 * arctan_of_inverse(239)


@remembered
@cache
def root_of_two_pi(bits: int) -> Interval:
    """sqrt(2π)"""
    return (2 * pi(bits)).sqrt()


def mills(t: Interval) -> Interval:
    """Mills' ratio M(t) = Φ(-t)/φ(t) for t ≥ 0, where φ is the normal density.

    M falls with slope t·M - 1 in (-1, 0]: it is computed at the lower end, and widened by the width of t.

    Small t: M(t) = sqrt(π/2)·e^(t²/2) - Σ t^(2k+1)/(1·3·…·(2k+1)).
    Large t: M(t) = 1/(t + r_1) with r_k = k/(t + r_(k+1)) and 0 < r_k < k/t (Laplace's continued fraction). Proof: let
    I_k = ∫_t^∞ (s-t)^k/k!·φ(s) ds > 0 and I_(-1) = φ(t); integration by parts gives I_(k-1) = t·I_k + (k+1)·I_(k+1);
    put r_k = k·I_k/I_(k-1), and M = I_0/I_(-1).
    """
    bits = t.bits
    work = 2 * bits + 32  # the difference loses at most t²/2·log2(e) < bits digits to cancellation
    a = Interval(t.low, t.low, work)
    square = a * a
    if _compare(square.high, (bits, 0)) <= 0:
        value = root_of_two_pi(work) / 2 * exp(square / 2) - a * series(square, 2)
    else:
        value, depth = Interval((0, 0), (1, 0), work), 2
        while depth < 2 * bits and not value.is_tight(bits):  # any depth is valid
            depth *= 2
            rest = Interval((0, 0), (depth / a).high, work)
            for k in range(depth - 1, 0, -1):
                rest = k / (a + rest)
            value = 1 / (a + rest)
    width = t - a
    return Interval((value - Interval(width.high, width.high, bits)).low, value.high, bits)


def density(x: Interval) -> Interval:
    """The normal density φ(x), for x ≥ 0."""
    return exp_minus(x * x / 2) / root_of_two_pi(x.bits)


def at_most(x: Interval) -> Interval:
    """Φ(x), the normal distribution function, with small relative error where it is small."""
    size = abs(x)
    if size.low[0] == 0 < size.high[0]:  # 0 is in x, and |Φ(x) - 1/2| ≤ |x|/2
        half = Interval.of(Fraction(1, 2), x.bits)
        return Interval((half - size / 2).low, (half + size / 2).high, x.bits)
    tail = density(size) * mills(size)
    return tail if x.high[0] <= 0 else 1 - tail


def profile(epsilon: Number, mu: Interval) -> Interval:
    """δ(ε) = Φ(μ/2 - ε/μ) - e^ε·Φ(-μ/2 - ε/μ), the smallest δ of N(0,1) against N(μ,1). It rises with μ ≥ 0."""
    if mu.is_zero():
        return mu
    x, y = epsilon / mu - mu / 2, epsilon / mu + mu / 2
    # e^ε·φ(y) = φ(x): with Mills' ratios neither term over- or underflows, and no digit is lost where δ is tiny
    if x.low[0] >= 0:
        return density(x) * (mills(x) - mills(y))
    return at_most(-x) - density(abs(x)) * mills(y)


def e_to(x: Fraction, bits: int) -> Interval:
    """e^x"""
    return exp(Interval.of(x, bits)) if x >= 0 else exp_minus(Interval.of(-x, bits))
