"""Training runs: moments and compositions."""

from __future__ import annotations

import copy
from fractions import Fraction

import mpmath as mp

from tests.vectors.producer.losses import scaled_norm
from tests.vectors.producer.numbers import ORDERS, Json, exact, outward, real
from tests.vectors.producer.statements import ASSUMPTIONS, displayed, statement_about
from tests.vectors.producer.strings import epsilon_of

# fmt: off

def sums_of(run: Json) -> list[tuple[Fraction, Fraction, int]]:
    """(noise multiplier, rate, steps) of each stage; of disjoint batches the epochs."""
    mechanism, found = run["mechanism"], []
    for stage in (mechanism, *run["stages"]):
        def told(*keys: str, stage: Json = stage) -> Json:
            return next(({key: of[key] for key in keys} for of in (stage, mechanism) if any(of[key] for key in keys)),
                        dict.fromkeys(keys))

        part, time = told("sample_rate", "batch_size"), told("steps", "epochs")
        rate = Fraction(part["sample_rate"] or 1)
        if part["batch_size"]:
            rate = Fraction(int(part["batch_size"]), int(mechanism["samples"]))
        disjoint = mechanism["sampling"] in ("shuffled", "fixed")
        epoch = int(1 / rate) if disjoint else -int(-1 / rate // 1)
        steps = int(time["steps"] or 0) or int(time["epochs"]) * epoch
        found.append((Fraction(stage["noise_multiplier"] or mechanism["noise_multiplier"]), rate,
                      -(-steps // epoch) if disjoint else steps))
    return found


def renyi_of(sums: list[tuple[Fraction, Fraction, int]], order: int) -> mp.mpf:
    """D_α by T18."""
    total = mp.mpf(0)
    for z, rate, steps in sums:
        q, s = real(rate), 1 / real(z)
        total += steps * mp.log(mp.fsum(mp.binomial(order, k) * (1 - q) ** (order - k) * q**k
                                        * mp.exp(s**2 * k * (k - 1) / 2) for k in range(order + 1)))
    return total / (order - 1)


def training_statement(run: Json, between: tuple[str, str] = ("", ""), budget: str = "0", other: str = "") -> Json:
    """The in-toto statement about a training run. Where batches are sampled, the bounds are given, true or not;
    `other`: that of the other kind of neighbours."""
    mechanism, neighbours, scaling = run["mechanism"], run["threat"]["neighbours"], run["scaling"]
    sampling, disjoint = mechanism["sampling"], mechanism["sampling"] in ("shuffled", "fixed")
    sums, group = sums_of(run), int(run["threat"].get("group_size", 1))
    delta = Fraction(1, int(mechanism["samples"])) if run["target"]["delta"] == "1/n" else Fraction(
        run["target"]["delta"])
    gaussian = disjoint or all(rate == 1 for _, rate, _ in sums)
    one_coin = gaussian or run["threat"].get("group_sampling") == "together"
    less = group if one_coin else 1
    own = [{"sampling": "full" if disjoint else sampling, "noise_multiplier": exact(z / less),
            "sample_rate": "1" if disjoint else exact(rate), "steps": str(steps)} for z, rate, steps in sums]
    steps: list[Json] = []

    def step(theorem: str, args: Json, premises: list[int], concludes: Json) -> int:
        steps.append({"theorem": theorem, "args": args, "premises": [str(i) for i in premises],
                      "concludes": concludes})
        return len(steps) - 1

    def shift(of: str) -> int:
        return 2 if of == "replace-one" else 1

    def others(of: str) -> list[Json]:
        """Who is replaced is removed and added: twice the mu."""
        times = less * (2 if of != neighbours else 1)
        return [{"sampling": "full", "noise_multiplier": exact(shift(of) / (times * Fraction(release["mu"]))),
                 "sample_rate": "1", "steps": "1"} for release in run["releases"]]

    def mu_of(releases: list[Json], of: str) -> mp.mpf:
        parts = (int(r["steps"]) / real(Fraction(r["noise_multiplier"])) ** 2 for r in releases)
        return shift(of) * mp.sqrt(mp.fsum(parts))

    def pair(of: str) -> str:
        return of if of == "replace-one" else "add-or-remove-one"

    def distribution(of: str, releases: list[Json], share: Fraction, suffix: str, claimed: str, **more: Json) -> int:
        grid = {"delta": exact(share), "points": "2048", "reverse_points": "256", "further": []}
        args = {"releases": releases, "neighbours": pair(of), "grid": grid, **more}
        args |= {} if one_coin or group == 1 else {"group": str(group)}
        return step(("T19" if one_coin or group == 1 else "T27") + suffix, args, [], {"epsilon": claimed})

    def above(of: str, claimed: str) -> tuple[int, str, int | None]:
        """The step that bounds ε, that ε, and the step that bounds μ."""
        every = own + others(of)
        if gaussian:
            mu = mu_of(every, of)
            if disjoint:
                parts = [step("T20d", {"noise_multiplier": r["noise_multiplier"], "epochs": r["steps"],
                                       "neighbours": of}, [], {"mu": outward(mu_of([r], of), True)}) for r in own]
                if others(of):
                    parts.append(step("T20f", {"releases": others(of), "neighbours": of}, [],
                                      {"mu": outward(mu_of(others(of), of), True)}))
                total = step("T7", {}, parts, {"mu": outward(mu, True)})
            else:
                total = step("T20f", {"releases": every, "neighbours": of}, [], {"mu": outward(mu, True)})
            claimed = outward(epsilon_of(real(delta), mu), True)
            return step("T11", {"delta": exact(delta)}, [total], {"epsilon": claimed}), claimed, total
        bound = distribution(of, every, delta - Fraction(budget), "", claimed)
        if mechanism["max_batch_size"]:
            cut = {"samples": str(int(mechanism["samples"]) + group - 1), "max_batch_size": mechanism["max_batch_size"]}
            bound = step("T20", cut | {"budget": budget, "releases": own}, [bound], {"epsilon": claimed})
        return bound, claimed, None

    mu: Json = {"lower": None, "upper": None}
    renyi, curve, orders = None, [], []
    lower, upper = between
    bound, upper, total = above(neighbours, upper)
    if gaussian:
        below = mu_of(own, neighbours)
        mu = {"lower": outward(below, False), "upper": steps[total]["concludes"]["mu"]}
        lower = outward(epsilon_of(real(delta), below), False)
        witness = step("T20l", {"releases": own, "neighbours": neighbours}, [], {"mu": mu["lower"]})
        low = step("T11", {"delta": exact(delta)}, [witness], {"epsilon": lower})
        square = mu_of(own + others(neighbours), neighbours) ** 2
        orders, curve = list(ORDERS), [outward(real(Fraction(order)) * square / 2, True) for order in ORDERS]
        renyi = step("T2", {"orders": orders}, [total], {"renyi": curve})
    else:
        low = distribution(neighbours, own, delta, "l", lower, direction="remove")
        cut_or_not = mechanism["max_batch_size"] or (group > 1 and not one_coin)
        if sampling == "poisson" and neighbours != "replace-one" and not cut_or_not:
            orders = ["2", "3", "8", "32"]
            every = [(z / less, rate, times) for z, rate, times in sums]
            every += [(Fraction(r["noise_multiplier"]), Fraction(1), 1) for r in others(neighbours)]
            curve = [outward(renyi_of(every, int(order)), True) for order in orders]
            renyi = step("T18", {"releases": own + others(neighbours), "neighbours": pair(neighbours),
                                 "orders": orders}, [], {"renyi": curve})
    kinds: list[Json] = [neighbours, "replace-one"]
    if neighbours == "replace-one":
        unknown = sampling == "without-replacement" or run["releases"]
        kinds[0] = None if unknown else "remove-one" if disjoint else "add-or-remove-one"
    guarantees, bounds = [], []
    for name, of in zip(("membership", "attribute or label"), kinds, strict=True):
        if of is None or of == neighbours:
            at, epsilon = (None, None) if of is None else (bound, upper)
        else:
            at, epsilon, _ = above(of, other)
        bounds.append(None if at is None else str(at))
        ends = {"lower": lower if of == neighbours else None, "upper": epsilon}
        guarantees.append({"name": name, "neighbours": of, "epsilon": ends})
    limit = scaling["gradient_norm_bound"]
    told = {key: scaling.get(key) for key in ("kind", "max_grad_norm", "r", "s")}
    told |= {} if limit is None else {"gradient_norm_bound": limit}
    norm = {"sensitivity": exact(scaled_norm(scaling, limit and Fraction(limit))),
            "attained": scaling["kind"] == "clip" or limit is not None}
    at = step("T14" if limit is None else "T14g", told, [], norm)
    momentum = run["momentum"]
    for placement, beta, window in (("inner", momentum["inner_beta"], momentum["inner_window"]),
                                    ("outer", momentum["outer"], None)):
        if window not in (None, "1") or (window is None and beta != "0"):
            args = {"placement": placement, "beta": beta, "window": window, "iterates": "released", "history": "own",
                    "charged": "every-aggregate"}
            at = step("T15", args, [at], norm)
    chosen = {f"neighbours:{neighbours}", "noisy_sums", "release:sums"} | ({"batches:disjoint"} if disjoint else set())
    chosen |= (set() if gaussian else {"sampling"}) | (set() if limit is None else {"gradient_bound"})
    texts = {name.strip(" `"): text.strip() for name, _, _, text in ASSUMPTIONS}
    chosen |= {"noise_above_rounding"} if "execution" in run else set()
    listed = sorted(chosen) + [f"group:{run['threat'].get('group_sampling', 'independent')}"] * (group > 1)
    listed += ["other_releases"] * bool(run["releases"])
    target = Fraction(run["target"]["epsilon"])
    return statement_about(run, {
        "verdict": "CERTIFIED" if Fraction(upper) <= target else "NOT_CERTIFIED",
        "out_of_reach": Fraction(lower) > target,
        "epsilon": {"lower": lower, "upper": upper, "target": run["target"]["epsilon"]},
        "delta": displayed(delta),
        "mu": mu,
        "guarantees": guarantees,
        "wasserstein": {"learned": None, "released": None},
        "renyi": [{"order": order, "upper": value} for order, value in zip(orders, curve, strict=True)],
        "requests": [],
        "theorems": sorted({s["theorem"] for s in steps}),
        "assumptions": [{"id": name, "status": "attested", "text": texts[name]} for name in listed],
        "proof": {"steps": steps, "claims": [{
            "bound": str(bound), "lower": str(low), "renyi": None if renyi is None else str(renyi),
            "sensitivity": str(at), "guarantees": bounds}]},
    })


def with_grids(made: Json) -> Json:
    """A hundred steps at z = 1 and q = 0.01, with a grid for each of T19 and T19l: one step's losses go from log(0.99),
    or from minus the largest, to log(0.99 + 0.01·e^(x - 1/2)), which is 2.9 at x = 8."""
    made = copy.deepcopy(made)
    for step in made["predicate"]["proof"]["steps"]:
        if step["theorem"] in ("T19", "T19l"):
            below = "2900" if step["args"]["neighbours"] == "replace-one" else "12"
            halvings = ["0", "0", "0", "0", "1", "0", "1"] if step["theorem"] == "T19" else ["0"] * 7
            step["args"]["grid"]["witness"] = [{"step": "0.001", "digits": "20", "cut": "1000000000",
                                                "windows": [[below, "2900"]], "halvings": [halvings]}]
    return made
