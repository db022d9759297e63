"""The theorems by id: the shape of their arguments, and of what they conclude."""

from __future__ import annotations

from typing import Any

from certify.checking.descent.scaling import MAPS
from certify.checking.limits import Malformed
from certify.checking.reading import anything, check_shape, exact, integer, one_of, optional, rounded, text
from certify.checking.sampled.schedule import BATCHES

CONSTANTS = {"smoothness": exact, "strong_convexity": exact, "gradient_bound": exact, "convex": one_of(True, False)}
FEATURES = {"regularization": exact, "feature_norm": exact, "clip": optional(exact)}
NEIGHBOURS = one_of("replace-one", "remove-one")

PHASE = {"epochs": integer, "batches": integer, "step_size": exact, "noise_std": exact, "records": [(integer, integer)]}
CLIPPED_STEP = {"step_size": exact, "strong_convexity": exact, "gradient_bound": exact}
MOMENT = {"block": integer, "epoch": integer, "position": integer}
EXCURSIONS = [{"from": MOMENT, "to": MOMENT}]
CORNERS = [{"block": integer, "position": integer, "first": integer, "last": integer}]
WITNESS = {"start": exact, "strong_convexity": exact, "gradient_bound": exact, "neighbours": NEIGHBOURS}
WITNESS |= {"phases": [PHASE | {"batch_size": integer}]}
MODEL = {"regularization": exact, "feature_norm": exact}
MODELLED = dict.fromkeys(("curvature", "gradient_bound", "growth", "floor"), optional(exact)) | {
    "regularization": exact
}
MAP = {"kind": one_of(*MAPS), "max_grad_norm": exact, "r": optional(exact), "s": optional(exact)}
SENSITIVITY = {"sensitivity": exact, "attained": one_of(True, False)}
SUMS = [{"sampling": one_of("poisson", "without-replacement", "full"), "noise_multiplier": exact, "sample_rate": exact,
         "steps": integer}]  # fmt: skip
SAMPLED = {"releases": SUMS, "neighbours": one_of(*BATCHES["full"])}
GRID = {"delta": exact, "points": integer, "reverse_points": integer, "further": ()}
THEOREMS = {  # id -> (shape of args, shape of concludes)
    "L1": (FEATURES, CONSTANTS),
    "L2": (FEATURES | {"target_bound": exact, "radius": optional(exact)}, CONSTANTS),
    "L3": (FEATURES | {"threshold": exact}, CONSTANTS),
    "L4": (FEATURES | {"smoothing": exact}, CONSTANTS),
    "L5": (FEATURES | {"target_bound": exact, "radius": optional(exact)}, CONSTANTS),
    "L6": (FEATURES | {"classes": integer}, CONSTANTS),
    "L7": ({"regularization": exact, "clip": exact}, CONSTANTS | {"smoothness": one_of(None)}),
    "L7b": ({"regularization": exact, "clip": exact}, CONSTANTS | {"smoothness": one_of(None)}),
    "C1": ({"step_size": exact, "strong_convexity": exact, "smoothness": exact}, {"contraction": exact}),
    "T22": ({"step_size": exact, "smoothness": exact}, {"contraction": exact}),
    "T23": (CLIPPED_STEP, {"contraction": exact, "shift": exact}),
    "T23b": (CLIPPED_STEP, {"contraction": exact, "shift": exact}),
    "C2": (
        {"step_size": exact, "batch_size": integer, "gradient_bound": exact, "neighbours": NEIGHBOURS},
        {"shift": exact},
    ),
    "T10": ({"start": exact, "diameter": optional(exact), "phases": [PHASE]}, {"steps": integer}),
    "T1": ({"phases": integer}, {"wasserstein": rounded}),
    "T3": ({"corners": CORNERS}, {"mu": rounded}),
    "T5": ({"restart": MOMENT, "corners": CORNERS}, {"mu": rounded}),
    "T26": ({"excursions": EXCURSIONS}, {"mu": rounded}),
    "T26r": ({"restart": MOMENT, "excursions": EXCURSIONS}, {"mu": rounded}),
    "T7": ({}, {"mu": rounded}),
    "T9": ({"delta": exact, "positions": [integer], "rule": one_of("chord", "right")}, {"epsilon": rounded}),
    "T9r": ({"orders": [exact], "positions": [integer]}, {"renyi": [rounded]}),
    "T2": ({"orders": [exact]}, {"renyi": [rounded]}),
    "T6": (WITNESS, {"mu": rounded}),
    "T6c": (
        WITNESS | {"smoothness": exact, "delta": exact, "epsilon": exact, "mu": exact, "own": exact, "others": exact},
        {"epsilon": rounded, "mu": rounded},
    ),
    "T6m": (
        WITNESS | {"delta": exact, "epsilon": exact, "threshold": exact, "positions": [integer]},
        {"epsilon": rounded},
    ),
    "T11": ({"delta": exact}, {"epsilon": rounded}),
    "T24": ({"delta": exact, "diameter": exact, "phase": PHASE}, {"epsilon": rounded}),
    "L1u": (MODEL, MODELLED),
    "L2u": (MODEL | {"target_bound": exact, "radius": optional(exact)}, MODELLED),
    "L3u": (MODEL | {"threshold": exact}, MODELLED),
    "L4u": (MODEL | {"smoothing": exact}, MODELLED),
    "L5u": (MODEL | {"target_bound": exact, "radius": optional(exact)}, MODELLED),
    "T16": (MAP, CONSTANTS),
    "T14": (MAP, SENSITIVITY),
    "T14g": (MAP | {"gradient_norm_bound": exact}, SENSITIVITY),
    "T15": (
        {"placement": one_of("inner", "outer"), "beta": exact, "window": optional(integer),
         "iterates": one_of("released"), "history": one_of("own"), "charged": one_of("every-aggregate")},
        SENSITIVITY,
    ),
    "T18": (SAMPLED | {"orders": [integer]}, {"renyi": [rounded]}),
    "T19": (SAMPLED | {"grid": GRID}, {"epsilon": rounded}),
    "T19l": (SAMPLED | {"grid": GRID, "direction": one_of("remove", "add")}, {"epsilon": rounded}),
    "T27": (SAMPLED | {"grid": GRID, "group": integer}, {"epsilon": rounded}),
    "T27l": (SAMPLED | {"grid": GRID, "group": integer, "direction": one_of("remove", "add")}, {"epsilon": rounded}),
    "T20": (
        {"budget": exact, "releases": SUMS, "samples": integer, "max_batch_size": integer}, {"epsilon": rounded}
    ),
    "T20d": ({"noise_multiplier": exact, "epochs": integer, "neighbours": NEIGHBOURS}, {"mu": rounded}),
    "T20f": (SAMPLED, {"mu": rounded}),
    "T20l": (SAMPLED, {"mu": rounded}),
}  # fmt: skip


def step_shape(value: Any, where: str) -> None:
    check_shape(value, {"theorem": text, "args": anything, "premises": [integer], "concludes": anything}, where)
    if value["theorem"] not in THEOREMS:
        raise Malformed(f"{where}: unknown theorem id {ascii(value['theorem'])[:60]}")
    args, concludes = THEOREMS[value["theorem"]]
    check_shape(value["args"], args, f"{where}.args")
    check_shape(value["concludes"], concludes, f"{where}.concludes")
