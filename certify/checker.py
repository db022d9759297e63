"""Verify a Plumbline certificate with nothing but Python (3.11 or later).

    python checker.py CERTIFICATE [--digest HEX] [--key PUB.pem ...] [--threshold N] [--subject FILE ...] [--date DAY]
                                  [--work N]
    python checker.py ERASURE_RECORD --certificate CERTIFICATE [...]

This file may be copied alone to another machine. Checking signatures (--key), and only that, needs `cryptography` too.

    --digest HEX     the SHA-256 that the canonical run must have
    --key PUB.pem    an Ed25519 public key (PEM) whose signature is wanted; may be repeated
    --threshold N    how many different keys among these must have signed; all of them, unless given
    --subject FILE   a file that the certificate must be about (model.npy, run_record.json); may be repeated
    --certificate CERTIFICATE    of an erasure record: the certificate that it names
    --date DAY       YYYY-MM-DD: what has expired by the end of that day, UTC, has expired; now, unless given
    --work N         how much work may be done, in units of about a microsecond; 16000000, unless given

A certificate (format: docs/certificate.md) carries a run, a claim about it, and a proof. This file believes none of it:
it restates the theorems, derives from the run what each step of the proof must say, and computes every bound again in
integer arithmetic that rounds outward. Floating point chooses grids, of which any would do, where a certificate brings
none, and decides nothing; an undecided comparison is a refusal. What it cannot check, it prints: the assumptions under
which the claim holds, and a lower bound that it could not confirm. It never says that a deployed system is private.
What was run, and what pictures are drawn from, are the producer's word: of these it checks the shape, and that they
agree with the run.
An erasure record is verified with the certificate that it names, which must have the same entry; without it the record
is only known to be whole.

    verify(data: bytes, digest: str | None = None, *, keys: Sequence[bytes] = (), threshold: int | None = None,
           subjects: Sequence[str] = (), now: datetime | None = None, certificate: bytes | None = None,
           work: int = WORK) -> Report                     raises Malformed, Mismatch, DoesNotFollow, OutOfWork

    exit 0   verified, and the claim is CERTIFIED
    exit 1   verified, but the claim is NOT_CERTIFIED; or the claim does not follow, or has expired   (DoesNotFollow)
    exit 2   malformed input, or wrong usage                                                          (Malformed)
    exit 3   verified, and the claim is INDETERMINATE; an erasure record without its certificate; the work that
             may be done is used up, and nothing was decided                                          (OutOfWork)
    exit 4   a digest, a subject or a signature does not match                                        (Mismatch)
    exit 70  internal error

The eight steps of `verify`, as numbered in docs/certificate.md:
    1 size   2 envelope   3 types   4 subject   5 side conditions   6 recomputation   7 target   8 expiry

Contents: limits, work, numbers, shapes of JSON; the theorems about noisy gradient descent (T1 to T11, T16, T22 to T26)
and about sampled batches (T14, T15, T17 to T20, T27); the canonical run and what it implies; signatures, side
conditions, recomputation, figures; command line.
"""

# Written from certify/checking/ by docs/generate.py: edit the parts, then run `python docs/generate.py`.

from __future__ import annotations

import base64
import binascii
import decimal
import hashlib
import json
import math
import os
import re
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fractions import Fraction
from functools import cache, cached_property, cmp_to_key, lru_cache, partial
from itertools import accumulate, pairwise
from math import isqrt
from typing import Any, BinaryIO, TypeVar

# --- Limits, and the ways to refuse. ---------------------------------------------------------------------------------
WORK = 16_000_000  # units that may be spent, see *Work*
MAX_BYTES = 16 * 2**20
MAX_NESTING = 32
MAX_NUMBER = 400  # characters
MAX_DERIVED = 2000  # bits of the numerator and the denominator of a number that is compared with such a text
PRECISIONS = (128, 256, 512, 1024, 2048, 4096, 8192)  # bits, tried in turn until a comparison is decided
MAX_EXACT = 2**16  # bits of c^steps up to which an undecided comparison is settled in exact rationals
MAX_POINTS = 1_000_000  # points of one schedule that are looked at one by one (only c > 1 needs many)
MAX_EXCURSIONS = 100_000  # of T26
MAX_BATCHES = 100_000  # batches with differing records
MAX_POSITIONS = 20_000  # batches that are looked at when their order is secret
MAX_SUM_BITS = 512  # precision up to which a sum over them is compared
MAX_STEPS = 2**128
LOSS_DIGITS = 18  # significant digits to which an irrational constant of a loss is rounded up
MAX_LOG_GROWTH = 100  # of e^(X·R), Poisson regression
MAX_RANGE_STEPS = 20_000  # steps of T24
MAX_NODES = 2**18  # T19: of the grid of one step
MAX_SAMPLED = 10**7  # sampled steps
MAX_GROUPS = 16  # different sampled releases
MAX_GROUP = 128  # records of a group that have coins of their own
MAX_ORDER = 512  # T18
MAX_ORDERS = 32
MAX_REACH = 600  # losses of one step beyond ±600 are given away
MAX_EPSILON = 10_000
ONE_WAY = 30  # ε from which on the two directions are looked at one by one
FEW_STEPS = 2000  # up to which finer grids are tried for a lower bound
MAX_GRID_DIGITS = 1000  # of a grid that a certificate brings
MAX_HALVINGS = 64
MAX_DIGITS = 60  # of 1/delta
MAX_SIGNATURES = 32  # and keys
MAX_KEY = 2**16  # bytes of a key file
MAX_FIGURE = 200  # points of a picture
CERTIFICATE = "urn:plumbline-dp:certificate:v2"
ERASURE = "urn:plumbline-dp:erasure:v2"
EARLIER = {  # predicate types that this checker does not read -> what does
    "urn:plumbline-dp:certificate:v1": "plumbline-dp 0.1",
    "urn:plumbline-dp:erasure:v1": "plumbline-dp 0.1",
}

class CheckError(Exception):
    """A certificate that is refused. `steps` are the report's lines up to the failure."""
    exit_code = 70
    steps: tuple[str, ...] = ()

class Malformed(CheckError):
    """The input is no certificate at all, or an option is wrong."""
    exit_code = 2

class Mismatch(CheckError):
    """The bytes, the run or a file are not those that a digest names, or not signed by those who should have."""
    exit_code = 4

class DoesNotFollow(CheckError):
    """The certificate is intact, but what it claims does not follow."""
    exit_code = 1

class OutOfWork(CheckError):
    """The work that may be done is used up: nothing was decided."""
    exit_code = 3

class Undecided(Exception):
    """Two enclosures overlap: the comparison needs more precision."""

def require(condition: bool, message: str) -> None:
    """A side condition or a conclusion: it holds, or the claim does not follow."""
    if not condition:
        raise DoesNotFollow(message)

# --- Work. -----------------------------------------------------------------------------------------------------------
# A short certificate can ask for much. So work is counted, in units of about a microsecond: an operation on intervals,
# or a step of a loop that has none. What takes longer counts more, by the length of its numbers. Units are counted,
# not seconds measured: the same certificate takes the same work on every machine, and in every order.
F = TypeVar("F", bound=Callable[..., Any])

class Meter:
    """How much was spent, of how much."""
    __slots__ = ("limit", "spent", "whole")

    def __init__(self, limit: int) -> None:
        self.limit = self.whole = limit
        self.spent = 0

    def spend(self, units: int) -> None:
        self.spent += units
        if self.spent > self.limit:
            self.spent = self.limit  # what would have taken more is not done
            problem = f"the work that may be done ({self.whole} units) is used up, and nothing was decided"
            raise OutOfWork(f"{problem}; --work N allows for more")

_REMEMBERED: list[Callable[..., Any]] = []  # functions that keep their results

def remembered(function: F) -> F:
    """What a function with a cache is decorated with, so that each certificate begins without what others computed."""
    _REMEMBERED.append(function)
    return function

_METER: ContextVar[Meter | None] = ContextVar("_METER", default=None)

def spend(units: int) -> None:
    """Count work, while something is verified."""
    meter = _METER.get()
    if meter is not None:
        meter.spend(units)

@contextmanager
def budgeted() -> Iterator[None]:
    """With at most half of what is left to spend; what would take more does not follow."""
    meter = _METER.get() or Meter(0)
    before, meter.limit = meter.limit, meter.spent + (meter.limit - meter.spent) // 2
    try:
        yield
    except OutOfWork:
        raise DoesNotFollow("half of the work that was left is used up") from None
    finally:
        meter.limit = before

@contextmanager
def metered(work: int) -> Iterator[Meter]:
    """With a meter; with that of the certificate whose erasure record is verified, if there is one."""
    outer = _METER.get()
    if outer is not None:
        yield outer
        return
    for function in _REMEMBERED:  # else the work of one certificate would hang on those before it
        function.cache_clear()
    token = _METER.set(Meter(work))
    try:
        yield _METER.get()
    finally:
        _METER.reset(token)

# --- Intervals with dyadic ends: every result contains what it stands for. -------------------------------------------
Dyadic = tuple[int, int]  # (mantissa, exponent) stands for mantissa · 2**exponent

def _rounded(number: Dyadic, bits: int, up: bool) -> Dyadic:
    """The number rounded down (or up) to a mantissa of about `bits` bits."""
    mantissa, exponent = number
    extra = mantissa.bit_length() - bits
    if extra <= 0:
        return number
    return (-(-mantissa >> extra) if up else mantissa >> extra), exponent + extra  # >> rounds down

def _compare(x: Dyadic, y: Dyadic) -> int:
    """-1, 0 or 1; exact, and cheap however far apart the exponents are."""
    (m, e), (n, f) = x, y
    if m == 0 or n == 0 or (m > 0) != (n > 0):
        return ((m > 0) - (m < 0)) - ((n > 0) - (n < 0))
    magnitude = (m.bit_length() + e) - (n.bit_length() + f)
    if magnitude:
        return 1 if (magnitude > 0) == (m > 0) else -1
    m, n = m << max(e - f, 0), n << max(f - e, 0)  # equal magnitudes: the shift is no longer than a mantissa
    return (m > n) - (m < n)

def _sum(x: Dyadic, y: Dyadic, bits: int, up: bool) -> Dyadic:
    """x + y, rounded down or up."""
    if x[0] == 0 or y[0] == 0:
        return _rounded(y if x[0] == 0 else x, bits, up)
    (m, e), (n, f) = (x, y) if x[1] >= y[1] else (y, x)
    if n.bit_length() + f < e - 2 * bits:  # out of sight: replace it by the sliver that rounds the same way
        n, f = ((n > 0) if up else -(n < 0)), e - 2 * bits
    return _rounded(((m << (e - f)) + n, f), bits, up)

def _quotient(x: Dyadic, y: Dyadic, bits: int, up: bool) -> Dyadic:
    """x / y for y > 0, rounded down or up."""
    (m, e), (n, f) = x, y
    shift = max(0, bits + 1 + n.bit_length() - m.bit_length())
    quotient = -((-m << shift) // n) if up else (m << shift) // n
    return _rounded((quotient, e - f - shift), bits, up)

_by_value = cmp_to_key(_compare)

class Interval:
    """All real numbers from `low` to `high`, both dyadic. Every result contains what it stands for.

    Operations round outward to `bits` bits, relatively: no underflow, no overflow. A comparison is answered only when
    it holds, or fails, for all members; else it raises `Undecided`. Integers and fractions are enclosed on the fly.
    """
    __slots__ = ("bits", "high", "low")

    def __init__(self, low: Dyadic, high: Dyadic, bits: int) -> None:
        self.low, self.high, self.bits = low, high, bits

    @classmethod
    def of(cls, value: int | Fraction, bits: int) -> Interval:
        if value.denominator == 1:
            whole = (value.numerator, 0)
            spend(1 + (value.numerator.bit_length() >> 10))
            return cls(_rounded(whole, bits, False), _rounded(whole, bits, True), bits)
        ratio = (value.numerator, 0), (value.denominator, 0)
        length = value.numerator.bit_length() + value.denominator.bit_length()
        spend(3 + ((bits + length) * (bits + length) >> 20))
        return cls(_quotient(*ratio, bits, False), _quotient(*ratio, bits, True), bits)

    def _lift(self, other: Interval | int | Fraction) -> Interval:
        return other if isinstance(other, Interval) else Interval.of(other, self.bits)

    def __add__(self, other: Interval | int | Fraction) -> Interval:
        y, bits = self._lift(other), self.bits
        spend(2 + (bits >> 10))
        return Interval(_sum(self.low, y.low, bits, False), _sum(self.high, y.high, bits, True), bits)

    def __neg__(self) -> Interval:
        return Interval((-self.high[0], self.high[1]), (-self.low[0], self.low[1]), self.bits)

    def __sub__(self, other: Interval | int | Fraction) -> Interval:
        return self + -self._lift(other)

    def __rsub__(self, other: int | Fraction) -> Interval:
        return self._lift(other) + -self

    def __mul__(self, other: Interval | int | Fraction) -> Interval:
        y, bits = self._lift(other), self.bits
        spend(2 + (bits >> 9) + (bits * bits >> 19))
        (a, i), (b, j), (c, k), (d, m) = self.low, self.high, y.low, y.high
        if a >= 0 and c >= 0:
            low, high = (a * c, i + k), (b * d, j + m)
        else:
            products = sorted(((a * c, i + k), (a * d, i + m), (b * c, j + k), (b * d, j + m)), key=_by_value)
            low, high = products[0], products[-1]
        return Interval(_rounded(low, bits, False), _rounded(high, bits, True), bits)

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Interval | int | Fraction) -> Interval:
        y, bits = self._lift(other), self.bits
        if y.low[0] <= 0:
            raise Undecided  # only positive divisors occur: more precision will tell
        spend(3 + (bits >> 8) + (bits * bits >> 18))
        low = _quotient(self.low, y.high if self.low[0] >= 0 else y.low, bits, False)
        high = _quotient(self.high, y.low if self.high[0] >= 0 else y.high, bits, True)
        return Interval(low, high, bits)

    def __rtruediv__(self, other: int | Fraction) -> Interval:
        return self._lift(other) / self

    def __abs__(self) -> Interval:
        if self.low[0] >= 0:
            return self
        return -self if self.high[0] <= 0 else Interval((0, 0), max((-self).high, self.high, key=_by_value), self.bits)

    def sqrt(self) -> Interval:
        """Square root of a quantity that is known not to be negative."""
        spend(7 + (self.bits >> 7) + (self.bits * self.bits >> 18))

        def root(number: Dyadic, up: bool) -> Dyadic:
            mantissa, exponent = number
            if mantissa <= 0:
                return 0, 0
            shift = max(0, 2 * self.bits + 2 - mantissa.bit_length())
            shift += (exponent - shift) % 2
            value = isqrt(mantissa << shift)
            value += up and value * value != mantissa << shift
            return _rounded((value, (exponent - shift) // 2), self.bits, up)

        return Interval(root(self.low, False), root(self.high, True), self.bits)

    def __le__(self, other: Interval | int | Fraction) -> bool:
        y = self._lift(other)
        if _compare(self.high, y.low) <= 0:
            return True
        if _compare(self.low, y.high) > 0:
            return False
        raise Undecided

    def __ge__(self, other: Interval | int | Fraction) -> bool:
        return self._lift(other) <= self

    def __gt__(self, other: Interval | int | Fraction) -> bool:
        return not self <= other

    def __lt__(self, other: Interval | int | Fraction) -> bool:
        return not self._lift(other) <= self

    def is_tight(self, bits: int) -> bool:
        """No wider than 2^-bits of its size."""
        width = _sum(self.high, (-self.low[0], self.low[1]), self.bits, True)
        return _compare(width, (self.low[0], self.low[1] - bits)) <= 0

    def is_zero(self) -> bool:
        """Exactly zero: no member besides 0."""
        return self.low[0] == 0 == self.high[0]

Number = Interval | Fraction

def smaller(x: Number, y: Number) -> Number:
    """The minimum; never undecided, because the minimum of two intervals is an interval."""
    if isinstance(x, Fraction):
        return min(x, y)
    spend(3)
    return Interval(min(x.low, y.low, key=_by_value), min(x.high, y.high, key=_by_value), x.bits)

def decide(question: Callable[[int], bool], what: str) -> bool:
    """The answer to `question(bits)` at the first precision that decides it."""
    for bits in PRECISIONS:
        try:
            return question(bits)
        except Undecided:
            continue
    raise DoesNotFollow(f"{what}: not decided with {PRECISIONS[-1]} bits")

def larger(x: Interval, y: Interval) -> Interval:
    """The maximum; never undecided."""
    return -smaller(-x, -y)

# --- Exact numbers: how certificates write them, and irrational ones rounded up. -------------------------------------
def number(value: int | Fraction, bits: int | None) -> Number:
    """The rational `value` as a number to compute with."""
    if bits is not None:
        return Interval.of(value, bits)
    value = Fraction(value)
    spend_exactly(value)
    return value

def spend_exactly(*values: Number) -> None:
    """Count an operation on fractions, whose common factors are looked for: the square of their length."""
    length = 0
    for value in values:
        if isinstance(value, Fraction):
            length += value.numerator.bit_length() + value.denominator.bit_length()
    if length:
        spend(1 + (length * length >> 18))

def last_place(square: Fraction, digits: int = LOSS_DIGITS) -> Fraction:
    """The unit of sqrt(square) > 0 in the last of so many significant digits."""
    size = 0
    while square >= Fraction(100) ** size:
        size += 1
    while square < Fraction(100) ** (size - 1):
        size -= 1
    return Fraction(10) ** (size - digits)

def least_decimal(value: Fraction) -> Fraction:
    """The least decimal of so many digits that is not below a positive number."""
    unit = last_place(value**2)
    return -(-value // unit) * unit

def root_rounded_up(square: Fraction, digits: int = LOSS_DIGITS) -> Fraction:
    """The least decimal of so many digits that is not below sqrt(square), exactly; square > 0."""
    unit = last_place(square, digits)
    units = square / unit**2
    root = isqrt(units.numerator // units.denominator)
    return (root + (root * root != units)) * unit

def rounded_up(enclosed: Callable[[int], Interval], what: str) -> Fraction:
    """A positive irrational number as that decimal: both ends of a narrow enough enclosure agree on it."""
    for bits in PRECISIONS:
        interval = enclosed(bits)
        low, high = (least_decimal(m * Fraction(2) ** e) for m, e in (interval.low, interval.high))
        if low == high:
            return low
    raise DoesNotFollow(f"{what}: not decided with {PRECISIONS[-1]} bits")

def canonical(value: Fraction) -> str:
    """An exact number as certificates write it: an integer, a finite decimal, or p/q in lowest terms."""
    p, q = value.numerator, value.denominator
    long = "a derived number is too long to be written down"
    require(max(p.bit_length(), q.bit_length()) <= MAX_DERIVED, long)
    spend(1 + (q.bit_length() >> 3))
    twos = (q & -q).bit_length() - 1
    rest, fives = q >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    require(rest != 1 or places <= MAX_NUMBER, long)  # Python writes down no integers that are much longer
    if rest != 1 or places == 0:
        return str(p) if q == 1 else f"{p}/{q}"
    digits = str(p * 10**places // q).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"

# --- Powers and geometric sums; `bits` None means exact. -------------------------------------------------------------
@remembered
@lru_cache(maxsize=2**16)
def power(c: Fraction, n: int, bits: int | None) -> Number:
    """c^n by repeated squaring; 0^0 = 1."""
    if n == 0 or c == 1:
        return number(1, bits)
    half = power(c, n // 2, bits)
    spend_exactly(half, half)
    return half * half * number(c, bits) if n % 2 else half * half

@remembered
@lru_cache(maxsize=2**16)
def geometric(c: Fraction, stride: int, n: int, bits: int | None) -> Number:
    """Σ_{i<n} (c^stride)^i by doubling: no subtraction, so c = 1 and c close to 1 are nothing special."""
    if n == 0 or c == 1:
        return number(n, bits)
    if n % 2:
        return geometric(c, stride, n - 1, bits) * power(c, stride, bits) + number(1, bits)
    half = geometric(c, stride, n // 2, bits)
    spend_exactly(half, half)
    return half * (number(1, bits) + power(c, stride * (n // 2), bits))

def to_the(x: Interval, n: int) -> Interval:
    """x^n by repeated squaring, n ≥ 0."""
    result = Interval.of(1, x.bits)
    for digit in bin(n)[2:]:
        result = result * result
        if digit == "1":
            result = result * x
    return result

# --- exp, log, π and the normal tail. --------------------------------------------------------------------------------
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

# --- Fixed point: log and Φ, to within two units 2^-bits. ------------------------------------------------------------
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

# --- Reading JSON, and the shape of its values. ----------------------------------------------------------------------
def is_deep(text: str) -> bool:
    """Whether brackets are nested too deeply, before the first character that is no JSON.

    One pass: with escaped characters left out, every other piece between quotes is outside of strings. A backslash
    outside of a string is no JSON, so nothing after it counts.
    """
    depth = 0
    for outside in re.sub(r"\\.", "", text, flags=re.DOTALL).split('"')[::2]:
        for bracket in re.finditer(r"[\[\]{}]", outside):
            depth += 1 if bracket[0] in "[{" else -1
            if depth > MAX_NESTING:
                return True
    return False

def read_json(data: bytes, what: str) -> Any:
    """Strict JSON: UTF-8, bounded nesting, no duplicate keys, no bare numbers (the format writes them as strings)."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(result := dict(pairs)) < len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))
            raise Malformed(f"{what}: duplicate key {ascii(twice[:60])[:60]}")
        return result

    def bare(text: str) -> None:
        raise Malformed(f"{what}: bare number {text[:20]}; numbers are written as strings")

    try:
        spend(1 + len(data) // 8)
        text = data.decode("utf-8")
        if is_deep(text):
            raise Malformed(f"{what}: nested more than {MAX_NESTING} deep")
        value = json.loads(text, object_pairs_hook=unique, parse_int=bare, parse_float=bare, parse_constant=bare)
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # no half surrogate pairs
    except UnicodeError:
        raise Malformed(f"{what}: not valid UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{what}: not valid JSON ({error})") from None
    return value

def pattern(regex: str, meaning: str) -> Callable[[Any, str], None]:
    compiled = re.compile(regex)

    def shape(value: Any, where: str) -> None:
        if not isinstance(value, str) or len(value) > MAX_NUMBER or not compiled.fullmatch(value):
            raise Malformed(f"{where}: needs {meaning}, got {ascii(value)[:60]}")

    shape.__doc__ = meaning
    return shape

def one_of(*values: Any) -> Callable[[Any, str], None]:
    texts = frozenset(value for value in values if isinstance(value, str))
    others = [value for value in values if not isinstance(value, str)]

    def shape(value: Any, where: str) -> None:
        if not (value in texts if isinstance(value, str) else any(value is v for v in others)):
            raise Malformed(f"{where}: needs one of {', '.join(map(ascii, values))}, got {ascii(value)[:60]}")

    *most, last = (f"`{json.dumps(value)}`" for value in values)
    shape.__doc__ = f"{', '.join(most)} or {last}" if most else last
    return shape

def optional(inner: Any) -> Callable[[Any, str], None]:
    def shape(value: Any, where: str) -> None:
        """Or null."""
        if value is not None:
            check_shape(value, inner, where)

    return shape

def newer(shape: Any, default: Any) -> Callable[[Any, str], None]:
    """A `key?` of the canonical run that came later: absent where it has its default, so that digests stay."""

    def differing_shape(value: Any, where: str) -> None:
        if value == default:
            raise Malformed(f"{where}: has its default value; the canonical run leaves it out")
        check_shape(value, shape, where)

    return differing_shape

def check_shape(value: Any, shape: Any, where: str) -> None:
    """`shape`: an object with exactly these keys (but for `key?`, which may be absent), [shape of every entry],
    (shape, …) of fixed length, or a function."""
    spend(1)
    if callable(shape):
        shape(value, where)
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            raise Malformed(f"{where}: needs an object")
        known = {key.removesuffix("?"): inner for key, inner in shape.items()}
        for key in sorted(value.keys() ^ known.keys()):
            if f"{key}?" not in shape:
                raise Malformed(f"{where}: {'missing' if key in shape else 'unknown'} key {ascii(key)[:60]}")
        for key, inner in known.items():
            if key in value:
                check_shape(value[key], inner, f"{where}.{key}")
    else:
        if not isinstance(value, list) or (isinstance(shape, tuple) and len(value) != len(shape)):
            raise Malformed(f"{where}: needs a list" + (f" of {len(shape)}" if isinstance(shape, tuple) else ""))
        for i, entry in enumerate(value):
            check_shape(entry, shape[0] if isinstance(shape, list) else shape[i], f"{where}[{i}]")

integer = pattern(r"0|[1-9][0-9]*", "an integer in a string")
_exact = pattern(r"(0|[1-9][0-9]*)([.][0-9]+|/[1-9][0-9]*)?", "an exact number in a string")
_rounded_decimal = pattern(r"(0|[1-9][0-9]*)([.][0-9]+)?(e[+-]?[0-9]{1,4})?", "a decimal in a string")
hexadecimal = pattern(r"[0-9a-f]{64}", "64 lower-case hexadecimal digits")

def exact(value: Any, where: str) -> None:
    """An exact number."""
    _exact(value, where)
    if canonical(Fraction(value)) != value:
        raise Malformed(f"{where}: {value[:60]} is not in canonical form")

def rounded(value: Any, where: str) -> None:
    """A bound, as a decimal."""
    _rounded_decimal(value, where)
    if len(value.partition("e")[0].replace(".", "").strip("0")) > 15:
        raise Malformed(f"{where}: more than fifteen significant digits")

def date(value: Any, where: str) -> None:
    pattern(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z", "a time like 2026-11-21T22:00:00Z")(value, where)
    try:
        datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise Malformed(f"{where}: no such time: {value}") from None

def day(value: Any, where: str) -> None:
    pattern(r"[0-9]{4}(-[0-9]{2}){2}", "a day like 2026-11-21")(value, where)
    date(f"{value}T00:00:00Z", where)

def moment(value: str) -> datetime:
    """The time that a well-formed date stands for."""
    return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)

def end_of(value: str) -> datetime:
    """The last second of a day, UTC."""
    day(value, "--date")
    return moment(f"{value}T23:59:59Z")

def anything(value: Any, where: str) -> None:
    """Looked at elsewhere."""

def text(value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise Malformed(f"{where}: needs a string")

def attestation(value: Any, where: str) -> None:
    """Free text about who answers for what: objects, lists, strings, null. Digested; nothing depends on it."""
    if isinstance(value, dict):
        value = list(value.values())
    elif value is not None and not isinstance(value, list | str):
        raise Malformed(f"{where}: needs text, lists and objects only")
    for entry in value if isinstance(value, list) else ():
        attestation(entry, where)

def named_or_exact(*names: str) -> Callable[[Any, str], None]:
    return lambda value, where: None if value in names else exact(value, where)

def named(name_of: Callable[[Any, str], None], inner: Any) -> Callable[[Any, str], None]:
    """An object with any names of a form, and entries of one shape."""

    def shape(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise Malformed(f"{where}: needs an object")
        for key, entry in value.items():
            name_of(key, f"{where}: its key")
            check_shape(entry, inner, f"{where}.{key}")

    return shape

# --- Rules: what a step of a proof may be. ---------------------------------------------------------------------------
# Each theorem is declared next to its mathematics: the shape of its arguments, that of what it concludes, and how a
# step by it is checked.
Cut = tuple[int, int]  # of a training run's batches: (records of the larger dataset, less one; max_batch_size)

@dataclass(frozen=True)
class Step:
    """A step that is computed again. `given`: what its premises stand for."""
    theorem: str
    args: dict[str, Any]
    concludes: dict[str, Any]
    given: list[Any]
    name: str  # in messages
    below: bool = False  # a premise is a lower bound
    cut: Cut | None = None

    def argument(self, key: str) -> Fraction:
        return Fraction(self.args[key])

    def stated(self, key: str) -> Fraction:
        return Fraction(self.concludes[key])

    def follows(self, key: str, holds: bool) -> None:
        """What is stated is on the right side of what was computed."""
        require(holds, f"{self.name}: the stated {key} does not follow")

    def decided(self, key: str, question: Callable[[int], bool]) -> None:
        self.follows(key, decide(question, self.name))

    def equal(self, derived: dict[str, Any]) -> dict[str, Any]:
        """What is stated is what was computed, digit by digit."""
        for key, value in derived.items():
            shown = canonical(value) if isinstance(value, Fraction) else value
            require(self.concludes[key] == shown, f"{self.name}: {key} is {shown}, not {self.concludes[key]}")
        return derived

@dataclass(frozen=True)
class Rule:
    """A theorem, as a step of a proof states it.

    `check` refuses a conclusion that does not follow from the premises' values, and returns what later steps need: that
    is constants, a timeline, μ² as a function of bits, or (of a bound of ε) δ as a function of ε and bits, from below
    where it is not exact. A step is checked against the exact bound of its premise, not against the decimal written
    there.
    """
    id: str
    name: str
    arguments: dict[str, Any]
    concludes: dict[str, Any]
    check: Callable[[Step], Any]
    premises: str = "–"  # in words, and what the shapes do not say; for docs/certificate.md
    remarks: str = ""
    lower: bool = False  # it bounds from below
    free: Set[str] = frozenset()  # the arguments that a proof may choose; all others must be those that the run implies
    string: bool = False  # it bounds μ along a timeline
    may_fail: bool = False  # it returns whether it was confirmed, and is tried with the work that all others leave

RULES: dict[str, Rule] = {}  # by id

def declare(*rules: Rule) -> None:
    for rule in rules:
        if rule.id in RULES:
            raise ValueError(f"{rule.id} is declared twice")
        RULES[rule.id] = rule

# --- Constants of the losses: L1 to L7b. -----------------------------------------------------------------------------
LOSSES = {  # kind -> (theorem, what it takes for granted)
    "logistic": ("L1", ("feature_norm",)),
    "least-squares": ("L2", ("features", "target_bound", "domain")),
    "huber": ("L3", ("features",)),
    "smoothed-hinge": ("L4", ("feature_norm",)),
    "poisson": ("L5", ("features", "counts", "domain")),
    "softmax": ("L6", ("features", "classes")),
    "clipped": ("L7", ()),
}

Constants = dict[str, Any]  # smoothness (None if unknown), strong_convexity, gradient_bound; convex is a bool

def read_exact(args: dict[str, Any]) -> dict[str, Any]:
    return {key: None if value is None else Fraction(value) for key, value in args.items()}

def linear_model(theorem: str, args: dict[str, Any], name: str) -> Constants:
    """L1u to L5u. A data loss a(⟨x,θ⟩), |x| ≤ X, with a convex: its gradient a'·x has norm at most `gradient_bound`
    and slope a''·|x|² at most `curvature`, and at most growth·|a'·x| + floor (None: no such bound).
    """
    values = read_exact(args)
    x, radius, growth, floor = values["feature_norm"], values.get("radius"), None, Fraction(0)
    require(x > 0, f"{name}: needs feature_norm > 0")
    require(radius is None or radius > 0, f"{name}: needs radius > 0")
    match theorem:
        case "L1u":  # |a'| < 1, a'' = |a'|·(1 - |a'|) ≤ 1/4
            curvature, bound, growth = x**2 / 4, x, x
        case "L2u":  # a' = z - y, |z| ≤ X·R, |y| ≤ Y; a'' = 1
            curvature = x**2
            bound = None if radius is None else x * (x * radius + values["target_bound"])
        case "L3u":  # a' = z - y cut off at the threshold; a'' is 1 or 0
            require(values["threshold"] > 0, f"{name}: needs threshold > 0")
            curvature, bound = x**2, values["threshold"] * x
        case "L4u":  # a' rises from -1 to 0 over an interval of length γ
            require(values["smoothing"] > 0, f"{name}: needs smoothing > 0")
            curvature, bound = x**2 / values["smoothing"], x
        case "L5u":  # a' = e^z - y, 0 ≤ y ≤ Y, a'' = e^z: at most y + |a'| anywhere, at most e^(X·R) in the ball
            curvature, bound, growth, floor = None, None, x, x**2 * values["target_bound"]
            if radius is not None:
                require(x * radius <= MAX_LOG_GROWTH, f"{name}: needs feature_norm * radius <= {MAX_LOG_GROWTH}")
                most = rounded_up(lambda bits: exp(Interval.of(x * radius, bits)), name)
                curvature, bound = x**2 * most, x * max(most, values["target_bound"] - 1 / most)
    constants = {"curvature": curvature, "gradient_bound": bound, "growth": growth, "floor": floor}
    return {"regularization": values["regularization"]} | constants

def loss_constants(theorem: str, args: dict[str, Any]) -> Constants:
    """L1 to L7b. L, m, M of the data loss of a record plus (m/2)|θ|², its gradient clipped to norm C before that.

    L1 to L5 are a(⟨x,θ⟩), |x| ≤ X, with a convex: the data gradient is a'·x. Clipping replaces a' by the nearest number
    of [-C/|x|, C/|x|]: still not decreasing, so convex, with slopes no larger than a'' is where |a'| ≤ C/|x|.
    In general clipping is 1-Lipschitz, so the gradient stays as Lipschitz as it was, but need not be monotone.
    """
    values = read_exact(args)
    name, m, clip = RULES[theorem].name, values["regularization"], values["clip"]
    require(clip is None or clip > 0, f"{name}: needs clip > 0")
    if theorem in ("L7", "L7b"):  # any loss at all; L7b: the mean gradient of a batch is clipped, not that of a record
        return {"smoothness": None, "strong_convexity": m, "gradient_bound": clip, "convex": False}
    if theorem == "L6":  # gradient (p - e_y) ⊗ x, |p - e_y|² ≤ 2(1 - p_y)²; v'(diag p - pp')v = Var_p(v) ≤ |v|²/2
        x = values["feature_norm"]
        require(x > 0, f"{name}: needs feature_norm > 0")
        require(values["classes"] >= 2, f"{name}: needs two classes")
        convex = clip is None or clip**2 >= 2 * x**2  # else the clip can be active
        bound = root_rounded_up(2 * x**2)
        curvature, bound = x**2 / 2, bound if clip is None else min(bound, clip)
        return {"smoothness": m + curvature, "strong_convexity": m, "gradient_bound": bound, "convex": convex}
    model = linear_model(theorem + "u", args, name)
    bounds = [bound for bound in (clip, model["gradient_bound"]) if bound is not None]  # the least of them counts
    slopes = [] if model["curvature"] is None else [model["curvature"]]
    if theorem == "L5" and clip is not None:  # where unclipped
        slopes.append(model["growth"] * clip + model["floor"])
    require(bool(bounds), f"{name}: needs a clip or a radius")
    return {"smoothness": m + min(slopes), "strong_convexity": m, "gradient_bound": min(bounds), "convex": True}

def check_loss(step: Step) -> Constants:
    return step.equal(loss_constants(step.theorem, step.args))

def check_model(step: Step) -> Constants:
    return step.equal(linear_model(step.theorem, step.args, RULES[step.theorem].name))

CONSTANTS = {"smoothness": exact, "strong_convexity": exact, "gradient_bound": exact, "convex": one_of(True, False)}
ROUGH = CONSTANTS | {"smoothness": one_of(None)}
CLIPPED = {"regularization": exact, "clip": exact}
MODEL = {"regularization": exact, "feature_norm": exact}
MODELLED = dict.fromkeys(("regularization",), exact) | dict.fromkeys(
    ("curvature", "gradient_bound", "growth", "floor"), optional(exact)
)
FEATURES = MODEL | {"clip": optional(exact)}
TARGETS = {"target_bound": exact, "radius": optional(exact)}
OF_THE_RUN = "`radius`: that of the mechanism"

declare(
    Rule("L1", "logistic_constants", FEATURES, CONSTANTS, check_loss),
    Rule("L2", "least_squares_constants", FEATURES | TARGETS, CONSTANTS, check_loss, remarks=OF_THE_RUN),
    Rule("L3", "huber_constants", FEATURES | {"threshold": exact}, CONSTANTS, check_loss),
    Rule("L4", "smoothed_hinge_constants", FEATURES | {"smoothing": exact}, CONSTANTS, check_loss),
    Rule("L5", "poisson_constants", FEATURES | TARGETS, CONSTANTS, check_loss, remarks=OF_THE_RUN),
    Rule("L6", "softmax_constants", FEATURES | {"classes": integer}, CONSTANTS, check_loss),
    Rule("L7", "clipped_constants", CLIPPED, ROUGH, check_loss, remarks="not convex"),
    Rule("L7b", "batch_clipped_constants", CLIPPED, ROUGH, check_loss, remarks="not convex"),
    Rule("L1u", "logistic_model", MODEL, MODELLED, check_model),
    Rule("L2u", "least_squares_model", MODEL | TARGETS, MODELLED, check_model, remarks=OF_THE_RUN),
    Rule("L3u", "huber_model", MODEL | {"threshold": exact}, MODELLED, check_model),
    Rule("L4u", "smoothed_hinge_model", MODEL | {"smoothing": exact}, MODELLED, check_model),
    Rule("L5u", "poisson_model", MODEL | TARGETS, MODELLED, check_model, remarks=OF_THE_RUN),
)

# --- Maps that scale each gradient: the constants of a scaled loss (T16). --------------------------------------------
MAPS = {"clip": (), "auto-s": ("r",), "psac": ("r",), "psasc": ("r", "s")}  # scaling map -> what it needs besides C

@dataclass(frozen=True)
class Scaling:
    """φ(x) = x·w(x), what scaling makes of a gradient of norm x: min(x, C), C·x/(x + r), or C/(s + r/(x(x + r))).

    φ increases, to Δ = C or C/s. (psac is psasc with s = 1.)
    """
    kind: str
    c: Fraction
    r: Fraction
    s: Fraction

    @property
    def limit(self) -> Fraction:
        return self.c / self.s

    def of(self, x: Fraction) -> Fraction:
        """φ(x)"""
        if self.kind == "clip":
            return min(x, self.c)
        if self.kind == "auto-s":
            return self.c * x / (x + self.r)
        return self.c * x * (x + self.r) / (self.s * x * (x + self.r) + self.r)

    @property
    def slope(self) -> Fraction:
        """At least sup φ'. psasc: with u = x(x+r), φ' = C·r·sqrt(r² + 4u)/(su + r)², largest at u = r(1-rs)/(3s), where
        it is C·sqrt(27/(v(4-v)³)), v = rs; from v = 1 on at u = 0, where it is C."""
        if self.kind == "clip":
            return Fraction(1)
        if self.kind == "auto-s":
            return self.c / self.r
        v = min(self.r * self.s, Fraction(1))
        return self.c * root_rounded_up(27 / (v * (4 - v) ** 3))

    @property
    def steepness(self) -> Fraction:
        """At least sup x·φ'(x). auto-s: C·r·x/(x+r)² ≤ C/4; psasc: C·r·(2x² + rx)/(su + r)² ≤ 2C·ru/(4s·ur)."""
        return {"clip": self.c, "auto-s": self.c / 4}.get(self.kind, self.c / (2 * self.s))

def read_scaling(args: dict[str, Any], name: str) -> Scaling:
    """The map of a run's table, or of a step (where the keys that it does not have are null)."""
    kind, c = args["kind"], Fraction(args["max_grad_norm"])
    require(c > 0, f"{name}: needs max_grad_norm > 0")
    for key in ("r", "s"):
        require((args.get(key) is not None) == (key in MAPS[kind]), f"{name}: {kind} and {key} do not go together")
        require(args.get(key) is None or Fraction(args[key]) > 0, f"{name}: needs {key} > 0")
    return Scaling(kind, c, Fraction(args.get("r") or 1), Fraction(args.get("s") or 1))

def scaled_constants(model: Constants, scaling: Scaling) -> Constants:
    """T16. The scaled gradient sign(a')·φ(|a'||x|)·x/|x| of L1u to L5u rises with ⟨x,θ⟩, with slope φ'(t)·(slope of the
    data gradient), t = |a'·x|: it is the gradient of a convex loss. Norms are at most φ(M)."""
    bounds = [] if model["curvature"] is None else [scaling.slope * model["curvature"]]
    if model["growth"] is not None:
        bounds.append(model["growth"] * scaling.steepness + scaling.slope * model["floor"])
    m, bound = model["regularization"], model["gradient_bound"]
    bound = scaling.limit if bound is None else scaling.of(bound)
    return {"smoothness": m + min(bounds), "strong_convexity": m, "gradient_bound": bound, "convex": True}

def check_scaled(step: Step) -> Constants:
    return step.equal(scaled_constants(step.given[0], read_scaling(step.args, "scaled_linear_constants")))

MAP = {"kind": one_of(*MAPS), "max_grad_norm": exact, "r": optional(exact), "s": optional(exact)}

declare(
    Rule("T16", "scaled_linear_constants", MAP, CONSTANTS, check_scaled, "L1u … L5u",
         "`r`, `s`: null where the map has none; always convex"),
)

# --- What one step does to the distance of two runs: C1, T22, T23, and C2. -------------------------------------------
def contraction(step_size: Fraction, strong_convexity: Fraction, smoothness: Fraction) -> Fraction:
    """C1. A noiseless gradient step on an m-strongly convex, L-smooth loss is max(|1-ηm|, |1-ηL|)-Lipschitz."""
    require(step_size > 0, "contraction: needs step_size > 0")
    fits = strong_convexity <= smoothness  # and 0 ≤ m: the format has no signs
    require(fits, "contraction: needs strong_convexity <= smoothness")
    return max(abs(1 - step_size * strong_convexity), abs(1 - step_size * smoothness))

def nonconvex_step(step_size: Fraction, smoothness: Fraction) -> Fraction:
    """T22. A noiseless gradient step on an L-smooth loss, convex or not, is (1+ηL)-Lipschitz."""
    require(step_size > 0, "nonconvex_step: needs step_size > 0")
    return 1 + step_size * smoothness

@dataclass(frozen=True)
class Drift:
    """|φ(x) - φ'(y)| ≤ factor·|x - y| + distance for any two steps φ, φ', whatever their records.

    At x = y it is 0 for equal records. Else it is at most C2 for each record that differs, where each record's gradient
    has the bound; where only the mean gradient of the batch has it (`batch`), the distance again.
    """
    factor: Fraction
    distance: Fraction
    batch: bool = False

def clipped_step(step_size: Fraction, m: Fraction, gradient_bound: Fraction, batch: bool = False) -> Drift:
    """T23, T23b. A step (1-ηm)·x - η·g with |g| ≤ M, g any function of x and of the records: factor 1-ηm, distance
    2ηM."""
    name = "batch_clipped_step" if batch else "clipped_step"
    require(step_size > 0, f"{name}: needs step_size > 0")
    require(step_size * m <= 1, f"{name}: needs step_size * strong_convexity <= 1")
    return Drift(1 - step_size * m, 2 * step_size * gradient_bound, batch)

def gradient_shift(step_size: Fraction, batch_size: int, gradient_bound: Fraction, neighbours: str) -> Fraction:
    """C2. One differing record moves a step by at most 2ηM/b (value replaced) or ηM/b (gradient zeroed)."""
    require(batch_size >= 1, "gradient_shift: needs batch_size >= 1")
    return {"replace-one": 2, "remove-one": 1}[neighbours] * step_size * gradient_bound / batch_size

def variance(phase: dict[str, Any]) -> Fraction:
    """τ² = 2ησ², the variance of the noise of a step."""
    noise_std = Fraction(phase["noise_std"])
    require(noise_std > 0, "requests: needs noise_std > 0")
    return 2 * Fraction(phase["step_size"]) * noise_std**2

def check_factor(step: Step) -> Fraction:
    rule = contraction if step.theorem == "C1" else nonconvex_step
    return step.equal({"contraction": rule(**{key: step.argument(key) for key in step.args})})["contraction"]

def check_drift(step: Step) -> Drift:
    drift = clipped_step(*map(step.argument, CLIPPED_STEP), batch=step.theorem == "T23b")
    step.equal({"contraction": drift.factor, "shift": drift.distance})
    return drift

def check_shift(step: Step) -> Fraction:
    size, bound = int(step.args["batch_size"]), step.argument("gradient_bound")
    shift = gradient_shift(step.argument("step_size"), size, bound, step.args["neighbours"])
    return step.equal({"shift": shift})["shift"]

NEIGHBOURS = one_of("replace-one", "remove-one")
CLIPPED_STEP = {"step_size": exact, "strong_convexity": exact, "gradient_bound": exact}
RATE, DRIFTING = {"contraction": exact}, {"contraction": exact, "shift": exact}
LOSS = "L1 unless the loss is `constants`"

declare(
    Rule("C1", "contraction", {"step_size": exact, "strong_convexity": exact, "smoothness": exact}, RATE,
         check_factor, LOSS),
    Rule("T22", "nonconvex_step", {"step_size": exact, "smoothness": exact}, RATE, check_factor, LOSS),
    Rule("T23", "clipped_step", CLIPPED_STEP, DRIFTING, check_drift, LOSS),
    Rule("T23b", "batch_clipped_step", CLIPPED_STEP, DRIFTING, check_drift, "L7b"),
    Rule("C2", "gradient_shift",
         {"step_size": exact, "batch_size": integer, "gradient_bound": exact, "neighbours": NEIGHBOURS},
         {"shift": exact}, check_shift, LOSS, "of one differing record"),
)

# --- Two runs side by side: phases, and what stretches of steps do (T10). --------------------------------------------
Moment = tuple[int, int]  # (block, steps done in it)

@dataclass(frozen=True)
class Phase:
    """Equal epochs. A step takes the distance w of two runs to factor·w + count·shift, with noise variance `noise`.

    In a phase that drifts it takes w > 0 to factor·w + drift, whatever the records, and w = 0 to count·shift.
    """
    epochs: int
    batches: int  # steps in an epoch
    factor: Fraction
    noise: Fraction
    shift: Fraction  # of one differing record
    positions: tuple[int, ...]  # batches with differing records, ascending
    counts: tuple[int, ...]  # how many, at each position
    drift: Fraction | None = None

    @property
    def steps(self) -> int:
        return self.epochs * self.batches

@dataclass(frozen=True)
class Timeline:
    """Two runs side by side: the distance of their starts, the diameter of the domain if there is one, the phases."""
    start: Fraction
    diameter: Fraction | None
    phases: tuple[Phase, ...]
    restart: Moment | None = None  # T5: where the string begins, if not at the start

    @property
    def begin(self) -> Moment:
        return self.restart or (0, 0)

    @property
    def end(self) -> Moment:
        return len(self.phases), 0

def requests(start: Fraction, diameter: Fraction | None, phases: list[Any], factors: list[Any], shift: Any) -> Timeline:
    """T10. The timeline of a request: a step whose batch has `count` differing records shifts by count times C2.

    Each step is c-Lipschitz plus the shift, and adds N(0, τ²I) with τ² = 2ησ². A phase whose factor is a Drift has that
    shift only while the runs are together; once they are apart it drifts, at every step.
    """
    built = []
    for phase, factor, one in zip(phases, factors, shift, strict=True):
        spend(4 + len(phase["records"]))
        epochs, batches, noise = int(phase["epochs"]), int(phase["batches"]), variance(phase)
        positions, counts = (tuple(int(pair[i]) for pair in phase["records"]) for i in (0, 1))
        c, drift = (factor.factor, factor.distance) if isinstance(factor, Drift) else (factor, None)
        both = isinstance(factor, Drift) and factor.batch
        require((one == factor) if both else isinstance(one, Fraction), "requests: batch_clipped_step stands for both")
        if both:  # a batch has one differing record, or more: its mean gradient is another one
            one, counts = drift, (1,) * len(counts)
        fits = drift is None or all(count * one <= drift for count in counts)
        require(fits, "requests: a batch of more records than it can hold")
        built.append(Phase(epochs, batches, c, noise, one, positions, counts, drift))
    require(bool(built), "requests: needs at least one step")
    require(sum(phase.steps for phase in built) <= MAX_STEPS, f"requests: more than {MAX_STEPS} steps")
    return Timeline(start, diameter, tuple(built))

Motion = tuple[Number, Number, Number, Number | None]  # (r, s, q, cap), r ≥ 0: w ← min(r·w + s, cap), v ← r²·v + q

def then(f: Motion | None, g: Motion | None) -> Motion | None:
    """First f, then g: again such a map. None: nothing moves."""
    if f is None or g is None:
        return f or g
    (r1, s1, q1, cap1), (r2, s2, q2, cap2) = f, g
    spend_exactly(r1, s1, q1, r2)
    return r2 * r1, r2 * s1 + s2, r2 * r2 * q1 + q2, None if cap1 is None else smaller(r2 * cap1 + s2, cap2)

def repeated(f: Motion | None, n: int) -> Motion | None:
    """n times f, by doubling."""
    result = None
    while n:
        result, f, n = then(result, f) if n % 2 else result, then(f, f), n // 2
    return result

def moved(motion: Motion | None, w: Number, v: Number) -> tuple[Number, Number]:
    """The distance and the variance afterwards."""
    if motion is None:
        return w, v
    r, s, q, cap = motion
    w = r * w + s
    return w if cap is None else smaller(w, cap), r * r * v + q

@remembered
@lru_cache(maxsize=2**16)
def equal_steps(
    c: Fraction, shift: Fraction, noise: Fraction, cap: Fraction | None, n: int, bits: int | None
) -> Motion | None:
    """n equal steps."""
    if n < 2:
        one = number(c, bits), number(shift, bits), number(noise, bits), None if cap is None else number(cap, bits)
        return one if n else None
    half = equal_steps(c, shift, noise, cap, n // 2, bits)
    return then(then(half, half), equal_steps(c, shift, noise, cap, n % 2, bits))

def stretch(phase: Phase, begin: int, end: int, bits: int | None, cap: Fraction | None = None) -> Motion | None:
    """Steps begin … end-1 of a phase. It takes log(steps) compositions, not steps."""
    c, noise, batches = phase.factor, phase.noise, phase.batches

    def window(first: int, last: int) -> Motion | None:  # within one epoch
        motion, done = None, first
        within = range(bisect_left(phase.positions, first), bisect_left(phase.positions, last))
        spend(1 + len(within))
        for i in within:
            quiet = equal_steps(c, Fraction(0), noise, cap, phase.positions[i] - done, bits)
            shifts = equal_steps(c, phase.counts[i] * phase.shift, noise, cap, 1, bits)
            motion, done = then(then(motion, quiet), shifts), phase.positions[i] + 1
        return then(motion, equal_steps(c, Fraction(0), noise, cap, last - done, bits))

    (first_epoch, first), (last_epoch, last) = divmod(begin, batches), divmod(end, batches)
    if first_epoch == last_epoch:
        return window(first, last)
    whole = last_epoch - first_epoch - 1
    motion = then(window(first, batches), repeated(window(0, batches), whole) if whole else None)
    return then(motion, window(0, last))

def parts(timeline: Timeline, begin: Moment, end: Moment) -> Iterator[tuple[Phase, int, int]]:
    """What lies between two moments, block by block, as (phase, from step, to step)."""
    for block in range(begin[0], min(end[0] + 1, len(timeline.phases))):
        spend(1)
        phase = timeline.phases[block]
        first, last = begin[1] if block == begin[0] else 0, end[1] if block == end[0] else phase.steps
        if first < last:
            yield phase, first, last

def first_shift(phase: Phase, step: int) -> int:
    """The first step from `step` on whose batch has a differing record; the number of steps where there is none."""
    if not phase.positions:
        return phase.steps
    epoch, position = divmod(step, phase.batches)
    i = bisect_left(phase.positions, position)
    following = (epoch, phase.positions[i]) if i < len(phase.positions) else (epoch + 1, phase.positions[0])
    return min(phase.steps, following[0] * phase.batches + following[1])

def shift_at(phase: Phase, step: int) -> Fraction:
    """How far a step takes two runs apart that are together."""
    if first_shift(phase, step) > step:
        return Fraction(0)
    return phase.counts[bisect_left(phase.positions, step % phase.batches)] * phase.shift

def check_requests(step: Step) -> Timeline:
    args, factors, shifts = step.args, step.given[::2], step.given[1::2]
    diameter = args["diameter"] and step.argument("diameter")
    timeline = requests(step.argument("start"), diameter, args["phases"], factors, shifts)
    step.equal({"steps": Fraction(sum(phase.steps for phase in timeline.phases))})
    return timeline

PHASE = {"epochs": integer, "batches": integer, "step_size": exact, "noise_std": exact, "records": [(integer, integer)]}
MOMENT = {"block": integer, "epoch": integer, "position": integer}

declare(
    Rule("T10", "requests", {"start": exact, "diameter": optional(exact), "phases": [PHASE]}, {"steps": integer},
         check_requests, "for each phase two: C1, C2 or T22, C2 or T23, C2 or T23b, the same T23b",
         "`diameter` = 2R, if there is a radius; `records`: [position, count]; `steps`: total number"),
)

# --- How far two runs are apart: T1. ---------------------------------------------------------------------------------
def wasserstein_tracking(timeline: Timeline, moment: Moment, bits: int | None) -> Number:
    """T1. W∞ of the two runs at a moment: w ← c·w + s, at most the diameter after a projected step; where a phase
    drifts, w ← s while w = 0, and from then on w ← c·w + d."""
    cap, w, nothing = timeline.diameter, number(timeline.start, bits), number(0, bits)
    if cap is not None:
        w = smaller(w, number(cap, bits))  # both starts lie in the ball
    for phase, begin, end in parts(timeline, (0, 0), moment):
        if phase.drift is None:
            motion = stretch(phase, begin, end, bits, cap)
        elif not (w.is_zero() if isinstance(w, Interval) else w == 0):
            motion = equal_steps(phase.factor, phase.drift, phase.noise, cap, end - begin, bits)
        else:  # apart from the first step with a shift on
            first = first_shift(phase, begin)
            if first >= end:
                continue
            shift = equal_steps(phase.factor, shift_at(phase, first), phase.noise, cap, 1, bits)
            motion = then(shift, equal_steps(phase.factor, phase.drift, phase.noise, cap, end - first - 1, bits))
        w, _ = moved(motion, w, nothing)
    return w

def check_distance(step: Step) -> None:
    count, stated = int(step.args["phases"]), step.stated("wasserstein")
    step.decided("wasserstein", lambda bits: wasserstein_tracking(step.given[0], (count, 0), bits) <= stated)

declare(
    Rule("T1", "wasserstein_tracking", {"phases": integer}, {"wasserstein": rounded}, check_distance, "T10",
         "`phases`: how many leading ones"),
)

# --- Straight schedules: the taut string, T3 and T5. -----------------------------------------------------------------
SquaredMu = Callable[[int], Interval]  # μ², at so many bits
Distance = Callable[[int | None], Number]

@dataclass(frozen=True)
class Leg:
    """Steps first … last-1 of a phase; whether they drift, on an excursion of T26, or shift by their records alone."""
    phase: Phase
    first: int
    last: int
    drifts: bool = False

    def travel(self, bits: int | None, begin: int, end: int) -> Motion | None:
        """What some of its steps do."""
        if not self.drifts:
            return stretch(self.phase, begin, end, bits)
        return equal_steps(self.phase.factor, self.phase.drift, self.phase.noise, None, end - begin, bits)

    def before_shifts(self, first: int) -> list[int]:
        """The moments from step `first` on just before a shift, where z is to be looked at: for each position the first
        and the last, or (c > 1) all."""
        positions, batches, looked_at, epochs = self.phase.positions, self.phase.batches, 0, []
        spend(len(positions))
        for position in positions:
            earliest, latest = -((position - first) // batches), (self.last - 1 - position) // batches
            epochs.append(range(earliest, latest + 1, max(1, latest - earliest) if self.phase.factor <= 1 else 1))
            looked_at += max(0, len(epochs[-1]) - 1)
            require(looked_at <= MAX_POINTS, f"taut_string: more than {MAX_POINTS} points to look at")
            spend(max(0, len(epochs[-1]) - 1))
        return sorted(e * batches + position for position, those in zip(positions, epochs, strict=True) for e in those)

@dataclass(frozen=True)
class Straight:
    """One straight piece of a schedule: from a distance of the two runs, over these legs, to 0."""
    distance: Distance
    legs: tuple[Leg, ...]

    def ends(self, bits: int | None) -> tuple[Number, Number]:
        """(w, v) at its end; v begins at 0."""
        w, v = self.distance(bits), number(0, bits)
        for leg in self.legs:
            w, v = moved(leg.travel(bits, leg.first, leg.last), w, v)
        return w, v

    def stays_above_zero(self, bits: int | None) -> bool:
        """Whether the schedule has z_k ≥ 0, that is w_k·v ≥ w·C_k·v_k, after each step.

        Between two shifts z only falls: it is enough to look just before each shift, and at the ends of a leg. Just
        before the same position of one epoch after the other, the points (V_k, D_k) have increments of slope falling by
        c^batches: for c ≤ 1 they lie on a concave curve, which is above the string when its first and last points are.
        For c > 1 all points are looked at. While steps drift, increments have slope d/(τ²·C_k), which falls as C_k
        grows: for c ≤ 1 (and no drifting step has another) both ends of a leg are enough.
        """
        w, v = self.ends(bits)
        rest = [number(1, bits)]  # product of the contractions of the later legs
        for leg in reversed(self.legs[1:]):
            rest.append(rest[-1] * power(leg.phase.factor, leg.last - leg.first, bits))
        w_k, v_k = self.distance(bits), number(0, bits)
        for index, leg in enumerate(self.legs):
            moments = [] if leg.drifts else leg.before_shifts(leg.first + (index == 0))
            begin, later = leg.first, rest[len(self.legs) - 1 - index]
            for moment in (*moments, leg.last):
                (w_k, v_k), begin = moved(leg.travel(bits, begin, moment), w_k, v_k), moment
                spend_exactly(w_k, v_k, w, v)
                remaining = power(leg.phase.factor, leg.last - moment, bits) * later
                last = moment == leg.last and index == len(self.legs) - 1
                if not last and not w_k * v >= w * remaining * v_k:
                    return False
        return True

Pieces = list[tuple[Straight, int]]  # straight pieces, and how many equal ones there are

def straight(timeline: Timeline, begin: Moment, end: Moment, distance: Distance | None = None) -> Straight:
    """From a moment, where the runs are together unless a distance is given, to another; without drift."""
    return Straight(distance or partial(number, 0), tuple(Leg(*part) for part in parts(timeline, begin, end)))

def block_at(timeline: Timeline, moment: dict[str, str], what: str) -> tuple[int, int, Phase]:
    """The block and the position of a moment, which are there, and the block's phase."""
    block, position = int(moment["block"]), int(moment["position"])
    require(block < len(timeline.phases), f"{what} in block {block}, after the end")
    phase = timeline.phases[block]
    require(position < phase.batches, f"{what} at position {position}, not in the epoch")
    return block, position, phase

def moment_at(timeline: Timeline, moment: dict[str, str], what: str) -> Moment:
    """Just before a step, which is there."""
    (block, position, phase), epoch = block_at(timeline, moment, what), int(moment["epoch"])
    require(epoch < phase.epochs, f"{what} in epoch {epoch}, not in the block")
    return block, epoch * phase.batches + position

def string_pieces(timeline: Timeline, corners: list[Any]) -> Pieces:
    """The pieces between corners. The first begins at the distance of the two runs there, the others at 0."""
    found, moment = [], timeline.begin
    for corner in corners:
        spend(2)
        block, position, phase = block_at(timeline, corner, "taut_string: corner")
        first, last = int(corner["first"]), int(corner["last"])
        require(first <= last < phase.epochs, f"taut_string: corner in epochs {first} to {last}, not in the block")
        head = (block, first * phase.batches + position)
        require(head > moment, "taut_string: corners must lie after the start and ascend strictly in time")
        found.append((moment, head, 1))
        if last > first:
            found.append((head, (block, head[1] + phase.batches), last - first))
        moment = (block, last * phase.batches + position)

    def distance(bits: int | None) -> Number:
        if timeline.restart is None:
            return number(timeline.start, bits)
        return wasserstein_tracking(timeline, timeline.begin, bits)

    pieces = [*found, (moment, timeline.end, 1)]
    distances = [distance if begin == timeline.begin else None for begin, _, _ in pieces]
    return [(straight(timeline, *ends, start), times) for (*ends, times), start in zip(pieces, distances, strict=True)]

def restarted(timeline: Timeline, restart: dict[str, str]) -> Timeline:
    """T5. With projection the string may begin at any moment, from the distance that T1 gives there (2R at most)."""
    require(timeline.diameter is not None, "bounded_domain: needs a radius")
    return replace(timeline, restart=moment_at(timeline, restart, "bounded_domain: restart"))

def energy(pieces: Pieces, name: str, bits: int) -> Interval:
    """T3, T5, T26. Σ w²/v over the pieces: the released models are μ-GDP with this μ², in both directions.

    On a piece the schedule is a_k = (w/v)·C_k·τ_k², which by T2 shifts the runs into each other at the cost w²/v. It
    needs z_k ≥ 0: see `stays_above_zero`. The string need not be the tautest: any admissible one is a valid bound.
    """
    total = Interval.of(0, bits)
    for piece, times in pieces:
        w, v = piece.ends(bits)
        if not w.is_zero():
            require(not v.is_zero(), f"{name}: a distance is left, but no noise to hide it (v = 0 where w > 0)")
            total = total + times * (w * w / v)
    return total

def settled(timeline: Timeline, holds: Callable[[int | None], bool], what: str) -> bool:
    """A comparison along a timeline, decided: in intervals where that works, in exact rationals where both sides are
    equal."""
    size = sum(p.steps * (p.factor.numerator.bit_length() + p.factor.denominator.bit_length()) for p in timeline.phases)
    if all(phase.factor in (0, 1) for phase in timeline.phases):  # c = 1: points between corners lie on the string
        return holds(None)
    try:
        return decide(holds, what)
    except DoesNotFollow:
        if size > MAX_EXACT:
            raise
        return holds(None)

def admissible(timeline: Timeline, pieces: Pieces, name: str) -> bool:
    """Whether z ≥ 0 throughout."""
    return all(settled(timeline, piece.stays_above_zero, f"{name}: z >= 0") for piece, _ in pieces)

def check_pieces(step: Step, timeline: Timeline, pieces: Pieces, name: str, composed: Fraction) -> SquaredMu:
    """A schedule of these pieces, beside what is composed."""
    require(admissible(timeline, pieces, name), f"{step.name}: the schedule dips below zero (z_k < 0)")
    return at_most_stated(step, lambda bits: energy(pieces, name, bits) + composed)

def check_string_schedule(step: Step) -> SquaredMu:
    timeline = step.given[0]
    if "restart" in step.args:
        timeline = restarted(timeline, step.args["restart"])
    return check_pieces(step, timeline, string_pieces(timeline, step.args["corners"]), "taut_string", Fraction(0))

def at_most_stated(step: Step, squared: SquaredMu) -> SquaredMu:
    """μ², which is at most what is stated."""
    squared, stated = cache(squared), step.stated("mu")
    step.decided("mu", lambda bits: squared(bits) <= stated**2)
    return squared

CORNERS = [{"block": integer, "position": integer, "first": integer, "last": integer}]
MU = {"mu": rounded}

declare(
    Rule("T3", "taut_string", {"corners": CORNERS}, MU, check_string_schedule, "T10",
         free={"corners"}, string=True),
    Rule("T5", "bounded_domain", {"restart": MOMENT, "corners": CORNERS}, MU, check_string_schedule, "T10",
         free={"restart", "corners"}, string=True),
)

# --- Runs that are apart only where it pays: T26. --------------------------------------------------------------------
def read_moment(timeline: Timeline, moment: dict[str, str], name: str) -> Moment:
    """Just before a step; the end of the timeline is the start of a phase after the last."""
    if int(moment["block"]) < len(timeline.phases):
        return moment_at(timeline, moment, f"{name}: a moment")
    ends = moment == {"block": str(len(timeline.phases)), "epoch": "0", "position": "0"}
    require(ends, f"{name}: a moment in block {moment['block']}, after the end")
    return timeline.end

def gauges(timeline: Timeline, args: dict[str, Any]) -> tuple[Pieces, str, Fraction]:
    """T26. Excursions (equal ones counted together), and what the steps between them cost: Σ s²/τ².

    A step takes two runs z apart to at most ψ(z): ψ(0) = s, and ψ(z) = c·z + d for z > 0. Then any a_k ≥ 0 with
    z_k ≥ ψ_k(z_(k-1)) - a_k, z_k ≥ 0, z_N = 0 certify μ² = Σ a_k²/τ_k². Here z is 0, and a_k = s_k, but on excursions.

    In which batches the records are is not known. One record in all: in an earlier batch it is the same steps, earlier,
    with steps without shift after them (or, from unequal starts, a run that parts later or not at all); and gauges
    that are nowhere larger need no larger a_k. Several: an epoch is on an excursion, or composed (from where the first
    excursion ends, if the runs begin apart). If on an excursion, it must cost the same wherever they are: it drifts
    from its first step on. If composed, Σ count² is largest for the placement of the timeline.
    """
    name, phases = "gauges_in_a_ball" if "restart" in args else "gauges", timeline.phases
    begin, distance = (0, 0), timeline.start
    if "restart" in args:  # after a step both runs are in the ball, whatever came before
        require(timeline.diameter is not None, f"{name}: needs a radius")
        begin, distance = read_moment(timeline, args["restart"], name), timeline.diameter
        require((0, 0) < begin < timeline.end, f"{name}: the restart must lie after the start and before the end")
    stretches = [[read_moment(timeline, given[key], name) for key in ("from", "to")] for given in args["excursions"]]
    require(len(stretches) <= MAX_EXCURSIONS, f"{name}: more than {MAX_EXCURSIONS} excursions")
    ordered = [begin, *(moment for pair in stretches for moment in pair)]
    require(all(x <= y for x, y in pairwise(ordered)), f"{name}: excursions must not overlap, and come in order")
    require(all(x < y for x, y in stretches), f"{name}: an excursion takes at least one step")
    from_there = bool(stretches) and stretches[0][0] == begin
    require(distance == 0 or from_there, f"{name}: the runs begin apart; the first excursion must begin there")
    unknown = any(phase.batches > 1 and sum(phase.counts) > 1 for phase in phases)
    if unknown and stretches:
        require(all(phase.drift is not None for phase in phases), f"{name}: excursions of several records need drift")
        free = ordered[2:] if stretches[0][0] == begin else ordered[1:]  # of what came before a restart nothing is left
        quiet = [not phase.positions for phase in phases] + [True]  # nothing is composed there
        whole = all(quiet[block] or step % phases[block].batches == 0 for block, step in free)
        require(whole, f"{name}: several records in unknown batches; excursions must be of whole epochs")
    found: Pieces = []
    known: dict[tuple[int, int, int], int] = {}  # of those within a block
    spend(20 * (1 + len(stretches)) * (1 + len(phases)) + sum(len(phase.counts) for phase in phases))
    squares = [[0, *accumulate(count * count for count in phase.counts)] for phase in phases]
    composed, at = Fraction(0), begin
    for start, end in [*stretches, [timeline.end, timeline.end]]:
        for phase, first, last in parts(timeline, at, start):
            of = squares[phases.index(phase)]
            done = [step // phase.batches * of[-1] + of[bisect_left(phase.positions, step % phase.batches)]
                    for step in (first, last)]
            composed += (done[1] - done[0]) * phase.shift**2 / phase.noise
        at = end
        if start == timeline.end:
            break
        apart = distance if start == begin else Fraction(0)
        block, step = start
        inside = not apart and (end[0] == block or end == (block + 1, 0))
        key = block, step % phases[block].batches, (end[1] if end[0] == block else phases[block].steps) - step
        if inside and key in known:
            found[known[key]] = found[known[key]][0], found[known[key]][1] + 1
            continue
        legs = [Leg(*piece, piece[0].drift is not None) for piece in parts(timeline, start, end)]
        if not apart and not unknown:
            shifts = shift_at(phases[block], step) > 0
            require(shifts, f"{name}: the runs are together, and no step without a shift parts them")
            if legs[0].drifts:  # the first step shifts, but does not drift yet
                rest = replace(legs[0], first=step + 1)
                legs[:1] = [replace(legs[0], last=step + 1, drifts=False), *([rest] if rest.first < rest.last else [])]
        if inside:
            known[key] = len(found)
        found.append((Straight(partial(number, apart), tuple(legs)), 1))
    return found, "gauges", composed

def check_gauges(step: Step) -> SquaredMu:
    return check_pieces(step, step.given[0], *gauges(step.given[0], step.args))

EXCURSIONS = [{"from": MOMENT, "to": MOMENT}]

declare(
    Rule("T26", "gauges", {"excursions": EXCURSIONS}, MU, check_gauges, "T10",
         free={"excursions"}, string=True),
    Rule("T26r", "gauges_in_a_ball", {"restart": MOMENT, "excursions": EXCURSIONS}, MU, check_gauges, "T10",
         free={"restart", "excursions"}, string=True),
)

# --- From μ to Rényi divergences and ε: T7, T2, T11. -----------------------------------------------------------------
Delta = Callable[[Fraction, int], Interval]  # δ as a function of ε and bits

def gaussian(squared: SquaredMu) -> Delta:
    """δ(ε) of a pair with this μ²."""
    return lambda epsilon, bits: profile(epsilon, squared(bits).sqrt())

def check_composition(step: Step) -> SquaredMu:
    """T7. Whatever was released before, the next stretch is μ_i-GDP: composition adds the squares."""
    return at_most_stated(step, lambda bits: sum((squared(bits) for squared in step.given), number(0, bits)))

def check_curve(step: Step, is_below: Callable[[Fraction, Fraction, int], bool]) -> None:
    """A Rényi curve: at each order a bound."""
    orders, uppers = map(Fraction, step.args["orders"]), map(Fraction, step.concludes["renyi"])
    orders, uppers, name = list(orders), list(uppers), step.name
    require(all(order > 1 for order in orders), f"{name}: needs orders > 1")
    require(all(x < y for x, y in pairwise(orders)), f"{name}: orders must ascend")
    require(len(orders) == len(uppers), f"{name}: needs one bound for each order")
    pairs = list(zip(orders, uppers, strict=True))
    step.decided("renyi", lambda bits: all(is_below(order, upper, bits) for order, upper in pairs))

def check_gaussian_curve(step: Step) -> None:
    """T2. D_α ≤ α·μ²/2"""
    check_curve(step, lambda order, upper, bits: step.given[0](bits) * order / 2 <= upper)

def check_gaussian_profile(step: Step) -> Delta:
    """T11. Of a lower bound of μ it is a lower bound of ε."""
    delta_of, delta, stated = gaussian(step.given[0]), step.argument("delta"), step.stated("epsilon")
    require(0 < delta < 1, f"{step.name}: needs delta strictly between 0 and 1")
    if not step.below:
        step.decided("epsilon", lambda bits: delta_of(stated, bits) <= delta)
    elif stated > 0:
        step.decided("epsilon", lambda bits: delta_of(stated, bits) >= delta)
    return delta_of

declare(
    Rule("T7", "adaptive_composition", {}, MU, check_composition, "T3, T5, T26 or T26r, one for each stretch",
         "in training runs of T20d and T20f"),
    Rule("T2", "renyi_curve", {"orders": [exact]}, {"renyi": [rounded]}, check_gaussian_curve,
         "T3, T5, T26, T26r or T7", "in training runs of T7 or T20f", free={"orders"}),
    Rule("T11", "gaussian_profile", {"delta": exact}, {"epsilon": rounded}, check_gaussian_profile,
         "T3, T5, T26, T26r, T7 or T6",
         "lower where its premise is (T6, T20l), else upper; in training runs of T7, T20f or T20l"),
)

# --- A secret order of the batches: T9. ------------------------------------------------------------------------------
def weights(positions: list[int], batches: int, rule: str) -> list[Fraction]:
    """For how many of the batches 0 … l-1 each of the positions counts, so that Σ_j f(j) is bounded for the f at hand.

    right: for those since the one before; from above where f does not fall.
    left: for those until the one after; from below where f does not fall.
    chord: for half of the gaps on either side (and ½ at both ends): the trapezoid rule; from above where f is convex.
    """
    spend(4 * len(positions))
    require(positions[:1] == [0], "secret order: positions must begin with batch 0")
    require(positions[-1] == batches - 1, "secret order: positions must end with the last batch")
    require(all(p < q for p, q in pairwise(positions)), "secret order: positions must ascend")
    require(len(positions) <= MAX_POSITIONS, f"secret order: more than {MAX_POSITIONS} positions")
    before = [Fraction(q - p) for p, q in pairwise([-1, *positions])]
    after = [Fraction(q - p) for p, q in pairwise([*positions, batches])]
    return {"right": before, "left": after, "chord": [(p + q) / 2 for p, q in zip(before, after, strict=True)]}[rule]

def looking_back(phase: Phase, positions: list[int], bits: int) -> Iterator[tuple[Interval, Interval]]:
    """(c^u, Σ_{i<u} c^2i) for the u batches after each position, from the last position to the first."""
    power_u, sum_u = number(1, bits), number(0, bits)
    for position, following in zip(reversed(positions), (positions[-1], *reversed(positions)), strict=False):
        gap = following - position
        sum_u = sum_u + power_u * power_u * geometric(phase.factor, 2, gap, bits)
        power_u = power_u * power(phase.factor, gap, bits)
        yield power_u, sum_u

def one_hidden_record(timeline: Timeline) -> tuple[Phase, int]:
    """The side conditions of T9 and T6m; returns the phase with the record, and the number of steps after it."""
    phase, *later = timeline.phases
    alike = all((p.factor, p.noise, p.positions) == (phase.factor, phase.noise, ()) for p in later)
    require(alike and phase.counts == (1,), "secret order: needs one differing record, in the first phase alone")
    require(timeline.start == 0, "secret order: needs equal starts")
    require(0 <= phase.factor <= 1, "secret order: needs a contraction (or slope) from 0 to 1")
    return phase, sum(p.steps for p in later)

def squared_mus(timeline: Timeline, positions: list[int], bits: int) -> list[Interval]:
    """μ_j² of the taut string with the one differing record in batch j, for each position j (docs/theory.md T4).

    The string begins with the first shift. If steps follow the learning, it is straight: the points before the shifts
    lie on a concave curve that ends, one epoch after the last shift, no lower than the string. Else its last corner may
    be the last shift: that is admissible in any case, and costs no less than the straight string where that is.
    """
    phase, after = one_hidden_record(timeline)
    c, batches, earlier = phase.factor, phase.batches, phase.epochs - 1
    total = geometric(c, batches, phase.epochs, bits) * power(c, after, bits) * phase.shift
    rest = geometric(c, 2, earlier * batches + after + 1, bits)  # noise from the first shift, back from batch j's end
    early = geometric(c, batches, earlier, bits) * power(c, batches, bits) * phase.shift  # all shifts but the last
    early_noise = power(c, 2, bits) * geometric(c, 2, earlier * batches, bits)
    found = []
    for power_u, sum_u in looking_back(phase, positions, bits):
        square = power_u * power_u
        straight = total * total * square / (sum_u + square * rest)
        if earlier and not after:
            last, last_noise = power_u * phase.shift, sum_u + square
            first, first_noise = early * power_u, early_noise * square
            try:
                bent = first * last_noise < last * first_noise
            except Undecided:
                bent = True
            if bent:
                straight = first * first / first_noise + last * last / last_noise
        found.append(straight / phase.noise)
    return found[::-1]

def secret_order(timeline: Timeline, positions: list[int], rule: str) -> Callable[[Fraction, int], Interval]:
    """T9. δ(ε) ≤ (1/l)·Σ_j δ_{μ_j}(ε), for a batch j that is uniform on 0 … l-1 and secret (joint convexity).

    μ_j grows with j: an earlier batch is the same string with clean steps appended. With two phases log μ_j is convex
    in j (-log(1 - q^n) is a sum of exponentials in n), and δ is convex in μ up to sqrt(2ε): then the chord rule holds.
    """
    counts = weights(positions, timeline.phases[0].batches, rule)
    squared = cache(lambda bits: squared_mus(timeline, positions, bits))

    def delta(epsilon: Fraction, bits: int) -> Interval:
        require(bits <= MAX_SUM_BITS, f"secret_order: not decided with {MAX_SUM_BITS} bits")
        if rule == "chord" and len(positions) < timeline.phases[0].batches:
            require(len(timeline.phases) == 2, "secret_order: the chord rule with gaps needs two phases")
            require(squared(bits)[-1] <= 2 * epsilon, "secret_order: the chord rule with gaps needs mu^2 <= 2 epsilon")
        each = (profile(epsilon, square.sqrt()) * count for count, square in zip(counts, squared(bits), strict=True))
        return sum(each, number(0, bits)) / timeline.phases[0].batches

    return delta

def secret_renyi(timeline: Timeline, positions: list[int]) -> Callable[[Fraction, Fraction, int], bool]:
    """T9r. e^((α-1)D_α) ≤ (1/l)·Σ_j e^((α-1)αμ_j²/2) for a hidden batch, as for T9: this too is jointly convex."""
    batches = timeline.phases[0].batches
    counts = weights(positions, batches, "right")
    squared = cache(lambda bits: squared_mus(timeline, positions, bits))

    def is_below(order: Fraction, upper: Fraction, bits: int) -> bool:
        require(bits <= MAX_SUM_BITS, f"secret_renyi: not decided with {MAX_SUM_BITS} bits")
        half = order * (order - 1) / 2
        each = (exp(square * half) * count for count, square in zip(counts, squared(bits), strict=True))
        return sum(each, number(0, bits)) <= exp(number((order - 1) * upper, bits)) * batches

    return is_below

def positions_of(step: Step) -> list[int]:
    return [int(position) for position in step.args["positions"]]

def check_secret_order(step: Step) -> Delta:
    positions, stated = positions_of(step), step.stated("epsilon")
    above = secret_order(step.given[0], positions, step.args["rule"])
    step.decided("epsilon", lambda bits: above(stated, bits) <= step.argument("delta"))
    return secret_order(step.given[0], positions, "left")

def check_secret_renyi(step: Step) -> None:
    check_curve(step, secret_renyi(step.given[0], positions_of(step)))

POSITIONS = {"positions": [integer]}

declare(
    Rule("T9", "secret_order", {"delta": exact} | POSITIONS | {"rule": one_of("chord", "right")}, {"epsilon": rounded},
         check_secret_order, "T10", free={"positions", "rule"}),
    Rule("T9r", "secret_renyi", {"orders": [exact]} | POSITIONS, {"renyi": [rounded]}, check_secret_renyi, "T10",
         free={"positions", "orders"}),
)

# --- The range before the last noises: T24. --------------------------------------------------------------------------
def range_before_noise(
    squared: SquaredMu, rate: Fraction | Drift, diameter: Fraction, phase: dict[str, Any], delta: Fraction
) -> Delta:
    """T24. δ(ε) after steps that are alike in both runs, on a ball of the given diameter, from a μ-GDP pair.

    Before its noise such a step takes any two points of the ball to at most D: factor·diameter, plus a drift. So by
    Balle, Barthe, Gaboardi, Geumlek (2019) it takes an (ε,δ)-pair to an (ε, δ·Θ)-pair, Θ the profile of D/τ at
    ε̃ = log(1 + (e^ε-1)/δ). The new δ rises with the old one (as ε̃ falls), so each end is followed by itself; the
    upper end only until it is below the claimed δ.
    """
    steps, noise = int(phase["epochs"]) * int(phase["batches"]), variance(phase)
    require(0 < steps <= MAX_RANGE_STEPS, f"range_before_noise: needs 1 to {MAX_RANGE_STEPS} steps")
    reach = rate.factor * diameter + rate.distance if isinstance(rate, Drift) else rate * diameter

    def delta_of(epsilon: Fraction, bits: int) -> Interval:
        require(bits <= MAX_SUM_BITS, f"range_before_noise: not decided with {MAX_SUM_BITS} bits")
        ratio, growth = number(reach**2 / noise, bits).sqrt(), exp(number(epsilon, bits)) - 1

        def follow(end: Dyadic, up: bool) -> Dyadic:
            for _ in range(steps):
                if end[0] <= 0 or (up and Interval(end, end, bits) <= delta):
                    break
                point = Interval(end, end, bits)
                following = point * profile(log(1 + growth / point), ratio)
                end = following.high if up else following.low
            return end if end[0] > 0 else (0, 0)

        first = profile(epsilon, squared(bits).sqrt())
        high = follow(first.high, True)
        settled = Interval(high, high, bits) <= delta
        return Interval((0, 0) if settled else follow(first.low, False), high, bits)

    return delta_of

def check_range(step: Step) -> Delta:
    stated, delta = step.stated("epsilon"), step.argument("delta")
    after = range_before_noise(*step.given, step.argument("diameter"), step.args["phase"], delta)
    step.decided("epsilon", lambda bits: after(stated, bits) <= delta)
    return after

declare(
    Rule("T24", "range_before_noise", {"delta": exact, "diameter": exact, "phase": PHASE}, {"epsilon": rounded},
         check_range, "T3, T5, T26 or T26r; C1, T22, T23 or T23b", "`diameter` = 2R; a phase without `records`"),
)

# --- Lower bounds: members of the class, T6. -------------------------------------------------------------------------
def straight_witness(start: Fraction, m: Fraction, one: Fraction, phases: list[Any], bits: int) -> Interval:
    """T6. A lower bound D_N²/V_N of μ² for the class (m, L, M): linear data losses and the regulariser (m/2)|θ|².

    The differing records have opposite gradients of norm M (or one that is zeroed), so that both runs are exactly
    Gaussian, with the same variance V_N, and means that move by slope 1-ηm and `one` = C2 a record. The slope may be
    negative (ηm > 1); the starts may lie on either side of each other. Not valid under projection.
    """
    slopes = [1 - Fraction(phase["step_size"]) * m for phase in phases]
    timeline = requests(Fraction(0), None, phases, slopes, [one] * len(phases))
    mean, variance = straight(timeline, timeline.begin, timeline.end).ends(bits)
    gap = number(start, bits)
    for phase in timeline.phases:
        gap = gap * power(phase.factor, phase.steps, bits)
    distance = abs(gap) + abs(mean)
    return distance * distance / variance

def secret_witness(
    m: Fraction, one: Fraction, phases: list[Any], positions: list[int], threshold: Fraction, epsilon: Fraction
) -> Callable[[int], Interval]:
    """T6m. A lower bound of δ(ε) where T9 is the upper one: P[x > t] - e^ε·P'[x > t] for the straight witness of T6.

    P and P' are mixtures over j of N(±d_j/2, V). (Where the record is removed, all others have half its gradient, so
    that the means lie on both sides of one that does not depend on j.) The bracket grows with d, and d_j with j.
    """
    slopes = [1 - Fraction(phase["step_size"]) * m for phase in phases]
    timeline = requests(Fraction(0), None, phases, slopes, [one] * len(phases))
    phase, after = one_hidden_record(timeline)
    counts = weights(positions, phase.batches, "left")

    def delta(bits: int) -> Interval:
        require(bits <= MAX_SUM_BITS, f"secret_witness: not decided with {MAX_SUM_BITS} bits")
        root = (phase.noise * geometric(phase.factor, 2, phase.steps + after, bits)).sqrt()
        end = geometric(phase.factor, phase.batches, phase.epochs, bits) * power(phase.factor, after, bits)
        total, factor = number(0, bits), exp(number(epsilon, bits))
        for count, (power_u, _) in zip(reversed(counts), looking_back(phase, positions, bits), strict=True):
            half = end * power_u * (one / 2)
            total = total + (at_most((half - threshold) / root) - factor * at_most(-(half + threshold) / root)) * count
        return total / phase.batches

    return delta

def curved_witness(
    args: dict[str, Any], one: Fraction, own: Fraction, others: Fraction, epsilon: Fraction
) -> Callable[[int], Interval]:
    """T6c. A lower bound of δ(ε) for one phase with all differing records in its last batch, from equal starts.

    Their data losses are linear, with opposite gradients of norm M (or one that is zeroed); the other records have
    Huber losses around 0 of curvature `own` (in that batch) or `others`, quadratic while |x| ≤ M/h, h the larger. While
    nobody leaves that interval both runs are exactly Gaussian, with the same variance. So
        δ(ε) ≥ δ_μ(ε) - p - e^ε·p,   p ≤ Σ_k P[|x_k| > M/h] ≤ 2N·Φ(-(M/h - D*)/sqrt(V*)),
    D* and V* being bounds of all means and variances.
    """
    require(len(args["phases"]) == 1, "curved_witness: needs a single phase")
    require(Fraction(args["start"]) == 0, "curved_witness: needs equal starts")
    (described,), m = args["phases"], Fraction(args["strong_convexity"])
    require(max(own, others) <= Fraction(args["smoothness"]) - m, "curved_witness: needs own, others <= L - m")
    step_size = Fraction(described["step_size"])
    size, bound = int(described["batch_size"]), Fraction(args["gradient_bound"])
    (phase,) = requests(Fraction(0), None, [described], [Fraction(0)], [one]).phases
    in_last = phase.positions == (phase.batches - 1,) and phase.counts[0] <= size
    require(in_last, "curved_witness: needs all differing records in the last batch")
    quiet = 1 - step_size * (m + others)
    mixed = 1 - step_size * (m + own * (size - phase.counts[0]) / size)
    require(0 <= quiet < 1 and 0 <= mixed < 1, "curved_witness: needs slopes from 0 to 1, without 1")
    shift, slope, curvature = phase.counts[0] * phase.shift, max(quiet, mixed), max(own, others)
    room = curvature and bound / curvature - shift / (1 - slope)
    require(curvature == 0 or room > 0, "curved_witness: the interval is too small (M/h <= D*)")

    def delta(bits: int) -> Interval:
        over_epoch = power(quiet, phase.batches - 1, bits) * mixed
        in_all = power(quiet, (phase.batches - 1) * phase.epochs, bits) * power(mixed, phase.epochs, bits)
        distance = (1 - in_all) / (1 - over_epoch) * shift
        variance = (geometric(quiet, 2, phase.batches - 1, bits) * mixed**2 + 1) * phase.noise
        variance = variance * ((1 - in_all * in_all) / (1 - over_epoch * over_epoch))
        inside = profile(epsilon, distance / variance.sqrt())
        if not curvature:
            return inside
        outside = at_most(-number(room, bits) / number(phase.noise / (1 - slope**2), bits).sqrt()) * (2 * phase.steps)
        return inside - (1 + exp(number(epsilon, bits))) * outside

    return delta

def shift_of_one(step: Step) -> Fraction:
    """C2, for the witness's phases, which are alike."""
    phases = step.args["phases"]
    require(bool(phases), f"{step.name}: needs at least one step")
    step_size, size = Fraction(phases[0]["step_size"]), int(phases[0]["batch_size"])
    return gradient_shift(step_size, size, step.argument("gradient_bound"), step.args["neighbours"])

def check_straight(step: Step) -> SquaredMu:
    one, phases, stated = shift_of_one(step), step.args["phases"], step.stated("mu")
    start, m = step.argument("start"), step.argument("strong_convexity")
    squared = cache(lambda bits: straight_witness(start, m, one, phases, bits))
    step.decided("mu", lambda bits: stated == 0 or squared(bits) >= stated**2)
    return squared

def check_curved(step: Step) -> None:
    """ε is at least any ε with δ(ε) ≥ δ, and μ at least any with δ_μ(ε) ≤ δ."""
    one, epsilon, delta, mu = shift_of_one(step), *map(step.argument, ("epsilon", "delta", "mu"))
    step.follows("epsilon", step.stated("epsilon") <= epsilon)
    curved = curved_witness(step.args, one, step.argument("own"), step.argument("others"), epsilon)
    step.decided("epsilon", lambda bits: curved(bits) >= delta)
    step.follows("mu", step.stated("mu") <= mu)
    step.decided("mu", lambda bits: profile(epsilon, number(mu, bits)) <= delta)

def check_mixed(step: Step) -> None:
    """ε is at least any ε with δ(ε) ≥ δ."""
    one, epsilon, delta = shift_of_one(step), step.argument("epsilon"), step.argument("delta")
    step.follows("epsilon", step.stated("epsilon") <= epsilon)
    if epsilon > 0:
        m, threshold = step.argument("strong_convexity"), step.argument("threshold")
        mixed = secret_witness(m, one, step.args["phases"], positions_of(step), threshold, epsilon)
        step.decided("epsilon", lambda bits: mixed(bits) >= delta)

WITNESS = {"start": exact, "strong_convexity": exact, "gradient_bound": exact, "neighbours": NEIGHBOURS}
WITNESS |= {"phases": [PHASE | {"batch_size": integer}]}
CURVED = {"smoothness": exact, "delta": exact, "epsilon": exact, "mu": exact, "own": exact, "others": exact}
MIXED = {"delta": exact, "epsilon": exact, "threshold": exact, "positions": [integer]}

declare(
    Rule("T6", "straight_witness", WITNESS, MU, check_straight, LOSS, lower=True),
    Rule("T6c", "curved_witness", WITNESS | CURVED, {"epsilon": rounded} | MU, check_curved, LOSS, lower=True,
         free={"epsilon", "mu", "own", "others"}),
    Rule("T6m", "secret_witness", WITNESS | MIXED, {"epsilon": rounded}, check_mixed, LOSS, lower=True,
         free={"epsilon", "threshold", "positions"}),
)

# --- Training runs: sensitivity and schedule. ------------------------------------------------------------------------
BATCHES = {  # how the batches of a training run are drawn -> the neighbours that a theorem is about
    "poisson": ("add-or-remove-one", "remove-one", "replace-one"),
    "without-replacement": ("replace-one",),
    "full": ("add-or-remove-one", "remove-one", "replace-one"),
    "shuffled": ("replace-one", "remove-one"),
    "fixed": ("replace-one", "remove-one"),
}

Sensitivity = tuple[Fraction, bool]  # Δ, and whether a gradient attains it

def sensitivity(scaling: Scaling, gradient_bound: Fraction | None) -> Sensitivity:
    """T14, T14g. The largest norm of a scaled gradient: sup φ, or φ(G) where all gradients are known to be within G."""
    if gradient_bound is None:
        return scaling.limit, scaling.kind == "clip"
    require(gradient_bound > 0, "bounded_sensitivity: needs gradient_norm_bound > 0")
    return scaling.of(gradient_bound), True

SHIFTS = {  # T17: how far the neighbours' sums are apart if nobody is left out, in units of the sensitivity
    (sampling, neighbours): 2 if neighbours == "replace-one" else 1  # remove-one: a term of zero is no record
    for sampling in ("poisson", "without-replacement", "full")
    for neighbours in BATCHES[sampling]
}

@dataclass(frozen=True)
class Release:
    """`steps` equal releases: each of some records is in the batch with probability `rate`, and then moves the sum by
    `shift` standard deviations. `first` of them are in the first dataset alone, `second` in the second alone (T27).

    P = Σ_j Bin(first,q;j)·N(js,1), Q = Σ_j Bin(second,q;j)·N(-js,1). With one record in the first that is T17; with one
    in each, T17r. The other direction is the mirror image with `first` and `second` exchanged.
    """
    rate: Fraction
    shift: Fraction
    steps: int
    symmetrised: bool  # without replacement: compose the symmetrised pair (T17)
    first: int = 1
    second: int = 0

    @property
    def kinked(self) -> bool:
        """Whether H all but has a kink at t = ((1-q)^first)/((1-q)^second), where grids from below need a node."""
        return self.rate < 1 and self.shift >= 4

    @property
    def alone(self) -> bool:
        """Whether one record, in the first dataset, is all that differs."""
        return (self.first, self.second) == (1, 0)

    @property
    def mirrored(self) -> bool:
        """Whether Q's weights are P's: then the other direction is the mirror image."""
        return self.first == self.second

    def weights(self) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]]:
        """P's of N(0,1), N(s,1), …, N(first·s,1), and Q's of N(0,1), N(-s,1), …: each row has the sum 1."""
        q = self.rate
        first, second = (
            tuple(math.comb(count, j) * q**j * (1 - q) ** (count - j) for j in range(count + 1))
            for count in (self.first, self.second)
        )
        return first, second

@dataclass(frozen=True)
class Schedule:
    """What was released: sampled releases, the μ² of all releases without sampling, the truncation of batches (T20)."""
    sampled: tuple[Release, ...]
    mu_squared: Fraction
    truncations: tuple[tuple[int, Fraction, int, int], ...] = ()  # (n⁺, rate, cap, steps)

def read_schedule(
    releases: list[dict[str, str]], neighbours: str, cut: Cut | None = None, group: int = 1, second: int | None = None
) -> Schedule:
    """The releases of a run; equal ones are put together. `cut`: (samples, max_batch_size) of the Poisson batches.

    A group of records (T27), each of which has a coin of its own: all are replaced, or `second` of them are in the
    second dataset alone and the others in the first alone (none, unless given).
    """
    groups: dict[tuple[Fraction, Fraction, bool], int] = {}
    truncations, mu_squared = [], Fraction(0)
    require(1 <= group <= MAX_GROUP, f"group_distribution: needs a group of 1 to {MAX_GROUP} records")
    replaced = neighbours == "replace-one"
    require(second is None or 0 <= 2 * second <= group, "group_distribution: the other direction is the mirror image")
    behind = group if replaced else second or 0
    ahead = group if replaced else group - behind
    for release in releases:
        kind, steps = release["sampling"], int(release["steps"])
        known = (kind, neighbours) in SHIFTS
        require(known, f"subsampled_gaussian: no statement about {kind} batches and {neighbours} neighbours")
        noise, rate = Fraction(release["noise_multiplier"]), Fraction(release["sample_rate"])
        require(noise > 0, "subsampled_gaussian: needs noise_multiplier > 0")
        require(0 <= rate <= 1, "subsampled_gaussian: needs 0 <= sample_rate <= 1")
        require(kind != "full" or rate == 1, "subsampled_gaussian: full batches need sample_rate = 1")
        require(steps >= 0, "subsampled_gaussian: needs steps >= 0")
        whole = group * SHIFTS[kind, neighbours] / noise  # if nobody is left out
        shift = whole if kind == "without-replacement" else 1 / noise
        if cut is not None and kind == "poisson":
            samples, cap = cut
            require(cap >= 0 and samples >= 0, "truncated_poisson: needs samples, max_batch_size >= 0")
            truncations.append((samples + 1, rate, cap, steps))
        if rate == 1:
            mu_squared += steps * whole**2
        elif rate and steps:
            require(group == 1 or kind == "poisson", f"group_distribution: no statement about {kind} batches")
            key = rate, shift, kind == "without-replacement"
            groups[key] = groups.get(key, 0) + steps
    sampled = tuple(
        Release(rate, shift, steps, True) if sym else Release(rate, shift, steps, False, ahead, behind)
        for (rate, shift, sym), steps in sorted(groups.items())
    )
    return Schedule(sampled, mu_squared, tuple(truncations))

def one_sided(schedule: Schedule) -> Schedule:
    """From below one pair of neighbours is enough. Without replacement: all other terms as far as they go to one side,
    the differing one to that side or the other; so N(0,1) against the mixture, at every step (T17 gives both orders).
    """
    return replace(schedule, sampled=tuple(replace(release, symmetrised=False) for release in schedule.sampled))

def check_sensitivity(step: Step) -> Sensitivity:
    known = step.args.get("gradient_norm_bound")
    found = sensitivity(read_scaling(step.args, RULES[step.theorem].name), known and Fraction(known))
    step.equal({"sensitivity": found[0], "attained": found[1]})
    return found

def check_momentum(step: Step) -> Sensitivity:
    """T15. Every noisy sum is charged, so that what is done with them (outer) is post-processing; and the average of a
    record's own gradients at released iterates (inner) is scaled after it is taken. The sensitivity stays."""
    window, outer = step.args["window"], step.args["placement"] == "outer"
    require(0 <= step.argument("beta") < 1, "momentum: needs 0 <= beta < 1")
    require((window is None) == outer, "momentum: inner needs a window, outer has none")
    require(window is None or int(window) >= 1, "momentum: needs window >= 1")
    step.equal({"sensitivity": step.given[0][0], "attained": step.given[0][1]})
    return step.given[0]

SENSITIVITY = {"sensitivity": exact, "attained": one_of(True, False)}
MOMENTUM = {
    "placement": one_of("inner", "outer"), "beta": exact, "window": optional(integer),
    "iterates": one_of("released"), "history": one_of("own"), "charged": one_of("every-aggregate"),
}
SUMS = [{"sampling": one_of("poisson", "without-replacement", "full"), "noise_multiplier": exact, "sample_rate": exact,
         "steps": integer}]
SAMPLED = {"releases": SUMS, "neighbours": one_of(*BATCHES["full"])}

declare(
    Rule("T14", "scaled_sensitivity", MAP, SENSITIVITY, check_sensitivity),
    Rule("T14g", "bounded_sensitivity", MAP | {"gradient_norm_bound": exact}, SENSITIVITY, check_sensitivity),
    Rule("T15", "momentum", MOMENTUM, SENSITIVITY, check_momentum, "T14, T14g or T15",
         "`window`: null for outer; concludes what its premise does",
         free={"iterates", "history", "charged"}),  # which have one value
)

# --- T11, T18, T20. --------------------------------------------------------------------------------------------------
def binomial_tail(n: int, rate: Fraction, cap: int, bits: int) -> Interval:
    """An upper bound of P[Bin(n, rate) > cap], 0 < rate < 1, within about 1/(12·cap) of it where the tail is small.

    With k = cap + 1 and Robbins' form of Stirling's formula, sqrt(2πm)·(m/e)^m·e^(1/(12m+1)) < m! < the same with
    e^(1/(12m)): P[Bin = k] < sqrt(n/(2πk(n-k)))·(nq/k)^k·(n(1-q)/(n-k))^(n-k) for 0 < k < n, as 12n ≥ 12k + 1.
    Each further term is the one before times (n-k)q/((k+1)(1-q)), which falls: the rest is at most a geometric series.
    """
    k, one = cap + 1, Interval.of(1, bits)
    if k > n:
        return one - one
    q, p = rate, 1 - rate
    if k == n:
        return to_the(Interval.of(q, bits), n)
    if (n - k) * q >= (k + 1) * p:
        return one
    first = to_the(Interval.of(n * q / k, bits), k) * to_the(Interval.of(n * p / (n - k), bits), n - k)
    term = first * (Interval.of(Fraction(n, 2 * k * (n - k)), bits) / pi(bits)).sqrt()
    total = one - one
    for i in range(k, min(n, k + 4000)):
        ratio = Fraction(n - i) * q / ((i + 1) * p)
        rest = total + term / (1 - ratio)
        if ratio * 2 < 1 or i == min(n, k + 4000) - 1:
            break
        total, term = total + term, term * ratio
    return smaller(rest, one)

def truncation_charge(schedule: Schedule, epsilon: Fraction, bits: int) -> Interval:
    """T20. Batches of more than `cap` records, cut off: each step adds (1 + e^ε)·P[Bin(n⁺, q) > cap] to δ."""
    total = Interval.of(0, bits)
    for n, rate, cap, steps in schedule.truncations:
        if rate == 1:
            tail = Interval.of(int(n > cap), bits)
        else:
            tail = binomial_tail(n, rate, cap, bits) if rate else Interval.of(0, bits)
        total = total + tail * steps * (1 + e_to(epsilon, bits))
    return total

def check_gaussian(schedule: Schedule, epsilon: Fraction, delta: Fraction, below: bool = True) -> None:
    """T11. Gaussian releases compose to μ² = Σ steps·(shift)², and δ(ε) is exact. `below=False`: δ(ε) >= delta."""
    require(not schedule.sampled, "gaussian_profile: needs releases without sampling")

    def holds(bits: int) -> bool:
        value = profile(epsilon, Interval.of(schedule.mu_squared, bits).sqrt())
        charge = truncation_charge(schedule, epsilon, bits)
        return value + charge <= delta if below else value - charge >= delta

    require(decide(holds, "gaussian_profile"), "gaussian_profile: delta(epsilon) is on the other side of delta")

def renyi_moment(schedule: Schedule, order: int, bits: int) -> Interval:
    """T18. e^((α-1)·D_α) of all releases, Poisson sampling, integer α ≥ 2:

    Π_steps Σ_k binom(α,k)·(1-q)^(α-k)·q^k·e^(s²·k(k-1)/2), times e^(α(α-1)μ²/2) of those without sampling. It bounds
    both directions (Mironov, Talwar, Zhang 2019).
    """
    whole = isinstance(order, int) and 2 <= order <= MAX_ORDER
    require(whole, f"subsampled_renyi: needs an integer order from 2 to {MAX_ORDER}")
    total = e_to(order * (order - 1) * schedule.mu_squared / 2, bits)
    for release in schedule.sampled:
        require(not release.symmetrised, "subsampled_renyi: needs Poisson sampling")
        require(release.alone, "subsampled_renyi: needs one record that is added or removed")
        q, growth = release.rate, e_to(release.shift**2, bits)
        odds, factor = Interval.of(q / (1 - q), bits), Interval.of(1, bits)  # factor = e^(s²·k)
        term = step = to_the(Interval.of(1 - q, bits), order)
        for k in range(order):
            term = term * odds * factor * Fraction(order - k, k + 1)
            factor, step = factor * growth, step + term
        total = total * to_the(step, release.steps)
    return total

def renyi_is_below(schedule: Schedule, order: int, value: Fraction) -> bool:
    """T18. D_order ≤ value, both directions."""

    def holds(bits: int) -> bool:
        return renyi_moment(schedule, order, bits) <= e_to((order - 1) * value, bits)

    return decide(holds, "subsampled_renyi")

def described(sampling: str, noise_multiplier: Fraction, rate: Fraction, steps: int) -> dict[str, str]:
    """Equal releases as the proof writes them."""
    numbers = {"noise_multiplier": canonical(noise_multiplier), "sample_rate": canonical(rate), "steps": str(steps)}
    return {"sampling": sampling, **numbers}

def check_sampled_curve(step: Step) -> None:
    orders, uppers = [int(x) for x in step.args["orders"]], [Fraction(x) for x in step.concludes["renyi"]]
    require(all(x < y for x, y in pairwise(orders)), f"{step.name}: orders must ascend")
    require(len(orders) == len(uppers), f"{step.name}: needs one bound for each order")
    require(len(orders) <= MAX_ORDERS, f"{step.name}: more than {MAX_ORDERS} orders")
    schedule = read_schedule(step.args["releases"], step.args["neighbours"])
    for order, upper in zip(orders, uppers, strict=True):
        step.follows("renyi", renyi_is_below(schedule, order, upper))

def check_truncation(step: Step) -> Fraction:
    """T20. The premise's ε, where the share of δ that is left out of it pays for what is cut."""
    budget, stated = step.argument("budget"), step.stated("epsilon")
    samples, cap = int(step.args["samples"]), int(step.args["max_batch_size"])
    require(0 <= budget < 1, f"{step.name}: needs a budget from 0 to 1")
    step.follows("epsilon", stated >= step.given[0])  # a larger ε needs no more of δ
    schedule = read_schedule(step.args["releases"], "add-or-remove-one", (samples, cap))
    fits = decide(lambda bits: truncation_charge(schedule, stated, bits) <= budget, step.name)
    require(fits, f"{step.name}: what is cut costs more than the budget")
    return stated

def check_all_records(step: Step) -> SquaredMu:
    """T20f, T20l, T20d. μ² of releases of all records, exactly."""
    if step.theorem == "T20d":
        releases = [described("full", step.argument("noise_multiplier"), Fraction(1), int(step.args["epochs"]))]
    else:
        releases = step.args["releases"]
    schedule = read_schedule(releases, step.args["neighbours"])
    require(not schedule.sampled, f"{step.name}: needs releases of all records")
    total, stated = schedule.mu_squared, step.stated("mu")
    step.follows("mu", stated**2 <= total if RULES[step.theorem].lower else total <= stated**2)
    return lambda bits: number(total, bits)

CUT = {"budget": exact, "releases": SUMS, "samples": integer, "max_batch_size": integer}
DISJOINT = {"noise_multiplier": exact, "epochs": integer, "neighbours": NEIGHBOURS}

declare(
    Rule("T18", "subsampled_renyi", SAMPLED | {"orders": [integer]}, {"renyi": [rounded]}, check_sampled_curve,
         free={"orders"}),
    Rule("T20", "truncated_poisson", CUT, {"epsilon": rounded}, check_truncation, "T19 or T27",
         "at the premise's `grid.delta` + `budget`", free={"budget"}),
    Rule("T20d", "disjoint_batches", DISJOINT, MU, check_all_records),
    Rule("T20f", "full_batches", SAMPLED, MU, check_all_records),
    Rule("T20l", "full_batches_witness", SAMPLED, MU, check_all_records, lower=True),
)

# --- Releases in which several records differ: where the ratio of the densities takes a value (T27). -----------------
@dataclass(frozen=True)
class Mixture:
    """P and Q of a release with any number of records that differ, and where their ratio takes a value.

    With u = e^(s·x - s²/2) the ratio of the densities at x is N/D, N = Σ_j p_j·e^(-s²j(j-1)/2)·u^j and
    D = Σ_j q_j·e^(-s²j(j+1)/2)·u^-j: p_j, q_j ≥ 0, so N does not fall and D does not rise with x. The ratio is
    monotone, and every event {ratio > t} is a half-line {x > a}.

    Take any u > 0, let t' be the ratio there, and a its x. Then {x > a} is best at t', so that P(x > a) - t·Q(x > a) is
    the tangent of H at t', taken at t: it is at most H(t), and at least H(t) - |t - t'|, as H is convex with slopes
    from -1 to 0. So nothing hangs on how well u was found, once |t - t'| is bounded.
    """
    release: Release
    digits: int
    above: tuple[decimal.Decimal, ...]  # the coefficients of N, and of D
    below: tuple[decimal.Decimal, ...]
    context: decimal.Context

    @classmethod
    def of(cls, release: Release, digits: int) -> Mixture:
        context = decimal.Context(prec=digits, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[])
        square, (first, second) = release.shift**2, release.weights()

        def ratio(value: Fraction) -> decimal.Decimal:
            return context.divide(decimal.Decimal(value.numerator), decimal.Decimal(value.denominator))

        def side(weights: Sequence[Fraction], sign: int) -> tuple[decimal.Decimal, ...]:
            powers = (context.exp(ratio(square * j * (j - sign) / 2).copy_negate()) for j in range(len(weights)))
            return tuple(context.multiply(ratio(w), e) for w, e in zip(weights, powers, strict=True))

        return cls(release, digits, side(first, 1), side(second, -1), context)

    def ratio(self, u: decimal.Decimal) -> tuple[decimal.Decimal, decimal.Decimal]:
        """N/D at u, and its derivative (roughly)."""
        context = self.context
        v = context.divide(decimal.Decimal(1), u)

        def value(coefficients: tuple[decimal.Decimal, ...], x: decimal.Decimal) -> tuple[decimal.Decimal, ...]:
            total = slope = decimal.Decimal(0)
            for coefficient in reversed(coefficients):
                slope = context.fma(slope, x, total)
                total = context.fma(total, x, coefficient)
            return total, slope

        (n, dn), (d, dd) = value(self.above, u), value(self.below, v)
        t = context.divide(n, d)
        rise = context.fma(context.multiply(t, dd), context.multiply(v, v), dn)
        return t, context.divide(rise, d)

    def crossings(self, ts: Sequence[decimal.Decimal]) -> Iterator[tuple[decimal.Decimal, decimal.Decimal]]:
        """For ascending t > 0 where N/D = t: u, and a bound of |t - t'|.

        Each rounding is off by at most one part in 10^(digits-1); N and D have at most 4·count + 4 of them, and
        exponents of at most s²·count². All terms are positive.
        """
        context, count = self.context, self.release.first + self.release.second
        size = math.ceil(self.release.shift**2 * (count + 1) ** 2) + 16 * count + 64
        error = decimal.Decimal(size).scaleb(1 - self.digits, context)
        enough, before = decimal.Decimal(1).scaleb(8 - self.digits, context), []
        for t in ts:
            u = self.following(before) if before else self.rough(t)
            for _ in range(80):
                spend(4 + (4 + count) * (2 + self.digits // 100))
                found, slope = self.ratio(u)
                gap = context.subtract(found, t)
                if gap.copy_abs() <= context.multiply(t, enough) or not slope:
                    break
                u = max(context.subtract(u, context.divide(gap, slope)), context.multiply(u, decimal.Decimal("0.01")))
            else:
                found = self.ratio(u)[0]
            before = [u, *before[:2]]
            slack = context.multiply(context.add(found, t), error)
            yield u, context.add(context.subtract(found, t).copy_abs(), slack)

    def following(self, before: list[decimal.Decimal]) -> decimal.Decimal:
        """A guess of the next crossing by the latest ones, of which there are up to three: log u is smooth in log t."""
        context = self.context
        if len(before) == 1:
            return before[0]
        growth = context.divide(before[0], before[1])
        if len(before) == 2:
            return context.multiply(before[0], growth)
        cube = context.multiply(growth, context.multiply(growth, growth))
        return context.multiply(before[2], cube)

    def rough(self, t: decimal.Decimal) -> decimal.Decimal:
        """u to a few digits."""
        low, high, half = decimal.Decimal(-6000), decimal.Decimal(6000), decimal.Decimal("0.5")
        for _ in range(60):
            middle = (low + high) * half
            low, high = (middle, high) if self.ratio(middle.exp(self.context))[0] < t else (low, middle)
        return low.exp(self.context)

    def place(self, u: decimal.Decimal, bits: int) -> int:
        """x at u, in units of 2^-bits: off by less than 3."""
        s, guard = self.release.shift, 64 + max(0, -4 * u.adjusted())  # u·2^(bits + guard) > 2^(bits + 64)
        scaled = int(self.context.multiply(u, decimal.Decimal(1 << bits + guard)))
        log_u = fixed_log(scaled, bits + guard)  # off by less than 2^-(bits + 62)
        return (log_u * s.denominator // s.numerator >> guard) + fixed_ratio(s / 2, bits)

    def places(self, losses: list[Fraction], bits: int) -> Iterator[int]:
        """About where the ratio takes the values e^loss, ascending, in units of 2^-bits; -40 where it does not."""
        q, s, context = float(self.release.rate), float(self.release.shift), self.context
        if self.release.alone:
            ratios = ((math.expm1(loss) + q) / q for loss in losses)
            found = [math.log(ratio) / s + s / 2 if ratio > 0 else -40.0 for ratio in ratios]
        else:
            ts = [context.exp(context.divide(loss.numerator, loss.denominator)) for loss in losses]
            reached = [t for t in ts if len(self.below) > 1 or t > self.above[0]]
            found = [-40.0] * (len(ts) - len(reached))
            found += (float(context.ln(u)) / s + s / 2 for u, _ in self.crossings(reached))
        yield from (fixed_ratio(Fraction(x), bits) for x in found)

    def beyond(self, a: int, bits: int) -> tuple[int, int]:
        """P(x > a) and Q(x > a), all in units of 2^-bits: off by less than 5 + first, resp. 5 + second."""
        s, first, second = self.release.shift, self.release.first, self.release.second
        means = {j: (j * s.numerator << bits) // s.denominator for j in range(-second, first + 1)}
        tails = {j: fixed_normal(mean - a, bits) for j, mean in means.items()}

        def side(weights: Sequence[int], sign: int) -> int:
            return sum(weight * tails[sign * j] for j, weight in enumerate(weights)) >> bits

        of_first, of_second = fixed_weights(self.release, bits)
        return side(of_first, 1), side(of_second, -1)

@lru_cache(maxsize=64)
def fixed_weights(release: Release, bits: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The weights in units of 2^-bits, rounded down."""
    first, second = (tuple(fixed_ratio(weight, bits) for weight in row) for row in release.weights())
    return first, second

def mixture_curve(release: Release, exponents: list[int], bits: int) -> tuple[list[int], int]:
    """H at the exponents t (each off by less than 2·max(1, t)), in units of 2^-bits; and a bound of the errors.

    Errors, with τ = max(1, t): t itself 2τ, which H inherits; P 5 + first, t·Q τ·(5 + second) and the rounding 1; `a`
    is off by 3, which moves P - t·Q by at most 1.2·(1 + τ); and |t - t'|. In all below τ·(first + second + 16) + that.
    """
    least = release.weights()[0][0] if release.second == 0 else Fraction(0)  # of the ratio
    floor, one = fixed_ratio(least, bits), 1 << bits
    mixture = Mixture.of(release, (bits + exponents[-1].bit_length() + 64) * 302 // 1000 + 17)
    context, worst = mixture.context, 0
    ts = [t for t in exponents if t > floor]
    values = [one - t for t in exponents[: len(exponents) - len(ts)]]  # where every event of positive mass is
    scaled = (context.divide(decimal.Decimal(t), decimal.Decimal(one)) for t in ts)
    for t, (u, gap) in zip(ts, mixture.crossings(scaled), strict=True):
        units = context.multiply(gap, decimal.Decimal(one)).to_integral_value(decimal.ROUND_CEILING)
        worst = max(worst, int(units) + 1)
        p, q = mixture.beyond(mixture.place(u, bits), bits)
        values.append(p - (t * q >> bits))
    tau = max(1, -(-exponents[-1] >> bits))
    return values, tau * (release.first + release.second + 16) + worst

# --- T19: privacy-loss distributions in integers. --------------------------------------------------------------------
# H(t) = sup_S P(S) - t·Q(S), t = e^ε > 0, is convex and falling; δ(ε) of (P,Q) is H(e^ε). For finite measures, H of a
# product is ∫ P(dx)·H'(t·dQ/dP(x)) (plus the P-mass where Q vanishes), and likewise with the factors exchanged: it
# rises with either factor's H, and with every mass. So any two positive measures whose H lies above (below) at *every*
# t > 0 may replace a step, and every mass may be rounded up (down). Where P and Q both have mass 1, H of (Q,P) is
# t·H(1/t) + 1 - t, so this holds for both directions, and one array of masses serves both.
# Above: interpolate H linearly in t at the knots t_j = e^(x_j), continued by the line from (0, 1) to the first and by a
# constant after the last. That is the H of atoms at x_j with P-mass p_j = t_j·(rise of slope at t_j) and Q-mass
# p_j·e^(-x_j), an atom +∞ of P-mass H(t_N) and an atom -∞ of Q-mass 1 - (1 - H(t_0))/t_0. An atom cut from the array is
# split into ±∞. `lost` bounds what lies at +∞ under P, and at -∞ under Q.
# Below: see `from_below`.
# One way: δ of (P,Q) alone needs no more than H of each factor at every t, so nothing hangs on the masses under Q: they
# need not add up to 1, and masses are kept to a part of δ, not of δ·e^-ε. δ of (Q,P) is that of the mirrored atoms.
@dataclass(frozen=True)
class Losses:
    """P-masses at (first + j)·2^level·h in units of 10^-digits, rounded up (down), and the mass that was given away."""
    first: int
    masses: list[int]
    lost: int
    level: int

@dataclass(frozen=True)
class Grid:
    """Step h of level 0, decimal digits, the mass that a cut may take (in units of 10^-digits), which way to round; for
    each release its nodes, and its halvings: the level of its first grid, then how often the nodes are halved after
    each squaring.

    Whatever these are the bound is true: what the nodes do not reach and what is cut is given away, rounding and
    halving go to the safe side. A poor grid gives a bound that is too weak for the claim.
    """
    step: Fraction
    digits: int
    allowance: int
    upward: bool
    one_way: bool = False  # of δ of (P,Q) alone: what the masses are under Q does not matter
    windows: tuple[range, ...] = ()
    halvings: tuple[tuple[int, ...], ...] = ()

    @property
    def unit(self) -> int:
        return 10**self.digits

    def at(self, level: int) -> Fraction:
        return self.step * 2**level

def exponentials(nodes: range, step: Fraction, bits: int) -> list[int]:
    """e^(i·step) for i in `nodes`, in units of 2^-bits: each is off by less than 2·max(1, e^(i·step)).

    One multiplication a node, upwards and downwards from e^0 = 1. Each adds a relative error of 4 units upwards, an
    absolute one of 4 units downwards; there are 32 guard bits, and at most 2^26 nodes.
    """
    work = bits + 32
    spend(len(nodes) * (1 + (work * work >> 19)))
    values = {}
    for sign, count in ((1, max(nodes.stop, 1)), (-1, max(1 - nodes.start, 1))):
        factor, t = fixed(e_to(sign * step, work + 64), work), 1 << work
        for i in range(count):
            values[sign * i] = t >> 32
            t = t * factor >> work
    return [values[i] for i in nodes]

def hockey_stick(release: Release, t: int, bits: int) -> int:
    """H at e^ε = t for P = (1-q)·N(0,1) + q·N(s,1), Q = N(0,1); in units of 2^-bits, off as `divergence_curve` says.

    For t ≤ 1-q it is 1 - t. Else, with u = (t - (1-q))/q, H = q·sup_a [Φ(s/2-a) - u·Φ(-s/2-a)], attained at
    a = log(u)/s. Off by η in a costs at most 0.41·q·η.
    """
    one, q, s = 1 << bits, release.rate, release.shift
    u = (t - fixed_ratio(1 - q, bits)) * q.denominator // q.numerator
    if u <= 0:
        return one - t
    a = fixed_log(u, bits) * s.denominator // s.numerator
    half = fixed_ratio(s / 2, bits)
    inner = fixed_normal(half - a, bits) - (u * fixed_normal(-half - a, bits) >> bits)
    return inner * q.numerator // q.denominator

def divergence_curve(release: Release, nodes: range, step: Fraction, bits: int) -> tuple[list[int], int]:
    """H at ε = i·step for i in `nodes`, in units of 2^-bits; and a bound of the errors, in these units.

    The symmetrised pair (T17) has H = max(H of (P,Q), H of (Q,P)). For ε ≥ 0 that is the first: with g(a,b) =
    sup_S a·Q(S) - b·R(S), R = N(s,1), b = e^ε-1+q and d = (e^ε-1)(1-q), they are g(q,b) and g(q-d,b-d); the latter is
    attained where R/Q ≤ 1, so with Q(S) ≥ R(S). For ε < 0 it is 1 - e^ε + e^ε·H(-ε).

    Errors with τ = max(1, e^ε): e^ε 2τ, so q·u at most 2τ + 2, which H inherits (its slope in t is at most 1); Φ 2
    each, times q and q·u ≤ e^ε; a and the rounding of s/2 at most 2 + 1/s, times 0.41, and 0.8; others 3. In all below
    4τ + 9 + 1/s; symmetrised, at most 4 more.
    """
    mirrored = release.symmetrised or release.mirrored
    start = 0 if mirrored else nodes.start
    last = max(-nodes.start, nodes.stop - 1) if mirrored else nodes.stop - 1
    exponents = exponentials(range(start, last + 1), step, bits)
    if release.alone:
        error = 4 * max(1, -(-exponents[-1] >> bits)) + math.ceil(1 / release.shift) + 16
        values = [hockey_stick(release, t, bits) for t in exponents]
    else:
        values, error = mixture_curve(release, exponents, bits)
        error += 4 * mirrored
    if not mirrored:
        return values, error
    small = exponentials(range(-last, 1), step, bits)
    one = 1 << bits
    return [values[i] if i >= 0 else one - small[i - 1] + (small[i - 1] * values[-i] >> bits) for i in nodes], error

def grid_bits(release: Release, nodes: range, grid: Grid, level: int) -> int:
    """Enough bits for one step on these nodes; refuses what would take too long."""
    step = grid.at(level)
    reach = max(-nodes.start, nodes.stop) * step
    require(nodes.start <= 0 <= nodes.stop - 2 and reach <= 2 * MAX_REACH, "loss_distribution: the grid is too wide")
    require(len(nodes) <= 2 * MAX_NODES, "loss_distribution: the grid is too fine")
    more = 0 if release.alone else (release.first + release.second).bit_length() + 8
    more += math.ceil((1 + 1 / release.shift) / step).bit_length() + 16
    return grid.unit.bit_length() + 4 * math.ceil(reach) + more

def from_above(release: Release, nodes: range, grid: Grid, level: int, backward: bool = False) -> Losses:
    """One step of a release on at least two nodes of a level, from above. `backward`: of (Q,P), whose losses are -x_j
    with masses p_j·e^(-x_j); of use where the grid goes one way."""
    step, unit, bits = grid.at(level), grid.unit, grid_bits(release, nodes, grid, level)
    one = 1 << bits
    spend(4 * len(nodes))
    h, error = divergence_curve(release, nodes, step, bits)
    # p_j = α·(h_(j-1) - 2·h_j + h_(j+1)) + h_j - h_(j+1) with α = 1/(1 - e^-step); α is off by less than 2 units
    alpha = fixed(1 / (1 - e_to(-step, bits + 192)), bits)  # h ≥ 2^-64: the quotient loses twice as many bits
    slack = (4 * (alpha >> bits) + 8) * error + 8
    left, right = h[:-1], h[1:]
    inner = [(alpha * (a - 2 * b + c) >> bits) + b - c for a, b, c in zip(left, right, right[1:], strict=False)]
    lowest = one - h[0] - ((alpha - one) * (h[0] - h[1]) >> bits)
    highest = alpha * (h[-2] - h[-1]) >> bits
    raw = [max(0, p + slack) for p in (lowest, *inner, highest)]
    below = 1 - Interval.of(Fraction(one - h[0] - error, one), bits + 64) / e_to(nodes.start * step, bits + 64)
    at_ends = h[-1] + error, fixed(below, bits) + 2  # at +∞ under P, at -∞ under Q
    if grid.one_way and backward:
        weights = exponentials(range(1 - nodes.stop, 1 - nodes.start), step, bits)  # e^-x_j, from the last to the first
        raw = [p * (w + 4 + (w >> (bits - 2))) >> bits for p, w in zip(reversed(raw), weights, strict=True)]
        nodes = range(1 - nodes.stop, 1 - nodes.start)
        raw = [p + 1 for p in raw]
    lost = max(at_ends) if not grid.one_way else at_ends[1] if backward else at_ends[0]
    return Losses(nodes.start, [-(-p * unit >> bits) for p in raw], -(-lost * unit >> bits), level)

# --- T19 from below: one step. ---------------------------------------------------------------------------------------
def from_below(release: Release, nodes: range, grid: Grid, level: int = 0, backward: bool = False) -> Losses:
    """One step, from below: the H of these atoms is at most that of the release. `backward`: as in `from_above`.

    Every set S gives a line P(S) - t·Q(S) below H. Take for each cell between two nodes that of S = {loss > middle of
    the cell}, or 1 - t where that is higher at the lower node; after the last cell 0; y_j = the smaller of the two
    lines at t_j. Between two nodes the interpolation of the y_j is at most the line of that cell. A node where it is
    not convex is left out: it lay above its neighbours' chord.

    The atoms have P-mass 1 and Q-mass 1 + γ, where γ is an effect of rounding, as y_j ≥ 1 - t_j up to that: far below
    one unit. So H of (Q,P) comes out too large by at most γ, and after T steps by (1 + γ)^T - 1: `lost` is taken off.
    """
    require(not release.symmetrised, "loss_distribution: no lower bound without replacement")
    require(nodes.start <= -2, "loss_distribution: needs two nodes below 0")  # so that all y_j ≥ 0
    step, bits = grid.at(level), grid_bits(release, nodes, grid, level)
    spend(20 * len(nodes))
    t, one, mixture = exponentials(nodes, step, bits), 1 << bits, Mixture.of(release, 30)
    error = (release.first + release.second + 12) * ((t[-1] >> bits) + 4)
    kinked = release.kinked and grid.one_way and not backward
    y = [one - t[0] - error]
    right = one - t[1] - error  # the line 1 - t serves the first cell
    for j, x in enumerate(mixture.places([(i + Fraction(1, 2)) * step for i in nodes[1:-1]], bits), start=1):
        p_mass, q_mass = mixture.beyond(x, bits)  # any place gives a true line
        left, following = (p_mass - (t[k] * q_mass >> bits) - error for k in (j, j + 1))
        # Forward alone, y_j may be below 1 - t_j (then γ is large) at a kink, where that line loses more at t_(j+1).
        may_lose = max(0, following - (one - t[j + 1])) if kinked else error
        if one - t[j] - left > may_lose:
            left, following = one - t[j] - error, one - t[j + 1] - error
        if following <= 0:
            require(t[j] >= one, "loss_distribution: the grid is too coarse")
            break
        y.append(min(left, right))
        right = following
    require(right >= 0, "loss_distribution: the grid is too coarse")
    y += [0, 0]
    require(5 * error * grid.unit < t[0], "loss_distribution: the grid is too wide")
    masses = convex_masses(y, step, grid, bits)
    if not (grid.one_way and backward):
        return Losses(nodes.start, masses, 1, level)
    top = nodes.start + len(masses) - 1
    weights = exponentials(range(-top, 1 - nodes.start), step, bits)
    lowered = (max(0, w - 4 - (w >> (bits - 2))) for w in weights)
    return Losses(-top, [p * w >> bits for p, w in zip(reversed(masses), lowered, strict=True)], 1, level)

def convex_masses(y: list[int], step: Fraction, grid: Grid, bits: int) -> list[int]:
    """The P-masses, rounded down, of the largest convex function below the points (e^(j·step), y_j); y_j exact."""
    one, scale = 1 << bits, bits + 64

    @cache
    def slopes(gap: int) -> tuple[int, int]:  # 1/(1 - e^-(gap·step)), rounded down and up
        low = fixed(1 / (1 - e_to(-gap * step, scale + 192)), scale)
        return low, low + 2

    def mass(i: int, j: int, k: int) -> tuple[int, int]:
        """At node j between its neighbours i and k: (y_i - y_j)·α(j-i) - (y_j - y_k)·(α(k-j) - 1), enclosed."""
        spend(4)
        ends = []
        for side in (0, 1):
            a = y[i] - y[j] if i >= 0 else 0
            b = y[j] - y[k]
            before = a * slopes(j - i)[side if a >= 0 else 1 - side] if i >= 0 else (one - y[j]) << scale
            ends.append(before - b * (slopes(k - j)[1 - side if b >= 0 else side] - (1 << scale)))
        return ends[0], ends[1]

    kept = [-1]  # the point (0, 1)
    for k in range(len(y)):
        while len(kept) > 1:
            low, high = mass(kept[-2], kept[-1], k)
            if low >= 0:
                break
            if high > 0:
                raise Undecided
            kept.pop()
        kept.append(k)
    masses = [0] * len(y)
    for i, j, k in zip(kept, kept[1:], kept[2:], strict=False):
        masses[j] = mass(i, j, k)[0] * grid.unit >> (bits + scale)
    return masses

# --- T19: many steps, and what they come to. -------------------------------------------------------------------------
def coarser(x: Losses, grid: Grid) -> Losses:
    """On every other node. A mass p between two of them is split 1 : e^-step, which keeps its Q-mass p·e^-x too."""
    bits = grid.unit.bit_length() + 8
    spend(2 * len(x.masses))
    share = 1 / (1 + e_to(-grid.at(x.level), bits + 64))  # goes up
    up, down = fixed(share, bits) + 2, fixed(1 - share, bits) + 2
    masses = [0] * (x.first % 2) + x.masses
    masses += [0] * (1 - len(masses) % 2)  # from an even node to an even node
    even, odd = masses[::2], masses[1::2]
    rising, falling = [0] + [-(-p * up >> bits) for p in odd], [-(-p * down >> bits) for p in odd] + [0]
    return Losses(x.first // 2, [sum(three) for three in zip(even, rising, falling, strict=True)], x.lost, x.level + 1)

def coarser_below(x: Losses, grid: Grid) -> tuple[Losses, int]:
    """On every other node, from below, one way; and how much mass fell by a whole step without need.

    Parts a at x-h and b at x+h make one with what is at x: merging outcomes lowers H. Where b ≥ a·e^h the loss of
    the whole is at least x; it is set to x, which lowers H of (P,Q) again. So an odd node gives some mass to the node
    above, and the rest, at least e^h times what comes up to the node below from the other side, to that below.
    """
    bits = 64
    spend(2 * len(x.masses))
    fall = fixed(e_to(-grid.at(x.level), 2 * bits), bits)  # e^-h, rounded down
    share = (fall << bits) // ((1 << bits) + fall) // 2  # what goes up, of both neighbours, where masses are smooth
    masses = [0] * (x.first % 2) + x.masses + [0]
    masses += [0] * (1 - len(masses) % 2)  # from an even node to an even node
    even, odd = masses[::2], masses[1::2]
    up, lost = [0] * (len(odd) + 1), 0  # up[k]: from odd[k - 1] to even[k]
    for k in range(len(odd) - 1, -1, -1):  # odd[k] lies above even[k]
        room = (odd[k] - up[k + 1]) * fall >> bits
        if k:
            up[k] = min((odd[k - 1] + odd[k]) * share >> bits, room, odd[k - 1])
        lost += odd[k] - up[k + 1] - up[k]
    down = [p - a for p, a in zip(odd, up[1:], strict=True)] + [0]
    made = [p + a + b for p, a, b in zip(even, up, down, strict=True)]
    return Losses(x.first // 2, made, x.lost, x.level + 1), max(0, lost)

def raised(x: Losses, level: int, grid: Grid) -> Losses:
    """On the nodes of a coarser level."""
    while x.level < level:
        x = coarser(x, grid) if grid.upward else coarser_below(x, grid)[0]
    return x

def polynomial_product(x: list[int], y: list[int]) -> list[int]:
    """The product of two polynomials with coefficients ≥ 0: one product of two long decimal numbers (Kronecker)."""
    width = len(str(sum(x) * sum(y)))  # no coefficient is larger than this
    spend((len(x) + len(y)) * (2 + width // 48))
    context = decimal.Context(
        prec=width * (len(x) + len(y)), Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[decimal.Inexact]
    )
    first = decimal.Decimal("".join([f"{c:0{width}d}" for c in x]))
    second = first if x is y else decimal.Decimal("".join([f"{c:0{width}d}" for c in y]))
    digits = str(context.multiply(first, second)).zfill(width * (len(x) + len(y) - 1))
    return [int(digits[i : i + width]) for i in range(0, len(digits), width)]

def composed(x: Losses, y: Losses, grid: Grid, allowance: int) -> Losses:
    """The convolution. What is cut off at either end has at most mass `allowance` under P and under Q.

    Where the loss is ≥ 0, Q has less mass than P; where it is ≤ 0, P has less than Q, which has p·e^-loss. One way, the
    mass under P alone matters.
    """
    require(x.level == y.level, "loss_distribution: two grids")
    masses, first, unit = polynomial_product(x.masses, y.masses), x.first + y.first, grid.unit
    budget, end = allowance * unit, len(masses)
    while end > 1 and (grid.one_way or first + end - 1 >= 0) and masses[end - 1] <= budget:
        end -= 1
        budget -= masses[end]
    lost = allowance * unit - budget
    budget, begin, step = allowance * unit, 0, grid.at(x.level)
    weight = down = 1 << 64
    if not grid.one_way:
        weight, down = fixed(e_to(-first * step, 400), 64) + 2, fixed(e_to(-step, 400), 64) + 2
    low = end if grid.one_way else min(end, 1 - first)
    while begin < min(low, end - 1) and (charge := (masses[begin] * weight >> 64) + 1) <= budget:
        budget -= charge
        begin += 1
        weight = (weight * down >> 64) + 1
    lost += allowance * unit - budget
    require(end - begin <= 2 * MAX_NODES, "loss_distribution: the losses are too far apart for this grid")
    given = x.lost + y.lost
    if grid.upward:
        return Losses(first + begin, [-(-c // unit) for c in masses[begin:end]], given - (-lost // unit), x.level)
    return Losses(first + begin, [c // unit for c in masses[begin:end]], given, x.level)

def repeated_losses(base: Losses, steps: int, grid: Grid, halvings: tuple[int, ...]) -> Losses:
    """`steps` equal steps from above, by squaring. A grid of step h costs about h²/8 a step, so it may be coarser where
    fewer steps are still to be multiplied."""
    result, left = base, steps.bit_length() - 1
    for digit, count in zip(bin(steps)[3:], halvings, strict=True):
        left -= 1
        allowance = max(1, grid.allowance >> left)
        result = composed(result, result, grid, allowance)
        if digit == "1":
            result = composed(result, base, grid, allowance)
        result, base = (raised(x, x.level + count, grid) for x in (result, base))
    return result

def repeated_from_below(base: Losses, steps: int, grid: Grid, halvings: tuple[int, ...]) -> Losses:
    """`steps` equal steps from below: the powers of two, and the product of those that are needed, so that what is
    halved is smooth."""
    power, total = base, None
    for i, digit in enumerate(reversed(bin(steps)[2:])):
        allowance = max(1, grid.allowance >> steps.bit_length() - 1 - i)
        if i:
            power = composed(power, power, grid, allowance)
            power = raised(power, power.level + halvings[i - 1], grid)
            total = total and raised(total, power.level, grid)
        if digit == "1":
            total = composed(total, power, grid, allowance) if total else power
    return total

def joined(x: Losses, y: Losses, grid: Grid) -> Losses:
    """Of two releases, on the coarser of their levels."""
    level = max(x.level, y.level)
    return composed(raised(x, level, grid), raised(y, level, grid), grid, grid.allowance)

def loss_distribution(releases: list[Release], grid: Grid, backward: bool = False) -> Losses:
    """The composed distribution. `backward`: as in `from_above`."""
    total, build = None, from_above if grid.upward else from_below
    repeat = repeated_losses if grid.upward else repeated_from_below
    for release, nodes, (level, *halvings) in zip(releases, grid.windows, grid.halvings, strict=True):
        part = repeat(build(release, nodes, grid, level, backward), release.steps, grid, tuple(halvings))
        total = part if total is None else joined(total, part, grid)
    return total

def excess(x: Losses, epsilon: Fraction, grid: Grid, bits: int = 192) -> tuple[Interval, Interval]:
    """δ(ε) of (P,Q) and of (Q,P): lost + Σ p·(1 - e^(ε-x)) over x > ε, lost + Σ p·(e^-x - e^ε) over x < -ε.

    The upper (lower) end is the bound; from below, `lost` is taken off.
    """
    step, unit = grid.at(x.level), grid.unit
    forward = backward = Interval.of(0, bits)
    lost = x.lost if grid.upward else -x.lost
    begin = max(0, epsilon // step + 1 - x.first)
    weight, down = e_to(epsilon - (x.first + begin) * step, bits), e_to(-step, bits)
    for p in x.masses[begin:]:
        forward = forward + p * (1 - weight)
        weight = weight * down
    if grid.one_way:
        return ((forward + lost) / unit,)
    end = min(len(x.masses), max(0, -(epsilon // step) - x.first))
    weight, growth = e_to(-x.first * step, bits), e_to(epsilon, bits)
    for p in x.masses[:end]:
        backward = backward + p * (weight - growth)
        weight = weight * down
    return (forward + lost) / unit, (backward + lost) / unit

# --- T19: which grid. A certificate brings its grids; where it does not, one plain rule chooses them. ----------------
# Floats occur in that rule alone, and nothing is believed of them, nor of what a certificate brings: see `Grid`. What
# is refused here would take too long.
BIAS = Fraction(1, 2000)  # of the plain rule's first grid: claims are seldom looser
MIN_BIAS = BIAS / 16
SMALL = 10**4  # so small a part of δ may be lost by rounding

def biases(epsilon: Fraction, delta: Fraction) -> Iterator[Fraction]:
    """What the plain rule tries in turn, coarser where ε is small."""
    bias = BIAS * max(1, Fraction(1, 20) / max(epsilon, delta)) ** 2
    while bias >= MIN_BIAS:
        yield bias
        bias /= 16

def all_releases(schedule: Schedule, upward: bool = True) -> list[Release]:
    """The sampled releases, and Gaussian releases with μ rounded up (or down) for all the others (T11)."""
    releases = list(schedule.sampled)
    pieces = max(1, math.ceil(schedule.mu_squared / 16))  # in equal ones, of a moderate shift
    square = math.floor(schedule.mu_squared / pieces * 2**128)
    mu = Fraction(math.isqrt(square) + (upward and schedule.mu_squared > 0), 2**64)
    if mu:
        releases.append(Release(Fraction(1), mu, pieces, False))
    return sorted(releases, key=lambda release: -release.steps)

def read_grid(given: dict[str, Any], releases: list[Release], upward: bool, way: str | None) -> Grid:
    """A grid of the certificate, for these releases, those with the most steps first."""
    step, digits, windows, halvings = Fraction(given["step"]), int(given["digits"]), [], []
    require(Fraction(1, 2**64) <= step <= 1, "grid: needs a step from 2^-64 to 1")
    require(1 <= digits <= MAX_GRID_DIGITS, f"grid: needs from 1 to {MAX_GRID_DIGITS} digits")
    for key in ("windows", "halvings"):
        require(len(given[key]) == len(releases), f"grid: {key} need {len(releases)} entries, one for each release")
    for release, (below, above), counts in zip(releases, given["windows"], given["halvings"], strict=True):
        require(int(below) + int(above) < 2 * MAX_NODES, f"grid: a window of {2 * MAX_NODES} nodes or more")
        times = release.steps.bit_length()
        require(len(counts) == times, f"grid: {release.steps} steps need {times} halvings, the first of one step")
        require(sum(map(int, counts)) <= MAX_HALVINGS, f"grid: more than {MAX_HALVINGS} halvings")
        windows.append(range(-int(below), int(above) + 1))
        halvings.append(tuple(map(int, counts)))
    return Grid(step, digits, int(given["cut"]), upward, way is not None, tuple(windows), tuple(halvings))

def log_of(value: Fraction) -> float:
    """log of a positive rational, however small."""
    return math.log(value.numerator) - math.log(value.denominator)

def loss_window(release: Release, allowance: float) -> tuple[float, float]:
    """Losses of one step beyond which P, or Q, has at most that mass: those at the places beyond which they have."""
    s = float(release.shift)
    above, below = ([(j, float(weight)) for j, weight in enumerate(row) if float(weight)] for row in release.weights())

    def log_ratio(weights: list[tuple[int, float]], x: float) -> float:  # of Σ_j w_j·N(js,1) to N(0,1)
        terms = [math.log(weight) + j * s * x - (j * s) ** 2 / 2 for j, weight in weights]
        return max(terms) + math.log(sum(math.exp(term - max(terms)) for term in terms))

    def edge(weights: list[tuple[int, float]]) -> float:
        low, high = -40.0, 40.0 + weights[-1][0] * s
        for _ in range(40):
            x = (low + high) / 2
            mass = sum(weight * math.erfc((x - j * s) / math.sqrt(2)) / 2 for j, weight in weights)
            low, high = (x, high) if mass > allowance else (low, x)
        return high

    last, first = edge(above), -edge(below)
    high = min(MAX_REACH, log_ratio(above, last) - log_ratio(below, -last))
    low = max(-MAX_REACH, log_ratio(above, first) - log_ratio(below, -first))
    return (-high if release.symmetrised else min(low, 0.0)), max(high, 0.0)

def added_variance(epsilon: Fraction, delta: Fraction, bias: Fraction, releases: int) -> tuple[float, float]:
    """What a release's grid may add to the variance V of the loss where ε may come out off by `bias`·ε, and 1 + λ.

    Each step on a grid of step h adds about h²/6 to V, and V/2 to the mean; at ε that moves δ like a shift by (1+λ)V/2,
    with λ about 2·log(1/δ)/ε.
    """
    size = float(max(epsilon, delta))
    tilt = 1 - 2 * log_of(delta) / size
    return float(bias) * size / (0.12 * tilt) / releases, tilt

def plain_grid(
    releases: list[Release], epsilon: Fraction, delta: Fraction, upward: bool, way: str | None, bias: Fraction
) -> Grid:
    """The rule: a grid on which ε comes out too large (too small) by about `bias`·ε. From below nothing is halved."""
    most, (variance, _) = releases[0].steps, added_variance(epsilon, delta, bias, len(releases))
    given = -log_of(delta) + math.log(max(1000, 1 / float(bias)))  # as small a part of δ may be given away
    ends = [loss_window(release, math.exp(-given) / release.steps) for release in releases]
    step = math.sqrt(variance / most)
    if not upward:  # lines need several cells where the losses crowd, just above log(1 - q)
        finer = min(1, max(0.125, math.sqrt(200 * bias))) if most <= FEW_STEPS else 1
        step = min([step, *(float(release.rate) / 4 * finer for release in releases)])
        if releases[0].kinked:  # a node at the kink
            least = -math.log1p(-float(releases[0].rate)) * abs(releases[0].first - releases[0].second)
            step = least / math.ceil(least / step) * (1 + 1e-12) if least else step
    levels = [(most // release.steps).bit_length() - 1 >> 1 if upward else 0 for release in releases]
    step = max(step, *((high - low) / 2**level / MAX_NODES for level, (low, high) in zip(levels, ends, strict=True)))
    lowest = 0 if way else max(max(-low for low, _ in ends), 1.4 * float(epsilon) + 3)  # masses as small as e^-ε
    parts, widest = max(SMALL, math.ceil(10 / bias)), max(high - low for low, high in ends)
    digits = (lowest - log_of(delta) + math.log(most * widest / step * parts)) / math.log(10)
    cut = math.floor(delta * 10 ** math.ceil(digits) / (10 * parts))

    def halvings(steps: int, level: int) -> Iterator[int]:
        yield level
        for left in reversed(range(steps.bit_length() - 1)):
            before = level
            while upward and (step * 2 ** (level + 1)) ** 2 * (8 << left) <= max(variance, most * step**2):
                level += 1
            yield level - before

    return Grid(
        Fraction(repr(step)), math.ceil(digits), cut, upward, way is not None,
        tuple(range(math.floor(low / step / 2**level) - 1, math.ceil(high / step / 2**level) + 2)
              for level, (low, high) in zip(levels, ends, strict=True)),
        tuple(tuple(halvings(release.steps, level)) for release, level in zip(releases, levels, strict=True)),
    )

GRID = {"step": exact, "digits": integer, "cut": integer, "windows": [(integer, integer)], "halvings": [[integer]]}

# --- ε of sampled batches: T19, T27. ---------------------------------------------------------------------------------
Brought = dict[str, Any]  # a grid that a certificate brings

def ways_of(releases: list[Release], epsilon: Fraction) -> list[str | None]:
    """The directions that are looked at one by one; None: both at once, where no mass is as small as e^-ε."""
    alike = all(release.symmetrised or release.rate == 1 or release.mirrored for release in releases)
    return ["forward"] if alike else [None] if epsilon <= ONE_WAY else ["forward", "backward"]

def shown(
    schedule: Schedule, epsilon: Fraction, delta: Fraction, upward: bool, way: str | None, given: Brought | None
) -> Interval | None:
    """The bound of δ(ε), if it is on the right side of δ on the grid that is given, or on one of the plain rule's."""
    charge, releases = truncation_charge(schedule, epsilon, 192), all_releases(schedule, upward)

    def bound_at(point: Fraction) -> Interval:
        sides = excess(losses, point, grid)
        return larger(sides[0], sides[-1]) + (charge if upward else -charge)

    def fits(bound: Interval) -> bool:
        try:
            return bound <= delta if upward else bound >= delta
        except Undecided:
            return False

    for bias in biases(epsilon, delta) if given is None else (None,):
        try:
            if bias is None:
                grid = read_grid(given, releases, upward, way)
            else:
                grid = plain_grid(releases, epsilon, delta, upward, way, bias)
            losses = loss_distribution(releases, grid, way == "backward")
        except (Undecided, ValueError, ArithmeticError):  # also where the floats of the rule give out
            raise DoesNotFollow("loss_distribution: not decided at this precision") from None
        bound = bound_at(epsilon)
        if fits(bound):
            return bound
        margin = 0 if bias is None else 30 * bias * max(epsilon, delta)  # a finer grid makes up for no more
        if (upward or margin < epsilon) and not fits(bound_at(epsilon + (margin if upward else -margin))):
            return None
    return None

def check_pld(schedule: Schedule, epsilon: Fraction, delta: Fraction, grids: list[Brought] | None = None) -> Interval:
    """T19, T20. δ(ε) <= delta by privacy-loss distributions; returns an enclosure of the upper bound found."""
    within_reach(schedule, epsilon, delta)
    ways = ways_of(all_releases(schedule), epsilon)
    bounds = []
    for i, way in enumerate(ways):
        bounds.append(shown(schedule, epsilon, delta, True, way, grids and grids[i]))
        require(bounds[-1] is not None, "loss_distribution: delta(epsilon) is not shown to be at most delta")
    return larger(bounds[0], bounds[-1])

def check_lower(
    schedule: Schedule, epsilon: Fraction, delta: Fraction, direction: str | None = None, grid: Brought | None = None
) -> None:
    """T11, T19. δ(ε) >= delta for the worst records: no smaller ε is true at delta. direction: that of the grid, or (a
    hint) which one to try first; "remove" has the record in P."""
    schedule = one_sided(schedule)
    if not schedule.sampled:
        check_gaussian(schedule, epsilon, delta, False)
        return
    within_reach(schedule, epsilon, delta)
    alike = all(release.mirrored for release in schedule.sampled)  # each way is the mirror of the other
    ways = ("backward", "forward") if direction == "add" else ("forward", "backward")
    for way in ("forward",) if alike else ways if grid is None else ways[:1]:
        if shown(schedule, epsilon, delta, False, way, grid) is not None:
            return
    raise DoesNotFollow("loss_distribution: delta(epsilon) is not shown to be at least delta")

def within_reach(schedule: Schedule, epsilon: Fraction, delta: Fraction) -> None:
    """The range of the statement, and what a checker is ready to compute."""
    require(epsilon >= 0 and 0 < delta < 1, "loss_distribution: needs epsilon >= 0 and 0 < delta < 1")
    require(delta >= Fraction(1, 10**MAX_DIGITS), f"loss_distribution: needs delta >= 1e-{MAX_DIGITS}")
    require(epsilon <= MAX_EPSILON, f"loss_distribution: needs epsilon <= {MAX_EPSILON}")
    require(sum(release.steps for release in schedule.sampled) <= MAX_SAMPLED, "loss_distribution: too many steps")
    require(len(schedule.sampled) <= MAX_GROUPS, "loss_distribution: too many different releases")
    require(schedule.mu_squared <= MAX_EPSILON**2, "loss_distribution: too little noise")
    small = Fraction(1, 10**9)
    for release in schedule.sampled:
        require(small <= release.rate <= 1 - small, "loss_distribution: sample_rate out of range")
        require(Fraction(1, 10**4) <= release.shift <= 20, "loss_distribution: noise_multiplier out of range")

def check_subsampled(schedule: Schedule, epsilon: Fraction, delta: Fraction, grids: list[Brought] | None = None) -> str:
    """δ(ε) <= delta, by T11 where nothing is sampled; returns the theorem's id."""
    if not schedule.sampled:
        check_gaussian(schedule, epsilon, delta)
        return "T11"
    check_pld(schedule, epsilon, delta, grids)
    return "T19"

def delta_and_group(step: Step) -> tuple[Fraction, int]:
    delta, group = Fraction(step.args["grid"]["delta"]), int(step.args.get("group", 1))
    require(0 < delta < 1, f"{step.name}: needs delta strictly between 0 and 1")
    require("group" not in step.args or group >= 2, f"{step.name}: needs a group of two records or more")
    return delta, group

def check_distribution(step: Step) -> Fraction:
    """T19, T27. Returns the stated ε.

    Of those that are not replaced, any number may be in either dataset; one direction is that of the others.
    """
    (delta, group), stated, neighbours = delta_and_group(step), step.stated("epsilon"), step.args["neighbours"]
    splits = range(group // 2 + 1) if neighbours != "replace-one" else [0]
    schedules = [read_schedule(step.args["releases"], neighbours, None, group, second) for second in splits]
    needed = [len(ways_of(all_releases(schedule), stated)) if schedule.sampled else 0 for schedule in schedules]
    grids = step.args["grid"].get("witness")
    fits = grids is None or len(grids) == sum(needed)
    require(fits, f"{step.name}: needs {sum(needed)} grids, one for each pair that is looked at")
    for schedule, count in zip(schedules, needed, strict=True):
        check_subsampled(schedule, stated, delta, grids and grids[:count])
        grids = grids and grids[count:]
    return stated

def check_distribution_witness(step: Step) -> bool:
    """T19l, T27l. Whether the stated ε was confirmed to be a lower bound; refused where it is refuted."""
    (delta, group), stated = delta_and_group(step), step.stated("epsilon")
    schedule, grids = read_schedule(step.args["releases"], step.args["neighbours"], step.cut, group), step.args["grid"]
    require(len(grids.get("witness", [{}])) == 1, f"{step.name}: needs one grid")
    if stated == 0:
        return True
    try:
        with budgeted():
            check_lower(schedule, stated, delta, step.args["direction"], grids.get("witness", [None])[0])
    except DoesNotFollow:
        try:
            with budgeted():
                check_subsampled(schedule, stated, delta)
        except DoesNotFollow:  # neither shown nor refuted
            return False
        raise DoesNotFollow(f"{step.name}: the stated epsilon does not follow") from None
    return True

DISTRIBUTION = SAMPLED | {"grid": {"delta": exact, "points": integer, "reverse_points": integer, "further": (),
                                   "witness?": [GRID]}}
OF_A_GROUP, WITNESSED = DISTRIBUTION | {"group": integer}, {"direction": one_of("remove", "add")}
EPSILON, AT_DELTA, OR_MORE = {"epsilon": rounded}, "at `grid.delta`", "at `grid.delta`; `group` ≥ 2"

declare(
    Rule("T19", "loss_distribution", DISTRIBUTION, EPSILON, check_distribution, remarks=AT_DELTA,
         free={"grid"}),
    Rule("T19l", "loss_distribution_witness", DISTRIBUTION | WITNESSED, EPSILON, check_distribution_witness,
         remarks=AT_DELTA, lower=True, free={"grid", "direction"}, may_fail=True),
    Rule("T27", "group_distribution", OF_A_GROUP, EPSILON, check_distribution, remarks=OR_MORE,
         free={"grid"}),
    Rule("T27l", "group_distribution_witness", OF_A_GROUP | WITNESSED, EPSILON, check_distribution_witness,
         remarks=OR_MORE, lower=True, free={"grid", "direction"}, may_fail=True),
)

# --- What no computation can check. ----------------------------------------------------------------------------------
ASSUMPTIONS = {
    "convexity": "The data loss of every record is convex in the parameters, and the regulariser makes the loss "
    "m-strongly convex, alike for neighbours.",
    "smoothness": "The regularised loss is L-smooth in the parameters.",
    "gradient_bound": "The data gradient of every record has norm at most M at every parameter vector.",
    "weight_decay": "The regulariser is the weight decay (m/2)‖θ‖² with m = strong_convexity, alike for neighbours.",
    "per_record_clipping": "Each record's gradient is clipped (or scaled) by itself, before the sum; the regulariser "
    "is added after.",
    "batch_clipping": "The mean gradient of every batch is clipped to norm clip as a whole; the regulariser is added "
    "after.",
    "feature_norm": "Every feature vector has norm at most feature_norm and every label is -1 or +1.",
    "features": "Every feature vector has norm at most feature_norm.",
    "target_bound": "Every target lies between -target_bound and target_bound.",
    "counts": "Every target lies between 0 and target_bound.",
    "classes": "Every label is one of the classes.",
    "domain": "Where there is a radius, its ball is centred at the origin and every gradient is taken in it; the "
    "loss's constants hold there.",
    "gaussian_noise": "Every step adds independent exact Gaussian noise N(0, 2ησ²I) that the observer does not know.",
    "noise_above_rounding": "With the dtype, dimension and largest_coordinate of [execution], and an error of at most "
    "4 units in the last place in each coordinate of each step, rounding adds at most a hundredth of the mu that the "
    "target allows.",
    "projection": "Every step ends with the projection on the ball of the given radius, and both starts lie in it.",
    "starts": "The two runs start at most initial_distance apart, independently of the data.",
    "neighbours:replace-one": "Neighbouring datasets differ in the value of the named records; their number is the "
    "same.",
    "neighbours:remove-one": "Neighbouring datasets differ in that the data gradients of the named records are zero; "
    "the batches keep their size.",
    "batches:fixed": "The batches are fixed in advance, visited in the same order every epoch, and alike in both runs.",
    "batches:secret": "The assignment of the records to batches was drawn uniformly, independently of data and noise, "
    "is alike in both runs, and the observer does not know it.",
    "release:final": "The observer sees the final model alone; which records are asked for, and when, does not depend "
    "on any released model.",
    "release:all": "The observer sees the model after learning and after every request; which records are asked for, "
    "and when, does not depend on any released model.",
    "release:adaptively": "The observer sees the model after learning and after every request; the set of records that "
    "the claim is about is fixed in advance, and everything else about the requests may be chosen from the released "
    "models.",
    "reference:retrain": "Unlearning is compared with retraining for as many epochs, with the same start and batches, "
    "without the records to be unlearned.",
    "reference:retrain-T": "Unlearning is compared with retraining for the learning epochs alone, with the same "
    "batches, without the records to be unlearned.",
    "reference:stationary": "Unlearning is compared with the stationary distribution of training with the same "
    "batches, without the records to be unlearned.",
    # of training runs
    "batches:disjoint": "Every record is in exactly one batch of each epoch; the order does not depend on the data.",
    "neighbours:add-or-remove-one": "Neighbouring datasets differ by one record that only one of them has.",
    "group:independent": "What is said of neighbours holds for group_size such differences at once; each of these "
    "records is drawn for itself.",
    "group:together": "What is said of neighbours holds for group_size such differences at once; these records are "
    "drawn together or not at all.",
    "noisy_sums": "Every step releases a sum with one term for each record of its batch, of norm at most the "
    "sensitivity, plus exact Gaussian noise that the observer does not know; whatever it is divided by is public.",
    "other_releases": "Every other release in the budget is Gaussian-DP with its stated mu, about the same records and "
    "neighbours; it may depend on what was released before.",
    "release:sums": "The observer may see every noisy sum, and with it every iterate.",
    "sampling": "The batches are drawn anew at every step as the schedule says, independently of the data, and the "
    "observer does not see who is in them.",
}

# --- What the run says about the columns of the records, and what people call it. ------------------------------------
LABELS = {  # loss -> what says what the target holds: the others are null. None: counts, which no key describes
    "logistic": "positive", "smoothed-hinge": "positive", "softmax": "classes", "least-squares": "target_limits",
    "huber": "target_limits", "poisson": None,
}
MAX_LINE = 200  # characters

def signed(value: Any, where: str) -> None:
    """An exact number, which may be negative."""
    exact(value.removeprefix("-") if isinstance(value, str) else value, where)
    if value == "-0":
        raise Malformed(f"{where}: -0 is not in canonical form")

def line_of_text(value: Any, where: str) -> None:
    """Text of one line, 200 characters at most."""
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_LINE or not value.isprintable():
        raise Malformed(f"{where}: needs a line of at most {MAX_LINE} printable characters, got {ascii(value)[:60]}")

DATA = {
    "target": text, "positive": optional([text]), "negative": optional([text]), "classes": optional([text]),
    "target_limits": optional((signed, signed)), "id": optional(text), "numeric": named(text, [signed]),
    "categorical": named(text, [text]), "intercept": one_of(True, False), "outside": one_of("refuse", "clip"),
    "normalise": one_of("row", "limits", "none"),
}
META = {"model?": line_of_text, "owner?": line_of_text, "purpose?": line_of_text, "version?": line_of_text}

def check_data(data: dict[str, Any], loss: dict[str, Any]) -> None:
    """The columns fit the loss: rows stay within feature_norm, where the loss has one, and labels are its labels."""
    kind = loss["kind"]
    require(kind != "constants", "run: data describe no records of a loss that is known by its constants alone")
    bounded = kind == "clipped" or data["normalise"] != "none"
    require(bounded, "run: data.normalise = none leaves rows beyond feature_norm")
    given = [key for key in ("positive", "classes", "target_limits") if data[key] is not None]
    if kind == "clipped":
        require(len(given) == 1, "run: data need one of positive, classes, target_limits")
    else:
        wanted = LABELS[kind]
        require(given == ([] if wanted is None else [wanted]), f"run: data.target does not fit a {kind} loss")
    require(data["negative"] is None or data["positive"] is not None, "run: data.negative without data.positive")
    require(kind != "softmax" or str(len(data["classes"])) == loss["classes"], "run: data.classes are not loss.classes")
    limits = [*data["numeric"].values(), *([] if data["target_limits"] is None else [data["target_limits"]])]
    for entry in limits:
        require(len(entry) in (2, 3) and Fraction(entry[0]) < Fraction(entry[1]), "run: data need limits lo < hi")
        require(len(entry) == 2 or (entry[2].isdigit() and entry[2] != "0"), "run: data need a width of at least 1")
    require(data["numeric"] or data["categorical"], "run: data have no features")

# --- The shape of a canonical run. -----------------------------------------------------------------------------------
TRAINING = {"dp-sgd": "clip", "auto-s": "auto-s", "dp-psac": "psac", "dp-psasc": "psasc"}  # mechanism -> its map

def loss_shape(value: Any, where: str) -> None:
    kind = value.get("kind") if isinstance(value, dict) else None
    derived = isinstance(kind, str) and kind in LOSSES
    shape = CONSTANTS
    if derived:
        shape = {key: of_key for key, of_key in RULES[LOSSES[kind][0]].arguments.items() if key != "radius"}
    shape = shape | ({"clipping?": newer(one_of("batch"), "per-record")} if kind == "clipped" else {})
    if kind is not None:
        one_of("constants", *LOSSES)(kind, f"{where}.kind")
    check_shape(value, {"kind": anything} | shape, where)

def scaling_shape(value: Any, where: str, **more: Any) -> None:
    kind = value.get("kind") if isinstance(value, dict) else None
    keys = MAPS.get(kind, ()) if isinstance(kind, str) else ()
    check_shape(value, {"kind": one_of(*MAPS), "max_grad_norm": exact} | dict.fromkeys(keys, exact) | more, where)

def run_shape(value: Any, where: str) -> None:
    mechanism = value.get("mechanism") if isinstance(value, dict) else None
    kind = mechanism.get("kind") if isinstance(mechanism, dict) else None
    check_shape(value, TRAINING_RUN if isinstance(kind, str) and kind in TRAINING else RUN, where)

RUN = {
    "mechanism": {
        "kind": one_of("pnsgd", *TRAINING), "samples": integer, "batch_size": integer, "epochs": integer,
        "unlearning_epochs": [integer], "noise_std": exact, "step_size": named_or_exact("1/L", "2/(L+m)"),
        "radius": optional(exact), "initial_distance": exact, "batch_order": one_of("fixed", "secret"),
        "remainder": one_of("error", "drop"),
    },
    "loss": loss_shape,
    "scaling": optional(scaling_shape),
    "requests": {"sizes": [integer], "chosen?": newer(one_of("adaptively"), "independently"), "max_records?": integer,
                 "max_epochs?": integer},
    "target": {"epsilon": exact, "delta": named_or_exact("1/n")},
    "threat": {"neighbours": NEIGHBOURS, "reference": one_of("retrain", "retrain-T", "stationary"),
               "release": one_of("final", "all")},
    "attest": lambda value, where: None if value is None else check_shape(value, attestation, where),
}
EXECUTED_IN = {"dtype?": one_of("float64", "float32"), "dimension?": integer, "largest_coordinate?": exact}

def executed_in_shape(value: Any, where: str) -> None:
    """The keys that are given; one at least."""
    check_shape(value, EXECUTED_IN, where)
    if not value:
        raise Malformed(f"{where}: is empty, and then left out of the canonical run")

RUN |= {"execution?": executed_in_shape, "data?": DATA}
STAGE = {"sample_rate": optional(exact), "batch_size": optional(integer), "steps": optional(integer)}
STAGE |= {"epochs": optional(integer)}
TRAINING_RUN = {
    "mechanism": {
        "kind": one_of(*TRAINING), "noise_multiplier": exact, **STAGE, "samples": optional(integer),
        "sampling": one_of(*BATCHES), "max_batch_size": optional(integer), "normaliser": optional(exact),
    },
    "scaling": lambda value, where: scaling_shape(value, where, gradient_norm_bound=optional(exact)),
    "momentum": {"outer": exact, "inner_beta": exact, "inner_window": integer, "inner_history": one_of("own", "batch")},
    "stages": [{"noise_multiplier": optional(exact), **STAGE}],
    "releases": [{"mu": exact, "text": optional(text)}],
    "target": {"epsilon": exact, "delta": named_or_exact("1/n")},
    "threat": {"neighbours": one_of(*BATCHES["full"]), "group_size?": newer(integer, "1"),
               "group_sampling?": newer(one_of("together"), "independent")},
    "attest": RUN["attest"],
    "execution?": executed_in_shape,
}

# --- The shape of a proof, and of everything else. -------------------------------------------------------------------
def step_shape(value: Any, where: str) -> None:
    check_shape(value, {"theorem": text, "args": anything, "premises": [integer], "concludes": anything}, where)
    if value["theorem"] not in RULES:
        raise Malformed(f"{where}: unknown theorem id {ascii(value['theorem'])[:60]}")
    rule = RULES[value["theorem"]]
    check_shape(value["args"], rule.arguments, f"{where}.args")
    check_shape(value["concludes"], rule.concludes, f"{where}.concludes")

def claim_shape(value: Any, where: str) -> None:
    if isinstance(value, dict) and ("sensitivity" in value or "guarantees" in value):
        optionally = dict.fromkeys(("lower", "renyi"), optional(integer)) | {"guarantees": (optional(integer),) * 2}
        return check_shape(value, {"bound": integer, "sensitivity": integer, "executed?": integer} | optionally, where)
    details = dict.fromkeys(("renyi", "learned", "released", "mu?"), integer)
    check_shape(value, {"bound": integer, "lower": optional(integer)} | details, where)

def equally_long(value: dict[str, Any], keys: Sequence[str], where: str) -> None:
    lengths = {len(value[key]) for key in keys}
    if len(lengths) > 1 or not 1 <= max(lengths) <= MAX_FIGURE:
        raise Malformed(f"{where}: {', '.join(keys)} need as many entries each, from 1 to {MAX_FIGURE}")

def profile_shape(value: Any, where: str) -> None:
    check_shape(value, {"epsilon": [exact], "upper": [rounded], "lower": [optional(rounded)]}, where)
    equally_long(value, ("epsilon", "upper", "lower"), where)
    epsilons = [Fraction(epsilon) for epsilon in value["epsilon"]]
    if len(epsilons) < 2 or any(x >= y for x, y in pairwise(epsilons)):
        raise Malformed(f"{where}.epsilon: needs at least two values, ascending")
    for key in ("upper", "lower"):
        if any(x < y for x, y in pairwise(Fraction(delta) for delta in value[key] if delta is not None)):
            raise Malformed(f"{where}.{key}: a profile does not rise")
    never_crossing(value, where)

def sweep_shape(value: Any, where: str) -> None:
    curves = {key: [optional(rounded)] for key in ("upper", "lower", "published")}
    names = {"parameter": one_of("unlearning_epochs", "epochs", "steps"),
             "published_name": one_of(None, "chien2024", "koloskova2025", "renyi")}
    check_shape(value, names | {"values": [integer]} | curves, where)
    equally_long(value, ("values", *curves), where)
    if any(int(x) >= int(y) for x, y in pairwise(value["values"])):
        raise Malformed(f"{where}.values: must ascend")
    never_crossing(value, where)

def never_crossing(curves: dict[str, list[str | None]], where: str) -> None:
    for upper, lower in zip(curves["upper"], curves["lower"], strict=True):
        if None not in (upper, lower) and Fraction(lower) > Fraction(upper):
            raise Malformed(f"{where}: a lower bound lies above the upper one")

def subjects_shape(value: Any, where: str) -> None:
    """The run, then files: each name at most once, in this order."""
    check_shape(value, [{"name": text, "digest": {"sha256": hexadecimal}}], where)
    names = tuple(entry["name"] for entry in value)
    if names not in (("run",), ("run", "model"), ("run", "run_record"), ("run", "model", "run_record")):
        raise Malformed(f"{where}: needs run, and then perhaps model and run_record, in this order")

def recorded_shape(value: Any, where: str) -> None:
    """Of an erasure record: certificate and run, and the model of the last request."""
    check_shape(value, [{"name": text, "digest": {"sha256": hexadecimal}}], where)
    if [entry["name"] for entry in value] not in (["certificate", "run"], ["certificate", "run", "model"]):
        raise Malformed(f"{where}: needs certificate, run, and then perhaps model")

FIGURES = {
    "profile": optional(profile_shape),
    "sweep": optional(sweep_shape),
    "published": optional(named(pattern(r"[A-Za-z0-9_]{1,64}", "a name"), {"epsilon": optional(rounded)})),
}
MODEL_DIGEST = {"algorithm": one_of("SHA-256", "HMAC-SHA-256"), "value": hexadecimal}
EXECUTED_PHASE = {
    "kind": one_of("learn", "unlearn", "retrain"), "epochs": integer, "steps": integer, "erased": integer,
    "device": text, "device_name": text, "versions": named(text, text), "started": date, "finished": date,
}
ERASED = {
    "request": integer, "id": text, "received": optional(date), "started": date, "finished": date, "scope": text,
    "records": integer, "commitment": {"algorithm": one_of("HMAC-SHA-256"), "value": hexadecimal},
    "model_before": MODEL_DIGEST, "model_after": MODEL_DIGEST,
    "guarantee": {"epsilon": rounded, "delta": rounded, "reference": RUN["threat"]["reference"],
                  "neighbours": NEIGHBOURS},
    "cumulative": integer, "cap": integer,
    "sign_off": optional({"name": text, "role": text, "date": day, "text": text}),
}
FINITE_PRECISION = {
    "dimension": integer, "step_error": exact, "grid": exact, "uncoupled": exact, "failure": exact,
    "executed": {"mu": rounded, "gamma": rounded, "t": rounded, "epsilon": optional(rounded), "delta": rounded},
}
EXECUTED_SUMS = {
    "dimension": integer, "grids": [exact], "error": exact, "uncoupled": exact, "enlargement": exact,
    "largest_batch": integer,
    "executed": {"gamma": rounded, "t": rounded, "spare": exact, "sums": {"epsilon": rounded, "delta": exact},
                 "epsilon": rounded, "delta": rounded},
}

def finite_precision_shape(value: Any, where: str) -> None:
    of_sums = isinstance(value, dict) and "grids" in value
    check_shape(value, EXECUTED_SUMS if of_sums else FINITE_PRECISION, where)

EXECUTION = {
    "dataset": text, "order": text, "noise": one_of("secret", "reproducible"), "phases": [EXECUTED_PHASE],
    "erasures": [ERASED], "audits": (), "clipping?": one_of("per-record"),
    "finite_precision?": finite_precision_shape,
}
PRODUCER = {
    "name": pattern(r"[A-Za-z0-9._-]{1,64}", "a name"),
    "version": pattern(r"[0-9]+([.][0-9A-Za-z+-]{1,32}){0,7}", "a version"),
}
STATEMENT = {
    "_type": one_of("https://in-toto.io/Statement/v1"),
    "predicateType": one_of(CERTIFICATE, ERASURE),
    "subject": subjects_shape,
    "predicate": {
        "producer": PRODUCER,
        "created": date,
        "expires?": date,
        "meta?": META,
        "run": run_shape,
        "verdict": one_of("CERTIFIED", "NOT_CERTIFIED", "INDETERMINATE"),
        "out_of_reach": one_of(True, False),
        "epsilon": {"lower": optional(rounded), "upper": rounded, "target": exact},
        "delta": rounded,
        "mu": {"lower": optional(rounded), "upper": optional(rounded)},
        "wasserstein": {"learned": optional(rounded), "released": optional(rounded)},
        "renyi": [{"order": exact, "upper": rounded}],
        "requests": [{"size": integer, "epochs": integer, "epsilon": rounded}],
        "theorems": [one_of(*RULES)],
        "assumptions": [{"id": one_of(*ASSUMPTIONS), "status": one_of("proved", "checked", "attested", "violated"),
                         "text": one_of(*ASSUMPTIONS.values())}],
        "proof": {"steps": [step_shape], "claims": [claim_shape]},
        "guarantees?": tuple(
            {"name": one_of(name), "neighbours": optional(text),
             "epsilon": {"lower": optional(rounded), "upper": optional(rounded)}}
            for name in ("membership", "attribute or label")
        ),
        "figures?": FIGURES,
        "execution?": EXECUTION,
        "predecessor?": hexadecimal,
    },
}
RECORD = STATEMENT | {
    "subject": recorded_shape,
    "predicate": {"producer": PRODUCER, "created": date, "noise": EXECUTION["noise"], "erasure": ERASED},
}
ENVELOPE = {
    "payloadType": text,
    "payload": text,
    "signatures": [{"keyid": hexadecimal, "sig": pattern(r"[A-Za-z0-9+/]{85}[AQgw]==", "64 bytes in padded base64")}],
    "digest": {"sha256": hexadecimal},
}

# --- The numbers that a run is executed in. --------------------------------------------------------------------------
FLOATS = {"float64": (52, -1022, 1023), "float32": (23, -126, 127)}  # fraction bits, least and largest exponent
ULPS = 4  # the error of a step that is charged, in units in the last place of every coordinate
KAPPA_DIGITS = 9

NUMBERS = ("dtype", "dimension", "largest_coordinate")  # the keys of [execution] that rounding depends on

def numbers_of(run: dict[str, Any]) -> dict[str, str]:
    """What a canonical run says of them; empty where it says nothing."""
    return {key: value for key, value in run.get("execution", {}).items() if key in NUMBERS}

def check_floats(execution: dict[str, str]) -> None:
    """The side conditions on what a run is executed in; all of its keys may be absent."""
    require(int(execution.get("dimension", 1)) >= 1, "run: needs execution.dimension >= 1")
    largest = Fraction(execution.get("largest_coordinate", 1))
    require(largest > 0, "run: needs execution.largest_coordinate > 0")
    bits, _, top = FLOATS[execution.get("dtype", "float64")]
    most = (2 - Fraction(1, 2**bits)) * 2**top
    require(largest <= most, "run: execution.largest_coordinate is beyond the largest number of its dtype")

def unit_in_the_last_place(x: Fraction, dtype: str) -> Fraction:
    """ulp(x) for x > 0: 2^(⌊log₂ x⌋ - bits), and no less than that of the least normal number."""
    bits, least, _ = FLOATS[dtype]
    exponent = x.numerator.bit_length() - x.denominator.bit_length()
    exponent -= Fraction(2) ** exponent > x
    return Fraction(2) ** (max(exponent, least) - bits)

# --- The canonical run, and what it implies. -------------------------------------------------------------------------
@dataclass(frozen=True)
class Run:
    """The canonical run, with the numbers that everything else is derived from."""
    samples: int
    batch_size: int
    batches: int
    epochs: int
    unlearning_epochs: tuple[int, ...]
    sizes: tuple[int, ...]
    step_size: Fraction
    noise_std: str
    radius: Fraction | None
    initial_distance: str
    loss: dict[str, Any]
    scaling: dict[str, Any] | None
    m: Fraction
    smoothness: Fraction | None
    gradient_bound: Fraction
    convex: bool
    neighbours: str
    reference: str
    release: str
    secret: bool
    adaptively: bool  # whether requests are chosen from the released models
    target: Fraction
    delta: Fraction
    execution: dict[str, str]  # what numbers it is executed in

    @cached_property
    def rounding(self) -> str | None:
        """The status of the assumption that noise is above rounding; None where it is not made."""
        return rounding_status(self) if self.execution else None

    @property
    def derived(self) -> bool:
        return self.loss["kind"] != "constants"

    @property
    def clips_records(self) -> bool:
        """Whether each record's gradient is clipped, or scaled, by itself."""
        return (self.scaling is not None or self.loss.get("clip") is not None) and not clips_batches(self.loss)

    @property
    def contracts(self) -> bool:
        """Whether every step is a contraction by C1: c ≤ 1."""
        return self.convex and self.step_size * self.smoothness <= 2

    def unlearns(self, request: int) -> bool:
        """Whether the claim on a request (0-based) is about unlearning; else it is about learning itself."""
        return any(self.unlearning_epochs[: request + 1])

def loss_theorem(loss: dict[str, Any], scaling: dict[str, Any] | None) -> str:
    """L1 to L7b, or L1u to L5u where the gradients are scaled."""
    return LOSSES[loss["kind"]][0] + ("" if scaling is None else "u") + ("b" if clips_batches(loss) else "")

def clips_batches(loss: dict[str, Any]) -> bool:
    """Whether it is the mean gradient of a batch that is clipped, and not that of a record."""
    return loss.get("clipping") == "batch"

def loss_arguments(loss: dict[str, Any], scaling: dict[str, Any] | None, radius: str | None) -> dict[str, Any]:
    """What the theorem about this loss is told."""
    keys = RULES[loss_theorem(loss, scaling)].arguments
    return {key: radius if key == "radius" else loss[key] for key in keys}

def map_arguments(scaling: dict[str, Any]) -> dict[str, Any]:
    """What T14 and T16 are told about the map."""
    return {key: scaling.get(key) for key in ("kind", "max_grad_norm", "r", "s")}

def read_run(run: dict[str, Any]) -> Run:
    """The run's numbers, and the side conditions on them. No number of the format has a sign."""
    mechanism, loss, scaling = run["mechanism"], run["loss"], run["scaling"]
    samples, batch_size, epochs = (int(mechanism[key]) for key in ("samples", "batch_size", "epochs"))
    require(1 <= batch_size <= samples, "run: needs 1 <= batch_size <= samples")
    batches = samples // batch_size
    divides = samples % batch_size == 0
    require(divides or mechanism["remainder"] == "drop", "run: batch_size does not divide samples, remainder = error")
    if scaling is not None:
        linear = loss["kind"] in LOSSES and LOSSES[loss["kind"]][0] + "u" in RULES
        require(linear and loss["clip"] is None, "run: scaling needs a loss of a linear model with one output, no clip")
        theorem = loss_theorem(loss, scaling)
        model = linear_model(theorem, loss_arguments(loss, scaling, mechanism["radius"]), RULES[theorem].name)
        constants = scaled_constants(model, read_scaling(scaling, RULES["T16"].name))
    elif loss["kind"] in LOSSES:
        told = loss_arguments(loss, None, mechanism["radius"])
        constants = loss_constants(loss_theorem(loss, None), told)
    else:
        constants = {key: Fraction(loss[key]) for key in ("smoothness", "strong_convexity", "gradient_bound")}
        constants["convex"] = loss["convex"]
    m, smoothness, rule = constants["strong_convexity"], constants["smoothness"], mechanism["step_size"]
    require(smoothness is None or m <= smoothness, "run: needs strong_convexity <= smoothness")
    if rule in ("1/L", "2/(L+m)"):
        require(smoothness is not None, f"run: step_size = {rule} needs a known smoothness")
        require(smoothness > 0, "run: step_size divides by zero")
        step_size = 1 / smoothness if rule == "1/L" else 2 / (smoothness + m)
    else:
        step_size = Fraction(rule)
    require(step_size > 0, "run: needs step_size > 0")
    require(Fraction(mechanism["noise_std"]) > 0, "run: needs noise_std > 0")
    radius = mechanism["radius"] and Fraction(mechanism["radius"])
    require(radius is None or radius > 0, "run: needs radius > 0")
    sizes = tuple(int(size) for size in run["requests"]["sizes"])
    require(all(size >= 1 for size in sizes), "run: needs requests of at least one record")
    require(sum(sizes) <= batches * batch_size, "run: the requests name more records than the batches hold")
    limits = run["requests"]
    require(sum(sizes) <= int(limits.get("max_records", sum(sizes))), "run: more records than requests.max_records")
    longest = max(int(k) for k in mechanism["unlearning_epochs"])
    require(longest <= int(limits.get("max_epochs", longest)), "run: more unlearning_epochs than requests.max_epochs")
    adaptively = "chosen" in limits
    seen = run["threat"]["release"] == "all"
    require(seen or not adaptively, "run: requests.chosen = adaptively needs release = all")
    require(sum(sizes) <= MAX_BATCHES * batch_size, f"run: more than {MAX_BATCHES} batches with differing records")
    expands = constants["convex"] and step_size * smoothness > 2
    require(not expands or radius is not None, "run: contraction > 1 (step_size > 2/L) without a radius")
    target, threat = run["target"], run["threat"]
    delta = Fraction(1, samples) if target["delta"] == "1/n" else Fraction(target["delta"])
    require(0 < delta < 1, "run: needs delta strictly between 0 and 1")
    check_floats(numbers_of(run))
    if "data" in run:
        check_data(run["data"], loss)
    return Run(
        samples, batch_size, batches, epochs, tuple(int(k) for k in mechanism["unlearning_epochs"]), sizes, step_size,
        mechanism["noise_std"], radius, mechanism["initial_distance"], loss, scaling, m, smoothness,
        constants["gradient_bound"], constants["convex"], threat["neighbours"], threat["reference"], threat["release"],
        mechanism["batch_order"] == "secret", adaptively, Fraction(target["epsilon"]), delta, numbers_of(run),
    )

def phase_epochs(run: Run, request: int, fewer: int = 0) -> list[int]:
    """Epochs of learning, and of each unlearning up to the request (0-based); 0 = no such phase.

    Retraining for T epochs is compared with the last T epochs of the history. `fewer`: at the end of the last phase.
    """
    spend(1 + request)
    epochs = [run.epochs, *run.unlearning_epochs[: request + 1]]
    left_out = sum(epochs[1:]) if run.reference == "retrain-T" else 0
    for i, count in enumerate(epochs):
        epochs[i] = max(0, count - left_out)
        left_out -= count - epochs[i]
    epochs[-1] -= fewer
    return epochs

def implied_start(run: Run, request: int) -> str:
    """How far apart the two runs are at the start of the timeline.

    A reference that is not retraining for as many epochs begins somewhere else in the ball, whatever the initial
    distance of the two runs: without a ball, nothing bounds how far.
    """
    if run.reference == "retrain" or not run.unlearns(request):
        return run.initial_distance
    require(run.radius is not None, f"run: reference = {run.reference} needs a radius")
    return canonical(max(2 * run.radius, Fraction(run.initial_distance)))

def differing(run: Run, request: int, phase: int) -> int:
    """Records that differ in a phase of the claim on a request: of all requests up to it that are not yet erased.

    Where requests are chosen from the released models, each record may be the last that is asked for.
    """
    spend(1 + (request >> 4))
    first = 0 if run.adaptively and phase <= request else phase
    return sum(run.sizes[first : request + 1])

def is_hidden(run: Run, request: int) -> bool:
    """Whether the secrecy of the batch order is what bounds this claim (T9): one record, learned from, and never again.

    Without unlearning there is but one model, whatever is released, and no reference.
    """
    one_record = request == 0 and run.sizes[0] == 1 and run.epochs > 0 and Fraction(run.initial_distance) == 0
    plain = not run.unlearns(request) or (run.release == "final" and run.reference == "retrain")
    return run.secret and one_record and plain and run.contracts

def placed_records(run: Run, count: int, first: bool) -> list[list[str]]:
    """(position, count) of the batches with differing records, where that is worst: see `implied_phases`."""
    if clips_batches(run.loss):  # one record, or more: it is all the same to a batch
        counts = [1] * min(count, run.batches)
    else:
        full, rest = divmod(count, run.batch_size)
        counts = [run.batch_size] * full + [rest] * (rest > 0)
    if first:
        return [[str(i), str(count)] for i, count in enumerate(counts)]
    return [[str(run.batches - len(counts) + i), str(count)] for i, count in enumerate(counts[::-1])]

def implied_phases(
    run: Run, request: int, among: Sequence[int], witness: bool = False, fewer: int = 0, first: Sequence[bool] = ()
) -> Iterator[dict[str, Any]]:
    """Some phases of the claim on a request (0-based): 0 is learning, i the i-th unlearning; none without epochs.

    In which batches the records are is not known. For μ they fill the last batch, then the one before: for c ≤ 1 a
    later position costs no less. For c > 1 there is one record: an earlier batch is the same history with clean steps
    appended (whatever rates a phase goes by, they hold at every step). For the excursions of T26 see `gauges`.
    For W∞ (`first`: of each of these phases) what follows a shift multiplies it: where that makes it grow, or where
    the steps drift from the first shift on, they fill the first batch, then the one after.
    """
    placed = iter(first)
    for phase, epochs in enumerate(phase_epochs(run, request, fewer)):
        if epochs and phase in among:
            spend(10 + differing(run, request, phase) // run.batch_size)
            records = placed_records(run, differing(run, request, phase), next(placed, False))
            described = {"epochs": str(epochs), "batches": str(run.batches), "step_size": canonical(run.step_size)}
            described |= {"noise_std": run.noise_std, "records": records}
            yield described | ({"batch_size": str(run.batch_size)} if witness else {})

def rounding_status(run: Run) -> str:
    """T28's rule of thumb. Steps that are c-Lipschitz, c < 1, and executed with errors of at most r ulp in each of d
    coordinates, add at most κ = 2·√d·r·ulp(X)/((1-c)τ) to μ: what the steps before the last one leave behind, and the
    last one's own rounding. Each model that is seen is the end of such a stretch.

    proved: 100·κ is a μ at which the target is met; violated: it is not, or that is not decided; attested: something is
    not known.
    """
    known = run.execution
    if len(known) < len(NUMBERS) or not run.convex or run.smoothness is None:
        return "attested"
    c = contraction(run.step_size, run.m, run.smoothness)
    if c >= 1:
        return "attested"
    error = ULPS * unit_in_the_last_place(Fraction(known["largest_coordinate"]), known["dtype"])
    variance = 2 * run.step_size * Fraction(run.noise_std) ** 2
    stretches = len(run.sizes) if run.release == "all" else 1
    kappa_squared = stretches * int(known["dimension"]) * (2 * error / (1 - c)) ** 2 / variance
    mu = root_rounded_up(10**4 * kappa_squared, KAPPA_DIGITS)
    try:
        met = decide(lambda bits: profile(run.target, Interval.of(mu, bits)) <= run.delta, "noise_above_rounding")
    except DoesNotFollow:
        met = False
    return "proved" if met else "violated"

def implied_assumptions(
    of: Run, run: dict[str, Any], theorems: set[str], execution: dict[str, Any]
) -> list[dict[str, str]]:
    """What the claim about this run takes for granted, in the order of docs/certificate.md.

    What a run does not have is `violated`: then `check_arguments` refuses every step that would rest on it.
    """
    derived = of.derived
    loss = "proved" if derived else "attested"
    status = {"convexity": loss if of.convex else "violated"}
    status |= {} if clips_batches(of.loss) else {"gradient_bound": loss}
    status["smoothness"] = "violated" if of.smoothness is None else loss
    status |= {"noise_above_rounding": of.rounding} if of.rounding else {}
    mechanism, threat = run["mechanism"], run["threat"]
    chosen = {"gaussian_noise", "starts", "batches:fixed", f"batches:{mechanism['batch_order']}"}
    chosen |= {f"neighbours:{threat['neighbours']}"}
    chosen |= {"release:adaptively" if of.adaptively else f"release:{threat['release']}"}
    chosen |= set(LOSSES[run["loss"]["kind"]][1]) if derived else set()
    chosen |= {"weight_decay"} if not of.convex or theorems & {"T22", "T23", "T23b"} else set()
    chosen |= {"batch_clipping"} if clips_batches(of.loss) else set()
    if of.clips_records:
        status["per_record_clipping"] = "checked" if "clipping" in execution else "attested"
    chosen |= {"projection"} if mechanism["radius"] is not None else set()
    chosen |= {f"reference:{threat['reference']}"} if any(int(k) for k in mechanism["unlearning_epochs"]) else set()
    listed = [name for name in ASSUMPTIONS if name in status or name in chosen]
    return [{"id": name, "status": status.get(name, "attested"), "text": ASSUMPTIONS[name]} for name in listed]

# --- The canonical training run, and what it implies. ----------------------------------------------------------------
@dataclass(frozen=True)
class Training:
    """The canonical run of DP-SGD or a relative: what was released, as the proof writes it.

    Of a group that is drawn together, or always: its terms are one term `group` times as large (or so much less noise).
    """
    own: tuple[dict[str, str], ...]  # the noisy sums; of disjoint batches, those that a record is in
    others: tuple[dict[str, str], ...]  # other releases about the same records
    others_stated: bool  # though all may have mu = 0
    gaussian: bool  # nothing is sampled
    disjoint: bool
    sums: int
    sampling: str
    neighbours: str
    cut: Cut | None
    scaling: dict[str, Any]
    momentum: dict[str, Any]
    target: Fraction
    delta: Fraction
    group: int  # records that differ
    together: bool  # they are drawn by one coin
    known: bool  # whether anything is known of the other releases, for these neighbours
    executed: bool  # the run says in what numbers
    stages: tuple[tuple[Fraction, Fraction, int], ...]  # noise multiplier, sample rate, noisy sums

    @property
    def pair(self) -> str:
        """The neighbours that T18 and T19 are told: a record that is zero is one that is not there."""
        return self.neighbours if self.neighbours == "replace-one" else "add-or-remove-one"

    @property
    def coins(self) -> int:
        """How many records with coins of their own T27 is told of; 1: T19 serves."""
        return 1 if self.together or self.gaussian else self.group

    @property
    def can_be_cut(self) -> bool:
        """Whether a batch can be larger than is allowed, in the larger of the two datasets."""
        return self.cut is not None and self.cut[1] <= self.cut[0]

def read_training(run: dict[str, Any], other: str | None = None) -> Training:
    """What a training run releases, and the side conditions on it. What a stage leaves out is taken from mechanism.

    `other`: the same run, for other neighbours than its own.
    """
    mechanism, threat, target = run["mechanism"], run["threat"], run["target"]
    neighbours = other or threat["neighbours"]
    sampling, disjoint = mechanism["sampling"], mechanism["sampling"] in ("shuffled", "fixed")
    fits = TRAINING[mechanism["kind"]] == run["scaling"]["kind"]
    require(fits, f"run: {run['scaling']['kind']} is not the map of {mechanism['kind']}")
    fits = neighbours in BATCHES[sampling]
    require(fits, f"run: no statement about {sampling} batches and {neighbours} neighbours")
    samples, cap = (mechanism[key] and int(mechanism[key]) for key in ("samples", "max_batch_size"))
    require(samples is None or samples >= 1, "run: needs samples >= 1")
    group, together = int(threat.get("group_size", 1)), threat.get("group_sampling") == "together"
    require("group_sampling" not in threat or "group_size" in threat, "run: group_sampling needs group_size")
    require("group_size" not in threat or 2 <= group <= MAX_GROUP, f"run: needs group_size from 2 to {MAX_GROUP}")
    require(group == 1 or sampling != "without-replacement", "run: no statement about groups without replacement")
    require(group == 1 or samples is None or group <= samples, "run: needs group_size <= samples")
    if cap is not None:
        require(sampling == "poisson" and samples is not None, "run: max_batch_size needs Poisson batches, and samples")
        require(cap >= group, "run: needs max_batch_size >= 1, and >= group_size")
    for value in (mechanism["normaliser"], run["scaling"]["gradient_norm_bound"]):
        require(value is None or Fraction(value) > 0, "run: needs normaliser > 0 and gradient_norm_bound > 0")

    def sums(stage: dict[str, Any]) -> tuple[Fraction, Fraction, int]:  # noise multiplier, rate, steps
        rated = stage if stage["sample_rate"] is not None or stage["batch_size"] is not None else mechanism
        timed = stage if stage["steps"] is not None or stage["epochs"] is not None else mechanism
        if rated["batch_size"] is not None:
            require(rated["sample_rate"] is None, "run: sample_rate and batch_size, which one?")
            fits = samples is not None and 1 <= int(rated["batch_size"]) <= samples
            require(fits, "run: needs 1 <= batch_size <= samples")
            rate = Fraction(int(rated["batch_size"]), samples)
        else:
            require(rated["sample_rate"] is not None or sampling == "full", "run: needs sample_rate or batch_size")
            rate = Fraction(rated["sample_rate"] or 1)
        require(0 <= rate <= 1, "run: needs 0 <= sample_rate <= 1")
        require(sampling != "full" or rate == 1, "run: full batches need sample_rate = 1")
        require(not disjoint or rate > 0, "run: disjoint batches need sample_rate > 0")
        if sampling == "without-replacement":
            whole = samples is not None and (rate * samples).denominator == 1
            require(whole, "run: without-replacement needs samples, and a whole batch size")
        require((timed["steps"] is None) != (timed["epochs"] is None), "run: needs steps or epochs, and not both")
        if timed["steps"] is None:
            require(rate > 0, "run: epochs need sample_rate > 0")
            steps = int(timed["epochs"]) * (math.floor(1 / rate) if disjoint else math.ceil(1 / rate))
        else:
            steps = int(timed["steps"])
        require(1 <= steps <= MAX_STEPS, f"run: needs from 1 to {MAX_STEPS} steps")
        z = stage["noise_multiplier"] if stage["noise_multiplier"] is not None else mechanism["noise_multiplier"]
        require(Fraction(z) > 0, "run: needs noise_multiplier > 0")
        return Fraction(z), rate, steps

    stages = [sums(stage) for stage in (mechanism, *run["stages"])]
    gaussian = disjoint or all(rate in (0, 1) for _, rate, _ in stages)
    fits = not disjoint or samples is None or all(group <= rate * samples for _, rate, _ in stages)
    require(group == 1 or fits, "run: no statement about more records than a batch holds")
    if sampling == "shuffled":  # a stage that begins within an epoch could meet a record once more
        for _, rate, steps in stages[:-1]:
            whole = (1 / rate).denominator == 1 and (steps * rate).denominator == 1
            require(whole, "run: a stage of shuffled batches must end with an epoch, where another follows")
    less = group if together or gaussian else 1  # a group of k with one coin is a record with a term k times as large
    if disjoint:  # a record is in one batch of each epoch, of which the last may be cut short
        participations = [(z, -(-steps // math.floor(1 / rate))) for z, rate, steps in stages]
        own = [described("full", z / less, Fraction(1), steps) for z, steps in participations]
    else:
        own = [described(sampling, z / less, rate, steps) for z, rate, steps in stages if rate or not gaussian]
    mus = [Fraction(release["mu"]) for release in run["releases"]]
    shift, told = SHIFTS["full", neighbours], threat["neighbours"]
    twice = 2 if neighbours == "replace-one" != told else 1  # T8: replaced is removed and added
    others = [described("full", shift / (mu * twice * less), Fraction(1), 1) for mu in mus if mu > 0]
    known = not others or neighbours == "replace-one" or told != "replace-one"
    momentum = run["momentum"]
    require(0 <= Fraction(momentum["outer"]) < 1, "run: needs 0 <= momentum.outer < 1")
    require(0 <= Fraction(momentum["inner_beta"]) < 1, "run: needs 0 <= momentum.inner_beta < 1")
    window = int(momentum["inner_window"])
    require(window >= 1, "run: needs momentum.inner_window >= 1")
    require(window == 1 or Fraction(momentum["inner_beta"]) > 0, "run: inner momentum needs inner_beta > 0")
    require(window == 1 or momentum["inner_history"] == "own", "run: no statement about the momentum of other records")
    require(target["delta"] != "1/n" or samples is not None, "run: delta = 1/n needs samples")
    delta = Fraction(1, samples) if target["delta"] == "1/n" else Fraction(target["delta"])
    require(0 < delta < 1, "run: needs delta strictly between 0 and 1")
    check_floats(numbers_of(run))
    made = Training(
        tuple(own), tuple(others), bool(mus), gaussian, disjoint, sum(steps for _, _, steps in stages), sampling,
        neighbours, None if cap is None else (samples + group - 1, cap), run["scaling"], momentum,
        Fraction(target["epsilon"]), delta, group, together, known, bool(numbers_of(run)), tuple(stages),
    )
    require(not (gaussian and own and made.can_be_cut), "run: max_batch_size cuts every batch")
    # their number in a batch is 0 or k: not binomial
    require(not (together and made.can_be_cut), "run: no statement about max_batch_size and records drawn together")
    return made

def two_guarantees(run: Training, canonical_run: dict[str, Any]) -> list[Training | None]:
    """Of membership, and of attributes or labels: the run as it is, and for the other kind of neighbours; None where
    nothing is known."""
    bounded = BATCHES[run.sampling]
    if run.neighbours != "replace-one":
        return [run, read_training(canonical_run, "replace-one") if "replace-one" in bounded else None]
    membership = next((name for name in ("add-or-remove-one", "remove-one") if name in bounded), None)
    other = read_training(canonical_run, membership) if membership else None
    return [other if other and other.known else None, run]

def training_assumptions(run: Training, theorems: set[str]) -> list[dict[str, str]]:
    """What the claim about a training run takes for granted, in the order of docs/certificate.md."""
    chosen = {"noisy_sums", "release:sums", f"neighbours:{run.neighbours}"}
    chosen |= {"sampling"} if theorems & {"T18", "T19", "T20", "T27"} else set()
    chosen |= {"batches:disjoint"} if run.disjoint else set()
    chosen |= {"noise_above_rounding"} if run.executed else set()
    chosen |= {"gradient_bound"} if run.scaling["gradient_norm_bound"] is not None else set()
    listed = sorted(chosen) + ([f"group:{'together' if run.together else 'independent'}"] if run.group > 1 else [])
    listed += ["other_releases"] if run.others_stated else []
    return [{"id": name, "status": "attested", "text": ASSUMPTIONS[name]} for name in listed]

# --- What the executed run satisfies, by T28: the numbers that finite precision adds to the claim. -------------------
REACH = 13  # h: standard deviations of the last noise within which cells are compared one by one
GRID_CELLS = 256  # in one τ, at least: the grid is the largest power of two that has as many
GRID_ROOM = 16  # errors of one step fit into the grid's spacing
MOST_EXECUTED = 10**6  # a larger mu', gamma or epsilon says nothing
FINITE = "execution.finite_precision"

def grid_of(variance: Fraction) -> Fraction:
    """The largest power of two that is at most τ/256, for τ² > 0."""
    square = variance / GRID_CELLS**2
    exponent = (square.numerator.bit_length() - square.denominator.bit_length()) // 2 + 1
    while Fraction(4) ** exponent > square:
        exponent -= 1
    return Fraction(2) ** exponent

def dimension_of(run: Run, data: dict[str, Any] | None) -> int | None:
    """The number of parameters that the columns of the data imply; None where there are none, or any model."""
    if data is None or run.loss["kind"] in ("clipped", "constants"):
        return None
    numbers = sum(int(entry[2]) if len(entry) == 3 else 1 for entry in data["numeric"].values())
    features = numbers + sum(map(len, data["categorical"].values())) + data["intercept"]
    return features * (int(run.loss["classes"]) if run.loss["kind"] == "softmax" else 1)

def check_finite_precision(predicate: dict[str, Any], run: Run, steps: int) -> None:
    """T28. `steps`: of the whole history up to the released model.

    Let e bound the error of each step, but with probability `failure`, and t_g the probability that a drawn normal is
    not within e of an exact one. With E = e(1 + c + … + c^(N-2)), at most 2R in a ball, and (Γ + e)/τ = w:
    μ' = μ + 2cE/τ, γ = -d·log(1 - 2e/Γ·exp((h + w)w)), t = 2dΦ(-h + w) + N·d·t_g + failure, and
    δ_executed(ε + 2γ) ≤ e^γ·δ_μ'(ε) + (1 + e^(ε+2γ))·t. A number that is larger than implied is true as well.
    """
    execution = predicate["execution"]
    stated, executed = execution["finite_precision"], execution["finite_precision"]["executed"]
    require(execution["noise"] == "secret", f"{FINITE}: the noise can be drawn again, and its normals are any")
    seen = len(execution["erasures"]) + 1 if run.release == "all" else 1
    require(seen == 1, f"{FINITE}: T28 is about one released model, and {seen} were seen")
    require(run.smoothness is not None, f"{FINITE}: the steps have no known Lipschitz constant")
    require(steps >= 1, f"{FINITE}: no step was executed")
    d, error, grid = int(stated["dimension"]), Fraction(stated["step_error"]), Fraction(stated["grid"])
    uncoupled, failure = Fraction(stated["uncoupled"]), Fraction(stated["failure"])
    require(d >= 1, f"{FINITE}.dimension: needs a parameter")
    for known in (run.execution.get("dimension"), dimension_of(run, predicate["run"].get("data"))):
        require(known is None or int(known) == d, f"{FINITE}.dimension: the run implies {known}")
    variance = 2 * run.step_size * Fraction(run.noise_std) ** 2
    public = grid_of(variance)
    require(grid == public, f"{FINITE}.grid: the run's noise implies {canonical(public)}")
    require(0 < GRID_ROOM * error < grid, f"{FINITE}.step_error: needs 0 < step_error < grid/{GRID_ROOM}")
    require(uncoupled < 1 and failure < 1, f"{FINITE}: needs probabilities below 1")
    smoothness = run.smoothness or Fraction(0)  # it is known
    convex = run.convex
    c = contraction(run.step_size, run.m, smoothness) if convex else nonconvex_step(run.step_size, smoothness)
    exact_mu, mu, gamma, t = (Fraction(x) for x in (predicate["mu"]["upper"], *map(executed.get, ("mu", "gamma", "t"))))
    for key in ("mu", "gamma", "t", "epsilon"):
        within = Fraction(executed[key] or 0) <= MOST_EXECUTED
        require(within, f"{FINITE}.executed.{key}: more than {MOST_EXECUTED} says nothing")

    def charged(bits: int) -> bool:
        carried = error * c * geometric(c, 1, steps - 1, bits)
        if run.radius is not None:
            carried = smaller(carried, Interval.of(2 * c * run.radius, bits))
        return exact_mu + 2 * carried / Interval.of(variance, bits).sqrt() <= mu

    def compared(bits: int) -> bool:
        width = (grid + error) / Interval.of(variance, bits).sqrt()
        share = 2 * error / grid * exp((REACH + width) * width)
        return d * log(1 / (1 - share)) <= gamma

    def missed(bits: int) -> bool:
        width = (grid + error) / Interval.of(variance, bits).sqrt()
        return 2 * d * at_most(width - REACH) + (steps * d * uncoupled + failure) <= t

    for key, question in (("mu", charged), ("gamma", compared), ("t", missed)):
        require(decide(question, f"{FINITE}.executed.{key}"), f"{FINITE}.executed.{key}: less than T28 implies")
    require(executed["delta"] == predicate["delta"], f"{FINITE}.executed.delta: not that of the claim")
    if executed["epsilon"] is None:
        return  # nothing is said
    ideal = Fraction(executed["epsilon"]) - 2 * gamma

    def met(bits: int) -> bool:
        growth, lost = e_to(gamma, bits), e_to(ideal + 2 * gamma, bits) * t + t
        return growth * profile(ideal, Interval.of(mu, bits)) + lost <= run.delta

    small = f"{FINITE}.executed.epsilon: less than T28 implies"
    require(ideal >= 0 and decide(met, f"{FINITE}.executed.epsilon"), small)

# --- What an executed training run satisfies, by T28s: every noisy sum is released on a public grid. -----------------
SUM_CELLS = 16  # of the grid in one standard deviation of the noise, at least

def enlarged_training(predicate: dict[str, Any]) -> Training | None:
    """The run whose bound T28s starts from: exact sums that one record moves by Δ(1 + ρ) instead of Δ, which is noise
    multipliers z/(1 + ρ), at a δ of their own; None where the certificate says nothing of finite precision."""
    stated, run = predicate.get("execution", {}).get("finite_precision"), predicate["run"]
    claimed = "executed" in predicate["proof"]["claims"][0]
    require(stated is None or "grids" in stated, f"{FINITE}: a training run has no steps that forget their errors")
    require(claimed == (stated is not None), f"{FINITE}: it and claims[0].executed need each other")
    if stated is None:
        return None
    rho, delta = Fraction(stated["enlargement"]), stated["executed"]["sums"]["delta"]
    require(rho < 1, f"{FINITE}.enlargement: needs one below 1")

    def less(stage: dict[str, Any]) -> dict[str, Any]:
        z = stage["noise_multiplier"]
        return stage | {"noise_multiplier": None if z is None else canonical(Fraction(z) / (1 + rho))}

    changed = {"mechanism": less(run["mechanism"]), "stages": [less(stage) for stage in run["stages"]]}
    return read_training(run | changed | {"target": run["target"] | {"delta": delta}})

def power_of_two_below(limit: Fraction) -> Fraction:
    exponent = limit.numerator.bit_length() - limit.denominator.bit_length()
    return Fraction(2) ** (exponent - (Fraction(2) ** exponent > limit))

def check_grids(run: Training, grids: list[str]) -> None:
    """Γ of each stage is the largest power of two that is at most zΔ/16."""
    scaling, limit = read_scaling(run.scaling, "run"), run.scaling["gradient_norm_bound"]
    norm = scaling.limit if limit is None else scaling.of(Fraction(limit))
    implied = [canonical(power_of_two_below(z * norm / SUM_CELLS)) for z, _, _ in run.stages]
    require(grids == implied, f"{FINITE}.grids: the run's noise implies {', '.join(implied)}"[:500])

def tails_of(mechanism: dict[str, Any], run: Training, largest: int) -> list[tuple[int, Fraction, int]]:
    """(n⁺, q, steps) of the stages whose batches have more than `largest` records with a binomial tail; none where no
    batch can have more."""
    place, cap = f"{FINITE}.largest_batch", mechanism["max_batch_size"]
    if cap is not None:
        require(largest >= int(cap), f"{place}: batches have up to {cap} records")
        return []
    require(mechanism["samples"] is not None, f"{place}: the run does not say how many records there are")
    records = int(mechanism["samples"]) + (run.group if run.sampling in ("poisson", "full") else 0)
    if run.sampling == "poisson" and not run.together and all(rate < 1 for _, rate, _ in run.stages):
        return [(records, rate, steps) for _, rate, steps in run.stages if rate > 0]
    whole = run.sampling == "poisson"  # a stage of all records, or records that are drawn together
    needed = records if whole else max(math.ceil(rate * records) for _, rate, _ in run.stages)
    require(largest >= needed, f"{place}: batches have up to {needed} records")
    return []

def check_executed_sums(predicate: dict[str, Any], run: Training) -> None:
    """T28s. Each of N·d released numbers is off by at most e = aΓ before it is rounded to a multiple of Γ ≤ τ/16.

    With w = (1 + a)/16 ≥ (Γ + e)/τ, g = -log(1 - 2a·exp((h + w)w)): γ = N·d·g, or with δ' > 0 N·d·g² +
    2g·sqrt(N·d·log(1/δ')); t = N·d·(2Φ(-h + w) + t_g) + δ' + Σ P[Bin(n⁺, q) > b]. Where exact sums with sensitivity
    Δ(1 + ρ) are (ε, δ₀)-private: δ_executed(ε + 2γ) ≤ e^γ·δ₀ + (1 + e^(ε + 2γ))·t.
    """
    execution, claim = predicate["execution"], predicate["proof"]["claims"][0]
    stated, executed = execution["finite_precision"], execution["finite_precision"]["executed"]
    require(execution["noise"] == "secret", f"{FINITE}: the noise can be drawn again, and its normals are any")
    d, largest = int(stated["dimension"]), int(stated["largest_batch"])
    error, uncoupled, spare = Fraction(stated["error"]), Fraction(stated["uncoupled"]), Fraction(executed["spare"])
    require(d >= 1, f"{FINITE}.dimension: needs a parameter")
    known = predicate["run"].get("execution", {}).get("dimension")
    require(known is None or int(known) == d, f"{FINITE}.dimension: the run implies {known}")
    check_grids(run, stated["grids"])
    require(0 < GRID_ROOM * error < 1, f"{FINITE}.error: needs 0 < error < 1/{GRID_ROOM}")
    require(uncoupled < 1 and spare < 1, f"{FINITE}: needs probabilities below 1")
    tails, draws = tails_of(predicate["run"]["mechanism"], run, largest), run.sums * d
    gamma, t, epsilon = (Fraction(executed[key]) for key in ("gamma", "t", "epsilon"))
    for key, value in (("gamma", gamma), ("t", t), ("epsilon", epsilon)):
        require(value <= MOST_EXECUTED, f"{FINITE}.executed.{key}: more than {MOST_EXECUTED} says nothing")
    width = (1 + error) / SUM_CELLS

    def compared(bits: int) -> bool:
        one = log(1 / (1 - 2 * error * exp((REACH + width) * Interval.of(width, bits))))
        if spare == 0:
            return draws * one <= gamma
        return draws * one * one + 2 * one * (draws * log(Interval.of(1 / spare, bits))).sqrt() <= gamma

    def missed(bits: int) -> bool:
        each = 2 * at_most(Interval.of(width - REACH, bits)) + uncoupled
        total = draws * each + spare
        for records, rate, steps in tails:
            total = total + steps * binomial_tail(records, rate, largest, bits)
        return total <= t

    for key, question in (("gamma", compared), ("t", missed)):
        require(decide(question, f"{FINITE}.executed.{key}"), f"{FINITE}.executed.{key}: less than T28s implies")
    sums, proved = executed["sums"], predicate["proof"]["steps"][int(claim["executed"])]["concludes"]["epsilon"]
    require(sums["epsilon"] == proved, f"{FINITE}.executed.sums.epsilon: not what its step concludes")
    require(executed["delta"] == predicate["delta"], f"{FINITE}.executed.delta: not that of the claim")
    ideal = Fraction(sums["epsilon"])

    def met(bits: int) -> bool:
        return e_to(gamma, bits) * Fraction(sums["delta"]) + (1 + e_to(ideal + 2 * gamma, bits)) * t <= run.delta

    require(epsilon >= ideal + 2 * gamma, f"{FINITE}.executed.epsilon: less than T28s implies")
    require(decide(met, f"{FINITE}.executed.sums"), f"{FINITE}.executed.sums: its delta leaves too little for the rest")

# --- What was run: it must agree with the run that the claim is about. -----------------------------------------------
def check_erasure(entry: dict[str, Any], where: str) -> None:
    """What an erasure says by itself."""
    started, finished = moment(entry["started"]), moment(entry["finished"])
    require(started <= finished, f"{where}: finished before it started")
    received = entry["received"]
    require(received is None or moment(received) <= started, f"{where}: started before it was received")
    require(entry["id"].strip() != "", f"{where}.id: is empty")
    require(int(entry["request"]) >= 1, f"{where}: requests are counted from 1")
    require(1 <= int(entry["records"]) <= int(entry["cumulative"]), f"{where}: needs 1 <= records <= cumulative")
    require(int(entry["cumulative"]) <= int(entry["cap"]), f"{where}: cumulative is above the cap")

def check_phases(phases: list[dict[str, Any]], expected: list[tuple[str, int, int, int]]) -> None:
    """`expected`: (kind, epochs, steps, erased) of each phase."""
    for i, (phase, facts) in enumerate(zip(phases, expected, strict=False)):
        for key, value in zip(("kind", "epochs", "steps", "erased"), facts, strict=True):
            require(phase[key] == str(value), f"execution.phases[{i}].{key}: the run implies {value}")
        require(moment(phase["started"]) <= moment(phase["finished"]), f"execution.phases[{i}]: ends before it starts")
        # A retraining is run beside, at any time.
        after = i == 0 or phase["kind"] == "retrain" or moment(phases[i - 1]["finished"]) <= moment(phase["started"])
        require(after, f"execution.phases[{i}]: starts before the phase before it ends")
    require(len(phases) == len(expected), f"execution.phases: the run and the erasures imply {len(expected)}")

def check_execution(predicate: dict[str, Any], run: Run | Training, subjects: dict[str, str]) -> None:
    """Phases, erasures and files are those of the run: learning, then one unlearning for each request so far.

    A retraining may follow: the reference, run beside it. A model that is not released is named by a keyed digest:
    a plain one would be a look at it.
    """
    execution = predicate.get("execution")
    for name in ("model", "run_record"):
        require((name in subjects) == (execution is not None), f"subject: {name} and execution need each other")
    if execution is None:
        return
    phases, erasures = execution["phases"], execution["erasures"]
    clips = isinstance(run, Run) and run.clips_records
    require(clips or "clipping" not in execution, "execution.clipping: the run does not clip each record by itself")
    if isinstance(run, Training):
        require(not erasures, "execution.erasures: a training run has no requests")
        # The run may know its epochs as steps alone. Fewer steps than planned show less: what is claimed covers them.
        epochs, steps = (int(phases[0][key]) if phases else 0 for key in ("epochs", "steps"))
        require(0 <= steps <= run.sums, f"execution.phases[0].steps: the run has {run.sums}")
        check_phases(phases, [("learn", epochs, steps, 0)])
        if "finite_precision" in execution:
            check_executed_sums(predicate, run)
        return
    require(len(erasures) <= len(run.sizes), f"execution.erasures: the run has {len(run.sizes)} requests")
    public = run.secret and execution["noise"] == "secret" and execution["order"] != "secret"
    require(not public, 'execution.order: the run has a secret batch order; needs "secret"')
    last_alone = "predecessor" in predicate  # which tells of the phases before
    first, learning = (len(run.sizes) - 1, 0) if last_alone else (0, 1)
    require(len(erasures) == 1 or not last_alone, "execution.erasures: needs that of the last request, and no other")
    done, expected = list(zip(run.unlearning_epochs, run.sizes, strict=True))[first : first + len(erasures)], []
    expected += [("learn", run.epochs, run.epochs * run.batches, 0)] * learning
    expected += [("unlearn", epochs, epochs * run.batches, size) for epochs, size in done]
    if phases and phases[-1]["kind"] == "retrain":
        require(not last_alone, "execution.phases: a certificate with a predecessor has that of its request alone")
        require(run.reference != "stationary", "execution.phases: no run reaches the stationary distribution")
        epochs = run.epochs + (sum(k for k, _ in done) if run.reference == "retrain" else 0)
        expected += [("retrain", epochs, epochs * run.batches, sum(size for _, size in done))]
    check_phases(phases, expected)
    if "finite_precision" in execution:
        require("step_error" in execution["finite_precision"], f"{FINITE}: the steps release no sums of their own")
        unlearned = sum(run.unlearning_epochs[: first + len(erasures)])
        check_finite_precision(predicate, run, (run.epochs + unlearned) * run.batches)
    ended = all(moment(phase["finished"]) <= moment(predicate["created"]) for phase in phases)
    require(ended, "created: before the run that it tells of ended")
    require(len({entry["id"] for entry in erasures}) == len(erasures), "execution.erasures: an id is given twice")
    cumulative, cap = sum(run.sizes[:first]), str(sum(run.sizes))
    for i, entry in enumerate(erasures):
        where = f"execution.erasures[{i}]"
        check_erasure(entry, where)
        records, cumulative = int(entry["records"]), cumulative + int(entry["records"])
        allowed = run.sizes[first + i]
        require(records <= allowed, f"{where}.records: the run allows {allowed}")
        implied = {
            "request": str(first + i + 1), "cumulative": str(cumulative), "cap": cap,
            "guarantee": {"epsilon": entry["guarantee"]["epsilon"], "delta": predicate["delta"],
                          "reference": run.reference, "neighbours": run.neighbours},
        }
        for key, value in implied.items():
            require(entry[key] == value, f"{where}.{key}: not what the claim and the run say")
        bounds = (predicate["requests"][i]["epsilon"], predicate["epsilon"]["upper"])  # of this request, of the worst
        require(entry["guarantee"]["epsilon"] in bounds, f"{where}.guarantee.epsilon: not what the claim says")
        follows = i == 0 or entry["model_before"] == erasures[i - 1]["model_after"]
        require(follows, f"{where}.model_before: not the model after the request before it")
        released = {"model_before": run.release == "all", "model_after": run.release == "all" or entry is erasures[-1]}
        for key, shown in released.items():
            keyed = entry[key]["algorithm"] == "HMAC-SHA-256"
            require(shown or keyed, f"{where}.{key}: a plain digest of a model that is not released")
        for key in ("started", "finished"):
            require(entry[key] == phases[i + learning][key], f"{where}.{key}: not that of its phase")

# --- What a verification reports. ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Report:
    """What a certificate, or an erasure record, says, after it was verified."""
    exit_code: int
    verdict: str  # CERTIFIED, NOT_CERTIFIED, INDETERMINATE; of an erasure record: ERASURE_RECORD
    digest: str  # SHA-256 of the canonical run
    signed: bool  # by at least one of the keys that were given
    steps: tuple[str, ...]
    claim: str
    assumptions: tuple[tuple[str, str, str], ...]  # (id, status, text)
    signatures: int = 0  # in the envelope, checked or not
    signers: tuple[str, ...] = ()  # keyids of the given keys that signed
    threshold: int | None = None  # how many keys had to; None: no key was given
    expires: str | None = None
    created: str = ""
    notes: tuple[str, ...] = ()  # what was not checked, or must be known besides
    work: int = field(default=0, compare=False)  # units that were spent

    def signed_by(self) -> str:
        """Who vouches for it, in words."""
        if not self.signatures:
            return "UNSIGNED: nobody vouches for the run; the digest shows only that it is whole"
        times = f"{self.signatures} time{'s' * (self.signatures > 1)}"
        if self.threshold is None:
            return f"SIGNED {times}, no key given: signatures not checked"
        needed = f"{self.threshold} needed, {self.signatures} signature{'s' * (self.signatures > 1)} in all"
        signers = "".join(f"\n  {keyid}" for keyid in self.signers)
        return f"SIGNED by {len(self.signers)} of the given keys ({needed}):{signers}"

    def __str__(self) -> str:
        lines = {name: f"\n  {status:<8}  {name}: {text}" for name, status, text in self.assumptions}
        without = "".join(lines.pop(name) for name, status, _ in self.assumptions if status == "violated")
        without = without and f"\nThe run does not have this, and no step of the proof rests on it:{without}"
        assumed = f"\nThis holds under these assumptions:{''.join(lines.values())}" if lines else ""
        dates = f"\nCreated {self.created}" + f", expires {self.expires}" * bool(self.expires)
        notes = "".join(f"\nNote: {note}" for note in self.notes)
        return "\n".join(self.steps) + f"\n\n{self.signed_by()}\n{self.claim}{assumed}{without}{notes}{dates}"

# --- Signatures: DSSE v1, Ed25519. -----------------------------------------------------------------------------------
def check_options(keys: Sequence[bytes], threshold: int | None, now: datetime | None) -> None:
    if len(keys) > MAX_SIGNATURES:
        raise Malformed(f"--key: more than {MAX_SIGNATURES} keys")
    if threshold is not None and not 1 <= threshold <= len(keys):
        raise Malformed(f"--threshold: needs a number from 1 to that of the keys, {len(keys)}; got {threshold}")
    if now is not None and now.tzinfo is None:
        raise Malformed("now: a time without a time zone")

def read_keys(keys: Sequence[bytes]) -> dict[str, Any]:
    """keyid -> public key. A keyid is the SHA-256 of the SubjectPublicKeyInfo in DER."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # missing, or broken: its Rust part panics with what is no Exception
        raise Malformed("checking signatures needs the package cryptography") from None
    found = {}
    for i, data in enumerate(keys, 1):
        if data.count(b"-----BEGIN ") != 1:
            raise Malformed(f"--key: key {i} of {len(keys)} is not one public key in PEM")
        if b"PRIVATE KEY" in data:
            raise Malformed(f"--key: key {i} of {len(keys)} is a private key; give the public one")
        try:
            key = load_pem_public_key(data)
            if not isinstance(key, Ed25519PublicKey):
                raise ValueError
            der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        except Exception:
            raise Malformed(f"--key: key {i} of {len(keys)} is not an Ed25519 public key in PEM") from None
        found[hashlib.sha256(der).hexdigest()] = key
    return found

def signed_bytes(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding: what is signed."""
    name = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)

def check_signatures(envelope: dict[str, Any], payload: bytes, keys: dict[str, Any], threshold: int) -> list[str]:
    """The keyids of the given keys that signed; at least `threshold` of them. A keyid in the envelope is a hint, and
    not believed; a key, or a signature, that is there twice counts once."""
    message = signed_bytes(envelope["payloadType"], payload)
    signatures = {base64.b64decode(entry["sig"]) for entry in envelope["signatures"]}

    def signed(key: Any) -> bool:
        for signature in signatures:
            spend(100 + len(message) // 400)
            try:
                key.verify(signature, message)
                return True
            except Exception:  # InvalidSignature, or whatever else is no success
                continue
        return False

    signers = [keyid for keyid, key in keys.items() if signed(key)]
    if not signatures:
        raise Mismatch("unsigned, and a key was given")
    if not signers and not keys.keys() & {entry["keyid"] for entry in envelope["signatures"]}:
        raise Mismatch("wrong key: nothing here is signed by a given key")
    if not signers:
        raise Mismatch("a signature by a given key is not over these bytes")
    if len(signers) < threshold:
        raise Mismatch(f"threshold not met: {len(signers)} of the given keys signed, {threshold} must have")
    return signers

# --- Side conditions: every step has the arguments and premises that the run implies. --------------------------------
RATES = ("C1", "T22", "T23", "T23b")  # of a noiseless step
DRIFTS = {"T23", "T23b"}  # those by which runs that are apart drift at every step

@dataclass(frozen=True)
class Proof:
    """The steps of a proof, what the run implies of an argument by its name, and which steps something refers to."""
    steps: list[dict[str, Any]]
    implied: dict[str, Any]
    used: set[int] = field(default_factory=set)

    def theorem_of(self, index: str) -> str:
        require(int(index) < len(self.steps), f"there is no step {index}")
        return self.steps[int(index)]["theorem"]

    def premises(
        self, index: str, theorem: str, count: int, free: Iterable[str] | None = None, **here: Any
    ) -> list[str]:
        """The premises of a step that must be this theorem, with what the run implies `here`, or else anywhere."""

        def agree(found: Any, implied: Any) -> bool:  # a generator is compared entry by entry, as far as they agree
            if not isinstance(implied, Iterator):
                return found == implied
            return all(entry == next(implied, None) for entry in found) and next(implied, None) is None

        spend(5)
        found, rule = self.theorem_of(index), RULES[theorem]
        require(found == theorem, f"step {index}: {theorem} is needed here, got {found}")
        step, name = self.steps[int(index)], f"step {index} ({rule.name})"
        for key in rule.arguments:
            if key not in (RULES[theorem].free if free is None else free):
                value = here[key] if key in here else self.implied[key]
                require(agree(step["args"][key], value), f"{name}: {key} is not what the run implies")
        require(len(step["premises"]) == count, f"{name}: needs {count} premises")
        self.used.add(int(index))
        return step["premises"]

    def check_order(self) -> None:
        """Every premise is an earlier step."""
        for i, step in enumerate(self.steps):
            earlier = all(int(premise) < i for premise in step["premises"])
            require(earlier, f"step {i}: a premise is not an earlier step")

    def check_use(self) -> None:
        """Something refers to every step."""
        unused = sorted(set(range(len(self.steps))) - self.used)
        require(not unused, f"step {unused[0] if unused else ''}: nothing refers to it")

def implied_arguments(run: Run) -> dict[str, Any]:
    """What the run implies of an argument by its name, wherever a step has it."""
    known = {
        "step_size": run.step_size, "strong_convexity": run.m, "smoothness": run.smoothness, "radius": run.radius,
        "gradient_bound": run.gradient_bound, "diameter": run.radius and 2 * run.radius, "delta": run.delta,
    }
    texts = {"batch_size": str(run.batch_size), "neighbours": run.neighbours, "start": run.initial_distance}
    texts |= {key: None if value is None else canonical(value) for key, value in known.items()}
    return run.loss | ({} if run.scaling is None else map_arguments(run.scaling)) | texts

def check_arguments(run: Run, steps: list[dict[str, Any]], claims: list[dict[str, Any]], first: int = 0) -> None:
    """Every step has the arguments and premises that the run implies. `first`: the request of the first claim.

    Free, besides what each rule names as `free`, are the rates that a phase goes by (C1, T22 or T23: as far as the run
    has what they rest on), the theorem that bounds μ, and the epochs left to T24.
    """
    proof = Proof(steps, implied_arguments(run))
    premises, theorem_of = proof.premises, proof.theorem_of

    def with_constants(index: str, theorem: str, **here: Any) -> None:
        for premise in premises(index, theorem, int(run.derived), **here):
            if run.scaling is not None:
                (premise,) = premises(premise, "T16", 1)
            premises(premise, loss_theorem(run.loss, run.scaling), 0)

    def check_rate(index: str) -> bool:  # of one noiseless step; whether it may be an expansion
        batch, kind = clips_batches(run.loss), theorem_of(index) if theorem_of(index) in RATES else "C1"
        name = f"step {index} ({RULES[kind].name})"
        require((kind == "T23b") == batch, f"{name}: batches are clipped, or records, not both")
        require(run.convex or kind != "C1", f"{name}: this loss is not convex")
        require(run.smoothness is not None or kind in DRIFTS, f"{name}: this loss has no smoothness")
        with_constants(index, kind)
        return not run.contracts if kind == "C1" else kind == "T22" and run.smoothness > 0

    def check_timeline(
        index: str, start: str, request: int, among: Sequence[int], fewer: int = 0, tracked: bool = False
    ) -> set[str]:
        epochs = [(i, count) for i, count in enumerate(phase_epochs(run, request, fewer)) if count and i in among]
        given = premises(index, "T10", 2 * len(epochs), RULES["T10"].arguments)  # the arguments hang on these
        expands = [check_rate(premise) for premise in given[::2]]
        name = f"step {index} (requests)"
        if any(expands):  # the worst batch is proved for one record and equal starts only
            require(run.radius is not None, f"{name}: contraction > 1 without a radius")
            few = differing(run, request, epochs[0][0]) <= 1
            require(few, f"{name}: contraction > 1 with more than one differing record")
            require(Fraction(start) == 0, f"{name}: contraction > 1 from unequal starts")
        for rate, shift in zip(given[::2], given[1::2], strict=True):
            if theorem_of(rate) == "T23b":
                require(shift == rate, f"{name}: a batch_clipped_step stands for both")
            else:
                with_constants(shift, "C2")
        drifts = [theorem_of(rate) in DRIFTS for rate in given[::2]]
        placed = [tracked and (x or y) for x, y in zip(expands, drifts, strict=True)]
        phases = implied_phases(run, request, among, fewer=fewer, first=placed)
        premises(index, "T10", 2 * len(epochs), start=start, phases=phases)
        return {theorem_of(rate) for rate in given[::2]}

    def check_string(index: str, start: str, request: int, among: Sequence[int], fewer: int = 0) -> None:
        kind = theorem_of(index) if RULES[theorem_of(index)].string else "T3"
        name = f"step {index}: {RULES[kind].name}"
        require(run.radius is not None or kind not in ("T5", "T26r"), f"{name} needs a radius")
        (timeline,) = premises(index, kind, 1)
        rates = check_timeline(timeline, start, request, among, fewer)
        require(kind in ("T26", "T26r") or not rates & DRIFTS, f"{name} is not for steps that drift")

    def check_range(index: str, start: str, request: int, epochs: list[int]) -> None:
        last, name = int(steps[int(index)]["args"]["phase"]["epochs"]), f"claim {request}: range_before_noise"
        require(run.radius is not None, f"{name} needs a radius")
        require(run.reference != "retrain-T", f"{name} is not for retrain-T")
        require(1 <= last <= epochs[-1], f"{name} needs the last epochs of unlearning")  # on equal data
        require(sum(epochs) > last, f"{name} needs epochs before the last ones")
        alike = {"epochs": str(last), "batches": str(run.batches), "step_size": proof.implied["step_size"]}
        before, rate = premises(index, "T24", 2, phase=alike | {"noise_std": run.noise_std, "records": []})
        check_string(before, start, request, range(request + 2), last)
        check_rate(rate)

    def check_witness(index: str, request: int, among: Sequence[int], hidden: bool) -> None:
        phases, kind = implied_phases(run, request, among, witness=True), theorem_of(index)
        if hidden:
            with_constants(index, "T6m", phases=phases)
        elif kind == "T6c" and (run.release == "final" or not run.unlearns(request)):
            require(run.convex, f"step {index} (curved_witness): this loss is not convex")
            with_constants(index, "T6c", phases=phases)
        else:
            (witness,) = premises(index, "T11", 1)
            with_constants(witness, "T6", phases=phases)

    proof.check_order()
    for request, claim in enumerate(claims, first):
        epochs, every = phase_epochs(run, request), range(request + 2)
        start, string, bound = implied_start(run, request), None, claim["bound"]
        retrain = run.reference == "retrain" or not run.unlearns(request)
        require(any(epochs), f"claim {request}: needs at least one step")
        composed = theorem_of(bound) == "T11" and any(theorem_of(i) == "T7" for i in steps[int(bound)]["premises"])
        composed = run.release == "all" and (run.unlearns(request) or composed)  # one release may be called final
        hidden = is_hidden(run, request) and not composed
        if composed:  # one stretch between releases after the other; the last one is on equal data
            require(retrain, f"claim {request}: release = all needs reference = retrain")
            require(run.epochs > 0 or Fraction(start) == 0, f"claim {request}: unequal starts would be released")
            stretches = [i for i in every[:-1] if epochs[i]]
            (string,) = premises(bound, "T11", 1)
            for i, premise in zip(stretches, premises(string, "T7", len(stretches)), strict=True):
                check_string(premise, start if i == 0 else "0", request, (i,))
        elif hidden:
            (timeline,) = premises(bound, "T9", 1)
            require(check_timeline(timeline, start, request, every) == {"C1"}, "secret_order: needs steps by C1")
        elif theorem_of(bound) == "T24":
            check_range(bound, start, request, epochs)
        else:
            (string,) = premises(bound, "T11", 1)
            check_string(string, start, request, every)
        # below: not under projection. A secret order takes a witness that does not know it, drawn over all the records
        possible = run.radius is None and retrain and (run.epochs > 0 or not composed)
        possible &= not run.secret or (hidden and run.samples % run.batch_size == 0)
        possible &= run.smoothness is not None
        if claim["lower"] is None:
            require(not possible or run.secret, f"claim {request}: needs a witness (lower)")
        else:
            require(possible, f"claim {request}: no witness (lower) is valid for this run")
            check_witness(claim["lower"], request, (0,) if composed else every, hidden)
        mixed = hidden and theorem_of(claim["renyi"]) == "T9r"
        require(("mu" in claim) == mixed, f"claim {request}: mu is named for a renyi by T9r, and only there")
        (found,) = premises(claim["renyi"], "T9r" if mixed else "T2", 1)
        alike = steps[int(claim["renyi"])]["args"]["orders"] == steps[int(claims[0]["renyi"])]["args"]["orders"]
        require(alike, f"claim {request}: renyi needs the orders of the first claim")
        if mixed:
            require(check_timeline(found, start, request, every) == {"C1"}, "secret_renyi: needs steps by C1")
            found = claim["mu"]
        require(string in (None, found), f"claim {request}: renyi_curve: not of the string that bounds epsilon")
        if string is None:  # of the record in the worst batch
            check_string(found, start, request, every)
        for key, leading in (("learned", int(epochs[0] > 0)), ("released", sum(map(bool, epochs)))):
            (timeline,) = premises(claim[key], "T1", 1, phases=str(leading))
            check_timeline(timeline, start, request, every, tracked=True)
    proof.check_use()

# --- Side conditions of training runs. -------------------------------------------------------------------------------
def check_training_arguments(
    run: Training,
    steps: list[dict[str, Any]],
    claim: dict[str, Any],
    guarantees: list[Training | None],
    enlarged: Training | None,
) -> None:
    """Every step has the arguments and premises that a training run implies. Free are, besides what
    each rule names as `free`, T20's share of δ, and what the producer's grid was (any grid will do).

    enlarged: the run that T28s starts from, where one is claimed.
    """
    limit, momentum = run.scaling["gradient_norm_bound"], run.momentum
    implied = {"delta": canonical(run.delta), "gradient_norm_bound": limit} | map_arguments(run.scaling)
    proof, bound, lower, renyi = Proof(steps, implied), claim["bound"], claim["lower"], claim["renyi"]
    premises = proof.premises
    proof.check_order()

    def distribution(of: Training, index: str, suffix: str, releases: list[dict[str, str]], share: Fraction) -> None:
        kind = ("T19" if of.coins == 1 else "T27") + suffix
        premises(index, kind, 0, releases=releases, neighbours=of.pair, group=str(of.coins))
        delta = Fraction(steps[int(index)]["args"]["grid"]["delta"])
        require(delta == share, f"step {index} (loss_distribution): delta is not what the run implies")

    def check_bound(of: Training, bound: str) -> str | None:  # returns the μ of a Gaussian run
        own, every, share = list(of.own), [*of.own, *of.others], of.delta
        if not of.gaussian:
            if of.cut is not None:
                samples, cap = map(str, of.cut)
                (whole,) = premises(bound, "T20", 1, releases=own, samples=samples, max_batch_size=cap)
                share -= Fraction(steps[int(bound)]["args"]["budget"])
                bound = whole
            distribution(of, bound, "", every, share)
            return None
        (composed,) = premises(bound, "T11", 1, delta=canonical(of.delta))
        if not of.disjoint:
            premises(composed, "T20f", 0, releases=every, neighbours=of.neighbours)
            return composed
        parts = premises(composed, "T7", len(own) + bool(of.others))
        for part, stage in zip(parts, own, strict=False):
            noise, epochs = stage["noise_multiplier"], stage["steps"]
            premises(part, "T20d", 0, noise_multiplier=noise, epochs=epochs, neighbours=of.neighbours)
        for part in parts[len(own) :]:
            premises(part, "T20f", 0, releases=list(of.others), neighbours=of.neighbours)
        return composed

    own, every = list(run.own), [*run.own, *run.others]
    composed = check_bound(run, bound)
    if run.gaussian and lower is not None:
        (witness,) = premises(lower, "T11", 1)
        premises(witness, "T20l", 0, releases=own, neighbours=run.neighbours)
    elif lower is not None:
        distribution(run, lower, "l", own, run.delta)
    if run.gaussian and renyi is not None:
        require(premises(renyi, "T2", 1) == [composed], "renyi_curve: not of the releases that are bounded")
    elif renyi is not None:
        require(not run.can_be_cut, "subsampled_renyi: no statement about batches that are cut")
        require(run.coins == 1, "subsampled_renyi: no statement about records with coins of their own")
        premises(renyi, "T18", 0, releases=every, neighbours=run.pair)
    for of, index in zip(guarantees, claim["guarantees"], strict=True):
        require(of is not None or index is None, "guarantees: nothing is known of membership here")
        if of is run:
            require(index == bound, "guarantees: that of the run's neighbours is not the claim's bound")
        elif index is not None:  # else nothing is claimed
            check_bound(of, index)
    if enlarged is not None:
        check_bound(enlarged, claim["executed"])
    at = claim["sensitivity"]
    placed = [("inner", momentum["inner_beta"], momentum["inner_window"])] * (momentum["inner_window"] != "1")
    placed += [("outer", momentum["outer"], None)] * (momentum["outer"] != "0")
    for placement, beta, window in reversed(placed):
        (at,) = premises(at, "T15", 1, placement=placement, beta=beta, window=window)
    premises(at, "T14" if limit is None else "T14g", 0)
    proof.check_use()

# --- Recomputation: every conclusion follows from its premises. ------------------------------------------------------
def recompute(steps: list[dict[str, Any]], cut: Cut | None = None) -> list[Any]:
    """Every conclusion, again, in order; returns what the steps stand for. `cut`: of a training run's batches."""
    values: list[Any] = [None] * len(steps)
    rules = [RULES[step["theorem"]] for step in steps]
    for i in sorted(range(len(steps)), key=lambda i: rules[i].may_fail):  # these with the work that is left
        before = [int(premise) for premise in steps[i]["premises"]]
        below = any(rules[j].lower for j in before)
        told = (steps[i][key] for key in ("theorem", "args", "concludes"))
        values[i] = rules[i].check(Step(*told, [values[j] for j in before], f"step {i} ({rules[i].name})", below, cut))
    return values

# --- The numbers on the front page are those of the proof. -----------------------------------------------------------
def largest_of(texts: Iterable[str | None]) -> str | None:
    """Of all requests: whichever is looked at."""
    return max((text for text in texts if text is not None), key=Fraction, default=None)

def front_page(
    predicate: dict[str, Any], run: Run | Training, worst: int, first: int, guarantees: list[Training | None]
) -> dict[str, Any]:
    """What the proof and the run imply of it. `first`: the request of the first claim."""
    steps, claims = predicate["proof"]["steps"], predicate["proof"]["claims"]
    claim, training = claims[worst], isinstance(run, Training)
    theorems = {step["theorem"] for step in steps}

    def concluded(index: str | None, key: str) -> Any:
        return None if index is None else steps[int(index)]["concludes"][key]

    def bounded(lower: str | None, upper: str | None, key: str = "epsilon") -> dict[str, Any]:
        return {"lower": concluded(lower, key), "upper": concluded(upper, key)}

    def mu_below(index: str | None) -> str | None:  # the step about μ that a step T11 stands on
        if index is not None and steps[int(index)]["theorem"] == "T11":
            return steps[int(index)]["premises"][0]
        return None if index is None or training or steps[int(index)]["theorem"] == "T6m" else index

    curves = [steps[int(claim["renyi"])] for claim in claims if claim["renyi"] is not None]
    uppers = zip(*(curve["concludes"]["renyi"] for curve in curves), strict=False)  # recompute counts them
    orders = curves[0]["args"]["orders"] if curves else []
    asked: list[tuple[Any, ...]] = []
    if isinstance(run, Training):
        mus, assumed = [mu_below(claim["bound"])], training_assumptions(run, theorems)
    else:
        mus = [claim.get("mu", curve["premises"][0]) for claim, curve in zip(claims, curves, strict=True)]
        asked = list(zip(run.sizes[first:], run.unlearning_epochs[first:], claims, strict=True))
        assumed = implied_assumptions(run, predicate["run"], theorems, predicate.get("execution", {}))
    both = zip(("membership", "attribute or label"), guarantees, claim.get("guarantees", ()), strict=True)
    promised = [
        {"name": name, "neighbours": None if index is None else of.neighbours,
         "epsilon": bounded(claim["lower"] if of is run else None, index)}
        for name, of, index in (both if training else ())
    ]
    return {
        "epsilon": bounded(claim["lower"], claim["bound"]) | {"target": predicate["run"]["target"]["epsilon"]},
        "mu": {"lower": largest_of(concluded(mu_below(claim["lower"]), "mu") for claim in claims),
               "upper": largest_of(concluded(mu, "mu") for mu in mus)},
        **({"guarantees": promised} if training else {}),
        "wasserstein": {key: largest_of(concluded(claim.get(key), "wasserstein") for claim in claims)
                        for key in ("learned", "released")},
        "renyi": [{"order": x, "upper": y} for x, y in zip(orders, map(largest_of, uppers), strict=False)],
        "requests": [{"size": str(size), "epochs": str(epochs), "epsilon": concluded(claim["bound"], "epsilon")}
                     for size, epochs, claim in asked],
        "theorems": sorted(theorems),
        "assumptions": assumed,
    }

def check_displayed(predicate: dict[str, Any], expected: dict[str, Any], delta: Fraction) -> None:
    """The front page says this, and δ rounded up; no lower bound is above its upper bound."""
    for key, value in expected.items():
        require(predicate[key] == value, f"{key}: not what the proof and the run say")
    shown = Fraction(predicate["delta"])
    require(delta <= shown <= delta * (1 + Fraction(1, 10**11)), "delta: not rounded up to twelve digits")
    for key in ("epsilon", "mu"):
        low, high = predicate[key]["lower"], predicate[key]["upper"]
        require(low is None or Fraction(low) <= Fraction(high), f"{key}: the lower bound exceeds the upper bound")

# --- Figures: they say nothing better than the proof, and nothing else than the claim at its own epsilon and delta. --
FIGURE_SLACK = Fraction(1, 10**7)  # figures have eight digits
MAX_FIGURE_STEPS = 4000  # of T24, over all points of a profile
Below = Callable[[Fraction, Fraction], bool]  # whether at ε a δ is less than what is proved
Drawn = tuple[str | None, Delta]  # an ε of a sweep, and what it is held against

def refuted(question: Callable[[int], bool]) -> bool:
    """Whether a question has the answer yes, and is decided."""
    try:
        return decide(question, "figures")
    except DoesNotFollow:
        return False

def witness_at(run: Run, request: int) -> Callable[[int], Interval] | None:
    """μ² of T6 for a request of a run, which need not be the certificate's; None where there is no such witness."""
    epochs = phase_epochs(run, request)
    composed = run.release == "all" and run.unlearns(request)
    possible = run.radius is None and run.smoothness is not None and not run.secret
    possible &= run.reference == "retrain" or not run.unlearns(request)
    if not possible or not any(epochs) or (composed and not run.epochs):
        return None
    phases = list(implied_phases(run, request, (0,) if composed else range(request + 2), witness=True))
    one = gradient_shift(run.step_size, run.batch_size, run.gradient_bound, run.neighbours)
    start = Fraction(run.initial_distance)
    return cache(lambda bits: straight_witness(start, run.m, one, phases, bits))

def exceeding(of: Delta) -> Below:
    """Whether a δ is decidedly less than this one."""
    return lambda epsilon, delta: refuted(lambda bits: of(epsilon, bits) > delta)

def falling_short(of: Delta) -> Below:
    """Whether a δ is decidedly more than this one."""
    return lambda epsilon, delta: refuted(lambda bits: of(epsilon, bits) < delta)

def curves_of_proof(
    predicate: dict[str, Any], run: Run | Training, values: list[Any]
) -> tuple[list[Below], list[Delta] | None]:
    """What a profile cannot be below, and (None: not known) what none from below can be above, at every ε.

    Of Gaussian bounds the largest μ counts. T9's δ is that of a rule from below. T24 is looked at where its steps are
    few. Not known: T19, T20, T27, T6m.
    """
    points = len(predicate["figures"]["profile"]["epsilon"])
    steps, claims = predicate["proof"]["steps"], predicate["proof"]["claims"]

    def known(index: str) -> Delta:
        return values[int(index)]

    def largest(indices: Iterable[str]) -> list[str]:  # of steps T11, that with the largest μ
        mus = {i: Fraction(steps[int(steps[int(i)]["premises"][0])]["concludes"]["mu"]) for i in indices}
        return [max(mus, key=mus.__getitem__)] if mus else []

    def of_theorem(indices: Sequence[str], theorem: str) -> list[str]:
        return [index for index in indices if steps[int(index)]["theorem"] == theorem]

    def curved(index: str) -> Delta:
        args = steps[int(index)]["args"]
        own, others = Fraction(args["own"]), Fraction(args["others"])
        one = gradient_shift(run.step_size, run.batch_size, run.gradient_bound, run.neighbours)
        return lambda epsilon, bits: curved_witness(args, one, own, others, epsilon)(bits)

    def ranged(claim: dict[str, Any]) -> Below:  # T24, or T11 with the μ of the same request
        step = steps[int(claim["bound"])]
        given = [values[int(premise)] for premise in step["premises"]]
        diameter, phase = Fraction(step["args"]["diameter"]), step["args"]["phase"]
        plain = gaussian(values[int(steps[int(claim["renyi"])]["premises"][0])])

        def is_below(epsilon: Fraction, delta: Fraction) -> bool:
            if not 0 < delta < 1:
                return False
            after = range_before_noise(*given, diameter, phase, delta)
            return exceeding(plain)(epsilon, delta) and exceeding(after)(epsilon, delta)

        return is_below

    bounds = [claim["bound"] for claim in claims]
    above = [exceeding(known(index)) for index in (*largest(of_theorem(bounds, "T11")), *of_theorem(bounds, "T9"))]
    late = [claim for claim in claims if steps[int(claim["bound"])]["theorem"] == "T24"]
    phases = [steps[int(claim["bound"])]["args"]["phase"] for claim in late]
    few = sum(int(phase["epochs"]) * int(phase["batches"]) for phase in phases) * points <= MAX_FIGURE_STEPS
    above += [ranged(claim) for claim in late] if few else []
    witnesses = [claim["lower"] for claim in claims if claim["lower"] is not None]
    plain, bent = of_theorem(witnesses, "T11"), of_theorem(witnesses, "T6c")
    if len(plain) + len(bent) < len(witnesses):
        return above, None
    straight = [witness_at(run, i) for i, claim in enumerate(claims) if claim["lower"] in bent]  # is no less valid
    return above, [known(i) for i in largest(plain)] + [curved(i) for i in bent] + [gaussian(of) for of in straight]

def check_profile(
    predicate: dict[str, Any], run: Run | Training, above: list[Below], below: list[Delta] | None
) -> None:
    """At every ε, δ is no less than the proof gives; it is above the claim's δ where ε is below the claim's, and only
    there."""
    figure, claimed, where = predicate["figures"]["profile"], predicate["epsilon"], "figures.profile"
    least, most = claimed["lower"] and Fraction(claimed["lower"]), Fraction(claimed["upper"])

    for text, high, low in zip(figure["epsilon"], figure["upper"], figure["lower"], strict=True):
        epsilon, upper, at = Fraction(text), Fraction(high), f"at epsilon = {text}"
        fits = upper > run.delta if epsilon < most else upper <= run.delta * (1 + FIGURE_SLACK)
        require(fits, f"{where}.upper: {high} {at}; the claim is epsilon = {claimed['upper']}")
        better = any(is_below(epsilon, upper) for is_below in above)
        require(not better, f"{where}.upper: {high} {at} is less than the proof gives")
        if low is None:
            continue
        lower = Fraction(low)
        require(least is not None, f"{where}.lower: the claim has no lower bound")
        fits = epsilon <= least or lower <= run.delta
        require(fits, f"{where}.lower: {low} {at}; the claim's lower bound is epsilon = {claimed['lower']}")
        better = below is not None and lower > 0 and all(falling_short(of)(epsilon, lower) for of in below)
        require(not better, f"{where}.lower: {low} {at} is more than the proof gives")

def check_own_value(predicate: dict[str, Any], parameter: str, own: int) -> None:
    """Where a sweep comes to the run itself it says what the claim says, and the published bounds do."""
    figure, claimed, where = predicate["figures"]["sweep"], predicate["epsilon"], "figures.sweep"
    require(figure["parameter"] == parameter, f"{where}: of this run {parameter} varies, not {figure['parameter']}")
    require(str(own) in figure["values"], f"{where}: needs the run's own {parameter}, {own}, among its values")
    at = figure["values"].index(str(own))
    for key in ("upper", "lower"):
        shown, said = figure[key][at], claimed[key]
        same = shown == said or (None not in (shown, said) and Fraction(shown) == Fraction(said))
        require(same, f"{where}.{key}: {shown} at {parameter} = {own}; the claim is {said}")
    published, name = predicate["figures"]["published"], figure["published_name"]
    drawn = [value for value in figure["published"] if value is not None]
    require(name is not None or not drawn, f"{where}: its published bound has no name")
    if name is not None and published is not None and figure["published"][at] is not None:
        said = published.get(name, {"epsilon": None})["epsilon"]
        shown = Fraction(figure["published"][at])
        same = said is not None and abs(shown - Fraction(said)) <= FIGURE_SLACK * shown
        require(same, f"{where}.published: not what published says of {name} at {parameter} = {own}")

def check_sweep(predicate: dict[str, Any], run: Run, worst: int) -> None:
    """Of PNSGD: no bound from above is below T6 for the run with the other epochs, and no bound from below is above
    it, where the claim's own is by T6."""
    figure, steps = predicate["figures"]["sweep"], predicate["proof"]["steps"]
    unlearns = any(run.unlearning_epochs)
    parameter = "unlearning_epochs" if unlearns else "epochs"
    check_own_value(predicate, parameter, run.unlearning_epochs[worst] if unlearns else run.epochs)
    lower = predicate["proof"]["claims"][worst]["lower"]
    straight = lower is not None and steps[int(lower)]["theorem"] == "T11"
    for text, high, low in zip(figure["values"], figure["upper"], figure["lower"], strict=True):
        if unlearns:
            epochs = run.unlearning_epochs
            changed = replace(run, unlearning_epochs=(*epochs[:worst], int(text), *epochs[worst + 1 :]))
        else:
            changed = replace(run, epochs=int(text))
        squared = witness_at(changed, worst)
        if squared is None:
            continue
        least = gaussian(squared)
        check_point(predicate, run.delta, text, (high, least), (low if straight else None, least))

def check_point(predicate: dict[str, Any], delta: Fraction, value: str, above: Drawn, below: Drawn) -> None:
    """One point of a sweep: a bound from above and what it cannot be below, one from below and the converse."""
    where = f"at {predicate['figures']['sweep']['parameter']} = {value}"
    high, of = above
    better = high is not None and exceeding(of)(Fraction(high), delta)
    require(not better, f"figures.sweep.upper: {high} {where} is less than any proof can give")
    low, of = below
    better = low is not None and Fraction(low) > 0 and falling_short(of)(Fraction(low), delta)
    require(not better, f"figures.sweep.lower: {low} {where} is more than the proof gives")

def check_training_sweep(predicate: dict[str, Any], run: Training, confirmed: bool) -> None:
    """ε does not fall as steps are added. Where nothing is sampled it is known, stage by stage."""
    figure, claimed = predicate["figures"]["sweep"], predicate["epsilon"]
    check_own_value(predicate, "steps", run.sums)
    least = Fraction(claimed["lower"]) if claimed["lower"] is not None and confirmed else Fraction(0)
    most = Fraction(claimed["upper"])
    for text, high, low in zip(figure["values"], figure["upper"], figure["lower"], strict=True):
        steps = int(text)
        fits = steps < run.sums or high is None or Fraction(high) >= least
        require(fits, f"figures.sweep.upper: {high} at steps = {text} is below the bound for fewer, {claimed['lower']}")
        fits = steps > run.sums or low is None or Fraction(low) <= most
        require(fits, f"figures.sweep.lower: {low} at steps = {text} is above the bound for more, {claimed['upper']}")
        exactly = stopped(run, steps)
        if exactly is not None:
            whole, alone = (gaussian(lambda bits, mu=mu: number(mu, bits)) for mu in exactly)
            check_point(predicate, run.delta, text, (high, whole), (low, alone))

def stopped(run: Training, steps: int) -> tuple[Fraction, Fraction] | None:
    """μ² of a run of full batches that is stopped after so many steps, or goes on as in its last stage: with its other
    releases, and without. None where something is sampled, or batches are disjoint."""
    if not run.gaussian or run.disjoint or sum(int(stage["steps"]) for stage in run.own) != run.sums:
        return None
    own, left = [], steps
    for i, stage in enumerate(run.own):
        done = left if i == len(run.own) - 1 else min(left, int(stage["steps"]))
        own += [stage | {"steps": str(done)}] * (done > 0)
        left -= done
    whole, alone = (
        read_schedule(list(releases), run.neighbours).mu_squared if releases else Fraction(0)
        for releases in ((*own, *run.others), own)
    )
    return whole, alone

def check_figures(
    predicate: dict[str, Any], run: Run | Training, values: list[Any], worst: int, confirmed: bool = True
) -> None:
    """Figures agree with the claim and its proof, as far as these say something of them."""
    figures = predicate.get("figures", {"profile": None, "sweep": None})
    if figures["profile"] is not None:
        check_profile(predicate, run, *curves_of_proof(predicate, run, values))
    if figures["sweep"] is not None and isinstance(run, Training):
        check_training_sweep(predicate, run, confirmed)
    elif figures["sweep"] is not None:
        check_sweep(predicate, run, worst)

# --- Verdicts, and claims in words. ----------------------------------------------------------------------------------
def check_verdict(predicate: dict[str, Any], run: Run | Training, values: list[Any]) -> None:
    """The verdict is the one that the bounds imply. How much of a training run's miss is the bound's fault is not
    looked into: NOT_CERTIFIED and INDETERMINATE are both accepted."""
    steps, claims, verdict = predicate["proof"]["steps"], predicate["proof"]["claims"], predicate["verdict"]

    def epsilon(index: str) -> Fraction:
        return Fraction(steps[int(index)]["concludes"]["epsilon"])

    def exceeds(claim: dict[str, Any]) -> bool:  # δ(target) > δ, by the proof of this claim
        delta_of = values[int(claim["bound"])]
        try:
            return decide(lambda bits: delta_of(run.target, bits) > run.delta, "target")
        except DoesNotFollow:
            return False

    missed = [claim for claim in claims if epsilon(claim["bound"]) > run.target]
    if isinstance(run, Training):
        implied = "NOT_CERTIFIED or INDETERMINATE" if missed else "CERTIFIED"
    else:
        implied = "CERTIFIED" if not missed else "NOT_CERTIFIED" if any(map(exceeds, missed)) else "INDETERMINATE"
        implied = "INDETERMINATE" if run.rounding == "violated" else implied  # what is executed may be another run
    require(verdict in implied.split(" or "), f"the verdict is {implied}, not {verdict}")
    beyond = any(claim["lower"] is not None and epsilon(claim["lower"]) > run.target for claim in claims)
    require(predicate["out_of_reach"] is beyond, f"out_of_reach is {str(beyond).lower()}")

def training_sentence(predicate: dict[str, Any], run: Training, confirmed: bool) -> str:
    """The claim about a training run in words."""
    epsilon, mu = predicate["epsilon"], predicate["mu"]["upper"]
    low = "" if epsilon["lower"] is None else f" (no bound below {epsilon['lower']} holds for every such run)"
    low = low if confirmed else f" (the lower bound, {epsilon['lower']}, was not verified)"
    what = f"After training, all {run.sums} noisy sums together" if run.sums > 1 else "After training, the noisy sum"
    what += f" ({run.sampling} batches)" + f" and {len(run.others)} other releases" * bool(run.others)
    shown = f"epsilon <= {epsilon['upper']}{low} at delta = {predicate['delta']}" + f", and {mu}-GDP" * bool(mu)
    reach = " The target is out of reach: not certifiable for this schedule." * bool(predicate["out_of_reach"])
    who = "one record" if run.group == 1 else f"{run.group} records"
    verdict = f"{predicate['verdict']}: {what}, compared with data that differ in {who} ({run.neighbours}),"
    other = [g for g in predicate["guarantees"] if g["neighbours"] not in (None, run.neighbours)]
    more = "".join(f" Of {g['name']} ({g['neighbours']}): epsilon <= {g['epsilon']['upper']}." for g in other)
    return f"{verdict} have {shown}; the target is epsilon = {epsilon['target']}.{reach * confirmed}{more}"

def claim_sentence(predicate: dict[str, Any], run: Run) -> str:
    """The claim in words."""
    epsilon, mu, records = predicate["epsilon"], predicate["mu"], sum(run.sizes)
    who = f"{records} record{'s' * (records > 1)} ({run.neighbours})"
    total, times, every = sum(run.unlearning_epochs), len(run.sizes), run.release == "all"
    epochs = f"{total} of unlearning" + f" ({times} requests)" * (times > 1)
    released = "all released models together" if every else "the released model"
    reference = "the stationary distribution of training" if run.reference == "stationary" else "retraining"
    reference += f" for {run.epochs} epochs" * (run.reference == "retrain-T")
    what = f"After {run.epochs} epochs of learning and {epochs}, {released} compared with {reference} without {who}"
    if not total:
        what = f"After {run.epochs} epochs of learning, the model compared with one from data that differ in {who}"
    what += ", with a secret batch order," * run.secret
    low = "" if epsilon["lower"] is None else f" (no bound from these constants is below {epsilon['lower']})"
    reach = " The target is out of reach: not certifiable from these constants." if predicate["out_of_reach"] else ""
    have = "have" if every and total else "has"
    be = "are" if every and total else "is"
    numbers = f"{have} epsilon <= {epsilon['upper']}{low} at delta = {predicate['delta']}, and {be} {mu['upper']}-GDP"
    floor = " What is executed may be another run: its noise is not above rounding." * (run.rounding == "violated")
    return f"{predicate['verdict']}: {what} {numbers}; the target is epsilon = {epsilon['target']}.{reach}{floor}"

# --- Verification, step by step. -------------------------------------------------------------------------------------
@contextmanager
def numbered(log: list[str], index: int, name: str) -> Iterator[None]:
    try:
        try:
            yield
        except ValueError as error:
            if "integer string conversion" not in str(error):
                raise
            raise DoesNotFollow("a number is too long for this Python to write down") from None
    except CheckError as error:
        how = "STOPPED" if isinstance(error, OutOfWork) else "FAILED"
        error.steps = (*log, f"{index} {name:<16} {how}: {error}")
        raise
    log.append(f"{index} {name:<16} ok")

def worst_claim(run: Run, steps: list[dict[str, Any]], claims: list[dict[str, Any]], first: int) -> int:
    """The claim with the largest bound, the first of equals. `first`: the request of the first claim."""
    require(len(claims) == len(run.sizes) - first, "proof.claims: needs one entry for each request that is claimed")
    for claim in claims:
        index = int(claim["bound"])
        bounds_epsilon = index < len(steps) and steps[index]["theorem"] in ("T11", "T9", "T24")
        require(bounds_epsilon, "proof.claims: bound must be a T11, T9 or T24 step")
    bounds = [Fraction(steps[int(claim["bound"])]["concludes"]["epsilon"]) for claim in claims]
    return bounds.index(max(bounds))

def open_envelope(envelope: Any) -> bytes:
    """The payload, whose digest is that of the envelope."""
    check_shape(envelope, ENVELOPE, "envelope")
    if len(envelope["signatures"]) > MAX_SIGNATURES:
        raise Malformed(f"envelope.signatures: more than {MAX_SIGNATURES}")
    if envelope["payloadType"] != "application/vnd.in-toto+json":
        raise Mismatch(f"payloadType: {ascii(envelope['payloadType'])[:60]} is not an in-toto statement")
    try:
        payload = base64.b64decode(envelope["payload"], validate=True)
    except (binascii.Error, ValueError):
        payload = b""
    if base64.b64encode(payload).decode() != envelope["payload"]:
        raise Mismatch("the payload is not padded standard base64")
    if hashlib.sha256(payload).hexdigest() != envelope["digest"]["sha256"]:
        raise Mismatch("the payload does not have the envelope's digest")
    return payload

def check_types(statement: Any) -> None:
    """The shape of everything, and that lists which belong together are equally long."""
    kind = statement.get("predicateType") if isinstance(statement, dict) else None
    if isinstance(kind, str) and kind in EARLIER:
        raise Malformed(f"payload.predicateType: {kind} is an earlier format; {EARLIER[kind]} reads it")
    recorded = kind == ERASURE
    check_shape(statement, RECORD if recorded else STATEMENT, "payload")
    if recorded:
        return
    run, claims = statement["predicate"]["run"], statement["predicate"]["proof"]["claims"]
    training = run["mechanism"]["kind"] in TRAINING
    if "predecessor" in statement["predicate"] and (training or "figures" in statement["predicate"]):
        raise Malformed("payload.predicate: predecessor goes with requests, and without figures")
    if any(("sensitivity" in claim) != training for claim in claims):
        raise Malformed("proof.claims: sensitivity belongs to training runs")
    if ("guarantees" in statement["predicate"]) != training:
        raise Malformed("payload.predicate: guarantees belong to training runs, and to each")
    if not training:
        lengths = {len(run["requests"]["sizes"]), len(run["mechanism"]["unlearning_epochs"])}
        if len(lengths) != 1 or 0 in lengths:
            raise Malformed("run: unlearning_epochs needs one entry for each entry of requests.sizes")

def check_expiry(predicate: dict[str, Any], now: datetime | None) -> str:
    """What to say about it."""
    expires = predicate.get("expires")
    if expires is None:
        return "no expiry date"
    require(moment(predicate["created"]) < moment(expires), "expires: not after created")
    now = datetime.now(UTC) if now is None else now
    require(now < moment(expires), f"expired on {expires}; now is {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    return f"expires {expires}"

def notes_of(predicate: dict[str, Any], confirmed: bool) -> tuple[str, ...]:
    """What a reader must know besides."""
    execution = predicate.get("execution")
    called = ", ".join(f"{key} {text}" for key, text in sorted(predicate.get("meta", {}).items()))
    executed = (execution or {}).get("finite_precision", {}).get("executed")
    said = {
        f"in the words of whoever wrote it, this is about {called}": called != "",
        "the lower bound was not verified": not confirmed,
        "what was run is the producer's word; it agrees with the run": execution is not None,
        executed_sentence(executed, predicate["epsilon"]["target"]): executed is not None,
        f"claims the last request alone; the others are claimed by the certificate whose payload has the SHA-256 "
        f"{predicate.get('predecessor')} and its predecessors": "predecessor" in predicate,
        "the noise can be drawn again: no privacy claim holds for this model": is_reproducible(predicate),
        "figures agree with the claim; what it does not imply of them is not re-derived": "figures" in predicate,
    }
    return tuple(note for note, holds in said.items() if holds)

def executed_sentence(executed: dict[str, Any] | None, target: str) -> str:
    """What finite precision leaves of the claim, by T28."""
    bound = None if executed is None else executed["epsilon"]
    if bound is None:
        return "the run as executed, its rounding counted, is not shown to have any epsilon at this delta"
    above = f", above the target {target}" if Fraction(bound) > Fraction(target) else ""
    return f"the run as executed, its rounding counted, has epsilon <= {bound}{above}"

def is_reproducible(predicate: dict[str, Any]) -> bool:
    return predicate.get("execution", {}).get("noise") == "reproducible"

def check_recorded(statement: dict[str, Any], certificate: bytes, now: datetime | None) -> Report:
    """The certificate that an erasure record names follows, and has the same entry."""
    report = verify(certificate, now=now)
    payload = open_envelope(read_json(certificate, "envelope"))
    named_digests = {entry["name"]: entry["digest"]["sha256"] for entry in statement["subject"]}
    if hashlib.sha256(payload).hexdigest() != named_digests.pop("certificate"):
        raise Mismatch("the record names another certificate than that given with --certificate")
    whole = read_json(payload, "payload")
    if whole["predicateType"] != CERTIFICATE:
        raise Malformed("--certificate: is an erasure record too")
    known = {entry["name"]: entry["digest"]["sha256"] for entry in whole["subject"]}
    execution, entry = whole["predicate"].get("execution"), statement["predicate"]["erasure"]
    require(execution is not None, "--certificate: of a run that was not executed")
    entries = execution["erasures"]
    require(entry in entries, "erasure: the certificate says otherwise")
    require(statement["predicate"]["noise"] == execution["noise"], "noise: the certificate says otherwise")
    files = {"run", "model"} if entry == entries[-1] else {"run"}
    require(named_digests == {name: known[name] for name in files}, "subject: the certificate says otherwise")
    return report

def erasure_sentence(predicate: dict[str, Any], certificate: str, verified: bool) -> str:
    """What an erasure record says. Free text is shown in ASCII: it could be made to look like something else."""
    entry = predicate["erasure"]
    guarantee, records = entry["guarantee"], int(entry["records"])
    received = f"received {entry['received']}, " if entry["received"] else ""
    off = entry["sign_off"]
    signed_off = f" Signed off {off['date']} by {ascii(off['name'])[:80]}, {ascii(off['role'])[:80]}." if off else ""
    what = f"request {entry['request']} ({ascii(entry['id'])[:80]}): {records} record{'s' * (records > 1)}, "
    what += f"{received}unlearned from {entry['started']} to {entry['finished']}; {entry['cumulative']} of the "
    what += f"{entry['cap']} that the certificate covers. Guarantee: epsilon <= {guarantee['epsilon']} at delta = "
    what += f"{guarantee['delta']} ({guarantee['reference']}, {guarantee['neighbours']}), by the certificate whose "
    what += f"payload has the SHA-256 {certificate}, which {'was verified' if verified else 'was not looked at'}."
    noise = " THE NOISE CAN BE DRAWN AGAIN: no privacy claim holds for this model."
    return f"ERASURE_RECORD: {what}{signed_off}{noise * (predicate['noise'] == 'reproducible')}"

def verify(
    data: bytes,
    digest: str | None = None,
    *,
    keys: Sequence[bytes] = (),
    threshold: int | None = None,
    subjects: Sequence[str] = (),
    now: datetime | None = None,
    certificate: bytes | None = None,
    work: int = WORK,
) -> Report:
    """Verify the bytes of a certificate, or of an erasure record together with the `certificate` that it names.

    digest: the SHA-256 that its run must have, if known beforehand. keys: Ed25519 public keys in PEM, of which
    `threshold` must have signed (default: all). subjects: SHA-256 of files that it must be about. now: the time by
    which it must not have expired (default: now). work: how much may be done, in units.
    """
    if work < 1:
        raise Malformed(f"--work: needs at least 1 unit, got {work}")
    with metered(work) as meter:
        log: list[str] = []
        with numbered(log, 1, "size"):
            if len(data) > MAX_BYTES:
                raise Malformed(f"more than {MAX_BYTES} bytes")
            for value, option in ((digest, "--digest"), *((subject, "--subject") for subject in subjects)):
                optional(hexadecimal)(value, option)
            check_options(keys, threshold, now)
            envelope = read_json(data, "envelope")  # nesting is a matter of size
        with numbered(log, 2, "envelope"):
            payload, signers = open_envelope(envelope), []
            if keys:
                trusted = read_keys(keys)
                threshold = len(trusted) if threshold is None else threshold
                signers = check_signatures(envelope, payload, trusted, threshold)
        with numbered(log, 3, "types"):
            statement = read_json(payload, "payload")
            check_types(statement)
        with numbered(log, 4, "subject"):
            predicate = statement["predicate"]
            named_digests = {entry["name"]: entry["digest"]["sha256"] for entry in statement["subject"]}
            subject = named_digests["run"]
            if "run" in predicate:
                written = json.dumps(predicate["run"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
                if subject != hashlib.sha256(written.encode()).hexdigest():
                    raise Mismatch("the run does not have the subject's digest")
            if digest not in (None, subject):
                raise Mismatch("the run does not have the digest given with --digest")
            for other in subjects:
                if other not in named_digests.values():
                    raise Mismatch(f"a file given with --subject is not among the subjects: its SHA-256 is {other}")
        about = (len(envelope["signatures"]), tuple(signers), threshold, predicate.get("expires"), predicate["created"])
        if statement["predicateType"] == ERASURE:
            with numbered(log, 5, "side conditions"):
                check_erasure(predicate["erasure"], "erasure")
                of = None if certificate is None else check_recorded(statement, certificate, now)
            done = "of the certificate" if of else "not done: give --certificate"
            log += (f"{i} {name:<16} {done}" for i, name in ((6, "recomputation"), (7, "target"), (8, "expiry")))
            claim = erasure_sentence(predicate, named_digests["certificate"], of is not None)
            notes, code = ("what the record says is its writer's word",), 3 if of is None else of.exit_code
            return Report(
                code, "ERASURE_RECORD", subject, bool(signers), tuple(log), claim, (), *about, notes, meter.spent
            )
        if certificate is not None:
            raise Malformed("--certificate: goes with an erasure record, and this is none")
        canonical_run, steps, claims = predicate["run"], predicate["proof"]["steps"], predicate["proof"]["claims"]
        training = canonical_run["mechanism"]["kind"] in TRAINING
        with numbered(log, 5, "side conditions"):
            if training:
                run, worst, first = read_training(canonical_run), 0, 0
                require(len(claims) == 1, "proof.claims: needs one entry")
                guarantees = two_guarantees(run, canonical_run)
                check_training_arguments(run, steps, claims[0], guarantees, enlarged_training(predicate))
            else:
                run, guarantees = read_run(canonical_run), []
                first = len(run.sizes) - 1 if "predecessor" in predicate else 0  # it claims those before
                worst = worst_claim(run, steps, claims, first)
                check_arguments(run, steps, claims, first)
        with numbered(log, 6, "recomputation"):
            check_displayed(predicate, front_page(predicate, run, worst, first, guarantees), run.delta)
            check_execution(predicate, run, named_digests)
            values = recompute(steps, run.cut if training else None)
            confirmed = not any(value is False for value in values)
            check_figures(predicate, run, values, worst, confirmed)
        log[-1] += "" if confirmed else " (lower bound not verified)"
        with numbered(log, 7, "target"):
            check_verdict(predicate, run, values)
        with numbered(log, 8, "expiry"):
            expiry = check_expiry(predicate, now)
        log[-1] += f" ({expiry})"
        verdict = predicate["verdict"]
        exit_code = {"CERTIFIED": 0, "NOT_CERTIFIED": 1, "INDETERMINATE": 3}[verdict]
        assumptions = tuple((a["id"], a["status"], a["text"]) for a in predicate["assumptions"])
        claim = training_sentence(predicate, run, confirmed) if training else claim_sentence(predicate, run)
        claim += " THE NOISE CAN BE DRAWN AGAIN: no privacy claim holds for this model." * is_reproducible(predicate)
        notes = notes_of(predicate, confirmed)
        return Report(
            exit_code, verdict, subject, bool(signers), tuple(log), claim, assumptions, *about, notes, meter.spent
        )

# --- Command line. ---------------------------------------------------------------------------------------------------
def from_file(name: str, read: Callable[[BinaryIO], Any]) -> Any:
    try:
        with open(name, "rb") as file:
            return read(file)
    except (OSError, ValueError) as error:
        raise Malformed(f"cannot read {name!a}: {getattr(error, 'strerror', None) or error}") from None

def read_file(name: str, most: int = MAX_BYTES) -> bytes:
    return from_file(name, lambda file: file.read(most + 1))

def sha256_of(file: BinaryIO) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()

def read_arguments(arguments: list[str]) -> tuple[str, dict[str, list[str]]]:
    """The certificate's file, and the values of each option."""
    once = ("--digest", "--threshold", "--date", "--certificate", "--work")
    known = ("--digest", "--key", "--threshold", "--subject", *once[2:])
    names, options, rest = [], {name: [] for name in known}, iter(arguments)
    for word in rest:
        if word in options:
            value = next(rest, None)
            if value is None:
                raise Malformed(f"{word}: needs a value")
            options[word].append(value)
        elif word.startswith("-"):
            raise Malformed(f"no such option: {word!a}; see checker.py --help")
        else:
            names.append(word)
    if len(names) != 1:
        raise Malformed(f"usage: checker.py CERTIFICATE [{'] ['.join(f'{name} VALUE' for name in options)}]")
    for name in once:
        if len(options[name]) > 1:
            raise Malformed(f"{name}: given twice")
    return names[0], options

def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code, and leaves no traceback."""
    out = err = ""
    try:
        if list(arguments) in (["-h"], ["--help"]):
            print(__doc__)
            return 0
        name, options = read_arguments(list(arguments))
        for threshold in options["--threshold"]:
            pattern(r"[1-9][0-9]?", "a number of keys")(threshold, "--threshold")
        for work in options["--work"]:
            pattern(r"[1-9][0-9]{0,17}", "a number of units")(work, "--work")
        report = verify(
            read_file(name),
            *options["--digest"],
            keys=[read_file(key, MAX_KEY) for key in options["--key"]],
            threshold=next(map(int, options["--threshold"]), None),
            subjects=[from_file(subject, sha256_of) for subject in options["--subject"]],
            now=next(map(end_of, options["--date"]), None),
            certificate=next(map(read_file, options["--certificate"]), None),
            work=next(map(int, options["--work"]), WORK),
        )
        out, code = str(report), report.exit_code
    except CheckError as error:
        out, err, code = "\n".join(error.steps), str(error), error.exit_code
    except Exception as error:
        err, code = f"internal error: {type(error).__name__}: {ascii(error)[:200]}", 70
    try:
        if out:
            print(out, flush=True)
    except OSError:  # nobody can read the report: that is no verification
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter fails again at its exit
        err, code = "the report could not be written", 70
    if err:
        print(f"checker: {err}", file=sys.stderr)
    return code

if __name__ == "__main__":
    if sys.stdout is not None:
        sys.stdout.reconfigure(encoding="utf-8")  # the assumptions have Greek letters
    sys.exit(main(sys.argv[1:]))
