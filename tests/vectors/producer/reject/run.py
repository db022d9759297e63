"""Side conditions of the run, of the losses, and of rounding."""

from __future__ import annotations

from fractions import Fraction

from tests.vectors.producer.envelopes import seal
from tests.vectors.producer.losses import LOGISTIC
from tests.vectors.producer.numbers import exact
from tests.vectors.producer.reject.cases import Cases, put
from tests.vectors.producer.runs import CONVEX, LOSS_VECTORS, WAVY, small
from tests.vectors.producer.statements import statement
from tests.vectors.producer.table import ACCEPT

# fmt: off

def of_the_run(made: Cases) -> None:
    raw, edited, at, bounded = made.raw, made.edited, made.at, made.bounded
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
