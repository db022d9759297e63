"""Make the certificates under tests/vectors: valid ones, and one for each way to be invalid.

    python tests/vectors/make_certificates.py

The producer here is tiny, slow and independent: it walks every step of a run with 80-digit mpmath numbers and takes the
lower convex hull of all candidate corners. It shares no code with `accountant` or with `certify/checker.py`.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import mpmath as mp

# fmt: off

HERE = Path(__file__).parent
ORDERS = ("1.5", "2", "8", "64")
SPECIFICATION = (HERE.parents[1] / "docs/certificate.md").read_text("utf-8")
ASSUMPTIONS = [line.split("|")[1:5] for line in SPECIFICATION.splitlines() if line.startswith("| `")]

Json = Any


# --- numbers ---------------------------------------------------------------------------------------------------------


def exact(value: Fraction | int | str) -> str:
    """The canonical spelling of an exact number."""
    value = Fraction(value)
    for places in range(401):
        if (value * 10**places).denominator == 1:
            digits = str(value * 10**places).rjust(places + 1, "0")
            return digits if places == 0 else f"{digits[:-places]}.{digits[-places:]}"
    return str(value)


def real(value: Fraction) -> mp.mpf:
    return mp.mpf(value.numerator) / value.denominator


def outward(value: mp.mpf, up: bool) -> str:
    """Twelve significant digits, strictly above or below the value."""
    if value <= 0:
        return "0"
    wide = Decimal(mp.nstr(value, 60, strip_zeros=False))
    context = Context(prec=12, rounding=ROUND_CEILING if up else ROUND_FLOOR)
    shown = context.plus(wide)
    if abs(shown - wide) < wide * Decimal("1e-50"):  # the value may be this very decimal
        shown = context.next_plus(shown) if up else context.next_minus(shown)
    return str(shown).replace("E", "e").replace("e+", "e")


# --- the mathematics, step by step ------------------------------------------------------------------------------------


def delta_of(epsilon: mp.mpf, mu: mp.mpf) -> mp.mpf:
    if mu == 0:
        return mp.mpf(0)
    return mp.ncdf(mu / 2 - epsilon / mu) - mp.exp(epsilon) * mp.ncdf(-mu / 2 - epsilon / mu)


def epsilon_of(delta: mp.mpf, mu: mp.mpf) -> mp.mpf:
    if mu == 0 or delta_of(mp.mpf(0), mu) <= delta:
        return mp.mpf(0)
    low, high = mp.mpf(0), mp.mpf(1)
    while delta_of(high, mu) > delta:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if delta_of(middle, mu) > delta else (low, middle)
    return high


def walk(phases: list[Json], start: Fraction, factor: Fraction, one: Fraction, cap: Fraction | None = None) -> Json:
    """All moments of a timeline: (block, epoch, position, w, v, τ², is there a shift), and the ends of the blocks."""
    w, v, c = real(start), mp.mpf(0), real(factor)
    moments, ends = [], [w]
    for block, phase in enumerate(phases):
        noise = real(2 * Fraction(phase["step_size"]) * Fraction(phase["noise_std"]) ** 2)
        shifts = {int(p): real(int(n) * one) for p, n in phase["records"]}
        for epoch in range(int(phase["epochs"])):
            for position in range(int(phase["batches"])):
                moments.append((block, epoch, position, w, v, position in shifts))
                w, v = c * w + shifts.get(position, 0), c * c * v + noise
                w = w if cap is None else min(w, real(cap))
        ends.append(w)
    return moments, w, v, ends


def string(moments: list[Json], w: mp.mpf, v: mp.mpf, factor: Fraction) -> tuple[list[Json], mp.mpf]:
    """The corners and μ² of the greatest convex function below the points (V_k, D_k): their lower convex hull."""
    c, weight, points = real(factor), mp.mpf(1), [(v, w, None)]
    for index in range(len(moments) - 1, 0, -1):
        weight *= c
        block, epoch, position, w_k, v_k, shifted = moments[index]
        if shifted and weight > 0:
            points.append((v_k * weight**2, w_k * weight, (block, epoch, position)))
    hull: list[Json] = [(mp.mpf(0), mp.mpf(0), None)]
    for point in reversed(points):
        while len(hull) > 1:
            (x, y, _), (x1, y1, _) = hull[-2], hull[-1]
            left, right = (y1 - y) * (point[0] - x), (point[1] - y) * (x1 - x)
            if left < right - abs(right) * mp.mpf(10) ** -50:  # a true corner
                break
            hull.pop()
        hull.append(point)
    energy = sum((b[1] - a[1]) ** 2 / (b[0] - a[0]) for a, b in pairwise(hull) if b[1] > a[1])
    corners: list[Json] = []
    for _, _, (block, epoch, position) in hull[1:-1]:
        last = corners[-1] if corners else None
        if last and (last["block"], last["position"], int(last["last"]) + 1) == (str(block), str(position), epoch):
            last["last"] = str(epoch)
        else:
            corners.append({"block": str(block), "position": str(position), "first": str(epoch), "last": str(epoch)})
    return corners, mp.mpf(energy)


# --- a certificate ---------------------------------------------------------------------------------------------------


def run_file(**changes: Json) -> Json:
    """The MNIST run of the facts, with changes; a change names a table and its keys."""
    run = {
        "mechanism": {
            "kind": "pnsgd", "samples": "11264", "batch_size": "128", "epochs": "100", "unlearning_epochs": ["1"],
            "noise_std": "0.00410007312893974", "step_size": "1/L", "radius": None, "initial_distance": "0",
            "batch_order": "fixed", "remainder": "error",
        },
        "loss": {"kind": "constants", "smoothness": "0.261264", "strong_convexity": "0.011264", "gradient_bound": "1"},
        "requests": {"sizes": ["1"]},
        "target": {"epsilon": "1", "delta": "1/n"},
        "threat": {"neighbours": "replace-one", "reference": "retrain", "release": "final"},
        "attest": None,
    }
    for table, keys in changes.items():
        run[table] = {**run[table], **keys} if table not in ("attest", "loss") else keys
    return run


LOGISTIC = {"kind": "logistic", "regularization": "0.011264", "feature_norm": "1", "clip": "1"}


def statement(run: Json) -> Json:
    """The in-toto statement of a valid certificate for the run."""
    mechanism, loss = run["mechanism"], run["loss"]
    samples, batch, epochs = (int(mechanism[key]) for key in ("samples", "batch_size", "epochs"))
    unlearning = [int(k) for k in mechanism["unlearning_epochs"]]
    sizes = [int(size) for size in run["requests"]["sizes"]]
    logistic = loss["kind"] == "logistic"
    if logistic:
        m, norm = Fraction(loss["regularization"]), Fraction(loss["feature_norm"])
        smooth, bound = m + norm**2 / 4, min(norm, Fraction(loss["clip"] or loss["feature_norm"]))
    else:
        m, smooth, bound = (Fraction(loss[key]) for key in ("strong_convexity", "smoothness", "gradient_bound"))
    eta = {"1/L": lambda: 1 / smooth, "2/(L+m)": lambda: 2 / (smooth + m)}.get(
        mechanism["step_size"], lambda: Fraction(mechanism["step_size"])
    )()
    neighbours, start = run["threat"]["neighbours"], Fraction(mechanism["initial_distance"])
    one = (2 if neighbours == "replace-one" else 1) * eta * bound / batch
    c = max(abs(1 - eta * m), abs(1 - eta * smooth))
    diameter = mechanism["radius"] and 2 * Fraction(mechanism["radius"])
    delta = Fraction(1, samples) if run["target"]["delta"] == "1/n" else Fraction(run["target"]["delta"])

    steps: list[Json] = []

    def step(theorem: str, args: Json, premises: list[int], concludes: Json) -> int:
        premise_texts = [str(i) for i in premises]
        steps.append({"theorem": theorem, "args": args, "premises": premise_texts, "concludes": concludes})
        return len(steps) - 1

    constants = {"smoothness": exact(smooth), "strong_convexity": exact(m), "gradient_bound": exact(bound)}
    used = [step("L1", {key: value for key, value in loss.items() if key != "kind"}, [], constants)] if logistic else []
    record = {"gradient_bound": exact(bound), "neighbours": neighbours}
    contraction = step(
        "C1", {"step_size": exact(eta), "strong_convexity": exact(m), "smoothness": exact(smooth)}, used,
        {"contraction": exact(c)},
    )
    shift = step("C2", {"step_size": exact(eta), "batch_size": str(batch), **record}, used, {"shift": exact(one)})

    def records(count: int) -> list[list[str]]:
        found, position = [], samples // batch - 1
        while count:
            found.append([str(position), str(min(count, batch))])
            count, position = count - min(count, batch), position - 1
        return found[::-1]

    claims: list[Json] = []
    details: list[Json] = []
    for r in range(len(sizes)):
        phases = [
            {"epochs": str(count), "batches": str(samples // batch), "step_size": exact(eta),
             "noise_std": mechanism["noise_std"], "records": records(sum(sizes[i : r + 1]))}
            for i, count in enumerate([epochs, *unlearning[: r + 1]]) if count
        ]
        moments, w, v, _ = walk(phases, start, c, one)
        corners, energy = string(moments, w, v, c)
        timeline = step(
            "T10", {"start": exact(start), "diameter": diameter and exact(diameter), "phases": phases},
            [contraction, shift] * len(phases), {"steps": str(len(moments))},
        )
        mu = mp.sqrt(energy)
        tight = step("T3", {"corners": corners}, [timeline], {"mu": outward(mu, True)})
        epsilon = outward(epsilon_of(real(delta), mu), True)
        claim: Json = {"bound": str(step("T11", {"delta": exact(delta)}, [tight], {"epsilon": epsilon})), "lower": None}
        low = low_mu = None
        if diameter is None:
            _, w, v, _ = walk(phases, start, 1 - eta * m, one)
            witness = {"start": exact(start), "strong_convexity": exact(m), **record}
            witness["phases"] = [phase | {"batch_size": str(batch)} for phase in phases]
            low_mu = outward(w / mp.sqrt(v), False)
            low = outward(epsilon_of(real(delta), w / mp.sqrt(v)), False)
            straight = step("T6", witness, used, {"mu": low_mu})
            claim["lower"] = str(step("T11", {"delta": exact(delta)}, [straight], {"epsilon": low}))
        claims.append(claim)
        details.append((Decimal(epsilon), epsilon, low, outward(mu, True), low_mu, energy, timeline, tight, phases))
    worst = max(range(len(sizes)), key=lambda r: details[r][0])
    _, upper, low, mu_upper, mu_low, energy, timeline, tight, phases = details[worst]
    curve = [outward(real(Fraction(order)) * energy / 2, True) for order in ORDERS]
    claims[worst]["renyi"] = str(step("T2", {"orders": list(ORDERS)}, [tight], {"renyi": curve}))
    ends = walk(phases, start, c, one, diameter)[3]
    tracked = [outward(ends[int(epochs > 0)], True), outward(ends[-1], True)]
    for name, count, text in (("learned", int(epochs > 0), tracked[0]), ("released", len(phases), tracked[1])):
        claims[worst][name] = str(step("T1", {"phases": str(count)}, [timeline], {"wasserstein": text}))

    target = Fraction(run["target"]["epsilon"])
    above = [d for d in details if d[0] > target]
    provably = any(delta_of(real(target), mp.sqrt(d[5])) > real(delta) for d in above)
    status = "proved" if logistic else "attested"
    absent = {"feature_norm": not logistic, "projection": diameter is None, "reference:retrain": not any(unlearning)}
    absent |= {f"neighbours:{kind}": kind != neighbours for kind in ("replace-one", "remove-one")}
    table = [(name.strip(" `"), stated.strip(), text.strip()) for name, _, stated, text in ASSUMPTIONS]
    assumptions = [
        {"id": name, "status": status if stated.startswith(("proved", "as above")) else stated, "text": text}
        for name, stated, text in table if not absent.get(name)
    ]
    shown = Context(prec=12, rounding=ROUND_CEILING).divide(Decimal(delta.numerator), Decimal(delta.denominator))
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "run", "digest": {"sha256": subject_digest(run)}}],
        "predicateType": "urn:plumbline-dp:certificate:v1",
        "predicate": {
            "producer": {"name": "plumbline-dp", "version": "0.1.0"},
            "created": "2026-11-21T22:00:00Z",
            "run": run,
            "verdict": "CERTIFIED" if not above else "NOT_CERTIFIED" if provably else "INDETERMINATE",
            "out_of_reach": any(d[2] is not None and Fraction(d[2]) > target for d in details),
            "epsilon": {"lower": low, "upper": upper, "target": run["target"]["epsilon"]},
            "delta": str(shown).replace("E", "e"),
            "mu": {"lower": mu_low, "upper": mu_upper},
            "wasserstein": {"learned": tracked[0], "released": tracked[1]},
            "renyi": [{"order": order, "upper": bound} for order, bound in zip(ORDERS, curve, strict=True)],
            "requests": [
                {"size": str(size), "epochs": str(count), "epsilon": detail[1]}
                for size, count, detail in zip(sizes, unlearning, details, strict=True)
            ],
            "theorems": sorted({s["theorem"] for s in steps}),
            "assumptions": assumptions,
            "proof": {"steps": steps, "claims": claims},
        },
    }


def subject_digest(run: Json) -> str:
    text = json.dumps(run, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def envelope(payload: bytes, /, **changes: Json) -> bytes:
    parts = {
        "payloadType": "application/vnd.in-toto+json",
        "payload": base64.b64encode(payload).decode(),
        "signatures": [],
        "digest": {"sha256": hashlib.sha256(payload).hexdigest()},
    }
    return json.dumps(parts | changes).encode() + b"\n"


def seal(stated: Json, subject: bool = True) -> bytes:
    """The envelope of a statement, with digests that match (the subject's only if asked for)."""
    if subject:
        stated = copy.deepcopy(stated)
        stated["subject"][0]["digest"]["sha256"] = subject_digest(stated["predicate"]["run"])
    return envelope(json.dumps(stated, ensure_ascii=False).encode("utf-8", "surrogatepass"))


# --- valid certificates ----------------------------------------------------------------------------------------------


def small(**changes: Json) -> Json:
    """A run of few steps: 3 batches, 4 epochs; tables changed as in run_file, mechanism keys merged."""
    mechanism = {"samples": "30", "batch_size": "10", "epochs": "4", "noise_std": "0.5"}
    target = {"epsilon": "2", "delta": "0.00001"}
    changes["mechanism"] = mechanism | changes.get("mechanism", {})
    changes["target"] = target | changes.get("target", {})
    return run_file(**changes)


CONVEX = {"kind": "constants", "smoothness": "1", "strong_convexity": "0", "gradient_bound": "1"}

ACCEPT: dict[str, Callable[[], Json]] = {
    "mnist_unlearning_b128": run_file,
    "mnist_unlearning_b512": lambda: run_file(
        mechanism={"samples": "11264", "batch_size": "512", "epochs": "200", "noise_std": "0.0296407"}
    ),
    "mnist_unlearning_full_batch": lambda: run_file(
        mechanism={"batch_size": "11264", "epochs": "1000", "noise_std": "0.04895062185824017"}
    ),
    "mnist_learning": lambda: run_file(
        mechanism={"unlearning_epochs": ["0"], "noise_std": "0.05"}, target={"epsilon": "2"}, loss=LOGISTIC
    ),
    "two_requests_two_batches": lambda: small(
        mechanism={"epochs": "3", "unlearning_epochs": ["0", "2"], "noise_std": "3", "initial_distance": "0.25"},
        requests={"sizes": ["6", "8"]}, loss=LOGISTIC | {"clip": None}, target={"epsilon": "20"},
        threat={"neighbours": "remove-one"}, attest={"by": "A. Müller", "evidence": ["sha256:…"]},
    ),
    "five_requests": lambda: small(
        mechanism={"unlearning_epochs": ["1", "0", "2", "1", "1"], "noise_std": "6"},
        requests={"sizes": ["3", "6", "5", "1", "2"]}, target={"epsilon": "20"},
    ),
    "convex_bounded_remainder_dropped": lambda: small(
        mechanism={"samples": "32", "radius": "0.25", "unlearning_epochs": ["2"], "remainder": "drop"}, loss=CONVEX
    ),
    "expansive_bounded": lambda: small(
        mechanism={"step_size": "2.1", "radius": "5", "unlearning_epochs": ["0"], "noise_std": "1"},
        loss=CONVEX | {"strong_convexity": "0.1"},
    ),
    "no_learning_phase": lambda: small(
        mechanism={"epochs": "0", "unlearning_epochs": ["3"], "initial_distance": "2", "step_size": "2/(L+m)"}
    ),
}


# --- invalid certificates --------------------------------------------------------------------------------------------


def rejected() -> dict[str, tuple[bytes, int, str]]:
    """name -> (bytes, exit code, part of the message)."""
    base = statement(small(mechanism={"noise_std": "1"}, loss=LOGISTIC))
    learning = statement(small(mechanism={"unlearning_epochs": ["0"]}, loss=CONVEX | {"strong_convexity": "0.1"}))
    bounded = statement(small(mechanism={"radius": "5"}, loss=CONVEX | {"strong_convexity": "0.1"}))
    double = statement(
        small(mechanism={"unlearning_epochs": ["1", "1"], "noise_std": "2"}, requests={"sizes": ["1", "2"]},
              target={"epsilon": "9"})
    )
    sealed = seal(base)
    payload = base64.b64decode(json.loads(sealed)["payload"])
    cases: dict[str, tuple[bytes, int, str]] = {}

    def raw(name: str, data: bytes, code: int, message: str) -> None:
        cases[name] = (data, code, message)

    def edited(name: str, code: int, message: str, edit: Callable[[Json], Any], of: Json = base) -> None:
        """`edit` gets the predicate, and changes it in place."""
        changed = copy.deepcopy(of)
        edit(changed["predicate"])
        raw(name, seal(changed), code, message)

    def put(*path: Json) -> Callable[[Json], None]:
        """Set the entry at path[:-1] to path[-1]."""

        def edit(node: Json) -> None:
            for key in path[:-2]:
                node = node[key]
            node[path[-2]] = path[-1]

        return edit

    def find(theorem: str, of: Json = base, last: bool = False) -> int:
        found = [i for i, s in enumerate(of["predicate"]["proof"]["steps"]) if s["theorem"] == theorem]
        return found[-1 if last else 0]

    def at(theorem: str, part: str, key: str, value: Json, of: Json = base, last: bool = False) -> Callable:
        return put("proof", "steps", find(theorem, of, last), part, key, value)

    def move_details(p: Json) -> None:
        better, worst = p["proof"]["claims"]
        for key in ("renyi", "learned", "released"):
            better[key] = worst.pop(key)

    # 1 size
    raw("huge_file", b" " * (16 * 2**20 + 1), 2, "bytes")  # made by the test, not stored
    raw("deep_nesting", b"[" * 3000 + b"]" * 3000, 2, "nested")
    raw("empty", b"", 2, "not valid JSON")
    raw("truncated", sealed[: len(sealed) // 2], 2, "not valid JSON")
    raw("not_utf8", sealed.replace(b"in-toto", b"in-t\xff"), 2, "UTF-8")
    none = b'"signatures": []'
    raw("duplicate_keys", sealed.replace(none, none + b", " + none), 2, "duplicate key")
    raw("huge_integer", sealed.replace(none, b'"signatures": [' + b"9" * 10_000 + b"]"), 2, "bare number")
    raw("bare_nan", sealed.replace(none, b'"signatures": [NaN]'), 2, "bare number")
    raw("two_documents", sealed + sealed, 2, "not valid JSON")
    # 2 envelope
    raw("not_an_envelope", b"[]\n", 2, "needs an object")
    raw("unknown_key_in_envelope", envelope(payload, note="x"), 2, "unknown key")
    raw("digest_missing", sealed.replace(b'"digest"', b'"digesd"'), 2, "key")
    raw("signed", envelope(payload, signatures=[{"keyid": "k", "sig": "AAAA"}]), 2, "signed certificates")
    raw("payload_type_unknown", envelope(payload, payloadType="text/plain"), 4, "payloadType")
    raw("payload_not_base64", envelope(payload, payload="!" * 8), 4, "base64")
    raw("payload_base64_with_newline", envelope(payload, payload=base64.encodebytes(payload).decode()), 4, "base64")
    raw("payload_altered", envelope(payload, payload=base64.b64encode(payload + b" ").decode()), 4, "digest")
    # 3 types
    raw("payload_not_json", envelope(b"{"), 2, "not valid JSON")
    raw("payload_not_utf8", envelope(b'"\xff"'), 2, "UTF-8")
    raw("payload_deep_nesting", envelope(b"[" * 5000 + b"]" * 5000), 2, "nested")
    raw("payload_duplicate_keys", envelope(payload.replace(b'"verdict"', b'"created"')), 2, "duplicate key")
    raw("payload_bare_number", envelope(payload.replace(b'"samples": "30"', b'"samples": 30')), 2, "bare number")
    raw("payload_infinity", envelope(payload.replace(b'"samples": "30"', b'"samples": Infinity')), 2, "bare number")
    raw("payload_bare_huge_number", envelope(payload.replace(b'"samples": "30"', b'"samples": 1e999999999')), 2, "bare")
    raw("half_surrogate", envelope(payload.replace(b'"attest": null', b'"attest": "\\ud800"')), 2, "UTF-8")
    edited("premise_bare_index", 2, "bare number", put("proof", "steps", find("T3"), "premises", [3]))
    edited("unknown_theorem_id", 2, "unknown theorem id", put("proof", "steps", 0, "theorem", "T99"))
    edited("unknown_key", 2, "unknown key", put("comment", "trust me"))
    edited("unknown_argument", 2, "unknown key", at("T3", "args", "slack", "1"))
    edited("unknown_mechanism", 2, "needs one of", put("run", "mechanism", "kind", "dp-sgd"))
    edited("secret_batch_order", 2, "needs one of", put("run", "mechanism", "batch_order", "secret"))
    edited("release_all", 2, "needs one of", put("run", "threat", "release", "all"))
    edited("missing_key", 2, "missing key", lambda p: p.pop("assumptions"))
    edited("long_number", 2, "an integer", put("run", "mechanism", "samples", "1" * 401))
    edited("huge_exponent", 2, "a decimal", at("T3", "concludes", "mu", "1e99999"))
    edited("too_many_digits", 2, "fifteen", at("T3", "concludes", "mu", "0.12345678901234567"))
    edited("negative_number", 2, "an exact number", put("run", "mechanism", "noise_std", "-0.5"))
    edited("not_lowest_terms", 2, "canonical", put("run", "target", "delta", "2/6"))
    edited("trailing_zero", 2, "canonical", put("run", "mechanism", "noise_std", "0.50"))
    edited("leading_zero", 2, "an integer", put("run", "mechanism", "samples", "030"))
    edited("exponent_in_the_run", 2, "an exact number", put("run", "mechanism", "noise_std", "5e-1"))
    edited("division_by_zero", 2, "an exact number", put("run", "mechanism", "noise_std", "1/0"))
    edited("foreign_digits", 2, "an integer", put("run", "mechanism", "samples", "٣٠"))
    edited("epsilon_null", 2, "a decimal", put("epsilon", "upper", None))
    edited("epsilon_nan", 2, "a decimal", put("epsilon", "upper", "nan"))
    edited("out_of_reach_text", 2, "needs one of", put("out_of_reach", "false"))
    edited("attest_true", 2, "text, lists and objects", put("run", "attest", {"ok": True}))
    edited("created_never", 2, "no such time", put("created", "2026-02-30T00:00:00Z"))
    edited("producer_control_characters", 2, "a name", put("producer", "name", "x\u001b[2J"))
    edited("requests_without_epochs", 2, "one entry", put("run", "mechanism", "unlearning_epochs", ["1", "1"]))
    edited("no_requests", 2, "one entry", lambda p: p["run"].update(requests={"sizes": []}))
    # 4 subject
    altered = copy.deepcopy(base)
    altered["predicate"]["run"]["attest"] = {"by": "somebody else"}
    raw("run_altered", seal(altered, subject=False), 4, "subject's digest")
    # 5 side conditions: of the run
    mechanism = ("run", "mechanism")
    edited("batch_size_zero", 1, "batch_size", put(*mechanism, "batch_size", "0"))
    edited("batch_size_above_samples", 1, "batch_size", put(*mechanism, "batch_size", "31"))
    edited("remainder_left", 1, "divide", put(*mechanism, "batch_size", "7"))
    edited("noise_zero", 1, "noise_std > 0", put(*mechanism, "noise_std", "0"))
    edited("step_size_zero", 1, "step_size > 0", put(*mechanism, "step_size", "0"))
    edited("radius_zero", 1, "radius > 0", put(*mechanism, "radius", "0"), bounded)
    edited("delta_zero", 1, "delta", put("run", "target", "delta", "0"))
    edited("delta_one", 1, "delta", put("run", "target", "delta", "1"))
    edited("request_of_no_records", 1, "at least one record", put("run", "requests", "sizes", ["0"]))
    edited("more_records_than_samples", 1, "more records", put("run", "requests", "sizes", ["31"]))
    edited("feature_norm_zero", 1, "feature_norm > 0", put("run", "loss", "feature_norm", "0"))
    edited("clip_zero", 1, "clip > 0", put("run", "loss", "clip", "0"))
    edited("smoothness_zero", 1, "divides by zero", put("run", "loss", CONVEX | {"smoothness": "0"}))
    edited("convexity_above_smoothness", 1, "strong_convexity <= smoothness",
           put("run", "loss", CONVEX | {"strong_convexity": "1.5"}))
    edited("expansive_without_radius", 1, "without a radius", put(*mechanism, "step_size", "50"))
    expansive = copy.deepcopy(bounded)
    expansive["predicate"]["run"]["mechanism"]["step_size"] = "2.1"
    edited("expansive_two_records", 1, "more than one differing", put("run", "requests", "sizes", ["2"]), expansive)
    edited("expansive_unequal_starts", 1, "unequal starts", put(*mechanism, "initial_distance", "1"), expansive)
    # 5 side conditions: of the proof
    edited("step_for_another_run", 1, "step_size is not what", at("C1", "args", "step_size", "0.5"))
    edited("smoothness_of_another_run", 1, "feature_norm is not what", at("L1", "args", "feature_norm", "2"))
    edited("batch_size_of_another_run", 1, "batch_size is not what", at("C2", "args", "batch_size", "11"))
    edited("neighbours_of_another_run", 1, "neighbours is not what", at("C2", "args", "neighbours", "remove-one"))
    edited("noise_of_another_run", 1, "phases is not what",
           lambda p: p["proof"]["steps"][find("T10")]["args"]["phases"][0].update(noise_std="0.6"))
    edited("shift_in_a_better_batch", 1, "phases is not what",
           lambda p: p["proof"]["steps"][find("T10")]["args"]["phases"][0].update(records=[["0", "1"]]))
    edited("shift_left_out", 1, "phases is not what",
           lambda p: p["proof"]["steps"][find("T10")]["args"]["phases"][0].update(records=[]))
    edited("extra_unlearning_phase", 1, "phases is not what",
           lambda p: p["proof"]["steps"][find("T10")]["args"]["phases"].append(
               p["proof"]["steps"][find("T10")]["args"]["phases"][1]))
    edited("start_of_another_run", 1, "start is not what", at("T10", "args", "start", "0.1"))
    edited("diameter_invented", 1, "diameter is not what", at("T10", "args", "diameter", "0.1"))
    edited("delta_of_another_run", 1, "delta is not what", at("T11", "args", "delta", "0.5"))
    edited("witness_of_another_loss", 1, "strong_convexity is not what", at("T6", "args", "strong_convexity", "0"))
    edited("learned_after_unlearning", 1, "phases is not what",
           put("proof", "steps", find("T1"), "args", "phases", "2"))
    edited("request_swapped", 1, "is not what",
           lambda p: p["proof"]["claims"][0].update(bound=p["proof"]["claims"][1]["bound"]), double)
    edited("request_without_claim", 1, "one entry for each request", lambda p: p["proof"]["claims"].pop(0), double)
    edited("details_of_the_better_request", 1, "details belong", move_details, double)
    edited("bound_is_the_witness", 1, "T3 is needed here",
           lambda p: p["proof"]["claims"][0].update(bound=p["proof"]["claims"][0]["lower"]))
    edited("bound_is_no_profile", 1, "T11", lambda p: p["proof"]["claims"][0].update(bound=str(find("T3"))))
    edited("bound_after_the_last_step", 1, "T11", put("proof", "claims", 0, "bound", "99"))
    edited("witness_left_out", 1, "needs a witness", put("proof", "claims", 0, "lower", None))
    edited("witness_under_projection", 1, "no witness",
           lambda p: p["proof"]["claims"][0].update(lower=p["proof"]["claims"][0]["bound"]), bounded)
    edited("premise_is_later", 1, "not an earlier step",
           put("proof", "steps", find("T3"), "premises", [str(find("T3"))]))
    edited("premise_missing", 1, "premises", put("proof", "steps", find("T10"), "premises", ["1", "2"]))
    edited("premise_of_the_wrong_theorem", 1, "C2 is needed here",
           put("proof", "steps", find("T10"), "premises", ["1", "1", "1", "1"]))
    edited("step_without_use", 1, "nothing refers to it",
           lambda p: p["proof"]["steps"].append(copy.deepcopy(p["proof"]["steps"][0])))
    # 6 recomputation: each conclusion
    edited("smoothness_understated", 1, "smoothness is", at("L1", "concludes", "smoothness", "0.2"))
    edited("gradient_bound_understated", 1, "gradient_bound is", at("L1", "concludes", "gradient_bound", "0.9"))
    edited("contraction_understated", 1, "contraction is", at("C1", "concludes", "contraction", "0.9"))
    edited("shift_understated", 1, "shift is", at("C2", "concludes", "shift", "0.1"))
    edited("steps_overstated", 1, "steps is", at("T10", "concludes", "steps", "16"))
    def lied(name: str, message: str, part: str, key: str, lie: str | None = None, of: Json = base) -> None:
        """A false number, told consistently: in the step and on the front page."""
        shown = of["predicate"][part][key]
        lie = lie or lower_by_a_digit(shown)
        raw(name, seal(json.loads(json.dumps(of).replace(f'"{shown}"', f'"{lie}"'))), 1, message)

    lied("learned_distance_understated", "wasserstein does not follow", "wasserstein", "learned")
    lied("released_distance_understated", "wasserstein does not follow", "wasserstein", "released")
    lied("mu_understated", "mu does not follow", "mu", "upper", "0.1", bounded)
    lied("mu_understated_by_a_digit", "mu does not follow", "mu", "upper")
    lied("epsilon_understated", "epsilon does not follow", "epsilon", "upper", "0.5", bounded)
    lied("epsilon_understated_by_a_digit", "epsilon does not follow", "epsilon", "upper")
    lied("epsilon_zero", "epsilon does not follow", "epsilon", "upper", "0", bounded)
    lied("upper_below_lower", "the lower bound exceeds the upper bound", "mu", "upper", "0.1")
    lied("witness_overstated", "mu does not follow", "mu", "lower", base["predicate"]["mu"]["upper"])
    lied("lower_bound_overstated", "epsilon does not follow", "epsilon", "lower", base["predicate"]["epsilon"]["upper"])
    renyi = copy.deepcopy(base)
    renyi["predicate"]["renyi"][2]["upper"] = "0.1"
    renyi["predicate"]["proof"]["steps"][find("T2")]["concludes"]["renyi"][2] = "0.1"
    raw("renyi_understated", seal(renyi), 1, "renyi does not follow")
    for name, message, first in (
        ("order_of_one", "orders > 1", "1"),
        ("order_below_one", "orders > 1", "0.5"),
        ("orders_repeated", "ascend", "2"),
    ):
        edited(name, 1, message, lambda p, first=first: (
            at("T2", "args", "orders", [first, *ORDERS[1:]])(p), put("renyi", 0, "order", first)(p)))
    edited("order_without_bound", 1, "one bound for each", at("T2", "args", "orders", [*ORDERS, "128"]))
    # 6 recomputation: the schedule
    corner = {"block": "0", "position": "2", "first": "0", "last": "0"}
    edited("schedule_dips_below_zero", 1, "dips below zero", at("T3", "args", "corners", [], learning), learning)
    edited("schedule_dips_at_the_last_shift", 1, "dips below zero",
           at("T3", "args", "corners", [corner], learning), learning)
    for name, message, change in (
        ("corner_after_the_end", "after the end", {"block": "1"}),
        ("corner_outside_the_epoch", "not in the epoch", {"position": "3"}),
        ("corner_outside_the_block", "not in the block", {"first": "4", "last": "4"}),
        ("corner_range_reversed", "not in the block", {"first": "1", "last": "0"}),
        ("corner_at_the_start", "after the start", {"position": "0"}),
    ):
        edited(name, 1, message, at("T3", "args", "corners", [corner | change], learning), learning)
    edited("corner_repeated", 1, "ascend strictly", at("T3", "args", "corners", [corner, corner], learning), learning)
    edited("corners_descending", 1, "ascend strictly",
           at("T3", "args", "corners", [corner | {"first": "3", "last": "3"}, corner], learning), learning)
    # 6 recomputation: the displayed numbers
    edited("epsilon_shown_smaller", 1, "epsilon: not what", put("epsilon", "upper", "0.1"))
    edited("target_shown_larger", 1, "epsilon: not what", put("epsilon", "target", "3"))
    edited("mu_shown_smaller", 1, "mu: not what", put("mu", "upper", "0.1"))
    edited("delta_shown_smaller", 1, "delta", put("delta", "0.000001"))
    edited("delta_shown_larger", 1, "delta", put("delta", "0.00002"))
    edited("renyi_entry_dropped", 1, "renyi: not what", lambda p: p["renyi"].pop())
    edited("wasserstein_shown_smaller", 1, "wasserstein: not what", put("wasserstein", "released", "0.1"))
    edited("request_epochs_shown_larger", 1, "requests: not what", put("requests", 0, "epochs", "2"))
    edited("theorem_not_listed", 1, "theorems: not what", lambda p: p["theorems"].remove("T3"))
    edited("theorem_listed_twice", 1, "theorems: not what", lambda p: p["theorems"].append("T6"))
    edited("assumption_dropped", 1, "assumptions: not what", lambda p: p["assumptions"].pop())
    edited("assumption_without_proof", 1, "assumptions: not what", put("assumptions", 4, "status", "proved"))
    edited("assumptions_reordered", 1, "assumptions: not what", lambda p: p["assumptions"].reverse())
    # 7 target
    strict = statement(small(mechanism={"noise_std": "1"}, loss=LOGISTIC, target={"epsilon": "0.5"}))
    raw("not_certified", seal(strict), 1, "NOT_CERTIFIED: After")
    edited("certified_above_target", 1, "the verdict is NOT_CERTIFIED", put("verdict", "CERTIFIED"), strict)
    edited("indeterminate_though_provable", 1, "the verdict is NOT_CERTIFIED", put("verdict", "INDETERMINATE"), strict)
    edited("not_certified_below_target", 1, "the verdict is CERTIFIED", put("verdict", "NOT_CERTIFIED"))
    edited("out_of_reach_hidden", 1, "out_of_reach", put("out_of_reach", False), strict)
    edited("out_of_reach_invented", 1, "out_of_reach", put("out_of_reach", True))

    def weaken(p: Json) -> None:  # a bound above the target, though a better one would be below it
        p["epsilon"]["upper"] = p["requests"][0]["epsilon"] = "2.5"
        at("T11", "concludes", "epsilon", "2.5")(p)
        p["verdict"] = "INDETERMINATE"

    edited("indeterminate", 3, "INDETERMINATE: After", weaken)
    return cases


def lower_by_a_digit(text: str) -> str:
    """The next decimal of twelve digits below: just on the wrong side."""
    return str(Context(prec=12).next_minus(Decimal(text))).replace("E", "e")


def main() -> None:
    """Write all the vectors."""
    for name, run in ACCEPT.items():
        (HERE / "accept" / f"{name}.json").write_bytes(seal(statement(run())))
    expected = {}
    for name, (data, code, message) in sorted(rejected().items()):
        if len(data) < 2**20:
            (HERE / "reject/certificates" / f"{name}.json").write_bytes(data)
            expected[name] = {"exit": code, "contains": message}
    (HERE / "reject/certificates/expected.json").write_text(json.dumps(expected, indent=1) + "\n", "utf-8")


mp.mp.dps = 80

if __name__ == "__main__":
    main()
