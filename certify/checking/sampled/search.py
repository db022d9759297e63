"""Choosing a grid, and the checks.

Floats occur here, in windows and at the end of mixtures alone, and nothing is believed of them: any nodes,
thresholds, digits and orders give true bounds; poor ones give bounds that are too weak for the claim.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from certify.checking.limits import (
    FEW_STEPS,
    MAX_NODES,
    MAX_TRIES,
    ROUGH_STEPS,
    DoesNotFollow,
    Undecided,
)
from certify.checking.numbers.intervals import Interval, larger
from certify.checking.sampled.below import from_below
from certify.checking.sampled.composition import composed, excess, raised, repeated_from_below, repeated_losses
from certify.checking.sampled.distributions import Grid, Losses, from_above
from certify.checking.sampled.schedule import Release, Schedule
from certify.checking.sampled.windows import log_of, loss_window

BIAS = Fraction(5, 1000)  # of a coarse grid, relative to ε
FIRST_BIAS = BIAS / 10  # that is tried first: claims are seldom looser, and a coarser grid is not much cheaper
MIN_BIAS = Fraction(1, 10**8)


def all_releases(schedule: Schedule, upward: bool = True) -> list[Release]:
    """The sampled releases, and Gaussian releases with μ rounded up (or down) for all the others (T11)."""
    releases = list(schedule.sampled)
    pieces = max(1, math.ceil(schedule.mu_squared / 16))  # in equal ones, of a moderate shift
    square = math.floor(schedule.mu_squared / pieces * 2**128)
    mu = Fraction(math.isqrt(square) + (upward and schedule.mu_squared > 0), 2**64)
    if mu:
        releases.append(Release(Fraction(1), mu, pieces, False))
    return sorted(releases, key=lambda release: -release.steps)


def level_of(release: Release, most: int) -> int:
    """The grid of a release with fewer steps may be coarser."""
    return (most // release.steps).bit_length() - 1 >> 1


def loss_distribution(
    releases: list[Release], epsilon: Fraction, delta: Fraction, bias: Fraction, upward: bool, way: str | None = None
) -> tuple[Losses, Grid]:
    """The composed distribution, on grids chosen so that ε comes out too large (too small) by about `bias`·ε.

    Each step on a grid of step h adds about h²/6 to the variance V of the loss, and V/2 to its mean; at ε that moves δ
    like a shift by (1+λ)V/2, with λ about 2·log(1/δ)/ε. `way`: "forward" or "backward" alone, which needs no masses as
    small as e^-ε.
    """
    size, log_delta = float(max(epsilon, delta)), -log_of(delta)
    variance = float(bias) * size / (0.12 * (1 + 2 * log_delta / size)) / len(releases)
    most = max(release.steps for release in releases)
    given = log_delta + math.log(max(1000, 1 / float(bias)))  # as small a part of δ may be given away
    ends = [loss_window(release, math.exp(-given) / release.steps) for release in releases]
    step = math.sqrt(variance / most)
    if not upward:  # lines need several cells where the losses crowd, just above log(1 - q)
        finer = max(math.sqrt(float(min(bias / BIAS, 1))), 0.125) if most <= FEW_STEPS else 1
        step = min([step, *(float(release.rate) / 4 * finer for release in releases)])
        if releases[0].kinked:
            least = -math.log1p(-float(releases[0].rate)) * abs(releases[0].first - releases[0].second)
            step = least / math.ceil(least / step) * (1 + 1e-12) if least else step
    levels = [level_of(release, most) if upward else 0 for release in releases]
    widest = max((high - low) / 2**level for level, (low, high) in zip(levels, ends, strict=True))
    step = max(step, widest / MAX_NODES)
    h = Fraction(math.ceil(step * 2**80), 2**80)
    lowest = 0 if way else max(max(-low for low, _ in ends), 1.4 * float(epsilon) + 3)
    parts = max(10**6, math.ceil(1000 / bias))
    digits = math.ceil((given + math.log(most * widest / step) + lowest) / math.log(10) + math.log10(parts))
    grid = Grid(
        h, digits, math.floor(delta * 10**digits / parts), upward, 3 * epsilon + 60, way is not None,
        max(Fraction(variance), most * h**2), Fraction(variance) * Fraction(1 + 2 * log_delta / size) / 50,
    )  # fmt: skip
    total = None
    for release, level, (low, high) in zip(releases, levels, ends, strict=True):
        at, backward = float(grid.at(level)), way == "backward"
        nodes = range(math.floor(low / at) - 1, math.ceil(high / at) + 2)
        if upward:
            part = repeated_losses(from_above(release, nodes, grid, level, backward), release.steps, grid)
        else:
            part = repeated_from_below(from_below(release, nodes, grid, backward), release.steps, grid)
        if total is None:
            total = part
        else:
            common = max(total.level, part.level)
            total = composed(raised(total, common, grid), raised(part, common, grid), grid, grid.allowance)
    return total, grid


def surely(x: Interval | Fraction, y: Interval | Fraction) -> bool:
    """x <= y for all members; undecided is no."""
    try:
        return x <= y if isinstance(x, Interval) else y >= x
    except Undecided:
        return False


def attempted(*arguments: Any) -> tuple[Losses, Grid]:
    """`loss_distribution`; what is too large for the precision chosen, is refused."""
    try:
        return loss_distribution(*arguments)
    except (Undecided, ValueError, OverflowError):  # the latter where the floats of a choice give out
        raise DoesNotFollow("loss_distribution: not decided at this precision") from None


def worst(bounds: tuple[Interval, ...]) -> Interval:
    """The larger of one or two."""
    return larger(bounds[0], bounds[-1])


def next_bias(tried: list[tuple[Fraction, Fraction]], delta: Fraction, sign: int, few: bool) -> Fraction | None:
    """A finer grid that may settle it; None where none will. `tried`: (bias, δ). δ is about linear in the bias, but
    where the steps are few: then it counts where the nodes happen to lie, and a finer grid may do worse."""
    bias, value = tried[-1]
    if bias < MIN_BIAS:
        return None
    if len(tried) == 1 or bias > Fraction(1, 20):  # too coarse to tell
        return bias / (4 if bias <= FIRST_BIAS else 16)
    earlier, before = tried[-2]
    slope = (before - value) / (earlier - bias)
    limit = value - slope * bias
    if few and (sign * slope <= 0 or sign * (limit - delta) > 0):
        return bias / 16
    hopeless = sign * (value - 2 * slope * bias - delta) > delta * min(3 * bias, Fraction(1, 300))
    if hopeless and sign * (limit - delta) > 0:
        return None
    wanted = (delta - limit) / slope * 6 / 10 if sign * slope > 0 and sign * (delta - limit) > 0 else Fraction(0)
    return min(bias / 3, max(bias / 40, wanted))


def settles(
    releases: list[Release], epsilon: Fraction, delta: Fraction, charge: Interval, upward: bool, way: str | None
) -> Interval | None:
    """The bound of δ(ε) that is on the right side of δ, on the first grid that is fine enough; None if none is."""
    size, tried, finest = max(epsilon, delta), [], None
    few = all(release.steps <= ROUGH_STEPS for release in releases)
    bias = FIRST_BIAS * max(1, Fraction(1, 20) / size) ** 2
    for _ in range(MAX_TRIES):
        losses, grid = attempted(releases, epsilon, delta, bias, upward, way)
        now = worst(excess(losses, epsilon, grid)) + (charge if upward else -charge)
        if surely(now, delta) if upward else surely(delta, now):
            return now
        # a finer grid makes up for some bias; where that cannot be enough, it is not tried
        margin = size * 30 * bias
        if upward or margin < epsilon:
            best = worst(excess(losses, epsilon + (margin if upward else -margin), grid))
            best = best + (charge if upward else -charge)
            if surely(delta, best) if upward else surely(best, delta):
                return None
        if upward and finest is not None and grid.step >= finest:
            return None
        finest = grid.step
        tried.append((bias, Fraction(now.low[0]) * Fraction(2) ** now.low[1]))
        bias = next_bias(tried, delta, 1 if upward else -1, upward and few)
        if bias is None:
            return None
    return None
