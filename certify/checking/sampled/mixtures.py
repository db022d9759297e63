"""Releases in which several records differ: where the ratio of the densities takes a value (T27)."""

from __future__ import annotations

import decimal
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from certify.checking.numbers.fixed import fixed_log, fixed_normal, fixed_ratio
from certify.checking.sampled.schedule import Release
from certify.checking.work import spend


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
