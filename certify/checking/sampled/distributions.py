"""T19: privacy-loss distributions in integers.

H(t) = sup_S P(S) - t·Q(S), t = e^ε > 0, is convex and falling; δ(ε) of (P,Q) is H(e^ε). For finite measures, H of a
product is ∫ P(dx)·H'(t·dQ/dP(x)) (plus the P-mass where Q vanishes), and likewise with the factors exchanged: it
rises with either factor's H, and with every mass. So any two positive measures whose H lies above (below) at *every*
t > 0 may replace a step, and every mass may be rounded up (down). Where P and Q both have mass 1, H of (Q,P) is
t·H(1/t) + 1 - t, so this holds for both directions, and one array of masses serves both.

Above: interpolate H linearly in t at the knots t_j = e^(x_j), continued by the line from (0, 1) to the first and by a
constant after the last. That is the H of atoms at x_j with P-mass p_j = t_j·(rise of slope at t_j) and Q-mass
p_j·e^(-x_j), an atom +∞ of P-mass H(t_N) and an atom -∞ of Q-mass 1 - (1 - H(t_0))/t_0. An atom cut from the array is
split into ±∞. `lost` bounds what lies at +∞ under P, and at -∞ under Q.
Below: see `from_below`.
One way: δ of (P,Q) alone needs no more than H of each factor at every t, so nothing hangs on the masses under Q: they
need not add up to 1, and masses are kept to a part of δ, not of δ·e^-ε. δ of (Q,P) is that of the mirrored atoms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from certify.checking.limits import MAX_NODES, MAX_REACH, require
from certify.checking.numbers.elementary import e_to
from certify.checking.numbers.fixed import fixed, fixed_log, fixed_normal, fixed_ratio
from certify.checking.numbers.intervals import Interval
from certify.checking.sampled.mixtures import mixture_curve
from certify.checking.sampled.schedule import Release
from certify.checking.work import spend


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
