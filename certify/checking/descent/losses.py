"""Constants of the losses: L1 to L7b."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from certify.checking.limits import MAX_LOG_GROWTH, require
from certify.checking.numbers.elementary import exp
from certify.checking.numbers.exact import root_rounded_up, rounded_up
from certify.checking.numbers.intervals import Interval
from certify.checking.reading import exact, integer, one_of, optional
from certify.checking.rules import RULES, Rule, Step, declare

LOSSES = {  # kind -> (theorem, what it takes for granted)
    "logistic": ("L1", ("feature_norm",)),
    "least-squares": ("L2", ("features", "target_bound", "domain")),
    "huber": ("L3", ("features",)),
    "smoothed-hinge": ("L4", ("feature_norm",)),
    "poisson": ("L5", ("features", "counts", "domain")),
    "softmax": ("L6", ("features", "classes")),
    "clipped": ("L7", ()),
}

Constants = dict[str, Any]  # smoothness (None if unknown), strong_convexity, gradient_bound; convex is a bool


def read_exact(args: dict[str, Any]) -> dict[str, Any]:
    return {key: None if value is None else Fraction(value) for key, value in args.items()}


def linear_model(theorem: str, args: dict[str, Any], name: str) -> Constants:
    """L1u to L5u. A data loss a(⟨x,θ⟩), |x| ≤ X, with a convex: its gradient a'·x has norm at most `gradient_bound`
    and slope a''·|x|² at most `curvature`, and at most growth·|a'·x| + floor (None: no such bound).
    """
    values = read_exact(args)
    x, radius, growth, floor = values["feature_norm"], values.get("radius"), None, Fraction(0)
    require(x > 0, f"{name}: needs feature_norm > 0")
    require(radius is None or radius > 0, f"{name}: needs radius > 0")
    match theorem:
        case "L1u":  # |a'| < 1, a'' = |a'|·(1 - |a'|) ≤ 1/4
            curvature, bound, growth = x**2 / 4, x, x
        case "L2u":  # a' = z - y, |z| ≤ X·R, |y| ≤ Y; a'' = 1
            curvature = x**2
            bound = None if radius is None else x * (x * radius + values["target_bound"])
        case "L3u":  # a' = z - y cut off at the threshold; a'' is 1 or 0
            require(values["threshold"] > 0, f"{name}: needs threshold > 0")
            curvature, bound = x**2, values["threshold"] * x
        case "L4u":  # a' rises from -1 to 0 over an interval of length γ
            require(values["smoothing"] > 0, f"{name}: needs smoothing > 0")
            curvature, bound = x**2 / values["smoothing"], x
        case "L5u":  # a' = e^z - y, 0 ≤ y ≤ Y, a'' = e^z: at most y + |a'| anywhere, at most e^(X·R) in the ball
            curvature, bound, growth, floor = None, None, x, x**2 * values["target_bound"]
            if radius is not None:
                require(x * radius <= MAX_LOG_GROWTH, f"{name}: needs feature_norm * radius <= {MAX_LOG_GROWTH}")
                most = rounded_up(lambda bits: exp(Interval.of(x * radius, bits)), name)
                curvature, bound = x**2 * most, x * max(most, values["target_bound"] - 1 / most)
    constants = {"curvature": curvature, "gradient_bound": bound, "growth": growth, "floor": floor}
    return {"regularization": values["regularization"]} | constants


def loss_constants(theorem: str, args: dict[str, Any]) -> Constants:
    """L1 to L7b. L, m, M of the data loss of a record plus (m/2)|θ|², its gradient clipped to norm C before that.

    L1 to L5 are a(⟨x,θ⟩), |x| ≤ X, with a convex: the data gradient is a'·x. Clipping replaces a' by the nearest number
    of [-C/|x|, C/|x|]: still not decreasing, so convex, with slopes no larger than a'' is where |a'| ≤ C/|x|.
    In general clipping is 1-Lipschitz, so the gradient stays as Lipschitz as it was, but need not be monotone.
    """
    values = read_exact(args)
    name, m, clip = RULES[theorem].name, values["regularization"], values["clip"]
    require(clip is None or clip > 0, f"{name}: needs clip > 0")
    if theorem in ("L7", "L7b"):  # any loss at all; L7b: the mean gradient of a batch is clipped, not that of a record
        return {"smoothness": None, "strong_convexity": m, "gradient_bound": clip, "convex": False}
    if theorem == "L6":  # gradient (p - e_y) ⊗ x, |p - e_y|² ≤ 2(1 - p_y)²; v'(diag p - pp')v = Var_p(v) ≤ |v|²/2
        x = values["feature_norm"]
        require(x > 0, f"{name}: needs feature_norm > 0")
        require(values["classes"] >= 2, f"{name}: needs two classes")
        convex = clip is None or clip**2 >= 2 * x**2  # else the clip can be active
        bound = root_rounded_up(2 * x**2)
        curvature, bound = x**2 / 2, bound if clip is None else min(bound, clip)
        return {"smoothness": m + curvature, "strong_convexity": m, "gradient_bound": bound, "convex": convex}
    model = linear_model(theorem + "u", args, name)
    bounds = [bound for bound in (clip, model["gradient_bound"]) if bound is not None]  # the least of them counts
    slopes = [] if model["curvature"] is None else [model["curvature"]]
    if theorem == "L5" and clip is not None:  # where unclipped
        slopes.append(model["growth"] * clip + model["floor"])
    require(bool(bounds), f"{name}: needs a clip or a radius")
    return {"smoothness": m + min(slopes), "strong_convexity": m, "gradient_bound": min(bounds), "convex": True}


def check_loss(step: Step) -> Constants:
    return step.equal(loss_constants(step.theorem, step.args))


def check_model(step: Step) -> Constants:
    return step.equal(linear_model(step.theorem, step.args, RULES[step.theorem].name))


CONSTANTS = {"smoothness": exact, "strong_convexity": exact, "gradient_bound": exact, "convex": one_of(True, False)}
ROUGH = CONSTANTS | {"smoothness": one_of(None)}
CLIPPED = {"regularization": exact, "clip": exact}
MODEL = {"regularization": exact, "feature_norm": exact}
MODELLED = dict.fromkeys(("regularization",), exact) | dict.fromkeys(
    ("curvature", "gradient_bound", "growth", "floor"), optional(exact)
)
FEATURES = MODEL | {"clip": optional(exact)}
TARGETS = {"target_bound": exact, "radius": optional(exact)}
OF_THE_RUN = "`radius`: that of the mechanism"

declare(
    Rule("L1", "logistic_constants", FEATURES, CONSTANTS, check_loss),
    Rule("L2", "least_squares_constants", FEATURES | TARGETS, CONSTANTS, check_loss, remarks=OF_THE_RUN),
    Rule("L3", "huber_constants", FEATURES | {"threshold": exact}, CONSTANTS, check_loss),
    Rule("L4", "smoothed_hinge_constants", FEATURES | {"smoothing": exact}, CONSTANTS, check_loss),
    Rule("L5", "poisson_constants", FEATURES | TARGETS, CONSTANTS, check_loss, remarks=OF_THE_RUN),
    Rule("L6", "softmax_constants", FEATURES | {"classes": integer}, CONSTANTS, check_loss),
    Rule("L7", "clipped_constants", CLIPPED, ROUGH, check_loss, remarks="not convex"),
    Rule("L7b", "batch_clipped_constants", CLIPPED, ROUGH, check_loss, remarks="not convex"),
    Rule("L1u", "logistic_model", MODEL, MODELLED, check_model),
    Rule("L2u", "least_squares_model", MODEL | TARGETS, MODELLED, check_model, remarks=OF_THE_RUN),
    Rule("L3u", "huber_model", MODEL | {"threshold": exact}, MODELLED, check_model),
    Rule("L4u", "smoothed_hinge_model", MODEL | {"smoothing": exact}, MODELLED, check_model),
    Rule("L5u", "poisson_model", MODEL | TARGETS, MODELLED, check_model, remarks=OF_THE_RUN),
)
