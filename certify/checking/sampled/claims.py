"""ε of sampled batches: T19, T27."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.checking.limits import (
    MAX_DIGITS,
    MAX_EPSILON,
    MAX_GROUPS,
    MAX_SAMPLED,
    ONE_WAY,
    DoesNotFollow,
    Undecided,
    require,
)
from certify.checking.numbers.intervals import Interval, larger
from certify.checking.reading import exact, integer, one_of, rounded
from certify.checking.rules import Rule, Step, declare
from certify.checking.sampled.composition import excess, loss_distribution
from certify.checking.sampled.grids import GRID, all_releases, biases, plain_grid, read_grid
from certify.checking.sampled.moments import check_gaussian, truncation_charge
from certify.checking.sampled.schedule import SAMPLED, Release, Schedule, one_sided, read_schedule
from certify.checking.work import budgeted

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
                                   "witness?": [GRID]}}  # fmt: skip
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
)  # fmt: skip
