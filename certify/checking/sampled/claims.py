"""ε of sampled batches: T19, T27, and the cheapest theorem that shows a claim."""

from __future__ import annotations

import math
from fractions import Fraction

from certify.checking.limits import (
    MAX_DIGITS,
    MAX_EPSILON,
    MAX_GROUPS,
    MAX_ORDER,
    MAX_SAMPLED,
    ONE_WAY,
    DoesNotFollow,
    require,
)
from certify.checking.numbers.intervals import Interval
from certify.checking.reading import exact, integer, one_of, rounded
from certify.checking.rules import Rule, Step, declare
from certify.checking.sampled.moments import check_gaussian, check_renyi, truncation_charge
from certify.checking.sampled.schedule import SAMPLED, Schedule, one_sided, read_schedule
from certify.checking.sampled.search import all_releases, settles, worst
from certify.checking.sampled.windows import log_of
from certify.checking.work import budgeted, spend


def check_pld(schedule: Schedule, epsilon: Fraction, delta: Fraction) -> Interval:
    """T19, T20. δ(ε) <= delta by privacy-loss distributions; returns an enclosure of the upper bound found."""
    within_reach(schedule, epsilon, delta)
    charge, releases = truncation_charge(schedule, epsilon, 192), all_releases(schedule)
    alike = all(release.symmetrised or release.rate == 1 or release.first == release.second for release in releases)
    ways = [None] if epsilon <= ONE_WAY else ["forward"] if alike else ["forward", "backward"]
    found = [settles(releases, epsilon, delta, charge, True, way) for way in ways]
    require(None not in found, "loss_distribution: delta(epsilon) is not shown to be at most delta")
    return worst(tuple(found))


def check_lower(schedule: Schedule, epsilon: Fraction, delta: Fraction, direction: str | None = None) -> None:
    """T11, T19. δ(ε) >= delta for the worst records: no smaller ε is true at delta. direction: a hint, which one to try
    first; "remove" has the record in P."""
    schedule = one_sided(schedule)
    if not schedule.sampled:
        check_gaussian(schedule, epsilon, delta, False)
        return
    within_reach(schedule, epsilon, delta)
    charge, releases = truncation_charge(schedule, epsilon, 192), all_releases(schedule, False)
    alike = all(release.first == release.second for release in schedule.sampled)  # each way is the mirror of the other
    for way in ("forward",) if alike else ("backward", "forward") if direction == "add" else ("forward", "backward"):
        if settles(releases, epsilon, delta, charge, False, way) is not None:
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


def best_orders(schedule: Schedule, epsilon: Fraction, delta: Fraction) -> list[int]:
    """Integer orders of which one may settle the claim by T18, best first; none for other kinds of sampling."""
    if any(release.symmetrised or not release.alone for release in schedule.sampled):
        return []

    def conversion(order: int) -> float:
        total = order * (order - 1) * float(schedule.mu_squared) / 2
        for release in schedule.sampled:
            q, s = float(release.rate), float(release.shift)
            terms = [
                math.lgamma(order + 1)
                - math.lgamma(k + 1)
                - math.lgamma(order - k + 1)
                + (order - k) * math.log1p(-q)
                + k * math.log(q)
                + s * s * k * (k - 1) / 2
                for k in range(order + 1)
            ]
            top = max(terms)
            total += release.steps * (top + math.log(sum(math.exp(term - top) for term in terms)))
        return (total - log_of(delta) - math.log(order)) / (order - 1) + math.log1p(-1 / order)

    spend(20_000 * len(schedule.sampled))
    best = min([*range(2, 33), *range(36, 129, 4), *range(144, MAX_ORDER + 1, 16)], key=conversion)
    return [best] if conversion(best) <= float(epsilon) * 1.000001 else []


def check_subsampled(schedule: Schedule, epsilon: Fraction, delta: Fraction) -> str:
    """δ(ε) <= delta, by the cheapest theorem that shows it; returns its id."""
    if not schedule.sampled:
        check_gaussian(schedule, epsilon, delta)
        return "T11"
    within_reach(schedule, epsilon, delta)
    for order in best_orders(schedule, epsilon, delta):
        try:
            check_renyi(schedule, order, epsilon, delta)
        except DoesNotFollow:
            continue
        return "T18"
    check_pld(schedule, epsilon, delta)
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
    for second in splits:
        check_subsampled(read_schedule(step.args["releases"], neighbours, None, group, second), stated, delta)
    return stated


def check_distribution_witness(step: Step) -> bool:
    """T19l, T27l. Whether the stated ε was confirmed to be a lower bound; refused where it is refuted."""
    (delta, group), stated = delta_and_group(step), step.stated("epsilon")
    schedule = read_schedule(step.args["releases"], step.args["neighbours"], step.cut, group)
    if stated == 0:
        return True
    try:
        with budgeted():
            check_lower(schedule, stated, delta, step.args["direction"])
    except DoesNotFollow:
        try:
            with budgeted():
                check_subsampled(schedule, stated, delta)
        except DoesNotFollow:  # neither shown nor refuted
            return False
        raise DoesNotFollow(f"{step.name}: the stated epsilon does not follow") from None
    return True


DISTRIBUTION = SAMPLED | {"grid": {"delta": exact, "points": integer, "reverse_points": integer, "further": ()}}
OF_A_GROUP, WITNESSED = DISTRIBUTION | {"group": integer}, {"direction": one_of("remove", "add")}
EPSILON, AT_DELTA, OR_MORE = {"epsilon": rounded}, "at `grid.delta`", "at `grid.delta`; `group` ≥ 2"

declare(
    Rule("T19", "loss_distribution", DISTRIBUTION, EPSILON, check_distribution, remarks=AT_DELTA),
    Rule(
        "T19l",
        "loss_distribution_witness",
        DISTRIBUTION | WITNESSED,
        EPSILON,
        check_distribution_witness,
        remarks=AT_DELTA,
        lower=True,
        may_fail=True,
    ),
    Rule("T27", "group_distribution", OF_A_GROUP, EPSILON, check_distribution, remarks=OR_MORE),
    Rule(
        "T27l",
        "group_distribution_witness",
        OF_A_GROUP | WITNESSED,
        EPSILON,
        check_distribution_witness,
        remarks=OR_MORE,
        lower=True,
        may_fail=True,
    ),
)
