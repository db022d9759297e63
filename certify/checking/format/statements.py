"""The shape of a proof, and of everything else."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

# those that no later part needs for anything but its rules
import certify.checking.descent.distance
import certify.checking.descent.gauges
import certify.checking.descent.ranges
import certify.checking.descent.witnesses
import certify.checking.sampled.claims  # noqa: F401
from certify.checking.descent.steps import NEIGHBOURS
from certify.checking.format.assumptions import ASSUMPTIONS
from certify.checking.format.data import META
from certify.checking.format.shapes import RUN, run_shape
from certify.checking.limits import CERTIFICATE, ERASURE, MAX_FIGURE, Malformed
from certify.checking.reading import (
    anything,
    check_shape,
    date,
    day,
    exact,
    hexadecimal,
    integer,
    named,
    one_of,
    optional,
    pattern,
    rounded,
    text,
)
from certify.checking.rules import RULES


def step_shape(value: Any, where: str) -> None:
    check_shape(value, {"theorem": text, "args": anything, "premises": [integer], "concludes": anything}, where)
    if value["theorem"] not in RULES:
        raise Malformed(f"{where}: unknown theorem id {ascii(value['theorem'])[:60]}")
    rule = RULES[value["theorem"]]
    check_shape(value["args"], rule.arguments, f"{where}.args")
    check_shape(value["concludes"], rule.concludes, f"{where}.concludes")


def claim_shape(value: Any, where: str) -> None:
    if isinstance(value, dict) and ("sensitivity" in value or "guarantees" in value):
        optionally = dict.fromkeys(("lower", "renyi"), optional(integer)) | {"guarantees": (optional(integer),) * 2}
        return check_shape(value, {"bound": integer, "sensitivity": integer, "executed?": integer} | optionally, where)
    details = dict.fromkeys(("renyi", "learned", "released", "mu?"), integer)
    check_shape(value, {"bound": integer, "lower": optional(integer)} | details, where)


def equally_long(value: dict[str, Any], keys: Sequence[str], where: str) -> None:
    lengths = {len(value[key]) for key in keys}
    if len(lengths) > 1 or not 1 <= max(lengths) <= MAX_FIGURE:
        raise Malformed(f"{where}: {', '.join(keys)} need as many entries each, from 1 to {MAX_FIGURE}")


def profile_shape(value: Any, where: str) -> None:
    check_shape(value, {"epsilon": [exact], "upper": [rounded], "lower": [optional(rounded)]}, where)
    equally_long(value, ("epsilon", "upper", "lower"), where)
    epsilons = [Fraction(epsilon) for epsilon in value["epsilon"]]
    if len(epsilons) < 2 or any(x >= y for x, y in pairwise(epsilons)):
        raise Malformed(f"{where}.epsilon: needs at least two values, ascending")
    for key in ("upper", "lower"):
        if any(x < y for x, y in pairwise(Fraction(delta) for delta in value[key] if delta is not None)):
            raise Malformed(f"{where}.{key}: a profile does not rise")
    never_crossing(value, where)


def sweep_shape(value: Any, where: str) -> None:
    curves = {key: [optional(rounded)] for key in ("upper", "lower", "published")}
    names = {"parameter": one_of("unlearning_epochs", "epochs", "steps"),
             "published_name": one_of(None, "chien2024", "koloskova2025", "renyi")}  # fmt: skip
    check_shape(value, names | {"values": [integer]} | curves, where)
    equally_long(value, ("values", *curves), where)
    if any(int(x) >= int(y) for x, y in pairwise(value["values"])):
        raise Malformed(f"{where}.values: must ascend")
    never_crossing(value, where)


def never_crossing(curves: dict[str, list[str | None]], where: str) -> None:
    for upper, lower in zip(curves["upper"], curves["lower"], strict=True):
        if None not in (upper, lower) and Fraction(lower) > Fraction(upper):
            raise Malformed(f"{where}: a lower bound lies above the upper one")


def subjects_shape(value: Any, where: str) -> None:
    """The run, then files: each name at most once, in this order."""
    check_shape(value, [{"name": text, "digest": {"sha256": hexadecimal}}], where)
    names = tuple(entry["name"] for entry in value)
    if names not in (("run",), ("run", "model"), ("run", "run_record"), ("run", "model", "run_record")):
        raise Malformed(f"{where}: needs run, and then perhaps model and run_record, in this order")


def recorded_shape(value: Any, where: str) -> None:
    """Of an erasure record: certificate and run, and the model of the last request."""
    check_shape(value, [{"name": text, "digest": {"sha256": hexadecimal}}], where)
    if [entry["name"] for entry in value] not in (["certificate", "run"], ["certificate", "run", "model"]):
        raise Malformed(f"{where}: needs certificate, run, and then perhaps model")


FIGURES = {
    "profile": optional(profile_shape),
    "sweep": optional(sweep_shape),
    "published": optional(named(pattern(r"[A-Za-z0-9_]{1,64}", "a name"), {"epsilon": optional(rounded)})),
}
MODEL_DIGEST = {"algorithm": one_of("SHA-256", "HMAC-SHA-256"), "value": hexadecimal}
EXECUTED_PHASE = {
    "kind": one_of("learn", "unlearn", "retrain"), "epochs": integer, "steps": integer, "erased": integer,
    "device": text, "device_name": text, "versions": named(text, text), "started": date, "finished": date,
}  # fmt: skip
ERASED = {
    "request": integer, "id": text, "received": optional(date), "started": date, "finished": date, "scope": text,
    "records": integer, "commitment": {"algorithm": one_of("HMAC-SHA-256"), "value": hexadecimal},
    "model_before": MODEL_DIGEST, "model_after": MODEL_DIGEST,
    "guarantee": {"epsilon": rounded, "delta": rounded, "reference": RUN["threat"]["reference"],
                  "neighbours": NEIGHBOURS},
    "cumulative": integer, "cap": integer,
    "sign_off": optional({"name": text, "role": text, "date": day, "text": text}),
}  # fmt: skip
FINITE_PRECISION = {
    "dimension": integer, "step_error": exact, "grid": exact, "uncoupled": exact, "failure": exact,
    "executed": {"mu": rounded, "gamma": rounded, "t": rounded, "epsilon": optional(rounded), "delta": rounded},
}  # fmt: skip
EXECUTED_SUMS = {
    "dimension": integer, "grids": [exact], "error": exact, "uncoupled": exact, "enlargement": exact,
    "largest_batch": integer,
    "executed": {"gamma": rounded, "t": rounded, "spare": exact, "sums": {"epsilon": rounded, "delta": exact},
                 "epsilon": rounded, "delta": rounded},
}  # fmt: skip


def finite_precision_shape(value: Any, where: str) -> None:
    of_sums = isinstance(value, dict) and "grids" in value
    check_shape(value, EXECUTED_SUMS if of_sums else FINITE_PRECISION, where)


EXECUTION = {
    "dataset": text, "order": text, "noise": one_of("secret", "reproducible"), "phases": [EXECUTED_PHASE],
    "erasures": [ERASED], "audits": (), "clipping?": one_of("per-record"),
    "finite_precision?": finite_precision_shape,
}  # fmt: skip
PRODUCER = {
    "name": pattern(r"[A-Za-z0-9._-]{1,64}", "a name"),
    "version": pattern(r"[0-9]+([.][0-9A-Za-z+-]{1,32}){0,7}", "a version"),
}
STATEMENT = {
    "_type": one_of("https://in-toto.io/Statement/v1"),
    "predicateType": one_of(CERTIFICATE, ERASURE),
    "subject": subjects_shape,
    "predicate": {
        "producer": PRODUCER,
        "created": date,
        "expires?": date,
        "meta?": META,
        "run": run_shape,
        "verdict": one_of("CERTIFIED", "NOT_CERTIFIED", "INDETERMINATE"),
        "out_of_reach": one_of(True, False),
        "epsilon": {"lower": optional(rounded), "upper": rounded, "target": exact},
        "delta": rounded,
        "mu": {"lower": optional(rounded), "upper": optional(rounded)},
        "wasserstein": {"learned": optional(rounded), "released": optional(rounded)},
        "renyi": [{"order": exact, "upper": rounded}],
        "requests": [{"size": integer, "epochs": integer, "epsilon": rounded}],
        "theorems": [one_of(*RULES)],
        "assumptions": [{"id": one_of(*ASSUMPTIONS), "status": one_of("proved", "checked", "attested", "violated"),
                         "text": one_of(*ASSUMPTIONS.values())}],
        "proof": {"steps": [step_shape], "claims": [claim_shape]},
        "guarantees?": tuple(
            {"name": one_of(name), "neighbours": optional(text),
             "epsilon": {"lower": optional(rounded), "upper": optional(rounded)}}
            for name in ("membership", "attribute or label")
        ),
        "figures?": FIGURES,
        "execution?": EXECUTION,
        "predecessor?": hexadecimal,
    },
}  # fmt: skip
RECORD = STATEMENT | {
    "subject": recorded_shape,
    "predicate": {"producer": PRODUCER, "created": date, "noise": EXECUTION["noise"], "erasure": ERASED},
}
ENVELOPE = {
    "payloadType": text,
    "payload": text,
    "signatures": [{"keyid": hexadecimal, "sig": pattern(r"[A-Za-z0-9+/]{85}[AQgw]==", "64 bytes in padded base64")}],
    "digest": {"sha256": hexadecimal},
}
