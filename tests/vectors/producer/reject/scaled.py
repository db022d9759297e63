"""Scaled gradients."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from tests.vectors.producer.numbers import Json, exact
from tests.vectors.producer.runs import CONVEX
from tests.vectors.producer.table import accepted

# fmt: off

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
