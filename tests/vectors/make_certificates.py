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
import math
from collections.abc import Callable, Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from functools import cache
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
    for _ in range(110):
        middle = (low + high) / 2
        low, high = (middle, high) if delta_of(middle, mu) > delta else (low, middle)
    return high


def noise_of(phase: Json) -> mp.mpf:
    """τ²"""
    return real(2 * Fraction(phase["step_size"]) * Fraction(phase["noise_std"]) ** 2)


def walk(phases: list[Json], start: Fraction, factor: Fraction, one: Fraction, cap: Fraction | None = None,
         restart: int | None = None) -> Json:
    """All moments of a timeline: (block, epoch, position, w, v, is there a shift), w, v, and the ends of the blocks.

    With a restart, the moments begin there, with v = 0 and without a cap from there on. A phase may have a factor, a
    shift and a drift of its own.
    """
    limit = mp.inf if cap is None else real(cap)
    w, v, index = min(real(start), limit), mp.mpf(0), 0
    moments, ends = [], [w]
    for block, phase in enumerate(phases):
        noise, c = noise_of(phase), real(phase.get("factor", factor))
        shifts = {int(p): int(n) * real(phase.get("one", one)) for p, n in phase["records"]}
        for epoch in range(int(phase["epochs"])):
            for position in range(int(phase["batches"])):
                if index == restart:
                    moments, v, limit = [], mp.mpf(0), mp.inf
                index += 1
                moments.append((block, epoch, position, w, v, position in shifts))
                apart = phase.get("drift") is not None and w > 0
                w = min(c * w + (real(phase["drift"]) if apart else shifts.get(position, 0)), limit)
                v = c * c * v + noise
        ends.append(w)
    return moments, w, v, ends


def string(moments: list[Json], w: mp.mpf, v: mp.mpf, factor: Fraction,
           phases: list[Json] | None = None) -> tuple[list[Json], mp.mpf]:
    """The corners and μ² of the greatest convex function below the points (V_k, D_k): their lower convex hull."""
    weight, points = mp.mpf(1), [(v, w, None)]
    for index in range(len(moments) - 1, 0, -1):
        block, epoch, position, w_k, v_k, shifted = moments[index]
        weight *= real(phases[block].get("factor", factor) if phases else factor)
        if shifted and weight > 0:
            points.append((v_k * weight**2, w_k * weight, (block, epoch, position)))
    hull: list[Json] = [(mp.mpf(0), mp.mpf(0), None)]
    for point in reversed(points):  # the string begins at 0, the points at the distance of the starts
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


# --- gauges: clipped steps -------------------------------------------------------------------------------------------


def single_steps(phases: list[Json], factor: Fraction, one: Fraction) -> list[Json]:
    """(moment, ρ, s, d, τ²) of every step, and the moment after the last."""
    found = []
    for block, phase in enumerate(phases):
        shifts = {int(p): int(n) * real(phase.get("one", one)) for p, n in phase["records"]}
        for epoch in range(int(phase["epochs"])):
            for position in range(int(phase["batches"])):
                s, d = shifts.get(position, mp.mpf(0)), phase.get("drift")
                found.append(((block, epoch, position), real(phase.get("factor", factor)), s,
                              s if d is None else real(d), noise_of(phase)))
    return [*found, ((len(phases), 0, 0), None, None, None, None)]


def straight(steps: list[Json], distance: mp.mpf, at_once: bool) -> mp.mpf | None:
    """w²/v along these steps; None where z would fall below 0. at_once: the first step drifts too."""
    w, v, passed = distance, mp.mpf(0), []
    for i, (_, rho, s, d, noise) in enumerate(steps):
        w, v = rho * w + (s if i == 0 and distance == 0 and not at_once else d), rho**2 * v + noise
        passed.append((w, v))
    left = mp.mpf(1)
    for (w_k, v_k), (_, rho, *_) in zip(passed[-2::-1], steps[:0:-1], strict=True):
        left *= rho
        if w_k * v < w * left * v_k * (1 - mp.mpf(10) ** -50):
            return None
    return w**2 / v


def gauges(steps: list[Json], distance: mp.mpf, whole: bool, apart: bool, quiet: set[int]) -> Json:
    """The excursions and μ² of the best schedule: f(j) = min over i of f(i) + E(i,j). apart: whether there may be
    excursions. whole: of whole epochs alone, but in the blocks `quiet`, and from the start."""
    ends = [i for i, step in enumerate(steps) if not whole or i == 0 or step[0][2] == 0 or step[0][0] in quiet]
    best: dict[int, Json] = {} if distance > 0 else {0: (mp.mpf(0), [])}

    def offer(end: int, energy: mp.mpf | None, taken: list[Json]) -> None:
        if energy is not None and (end not in best or energy < best[end][0] * (1 - mp.mpf(10) ** -50)):
            best[end] = energy, taken

    for end in ends[1:] if distance > 0 else ():
        offer(end, straight(steps[:end], distance, whole), [(steps[0][0], steps[end][0])])
    for k, i in enumerate(ends):
        for end in ends[k + 1 :] if i in best else ():
            energy, taken = best[i]
            if end == ends[k + 1]:
                offer(end, energy + mp.fsum(s**2 / noise for _, _, s, _, noise in steps[i:end]), taken)
            parts = apart and (whole or steps[i][2] > 0)
            cost = straight(steps[i:end], mp.mpf(0), whole) if parts else None
            offer(end, None if cost is None else energy + cost, [*taken, (steps[i][0], steps[end][0])])
    found = best.get(len(steps) - 1)
    return found and (found[1], found[0])


def moment(at: tuple[int, int, int]) -> Json:
    return dict(zip(("block", "epoch", "position"), map(str, at), strict=True))


# --- secret batches, and witnesses -----------------------------------------------------------------------------------


def root_of(function: Callable[[mp.mpf], Any], low: mp.mpf, high: mp.mpf) -> mp.mpf:
    """Where a function that is true on the left becomes false, to 25 digits."""
    for _ in range(90):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) else (low, middle)
    return low


def moved(phases: list[Json], position: int) -> list[Json]:
    """The same phases with the one differing record in another batch."""
    return [phase | {"records": [[str(position), "1"]] if phase["records"] else []} for phase in phases]


def gaps(positions: list[int], batches: int) -> list[tuple[int, int]]:
    """How far each position is from the one before, and from the one after (1 at the ends)."""
    around = [-1, *positions, batches]
    return [(q - p, r - q) for p, q, r in zip(around, around[1:], around[2:], strict=False)]


def secret_epsilon(phases: list[Json], c: Fraction, one: Fraction, delta: Fraction, positions: list[int],
                   rule: str) -> mp.mpf:
    """ε by T9, from the strings of the record in each position."""
    batches = int(phases[0]["batches"])
    mus = []
    for position in positions:
        moments, w, v, _ = walk(moved(phases, position), Fraction(0), c, one)
        mus.append(mp.sqrt(string(moments, w, v, c)[1]))
    counts = [mp.mpf(p) if rule == "right" else mp.mpf(p + q) / 2 for p, q in gaps(positions, batches)]
    rows = list(zip(counts, mus, strict=True))
    return root_of(lambda e: sum(n * delta_of(e, mu) for n, mu in rows) > batches * real(delta), mp.mpf(0), mp.mpf(50))


def secret_curve(phases: list[Json], c: Fraction, one: Fraction, order: mp.mpf, positions: list[int]) -> mp.mpf:
    """D_α by T9r."""
    batches, total = int(phases[0]["batches"]), mp.mpf(0)
    for position, (count, _) in zip(positions, gaps(positions, batches), strict=True):
        moments, w, v, _ = walk(moved(phases, position), Fraction(0), c, one)
        total += count * mp.exp((order - 1) * order * string(moments, w, v, c)[1] / 2)
    return mp.log(total / batches) / (order - 1)


def secret_low(phases: list[Json], slope: Fraction, one: Fraction, delta: Fraction, positions: list[int]) -> Json:
    """(ε, threshold) by T6m: the threshold by a search in doubles, ε for it in 80 digits."""
    batches, distances = int(phases[0]["batches"]), []
    for position in positions:
        _, w, v, _ = walk(moved(phases, position), Fraction(0), slope, one)
        distances.append(w)
    counts = [after for _, after in gaps(positions, batches)]
    rows = list(zip(counts, distances, strict=True))
    scaled, root = [(n, float(d / mp.sqrt(v)) / 2) for n, d in rows], 2**0.5

    def rough(t: float) -> float:
        low, high = 0.0, 50.0
        for _ in range(40):
            e = (low + high) / 2
            total = sum(n * (math.erfc((t - d) / root) - math.exp(e) * math.erfc((t + d) / root)) for n, d in scaled)
            low, high = (e, high) if total >= 2 * batches * float(delta) else (low, e)
        return low

    threshold = Fraction(f"{max((i / 100 for i in range(0, 600, 3)), key=rough) * float(mp.sqrt(v)):.4g}")
    t, s = real(threshold), mp.sqrt(v)

    def reached(e: mp.mpf) -> bool:
        total = sum(n * (mp.ncdf((d / 2 - t) / s) - mp.exp(e) * mp.ncdf((-d / 2 - t) / s)) for n, d in rows)
        return total >= batches * real(delta)

    return root_of(reached, mp.mpf(0), mp.mpf(50)), threshold


def range_epsilon(squared: mp.mpf, reach: mp.mpf, phase: Json, delta: Fraction) -> mp.mpf:
    """ε by T24: from δ(ε) of μ, step by step."""
    ratio = reach / mp.sqrt(noise_of(phase))

    def exceeds(e: mp.mpf) -> bool:
        left = delta_of(e, mp.sqrt(squared))
        for _ in range(int(phase["epochs"]) * int(phase["batches"])):
            if left <= real(delta):  # it only falls
                return False
            left *= delta_of(mp.log1p(mp.expm1(e) / left), ratio)
        return left > real(delta)

    return root_of(exceeds, mp.mpf(0), mp.mpf(50))


def curved_low(phase: Json, m: Fraction, bound: Fraction, one: Fraction, delta: Fraction, own: Fraction,
               others: Fraction) -> Json:
    """(ε, μ) by T6c, step by step."""
    eta, size, ((position, count),) = Fraction(phase["step_size"]), int(phase["batch_size"]), phase["records"]
    quiet, mixed = 1 - eta * (m + others), 1 - eta * (m + own * (size - int(count)) / size)
    noise, steps = 2 * eta * Fraction(phase["noise_std"]) ** 2, int(phase["epochs"]) * int(phase["batches"])
    d = v = mp.mpf(0)
    for k in range(steps):
        here = k % int(phase["batches"]) == int(position)
        slope = real(mixed if here else quiet)
        d, v = slope * d + (real(one) * int(count) if here else 0), slope**2 * v + real(noise)
    q, h = max(quiet, mixed), max(own, others)
    room = real(bound / h - one * int(count) / (1 - q)) if h else mp.inf
    p = 2 * steps * mp.ncdf(-room / mp.sqrt(real(noise / (1 - q**2))))
    low = root_of(lambda e: delta_of(e, d / mp.sqrt(v)) - (1 + mp.exp(e)) * p >= real(delta), mp.mpf(0), mp.mpf(50))
    shown = real(Fraction(outward(low, False)))
    return low, root_of(lambda mu: delta_of(shown, mu) <= real(delta), mp.mpf("1e-9"), mp.mpf(50))


# --- a certificate ---------------------------------------------------------------------------------------------------


WHOLE_TABLES = ("attest", "loss", "scaling", "execution", "data")  # a change gives the whole of them


def run_file(**changes: Json) -> Json:
    """The MNIST run of the facts, with changes; a change names a table and its keys."""
    run = {
        "mechanism": {
            "kind": "pnsgd", "samples": "11264", "batch_size": "128", "epochs": "100", "unlearning_epochs": ["1"],
            "noise_std": "0.00410007312893974", "step_size": "1/L", "radius": None, "initial_distance": "0",
            "batch_order": "fixed", "remainder": "error",
        },
        "loss": {"kind": "constants", "smoothness": "0.261264", "strong_convexity": "0.011264", "gradient_bound": "1",
                 "convex": True},
        "scaling": None,
        "requests": {"sizes": ["1"]},
        "target": {"epsilon": "1", "delta": "1/n"},
        "threat": {"neighbours": "replace-one", "reference": "retrain", "release": "final"},
        "attest": None,
    }
    for table, keys in changes.items():
        run[table] = {**run[table], **keys} if table not in WHOLE_TABLES else keys
    return run


LOSS_ASSUMPTIONS = {
    "feature_norm": ("logistic", "smoothed-hinge"), "features": ("least-squares", "huber", "poisson", "softmax"),
    "target_bound": ("least-squares",), "counts": ("poisson",), "classes": ("softmax",),
    "domain": ("least-squares", "poisson"),
}
LOGISTIC = {"kind": "logistic", "regularization": "0.011264", "feature_norm": "1", "clip": "1"}


LOSS_THEOREMS = {"logistic": "L1", "least-squares": "L2", "huber": "L3", "smoothed-hinge": "L4", "poisson": "L5",
                 "softmax": "L6", "clipped": "L7"}


def eighteen(value: mp.mpf) -> Fraction:
    """The least decimal of eighteen significant digits that is not below an irrational number."""
    places = 17 - int(mp.floor(mp.log10(value)))
    return Fraction(int(mp.ceil(value * mp.mpf(10) ** places))) / Fraction(10) ** places


def model_of(loss: Json, radius: str | None) -> Json:
    """What L1u to L5u conclude: bounds of slope and norm of an unscaled data gradient."""
    known = {key: Fraction(value) for key, value in loss.items() if key not in ("kind", "clip")}
    x, y, ball = known["feature_norm"], known.get("target_bound", Fraction(0)), radius and Fraction(radius)
    growth = eighteen(mp.exp(real(x * ball))) if ball and loss["kind"] == "poisson" else None
    curvature, bound = {
        "logistic": lambda: (x**2 / 4, x),
        "least-squares": lambda: (x**2, ball and x * (x * ball + y)),
        "huber": lambda: (x**2, x * known["threshold"]),
        "smoothed-hinge": lambda: (x**2 / known["smoothing"], x),
        "poisson": lambda: (growth and x**2 * growth, growth and x * max(growth, y - 1 / growth)),
    }[loss["kind"]]()
    grows = loss["kind"] in ("logistic", "poisson")
    return {"regularization": known["regularization"], "curvature": curvature, "gradient_bound": bound,
            "growth": x if grows else None, "floor": x**2 * y if loss["kind"] == "poisson" else Fraction(0)}


def scaled_norm(scaling: Json, x: Fraction | None) -> Fraction:
    """φ(x), or its limit."""
    c, r, s = (Fraction(scaling.get(key, 1)) for key in ("max_grad_norm", "r", "s"))
    if x is None:
        return c / s
    return {"clip": lambda: min(x, c), "auto-s": lambda: c * x / (x + r)}.get(
        scaling["kind"], lambda: c / (s + r / (x * (x + r)))
    )()


def scaled_constants(model: Json, scaling: Json) -> tuple[Fraction, Fraction, Fraction, bool]:
    """m, L, M by T16."""
    c, r, s = (Fraction(scaling.get(key, 1)) for key in ("max_grad_norm", "r", "s"))
    v = min(r * s, Fraction(1))
    bend = c if v == 1 else c * eighteen(3 * mp.sqrt(3) / (mp.sqrt(real(v)) * real(4 - v) ** mp.mpf("1.5")))
    slope, steep = {"clip": (Fraction(1), c), "auto-s": (c / r, c / 4)}.get(scaling["kind"], (bend, c / (2 * s)))
    smooth = [] if model["curvature"] is None else [slope * model["curvature"]]
    smooth += [] if model["growth"] is None else [model["growth"] * steep + slope * model["floor"]]
    m = model["regularization"]
    return m, m + min(smooth), scaled_norm(scaling, model["gradient_bound"]), True


def constants_of(loss: Json, radius: str | None) -> tuple[Fraction, Fraction | None, Fraction, bool]:
    """m, L, M of a loss, and whether it is convex."""
    if loss["kind"] == "constants":
        return (*(Fraction(loss[key]) for key in ("strong_convexity", "smoothness", "gradient_bound")), loss["convex"])
    if loss["kind"] == "clipped":
        return Fraction(loss["regularization"]), None, Fraction(loss["clip"]), False
    known = {key: Fraction(value) for key, value in loss.items() if key != "kind" and value is not None}
    x, clip = known["feature_norm"], known.get("clip")
    growth = None if radius is None or loss["kind"] != "poisson" else eighteen(mp.exp(real(x * Fraction(radius))))
    curvature, bound = {
        "logistic": lambda: (x**2 / 4, x),
        "least-squares": lambda: (x**2, None if radius is None else x * (x * Fraction(radius) + known["target_bound"])),
        "huber": lambda: (x**2, x * known["threshold"]),
        "smoothed-hinge": lambda: (x**2 / known["smoothing"], x),
        "poisson": lambda: (
            min(([] if growth is None else [x**2 * growth])
                + ([] if clip is None else [x**2 * known["target_bound"] + x * clip])),
            None if growth is None else x * max(growth, known["target_bound"] - 1 / growth),
        ),
        "softmax": lambda: (x**2 / 2, eighteen(mp.sqrt(2) * real(x))),
    }[loss["kind"]]()
    m = known["regularization"]
    convex = loss["kind"] != "softmax" or clip is None or clip**2 >= 2 * x**2
    return m, m + curvature, min(b for b in (clip, bound) if b is not None), convex


def rounding(execution: Json, rate: Fraction | None, variance: mp.mpf, stretches: int, epsilon: Fraction,
             delta: Fraction) -> str:
    """Whether noise is above rounding; `rate`: c of C1, where it holds. Binary logarithms by trial."""
    if len(execution) < 3 or rate is None or rate >= 1:
        return "attested"
    bits, least = {"float64": (52, -1022), "float32": (23, -126)}[execution["dtype"]]
    largest, exponent = Fraction(execution["largest_coordinate"]), 2000
    while Fraction(2) ** exponent > largest:
        exponent -= 1
    ulp = mp.mpf(2) ** (max(exponent, least) - bits)
    kappa = mp.sqrt(stretches * int(execution["dimension"]) / variance) * 8 * ulp * real(1 / (1 - rate))
    nine = Context(prec=9, rounding=ROUND_CEILING).plus(Decimal(mp.nstr(100 * kappa, 60, strip_zeros=False)))
    return "proved" if delta_of(real(epsilon), mp.mpf(str(nine))) <= real(delta) else "violated"


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
              gauged: bool = False) -> Json:
    """The in-toto statement of a valid certificate for the run.

    Choices: whether the string may restart (T5), the rule and positions of T9, own and others of T6c (with ε and μ: say
    these, true or not), whether there is a T6m, the rate of each phase (T22, T23, …; C1 where none is named), how many
    epochs are left to T24 and by which rate, the positions of T9r, and whether T26 is used though nothing drifts.
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
    for r in range(len(sizes)):
        reference = threat["reference"] if any(unlearning[: r + 1]) else "retrain"
        start = Fraction(mechanism["initial_distance"]) if reference == "retrain" else diameter
        epochs = [learning, *unlearning[: r + 1]]
        skip = sum(epochs[1:]) if reference == "retrain-T" else 0
        for i, count in enumerate(epochs):
            epochs[i], skip = max(0, count - skip), max(0, skip - count)
        described = [
            {"epochs": str(count), "batches": str(samples // batch), "step_size": exact(eta),
             "noise_std": mechanism["noise_std"], "records": records(sum(sizes[i : r + 1]), False),
             "count": sum(sizes[i : r + 1]), "rate": rates[i] if rates else "C1"}
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
    worst = max(range(len(sizes)), key=lambda r: details[r][0])
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
    for key, kinds in (("neighbours", ("replace-one", "remove-one")), ("release", ("final", "all")),
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
            for size, count, detail in zip(sizes, unlearning, details, strict=True)
        ],
        "theorems": sorted({s["theorem"] for s in steps}),
        "assumptions": assumptions,
        "proof": {"steps": steps, "claims": claims},
    })


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
    if subject and "run" in stated["predicate"]:
        stated = copy.deepcopy(stated)
        stated["subject"][0]["digest"]["sha256"] = subject_digest(stated["predicate"]["run"])
    return envelope(json.dumps(stated, ensure_ascii=False).encode("utf-8", "surrogatepass"))


# --- what was run, and who signs it -----------------------------------------------------------------------------------

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


def hexed(what: str) -> str:
    return hashlib.sha256(what.encode()).hexdigest()


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
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject + [made["subject"][1]] * (request == len(erasures)),
        "predicateType": "urn:plumbline-dp:erasure:v2",
        "predicate": {
            "producer": {"name": "plumbline-dp", "version": "0.2.0"},
            "created": "2026-11-21T22:00:00Z",
            "noise": stated["predicate"]["execution"]["noise"],
            "erasure": erasures[request - 1],
        },
    }


def private_key(name: str) -> Json:
    """An Ed25519 key for tests; everybody knows it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"test key {name}".encode()).digest())


def public_key(name: str) -> tuple[bytes, str]:
    """PEM, and keyid."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key, form = private_key(name).public_key(), PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(Encoding.PEM, form), hashlib.sha256(key.public_bytes(Encoding.DER, form)).hexdigest()


def signature(payload: bytes, name: str, payload_type: str = "application/vnd.in-toto+json") -> Json:
    """DSSE v1."""
    kind = payload_type.encode()
    message = b" ".join((b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload))
    return {"keyid": public_key(name)[1], "sig": base64.b64encode(private_key(name).sign(message)).decode()}


def signed(sealed: bytes, *names: str) -> bytes:
    """The envelope with a signature by each of these keys added."""
    parts = json.loads(sealed)
    parts["signatures"] += [signature(base64.b64decode(parts["payload"]), name) for name in names]
    return json.dumps(parts).encode() + b"\n"


# --- training runs ---------------------------------------------------------------------------------------------------


def training_run(**changes: Json) -> Json:
    """A hundred steps of DP-SGD with Poisson batches, with changes as for `run_file`."""
    run = {
        "mechanism": {"kind": "dp-sgd", "noise_multiplier": "1", "sample_rate": "0.01", "batch_size": None,
                      "steps": "100", "epochs": None, "samples": None, "sampling": "poisson", "max_batch_size": None,
                      "normaliser": None},
        "scaling": {"kind": "clip", "max_grad_norm": "1", "gradient_norm_bound": None},
        "momentum": {"outer": "0", "inner_beta": "0", "inner_window": "1", "inner_history": "own"},
        "stages": [], "releases": [], "target": {"epsilon": "1", "delta": "0.00001"},
        "threat": {"neighbours": "add-or-remove-one"}, "attest": None,
    }
    for table, keys in changes.items():
        run[table] = {**run[table], **keys} if table in ("mechanism", "momentum", "target") else keys
    return run


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


# --- valid certificates ----------------------------------------------------------------------------------------------


def small(**changes: Json) -> Json:
    """A run of few steps: 3 batches, 4 epochs; tables changed as in run_file, mechanism keys merged."""
    mechanism = {"samples": "30", "batch_size": "10", "epochs": "4", "noise_std": "0.5"}
    target = {"epsilon": "2", "delta": "0.00001"}
    changes["mechanism"] = mechanism | changes.get("mechanism", {})
    changes["target"] = target | changes.get("target", {})
    return run_file(**changes)


CONVEX = {"kind": "constants", "smoothness": "1", "strong_convexity": "0", "gradient_bound": "1", "convex": True}

WAVY = CONVEX | {"strong_convexity": "0.1", "convex": False}
CLIPPED = {"kind": "clipped", "regularization": "0.05", "clip": "0.5"}
BATCH_CLIPPED = CLIPPED | {"clipping": "batch"}
FORGETFUL = CLIPPED | {"regularization": "1.6"}
SINGLE = {"samples": "3", "batch_size": "1", "step_size": "0.5"}

LOSS_VECTORS: dict[str, tuple[Json, Json]] = {
    "least_squares_clip": ({"kind": "least-squares", "target_bound": "2", "clip": "0.5"}, {}),
    "least_squares_ball": ({"kind": "least-squares", "target_bound": "2", "clip": None}, {"radius": "1"}),
    "least_squares_both": ({"kind": "least-squares", "target_bound": "2", "clip": "2.5"}, {"radius": "3"}),
    "huber": ({"kind": "huber", "threshold": "0.25", "clip": None, "feature_norm": "3"}, {}),
    "huber_clip": ({"kind": "huber", "threshold": "0.5", "clip": "0.4"}, {"radius": "7"}),
    "smoothed_hinge": ({"kind": "smoothed-hinge", "smoothing": "1/3", "clip": None}, {}),
    "poisson_clip": ({"kind": "poisson", "target_bound": "5", "clip": "1"}, {}),
    "poisson_ball": ({"kind": "poisson", "target_bound": "5", "clip": None, "feature_norm": "2/3"}, {"radius": "0.7"}),
    "poisson_both": ({"kind": "poisson", "target_bound": "1", "clip": "0.5"}, {"radius": "0.25"}),
    "softmax": ({"kind": "softmax", "classes": "10", "clip": None}, {}),
    "softmax_idle_clip": ({"kind": "softmax", "classes": "2", "clip": "1.4142135624"}, {"unlearning_epochs": ["0"]}),
}


DATA = {  # [data] of a binary target
    "target": "bought", "positive": ["yes"], "negative": None, "classes": None, "target_limits": None, "id": "customer",
    "numeric": {"age": ["-5", "100"], "image": ["0", "255", "784"]}, "categorical": {"région": ["n", "s", ""]},
    "intercept": True, "outside": "refuse", "normalise": "row",
}
META = {"model": "Churn", "owner": "A. Müller", "purpose": "offers; none by price", "version": "2.1"}


def own_data(loss: Json, **changes: Json) -> Json:
    """A small run on the user's own records."""
    return statement(small(mechanism={"noise_std": "3", "step_size": "0.01"}, loss=loss, data=DATA | changes))


def called(stated: Json, **meta: str) -> Json:
    """The statement with a [meta]."""
    return stated | {"predicate": stated["predicate"] | {"meta": meta}}


def executed_training(stated: Json) -> Json:
    """Learning alone: there are no requests."""
    stated = copy.deepcopy(stated)
    learned = copy.deepcopy(accepted("executed"))
    learning = learned["predicate"]["execution"]["phases"][0] | {"epochs": "4", "steps": "16"}
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
    "own_data": lambda: called(own_data(LOGISTIC), **META),
    "own_data_of_classes": lambda: own_data(
        {"kind": "softmax", "regularization": "0.05", "feature_norm": "1", "classes": "3", "clip": None},
        positive=None, classes=["0", "1", "2"], id=None, normalise="limits",
    ),
    "own_data_of_numbers": lambda: own_data(
        {"kind": "huber", "regularization": "0.05", "feature_norm": "1", "threshold": "0.25", "clip": None},
        positive=None, target_limits=["-0.5", "4/3"], outside="clip", intercept=False, normalise="limits",
    ),
    "own_data_of_counts": lambda: own_data(
        {"kind": "poisson", "regularization": "0.05", "feature_norm": "1", "target_bound": "5", "clip": "1"},
        positive=None, categorical={},
    ),
    "own_data_of_any_model": lambda: small(
        mechanism=SINGLE | {"noise_std": "2", "unlearning_epochs": ["2"]}, loss=FORGETFUL, target={"epsilon": "3"},
        data=DATA | {"negative": ["no", "never"], "normalise": "none"},
    ),
    "executed": lambda: executed(unlearned(1), others=[(4, None, None), (2, *swept(unlearned(2)))]),
    "executed_with_clipping_seen": lambda: seen_clipping(executed(unlearned(1))),
    "executed_one_of_two": lambda: executed(statement(small(
        mechanism={"noise_std": "3", "unlearning_epochs": ["1", "2"]}, requests={"sizes": ["1", "2"]}))),
    "executed_two_of_two": lambda: executed(statement(small(
        mechanism={"noise_std": "3", "unlearning_epochs": ["0", "2"]}, requests={"sizes": ["2", "1"]})), 2),
    "executed_release_all": lambda: executed(statement(small(
        mechanism={"unlearning_epochs": ["1", "1"], "noise_std": "2"}, requests={"sizes": ["1", "2"]},
        threat={"release": "all"}, target={"epsilon": "9"})), 2),
    "executed_secret": lambda: executed(statement(small(mechanism={"batch_order": "secret", "noise_std": "1"}))),
    "executed_learning": lambda: executed(
        statement(small(mechanism={"unlearning_epochs": ["0"], "noise_std": "1"})), 0),
    "executed_reproducible": lambda: retrained(executed(statement(small(mechanism={"noise_std": "1"})))),
    "executed_reference_of_T": lambda: retrained(executed(
        statement(small(mechanism={"noise_std": "3", "radius": "1"}, threat={"reference": "retrain-T"}), restart=True)
    )),
    "executed_training": lambda: executed_training(training_statement(
        training_run(mechanism={"sampling": "shuffled", "sample_rate": None, "batch_size": "10", "samples": "40",
                                "steps": "16", "noise_multiplier": "6"}, target={"epsilon": "3"},
                     threat={"neighbours": "replace-one"}))),
    # run in floating point
    "noise_above_rounding": lambda: small(
        mechanism={"noise_std": "1"}, execution={"dtype": "float64", "dimension": "7850", "largest_coordinate": "1"}),
    "noise_above_rounding_of_all_models": lambda: small(
        mechanism={"unlearning_epochs": ["1", "1"], "noise_std": "2"}, requests={"sizes": ["1", "2"]},
        threat={"release": "all"}, target={"epsilon": "9"}, loss=LOGISTIC | {"regularization": "0.25"},
        execution={"dtype": "float32", "dimension": "65", "largest_coordinate": "7.99"}),
    "noise_above_rounding_of_unknown_size": lambda: small(
        mechanism={"noise_std": "1"}, execution={"dtype": "float32", "dimension": "7850"}),
    "noise_above_rounding_without_decay": lambda: small(
        mechanism={"noise_std": "1", "radius": "1"}, loss=CONVEX,
        execution={"dtype": "float32", "dimension": "9", "largest_coordinate": "1000"}),
    "figures_of_learning": lambda: with_figures(
        statement(small(mechanism={"noise_std": "1", "unlearning_epochs": ["0"]}, loss=LOGISTIC)), "epochs"),
    "figures_of_a_curved_witness": lambda: with_figures(accepted("curved_mnist"), "epochs"),
    "figures_of_a_secret_order": lambda: with_figures(accepted("secret_mnist_b512")),
    "figures_of_two_requests": lambda: with_figures(accepted("two_requests_two_batches")),
    "figures_of_noise_in_a_ball": lambda: with_figures(accepted("noise_in_a_ball")),
    "figures_of_training": lambda: with_figures(
        trained(16), "steps", [(8, *swept(trained(8))), (40, *swept(trained(40)))]),
    "figures_of_nothing": lambda: pictured({"profile": None, "sweep": None, "published": None}),
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
    "expansive_wide_ball": lambda: small(  # W∞ by hand: .21·1.1² = .2541
        mechanism={"epochs": "1", "step_size": "1.05", "radius": "1000", "unlearning_epochs": ["0"], "noise_std": "1"},
        loss=CONVEX | {"strong_convexity": "2", "smoothness": "2"},
    ),
    "no_learning_phase": lambda: small(
        mechanism={"epochs": "0", "unlearning_epochs": ["3"], "initial_distance": "2", "step_size": "2/(L+m)"}
    ),
    # L2 to L6
    **{
        f"loss_{name}": lambda loss=loss, mechanism=mechanism: small(
            mechanism={"noise_std": "2", **mechanism}, loss={"regularization": "0.1", "feature_norm": "1", **loss},
            target={"epsilon": "9"},
        )
        for name, (loss, mechanism) in LOSS_VECTORS.items()
    },
    # T5, and the references that need it
    "restart_convex": lambda: small(
        mechanism={"epochs": "9", "radius": "0.25", "unlearning_epochs": ["0"]}, loss=CONVEX, target={"epsilon": "3"},
    ),
    "restart_expansive": lambda: small(
        mechanism={"step_size": "2.5", "radius": "0.05", "unlearning_epochs": ["1"], "noise_std": "1"},
        loss=CONVEX | {"strong_convexity": "0.1"}, target={"epsilon": "3"},
    ),
    "stationary": lambda: small(
        mechanism={"radius": "1", "unlearning_epochs": ["0", "1"], "noise_std": "2"}, requests={"sizes": ["4", "7"]},
        threat={"reference": "stationary"}, target={"epsilon": "4"}, loss=LOGISTIC,
    ),
    "retrain_T": lambda: small(
        mechanism={"epochs": "2", "radius": "0.5", "unlearning_epochs": ["1", "2"], "noise_std": "1"},
        requests={"sizes": ["1", "2"]}, threat={"reference": "retrain-T"}, target={"epsilon": "4"},
    ),
    # T7
    "release_all": lambda: small(
        mechanism={"unlearning_epochs": ["1", "0", "2"], "noise_std": "4", "initial_distance": "0.5"},
        requests={"sizes": ["2", "1", "9"]}, threat={"release": "all"}, target={"epsilon": "9"},
    ),
    "release_all_bounded": lambda: small(
        mechanism={"epochs": "8", "unlearning_epochs": ["5", "1"], "radius": "0.25"}, requests={"sizes": ["1", "1"]},
        threat={"release": "all"}, loss=CONVEX, target={"epsilon": "9"},
    ),
    "release_all_without_learning": lambda: small(
        mechanism={"epochs": "0", "unlearning_epochs": ["2", "1"], "noise_std": "1", "batch_order": "secret"},
        requests={"sizes": ["1", "1"]}, threat={"release": "all"},
    ),
    "release_all_learning": lambda: small(
        mechanism={"unlearning_epochs": ["0"], "noise_std": "1"}, threat={"release": "all"}
    ),
    # T9, T6m
    "secret_mnist_b128": lambda: run_file(mechanism={"batch_order": "secret"}, target={"epsilon": "0.05"}),
    "secret_mnist_b512": lambda: run_file(
        mechanism={"batch_size": "512", "epochs": "200", "noise_std": "0.0296407", "batch_order": "secret"},
        target={"epsilon": "0.06"},
    ),
    "secret_learning": lambda: small(
        mechanism={"samples": "80", "unlearning_epochs": ["0"], "noise_std": "1", "batch_order": "secret"}
    ),
    "secret_one_batch": lambda: small(mechanism={"batch_size": "30", "batch_order": "secret"}),
    "secret_remove_one": lambda: small(
        mechanism={"samples": "80", "batch_order": "secret", "unlearning_epochs": ["1", "0"]},
        threat={"neighbours": "remove-one", "reference": "retrain"}, loss=LOGISTIC, requests={"sizes": ["1", "1"]},
    ),
    "secret_two_records": lambda: small(
        mechanism={"batch_order": "secret", "noise_std": "1"}, requests={"sizes": ["2"]}, target={"epsilon": "3"},
    ),
    "secret_bounded_remainder_dropped": lambda: small(
        mechanism={"samples": "85", "radius": "1", "noise_std": "1", "batch_order": "secret", "remainder": "drop"},
    ),
    # T9r
    "secret_curve": lambda: small(mechanism={"samples": "80", "batch_order": "secret"}),
    "secret_curve_learning": lambda: small(
        mechanism={"samples": "70", "unlearning_epochs": ["0"], "noise_std": "1", "batch_order": "secret"}
    ),
    # T22, T23
    "wavy_in_a_ball": lambda: small(
        mechanism={"step_size": "0.05", "epochs": "2", "radius": "0.05", "noise_std": "0.5"}, loss=WAVY
    ),
    "wavy_drifts": lambda: small(
        mechanism={"noise_std": "9", "epochs": "1", "unlearning_epochs": ["1", "2"], "initial_distance": "0.5"},
        loss=WAVY, requests={"sizes": ["2", "11"]}, threat={"neighbours": "remove-one"}, target={"epsilon": "3"},
    ),
    "wavy_then_drifts": lambda: small(
        mechanism={"step_size": "0.02", "epochs": "1", "radius": "0.5"}, loss=WAVY, target={"epsilon": "3"}
    ),
    "wavy_learning_of_all_models": lambda: small(
        mechanism={"step_size": "0.01", "epochs": "2", "unlearning_epochs": ["0"], "radius": "1",
                   "batch_order": "secret"}, loss=WAVY, threat={"release": "all"},
    ),
    "clipped": lambda: small(
        mechanism={"step_size": "0.5", "epochs": "1", "unlearning_epochs": ["1", "1"], "noise_std": "4"},
        requests={"sizes": ["9", "3"]}, loss=CLIPPED,
    ),
    "clipped_release_all": lambda: small(
        mechanism={"step_size": "0.5", "epochs": "1", "unlearning_epochs": ["1", "2", "1"], "noise_std": "9",
                   "batch_order": "secret"}, loss=CLIPPED, requests={"sizes": ["1", "2", "1"]},
        threat={"release": "all"},
    ),
    "clipped_stationary": lambda: small(
        mechanism={"step_size": "0.5", "epochs": "3", "radius": "0.2", "noise_std": "1"}, loss=CLIPPED,
        requests={"sizes": ["7"]}, threat={"reference": "stationary"}, target={"epsilon": "4"},
    ),
    "softmax_active_clip": lambda: small(
        mechanism={"step_size": "0.1", "epochs": "1", "radius": "0.3", "unlearning_epochs": ["2"]},
        loss={"kind": "softmax", "regularization": "0.1", "feature_norm": "1", "classes": "10", "clip": "1"},
        target={"epsilon": "5"},
    ),
    "expansive_drifts": lambda: small(
        mechanism={"step_size": "4", "radius": "3", "noise_std": "4", "epochs": "2"}, loss=LOGISTIC | {"clip": "0.1"},
        requests={"sizes": ["12"]},
    ),
    # T26
    "clipped_one_record": lambda: small(
        mechanism=SINGLE | {"noise_std": "2", "unlearning_epochs": ["2"]}, loss=FORGETFUL, target={"epsilon": "3"},
    ),
    "clipped_one_batch": lambda: small(
        mechanism={"step_size": "0.5", "samples": "5", "batch_size": "5", "epochs": "9", "noise_std": "2"},
        requests={"sizes": ["4"]}, loss=FORGETFUL, target={"epsilon": "3"},
    ),
    "clipped_two_excursions": lambda: small(
        mechanism=SINGLE | {"epochs": "2", "unlearning_epochs": ["1", "2", "1"], "noise_std": "2"},
        requests={"sizes": ["1", "1", "1"]}, loss=FORGETFUL, target={"epsilon": "9"}, threat={"release": "all"},
    ),
    "clipped_unequal_starts": lambda: small(
        mechanism=SINGLE | {"initial_distance": "3", "noise_std": "2"}, loss=FORGETFUL, target={"epsilon": "3"},
    ),
    "clipped_retrain_T": lambda: small(
        mechanism=SINGLE | {"radius": "0.25", "noise_std": "1"}, loss=FORGETFUL, target={"epsilon": "3"},
        threat={"reference": "retrain-T"},
    ),
    "batch_clipped": lambda: small(
        mechanism={"step_size": "0.5", "epochs": "1", "unlearning_epochs": ["1", "1"], "noise_std": "4"},
        requests={"sizes": ["2", "1"]}, loss=BATCH_CLIPPED, target={"epsilon": "3"},
    ),
    "batch_clipped_one_record": lambda: small(
        mechanism=SINGLE | {"samples": "12", "batch_size": "4", "unlearning_epochs": ["0"], "noise_std": "2"},
        loss=FORGETFUL | {"clipping": "batch"}, target={"epsilon": "3"}, threat={"neighbours": "remove-one"},
    ),
    "batch_clipped_noise_in_a_ball": lambda: small(
        mechanism={"step_size": "0.05", "epochs": "2", "unlearning_epochs": ["3"], "radius": "0.08"},
        requests={"sizes": ["2"]}, loss=BATCH_CLIPPED, target={"epsilon": "1"},
    ),
    "drifts_then_contracts": lambda: small(
        mechanism={"samples": "4", "batch_size": "2", "step_size": "0.25", "unlearning_epochs": ["2", "1"],
                   "noise_std": "3"},
        requests={"sizes": ["1", "2"]}, loss=CONVEX | {"strong_convexity": "0.5"}, target={"epsilon": "3"},
    ),
    "contracts_then_drifts": lambda: small(
        mechanism={"step_size": "0.25", "unlearning_epochs": ["1"], "noise_std": "1"},
        loss=CONVEX | {"strong_convexity": "0.5"}, target={"epsilon": "3"},
    ),
    "expansion_by_gauges": lambda: small(
        mechanism={"step_size": "0.75", "epochs": "3", "radius": "2", "noise_std": "1"}, loss=WAVY,
    ),
    # T24
    "noise_in_a_ball": lambda: small(
        mechanism={"radius": "0.2", "unlearning_epochs": ["3"]}, loss=CONVEX, target={"epsilon": "0.1"}
    ),
    "noise_in_a_ball_stationary": lambda: small(
        mechanism={"radius": "0.125", "unlearning_epochs": ["1", "2"]}, loss=CONVEX, requests={"sizes": ["2", "1"]},
        threat={"reference": "stationary"},
    ),
    "wavy_noise_in_a_ball": lambda: small(
        mechanism={"step_size": "0.05", "epochs": "2", "unlearning_epochs": ["4"], "radius": "0.125"}, loss=WAVY,
    ),
    "clipped_noise_in_a_ball": lambda: small(
        mechanism={"step_size": "0.05", "epochs": "2", "unlearning_epochs": ["5"], "radius": "0.08"}, loss=CLIPPED,
        requests={"sizes": ["30"]}, target={"epsilon": "0.5"},
    ),
    # T6c
    "curved_mnist": lambda: run_file(
        mechanism={"epochs": "10", "unlearning_epochs": ["0"], "noise_std": "0.05"}, target={"epsilon": "2"},
    ),
    "curved_two_records": lambda: small(
        mechanism={"unlearning_epochs": ["0"], "noise_std": "0.2"}, requests={"sizes": ["2"]},
        threat={"neighbours": "remove-one"}, loss=LOGISTIC, target={"epsilon": "10"},
    ),
    "curved_flat": lambda: small(mechanism={"unlearning_epochs": ["0"]}, target={"epsilon": "5"}),
    # T16
    "scaled_logistic": lambda: small(
        mechanism={"epochs": "2", "noise_std": "1"}, loss=LOGISTIC | {"clip": None, "feature_norm": "1.5"},
        scaling={"kind": "psasc", "max_grad_norm": "1", "r": "0.1", "s": "0.5"}, target={"epsilon": "5"},
    ),
    "scaled_logistic_flat": lambda: small(
        mechanism={"epochs": "2", "noise_std": "1", "unlearning_epochs": ["0"]}, loss=LOGISTIC | {"clip": None},
        scaling={"kind": "clip", "max_grad_norm": "0.2"},
    ),
    "scaled_least_squares": lambda: small(
        mechanism={"noise_std": "1"}, target={"epsilon": "9"},
        loss={"kind": "least-squares", "regularization": "0.1", "feature_norm": "1", "target_bound": "2", "clip": None},
        scaling={"kind": "auto-s", "max_grad_norm": "1", "r": "0.25"},
    ),
    "scaled_least_squares_ball": lambda: small(
        mechanism={"noise_std": "2", "radius": "0.5"}, target={"epsilon": "9"},
        loss={"kind": "least-squares", "regularization": "0.1", "feature_norm": "1", "target_bound": "2", "clip": None},
        scaling={"kind": "psac", "max_grad_norm": "1", "r": "3"},
    ),
    "scaled_huber": lambda: small(
        mechanism={"noise_std": "2", "step_size": "0.5"}, target={"epsilon": "9"},
        loss={"kind": "huber", "regularization": "0.1", "feature_norm": "1", "threshold": "0.5", "clip": None},
        scaling={"kind": "psac", "max_grad_norm": "1", "r": "0.3"},
    ),
    "scaled_hinge": lambda: small(
        mechanism={"noise_std": "2", "batch_order": "secret"}, target={"epsilon": "9"},
        loss={"kind": "smoothed-hinge", "regularization": "0.1", "feature_norm": "1", "smoothing": "0.5", "clip": None},
        scaling={"kind": "psasc", "max_grad_norm": "1", "r": "2", "s": "0.75"},
    ),
    "scaled_poisson": lambda: small(
        mechanism={"noise_std": "2"}, target={"epsilon": "9"}, scaling={"kind": "clip", "max_grad_norm": "0.5"},
        loss={"kind": "poisson", "regularization": "0.1", "feature_norm": "1", "target_bound": "3", "clip": None},
    ),
    "scaled_poisson_ball": lambda: small(
        mechanism={"noise_std": "2", "radius": "0.25"}, target={"epsilon": "9"},
        loss={"kind": "poisson", "regularization": "0.1", "feature_norm": "1", "target_bound": "3", "clip": None},
        scaling={"kind": "psasc", "max_grad_norm": "1", "r": "0.1", "s": "1"},
    ),
    # T14 to T20. Where batches are sampled, the bounds are claims, true with a little room
    "training_poisson": lambda: training_statement(training_run(), ("0.717", "0.719"), other="0.897"),
    "training_stages": lambda: training_statement(training_run(
        mechanism={"kind": "dp-psasc", "noise_multiplier": "1.5", "sample_rate": None, "batch_size": "300",
                   "samples": "30000", "steps": None, "epochs": "1", "normaliser": "300"},
        stages=[{"noise_multiplier": "1", "sample_rate": None, "batch_size": None, "steps": "50", "epochs": None},
                {"noise_multiplier": "30", "sample_rate": "1", "batch_size": None, "steps": "3", "epochs": None}],
        scaling={"kind": "psasc", "max_grad_norm": "1", "r": "0.1", "s": "0.3", "gradient_norm_bound": None},
        momentum={"outer": "0.9", "inner_beta": "0.5", "inner_window": "4"}, target={"delta": "1/n", "epsilon": "1.5"},
        releases=[{"mu": "0.1", "text": "a histogram"}], threat={"neighbours": "remove-one"},
    ), ("0.5", "0.92"), other="1.1"),
    "training_truncated": lambda: training_statement(training_run(
        mechanism={"sample_rate": None, "batch_size": "20", "samples": "2000", "max_batch_size": "70"},
    ), ("0.717", "0.72"), "0.00000001", "0.9"),
    "training_without_replacement": lambda: training_statement(training_run(
        mechanism={"kind": "dp-psac", "sampling": "without-replacement", "samples": "1000", "steps": "10",
                   "noise_multiplier": "2"},
        threat={"neighbours": "replace-one"},
        scaling={"kind": "psac", "max_grad_norm": "2", "r": "0.1", "gradient_norm_bound": "1.5"},
    ), ("0.378", "0.388")),
    # T17r, T27: a bound below, and above, of a composition by Fourier transforms in doubles, and some room
    "training_replace_one": lambda: training_statement(training_run(
        threat={"neighbours": "replace-one"}), ("0.893", "0.897"), other="0.72"),
    "training_replace_one_cut": lambda: training_statement(training_run(
        mechanism={"sample_rate": None, "batch_size": "20", "samples": "2000", "max_batch_size": "70"},
        threat={"neighbours": "replace-one"}, releases=[{"mu": "0.001", "text": None}]
    ), ("0.89", "0.9"), "0.00000001"),
    "training_group": lambda: training_statement(training_run(
        threat={"neighbours": "add-or-remove-one", "group_size": "2"}, target={"epsilon": "2"}
    ), ("1.525", "1.535"), other="1.92"),
    "training_group_cut": lambda: training_statement(training_run(
        mechanism={"sample_rate": None, "batch_size": "20", "samples": "2000", "max_batch_size": "70"},
        threat={"neighbours": "remove-one", "group_size": "2"}, target={"epsilon": "2"}
    ), ("1.52", "1.54"), "0.00000001", "1.93"),
    "training_group_replaced": lambda: training_statement(training_run(
        threat={"neighbours": "replace-one", "group_size": "3"}, target={"epsilon": "3"}, mechanism={
            "kind": "dp-psac"}, scaling={"kind": "psac", "max_grad_norm": "2", "r": "0.1", "gradient_norm_bound": None},
    ), ("2.975", "2.995"), other="2.37"),
    "training_group_together": lambda: training_statement(training_run(
        threat={"neighbours": "add-or-remove-one", "group_size": "2", "group_sampling": "together"},
        target={"epsilon": "7"}
    ), ("6.45", "6.49"), other="6.71"),
    "training_group_full": lambda: training_statement(training_run(
        mechanism={"sampling": "full", "sample_rate": None, "noise_multiplier": "30"},
        releases=[{"mu": "0.1", "text": None}], target={"epsilon": "4"},
        threat={"neighbours": "add-or-remove-one", "group_size": "2"},
    )),
    "training_group_fixed": lambda: training_statement(training_run(
        mechanism={"sampling": "fixed", "sample_rate": "0.3", "steps": "11", "noise_multiplier": "9"},
        target={"epsilon": "3", "delta": "0.001"},
        threat={"neighbours": "replace-one", "group_size": "2", "group_sampling": "together"},
    )),
    "training_poisson_of_all": lambda: training_statement(training_run(
        mechanism={"sample_rate": "1", "noise_multiplier": "20", "samples": "50", "max_batch_size": "51"},
        target={"epsilon": "2"},
    )),
    "training_executed_in_float32": lambda: training_statement(training_run(
        mechanism={"sampling": "full", "sample_rate": None, "noise_multiplier": "100"},
        execution={"dtype": "float32", "largest_coordinate": "2.5"})),
    "training_full": lambda: training_statement(training_run(
        mechanism={"kind": "auto-s", "sampling": "full", "sample_rate": None, "noise_multiplier": "30"},
        scaling={"kind": "auto-s", "max_grad_norm": "0.5", "r": "0.01", "gradient_norm_bound": "7"},
        stages=[{"noise_multiplier": "20", "sample_rate": None, "batch_size": None, "steps": "10", "epochs": None}],
        releases=[{"mu": "0.1", "text": None}], target={"epsilon": "4"}, threat={"neighbours": "replace-one"},
    )),
    "training_shuffled": lambda: training_statement(training_run(
        mechanism={"kind": "dp-psac", "sampling": "shuffled", "sample_rate": None, "batch_size": "30",
                   "samples": "90", "steps": None, "epochs": "5", "noise_multiplier": "6"},
        scaling={"kind": "psac", "max_grad_norm": "2", "r": "0.1", "gradient_norm_bound": None},
        stages=[{"noise_multiplier": "9", "sample_rate": None, "batch_size": None, "steps": "7", "epochs": None}],
        releases=[{"mu": "0.25", "text": None}], momentum={"outer": "0.9"}, target={"epsilon": "4"},
        threat={"neighbours": "replace-one"},
    )),
    "training_fixed": lambda: training_statement(training_run(
        mechanism={"sampling": "fixed", "sample_rate": "0.3", "steps": "11", "noise_multiplier": "4"},
        target={"epsilon": "2", "delta": "0.001"}, threat={"neighbours": "remove-one"},
    )),
}

CHOICES: dict[str, Json] = {
    "restart_convex": {"restart": True}, "restart_expansive": {"restart": True}, "stationary": {"restart": True},
    "retrain_T": {"restart": True}, "release_all_bounded": {"restart": True},
    "secret_mnist_b128": {"looked_at": [0, 40, 56, 64, 70, 74, 77, 79, 81, 83, 84, 85, 86, 87]},
    "secret_learning": {"looked_at": [0, 3, 5, 6, 7], "rule": "right"},
    "secret_bounded_remainder_dropped": {"looked_at": [0, 4, 6, 7], "rule": "right"},
    "secret_curve": {"mixed": [0, 3, 5, 6, 7]},
    "secret_curve_learning": {"looked_at": [0, 3, 5, 6], "rule": "right", "mixed": list(range(7))},
    "wavy_in_a_ball": {"rates": ("T22", "T22"), "restart": True}, "wavy_drifts": {"rates": ("T23",) * 3},
    "wavy_then_drifts": {"rates": ("T22", "T23"), "restart": True},
    "wavy_learning_of_all_models": {"rates": ("T22",) * 2}, "clipped": {"rates": ("T23",) * 3},
    "clipped_release_all": {"rates": ("T23",) * 4}, "clipped_stationary": {"rates": ("T23",) * 2, "restart": True},
    "softmax_active_clip": {"rates": ("T23", "T22"), "restart": True}, "expansive_drifts": {"rates": ("T23",) * 2},
    "clipped_one_record": {"rates": ("T23",) * 2}, "clipped_one_batch": {"rates": ("T23",) * 2},
    "own_data_of_any_model": {"rates": ("T23",) * 2},
    "clipped_two_excursions": {"rates": ("T23",) * 4}, "clipped_unequal_starts": {"rates": ("T23",) * 2},
    "clipped_retrain_T": {"rates": ("T23",) * 2, "restart": True}, "batch_clipped": {"rates": ("T23b",) * 3},
    "batch_clipped_one_record": {"rates": ("T23b",) * 2},
    "batch_clipped_noise_in_a_ball": {"rates": ("T23b",) * 2, "before_noise": (2, "T23b"), "restart": True},
    "drifts_then_contracts": {"rates": ("T23", "C1", "C1"), "gauged": True},
    "contracts_then_drifts": {"rates": ("C1", "T23")},
    "expansion_by_gauges": {"rates": ("T22", "T22"), "gauged": True},
    "noise_in_a_ball": {"before_noise": (2, "C1"), "restart": True},
    "noise_in_a_ball_stationary": {"before_noise": (1, "C1"), "restart": True},
    "wavy_noise_in_a_ball": {"rates": ("T22", "T23"), "before_noise": (4, "T22"), "restart": True},
    "clipped_noise_in_a_ball": {"rates": ("T23",) * 2, "before_noise": (3, "T23"), "restart": True},
    "curved_mnist": {"curved": ("0.25", "0.25")},
    "curved_two_records": {"curved": ("0.2", "0.25")},
    "curved_flat": {"curved": ("0", "0")},
}


@cache
def accepted(name: str) -> Json:
    """The statement of an accepted vector."""
    made = ACCEPT[name]()
    return made if "predicate" in made else statement(made, **CHOICES.get(name, {}))


SEALED: dict[str, Callable[[], bytes]] = {  # accepted too; envelopes, and not the statements of certificates
    "signed_once": lambda: signed(seal(accepted("executed")), "a"),
    "signed_twice": lambda: signed(seal(accepted("executed")), "a", "b"),
    "erasure_record": lambda: seal(record_of(accepted("executed"))),
    "erasure_record_first_of_two": lambda: seal(record_of(accepted("executed_two_of_two"))),
    "signed_erasure_record": lambda: signed(seal(record_of(accepted("executed"))), "b"),
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
    raw("signed", envelope(payload, signatures=[{"keyid": "k", "sig": "AAAA"}]), 2, "keyid: needs 64")
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
    edited("unknown_mechanism", 2, "needs one of", put("run", "mechanism", "kind", "sgd"))
    edited("batch_order_unknown", 2, "needs one of", put("run", "mechanism", "batch_order", "shuffled"))
    edited("release_unknown", 2, "needs one of", put("run", "threat", "release", "some"))
    edited("reference_unknown", 2, "needs one of", put("run", "threat", "reference", "none"))
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
    rejected_data(edited, put)
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
    # the losses' side conditions, and constants a hair too good
    lossy = {name: statement(ACCEPT[f"loss_{name}"]()) for name in LOSS_VECTORS}
    for name, of, key, value, message in (
        ("least_squares_without_clip_or_radius", "least_squares_clip", "clip", None, "needs a clip or a radius"),
        ("huber_threshold_zero", "huber", "threshold", "0", "threshold > 0"),
        ("huber_feature_norm_zero", "huber", "feature_norm", "0", "feature_norm > 0"),
        ("smoothed_hinge_smoothing_zero", "smoothed_hinge", "smoothing", "0", "smoothing > 0"),
        ("poisson_without_clip_or_radius", "poisson_clip", "clip", None, "needs a clip or a radius"),
        ("poisson_clip_zero", "poisson_clip", "clip", "0", "clip > 0"),
        ("softmax_active_clip", "softmax_idle_clip", "clip", "1.4142135623", "not convex"),
        ("softmax_one_class", "softmax", "classes", "1", "two classes"),
    ):
        edited(name, 1, message, put("run", "loss", key, value), lossy[of])
    edited("poisson_radius_beyond_use", 1, "feature_norm * radius <= 100", put(*mechanism, "radius", "151"),
           lossy["poisson_ball"])
    edited("poisson_radius_zero", 1, "radius > 0", put(*mechanism, "radius", "0"), lossy["poisson_ball"])
    edited("loss_unknown", 2, "needs one of", put("run", "loss", "kind", "hinge"))
    edited("loss_key_missing", 2, "missing key", lambda p: p["run"]["loss"].pop("target_bound"), lossy["poisson_clip"])
    edited("loss_of_another_kind", 1, "L4 is needed here, got L1",
           put("run", "loss", LOGISTIC | {"kind": "smoothed-hinge", "smoothing": "4"}))
    edited("loss_in_another_ball", 1, "radius is not what the run implies",
           at("L5", "args", "radius", "0.5", lossy["poisson_ball"]), lossy["poisson_ball"])
    edited("counts_not_assumed", 1, "assumptions: not what",
           lambda p: p.update(assumptions=[a for a in p["assumptions"] if a["id"] != "counts"]), lossy["poisson_ball"])
    edited("domain_not_assumed", 1, "assumptions: not what",
           lambda p: p.update(assumptions=[a for a in p["assumptions"] if a["id"] != "domain"]),
           lossy["least_squares_ball"])
    for name, theorem, key in (
        ("least_squares_ball", "L2", "gradient_bound"), ("huber", "L3", "smoothness"),
        ("smoothed_hinge", "L4", "smoothness"), ("poisson_ball", "L5", "smoothness"),
        ("poisson_both", "L5", "smoothness"), ("softmax", "L6", "gradient_bound"),
    ):
        stated = Fraction(lossy[name]["predicate"]["proof"]["steps"][0]["concludes"][key])
        edited(f"{name}_{key}_understated", 1, f"{key} is",
               at(theorem, "concludes", key, exact(stated - Fraction(1, 10**17)), lossy[name]), lossy[name])
    edited("convexity_above_smoothness", 1, "strong_convexity <= smoothness",
           put("run", "loss", CONVEX | {"strong_convexity": "1.5"}))
    edited("expansive_without_radius", 1, "without a radius", put(*mechanism, "step_size", "50"))
    for loss, rates, step_size in ((CONVEX, (), "2.1"), (WAVY, ("T22", "T22"), "0.1")):
        way = {"loss": loss, "mechanism": {"step_size": step_size, "radius": "5"}}
        for name, message, change in (
            ("two_records", "more than one differing", {"requests": {"sizes": ["2"]}}),
            ("unequal_starts", "unequal starts", {"mechanism": way["mechanism"] | {"initial_distance": "1"}}),
            ("stationary", "unequal starts", {"threat": {"reference": "stationary"}}),
            ("wide", "without a radius", {"mechanism": way["mechanism"] | {"radius": None}}),
        ):
            raw(f"{'wavy' if rates else 'expansive'}_{name}", seal(statement(small(**way | change), rates=rates)), 1,
                message)
    # 5, 6: rounding
    sharp = {"kind": "constants", "smoothness": "1", "strong_convexity": "0.5", "gradient_bound": "1", "convex": True}
    fading = {"mechanism": {"unlearning_epochs": ["60"], "noise_std": "0.000000000000000001"}, "loss": sharp}
    float64 = {"dtype": "float64", "dimension": "1", "largest_coordinate": "1"}
    assert statement(small(**fading))["predicate"]["verdict"] == "CERTIFIED"
    below = statement(small(**fading, execution=float64))  # certified, but for what no float64 can hold
    raw("noise_below_rounding", seal(below), 3, "its noise is not above rounding")
    floored = statement(small(mechanism={"noise_std": "1"}, execution=float64))
    place = next(i for i, a in enumerate(below["predicate"]["assumptions"]) if a["id"] == "noise_above_rounding")
    for name, code, message, edit, of in (
        ("below_rounding_called_certified", 1, "the verdict is INDETERMINATE", put("verdict", "CERTIFIED"), below),
        ("below_rounding_called_not_certified", 1, "the verdict is INDETERMINATE", put("verdict", "NOT_CERTIFIED"),
         below),
        ("below_rounding_attested", 1, "assumptions: not what", put("assumptions", place, "status", "attested"), below),
        ("below_rounding_proved", 1, "assumptions: not what", put("assumptions", place, "status", "proved"), below),
        ("below_rounding_checked", 1, "assumptions: not what", put("assumptions", place, "status", "checked"), below),
        ("below_rounding_left_out", 1, "assumptions: not what", lambda p: p["assumptions"].pop(place), below),
        ("above_rounding_violated", 1, "assumptions: not what", put("assumptions", place, "status", "violated"),
         floored),
        ("above_rounding_attested", 1, "assumptions: not what", put("assumptions", place, "status", "attested"),
         floored),
        ("above_rounding_of_no_execution", 1, "assumptions: not what", lambda p: p["run"].pop("execution"), floored),
        ("executed_in_nothing", 2, "is empty", put("run", "execution", {}), floored),
        ("executed_in_null", 2, "needs an object", put("run", "execution", None), floored),
        ("executed_in_halves", 2, "needs one of", put("run", "execution", "dtype", "float16"), floored),
        ("executed_in_an_unknown_key", 2, "unknown key", put("run", "execution", "ulps", "1"), floored),
        ("executed_in_a_null_dtype", 2, "needs one of", put("run", "execution", "dtype", None), floored),
        ("executed_in_no_dimension", 1, "dimension >= 1", put("run", "execution", "dimension", "0"), floored),
        ("executed_in_half_a_dimension", 2, "an integer", put("run", "execution", "dimension", "1.5"), floored),
        ("executed_in_no_space", 1, "largest_coordinate > 0", put("run", "execution", "largest_coordinate", "0"),
         floored),
        ("executed_beyond_float32", 1, "beyond the largest number", lambda p: p["run"]["execution"].update(
            dtype="float32", largest_coordinate=str(2**128)), floored),
        ("executed_beyond_float64", 1, "beyond the largest number", put(
            "run", "execution", "largest_coordinate", str(2**1024)), floored),
    ):
        edited(name, code, message, edit, of)
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
    edited("request_swapped", 1, "needs 4 premises",
           lambda p: p["proof"]["claims"][0].update(bound=p["proof"]["claims"][1]["bound"]), double)
    edited("request_without_claim", 1, "one entry for each request", lambda p: p["proof"]["claims"].pop(0), double)
    # 6: the front page has the largest of all requests, each number by itself
    def told_of(name: str, request: int, of: Json) -> Callable[[Json], None]:
        """The front page says what is proved of one request."""

        def edit(p: Json) -> None:
            steps, claim = p["proof"]["steps"], p["proof"]["claims"][request]
            curve = steps[int(claim["renyi"])]
            if name == "mu":
                p["mu"]["upper"] = steps[int(claim.get("mu", curve["premises"][0]))]["concludes"]["mu"]
            elif name == "renyi":
                p["renyi"] = [{"order": order, "upper": value} for order, value in
                              zip(ORDERS, curve["concludes"]["renyi"], strict=True)]
            else:
                p["wasserstein"][name] = steps[int(claim[name])]["concludes"]["wasserstein"]

        return edit

    three = statement(small(mechanism={"samples": "80", "batch_order": "secret", "unlearning_epochs": ["1", "0"],
                                       "noise_std": "2"}, requests={"sizes": ["1", "2"]}, target={"epsilon": "9"}),
                      mixed=[0, 3, 5, 6, 7])
    for name in ("mu", "renyi", "learned", "released"):
        shown = "wasserstein" if name[-1] == "d" else name
        edited(f"{name}_of_one_request", 1, f"{shown}: not what the proof", told_of(name, 0, three), three)
    edited("details_of_the_worst_request_alone", 2, "missing key", lambda p: [
        p["proof"]["claims"][0].pop(key) for key in ("renyi", "learned", "released", "mu")], three)
    edited("curve_of_another_request", 1, "not of the string that bounds epsilon", lambda p: p["proof"]["claims"][
        1].update(renyi=p["proof"]["claims"][0]["renyi"]), double)
    edited("curves_of_other_orders", 1, "needs the orders of the first claim", lambda p: p["proof"]["steps"][int(
        p["proof"]["claims"][1]["renyi"])]["args"].update(orders=["1.5", "2", "8", "65"]), three)
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
    # 5, 6: a bounded domain, and the references that need it
    def accepted_and(name: str) -> tuple[Json, Callable[..., Callable]]:
        made = accepted(name)
        return made, lambda *path, last=False: at(*path, of=made, last=last)

    def both(*edits: Callable[[Json], Any]) -> Callable[[Json], None]:
        def edit(p: Json) -> None:
            for one in edits:
                one(p)

        return edit

    threat = ("run", "threat")
    restart, change = accepted_and("restart_convex")
    begin = {"block": "0", "epoch": "7", "position": "0"}
    for name, message, part in (
        ("restart_after_the_end", "after the end", {"block": "1", "epoch": "0"}),
        ("restart_outside_the_block", "not in the block", {"epoch": "9"}),
        ("restart_outside_the_epoch", "not in the epoch", {"position": "3"}),
        ("restart_too_late", "mu does not follow", {"epoch": "8"}),
    ):
        edited(name, 1, message, change("T5", "args", "restart", begin | part), restart)
    late = {"block": "0", "position": "2", "first": "8", "last": "8"}
    for name, first in (("corner_before_the_restart", {"first": "6"}), ("corner_at_the_restart", {"first": "7"})):
        where = {"position": "0"} if "at" in name.split("_") else {}
        edited(name, 1, "after the start", change("T5", "args", "corners", [late | first | where]), restart)
    edited("restart_dips_below_zero", 1, "dips below zero",
           both(change("T5", "args", "restart", begin | {"epoch": "6"}), change("T5", "args", "corners", [])), restart)
    lied("restart_mu_understated", "mu does not follow", "mu", "upper", of=restart)
    edited("restart_without_radius", 1, "needs a radius",
           both(at("T3", "args", "restart", begin, learning),
                put("proof", "steps", find("T3", learning), "theorem", "T5")), learning)
    stationary, change = accepted_and("stationary")
    edited("stationary_from_equal_starts", 1, "start is not what",
           change("T10", "args", "start", "0", last=True), stationary)
    edited("stationary_from_the_initial_distance", 1, "start is not what",
           both(put(*mechanism, "initial_distance", "0.1"),
                lambda p: [put("proof", "steps", i, "args", "start", "0.1")(p)
                           for i, s in enumerate(p["proof"]["steps"]) if s["theorem"] == "T10"]), stationary)
    edited("stationary_without_radius", 1, "needs a radius", put(*mechanism, "radius", None), stationary)
    edited("stationary_called_retraining", 1, "start is not what", put(*threat, "reference", "retrain"), stationary)
    edited("retraining_called_stationary", 1, "needs a radius", put(*threat, "reference", "stationary"))
    shorter, change = accepted_and("retrain_T")
    whole = [{**shorter["predicate"]["proof"]["steps"][find("T10", shorter)]["args"]["phases"][0], "epochs": "2"}]
    whole += shorter["predicate"]["proof"]["steps"][find("T10", shorter)]["args"]["phases"][1:]
    edited("retrain_T_of_the_whole_history", 1, "phases is not what", change("T10", "args", "phases", whole), shorter)
    edited("retrain_T_of_no_epochs", 1, "at least one step", put(*mechanism, "epochs", "0"), shorter)
    edited("retrain_T_without_radius", 1, "needs a radius", put(*mechanism, "radius", None), shorter)
    edited("retrain_T_learned_more", 1, "phases is not what", change("T1", "args", "phases", "2"), shorter)
    # 5, 6: all models are released
    seen, change = accepted_and("release_all")
    composed = find("T7", seen, True)
    edited("composition_misses_a_stretch", 1, "premises",
           lambda p: p["proof"]["steps"][composed]["premises"].pop(), seen)
    edited("composition_repeats_a_stretch", 1, "is not what", put("proof", "steps", composed, "premises",
           seen["predicate"]["proof"]["steps"][composed]["premises"][1:] * 2), seen)
    edited("stretch_of_another_start", 1, "start is not what", change("T10", "args", "start", "0"), seen)
    edited("stretch_from_the_initial_distance", 1, "start is not what",
           lambda p: [s["args"].update(start="0.5") for s in p["proof"]["steps"] if s["theorem"] == "T10"], seen)
    edited("release_all_called_final", 1, "T3 is needed here", put(*threat, "release", "final"), seen)
    edited("release_final_called_all", 1, "T7 is needed here", put(*threat, "release", "all"))
    edited("release_all_without_its_assumption", 1, "assumptions: not what",
           lambda p: p["assumptions"].remove(next(a for a in p["assumptions"] if a["id"] == "release:all")), seen)
    lied("composition_understated", "mu does not follow", "mu", "upper", of=seen)
    seen_bounded = accepted("release_all_bounded")
    edited("release_all_stationary", 1, "needs reference = retrain",
           put(*threat, "reference", "stationary"), seen_bounded)
    unlearned = accepted("release_all_without_learning")
    edited("release_all_unequal_starts", 1, "unequal starts", put(*mechanism, "initial_distance", "1"), unlearned)
    # 5, 6: a secret batch order
    eight = {"samples": "80", "batch_order": "secret", "noise_std": "1"}
    secret = statement(small(mechanism=eight), looked_at=[0, 4, 6, 7])
    secret_learning = accepted("secret_learning")
    positions = [str(p) for p in (0, 4, 6, 7)]
    for name, message, chosen in (
        ("positions_skip_the_last_batch", "end with the last batch", positions[:-1]),
        ("positions_skip_the_first_batch", "begin with batch 0", positions[1:]),
        ("positions_missing", "begin with batch 0", []),
        ("positions_descend", "must ascend", ["0", "6", "4", "7"]),
        ("positions_repeat", "must ascend", ["0", "4", "4", "7"]),
        ("positions_after_the_epoch", "end with the last batch", [*positions, "8"]),
    ):
        for theorem in ("T9", "T6m"):
            edited(name + "_witness" * (theorem == "T6m"), 1, message,
                   at(theorem, "args", "positions", chosen, secret), secret)
    edited("chord_rule_where_not_convex", 1, "needs two phases",
           at("T9", "args", "rule", "chord", secret_learning), secret_learning)
    strong = statement(
        small(mechanism=eight | {"noise_std": "0.05"}, target={"delta": "0.3"}), looked_at=[0, 4, 6, 7], rule="right")
    edited("chord_rule_above_the_bend", 1, "mu^2 <= 2 epsilon", at("T9", "args", "rule", "chord", strong), strong)
    edited("rule_unknown", 2, "needs one of", at("T9", "args", "rule", "left", secret), secret)
    edited("secret_order_in_the_best_batch", 1, "phases is not what",
           lambda p: p["proof"]["steps"][find("T10", secret)]["args"]["phases"][0].update(records=[["0", "1"]]), secret)
    for name, message, edit in (
        ("secret_order_with_two_records", "T11 is needed here", put("run", "requests", "sizes", ["2"])),
        ("secret_order_in_a_fixed_run", "T11 is needed here", put(*mechanism, "batch_order", "fixed")),
        ("secret_order_from_unequal_starts", "T11 is needed here", put(*mechanism, "initial_distance", "1")),
        ("secret_order_of_all_models", "T11 is needed here", put(*threat, "release", "all")),
        ("secret_order_against_stationary", "T11 is needed here",
         both(put(*threat, "reference", "stationary"), put(*mechanism, "radius", "1"))),
        ("secret_order_of_an_expansion", "T11 is needed here",
         both(put(*mechanism, "step_size", "50"), put(*mechanism, "radius", "1"))),
        ("secret_order_without_its_assumption", "assumptions: not what",
         lambda p: p["assumptions"].remove(next(a for a in p["assumptions"] if a["id"] == "batches:secret"))),
        ("secret_delta_of_another_run", "delta is not what", at("T9", "args", "delta", "0.5", secret)),
        ("secret_renyi_of_another_string", "T3 is needed here", put("proof", "steps", find("T2", secret), "premises",
         [str(find("T9", secret))])),
        ("secret_witness_under_projection", "no witness",
         both(put(*mechanism, "radius", "1"), at("T10", "args", "diameter", "2", secret))),
        ("secret_witness_with_a_remainder", "no witness",
         both(put(*mechanism, "samples", "81"), put(*mechanism, "remainder", "drop"))),
        ("secret_witness_threshold_elsewhere", "epsilon does not follow", at("T6m", "args", "threshold", "0", secret)),
        ("secret_witness_for_another_delta", "delta is not what", at("T6m", "args", "delta", "0.000001", secret)),
        ("secret_witness_concludes_more", "epsilon does not follow",
         at("T6m", "args", "epsilon", "0.1", secret)),
        ("secret_witness_says_mu", "mu: not what", put("mu", "lower", "0.1")),
    ):
        edited(name, 1, message, edit, secret)
    edited("fixed_order_called_secret", 1, "T9 is needed here", put(*mechanism, "batch_order", "secret"))
    pair = statement(small(mechanism={"noise_std": "1"}, requests={"sizes": ["2"]}, target={"epsilon": "9"}))
    edited("known_batch_as_witness_of_a_secret_order", 1, "no witness",
           put(*mechanism, "batch_order", "secret"), pair)
    lied("secret_epsilon_understated", "epsilon does not follow", "epsilon", "upper", of=secret)
    lied("secret_learning_understated", "epsilon does not follow", "epsilon", "upper", of=secret_learning)
    more = str(Context(prec=12).next_plus(Decimal(secret["predicate"]["epsilon"]["lower"])))
    lied("secret_witness_overstated", "epsilon does not follow", "epsilon", "lower", more, secret)
    # 5, 6: the curved witness
    curved, change = accepted_and("curved_two_records")
    for name, message, edit in (
        ("curvature_above_L_minus_m", "L - m", change("T6c", "args", "others", "0.26")),
        ("own_curvature_above_L_minus_m", "L - m", change("T6c", "args", "own", "0.26")),
        ("witness_interval_too_small", "interval is too small", change("T6c", "args", "own", "0")),
        ("curved_witness_for_another_delta", "delta is not what", change("T6c", "args", "delta", "0.000001")),
        ("curved_witness_of_another_loss", "strong_convexity is not", change("T6c", "args", "strong_convexity", "0")),
        ("curved_witness_of_a_rougher_loss", "smoothness is not", change("T6c", "args", "smoothness", "0.5")),
        ("curved_witness_concludes_more", "epsilon does not follow", change("T6c", "args", "epsilon", "1")),
        ("curved_mu_concludes_more", "mu does not follow", change("T6c", "args", "mu", "0.5")),
    ):
        edited(name, 1, message, edit, curved)
    for name, message, keys, size, loss, others in (
        ("curved_witness_in_two_batches", "in the last batch", {}, "12", LOGISTIC, "0.1"),
        ("curved_witness_after_unlearning", "a single phase", {"unlearning_epochs": ["1"]}, "1", LOGISTIC, "0.1"),
        ("curved_witness_from_unequal_starts", "equal starts", {"initial_distance": "1"}, "1", LOGISTIC, "0.1"),
        ("curved_witness_with_a_slope_of_one", "slopes", {}, "1", CONVEX, "0"),
        ("curved_witness_with_a_negative_slope", "slopes", {"step_size": "2/(L+m)"}, "1", LOGISTIC, "0.25"),
    ):
        slopes = (others, others)
        run = small(mechanism={"unlearning_epochs": ["0"]} | keys, requests={"sizes": [size]}, loss=loss)
        raw(name, seal(statement(run, curved=(*slopes, "0.1", "0.1"))), 1, message)
    for key in ("epsilon", "mu"):
        shown = curved["predicate"][key]["lower"]
        more = str(Context(prec=12).next_plus(Decimal(shown)))
        lied(f"curved_{key}_overstated", f"{key} does not follow", key, "lower", more, curved)
    # 5, 6: neither convex nor, sometimes, smooth
    wavy, change = accepted_and("wavy_drifts")
    clipped = accepted("clipped")
    soft, of_soft = accepted_and("softmax_active_clip")

    def replaced(theorem: str, made: Json, of: Json) -> Callable[[Json], None]:
        return put("proof", "steps", find(theorem, of), made)

    expanded = {"theorem": "T22", "args": {"step_size": "0.5", "smoothness": "1"}, "premises": ["0"],
                "concludes": {"contraction": "1.5"}}
    convexity = ("assumptions", 0, "status")
    edited("convex_missing", 2, "missing key", lambda p: p["run"]["loss"].pop("convex"), wavy)
    edited("convex_text", 2, "needs one of", put("run", "loss", "convex", "true"), wavy)
    edited("clipped_with_a_feature_norm", 2, "unknown key", put("run", "loss", "feature_norm", "1"), clipped)
    edited("clipped_without_clip", 2, "an exact number", put("run", "loss", "clip", None), clipped)
    edited("clipped_clip_zero", 1, "clip > 0", put("run", "loss", "clip", "0"), clipped)
    edited("clipped_smoothness_invented", 2, "needs one of", at("L7", "concludes", "smoothness", "1", clipped), clipped)
    edited("clipped_called_convex", 1, "convex is False", at("L7", "concludes", "convex", True, clipped), clipped)
    edited("softmax_called_convex", 1, "convex is False", of_soft("L6", "concludes", "convex", True), soft)
    edited("convex_called_wavy", 1, "convex is True", at("L1", "concludes", "convex", False))
    edited("step_size_rule_without_smoothness", 1, "needs a known smoothness",
           put(*mechanism, "step_size", "1/L"), clipped)
    edited("contraction_without_convexity", 1, "not convex", put("run", "loss", "convex", False), bounded)
    edited("expansion_without_smoothness", 1, "no smoothness", replaced("T23", expanded, clipped), clipped)
    edited("convexity_attested_though_violated", 1, "assumptions: not what", put(*convexity, "attested"), wavy)
    edited("smoothness_attested_though_violated", 1, "assumptions: not what",
           put("assumptions", 1, "status", "attested"), clipped)
    edited("convexity_violated_though_proved", 1, "assumptions: not what", put(*convexity, "violated"))
    edited("noise_violated", 1, "assumptions: not what", put("assumptions", 3, "status", "violated"), wavy)
    edited("expansion_understated", 1, "contraction is", of_soft("T22", "concludes", "contraction", "1.05"), soft)
    edited("expansion_of_another_loss", 1, "smoothness is not what", of_soft("T22", "args", "smoothness", "0.5"), soft)
    edited("expansion_of_another_step", 1, "step_size is not what", of_soft("T22", "args", "step_size", "0.01"), soft)
    edited("drift_understated", 1, "shift is", change("T23", "concludes", "shift", "1.99"), wavy)
    edited("drift_contraction_understated", 1, "contraction is", change("T23", "concludes", "contraction", "0.8"), wavy)
    edited("drift_of_another_clip", 1, "gradient_bound is not", change("T23", "args", "gradient_bound", "0.5"), wavy)
    edited("drift_of_another_decay", 1, "strong_convexity is", change("T23", "args", "strong_convexity", "0.2"), wavy)
    edited("drift_of_another_step", 1, "step_size is not what", change("T23", "args", "step_size", "0.1"), wavy)
    steep = statement(small(mechanism={"step_size": "20.5", "noise_std": "9"}, loss=CLIPPED), rates=("T23",) * 2)
    edited("drift_of_a_negative_factor", 1, "needs step_size * strong_convexity <= 1",
           at("T23", "concludes", "contraction", "0", steep), steep)
    rejected_gauges(edited, lied, put, at, find)
    edited("wavy_witness_left_out", 1, "needs a witness", put("proof", "claims", 1, "lower", None), wavy)
    edited("clipped_witness", 1, "no witness", put("proof", "claims", 0, "lower", "0"), clipped)
    curve = {"mechanism": {"unlearning_epochs": ["0"]}, "loss": WAVY}
    raw("curved_witness_without_convexity", seal(statement(small(**curve), rates=("T23",) * 2, curved=("0", "0"))), 1,
        "not convex")
    edited("secret_order_without_convexity", 1, "T11 is needed here", put("run", "loss", "convex", False), secret)
    for name, of in (("wavy_mu", wavy), ("clipped_mu", clipped), ("softmax_mu", soft)):
        lied(f"{name}_understated", "mu does not follow", "mu", "upper", of=of)
    lied("drift_distance_understated", "wasserstein does not follow", "wasserstein", "released", of=clipped)
    # 5, 6: the range before the noise
    ball, change = accepted_and("noise_in_a_ball")
    of_clipped = accepted("clipped_noise_in_a_ball")
    phase = ball["predicate"]["proof"]["steps"][find("T24", ball)]["args"]["phase"]
    before = find("T24", ball)
    for name, message, edit in (
        ("range_without_radius", "needs a radius", put(*mechanism, "radius", None)),
        ("range_for_retrain_T", "not for retrain-T", put(*threat, "reference", "retrain-T")),
        ("range_of_all_models", "T11 is needed here", put(*threat, "release", "all")),
        ("range_of_more_epochs", "the last epochs of", change("T24", "args", "phase", phase | {"epochs": "4"})),
        ("range_of_no_epochs", "the last epochs of", change("T24", "args", "phase", phase | {"epochs": "0"})),
        ("range_while_learning", "the last epochs of unlearning", put(*mechanism, "unlearning_epochs", ["0"])),
        ("range_of_everything", "epochs before the last",
         both(put(*mechanism, "epochs", "0"), change("T24", "args", "phase", phase | {"epochs": "3"}))),
        ("range_of_more_batches", "phase is not what", change("T24", "args", "phase", phase | {"batches": "4"})),
        ("range_of_more_noise", "phase is not what", change("T24", "args", "phase", phase | {"noise_std": "0.6"})),
        ("range_with_differing_records", "phase is not what",
         change("T24", "args", "phase", phase | {"records": [["2", "1"]]})),
        ("range_in_another_ball", "diameter is not what", change("T24", "args", "diameter", "0.3")),
        ("range_for_another_delta", "delta is not what", change("T24", "args", "delta", "0.5")),
        ("range_overlaps_the_string", "needs 2 premises",
         change("T24", "args", "phase", phase | {"epochs": "3"})),
        ("range_leaves_a_gap", "phases is not what", change("T24", "args", "phase", phase | {"epochs": "1"})),
        ("range_without_a_rate", "2 premises", lambda p: p["proof"]["steps"][before]["premises"].pop()),
        ("range_with_a_shift_as_rate", "C1 is needed here",
         lambda p: p["proof"]["steps"][before]["premises"].__setitem__(1, str(find("C2", ball)))),
        ("range_of_a_loss_without_convexity", "not convex", put("run", "loss", "convex", False)),
    ):
        edited(name, 1, message, edit, ball)
    lied("range_epsilon_understated", "epsilon does not follow", "epsilon", "upper", of=ball)
    lied("range_clipped_epsilon_understated", "epsilon does not follow", "epsilon", "upper", of=of_clipped)
    long = small(mechanism={"radius": "0.2", "unlearning_epochs": ["6667"]}, loss=CONVEX)
    raw("range_of_too_many_steps", seal(statement(long, before_noise=(6667, "C1"))), 1, "1 to 20000 steps")
    close = small(mechanism={"radius": "0.2", "unlearning_epochs": ["2"]}, loss=CONVEX, target={"epsilon": "0.001"})
    narrow = statement(close, before_noise=(1, "C1"), restart=True)
    raw("range_not_certified", seal(narrow), 1, "NOT_CERTIFIED: After")
    edited("range_indeterminate_though_provable", 1, "the verdict is NOT_CERTIFIED",
           put("verdict", "INDETERMINATE"), narrow)
    # 5, 6: the Rényi curve under a secret order
    mixture, change = accepted_and("secret_curve")
    for name, message, chosen in (
        ("curve_skips_the_last_batch", "end with the last batch", ["0", "3"]),
        ("curve_skips_the_first_batch", "begin with batch 0", ["3", "7"]),
        ("curve_positions_descend", "must ascend", ["0", "6", "4", "7"]),
    ):
        edited(name, 1, message, change("T9r", "args", "positions", chosen), mixture)
    for name, message, edit in (
        ("curve_of_fewer_positions", "renyi does not follow", change("T9r", "args", "positions", ["0", "7"])),
        ("curve_without_mu", "mu is named", lambda p: p["proof"]["claims"][0].pop("mu")),
        ("curve_order_of_one", "orders > 1",
         both(change("T9r", "args", "orders", ["1", *ORDERS[1:]]), put("renyi", 0, "order", "1"))),
        ("curve_order_without_bound", "one bound for each", change("T9r", "args", "orders", [*ORDERS, "128"])),
        ("curve_mu_of_no_string", "T3 is needed here", put("proof", "claims", 0, "mu", str(find("T9", mixture)))),
    ):
        edited(name, 1, message, edit, mixture)
    edited("mu_named_beside_its_own_curve", 1, "mu is named",
           lambda p: p["proof"]["claims"][0].update(mu=str(find("T3", secret))), secret)
    two = accepted("secret_two_records")
    edited("curve_where_the_order_is_as_good_as_fixed", 1, "T2 is needed here", both(
        put("proof", "steps", find("T2", two), "theorem", "T9r"), at("T2", "args", "positions", ["0", "2"], two)), two)
    for i in (0, 3):
        low = lower_by_a_digit(mixture["predicate"]["renyi"][i]["upper"])
        edited(f"curve_understated_at_order_{ORDERS[i].replace('.', '_')}", 1, "renyi does not follow", both(
            put("renyi", i, "upper", low), put("proof", "steps", find("T9r", mixture), "concludes", "renyi", i, low)),
            mixture)
    lied("curve_mu_understated", "mu does not follow", "mu", "upper", of=mixture)
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
    rejected_scaled(edited, lied, put, at, find)
    rejected_training(raw, edited, lied, put, at, find)
    rejected_executed(raw, edited, put)
    return cases


def rejected_data(edited: Callable, put: Callable) -> None:
    """What [data] and [meta] may not say."""
    own, numbers, any_model = accepted("own_data"), accepted("own_data_of_numbers"), accepted("own_data_of_any_model")
    classes, counts = accepted("own_data_of_classes"), accepted("own_data_of_counts")
    data = ("run", "data")
    for name, code, message, edit, of in (
        ("data_unknown_key", 2, "unknown key 'ids'", put(*data, "ids", "customer"), own),
        ("data_without_outside", 2, "missing key 'outside'", lambda p: p["run"]["data"].pop("outside"), own),
        ("data_null", 2, "needs an object", put("run", "data", None), own),
        ("data_target_null", 2, "needs a string", put(*data, "target", None), own),
        ("data_limits_not_canonical", 2, "canonical", put(*data, "numeric", "age", ["-5.0", "100"]), own),
        ("data_limits_minus_zero", 2, "canonical", put(*data, "numeric", "age", ["-0", "100"]), own),
        ("data_limits_not_exact", 2, "an exact number", put(*data, "numeric", "age", ["-inf", "100"]), own),
        ("data_limits_of_the_target_three", 2, "a list of 2", put(*data, "target_limits", ["0", "1", "2"]), numbers),
        ("data_intercept_text", 2, "needs one of", put(*data, "intercept", "yes"), own),
        ("data_outside_unknown", 2, "needs one of", put(*data, "outside", "drop"), own),
        ("data_normalise_unknown", 2, "needs one of", put(*data, "normalise", None), own),
        ("data_limits_turned_round", 1, "limits lo < hi", put(*data, "numeric", "age", ["100", "-5"]), own),
        ("data_limits_equal", 1, "limits lo < hi", put(*data, "target_limits", ["1", "1"]), numbers),
        ("data_limits_of_one_number", 1, "limits lo < hi", put(*data, "numeric", "age", ["5"]), own),
        ("data_width_zero", 1, "a width of at least 1", put(*data, "numeric", "image", ["0", "255", "0"]), own),
        ("data_width_fraction", 1, "a width of at least 1", put(*data, "numeric", "image", ["0", "255", "0.5"]), own),
        ("data_without_features", 1, "no features", put(*data, "numeric", {}), counts),
        ("data_not_normalised", 1, "beyond feature_norm", put(*data, "normalise", "none"), own),
        ("data_without_positive", 1, "does not fit a logistic loss", put(*data, "positive", None), own),
        ("data_of_numbers_and_classes", 1, "does not fit a huber", put(*data, "classes", ["0", "1"]), numbers),
        ("data_counts_with_limits", 1, "does not fit a poisson", put(*data, "target_limits", ["0", "5"]), counts),
        ("data_target_unsaid", 1, "one of positive, classes", put(*data, "positive", None), any_model),
        ("data_target_said_twice", 1, "one of positive, classes", put(*data, "classes", ["0", "1"]), any_model),
        ("data_negative_alone", 1, "negative without data.positive", put(*data, "negative", ["no"]), numbers),
        ("data_classes_of_another_number", 1, "are not loss.classes", put(*data, "classes", ["0", "1"]), classes),
        ("data_of_constants", 1, "constants alone", put("run", "loss", CONVEX | {"strong_convexity": "0.1"}), own),
        ("meta_unknown_key", 2, "unknown key 'price'", put("meta", "price", "0"), own),
        ("meta_null", 2, "needs an object", put("meta", None), own),
        ("meta_blank", 2, "printable characters", put("meta", "owner", " "), own),
        ("meta_of_two_lines", 2, "printable characters", put("meta", "owner", "A.\nCERTIFIED"), own),
        ("meta_control_characters", 2, "printable characters", put("meta", "model", "\u001b[2Jx"), own),
        ("meta_turned_round", 2, "printable characters", put("meta", "model", "a\u202eb"), own),
        ("meta_long", 2, "at most 200", put("meta", "purpose", "x" * 201), own),
        ("meta_list", 2, "printable characters", put("meta", "model", ["Churn"]), own),
    ):
        edited(name, code, message, edit, of)


def rejected_gauges(edited: Callable, lied: Callable, put: Callable, at: Callable, find: Callable) -> None:
    """Steps that drift only once the runs have parted (T26), and where the records are."""
    single, several, soft = (accepted(name) for name in ("clipped_one_record", "wavy_drifts", "softmax_active_clip"))
    batches, mixed, apart = (accepted(name) for name in (
        "batch_clipped_one_record", "drifts_then_contracts", "clipped_unequal_starts"))
    ball, clipped, wide = (accepted(name) for name in ("clipped_stationary", "clipped", "expansive_bounded"))

    def both(*edits: Callable[[Json], Any]) -> Callable[[Json], None]:
        def edit(p: Json) -> None:
            for one in edits:
                one(p)

        return edit

    def excursions(*pairs: tuple[Json, Json]) -> list[Json]:
        return [{"from": dict(zip(("block", "epoch", "position"), x.split(), strict=True)),
                 "to": dict(zip(("block", "epoch", "position"), y.split(), strict=True))} for x, y in pairs]

    def premised(of: Json, *theorems: str) -> Callable[[Json], None]:
        """The premises of the first T10 begin with these."""
        given = [str(find(theorem, of)) for theorem in theorems]
        old = of["predicate"]["proof"]["steps"][find("T10", of)]["premises"]
        return put("proof", "steps", find("T10", of), "premises", [*given, *old[len(given) :]])

    def shift_of_a_record(p: Json) -> None:
        """A C2 beside the T23b of the first phase."""
        steps = p["proof"]["steps"]
        rate = find("T23b", batches)
        steps.insert(rate, {"theorem": "C2", "premises": [str(find("L7b", batches))], "concludes": {"shift": "0.0625"},
                            "args": {"step_size": "0.5", "batch_size": "4", "gradient_bound": "0.5",
                                     "neighbours": "remove-one"}})
        for step in steps[rate + 1 :]:
            step["premises"] = [str(int(i) + (int(i) >= rate)) for i in step["premises"]]
            if step["theorem"] == "T10":
                step["premises"][1] = str(rate)
        for claim in p["proof"]["claims"]:
            claim.update({key: value and str(int(value) + (int(value) >= rate)) for key, value in claim.items()})

    # what a step does
    for name, message, edit, of in (
        ("drift_without_its_shift", "C2 is needed here", premised(soft, "T23", "T23"), soft),
        ("drift_as_a_shift_alone", "C2 is needed here", premised(soft, "T22", "T23"), soft),
        ("batch_clipped_with_the_shift_of_a_record", "stands for both", shift_of_a_record, batches),
        ("batch_clipped_as_by_records", "batches are clipped, or records", lambda p: [
            step.update(theorem="T23") for step in p["proof"]["steps"] if step["theorem"] == "T23b"], batches),
        ("batch_clipped_called_by_records", "batches are clipped, or records",
         lambda p: p["run"]["loss"].pop("clipping"), batches),
        ("clipped_called_by_batches", "batches are clipped, or records", put("run", "loss", "clipping", "batch"),
         clipped),
        ("batch_drift_understated", "shift is", at("T23b", "concludes", "shift", "0.125", batches), batches),
        ("batch_drift_contraction_understated", "contraction is",
         at("T23b", "concludes", "contraction", "0.1", batches), batches),
        ("batch_clip_understated", "gradient_bound is", at("L7b", "concludes", "gradient_bound", "0.25", batches),
         batches),
        ("batch_clip_of_another_run", "clip is not what", at("L7b", "args", "clip", "0.25", batches), batches),
    ):
        edited(name, 1, message, edit, of)
    edited("clipping_by_records_spelled_out", 2, "has its default", put("run", "loss", "clipping", "per-record"),
           clipped)
    edited("clipping_unknown", 2, "needs one of", put("run", "loss", "clipping", "layer"), clipped)
    edited("clipping_of_another_loss", 2, "unknown key", put("run", "loss", "clipping", "batch"), soft)
    # where the records are
    for name, message, of, records in (
        ("tracked_in_the_last_batch", "phases is not what", single, [["2", "1"]]),
        ("expansion_tracked_in_the_last_batch", "phases is not what", wide, [["2", "1"]]),
        ("several_tracked_in_the_last_batches", "phases is not what", several, [["1", "1"], ["2", "10"]]),
    ):
        tracked = find("T10", of, True)
        edited(name, 1, message, lambda p, tracked=tracked, records=records: p["proof"]["steps"][tracked]["args"][
            "phases"][0].update(records=records), of)
    bound = int(wide["predicate"]["proof"]["steps"][find("T3", wide)]["premises"][0])
    edited("string_in_the_first_batch", 1, "phases is not what", lambda p: p["proof"]["steps"][bound]["args"]["phases"][
        0].update(records=[["0", "1"]]), wide)
    edited("batch_records_in_one_batch", 1, "phases is not what", lambda p: [
        step["args"]["phases"][0].update(records=[["2", "2"]]) for step in p["proof"]["steps"]
        if step["theorem"] == "T10"], accepted("batch_clipped"))
    own = accepted("expansive_wide_ball")
    assert own["predicate"]["wasserstein"] == {"learned": "0.254100000001", "released": "0.254100000001"}
    lied("wide_ball_distance_of_the_last_batch", "wasserstein does not follow", "wasserstein", "learned",
         "0.210000000001", own)
    lied("wide_ball_distance_a_digit_short", "wasserstein does not follow", "wasserstein", "learned",
         "0.254099999999", own)
    tracked, told = find("T10", own, True), json.dumps(own).replace("0.254100000001", "0.210000000001")
    edited("wide_ball_tracked_in_the_last_batch", 1, "phases is not what", lambda p: p["proof"]["steps"][tracked][
        "args"]["phases"][0].update(records=[["2", "1"]]), json.loads(told))
    lied("expansion_distance_of_the_last_batch", "wasserstein does not follow", "wasserstein", "released", "2.49", wide)
    # the schedule
    steady = statement(small(mechanism={"step_size": "0.5"}, loss=CLIPPED), rates=("T23",) * 2)
    for name, message, pairs, of in (
        ("excursion_from_a_step_without_shift", "no step without a shift", (("0 0 0", "0 3 2"),), single),
        ("excursion_after_the_last_shift", "no step without a shift", (("1 0 0", "2 0 0"),), single),
        ("excursions_overlap", "must not overlap", (("0 0 2", "0 2 1"), ("0 1 2", "0 3 0")), single),
        ("excursions_descend", "must not overlap", (("0 2 2", "0 3 0"), ("0 0 2", "0 2 1")), single),
        ("excursion_of_no_steps", "at least one step", (("0 0 2", "0 0 2"),), single),
        ("excursion_backwards", "must not overlap", (("0 2 2", "0 1 0"),), single),
        ("excursion_outside_the_epoch", "not in the epoch", (("0 0 3", "0 2 0"),), single),
        ("excursion_outside_the_block", "not in the block", (("0 0 2", "0 4 0"),), single),
        ("excursion_after_the_end", "after the end", (("0 0 2", "2 0 1"),), single),
        ("excursion_from_nowhere", "after the end", (("3 0 0", "3 0 0"),), single),
        ("excursions_of_single_steps_cost_more", "mu does not follow", (), single),
        ("excursion_ends_early", "mu does not follow", (("0 0 2", "0 2 2"),), single),
        ("runs_apart_without_excursion", "begin apart", (), apart),
        ("runs_apart_with_a_late_excursion", "begin apart", (("0 0 2", "1 0 0"),), apart),
        ("excursion_within_an_epoch", "of whole epochs", (("0 0 1", "1 0 0"),), clipped),
        ("excursion_ends_within_an_epoch", "of whole epochs", (("0 0 0", "1 0 1"),), clipped),
        ("dip_below_zero", "dips below zero", (("0 0 2", "0 1 1"),), steady),
        ("excursion_of_several_records_without_drift", "need drift", (("0 0 0", "1 0 0"),), mixed),
    ):
        edited(f"gauges_{name}", 1, message, at("T26", "args", "excursions", excursions(*pairs), of, True), of)
    for name, message, restart in (
        ("at_the_start", "after the start and before the end", "0 0 0"),
        ("at_the_end", "after the start and before the end", "2 0 0"),
        ("outside_the_epoch", "not in the epoch", "0 0 3"),
    ):
        begin = dict(zip(("block", "epoch", "position"), restart.split(), strict=True))
        edited(f"gauges_restart_{name}", 1, message, both(
            at("T26r", "args", "restart", begin, ball),
            at("T26r", "args", "excursions",
               [{"from": begin, "to": {"block": "2", "epoch": "0", "position": "0"}}], ball)), ball)
    for name, first, to in (
        ("restart_ends_within_an_epoch", "0 1 0", "0 2 1"), ("again_within_an_epoch", "0 0 1", "0 1 0")
    ):
        begin = dict(zip(("block", "epoch", "position"), first.split(), strict=True))
        pairs = excursions((first, to), *[("0 1 2", "1 0 0")] * (name == "again_within_an_epoch"))
        edited(f"gauges_{name}", 1, "of whole epochs", both(
            at("T26r", "args", "restart", begin, ball), at("T26r", "args", "excursions", pairs, ball)), ball)
    edited("gauges_restart_without_excursion", 1, "begin apart", at("T26r", "args", "excursions", [], ball), ball)
    edited("gauges_restart_without_radius", 1, "gauges_in_a_ball needs a radius", lambda p: [
        step.update(theorem="T26r", args={"restart": {"block": "0", "epoch": "0", "position": "1"}, "excursions": []})
        for step in p["proof"]["steps"] if step["theorem"] == "T26"], single)
    for name, position, last in (("drift_corner_in_an_epoch", "1", "0"), ("drift_corner_after_the_block", "0", "4")):
        corner = {"block": "0", "position": position, "first": "0", "last": last}
        edited(name, 1, "not for steps that drift", lambda p, corner=corner: [
            step.update(theorem="T3", args={"corners": [corner]}) for step in p["proof"]["steps"]
            if step["theorem"] == "T26"], single)
    edited("drift_restart_in_an_epoch", 1, "not for steps that drift", lambda p: [
        step.update(theorem="T5", args={"corners": [], "restart": {"block": "0", "epoch": "0", "position": "1"}})
        for step in p["proof"]["steps"] if step["theorem"] == "T26r"], ball)
    edited("gauges_called_a_string", 1, "not for steps that drift", lambda p: [
        step.update(theorem="T3", args={"corners": []}) for step in p["proof"]["steps"] if step["theorem"] == "T26"],
        single)
    edited("gauges_called_a_bounded_string", 1, "not for steps that drift", lambda p: [
        step.update(theorem="T5", args={"corners": [], "restart": step["args"]["restart"]})
        for step in p["proof"]["steps"] if step["theorem"] == "T26r"], ball)
    lied("gauges_mu_understated", "mu does not follow", "mu", "upper", of=single)
    lied("gauges_restarted_mu_understated", "mu does not follow", "mu", "upper", "0.889999999999", ball)
    lied("composed_mu_understated", "mu does not follow", "mu", "upper", of=accepted("expansion_by_gauges"))
    # shifts alone, though the runs are apart
    lied("gauges_mu_of_shifts_while_apart", "mu does not follow", "mu", "upper", "0.01", single)
    for name, of in (("weight_decay", soft), ("per_record_clipping", clipped), ("batch_clipping", batches),
                     ("weight_decay", several), ("per_record_clipping", accepted("scaled_huber"))):
        kind = of["predicate"]["run"]["loss"]["kind"].replace("-", "_")
        edited(f"{kind}_{name}_not_assumed", 1, "assumptions: not what", lambda p, name=name: p.update(
            assumptions=[a for a in p["assumptions"] if a["id"] != name]), of)
    edited("batch_clipped_gradient_bound_assumed", 1, "assumptions: not what", lambda p: p["assumptions"].insert(
        2, next(a for a in clipped["predicate"]["assumptions"] if a["id"] == "gradient_bound")), batches)


def rejected_scaled(edited: Callable, lied: Callable, put: Callable, at: Callable, find: Callable) -> None:
    """Noisy gradient descent whose gradients are scaled."""
    of, flat = accepted("scaled_logistic"), accepted("scaled_least_squares")
    scaling = ("run", "scaling")

    def concludes(theorem: str, key: str, of: Json) -> Fraction:
        return Fraction(of["predicate"]["proof"]["steps"][find(theorem, of)]["concludes"][key])

    hair = Fraction(1, 10**18)
    for name, message, theorem, key, value, made in (
        ("smoothness_understated", "smoothness is", "T16", "smoothness", None, of),
        ("gradient_bound_understated", "gradient_bound is", "T16", "gradient_bound", None, of),
        ("curvature_understated", "curvature is", "L1u", "curvature", None, of),
        ("growth_understated", "growth is", "L1u", "growth", None, of),
        ("floor_overstated", "floor is", "L1u", "floor", "1", of),
        ("growth_invented", "growth is", "L2u", "growth", "1", flat),
        ("norm_invented", "gradient_bound is", "L2u", "gradient_bound", "1", flat),
    ):
        value = value or exact(concludes(theorem, key, made) - hair)
        edited(f"scaled_{name}", 1, message, at(theorem, "concludes", key, value, made), made)
    for name, code, message, edit in (
        ("of_another_map", 1, "kind is not what", at("T16", "args", "kind", "psac", of)),
        ("by_another_constant", 1, "max_grad_norm is not", at("T16", "args", "max_grad_norm", "2", of)),
        ("by_another_r", 1, "is not what the run", put(*scaling, "r", "0.2")),
        ("by_another_s", 1, "is not what the run", put(*scaling, "s", "0.6")),
        ("not_at_all", 1, "needs a clip",
         lambda p: p["run"].update(scaling=None, loss=flat["predicate"]["run"]["loss"])),
                ("with_a_clip", 1, "no clip", put("run", "loss", "clip", "1")),
        ("softmax", 1, "one output", put("run", "loss", {
            "kind": "softmax", "regularization": "0.1", "feature_norm": "1", "classes": "3", "clip": None})),
        ("constants", 1, "one output", put("run", "loss", CONVEX)),
        ("r_zero", 1, "r > 0", put(*scaling, "r", "0")),
        ("s_zero", 1, "s > 0", put(*scaling, "s", "0")),
        ("max_grad_norm_zero", 1, "max_grad_norm > 0", put(*scaling, "max_grad_norm", "0")),
        ("r_missing", 2, "missing key", lambda p: p["run"]["scaling"].pop("r")),
        ("map_unknown", 2, "one of", put(*scaling, {"kind": "sign", "max_grad_norm": "1"})),
        ("gradient_norm_bound", 2, "unknown key", put(*scaling, "gradient_norm_bound", None)),
        ("key_missing", 2, "missing key", lambda p: p["run"].pop("scaling")),
        ("model_alone", 1, "T16 is needed here", lambda p: [
            step.update(premises=[str(find("L1u", of))]) for step in p["proof"]["steps"] if step["theorem"] == "C1"]),
        ("model_of_another_loss", 1, "feature_norm is not", at("L1u", "args", "feature_norm", "1", of)),
    ):
        edited(f"scaled_{name}", code, message, edit, of)
    steady = accepted("scaled_huber")
    edited("scaled_though_the_run_is_not", 1, "is not what the run", put(*scaling, None), steady)
    lied("scaled_mu_understated", "mu does not follow", "mu", "upper", of=of)


def rejected_training(
    raw: Callable, edited: Callable, lied: Callable, put: Callable, at: Callable, find: Callable
) -> None:
    """DP-SGD and its relatives."""
    plain, stages, cut = (accepted(f"training_{name}") for name in ("poisson", "stages", "truncated"))
    full, shuffled = (accepted(f"training_{name}") for name in ("full", "shuffled"))
    drawn, whole, fixed = (accepted(f"training_{name}") for name in ("without_replacement", "poisson_of_all", "fixed"))
    mechanism, scaling, momentum, threat = (("run", key) for key in ("mechanism", "scaling", "momentum", "threat"))

    def both(*edits: Callable[[Json], Any]) -> Callable[[Json], None]:
        def edit(p: Json) -> None:
            for one in edits:
                one(p)

        return edit

    def sums(theorem: str, key: str, value: str, of: Json = plain) -> Callable:
        return put("proof", "steps", find(theorem, of), "args", "releases", 0, key, value)

    def share(theorem: str, value: str, of: Json) -> Callable:
        return put("proof", "steps", find(theorem, of), "args", "grid", "delta", value)

    # 3 types
    for name, message, edit in (
        ("kind_unknown", "missing key", put(*mechanism, "kind", "adam")),
        ("kind_of_descent", "key", put(*mechanism, "kind", "pnsgd")),
        ("sampling_unknown", "one of", put(*mechanism, "sampling", "cyclic")),
        ("further_grids", "needs a list of 0",
         put("proof", "steps", find("T19", plain), "args", "grid", "further", ["1"])),
        ("release_of_no_kind", "one of", sums("T19", "sampling", "shuffled")),
        ("fractional_order", "an integer", put("proof", "steps", find("T18", plain), "args", "orders", 0, "2.5")),
        ("claim_without_sensitivity", "missing key", lambda p: p["proof"]["claims"][0].pop("sensitivity")),
        ("r_of_a_clip", "unknown key", put(*scaling, "r", "1")),
        ("momentum_of_hidden_iterates", "one of", at("T15", "args", "iterates", "hidden", stages)),
        ("momentum_of_the_batch_in_the_proof", "one of", at("T15", "args", "history", "batch", stages)),
    ):
        edited(f"training_{name}", 2, message, edit, stages if "momentum" in name else plain)
    base = statement(small(mechanism={"noise_std": "1"}, loss=LOGISTIC))
    edited("descent_with_sensitivity", 2, "sensitivity belongs",
           lambda p: p["proof"]["claims"].__setitem__(0, {
               "bound": "0", "lower": None, "renyi": None, "sensitivity": "0", "guarantees": [None, None]}), base)
    # 5 side conditions: of the run
    for name, message, edit, of in (
        ("noise_zero", "noise_multiplier > 0", put(*mechanism, "noise_multiplier", "0"), plain),
        ("rate_above_one", "sample_rate <= 1", put(*mechanism, "sample_rate", "1.5"), plain),
        ("steps_zero", "from 1 to", put(*mechanism, "steps", "0"), plain),
        ("steps_and_epochs", "not both", put(*mechanism, "epochs", "1"), plain),
        ("neither_steps_nor_epochs", "not both", put(*mechanism, "steps", None), plain),
        ("rate_and_batch_size", "which one",
         both(put(*mechanism, "batch_size", "10"), put(*mechanism, "samples", "1000")), plain),
        ("no_rate", "needs sample_rate or", put(*mechanism, "sample_rate", None), plain),
        ("batch_size_without_samples", "batch_size <= samples",
         both(put(*mechanism, "batch_size", "10"), put(*mechanism, "sample_rate", None)), plain),
        ("epochs_of_nothing", "epochs need sample_rate > 0", both(
            put(*mechanism, "epochs", "1"), put(*mechanism, "steps", None), put(*mechanism, "sample_rate", "0")),
         plain),
        ("normaliser_zero", "normaliser > 0", put(*mechanism, "normaliser", "0"), plain),
        ("samples_zero", "samples >= 1", put(*mechanism, "samples", "0"), plain),
        ("delta_of_unknown_samples", "needs samples", put("run", "target", "delta", "1/n"), plain),
        ("delta_one", "strictly between", put("run", "target", "delta", "1"), plain),
        ("max_batch_size_without_samples", "max_batch_size needs", put(*mechanism, "max_batch_size", "50"), plain),
        ("max_batch_size_zero", "max_batch_size >= 1", put(*mechanism, "max_batch_size", "0"), cut),
        ("max_batch_size_of_fixed_batches", "max_batch_size needs", put(*mechanism, "max_batch_size", "500"), drawn),
        ("max_batch_size_cuts_all", "cuts every batch", put(*mechanism, "max_batch_size", "50"), whole),
        ("gradient_norm_bound_zero", "gradient_norm_bound > 0", put(*scaling, "gradient_norm_bound", "0"), full),
        ("map_of_another_kind", "is not the map", put(*mechanism, "kind", "auto-s"), plain),
        ("poisson_replace_one", "neighbours is not what", put(*threat, "neighbours", "replace-one"), plain),
        ("shuffled_add_or_remove", "no statement about shuffled", put(*threat, "neighbours", "add-or-remove-one"),
         shuffled),
        ("without_replacement_remove_one", "no statement about without", put(*threat, "neighbours", "remove-one"),
         drawn),
        ("part_of_a_record", "a whole batch size", put(*mechanism, "sample_rate", "0.0101"), drawn),
        ("full_of_a_part", "full batches need", put(*mechanism, "sample_rate", "0.5"), full),
        ("disjoint_of_nothing", "disjoint batches need", put(*mechanism, "sample_rate", "0"), fixed),
        ("momentum_of_the_batch", "momentum of other records", put(*momentum, "inner_history", "batch"), stages),
        ("momentum_outer_one", "momentum.outer < 1", put(*momentum, "outer", "1"), stages),
        ("momentum_inner_one", "inner_beta < 1", put(*momentum, "inner_beta", "1"), stages),
        ("momentum_inner_zero", "needs inner_beta > 0", put(*momentum, "inner_beta", "0"), stages),
        ("momentum_window_zero", "inner_window >= 1", put(*momentum, "inner_window", "0"), stages),
    ):
        edited(f"training_{name}", 1, message, edit, of)
    # 5 side conditions: of the proof
    tighter = put("proof", "steps", find("T20", cut), "args", "budget", "0.00000002")
    last = len(shuffled["predicate"]["proof"]["steps"]) - 1
    for name, message, edit, of in (
        ("of_fewer_steps", "releases is not what", put(*mechanism, "steps", "101"), plain),
        ("of_a_smaller_rate", "releases is not what", put(*mechanism, "sample_rate", "0.0101"), plain),
        ("of_a_smaller_rate_in_the_proof", "releases is not what", sums("T19", "sample_rate", "0.0099"), plain),
        ("of_more_noise", "releases is not what", sums("T19", "noise_multiplier", "1.01"), plain),
        ("of_another_sampling", "releases is not what", sums("T19", "sampling", "full"), plain),
        ("of_a_later_stage", "releases is not what", put("run", "stages", 0, "steps", "51"), stages),
        ("epochs_of_larger_batches", "releases is not what", put(*mechanism, "batch_size", "200"), stages),
        ("other_release_left_out", "releases is not what", lambda p: p["proof"]["steps"][find("T19", stages)]["args"][
            "releases"].pop(), stages),
        ("other_release_is_worse", "releases is not what", put("run", "releases", 0, "mu", "0.2"), stages),
        ("other_release_as_witness", "releases is not what",
         lambda p: p["proof"]["steps"][find("T19l", stages)]["args"].update(
             releases=p["proof"]["steps"][find("T19", stages)]["args"]["releases"]), stages),
        ("poisson_claimed_for_shuffled", "T11 is needed here", both(
            put(*mechanism, "sampling", "shuffled"), put(*threat, "neighbours", "remove-one")), plain),
        ("poisson_claimed_without_replacement", "releases is not what", both(
            put(*mechanism, "sampling", "without-replacement"), put(*threat, "neighbours", "replace-one"),
            put(*mechanism, "samples", "1000")), plain),
        ("neighbours_of_another_run", "neighbours is not what", at("T19", "args", "neighbours", "replace-one", plain),
         plain),
        ("delta_of_another_run", "delta is not what", share("T19", "0.0001", plain), plain),
        ("witness_for_another_delta", "delta is not what", share("T19l", "0.000001", plain), plain),
        ("budget_overstated", "delta is not what", tighter, cut),
        ("budget_forgotten", "T20 is needed here", put("proof", "claims", 0, "bound", str(find("T19", cut))), cut),
        ("batches_not_cut", "T19 is needed here", put(*mechanism, "max_batch_size", None), cut),
        ("cut_more_often", "max_batch_size is not what", put(*mechanism, "max_batch_size", "60"), cut),
        ("of_more_records", "samples is not what", at("T20", "args", "samples", "1999", cut), cut),
        ("profile_of_another_delta", "delta is not what", at("T11", "args", "delta", "0.001", full), full),
        ("full_release_left_out", "releases is not what", lambda p: p["proof"]["steps"][find("T20f", full)]["args"][
            "releases"].pop(), full),
        ("full_witness_of_more", "releases is not what", lambda p: at(
            "T20l", "args", "releases", p["proof"]["steps"][find("T20f", full)]["args"]["releases"], full)(p), full),
        ("full_removed_only", "neighbours is not what", at("T20f", "args", "neighbours", "remove-one", full), full),
        ("epoch_left_out", "epochs is not what", at("T20d", "args", "epochs", "4", shuffled), shuffled),
        ("disjoint_of_more_noise", "noise_multiplier is not", at("T20d", "args", "noise_multiplier", "7", shuffled),
         shuffled),
        ("stage_left_out", "needs 3 premises", lambda p: p["proof"]["steps"][find("T7", shuffled)]["premises"].pop(0),
         shuffled),
        ("last_epoch_dropped", "epochs is not what", at("T20d", "args", "epochs", "3", fixed), fixed),
        ("momentum_left_out", "T15 is needed here", put("proof", "claims", 0, "sensitivity", str(find("T14", stages))),
         stages),
        ("momentum_in_another_order", "placement is not what", both(
            at("T15", "args", "placement", "outer", stages),
            at("T15", "args", "placement", "inner", stages, last=True)), stages),
        ("momentum_of_another_window", "window is not what", at("T15", "args", "window", "3", stages), stages),
        ("momentum_invented", "T14 is needed here", put(*momentum, "outer", "0"), shuffled),
        ("sensitivity_of_another_map", "kind is not what", at("T14", "args", "kind", "psac", plain), plain),
        ("sensitivity_of_another_norm", "max_grad_norm is not", at("T14", "args", "max_grad_norm", "0.5", plain),
         plain),
        ("gradients_of_another_bound", "gradient_norm_bound is", at("T14g", "args", "gradient_norm_bound", "6", full),
         full),
        ("gradients_bounded_by_nobody", "T14 is needed here", put(*scaling, "gradient_norm_bound", None), full),
        ("curve_of_another_bound", "not of the releases", lambda p: p["proof"]["steps"][find("T2", full)].update(
            premises=[str(find("T20l", full))]), full),
        ("bound_after_the_last_step", "there is no step", put("proof", "claims", 0, "bound", str(last + 1)), shuffled),
        ("two_claims", "needs one entry", lambda p: p["proof"]["claims"].append(p["proof"]["claims"][0]), plain),
        ("no_claim", "needs one entry", put("proof", "claims", []), plain),
        ("step_without_use", "nothing refers to it", put("proof", "claims", 0, "renyi", None), plain),
    ):
        edited(f"training_{name}", 1, message, edit, of)

    def curve(of: Json, releases: Json, neighbours: str) -> Callable:
        def edit(p: Json) -> None:
            p["proof"]["claims"][0]["renyi"] = str(len(p["proof"]["steps"]))
            p["proof"]["steps"].append({
                "theorem": "T18", "premises": [], "concludes": {"renyi": ["99"]},
                "args": {"releases": releases, "neighbours": neighbours, "orders": ["2"]}})
            p["renyi"], p["theorems"] = [{"order": "2", "upper": "99"}], sorted([*p["theorems"], "T18"])

        return edit

    made = cut["predicate"]["proof"]["steps"][find("T19", cut)]["args"]["releases"]
    edited("training_curve_of_cut_batches", 1, "batches that are cut", curve(cut, made, "add-or-remove-one"), cut)
    made = drawn["predicate"]["proof"]["steps"][find("T19", drawn)]["args"]["releases"]
    edited("training_curve_without_replacement", 1, "needs Poisson sampling", curve(drawn, made, "replace-one"), drawn)
    # 6 recomputation
    half = [exact(Fraction("0.71802") * share) for share in (Fraction("0.995"), Fraction("1.005"))]
    lied("training_epsilon_understated", "is not shown to be at most delta", "epsilon", "upper", half[0],
         json.loads(json.dumps(plain).replace('"0.717"', '"0.5"')))
    lied("training_witness_overstated", "epsilon does not follow", "epsilon", "lower", half[1],
         json.loads(json.dumps(plain).replace('"0.719"', '"0.73"')))
    for i, order in enumerate(("2", "32")):
        low = lower_by_a_digit(plain["predicate"]["renyi"][{"2": 0, "32": 3}[order]]["upper"])
        edited(f"training_renyi_understated_{i}", 1, "renyi does not follow", both(
            put("renyi", 3 * i, "upper", low),
            put("proof", "steps", find("T18", plain), "concludes", "renyi", 3 * i, low)), plain)
    for name, message, orders in (
        ("order_of_one", "from 2 to 512", ["1", "3", "8", "32"]),
        ("order_too_large", "from 2 to 512", ["2", "3", "8", "513"]),
        ("orders_repeated", "must ascend", ["2", "2", "8", "32"]),
    ):
        edited(f"training_{name}", 1, message, both(
            at("T18", "args", "orders", orders, plain),
            *(put("renyi", i, "order", order) for i, order in enumerate(orders))), plain)
    edited("training_order_without_bound", 1, "one bound for each",
           at("T18", "args", "orders", ["2", "3", "8", "32", "64"], plain), plain)
    edited("training_budget_of_nothing", 1, "costs more than the budget", both(
        share("T19", "0.00001", cut), put("proof", "steps", find("T20", cut), "args", "budget", "0")), cut)
    edited("training_cut_of_more_than_claimed", 1, "epsilon does not follow",
           at("T19", "concludes", "epsilon", "0.73", cut), cut)
    sensed = find("T14", plain)
    edited("training_sensitivity_understated", 1, "sensitivity is",
           at("T14", "concludes", "sensitivity", "0.99", plain), plain)
    edited("training_bounded_sensitivity_understated", 1, "sensitivity is",
           at("T14g", "concludes", "sensitivity", "0.49", full), full)
    edited("training_attained_denied", 1, "attained is True",
           put("proof", "steps", sensed, "concludes", "attained", False), plain)
    edited("training_momentum_sensitivity_understated", 1, "sensitivity is",
           at("T15", "concludes", "sensitivity", "1", stages), stages)
    for of, name in ((full, "full"), (shuffled, "shuffled")):
        lied(f"training_{name}_mu_understated", "mu does not follow", "mu", "upper", of=of)
        lied(f"training_{name}_epsilon_understated", "epsilon does not follow", "epsilon", "upper", of=of)
        shown = of["predicate"]["mu"]["lower"]
        lied(f"training_{name}_witness_overstated", "mu does not follow", "mu", "lower",
             str(Context(prec=12).next_plus(Context(prec=12).next_plus(Decimal(shown)))), of)
    edited("training_stage_understated", 1, "mu does not follow", at("T20d", "concludes", "mu", "0.7", shuffled),
           shuffled)
    edited("training_mu_invented", 1, "mu: not what", put("mu", "upper", "0.1"), plain)
    edited("training_distance_invented", 1, "wasserstein: not what", put("wasserstein", "released", "0.1"), plain)
    edited("training_request_invented", 1, "requests: not what",
           put("requests", [{"size": "1", "epochs": "1", "epsilon": "0.1"}]), plain)
    for name, of in (("sampling", plain), ("other_releases", full), ("batches:disjoint", shuffled),
                     ("gradient_bound", full), ("noisy_sums", shuffled)):
        edited(f"training_{name.replace(':', '_')}_not_assumed", 1, "assumptions: not what",
               lambda p, name=name: p.update(assumptions=[a for a in p["assumptions"] if a["id"] != name]), of)
    rejected_groups(raw, edited, lied, put, find)
    # 7 target
    strict = training_statement(training_run(target={"epsilon": "0.71"}), ("0.717", "0.719"), other="0.9")
    raw("training_not_certified", seal(strict), 1, "NOT_CERTIFIED: After")
    edited("training_indeterminate", 3, "INDETERMINATE: After", put("verdict", "INDETERMINATE"), strict)
    edited("training_certified_above_target", 1, "the verdict is NOT_CERTIFIED", put("verdict", "CERTIFIED"), strict)
    edited("training_not_certified_below_target", 1, "the verdict is CERTIFIED", put("verdict", "NOT_CERTIFIED"), plain)
    edited("training_out_of_reach_hidden", 1, "out_of_reach", put("out_of_reach", False), strict)
    edited("training_out_of_reach_invented", 1, "out_of_reach", put("out_of_reach", True), plain)


def rejected_groups(raw: Callable, edited: Callable, lied: Callable, put: Callable, find: Callable) -> None:
    """Records that are replaced under Poisson (T17r), groups (T27), and the two guarantees."""
    plain, replaced, pair, every, full, drawn = (accepted(f"training_{name}") for name in (
        "poisson", "replace_one", "group", "group_replaced", "group_full", "without_replacement"))
    cut, together, stages = (accepted(f"training_{name}") for name in ("group_cut", "group_together", "stages"))
    mechanism, threat = ("run", "mechanism"), ("run", "threat")
    claim = ("proof", "claims", 0)

    def both(*edits: Callable[[Json], Any]) -> Callable[[Json], None]:
        def edit(p: Json) -> None:
            for one in edits:
                one(p)

        return edit

    def of_step(of: Json, theorem: str, key: str, value: Json) -> Callable:
        return put("proof", "steps", find(theorem, of), "args", key, value)

    def poisson(z: str, steps: str = "100", rate: str = "0.01") -> list[Json]:
        return [{"sampling": "poisson", "noise_multiplier": z, "sample_rate": rate, "steps": steps}]

    def one_record(of: Json, releases: list[Json]) -> Callable[[Json], None]:
        """The bound by T19 in place of T27."""

        def edit(p: Json) -> None:
            step = p["proof"]["steps"][find("T27", of)]
            step["theorem"] = "T19"
            del step["args"]["group"]
            step["args"]["releases"] = releases

        return edit

    for name, code, message, edit, of in (
        # 3 types
        ("size_spelled_out", 2, "has its default", put(*threat, "group_size", "1"), pair),
        ("coins_spelled_out", 2, "has its default", put(*threat, "group_sampling", "independent"), pair),
        ("coins_unknown", 2, "needs one of", put(*threat, "group_sampling", "apart"), pair),
        # 5 side conditions
        ("of_nobody", 1, "group_size from 2 to", put(*threat, "group_size", "0"), pair),
        ("too_large", 1, "group_size from 2 to", put(*threat, "group_size", "129"), pair),
        ("coins_without_size", 1, "group_sampling needs", put(*threat, "group_sampling", "together"), plain),
        ("without_replacement", 1, "groups without replacement", put(*threat, "group_size", "2"), drawn),
        ("larger_than_the_data", 1, "group_size <= samples", put(*mechanism, "samples", "1"), pair),
        ("together_in_batches_that_are_cut", 1, "drawn together", put(*threat, "group_sampling", "together"), cut),
        ("larger_than_a_batch", 1, "more records than a batch", both(
            put(*threat, "group_size", "4"), put(*mechanism, "samples", "10")), accepted("training_group_fixed")),
        ("larger_than_a_batch_that_is_cut", 1, ">= group_size", put(*threat, "group_size", "71"), cut),
        ("of_another_size", 1, "group is not what", put(*threat, "group_size", "3"), pair),
        ("of_another_size_in_the_proof", 1, "group is not what", of_step(pair, "T27", "group", "3"), pair),
        ("witness_of_another_size", 1, "group is not what", of_step(pair, "T27l", "group", "3"), pair),
        ("by_the_pair_of_one_coin", 1, "T27 is needed here", one_record(pair, poisson("0.5")), pair),
        ("by_compositions_of_one_record", 1, "T27 is needed here", one_record(pair, poisson("1", "200")), pair),
        ("by_k_mu", 1, "releases is not what", of_step(pair, "T27", "releases", poisson("0.5")), pair),
        ("by_a_higher_rate", 1, "releases is not what", of_step(pair, "T27", "releases", poisson("1", "100", "0.0199")),
         pair),
        ("together_as_if_apart", 1, "T27 is needed here", lambda p: p["run"]["threat"].pop("group_sampling"), together),
        ("apart_as_if_together", 1, "T19 is needed here", put(*threat, "group_sampling", "together"), pair),
        ("full_of_one_record", 1, "releases is not what", lambda p: p["run"]["threat"].pop("group_size"), full),
        ("replaced_as_if_added", 1, "neighbours is not what", of_step(every, "T27", "neighbours", "add-or-remove-one"),
         every),
        ("cut_of_fewer_records", 1, "samples is not what", of_step(cut, "T20", "samples", "2000"), cut),
        ("not_assumed", 1, "assumptions: not what", lambda p: p.update(
            assumptions=[a for a in p["assumptions"] if a["id"] != "group:independent"]), pair),
        ("of_one_in_the_proof", 1, "group is not what", of_step(pair, "T27", "group", "1"), pair),
    ):
        edited(f"group_{name}", code, message, edit, of)
    for name, of, low in (("group", pair, "1.3"), ("group_replaced", every, "2.6"), ("replace_one", replaced, "0.6"),
                          ("group_together", together, "6")):
        lied(f"{name}_epsilon_understated", "at most delta", "epsilon", "upper", low, json.loads(
            json.dumps(of).replace(f'"{of["predicate"]["epsilon"]["lower"]}"', '"0.1"')))
    for name, of, more in (("group", pair, "2"), ("replace_one", replaced, "1.4")):
        lied(f"{name}_witness_overstated", "epsilon does not follow", "epsilon", "lower", more, json.loads(
            json.dumps(of).replace(f'"{of["predicate"]["epsilon"]["upper"]}"', f'"{more}1"')))
    # at ε = 0 the pair of one coin has δ = .00954, k coins .01523
    run = training_run(mechanism={"steps": "1"}, target={"epsilon": "1", "delta": "0.01"},
                       threat={"neighbours": "add-or-remove-one", "group_size": "4"})
    raw("group_of_four_by_one_coin", seal(training_statement(run, ("0", "0"), other="1")), 1, "at most delta")
    run["target"]["delta"] = "0.0153"
    raw("group_of_four", seal(training_statement(run | {"target": {"epsilon": "0", "delta": "0.0153"}},
                                                 ("0", "0.001"), other="1")), 1, "NOT_CERTIFIED: After")

    def curve(of: Json, theorem: str) -> Callable[[Json], None]:
        given = of["predicate"]["proof"]["steps"][find(theorem, of)]["args"]

        def edit(p: Json) -> None:
            p["proof"]["claims"][0]["renyi"] = str(len(p["proof"]["steps"]))
            p["proof"]["steps"].append({"theorem": "T18", "premises": [], "concludes": {"renyi": ["99"]}, "args": {
                "releases": given["releases"], "neighbours": given["neighbours"], "orders": ["2"]}})
            p["renyi"], p["theorems"] = [{"order": "2", "upper": "99"}], sorted([*p["theorems"], "T18"])

        return edit

    edited("group_curve", 1, "coins of their own", curve(pair, "T27"), pair)
    edited("replace_one_curve", 1, "added or removed", curve(replaced, "T19"), replaced)
    # the two guarantees
    other = int(plain["predicate"]["proof"]["claims"][0]["guarantees"][1])
    base = statement(small(mechanism={"noise_std": "1"}, loss=LOGISTIC))
    for name, code, message, edit, of in (
        ("left_out", 2, "belong to training runs", lambda p: p.pop("guarantees"), plain),
        ("of_descent", 2, "belong to training runs", put("guarantees", plain["predicate"]["guarantees"]), base),
        ("one_of_them", 2, "list of 2", lambda p: p["guarantees"].pop(), plain),
        ("reversed", 2, "needs one of", lambda p: p["guarantees"].reverse(), plain),
        ("claimed_once", 2, "list of 2", lambda p: p["proof"]["claims"][0]["guarantees"].pop(), plain),
        ("not_claimed", 2, "missing key", lambda p: p["proof"]["claims"][0].pop("guarantees"), plain),
        ("attribute_by_membership", 1, "neighbours is not what", both(
            put(*claim, "guarantees", 1, plain["predicate"]["proof"]["claims"][0]["bound"]),
            put("guarantees", 1, "epsilon", "upper", plain["predicate"]["epsilon"]["upper"])), plain),
        ("membership_by_attribute", 1, "is not the claim's bound",
         put(*claim, "guarantees", 0, str(other)), plain),
        ("attribute_left_out", 1, "nothing refers to it", put(*claim, "guarantees", 1, None), plain),
        ("membership_left_out", 1, "is not the claim's bound", put(*claim, "guarantees", 0, None), plain),
        ("membership_of_what_is_drawn", 1, "nothing is known", put(*claim, "guarantees", 0, drawn["predicate"]["proof"][
            "claims"][0]["bound"]), drawn),
        ("membership_of_other_releases", 1, "nothing is known", put(*claim, "guarantees", 0, accepted("training_full")[
            "predicate"]["proof"]["claims"][0]["bound"]), accepted("training_full")),
        ("shown_smaller", 1, "guarantees: not what", put("guarantees", 1, "epsilon", "upper", "0.7"), plain),
        ("lower_invented", 1, "guarantees: not what", put("guarantees", 1, "epsilon", "lower", "0.7"), plain),
        ("lower_hidden", 1, "guarantees: not what", put("guarantees", 0, "epsilon", "lower", None), plain),
        ("of_other_neighbours", 1, "guarantees: not what", put("guarantees", 1, "neighbours", "remove-one"), plain),
        ("of_other_releases_once", 1, "releases is not what", lambda p: p["proof"]["steps"][
            int(stages["predicate"]["proof"]["claims"][0]["guarantees"][1])]["args"]["releases"][-1].update(
                noise_multiplier="20"), stages),
        ("of_one_record", 1, "group is not what", lambda p: p["proof"]["steps"][
            int(pair["predicate"]["proof"]["claims"][0]["guarantees"][1])]["args"].update(group="3"), pair),
    ):
        edited(f"guarantees_{name}", code, message, edit, of)
    changed = copy.deepcopy(plain)
    changed["predicate"]["proof"]["steps"][other]["concludes"]["epsilon"] = "0.6"
    changed["predicate"]["guarantees"][1]["epsilon"]["upper"] = "0.6"
    raw("guarantees_attribute_understated", seal(changed), 1, "at most delta")


def rejected_executed(raw: Callable, edited: Callable, put: Callable) -> None:
    """What was run, figures, dates, envelopes with signatures, and erasure records."""
    base, two = accepted("executed"), accepted("executed_two_of_two")
    every, hidden, trained = (accepted(f"executed_{name}") for name in ("release_all", "secret", "training"))
    again, bounded = accepted("executed_reproducible"), accepted("executed_reference_of_T")

    def restated(name: str, code: int, message: str, edit: Callable[[Json], Any], of: Json = base) -> None:
        changed = copy.deepcopy(of)
        edit(changed)
        raw(name, seal(changed), code, message)

    def drop(*path: Json) -> Callable[[Json], None]:
        def edit(node: Json) -> None:
            for key in path[:-1]:
                node = node[key]
            del node[path[-1]]

        return edit

    # 2 envelope
    sealed = seal(base)
    payload = base64.b64decode(json.loads(sealed)["payload"])
    entry = signature(payload, "a")
    sig = entry["sig"]
    other = sig[:-3] + chr(ord(sig[-3]) + 1) + "=="  # the same 64 bytes, other spare bits
    for name, message, changes in (
        ("of_63_bytes", "64 bytes", {"sig": base64.b64encode(base64.b64decode(sig)[:63]).decode()}),
        ("of_65_bytes", "64 bytes", {"sig": base64.b64encode(base64.b64decode(sig) + b"x").decode()}),
        ("base64_not_canonical", "padded base64", {"sig": other}),
        ("base64_unpadded", "padded base64", {"sig": sig[:-2]}),
        ("base64_with_newline", "padded base64", {"sig": sig + "\n"}),
        ("keyid_upper_case", "lower-case", {"keyid": entry["keyid"].upper()}),
        ("keyid_short", "keyid: needs 64", {"keyid": entry["keyid"][:-1]}),
        ("unknown_key", "unknown key", {"cert": "x"}),
    ):
        raw(f"signature_{name}", envelope(payload, signatures=[entry | changes]), 2, message)
    raw("signature_without_keyid", envelope(payload, signatures=[{"sig": sig}]), 2, "missing key")
    raw("signature_bare", envelope(payload, signatures=[sig]), 2, "needs an object")
    raw("signatures_too_many", envelope(payload, signatures=[entry] * 33), 2, "more than 32")
    raw("signed_payload_altered", signed(sealed, "a").replace(
        base64.b64encode(payload), base64.b64encode(payload + b" ")), 4, "digest")
    raw("signed_digest_missing", json.dumps({k: v for k, v in json.loads(signed(sealed, "a")).items() if k != "digest"}
                                            ).encode(), 2, "missing key")
    # 3 types
    for name, code, message, edit in (
        ("expires_no_such_day", 2, "no such time", put("expires", "2027-02-30T00:00:00Z")),
        ("expires_no_such_hour", 2, "no such time", put("expires", "2027-02-28T24:00:00Z")),
        ("expires_in_another_zone", 2, "needs a time", put("expires", "2027-02-28T00:00:00+01:00")),
        ("expires_on_a_day", 2, "needs a time", put("expires", "2027-02-28")),
        ("expires_null", 2, "needs a time", put("expires", None)),
        ("figures_null", 2, "needs an object", put("figures", None)),
        ("figures_unknown_key", 2, "unknown key", put("figures", "extra", [])),
        ("figures_without_sweep", 2, "missing key", drop("figures", "sweep")),
        ("figures_lists_of_different_length", 2, "as many entries", put("figures", "profile", "upper", ["0.2", "0.1"])),
        ("figures_lower_shorter", 2, "as many entries", put("figures", "profile", "lower", [None, None])),
        ("figures_sweep_of_different_length", 2, "as many entries", put("figures", "sweep", "values", ["1", "2"])),
        ("figures_published_shorter", 2, "as many entries", put("figures", "sweep", "published", [])),
        ("figures_epsilon_descends", 2, "ascending", put("figures", "profile", "epsilon", ["0", "1", "0.5", "2", "3"])),
        ("figures_epsilon_repeated", 2, "ascending", put("figures", "profile", "epsilon", ["0", "1", "1", "2", "3"])),
        ("figures_of_one_point", 2, "at least two", put("figures", "profile", {
            "epsilon": ["1"], "upper": ["0.1"], "lower": [None]})),
        ("figures_of_no_point", 2, "from 1 to 200", put("figures", "profile", {
            "epsilon": [], "upper": [], "lower": []})),
        ("figures_of_201_points", 2, "from 1 to 200", put("figures", "profile", {
            "epsilon": [str(i) for i in range(201)], "upper": ["0"] * 201, "lower": [None] * 201})),
        ("figures_without_upper", 2, "needs a decimal", put("figures", "profile", "upper", 1, None)),
        ("figures_bare_number", 2, "bare number", put("figures", "profile", "upper", 1, 0)),
        ("figures_of_text", 2, "needs a decimal", put("figures", "sweep", "upper", 1, "<b>0</b>")),
        ("figures_of_another_parameter", 2, "needs one of", put("figures", "sweep", "parameter", "noise_std")),
        ("figures_of_another_name", 2, "needs one of", put("figures", "sweep", "published_name", "somebody")),
        ("figures_of_half_an_epoch", 2, "needs an integer", put("figures", "sweep", "values", 0, "0.5")),
        ("figures_published_markup", 2, "needs a name", put("figures", "published", "<b>", {"epsilon": "1"})),
        ("figures_published_more", 2, "unknown key", put("figures", "published", "x", {"epsilon": "1", "mu": "1"})),
        ("execution_unknown_key", 2, "unknown key", put("execution", "extra", "1")),
        ("execution_with_audits", 2, "needs a list of 0", put("execution", "audits", ["passed"])),
        ("execution_bare_integer", 2, "bare number", put("execution", "phases", 0, "epochs", 4)),
        ("execution_noise_unknown", 2, "needs one of", put("execution", "noise", "quiet")),
        ("execution_seed_told", 2, "unknown key", put("execution", "phases", 0, "seed", "3")),
        ("execution_phase_unknown", 2, "needs one of", put("execution", "phases", 0, "kind", "forget")),
        ("execution_no_such_day", 2, "no such time", put("execution", "phases", 0, "started", "2027-02-30T00:00:00Z")),
        ("erasure_commitment_without_key", 2, "needs one of",
         put("execution", "erasures", 0, "commitment", "algorithm", "SHA-256")),
        ("erasure_commitment_short", 2, "64 lower-case", put("execution", "erasures", 0, "commitment", "value", "ab")),
        ("erasure_no_such_day", 2, "no such time", put("execution", "erasures", 0, "received", "2027-02-29T00:00:00Z")),
        ("sign_off_no_such_day", 2, "no such time", put("execution", "erasures", 0, "sign_off", "date", "2027-02-30")),
        ("sign_off_of_nobody", 2, "missing key", drop("execution", "erasures", 0, "sign_off", "name")),
        # 6 recomputation
        ("phases_of_another_run", 1, "phases[0].epochs", put("execution", "phases", 0, "epochs", "5")),
        ("phase_of_fewer_steps", 1, "phases[1].steps", put("execution", "phases", 1, "steps", "2")),
        ("phase_unlearns_for_longer", 1, "phases[1].epochs", put("execution", "phases", 1, "epochs", "2")),
        ("phase_erases_in_learning", 1, "phases[0].erased", put("execution", "phases", 0, "erased", "1")),
        ("phase_erases_more", 1, "phases[1].erased", put("execution", "phases", 1, "erased", "2")),
        ("phase_left_out", 1, "imply 2", drop("execution", "phases", 1)),
        ("phases_reversed", 1, "phases[0].kind", lambda p: p["execution"]["phases"].reverse()),
        ("phases_of_nothing", 1, "imply 2", put("execution", "phases", [])),
        ("phase_without_erasure", 1, "imply 1", put("execution", "erasures", [])),
        ("phase_ends_before_it_starts", 1, "ends before", put("execution", "phases", 0, "started",
                                                              "2026-11-20T10:30:01Z")),
        ("erasure_ends_before_it_starts", 1, "finished before", put("execution", "erasures", 0, "finished",
                                                                    "2026-11-20T10:59:59Z")),
        ("erasure_of_more_records", 1, "records: the run allows 1", lambda p: p["execution"]["erasures"][0].update(
            records="2", cumulative="2", cap="2")),
        ("erasure_of_no_record", 1, "1 <= records", put("execution", "erasures", 0, "records", "0")),
        ("erasure_of_another_number", 1, "request: not what", put("execution", "erasures", 0, "request", "2")),
        ("erasure_number_zero", 1, "counted from 1", put("execution", "erasures", 0, "request", "0")),
        ("erasure_cumulative_above_cap", 1, "above the cap", put("execution", "erasures", 0, "cumulative", "2")),
        ("erasure_of_another_cap", 1, "cap: not what", put("execution", "erasures", 0, "cap", "5")),
        ("erasure_of_another_epsilon", 1, "guarantee.epsilon", put(
            "execution", "erasures", 0, "guarantee", "epsilon", "0.1")),
        ("erasure_of_another_delta", 1, "guarantee: not what", put(
            "execution", "erasures", 0, "guarantee", "delta", "0.000001")),
        ("erasure_of_another_reference", 1, "guarantee: not what", put(
            "execution", "erasures", 0, "guarantee", "reference", "stationary")),
        ("erasure_of_other_neighbours", 1, "guarantee: not what", put(
            "execution", "erasures", 0, "guarantee", "neighbours", "remove-one")),
        ("erasure_shows_the_learned_model", 1, "a plain digest", put(
            "execution", "erasures", 0, "model_before", "algorithm", "SHA-256")),
        ("erasure_at_another_time", 1, "finished: not that of its phase", put(
            "execution", "erasures", 0, "finished", "2026-11-20T11:30:01Z")),
        ("erasure_before_the_request", 1, "before it was received", put(
            "execution", "erasures", 0, "received", "2026-11-20T11:00:01Z")),
        ("erasure_without_id", 1, "id: is empty", put("execution", "erasures", 0, "id", " ")),
        ("phases_overlap", 1, "before the phase before it ends", put(
            "execution", "phases", 1, "started", "2026-11-20T10:29:59Z")),
        ("created_before_the_run_ended", 1, "before the run that it tells of ended", put(
            "created", "2026-11-20T11:29:59Z")),
        ("profile_rises", 2, "does not rise", put("figures", "profile", "upper", 1, "0.9")),
        ("profile_crosses", 2, "lies above the upper", put("figures", "profile", "lower", 0, "0.9")),
        ("sweep_crosses", 2, "lies above the upper", put("figures", "sweep", "lower", 1, "9")),
        ("sweep_descends", 2, "must ascend", put("figures", "sweep", "values", ["1", "4", "2"])),
        # 8 expiry
        ("expired", 1, "expired on 2026-11-21T22:00:01Z", put("expires", "2026-11-21T22:00:01Z")),
        ("expires_before_created", 1, "not after created", put("expires", "2026-11-21T21:59:59Z")),
        ("expires_when_created", 1, "not after created", put("expires", "2026-11-21T22:00:00Z")),
    ):
        edited(name, code, message, edit, base)
    for name, message, edit, of in (
        ("erasures_more_than_requests", "has 1 requests", lambda p: p["execution"]["erasures"].append(
            p["execution"]["erasures"][0]), base),
        ("erasure_shows_a_model_between", "a plain digest", lambda p: [
            p["execution"]["erasures"][i][key].update(algorithm="SHA-256")
            for i, key in ((0, "model_after"), (1, "model_before"))], two),
        ("erasure_of_another_model", "not the model after", put(
            "execution", "erasures", 1, "model_before", "value", "0" * 64), two),
        ("erasures_released_do_not_follow", "not the model after", put(
            "execution", "erasures", 1, "model_before", "value", "0" * 64), every),
        ("erasures_of_one_id", "an id is given twice", put("execution", "erasures", 1, "id", "request-1"), two),
        ("erasures_reversed", "records: the run allows 1", lambda p: p["execution"]["erasures"].reverse(), every),
        ("erasure_cumulative_of_one", "cumulative: not what", put("execution", "erasures", 1, "cumulative", "1"), two),
        ("execution_order_not_secret", "secret batch order", put("execution", "order", "given"), hidden),
        ("retrained_for_fewer_epochs", "phases[2].epochs", put("execution", "phases", 2, "epochs", "4"), again),
        ("retrained_on_all_data", "phases[2].erased", put("execution", "phases", 2, "erased", "0"), again),
        ("retrained_twice", "imply 3", lambda p: p["execution"]["phases"].append(
            p["execution"]["phases"][2]), again),
        ("retrained_for_longer_than_T", "phases[2].epochs", put("execution", "phases", 2, "epochs", "5"), bounded),
        ("training_executed_for_fewer_steps", "phases[0].steps", put("execution", "phases", 0, "steps", "15"), trained),
        ("training_executed_twice", "imply 1", lambda p: p["execution"]["phases"].append(
            p["execution"]["phases"][0]), trained),
        ("training_executed_with_requests", "has no requests", put(
            "execution", "erasures", base["predicate"]["execution"]["erasures"]), trained),
        ("training_executed_by_nobody", "imply 1", put("execution", "phases", []), trained),
    ):
        edited(name, 1, message, edit, of)
    rejected_figures(edited, put)
    seen, plain = accepted("executed_with_clipping_seen"), accepted("executed_one_of_two")

    def called(name: str, status: str) -> Callable[[Json], None]:
        return lambda p: [a.update(status=status) for a in p["assumptions"] if a["id"] == name]

    for name, code, message, edit, of in (
        ("clipping_checked_by_nobody", 1, "assumptions: not what", drop("execution", "clipping"), seen),
        ("clipping_checked_without_execution", 1, "assumptions: not what",
         called("per_record_clipping", "checked"), accepted("figures_of_learning")),
        ("clipping_seen_and_attested", 1, "assumptions: not what", called("per_record_clipping", "attested"), seen),
        ("clipping_seen_and_proved", 1, "assumptions: not what", called("per_record_clipping", "proved"), seen),
        ("clipping_seen_where_there_is_none", 1, "does not clip each record",
         put("execution", "clipping", "per-record"), plain),
        ("clipping_seen_of_training", 1, "does not clip each record",
         put("execution", "clipping", "per-record"), trained),
        ("clipping_seen_of_batches", 2, "needs one of", put("execution", "clipping", "batch"), seen),
        ("noise_checked", 1, "assumptions: not what", called("gaussian_noise", "checked"), seen),
    ):
        edited(name, code, message, edit, of)
    # subjects
    for name, code, message, edit in (
        ("execution_without_model", 1, "model and execution", drop("subject", 1)),
        ("execution_without_run_record", 1, "run_record and execution", drop("subject", 2)),
        ("execution_without_files", 1, "model and execution", lambda s: s.update(subject=s["subject"][:1])),
        ("model_without_execution", 1, "model and execution", drop("predicate", "execution")),
        ("subjects_in_another_order", 2, "in this order", lambda s: s.update(
            subject=[s["subject"][i] for i in (0, 2, 1)])),
        ("subject_twice", 2, "in this order", lambda s: s["subject"].insert(1, s["subject"][1])),
        ("subject_unknown", 2, "in this order", put("subject", 1, "name", "weights")),
        ("subject_of_no_digest", 2, "64 lower-case", put("subject", 1, "digest", "sha256", "0" * 63)),
    ):
        restated(name, code, message, edit)
    # erasure records
    record = record_of(base)
    raw("record_of_another_payload", seal(record).replace(
        json.loads(seal(record))["digest"]["sha256"].encode(), b"0" * 64), 4, "digest")
    for name, code, message, edit in (
        ("unknown_key", 2, "unknown key", put("predicate", "expires", "2027-11-22T00:00:00Z")),
        ("unknown_key_in_erasure", 2, "unknown key", put("predicate", "erasure", "name", "A. Müller")),
        ("with_a_claim", 2, "unknown key", put("predicate", "verdict", "CERTIFIED")),
        ("called_a_certificate", 2, "payload.subject", put("predicateType", "urn:plumbline-dp:certificate:v2")),
        ("of_another_type", 2, "needs one of", put("predicateType", "urn:plumbline-dp:erasure:v3")),
        ("without_certificate", 2, "needs certificate, run", drop("subject", 0)),
        ("without_run", 2, "needs certificate, run", drop("subject", 1)),
        ("with_more_subjects", 2, "needs certificate, run", lambda s: s["subject"].append(s["subject"][2])),
        ("of_no_such_day", 2, "no such time", put("predicate", "created", "2027-02-30T00:00:00Z")),
        ("cumulative_above_cap", 1, "above the cap", put("predicate", "erasure", "cumulative", "2")),
        ("received_late", 1, "before it was received", put("predicate", "erasure", "received", "2026-11-20T11:00:01Z")),
        ("noise_unknown", 2, "noise", put("predicate", "noise", "white")),
        ("ends_before_it_starts", 1, "finished before", put("predicate", "erasure", "started", "2026-11-20T11:30:01Z")),
    ):
        restated(f"record_{name}", code, message, edit, record)
    restated("record_of_the_first_format", 2, "erasure:v1 is an earlier format; plumbline-dp 0.1 reads it",
             put("predicateType", "urn:plumbline-dp:erasure:v1"), record)
    restated("certificate_of_the_first_format", 2, "certificate:v1 is an earlier format; plumbline-dp 0.1 reads it",
             put("predicateType", "urn:plumbline-dp:certificate:v1"))
    restated("certificate_called_a_record", 2, "needs certificate, run",
             put("predicateType", "urn:plumbline-dp:erasure:v2"))


def rejected_figures(edited: Callable, put: Callable) -> None:
    """Figures that say something better than the proof, or else than the claim at its own ε, δ and epochs."""
    base, ball, learning, curved, hidden, two, noisy, trained = (accepted(name) for name in (
        "executed", "executed_reference_of_T", "figures_of_learning", "figures_of_a_curved_witness",
        "figures_of_a_secret_order", "figures_of_two_requests", "figures_of_noise_in_a_ball", "figures_of_training"))

    def at(of: Json, *epsilons: Fraction) -> list[int]:
        shown = of["predicate"]["figures"]["profile"]["epsilon"]
        return [shown.index(exact(epsilon)) for epsilon in epsilons]

    def profiled(key: str, entries: dict[int, str | None], without: Iterable[int] = ()) -> Callable[[Json], None]:
        """Change some entries, and leave out the lower bounds at others."""

        def edit(p: Json) -> None:
            for figure, changed in ((key, entries), ("lower", dict.fromkeys(without))):
                for i, value in changed.items():
                    p["figures"]["profile"][figure][i] = value

        return edit

    def nearer(of: Json, figure: str, key: str, i: int, up: bool) -> Callable[[Json], None]:
        context = Context(prec=7)
        step = context.next_plus if up else context.next_minus
        value = Decimal(of["predicate"]["figures"][figure][key][i])
        return put("figures", figure, key, i, str(step(step(value))).replace("E", "e"))

    def between(of: Json) -> Json:
        """Points at the claim's two ε and one between, of which the claim says that δ is in doubt there."""
        known, mu = of["predicate"]["epsilon"], of["predicate"]["mu"]
        least, most = Fraction(known["lower"]), Fraction(known["upper"])
        points = [least, (least + most) / 2, most]
        upper = [outward(delta_of(real(x), mp.mpf(mu["upper"])), True) for x in points[:2]]
        return {"epsilon": [exact(x) for x in points], "upper": [*upper, "0.00001"],
                "lower": [None, "0.0000100001", None]}

    most, least = (Fraction(base["predicate"]["epsilon"][key]) for key in ("upper", "lower"))
    half, own, low = at(base, most / 2, most, least)
    for name, message, edit, of in (
        ("profile_better_than_the_claim", "the claim is epsilon =",
         profiled("upper", {low: "0.00001", own: "0.00001"}), base),
        ("profile_worse_than_the_claim", "the claim is epsilon =",
         put("figures", "profile", "upper", own, "0.00001001"), base),
        ("profile_better_than_the_claim_in_a_ball", "the claim is epsilon =",
         profiled("upper", {1: "0.00001", 2: "0.00001", 3: "0.00001"}), noisy),
        ("profile_in_a_ball_less_than_the_proof", "is less than the proof gives",
         profiled("upper", {3: "1e-300"}), noisy),
        ("profile_in_a_ball_less_than_the_proof_at_zero", "is less than the proof gives",
         profiled("upper", {0: "0.0000100001", 1: "0.0000100001"}), noisy),
        ("profile_less_than_the_proof", "is less than the proof gives",
         nearer(base, "profile", "upper", half, False), base),
        ("profile_less_than_the_proof_at_zero", "is less than the proof gives",
         profiled("upper", {0: base["predicate"]["figures"]["profile"]["upper"][half]}, [0]), base),
        ("profile_less_than_the_proof_beyond", "is less than the proof gives",
         profiled("upper", {4: "1e-300"}, [4]), base),
        ("profile_of_learning_less_than_the_proof", "is less than the proof gives",
         nearer(learning, "profile", "upper", 0, False), learning),
        ("profile_of_one_request", "is less than the proof gives",
         nearer(two, "profile", "upper", 0, False), two),
        ("profile_of_a_secret_order_less_than_the_proof", "is less than the proof gives",
         put("figures", "profile", "upper", 4, "1e-300"), hidden),
        ("profile_of_training_less_than_the_proof", "is less than the proof gives",
         nearer(trained, "profile", "upper", 0, False), trained),
        ("profile_lower_more_than_the_proof", "is more than the proof gives",
         nearer(base, "profile", "lower", 0, True), base),
        ("profile_lower_of_learning_more_than_the_proof", "is more than the proof gives", lambda p: p["figures"][
            "profile"]["lower"].__setitem__(0, p["figures"]["profile"]["upper"][0]), curved),
        ("profile_lower_of_training_more_than_the_proof", "is more than the proof gives",
         nearer(trained, "profile", "lower", 0, True), trained),
        ("profile_lower_beyond_the_claim", "lower bound is epsilon =", put("figures", "profile", between(base)), base),
        ("profile_lower_of_no_witness", "has no lower bound", put("figures", "profile", "lower", 0, "0"), ball),
        ("sweep_better_than_the_claim", "the claim is", put("figures", "sweep", "upper", 0, "1.05"), base),
        ("sweep_worse_than_the_claim", "the claim is", put("figures", "sweep", "upper", 0, "1.07"), base),
        ("sweep_leaves_the_claim_out", "the claim is", put("figures", "sweep", "upper", 0, None), base),
        ("sweep_lower_better_than_the_claim", "the claim is", nearer(base, "sweep", "lower", 0, True), base),
        ("sweep_lower_of_no_witness", "the claim is None", put("figures", "sweep", "lower", 0, "0"), ball),
        ("sweep_without_the_run", "needs the run's own unlearning_epochs, 1",
         put("figures", "sweep", "values", ["2", "3", "4"]), base),
        ("sweep_of_epochs_of_learning", "of this run unlearning_epochs varies",
         put("figures", "sweep", "parameter", "epochs"), base),
        ("sweep_of_steps", "of this run epochs varies", put("figures", "sweep", "parameter", "steps"), learning),
        ("sweep_of_epochs_of_training", "of this run steps varies",
         put("figures", "sweep", "parameter", "epochs"), trained),
        ("sweep_below_the_witness", "less than any proof can give", lambda p: p["figures"]["sweep"].update(
            upper=[base["predicate"]["epsilon"]["upper"], "0.84304", None],
            lower=[base["predicate"]["epsilon"]["lower"], None, None]), base),
        ("sweep_lower_above_the_witness", "more than the proof gives", nearer(base, "sweep", "lower", 1, True), base),
        ("sweep_of_training_understated", "less than any proof can give",
         nearer(trained, "sweep", "upper", 2, False), trained),
        ("sweep_of_training_lower_overstated", "more than the proof gives",
         nearer(trained, "sweep", "lower", 2, True), trained),
        ("sweep_of_training_falls", "is below the bound for fewer", lambda p: [
            p["figures"]["sweep"][key].__setitem__(2, value) for key, value in (("upper", "0.5"), ("lower", None))],
         trained),
        ("sweep_published_of_another_number", "not what published says",
         put("figures", "sweep", "published", 0, "3.2"), base),
        ("sweep_published_by_nobody", "has no name", put("figures", "sweep", "published_name", None), base),
        ("sweep_published_left_out", "not what published says",
         put("figures", "published", {"koloskova2025": {"epsilon": "3.1"}}), base),
    ):
        edited(name, 1, message, edit, of)


def lower_by_a_digit(text: str) -> str:
    """The next decimal of twelve digits below: just on the wrong side."""
    return str(Context(prec=12).next_minus(Decimal(text))).replace("E", "e")


def main() -> None:
    """Write all the vectors."""
    for name in ACCEPT:
        (HERE / "accept" / f"{name}.json").write_bytes(seal(accepted(name)))
    for name, made in SEALED.items():
        (HERE / "accept" / f"{name}.json").write_bytes(made())
    expected = {}
    for name, (data, code, message) in sorted(rejected().items()):
        if len(data) < 2**20:
            (HERE / "reject/certificates" / f"{name}.json").write_bytes(data)
            expected[name] = {"exit": code, "contains": message}
    (HERE / "reject/certificates/expected.json").write_text(json.dumps(expected, indent=1) + "\n", "utf-8")


mp.mp.dps = 80

if __name__ == "__main__":
    main()
