"""How δ is shared between a run of Poisson batches and what is cut from them (docs/theory.md T20): searches in doubles.

T20 has ε at δ if the batches as they are drawn have it at δ − B, and B ≥ C·(1 + e^ε), C = Σ_steps P[Bin(n⁺,q) > c].
A larger share B leaves less δ to the rest, whose ε then grows: the shares that are enough form an interval, which may
be empty. The least one gives the least ε.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable

import numpy as np
import scipy

from accountant.mechanisms.release import Release

USUAL = 1e-3  # a share of δ that costs next to nothing
_ITERATIONS = 4
_MIN_LOG_ODDS, _MAX_LOG_ODDS = -14.0, 14.0  # of log(share / rest), where a share is looked for
_NARROW = 1e-6


def log_tails(releases: Iterable[Release], larger: int, cap: int) -> float:
    """log C, C = Σ_steps P[Bin(n⁺, q) > cap] by T20's Chernoff bound, n⁺ = `larger`; ∞ where a cut is not rare."""
    logs = [_log_tail(larger, float(r.sample_rate), cap + 1) + math.log(r.steps) for r in releases if r.steps]
    return float(scipy.special.logsumexp(logs)) if logs else -math.inf


def _log_tail(n: int, rate: float, k: int) -> float:
    if k > n or not rate:
        return -math.inf
    if k <= n * rate:
        return math.inf
    rest = (n - k) * (math.log1p(-rate) - math.log1p(-k / n)) if k < n else 0.0
    return k * math.log(n / k * rate) + rest


def share(log_cost: float, epsilon: Callable[[float], float], delta: float) -> float | None:
    """B/δ for the least share that is enough, or a thousandth where that is; None where no share is.

    log_cost: log C. epsilon: ε of the batches as they are drawn, as a function of their δ.
    """

    def needed(part: float) -> float:
        """log of C·(1 + e^ε)/δ, where δ·(1 − part) is left."""
        return log_cost + log1p_exp(epsilon(delta * (1 - part))) - math.log(delta)

    if needed(USUAL) <= math.log(USUAL):
        return USUAL
    rising = _rising(needed)
    return _crossing(needed) if rising is None else rising


def _rising(needed: Callable[[float], float]) -> float | None:
    """From no share at all to what it would need, and again: the least that is enough, if it is reached soon."""
    part = 0.0
    for _ in range(_ITERATIONS):
        log_more = needed(part)
        if log_more >= 0:
            return None
        before, part = part, math.exp(log_more)
        if part <= before * (1 + _NARROW):
            return part
    return None


def _crossing(needed: Callable[[float], float]) -> float | None:
    lacks, best = _lacking(needed)
    if lacks(best) > 0:
        return None
    return _part(best if lacks(_MIN_LOG_ODDS) <= 0 else scipy.optimize.brentq(lacks, _MIN_LOG_ODDS, best, xtol=1e-9))


def _lacking(needed: Callable[[float], float]) -> tuple[Callable[[float], float], float]:
    """By how much (in logarithms) a share with that log(share / rest) is too small, and where that is least."""

    def lacks(odds: float) -> float:
        return needed(_part(odds)) - math.log(_part(odds))

    return lacks, scipy.optimize.minimize_scalar(
        lacks, bounds=(_MIN_LOG_ODDS, _MAX_LOG_ODDS), method="bounded", options={"xatol": 1e-4}
    ).x


def _part(odds: float) -> float:
    return 1 / (1 + math.exp(-odds))


def most_cost(epsilon: Callable[[float], float], delta: float) -> float:
    """The largest log C for which some share is enough."""
    lacks, best = _lacking(lambda part: log1p_exp(epsilon(delta * (1 - part))) - math.log(delta))
    return -lacks(best)


def least_cap(releases: tuple[Release, ...], larger: int, log_cost: float) -> int:
    """The least cap with which C is at most e^log_cost; it falls as the cap rises."""
    return bisect_left(range(larger), True, key=lambda cap: log_tails(releases, larger, cap) <= log_cost)


def log1p_exp(x: float) -> float:
    """log(1 + e^x), also where e^x overflows."""
    return float(np.logaddexp(0, x))
