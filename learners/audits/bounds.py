"""From canaries to a lower bound on ε: two counts, an interval for each, and what (ε, δ) then cannot be less than."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import beta

THRESHOLDS = 400  # that are tried, on the part of the canaries that is for it alone


@dataclass(frozen=True)
class Bound:
    """epsilon: a lower bound on ε at δ, wrong with probability `level` at most; 0 where nothing was seen.

    threshold: of the statistic. above: whether the event is at or above it (else below). likely: (hits, canaries) where
    the event is the likelier; rare: the same under the other coin.
    """

    epsilon: float
    level: float
    threshold: float
    above: bool
    likely: tuple[int, int]
    rare: tuple[int, int]


def proportion(hits: int, count: int, level: float, *, upper: bool, chernoff: bool = False) -> float:
    """A one-sided bound on a rate, wrong with probability `level` at most: Clopper and Pearson's, for independent
    trials; with `chernoff` that of exp(−n·KL(hits/n, p)) ≤ level, for negatively associated ones too."""
    if not 0 <= hits <= count or count < 1 or not 0 < level < 1:
        raise ValueError(f"{hits} hits of {count} at level {level}")
    if hits == (count if upper else 0):
        return 1.0 if upper else 0.0
    if not chernoff:
        return float(beta.isf(level, hits + 1, count - hits) if upper else beta.ppf(level, hits, count - hits + 1))
    rate, allowed = hits / count, -math.log(level) / count
    end = 1 - 2.0**-50 if upper else 2.0**-1000
    if _divergence(rate, end) <= allowed:
        return 1.0 if upper else 0.0
    return float(brentq(lambda p: _divergence(rate, p) - allowed, rate, end, xtol=1e-14))


def _divergence(a: float, p: float) -> float:
    """KL of coins, a against p."""
    total = a * math.log(a / p) if a else 0.0
    return total + ((1 - a) * math.log((1 - a) / (1 - p)) if a < 1 else 0.0)


def lower_bound(
    statistic: np.ndarray,
    present: np.ndarray,
    delta: float,
    level: float,
    *,
    chernoff: bool = False,
    choosing: int | None = None,
) -> Bound:
    """statistic: (N,), present: (N,) coins. Threshold and direction are chosen on the first `choosing` canaries (a
    fifth), counts are of the others. P(likely) ≤ e^ε·P(rare) + δ: ε ≥ log((lower − δ)/upper), each end at level/2."""
    chosen = np.arange(len(statistic)) < (len(statistic) // 5 if choosing is None else choosing)
    kept = ~chosen
    best = (-math.inf, 0.0, True)
    for threshold in np.unique(np.quantile(statistic[chosen], np.linspace(0.001, 0.999, THRESHOLDS))):
        for above in (True, False):
            likely, rare = _counts(statistic[chosen], present[chosen], threshold, above)
            size = int(kept.sum()) / int(chosen.sum())
            scaled_likely, scaled_rare = ((round(h * size), round(n * size)) for h, n in (likely, rare))
            epsilon = _epsilon(scaled_likely, scaled_rare, delta, level, chernoff)
            if epsilon > best[0]:
                best = (epsilon, float(threshold), above)
    _, threshold, above = best
    likely, rare = _counts(statistic[kept], present[kept], threshold, above)
    return Bound(max(_epsilon(likely, rare, delta, level, chernoff), 0.0), level, threshold, above, likely, rare)


def _counts(
    statistic: np.ndarray, present: np.ndarray, threshold: float, above: bool
) -> tuple[tuple[int, int], tuple[int, int]]:
    hit = statistic >= threshold if above else statistic < threshold
    likely = present if above else ~present
    return (int(hit[likely].sum()), int(likely.sum())), (int(hit[~likely].sum()), int((~likely).sum()))


def _epsilon(likely: tuple[int, int], rare: tuple[int, int], delta: float, level: float, chernoff: bool) -> float:
    if not likely[1] or not rare[1]:
        return -math.inf
    low = proportion(*likely, level / 2, upper=False, chernoff=chernoff)
    high = proportion(*rare, level / 2, upper=True, chernoff=chernoff)
    return math.log((low - delta) / high) if low > delta else -math.inf
