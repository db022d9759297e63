"""What was run, and the figures beside a claim."""

from __future__ import annotations

import base64
import copy
import json
from fractions import Fraction

import mpmath as mp

from tests.vectors.producer.envelopes import seal
from tests.vectors.producer.losses import LOGISTIC
from tests.vectors.producer.numbers import Json, exact, hexed, outward, real
from tests.vectors.producer.runs import small, training_run
from tests.vectors.producer.statements import statement
from tests.vectors.producer.strings import delta_of
from tests.vectors.producer.table import accepted
from tests.vectors.producer.training import training_statement

# fmt: off

def true_figures(stated: Json, parameter: str = "unlearning_epochs", others: Json = (), published: Json = None) -> Json:
    """Figures of a statement whose δ is Gaussian: T11 at the displayed μ, and the claim's own δ about its own ε.

    others: (value, ε from above, ε from below) of the sweep; published: the bound of others at the run's own value.
    """
    predicate = stated["predicate"]
    run, known, mu = predicate["run"], predicate["epsilon"], predicate["mu"]
    delta, most = run["target"]["delta"], Fraction(known["upper"])
    delta = Fraction(1, int(run["mechanism"]["samples"])) if delta == "1/n" else Fraction(delta)
    least = None if known["lower"] is None else Fraction(known["lower"])
    points = sorted({Fraction(0), most / 2, most, most * 2, least or Fraction(0)})

    def of(key: str, epsilon: Fraction) -> mp.mpf:
        return delta_of(real(epsilon), mp.mpf(mu[key]))

    def below(epsilon: Fraction) -> str | None:
        if least is None or (mu["lower"] is None and epsilon > least):
            return None
        known = epsilon == least or mu["lower"] is None
        return outward(real(delta) if known else of("lower", epsilon), False)

    upper = [outward(min(of("upper", x), real(delta)) if x > most else of("upper", x), True) for x in points]
    upper = [outward(real(delta), True) if x == most else text for x, text in zip(points, upper, strict=True)]
    if parameter == "steps":
        own = sum(int(stage["steps"] or 0) for stage in ({"steps": run["mechanism"]["steps"]}, *run["stages"]))
    else:
        worst = max(range(len(predicate["requests"])), key=lambda i: Fraction(predicate["requests"][i]["epsilon"]))
        own = int(run["mechanism"][parameter] if parameter == "epochs" else run["mechanism"][parameter][worst])
    rows = sorted([(own, known["upper"], known["lower"]), *others])
    return {
        "profile": {"epsilon": [exact(x) for x in points], "upper": upper, "lower": [below(x) for x in points]},
        "sweep": {"parameter": parameter, "values": [str(value) for value, _, _ in rows],
                  "upper": [high for _, high, _ in rows], "lower": [low for _, _, low in rows],
                  "published": [published if value == own else None for value, _, _ in rows],
                  "published_name": None if published is None else "chien2024"},
        "published": {"chien2024": {"epsilon": published}, "chien2024_finite_T": {"epsilon": None}},
    }


def executed(stated: Json, done: int = 1, others: Json = (), **changes: Json) -> Json:
    """The statement with figures, an expiry date, and an execution of learning and the first `done` requests.

    others: what its sweep has besides the run itself."""
    stated = copy.deepcopy(stated)
    predicate, run = stated["predicate"], stated["predicate"]["run"]
    mechanism, sizes = run["mechanism"], [int(size) for size in run["requests"]["sizes"]]
    batches = int(mechanism["samples"]) // int(mechanism["batch_size"])
    stretches = [("learn", int(mechanism["epochs"]), 0)]
    stretches += [("unlearn", int(k), size) for k, size in zip(mechanism["unlearning_epochs"], sizes, strict=True)]
    phases = [{
        "kind": kind, "epochs": str(epochs), "steps": str(epochs * batches), "erased": str(size), "device": "cpu",
        "device_name": "any", "versions": {"python": "3.11.9", "torch": "2.9.0"},
        "started": f"2026-11-20T{10 + i}:00:00Z", "finished": f"2026-11-20T{10 + i}:30:00Z",
    } for i, (kind, epochs, size) in enumerate(stretches[: done + 1])]

    def model(i: int) -> Json:
        keyed = run["threat"]["release"] == "final" and i < done
        return {"algorithm": "HMAC-SHA-256" if keyed else "SHA-256", "value": hexed(f"model {i}")}

    erasures = [{
        "request": str(i + 1), "id": f"request-{i + 1}", "received": "2026-11-19T09:00:00Z" if i == 0 else None,
        "started": phases[i + 1]["started"], "finished": phases[i + 1]["finished"], "scope": "the released model",
        "records": str(sizes[i]), "commitment": {"algorithm": "HMAC-SHA-256", "value": hexed(f"forgotten {i}")},
        "model_before": model(i), "model_after": model(i + 1),
        "guarantee": {"epsilon": predicate["requests"][i]["epsilon"], "delta": predicate["delta"],
                      "reference": run["threat"]["reference"], "neighbours": run["threat"]["neighbours"]},
        "cumulative": str(sum(sizes[: i + 1])), "cap": str(sum(sizes)),
        "sign_off": None if i else {"name": "A. Müller", "role": "DPO", "date": "2026-11-20", "text": "seen"},
    } for i in range(done)]
    order = "secret" if mechanism["batch_order"] == "secret" else "given"
    execution = {"dataset": "digits", "order": order, "noise": "secret", "phases": phases, "erasures": erasures,
                 "audits": []}
    parameter = "unlearning_epochs" if any(map(int, mechanism["unlearning_epochs"])) else "epochs"
    predicate |= {"expires": "9999-12-31T23:59:59Z", "figures": true_figures(stated, parameter, others, "3.1")}
    predicate["execution"] = execution | changes
    for name in ("model", "run_record"):
        stated["subject"].append({"name": name, "digest": {"sha256": hexed(name)}})
    return stated


def seen_clipping(stated: Json) -> Json:
    """With a record of how it was clipped."""
    stated["predicate"]["execution"]["clipping"] = "per-record"
    for assumption in stated["predicate"]["assumptions"]:
        if assumption["id"] == "per_record_clipping":
            assumption["status"] = "checked"
    return stated


def retrained(stated: Json) -> Json:
    """With the reference run beside it, and noise that can be drawn again."""
    predicate = stated["predicate"]
    run, execution = predicate["run"], predicate["execution"]
    phases = execution["phases"]
    epochs = sum(int(phase["epochs"]) for phase in phases[: 1 if run["threat"]["reference"] == "retrain-T" else None])
    batches = int(run["mechanism"]["samples"]) // int(run["mechanism"]["batch_size"])
    more = {"kind": "retrain", "epochs": str(epochs), "steps": str(epochs * batches),
            "erased": str(sum(int(phase["erased"]) for phase in phases))}
    execution |= {"noise": "reproducible", "phases": [*phases, phases[-1] | more]}
    return stated


def record_of(stated: Json, request: int = 1) -> Json:
    """The erasure record of a request (from 1) of an executed statement."""
    made = json.loads(base64.b64decode(json.loads(seal(stated))["payload"]))
    digest = json.loads(seal(stated))["digest"]
    subject = [{"name": "certificate", "digest": digest}, made["subject"][0]]
    erasures = stated["predicate"]["execution"]["erasures"]
    entry = next(entry for entry in erasures if entry["request"] == str(request))
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject + [made["subject"][1]] * (entry is erasures[-1]),
        "predicateType": "urn:plumbline-dp:erasure:v2",
        "predicate": {
            "producer": {"name": "plumbline-dp", "version": "0.2.0"},
            "created": "2026-11-21T22:00:00Z",
            "noise": stated["predicate"]["execution"]["noise"],
            "erasure": entry,
        },
    }


def executed_training(stated: Json, steps: int = 16) -> Json:
    """Learning alone: there are no requests. Of the 16 steps that are claimed fewer may be executed."""
    stated = copy.deepcopy(stated)
    learned = copy.deepcopy(accepted("executed"))
    learning = learned["predicate"]["execution"]["phases"][0] | {"epochs": "4", "steps": str(steps)}
    stated["predicate"]["execution"] = learned["predicate"]["execution"] | {"phases": [learning], "erasures": []}
    stated["subject"] += learned["subject"][1:]
    return stated


def unlearned(epochs: int) -> Json:
    """The statement about a small logistic run with so many epochs of unlearning."""
    return statement(small(mechanism={"noise_std": "1", "unlearning_epochs": [str(epochs)]}, loss=LOGISTIC))


def swept(stated: Json) -> tuple[str, str | None]:
    """ε from above and from below, as a sweep of another run has it."""
    return stated["predicate"]["epsilon"]["upper"], stated["predicate"]["epsilon"]["lower"]


def with_figures(stated: Json, *arguments: Json) -> Json:
    stated = copy.deepcopy(stated)
    stated["predicate"]["figures"] = true_figures(stated, *arguments)
    return stated


def trained(steps: int) -> Json:
    """The statement about a training run on all records, with another release."""
    return training_statement(training_run(
        mechanism={"sampling": "full", "sample_rate": None, "noise_multiplier": "20", "steps": str(steps)},
        releases=[{"mu": "0.1", "text": None}], target={"epsilon": "4"}))


def pictured(figures: Json) -> Json:
    made = statement(small(mechanism={"noise_std": "1"}, loss=LOGISTIC))
    made["predicate"]["figures"] = figures
    return made
