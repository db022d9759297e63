"""The statement about a run: every step of the proof, walked through."""

from __future__ import annotations

from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath as mp

from tests.vectors.producer.envelopes import subject_digest
from tests.vectors.producer.gauges import gauges, single_steps
from tests.vectors.producer.losses import (
    LOSS_ASSUMPTIONS,
    LOSS_THEOREMS,
    constants_of,
    model_of,
    rounding,
    scaled_constants,
)
from tests.vectors.producer.numbers import ORDERS, Json, exact, hexed, outward, real
from tests.vectors.producer.secret import curved_low, range_epsilon, secret_curve, secret_epsilon, secret_low
from tests.vectors.producer.strings import epsilon_of, moment, noise_of, string, walk

# fmt: off

SPECIFICATION = (Path(__file__).parents[3] / "docs/certificate.md").read_text("utf-8")
ASSUMPTIONS = [line.split("|")[1:5] for line in SPECIFICATION.splitlines() if line.startswith("| `")]


def displayed(delta: Fraction) -> str:
    """δ rounded up to twelve digits."""
    shown = Context(prec=12, rounding=ROUND_CEILING).divide(Decimal(delta.numerator), Decimal(delta.denominator))
    return str(shown).replace("E", "e")


def statement_about(run: Json, claim: Json) -> Json:
    """The statement whose predicate makes this claim about a run."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "run", "digest": {"sha256": subject_digest(run)}}],
        "predicateType": "urn:plumbline-dp:certificate:v2",
        "predicate": {
            "producer": {"name": "plumbline-dp", "version": "0.2.0"},
            "created": "2026-11-21T22:00:00Z",
            "run": run,
            **claim,
        },
    }


def statement(run: Json, restart: bool = False, rule: str = "chord", looked_at: list[int] | None = None,
              curved: tuple[str, ...] | None = None, witness: bool = True, rates: tuple[str, ...] = (),
              before_noise: tuple[int, str] | None = None, mixed: list[int] | None = None,
              gauged: bool = False, last_alone: bool = False) -> Json:
    """The in-toto statement of a valid certificate for the run.

    Choices: whether the string may restart (T5), the rule and positions of T9, own and others of T6c (with ε and μ: say
    these, true or not), whether there is a T6m, the rate of each phase (T22, T23, …; C1 where none is named), how many
    epochs are left to T24 and by which rate, the positions of T9r, and whether T26 is used though nothing drifts.
    last_alone: it claims the last request alone, and names its predecessor.
    """
    mechanism, loss, threat = run["mechanism"], run["loss"], run["threat"]
    samples, batch, learning = (int(mechanism[key]) for key in ("samples", "batch_size", "epochs"))
    unlearning = [int(k) for k in mechanism["unlearning_epochs"]]
    sizes = [int(size) for size in run["requests"]["sizes"]]
    derived, scaling, by_batch = loss["kind"] != "constants", run["scaling"], loss.get("clipping") == "batch"
    if scaling is None:
        m, smooth, bound, convex = constants_of(loss, mechanism["radius"])
    else:
        m, smooth, bound, convex = scaled_constants(model_of(loss, mechanism["radius"]), scaling)
    eta = {"1/L": lambda: 1 / smooth, "2/(L+m)": lambda: 2 / (smooth + m)}.get(
        mechanism["step_size"], lambda: Fraction(mechanism["step_size"])
    )()
    neighbours = threat["neighbours"]
    one = (2 if neighbours == "replace-one" else 1) * eta * bound / batch
    slope = 1 - eta * m
    c = slope if smooth is None else max(abs(1 - eta * m), abs(1 - eta * smooth)) if convex else 1 + eta * smooth
    diameter = mechanism["radius"] and 2 * Fraction(mechanism["radius"])
    delta = Fraction(1, samples) if run["target"]["delta"] == "1/n" else Fraction(run["target"]["delta"])
    steps: list[Json] = []

    def step(theorem: str, args: Json, premises: list[int], concludes: Json) -> int:
        made = {"theorem": theorem, "args": args, "premises": [str(i) for i in premises], "concludes": concludes}
        if theorem in ("T10", "C1", "C2", "T22", "T23", "T23b") and made in steps:
            return steps.index(made)
        steps.append(made)
        return len(steps) - 1

    constants = {"smoothness": smooth and exact(smooth), "strong_convexity": exact(m), "gradient_bound": exact(bound),
                 "convex": convex}
    used = []
    if derived:
        told = {key: value for key, value in loss.items() if key not in ("kind", "clipping")}
        told |= {"radius": mechanism["radius"]} if loss["kind"] in ("least-squares", "poisson") else {}
        if scaling is None:
            used = [step(LOSS_THEOREMS[loss["kind"]] + "b" * by_batch, told, [], constants)]
        else:
            del told["clip"]
            model = {key: value if value is None else exact(value)
                     for key, value in model_of(loss, mechanism["radius"]).items()}
            of = {key: scaling.get(key) for key in ("kind", "max_grad_norm", "r", "s")}
            used = [step("T16", of, [step(LOSS_THEOREMS[loss["kind"]] + "u", told, [], model)], constants)]
    record = {"gradient_bound": exact(bound), "neighbours": neighbours}
    each = {"step_size": exact(eta)}

    def rate(kind: str) -> int:
        return step(*{
            "C1": lambda: ("C1", each | {"strong_convexity": exact(m), "smoothness": exact(smooth)}, used,
                           {"contraction": exact(c)}),
            "T22": lambda: ("T22", each | {"smoothness": exact(smooth)}, used,
                            {"contraction": exact(1 + eta * smooth)}),
            "T23b": lambda: ("T23b", each | {"strong_convexity": exact(m), "gradient_bound": exact(bound)}, used,
                             {"contraction": exact(slope), "shift": exact(2 * eta * bound)}),
            "T23": lambda: ("T23", each | {"strong_convexity": exact(m), "gradient_bound": exact(bound)}, used,
                            {"contraction": exact(slope), "shift": exact(2 * eta * bound)}),
            "C2": lambda: ("C2", each | {"batch_size": str(batch), **record}, used, {"shift": exact(one)}),
        }[kind]())

    factors = {"C1": c, "T22": 1 + eta * (smooth or 0), "T23": slope, "T23b": slope}

    def rated(phases: list[Json]) -> list[Json]:
        """The phases as the proof sees them: with the factor of their rate, the drift, and the shift."""
        seen = []
        for phase in phases:
            kind, drift = phase["rate"], 2 * eta * bound
            more = {"drift": drift} if kind in ("T23", "T23b") else {}
            seen.append(phase | more | {"factor": factors[kind], "one": drift if kind == "T23b" else one})
        return seen

    def bare(phases: list[Json]) -> list[Json]:
        return [{key: value for key, value in phase.items() if key not in ("rate", "count")} for phase in phases]

    def records(count: int, first: bool) -> list[list[str]]:
        found, batches = [], samples // batch
        while count and len(found) < batches:
            found.append(min(count, batch))
            count -= found[-1]
        if by_batch:
            left = count + sum(found)
            found = [1] * min(left, batches)
        return [[str(i if first else batches - 1 - i), str(n)] for i, n in enumerate(found)][:: 1 if first else -1]

    def timeline(start: Fraction, phases: list[Json]) -> int:
        kinds = [(phase["rate"], "T23b" if phase["rate"] == "T23b" else "C2") for phase in phases]
        return step(
            "T10", {"start": exact(start), "diameter": diameter and exact(diameter), "phases": bare(phases)},
            [rate(kind) for pair in kinds for kind in pair], {"steps": str(len(walk(phases, start, c, one)[0]))},
        )

    def pulled(start: Fraction, phases: list[Json]) -> tuple[int, mp.mpf]:
        """The step T3, T5 where a restart is better, T26 or T26r where steps drift; and μ²."""
        seen = rated(phases)
        if gauged or any(phase["rate"] in ("T23", "T23b") for phase in phases):
            return held_apart(start, phases, single_steps(seen, c, one))
        moments, w, v, _ = walk(seen, start, c, one)
        corners, energy = string(moments, w, v, c, seen)
        name, args = "T3", {"corners": corners}
        for i in range(len(moments) if restart else 0):
            later, w, v, _ = walk(seen, start, c, one, diameter, i)
            corners, least = string(later, w, v, c, seen)
            if least < energy:
                begin = dict(zip(("block", "epoch", "position"), map(str, later[0][:3]), strict=True))
                name, args, energy = "T5", {"restart": begin, "corners": corners}, least
        return step(name, args, [timeline(start, phases)], {"mu": outward(mp.sqrt(energy), True)}), energy

    def held_apart(start: Fraction, phases: list[Json], singles: list[Json]) -> tuple[int, mp.mpf]:
        whole = samples // batch > 1 and any(int(phase["count"]) > 1 for phase in phases)
        drifting = all(phase["rate"] in ("T23", "T23b") for phase in phases)
        name, args, energy = "T26", {}, mp.inf
        quiet = {block for block, phase in enumerate(phases) if not phase["records"]}
        for i in range(len(singles) - 1 if restart else 1):
            found = gauges(singles[i:], real(diameter if i else start), whole, drifting or not whole, quiet)
            if found is not None and found[1] < energy:
                name, energy = "T26r" if i else "T26", found[1]
                args = {"restart": moment(singles[i][0])} if i else {}
                args["excursions"] = [{"from": moment(x), "to": moment(y)} for x, y in found[0]]
        return step(name, args, [timeline(start, phases)], {"mu": outward(mp.sqrt(energy), True)}), energy

    def gaussian(premise: int, mu: mp.mpf, up: bool) -> tuple[int, str]:
        epsilon = outward(epsilon_of(real(delta), mu), up)
        return step("T11", {"delta": exact(delta)}, [premise], {"epsilon": epsilon}), epsilon

    claims: list[Json] = []
    details: list[Json] = []
    first, adaptively = len(sizes) - 1 if last_alone else 0, "chosen" in run["requests"]
    for r in range(first, len(sizes)):
        erased = [sum(sizes[0 if adaptively and i <= r else i : r + 1]) for i in range(r + 2)]
        reference = threat["reference"] if any(unlearning[: r + 1]) else "retrain"
        start = Fraction(mechanism["initial_distance"]) if reference == "retrain" else diameter
        epochs = [learning, *unlearning[: r + 1]]
        skip = sum(epochs[1:]) if reference == "retrain-T" else 0
        for i, count in enumerate(epochs):
            epochs[i], skip = max(0, count - skip), max(0, skip - count)
        described = [
            {"epochs": str(count), "batches": str(samples // batch), "step_size": exact(eta),
             "noise_std": mechanism["noise_std"], "records": records(erased[i], False),
             "count": erased[i], "rate": rates[i] if rates else "C1"}
            for i, count in enumerate(epochs)
        ]
        phases = [phase for phase in described if phase["epochs"] != "0"]
        hidden = mechanism["batch_order"] == "secret" and r == 0 and sizes[0] == 1 and start == 0 and c <= 1
        hidden &= reference == "retrain" and threat["release"] == "final" and convex
        seen = [phases]
        if threat["release"] == "all":
            pairs = [(start if i == 0 else Fraction(0), [phase]) for i, phase in enumerate(described[:-1])
                     if phase["epochs"] != "0"]
            parts = [pulled(*pair) for pair in pairs]
            energy = sum((part[1] for part in parts), mp.mpf(0))
            tight = step("T7", {}, [part[0] for part in parts], {"mu": outward(mp.sqrt(energy), True)})
            seen = [described[:1] if learning else []]
        else:
            tight, energy = (None, None) if hidden or before_noise else pulled(start, phases)
        if hidden:
            positions = list(range(samples // batch)) if looked_at is None else looked_at
            epsilon = outward(secret_epsilon(phases, c, one, delta, positions, rule), True)
            args = {"delta": exact(delta), "positions": [str(p) for p in positions], "rule": rule}
            upper = step("T9", args, [timeline(start, phases)], {"epsilon": epsilon})
        elif before_noise:
            count, kind = before_noise
            alike = phases[-1] | {"epochs": str(count), "records": []}
            earlier = [*phases[:-1], phases[-1] | {"epochs": str(int(phases[-1]["epochs"]) - count)}]
            premise, squared = pulled(start, [phase for phase in earlier if phase["epochs"] != "0"])
            reach = factors[kind] * diameter + (2 * eta * bound if kind in ("T23", "T23b") else 0)
            epsilon = outward(range_epsilon(squared, real(reach), alike, delta), True)
            args = {"delta": exact(delta), "diameter": exact(diameter), "phase": bare([alike])[0]}
            upper = step("T24", args, [premise, rate(kind)], {"epsilon": epsilon})
        else:
            upper, epsilon = gaussian(tight, mp.sqrt(energy), True)
        claim: Json = {"bound": str(upper), "lower": None}
        low = low_mu = None
        own = {"start": exact(start), "strong_convexity": exact(m), **record}
        own["phases"] = [phase | {"batch_size": str(batch)} for phase in bare(seen[0])]
        below = diameter is None and seen[0] and (mechanism["batch_order"] == "fixed" or (hidden and witness))
        below = below and smooth is not None
        if below and hidden:
            value, threshold = secret_low(phases, slope, one, delta, positions)
            low = outward(value, False)
            own |= {"delta": exact(delta), "epsilon": exact(low), "threshold": exact(threshold)}
            claim["lower"] = str(step("T6m", own | {"positions": [str(p) for p in positions]}, used, {"epsilon": low}))
        elif below and curved:
            if curved[2:]:
                low, low_mu = curved[2:]
            else:
                value, mu = curved_low(own["phases"][0], m, bound, one, delta, *map(Fraction, curved))
                low, low_mu = outward(value, False), outward(mu, False)
            own |= {"delta": exact(delta), "epsilon": exact(low), "mu": exact(low_mu)}
            own |= {"own": curved[0], "others": curved[1], "smoothness": exact(smooth)}
            claim["lower"] = str(step("T6c", own, used, {"epsilon": low, "mu": low_mu}))
        elif below:
            _, w, v, _ = walk(seen[0], start, slope, one)
            low_mu = outward(w / mp.sqrt(v), False)
            claimed, low = gaussian(step("T6", own, used, {"mu": low_mu}), w / mp.sqrt(v), False)
            claim["lower"] = str(claimed)
        claims.append(claim)
        learned = int(epochs[0] > 0)
        details.append((Decimal(epsilon), epsilon, low, low_mu, tight, energy, start, phases, learned, hidden))
    curves, mus, apart = [], [], []
    for claim, (*_, tight, energy, start, phases, learned, hidden) in zip(claims, details, strict=True):
        if tight is None:
            tight, energy = pulled(start, phases)
        mus.append(steps[tight]["concludes"]["mu"])
        curve = [outward(real(Fraction(order)) * energy / 2, True) for order in ORDERS]
        if mixed is None or not hidden:
            claim["renyi"] = str(step("T2", {"orders": list(ORDERS)}, [tight], {"renyi": curve}))
        else:
            curve = [outward(secret_curve(phases, c, one, real(Fraction(order)), mixed), True) for order in ORDERS]
            args = {"orders": list(ORDERS), "positions": [str(p) for p in mixed]}
            claim["renyi"] = str(step("T9r", args, [timeline(start, phases)], {"renyi": curve}))
            claim["mu"] = str(tight)
        curves.append(curve)
        far = [  # where what follows a shift makes it grow, the first batches are the worst ones
            phase | {"records": records(phase["count"], phase["rate"] in ("T23", "T23b") or factors[phase["rate"]] > 1)}
            for phase in phases
        ]
        ends = walk(rated(far), start, c, one, diameter)[3]
        tracked = [outward(ends[learned], True), outward(ends[-1], True)]
        for name, count, text in (("learned", learned, tracked[0]), ("released", len(far), tracked[1])):
            claim[name] = str(step("T1", {"phases": str(count)}, [timeline(start, far)], {"wasserstein": text}))
        apart.append(tracked)
    worst = max(range(len(details)), key=lambda r: details[r][0])
    upper, low = details[worst][1:3]

    def largest(texts: Any) -> str | None:
        return max((text for text in texts if text is not None), key=Fraction, default=None)

    target = Fraction(run["target"]["epsilon"])
    above = [d for d in details if d[0] > target]
    provably = bool(above)  # every bound here is tight
    status = "proved" if derived else "attested"
    absent = {name: loss["kind"] not in kinds for name, kinds in LOSS_ASSUMPTIONS.items()}
    absent["weight_decay"] = convex and all(s["theorem"] not in ("T22", "T23", "T23b") for s in steps)
    absent["gradient_bound"] = by_batch
    absent["batch_clipping"] = not by_batch
    absent["per_record_clipping"] = by_batch or (loss.get("clip") is None and scaling is None)
    absent["noise_above_rounding"] = "execution" not in run
    absent["projection"] = diameter is None
    absent["noise_above_rounding"] = "execution" not in run
    absent["batches:secret"] = mechanism["batch_order"] == "fixed"
    absent |= {"release:adaptively": not adaptively, "release:final": threat["release"] != "final"}
    absent["release:all"] = adaptively or threat["release"] != "all"
    for key, kinds in (("neighbours", ("replace-one", "remove-one")),
                       ("reference", ("retrain", "retrain-T", "stationary"))):
        absent |= {f"{key}:{kind}": kind != threat[key] for kind in kinds}
    if not any(unlearning):
        absent |= {name: True for name in absent if name.startswith("reference:")}
    table = [(name.strip(" `"), stated.strip(), text.strip()) for name, when, stated, text in ASSUMPTIONS
             if not when.startswith(" training:")]
    assumptions = [
        {"id": name, "status": status if stated.startswith("proved") else stated, "text": text}
        for name, stated, text in table if not absent.get(name)
    ]
    for entry, known in zip(assumptions, (convex, smooth is not None), strict=False):
        entry["status"] = entry["status"] if known else "violated"
    floor = None
    if "execution" in run:
        rate = c if convex and smooth is not None else None
        stretches = len(sizes) if threat["release"] == "all" else 1
        floor = rounding(run["execution"], rate, noise_of({"step_size": eta, "noise_std": mechanism["noise_std"]}),
                         stretches, target, delta)
        next(entry for entry in assumptions if entry["id"] == "noise_above_rounding")["status"] = floor
    verdict = "CERTIFIED" if not above else "NOT_CERTIFIED" if provably else "INDETERMINATE"
    return statement_about(run, {
        "verdict": "INDETERMINATE" if floor == "violated" else verdict,
        "out_of_reach": any(d[2] is not None and Fraction(d[2]) > target for d in details),
        "epsilon": {"lower": low, "upper": upper, "target": run["target"]["epsilon"]},
        "delta": displayed(delta),
        "mu": {"lower": largest(detail[3] for detail in details), "upper": largest(mus)},
        "wasserstein": dict(zip(("learned", "released"), map(largest, zip(*apart, strict=True)), strict=True)),
        "renyi": [{"order": order, "upper": bound}
                  for order, bound in zip(ORDERS, map(largest, zip(*curves, strict=True)), strict=True)],
        "requests": [
            {"size": str(size), "epochs": str(count), "epsilon": detail[1]}
            for size, count, detail in zip(sizes[first:], unlearning[first:], details, strict=True)
        ],
        "theorems": sorted({s["theorem"] for s in steps}),
        "assumptions": assumptions,
        "proof": {"steps": steps, "claims": claims},
    } | ({"predecessor": hexed("the certificate before")} if last_alone else {}))
