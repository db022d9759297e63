"""Constants of the losses, and the rounding of a step."""

from __future__ import annotations

from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction

import mpmath as mp

from tests.vectors.producer.numbers import Json, eighteen, real
from tests.vectors.producer.strings import delta_of

# fmt: off

LOSS_ASSUMPTIONS = {
    "feature_norm": ("logistic", "smoothed-hinge"), "features": ("least-squares", "huber", "poisson", "softmax"),
    "target_bound": ("least-squares",), "counts": ("poisson",), "classes": ("softmax",),
    "domain": ("least-squares", "poisson"),
}
LOGISTIC = {"kind": "logistic", "regularization": "0.011264", "feature_norm": "1", "clip": "1"}
LOSS_THEOREMS = {"logistic": "L1", "least-squares": "L2", "huber": "L3", "smoothed-hinge": "L4", "poisson": "L5",
                 "softmax": "L6", "clipped": "L7"}


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
