"""Recomputation: every conclusion follows from its premises."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

from certify.checking.descent.distance import wasserstein_tracking
from certify.checking.descent.gauges import gauges, squared_gauges
from certify.checking.descent.losses import linear_model, loss_constants
from certify.checking.descent.ranges import range_before_noise
from certify.checking.descent.scaling import read_scaling, scaled_constants
from certify.checking.descent.secret import secret_order, secret_renyi
from certify.checking.descent.steps import clipped_step, contraction, gradient_shift, nonconvex_step
from certify.checking.descent.strings import admissible, restarted, settled, taut_string
from certify.checking.descent.timeline import requests
from certify.checking.descent.witnesses import curved_witness, secret_witness, straight_witness
from certify.checking.format.training import described
from certify.checking.limits import MAX_ORDERS, DoesNotFollow, require
from certify.checking.names import NAMES
from certify.checking.numbers.elementary import profile
from certify.checking.numbers.exact import canonical, number
from certify.checking.numbers.intervals import decide
from certify.checking.sampled.moments import renyi_is_below, truncation_charge
from certify.checking.sampled.schedule import check_momentum, read_schedule, sensitivity
from certify.checking.sampled.search import check_lower, check_subsampled
from certify.checking.work import budgeted


def conclude_sampled(step: dict[str, Any], given: list[Any], name: str, cut: tuple[int, int] | None) -> Any:
    """`conclude` for T18 to T20, T27: returns the stated ε, or (from below) whether it was confirmed to be a bound."""
    args, concludes = step["args"], step["concludes"]
    if step["theorem"] == "T18":
        orders, uppers = [int(x) for x in args["orders"]], [Fraction(x) for x in concludes["renyi"]]
        require(all(x < y for x, y in pairwise(orders)), f"{name}: orders must ascend")
        require(len(orders) == len(uppers), f"{name}: needs one bound for each order")
        require(len(orders) <= MAX_ORDERS, f"{name}: more than {MAX_ORDERS} orders")
        schedule = read_schedule(args["releases"], args["neighbours"])
        for order, upper in zip(orders, uppers, strict=True):
            require(renyi_is_below(schedule, order, upper), f"{name}: the stated renyi does not follow")
        return None
    stated = Fraction(concludes["epsilon"])
    if step["theorem"] == "T20":
        budget = Fraction(args["budget"])
        samples, cap = int(args["samples"]), int(args["max_batch_size"])
        require(0 <= budget < 1, f"{name}: needs a budget from 0 to 1")
        require(stated >= given[0], f"{name}: the stated epsilon does not follow")  # a larger ε needs no more of δ
        schedule = read_schedule(args["releases"], "add-or-remove-one", (samples, cap))
        fits = decide(lambda bits: truncation_charge(schedule, stated, bits) <= budget, name)
        require(fits, f"{name}: what is cut costs more than the budget")
        return stated
    delta = Fraction(args["grid"]["delta"])
    require(0 < delta < 1, f"{name}: needs delta strictly between 0 and 1")
    group = int(args.get("group", 1))
    require("group" not in args or group >= 2, f"{name}: needs a group of two records or more")
    if step["theorem"] in ("T19", "T27"):
        # of those that are not replaced, any number may be in either dataset; one direction is that of the others
        splits = range(group // 2 + 1) if args["neighbours"] != "replace-one" else [0]
        for second in splits:
            check_subsampled(read_schedule(args["releases"], args["neighbours"], None, group, second), stated, delta)
        return stated
    schedule = read_schedule(args["releases"], args["neighbours"], cut, group)
    if stated == 0:
        return True
    try:
        with budgeted():
            check_lower(schedule, stated, delta, args["direction"])
    except DoesNotFollow:
        try:
            with budgeted():
                check_subsampled(schedule, stated, delta)
        except DoesNotFollow:  # neither shown nor refuted
            return False
        raise DoesNotFollow(f"{name}: the stated epsilon does not follow") from None
    return True


def conclude(step: dict[str, Any], given: list[Any], name: str, below: bool) -> Any:
    """Check one conclusion against the premises' values; returns what later steps need.

    That is constants, a timeline, μ² as a function of bits, or (of a bound of ε) δ as a function of ε and bits, from
    below where it is not exact. A step is checked against the exact bound of its premise, not against the decimal
    written there. `below`: the premise is a lower bound.
    """
    args, concludes = step["args"], step["concludes"]

    def equal(derived: dict[str, Any]) -> dict[str, Any]:
        for key, value in derived.items():
            shown = canonical(value) if isinstance(value, Fraction) else value
            require(concludes[key] == shown, f"{name}: {key} is {shown}, not {concludes[key]}")
        return derived

    def holds(key: str, question: Callable[[int], bool]) -> None:
        require(decide(question, name), f"{name}: the stated {key} does not follow")

    def value_of(key: str) -> Fraction:
        return Fraction(args[key])

    match step["theorem"]:
        case "L1" | "L2" | "L3" | "L4" | "L5" | "L6" | "L7" | "L7b" as theorem:
            return equal(loss_constants(theorem, args))
        case "L1u" | "L2u" | "L3u" | "L4u" | "L5u" as theorem:
            return equal(linear_model(theorem, args, NAMES[theorem]))
        case "T16":
            return equal(scaled_constants(given[0], read_scaling(args, NAMES["T16"])))
        case "T14" | "T14g":
            known = args.get("gradient_norm_bound")
            found = sensitivity(read_scaling(args, NAMES[step["theorem"]]), known and Fraction(known))
            equal({"sensitivity": found[0], "attained": found[1]})
            return found
        case "T15":
            check_momentum(args)
            equal({"sensitivity": given[0][0], "attained": given[0][1]})
            return given[0]
        case "T20d" | "T20f" | "T20l" as theorem:
            if theorem == "T20d":
                releases = [described("full", value_of("noise_multiplier"), Fraction(1), int(args["epochs"]))]
                schedule = read_schedule(releases, args["neighbours"])
            else:
                schedule = read_schedule(args["releases"], args["neighbours"])
            require(not schedule.sampled, f"{name}: needs releases of all records")
            total, stated = schedule.mu_squared, Fraction(concludes["mu"])
            fits = stated**2 <= total if theorem == "T20l" else total <= stated**2
            require(fits, f"{name}: the stated mu does not follow")
            return lambda bits: number(total, bits)
        case "C1":
            c = contraction(value_of("step_size"), value_of("strong_convexity"), value_of("smoothness"))
            return equal({"contraction": c})["contraction"]
        case "T22":
            return equal({"contraction": nonconvex_step(value_of("step_size"), value_of("smoothness"))})["contraction"]
        case "T23" | "T23b" as theorem:
            of = value_of("step_size"), value_of("strong_convexity"), value_of("gradient_bound")
            drift = clipped_step(*of, theorem == "T23b")
            equal({"contraction": drift.factor, "shift": drift.distance})
            return drift
        case "C2":
            bound, size = value_of("gradient_bound"), int(args["batch_size"])
            return equal({"shift": gradient_shift(value_of("step_size"), size, bound, args["neighbours"])})["shift"]
        case "T10":
            diameter = args["diameter"] and value_of("diameter")
            timeline = requests(value_of("start"), diameter, args["phases"], given[::2], given[1::2])
            equal({"steps": Fraction(sum(phase.steps for phase in timeline.phases))})
            return timeline
        case "T1":
            count, stated = int(args["phases"]), Fraction(concludes["wasserstein"])
            holds("wasserstein", lambda bits: wasserstein_tracking(given[0], (count, 0), bits) <= stated)
        case "T3" | "T5":
            timeline = restarted(given[0], args["restart"]) if "restart" in args else given[0]
            require(admissible(timeline, args["corners"]), f"{name}: the schedule dips below zero (z_k < 0)")
            squared = cache(lambda bits: taut_string(timeline, args["corners"], bits))
            stated = Fraction(concludes["mu"])
            holds("mu", lambda bits: squared(bits) <= stated**2)
            return squared
        case "T26" | "T26r":
            excursions, composed = gauges(given[0], args)
            for excursion, _ in excursions:
                above = settled(given[0], excursion.stays_above_zero, f"{name}: z >= 0")
                require(above, f"{name}: the schedule dips below zero (z_k < 0)")
            squared = cache(lambda bits: squared_gauges(excursions, composed, bits))
            stated = Fraction(concludes["mu"])
            holds("mu", lambda bits: squared(bits) <= stated**2)
            return squared
        case "T7":  # whatever was released before, the next stretch is μ_i-GDP: composition adds the squares
            squared, stated = cache(lambda bits: sum((mu(bits) for mu in given), number(0, bits))), concludes["mu"]
            holds("mu", lambda bits: squared(bits) <= Fraction(stated) ** 2)
            return squared
        case "T9":
            stated = Fraction(concludes["epsilon"])
            positions = [int(position) for position in args["positions"]]
            above = secret_order(given[0], positions, args["rule"])
            holds("epsilon", lambda bits: above(stated, bits) <= value_of("delta"))
            return secret_order(given[0], positions, "left")
        case "T2" | "T9r" as theorem:
            orders, uppers = [Fraction(x) for x in args["orders"]], [Fraction(x) for x in concludes["renyi"]]
            require(all(order > 1 for order in orders), f"{name}: needs orders > 1")
            require(all(x < y for x, y in pairwise(orders)), f"{name}: orders must ascend")
            require(len(orders) == len(uppers), f"{name}: needs one bound for each order")
            if theorem == "T2":  # D_α ≤ α·μ²/2

                def is_below(order: Fraction, upper: Fraction, bits: int) -> bool:
                    return given[0](bits) * order / 2 <= upper

            else:
                is_below = secret_renyi(given[0], [int(position) for position in args["positions"]])
            pairs = list(zip(orders, uppers, strict=True))
            holds("renyi", lambda bits: all(is_below(order, upper, bits) for order, upper in pairs))
        case "T6" | "T6c" | "T6m" as kind:
            phases, start, m = args["phases"], value_of("start"), value_of("strong_convexity")
            require(bool(phases), f"{name}: needs at least one step")
            step_size, size = Fraction(phases[0]["step_size"]), int(phases[0]["batch_size"])
            one = gradient_shift(step_size, size, value_of("gradient_bound"), args["neighbours"])
            if kind == "T6":
                squared = cache(lambda bits: straight_witness(start, m, one, phases, bits))
                stated = Fraction(concludes["mu"])
                holds("mu", lambda bits: stated == 0 or squared(bits) >= stated**2)
                return squared
            epsilon, delta = value_of("epsilon"), value_of("delta")  # ε(δ) is at least any ε with δ(ε) ≥ δ
            require(Fraction(concludes["epsilon"]) <= epsilon, f"{name}: the stated epsilon does not follow")
            if kind == "T6c":  # and μ at least any with δ_μ(ε) ≤ δ
                curved = curved_witness(args, one, value_of("own"), value_of("others"), epsilon)
                holds("epsilon", lambda bits: curved(bits) >= delta)
                require(Fraction(concludes["mu"]) <= value_of("mu"), f"{name}: the stated mu does not follow")
                holds("mu", lambda bits: profile(epsilon, number(value_of("mu"), bits)) <= delta)
            elif epsilon > 0:
                positions = [int(position) for position in args["positions"]]
                mixed = secret_witness(m, one, phases, positions, value_of("threshold"), epsilon)
                holds("epsilon", lambda bits: mixed(bits) >= delta)
        case "T11":
            squared, delta, stated = given[0], value_of("delta"), Fraction(concludes["epsilon"])
            require(0 < delta < 1, f"{name}: needs delta strictly between 0 and 1")
            if not below:
                holds("epsilon", lambda bits: profile(stated, squared(bits).sqrt()) <= delta)
            elif stated > 0:
                holds("epsilon", lambda bits: profile(stated, squared(bits).sqrt()) >= delta)
            return lambda epsilon, bits: profile(epsilon, squared(bits).sqrt())
        case "T24":
            stated, delta = Fraction(concludes["epsilon"]), value_of("delta")
            after = range_before_noise(*given, value_of("diameter"), args["phase"], delta)
            holds("epsilon", lambda bits: after(stated, bits) <= delta)
            return after
    return None


def recompute(steps: list[dict[str, Any]], cut: tuple[int, int] | None = None) -> list[Any]:
    """Every conclusion, again, in order; returns what the steps stand for. `cut`: of a training run's batches."""
    values: list[Any] = [None] * len(steps)
    for i in sorted(
        range(len(steps)), key=lambda i: steps[i]["theorem"] in ("T19l", "T27l")
    ):  # what may fail, with what is left
        step = steps[i]
        before = [int(premise) for premise in step["premises"]]
        given, name = [values[j] for j in before], f"step {i} ({NAMES[step['theorem']]})"
        if step["theorem"] in ("T18", "T19", "T19l", "T20", "T27", "T27l"):
            values[i] = conclude_sampled(step, given, name, cut)
        else:
            below = any(steps[j]["theorem"] in ("T6", "T20l") for j in before)
            values[i] = conclude(step, given, name, below)
    return values
