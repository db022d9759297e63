"""The grids of a certificate: what T19 and its relatives bring, so that the checker need not look for them.

A search, of which nothing is believed: the checker computes every bound on the grid that it is given, and a poor grid
gives a bound that does not show the claim. The grids are those of the checker's plain rule, coarser or finer; from
below the nodes are halved besides, where that costs little.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal

from accountant.core.exact import canonical
from accountant.mechanisms.neighbours import replaces
from certify import checker

Way = Literal["forward", "backward"] | None
Found = tuple[checker.Grid, checker.Losses]
Json = dict[str, Any]

FINEST_BIAS = Fraction(1, 10**8)
MAX_TRIES = 14
ROUGH_STEPS = 8  # up to which a finer grid may do worse
WORK = 2 * checker.WORK  # for one grid, in the checker's units
_REFUSED = (checker.DoesNotFollow, checker.OutOfWork, checker.Undecided, ArithmeticError, ValueError)


def grids_of(theorem: str, arguments: Json, epsilon: Fraction, cut: tuple[int, int] | None = None) -> list[Json] | None:
    """The grids of a step T19, T19l, T27 or T27l, as a certificate writes them.

    Args:
        theorem, arguments: as the certificate has them.
        epsilon: what the step concludes.
        cut: of a training run's batches, which bounds from below are charged for (`checker.Training.cut`).

    Returns:
        None where no grids are found, or none are needed.
    """
    group, neighbours, delta = int(arguments.get("group", 1)), arguments["neighbours"], arguments["grid"]["delta"]
    if theorem in ("T19l", "T27l"):
        schedule = checker.read_schedule(arguments["releases"], neighbours, cut, group)
        return lower_grids(schedule, epsilon, Fraction(delta), arguments["direction"])
    grids: list[Json] = []
    for second in range(group // 2 + 1) if not replaces(neighbours) else (0,):
        schedule = checker.read_schedule(arguments["releases"], neighbours, None, group, second)
        found = upper_grids(schedule, epsilon, Fraction(delta))
        if found is None:
            return None
        grids += found
    return grids


def upper_grids(schedule: checker.Schedule, epsilon: Fraction, delta: Fraction) -> list[Json] | None:
    """One for each direction that is looked at, on which δ(ε) is shown to be at most δ; None where none is found."""
    ways = checker.ways_of(checker.all_releases(schedule), epsilon)
    grids = [_search(schedule, epsilon, delta, True, way) for way in ways] if schedule.sampled else []
    return [_written(grid) for grid in grids if grid] if all(grids) else None


def lower_grids(schedule: checker.Schedule, epsilon: Fraction, delta: Fraction, direction: str) -> list[Json] | None:
    """The one on which δ(ε) is shown to be at least δ; None where none is found."""
    schedule = checker.one_sided(schedule)
    alike = all(release.first == release.second for release in schedule.sampled)
    way: Way = "backward" if direction == "add" and not alike else "forward"
    grid = _search(schedule, epsilon, delta, False, way) if epsilon and schedule.sampled else None
    return None if grid is None else [_written(grid)]


def _written(grid: checker.Grid) -> Json:
    return {
        "step": canonical(grid.step),
        "digits": str(grid.digits),
        "cut": str(grid.allowance),
        "windows": [[str(-nodes.start), str(nodes.stop - 1)] for nodes in grid.windows],
        "halvings": [[str(count) for count in counts] for counts in grid.halvings],
    }


def _search(
    schedule: checker.Schedule, epsilon: Fraction, delta: Fraction, upward: bool, way: Way
) -> checker.Grid | None:
    """From coarse to fine until a grid shows the claim."""
    try:
        checker.within_reach(schedule, epsilon, delta)
        with checker.metered(WORK):
            return _settled(schedule, epsilon, delta, upward, way)
    except _REFUSED:
        return None


def _settled(
    schedule: checker.Schedule, epsilon: Fraction, delta: Fraction, upward: bool, way: Way
) -> checker.Grid | None:
    releases, size, sign = checker.all_releases(schedule, upward), max(epsilon, delta), 1 if upward else -1
    charge = sign * _ends(checker.truncation_charge(schedule, epsilon, 192))[upward]
    few = upward and all(release.steps <= ROUGH_STEPS for release in releases)
    bias, tried = next(checker.biases(epsilon, delta)) * 2, []
    for _ in range(MAX_TRIES):
        grid = checker.plain_grid(releases, epsilon, delta, upward, way, bias)
        if tried and upward and grid.step >= tried[-1][2]:
            return None
        grid, losses = _composed(releases, grid, way, (epsilon, delta, bias))
        value = max(_ends(side)[upward] for side in checker.excess(losses, epsilon, grid)) + charge
        if sign * value <= sign * delta:
            return grid
        margin = sign * 30 * bias * size  # a finer grid makes up for so much; where that is not enough, none will
        if epsilon + margin > 0:
            best = max(_ends(side)[not upward] for side in checker.excess(losses, epsilon + margin, grid)) + charge
            if sign * best > sign * delta:
                return None
        tried.append((bias, value, grid.step))
        finer = _next_bias([pair[:2] for pair in tried], delta, sign, few)
        if finer is None:
            return None
        bias = finer
    return None


def _ends(bound: checker.Interval) -> tuple[Fraction, Fraction]:
    low, high = (mantissa * Fraction(2) ** exponent for mantissa, exponent in (bound.low, bound.high))
    return low, high


def _composed(
    releases: list[checker.Release], grid: checker.Grid, way: Way, of: tuple[Fraction, Fraction, Fraction]
) -> Found:
    """The losses on a grid, which from below is first made coarser where that costs little. `of`: ε, δ and bias."""
    if grid.upward:
        return grid, checker.loss_distribution(releases, grid, way == "backward")
    variance, tilt = checker.added_variance(*of, len(releases))
    halvings, total = [], None
    for release, nodes in zip(releases, grid.windows, strict=True):
        base = checker.from_below(release, nodes, grid, 0, way == "backward")
        counts, part = _repeated(base, release.steps, grid, Fraction(max(variance, release.steps * grid.step**2)),
                                 Fraction(variance * tilt / 50))  # fmt: skip
        halvings.append((0, *counts))
        total = part if total is None else checker.joined(total, part, grid)
    return replace(grid, halvings=tuple(halvings)), total


def _repeated(
    base: checker.Losses, steps: int, grid: checker.Grid, variance: Fraction, room: Fraction
) -> tuple[list[int], checker.Losses]:
    """As `checker.repeated_from_below`, with the halvings chosen on the way: where few steps remain and masses are
    smooth, so that the mean falls by at most `room` in all. `variance`: that coarser grids may add."""
    power, total, counts = base, None, []
    for i, digit in enumerate(reversed(bin(steps)[2:])):
        left = steps.bit_length() - 1 - i
        allowance = max(1, grid.allowance >> left)
        if i:
            power, level = checker.composed(power, power, grid, allowance), power.level
            while grid.at(power.level + 1) ** 2 * (8 << left) <= variance:
                halved, fall = checker.coarser_below(power, grid)
                other, more = checker.coarser_below(total, grid) if total else (None, 0)
                cost = grid.at(power.level) * ((fall << left + 1) + more) / grid.unit
                if 4 * cost > room:
                    break
                power, total, room = halved, other, room - cost
            counts.append(power.level - level)
        if digit == "1":
            total = checker.composed(total, power, grid, allowance) if total else power
    return counts, total


def _next_bias(tried: list[tuple[Fraction, Fraction]], delta: Fraction, sign: int, few: bool) -> Fraction | None:
    """A finer grid that may settle it; None where none will. `tried`: (bias, δ). δ is about linear in the bias, but
    where the steps are few: then it counts where the nodes happen to lie, and a finer grid may do worse."""
    bias, value = tried[-1]
    if bias < FINEST_BIAS:
        return None
    if len(tried) == 1 or bias > Fraction(1, 20):  # too coarse to tell
        return bias / (2 if bias <= 2 * checker.BIAS else 16)
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
