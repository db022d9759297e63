"""Where the tail that δ asks for lies: a saddle point. It chooses cells and grids, and no bound rests on it.

δ(ε) is about e^{K(θ) − θε} at the best θ, K the cumulant of the whole loss, without losses so rare that they can be
charged to δ whatever they are. Mass at x then counts about e^{θx} as much as mass at 0: far cells may be coarse where
p·e^{θx} is small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from flint import arb

from accountant.core.arithmetic.balls import precision
from accountant.core.exact import Rounding
from accountant.mechanisms.pairs import Way
from accountant.mechanisms.release import Part
from accountant.pld.mixture import pair_of
from accountant.pld.pair import ball, rounded

# Example values (a test computes them again):
# z = 1, q = 0.01, T = 1000: θ, the estimated ε, and a lower bound on ε by integers:
#   δ = 1e-03: θ =  6.7272, ε ≈ 1.1403 (≥ 1.1595)
#   δ = 1e-05: θ =  6.7272, ε ≈ 1.8143 (≥ 1.8222)
#   δ = 1e-10: θ =  6.7272, ε ≈ 3.5092 (≥ 3.2812)

BITS = 64
FLOOR = Fraction(1, 1000)  # an ε below it is known to the width of that: a relative 1e-3 is 1e-6 then
_QUARTERS = range(-24, 161)  # θ is 2^{k/4} for one of these k: from 1/64 to 2^40
_RARE = 20  # bits of δ that may be charged for losses left out
_REACH = 11  # nodes as far from either end of the integrand's peaks, half a unit apart
_THIRDS = 8  # cells are at most 3^8 units long
_OCTAVES, _ABOVE = 24, 1.01
_ALIKE = 0.95  # so much of the estimate is left where a cap does not matter
_FEWER = 3  # bits of δ that losses above the top may have together
_SPARE = 2  # times ε at least is the top
_FINE = 12  # w·m³ ≤ 2^−12 for the tilted mass w of one of the m units of a cell: +10 % or less of the whole bias


@dataclass(frozen=True)
class Tilt:
    """slope: θ; epsilon: about the ε of δ, 0 where the estimate makes no sense.

    cap: a loss above it counts as one of that size; top: above this loss (None: nowhere) one cell will do. bottom: so
    much of a step's mass may be below the grid (None: as much as above it). steep: about −d log δ(ε)/dε, where that
    is not θ. share: log₂ of what all cells hold together.
    """

    slope: float
    epsilon: float
    cap: float = math.inf
    top: Fraction | None = None
    bottom: Fraction | None = None
    steep: float | None = None
    share: float = 0.0

    def longest(self, log2_mass: float, x: float) -> int:
        """How many units a cell at loss x may have, a power of 3, where one unit has the mass 2^log2_mass.

        Sums and products alone: the same on every machine.
        """
        room = -_FINE - (log2_mass - self.share) - max(0.0, self.slope * min(x, self.cap)) * _LOG2_E
        return 3 ** max(0, min(_THIRDS, int(room / _LOG2_27)))


_LOG2_E, _LOG2_27 = 1.4426950408889634, 4.754887502163468
FLAT = Tilt(0.0, 0.0)


@lru_cache(maxsize=256)
def choose_tilt(parts: tuple[Part, ...], way: Way, delta: Fraction) -> Tilt:
    """On a ladder: below the least θ at which Chernoff's bound on the tail is δ or less, where the saddle point's own
    estimate is least."""
    rarest = delta / 2**_RARE / (count := sum(p.steps for p in parts))
    # What lies below counts only together with a tail of the rest, which is itself about as small as δ.
    few = Fraction(1, 2**_RARE * count)
    with precision(BITS):
        target = float(ball(delta).log().mid())
        steps = tuple(_Step(part, way, rarest) for part in parts)
        epsilon, slope = _saddle(steps, target, None)
        if way is Way.REVERSED:
            far, near = (_quantile(parts, tail, mixed=False) for tail in (delta / 2**_RARE, few * count))
            return Tilt(slope, max(0.0, epsilon), bottom=few if 2 * near < far else None)
        if not epsilon > 0:
            return Tilt(slope, 0.0)
    return _with_top(parts, delta, steps, Tilt(slope, epsilon), few)


def _saddle(steps: tuple[_Step, ...], target: float, cap: arb | None) -> tuple[float, float]:
    """(ε, θ) where no loss is more than `cap`."""
    low, high = _QUARTERS[0] - 1, _QUARTERS[-1]
    while high - low > 1:
        middle = (low + high) // 2
        cumulant, mean, _ = _cumulants(steps, middle, cap)
        low, high = (middle, high) if cumulant - _slope(middle) * mean > target else (low, middle)
    return min((_estimate(steps, quarter, target, cap), _slope(quarter)) for quarter in range(high - 5, high + 1))


def _with_top(parts: tuple[Part, ...], delta: Fraction, steps: tuple[_Step, ...], whole: Tilt, few: Fraction) -> Tilt:
    """The estimate where single losses may come to more than ε by themselves.

    Then θ is not where the moments of all losses have their saddle, which is far too high, but about −log δ/ε: losses
    count as ε at most. And F (see masses) is linear in e^{−x} for losses of more than ε less what the others can come
    to: no finer cells are needed there than one.
    """
    with precision(BITS):
        target = float(ball(delta).log().mid())
        if _saddle(steps, target, arb(whole.epsilon))[0] > _ALIKE * whole.epsilon:
            return whole
        alone, steep = _alone(parts, delta)
        high, low = _octave(whole.epsilon), _octave(alone) if alone else _octave(whole.epsilon) - 4 * _OCTAVES
        while high - low > 1:  # the least cap at which losses add up to it
            middle = (low + high) // 2
            epsilon, _ = _saddle(steps, target, arb(_slope(middle)))
            low, high = (middle, high) if epsilon > _ABOVE * _slope(middle) else (low, middle)
        cap = max(_slope(high), alone)
        _, slope = _saddle(steps, target, arb(cap))
        rare, rarest = (_quantile(parts, delta * Fraction(2) ** -bits) for bits in (_FEWER, _RARE))
        top = max(rare, _SPARE * Fraction(cap))
        tilt = Tilt(slope, cap, cap, steep=steep if cap == alone else None)
        return replace(tilt, top=top, bottom=few) if 2 * top < rarest else tilt


def _octave(x: float) -> int:
    """The least k with 2^{k/4} ≥ x."""
    k = 4 * (math.frexp(x)[1] - 1)
    while _slope(k) < x:
        k += 1
    return k


def _quantile(parts: tuple[Part, ...], tail: Fraction, *, mixed: bool = True) -> Fraction:
    """A loss so large that larger ones have at most about that probability in one step or another; under the second of
    the pair unless `mixed`."""
    quantile = Fraction(0)
    for part in parts:
        if part.rate < 1:
            pair = pair_of(part)
            u = pair.quantile(ball(tail / part.steps), mixed=mixed, above=True)
            quantile = max(quantile, rounded(pair.ratio(u).log(), BITS, Rounding.UP))
    return quantile


def _alone(parts: tuple[Part, ...], delta: Fraction) -> tuple[float, float]:
    """About the ε at which single steps' δ(ε) add up to δ, 2^{k/4}, and how steep log δ is there; 0 where that ε is
    less than 2^−40."""
    with precision(2 * BITS + delta.denominator.bit_length() - delta.numerator.bit_length()):
        pairs = [(part.steps, pair_of(part)) for part in parts]

        def sum_of(quarter: int) -> arb:
            ratio, total = arb(_slope(quarter)).exp(), arb(0)
            for steps, pair in pairs:
                mixed, base = pair.masses(pair.point(ratio), pair.top)
                total += steps * (mixed - ratio * base)
            return total

        low, high = -4 * 40, 4 * 10
        if not sum_of(low) > ball(delta):
            return 0.0, 0.0
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if sum_of(middle) > ball(delta) else (low, middle)
        fall = (sum_of(low) / sum_of(high)).log() / (arb(_slope(high)) - arb(_slope(low)))
        return _slope(high), max(0.0, float(fall.mid()))


def _estimate(steps: tuple[_Step, ...], quarter: int, target: float, cap: arb | None) -> float:
    """The ε with δ(ε) = e^{K − θε}/(θ(θ + 1)√(2πK″)); Chernoff's bound where that factor does not reduce it."""
    theta = _slope(quarter)
    cumulant, _, variance = _cumulants(steps, quarter, cap)
    factor = theta * (theta + 1) * math.sqrt(2 * math.pi * max(variance, 0.0))
    return (cumulant - target - math.log(max(1.0, factor))) / theta


def _slope(quarter: int) -> float:
    """2^{quarter/4}, by products."""
    whole, rest = divmod(quarter, 4)
    return (1.0, 1.189207115002721, 1.4142135623730951, 1.681792830507429)[rest] * 2.0**whole


def _cumulants(steps: tuple[_Step, ...], quarter: int, cap: arb | None = None) -> tuple[float, float, float]:
    """K, K′ and K″ at θ."""
    theta = arb(_slope(quarter))
    totals = [arb(0), arb(0), arb(0)]
    for step in steps:
        totals = [
            total + step.part.steps * value for total, value in zip(totals, step.cumulants(theta, cap), strict=True)
        ]
    cumulant, mean, variance = (float(total.mid()) for total in totals)
    return cumulant, mean, variance


class _Step:
    """One step's loss at nodes of the trapezoidal rule, up to where it is so rare that `tail` is left."""

    def __init__(self, part: Part, way: Way, tail: Fraction):
        self.part, self.way = part, way
        self.nodes: list[tuple[arb, arb]] = []
        if part.rate == 1:
            return
        self.pair = pair_of(part)
        self.first = -_REACH - int(part.down * float(self.pair.mu.mid()))  # the least node
        self.most = int(2 * float(self.pair.quantile(ball(tail), mixed=way is Way.FORWARD, above=True).mid()))

    def _losses(self, count: int) -> list[tuple[arb, arb]]:
        """(−log of the second density, loss) of that many nodes or more, from the left; up to a constant."""
        for k in range(len(self.nodes) + 2 * self.first, count + 2 * self.first):
            u = arb(k) / 2
            self.nodes.append((self.pair.energy(u), self.pair.ratio(u).log()))
        return self.nodes[:count]

    def cumulants(self, theta: arb, cap: arb | None = None) -> tuple[arb, arb, arb]:
        if self.part.rate == 1:
            square = ball(self.part.square)
            return theta * (theta + 1) * square / 2, (2 * theta + 1) * square / 2, square
        power = theta + 1 if self.way is Way.FORWARD else -theta
        last = 2 * _REACH
        if self.way is Way.FORWARD:
            reach = float((power * self.part.up * self.pair.mu).mid())
            last = min(last + 2 * int(min(reach, 2.0**20)), self.most)
        nodes = [(loss, power * loss - energy) for energy, loss in self._losses(last - 2 * self.first + 1)]
        if cap is not None:
            nodes = [(loss.min(cap), exponent - theta * (loss - cap).max(arb(0))) for loss, exponent in nodes]
        peak = max(float(exponent.mid()) for _, exponent in nodes)
        total = mean = square = arb(0)
        for loss, exponent in nodes:
            if float(exponent.mid()) < peak - 40:
                continue
            weight = (exponent - arb(peak)).exp()
            total, mean, square = total + weight, mean + weight * loss, square + weight * loss * loss
        mean, square = mean / total, square / total
        return (total / (8 * arb.pi()).sqrt()).log() + arb(peak), int(self.way) * mean, square - mean * mean
