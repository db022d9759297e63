"""The shape of a canonical run."""

from __future__ import annotations

from typing import Any

from certify.checking.descent.losses import CONSTANTS, LOSSES
from certify.checking.descent.scaling import MAPS
from certify.checking.descent.steps import NEIGHBOURS
from certify.checking.format.data import DATA
from certify.checking.limits import Malformed
from certify.checking.reading import (
    anything,
    attestation,
    check_shape,
    exact,
    integer,
    named_or_exact,
    newer,
    one_of,
    optional,
    text,
)
from certify.checking.rules import RULES
from certify.checking.sampled.schedule import BATCHES

TRAINING = {"dp-sgd": "clip", "auto-s": "auto-s", "dp-psac": "psac", "dp-psasc": "psasc"}  # mechanism -> its map


def loss_shape(value: Any, where: str) -> None:
    kind = value.get("kind") if isinstance(value, dict) else None
    derived = isinstance(kind, str) and kind in LOSSES
    shape = CONSTANTS
    if derived:
        shape = {key: of_key for key, of_key in RULES[LOSSES[kind][0]].arguments.items() if key != "radius"}
    shape = shape | ({"clipping?": newer(one_of("batch"), "per-record")} if kind == "clipped" else {})
    if kind is not None:
        one_of("constants", *LOSSES)(kind, f"{where}.kind")
    check_shape(value, {"kind": anything} | shape, where)


def scaling_shape(value: Any, where: str, **more: Any) -> None:
    kind = value.get("kind") if isinstance(value, dict) else None
    keys = MAPS.get(kind, ()) if isinstance(kind, str) else ()
    check_shape(value, {"kind": one_of(*MAPS), "max_grad_norm": exact} | dict.fromkeys(keys, exact) | more, where)


def run_shape(value: Any, where: str) -> None:
    mechanism = value.get("mechanism") if isinstance(value, dict) else None
    kind = mechanism.get("kind") if isinstance(mechanism, dict) else None
    check_shape(value, TRAINING_RUN if isinstance(kind, str) and kind in TRAINING else RUN, where)


RUN = {
    "mechanism": {
        "kind": one_of("pnsgd", *TRAINING), "samples": integer, "batch_size": integer, "epochs": integer,
        "unlearning_epochs": [integer], "noise_std": exact, "step_size": named_or_exact("1/L", "2/(L+m)"),
        "radius": optional(exact), "initial_distance": exact, "batch_order": one_of("fixed", "secret"),
        "remainder": one_of("error", "drop"),
    },
    "loss": loss_shape,
    "scaling": optional(scaling_shape),
    "requests": {"sizes": [integer], "chosen?": newer(one_of("adaptively"), "independently"), "max_records?": integer,
                 "max_epochs?": integer},
    "target": {"epsilon": exact, "delta": named_or_exact("1/n")},
    "threat": {"neighbours": NEIGHBOURS, "reference": one_of("retrain", "retrain-T", "stationary"),
               "release": one_of("final", "all")},
    "attest": lambda value, where: None if value is None else check_shape(value, attestation, where),
}  # fmt: skip
EXECUTED_IN = {"dtype?": one_of("float64", "float32"), "dimension?": integer, "largest_coordinate?": exact}


def executed_in_shape(value: Any, where: str) -> None:
    """The keys that are given; one at least."""
    check_shape(value, EXECUTED_IN, where)
    if not value:
        raise Malformed(f"{where}: is empty, and then left out of the canonical run")


RUN |= {"execution?": executed_in_shape, "data?": DATA}
STAGE = {"sample_rate": optional(exact), "batch_size": optional(integer), "steps": optional(integer)}
STAGE |= {"epochs": optional(integer)}
TRAINING_RUN = {
    "mechanism": {
        "kind": one_of(*TRAINING), "noise_multiplier": exact, **STAGE, "samples": optional(integer),
        "sampling": one_of(*BATCHES), "max_batch_size": optional(integer), "normaliser": optional(exact),
    },
    "scaling": lambda value, where: scaling_shape(value, where, gradient_norm_bound=optional(exact)),
    "momentum": {"outer": exact, "inner_beta": exact, "inner_window": integer, "inner_history": one_of("own", "batch")},
    "stages": [{"noise_multiplier": optional(exact), **STAGE}],
    "releases": [{"mu": exact, "text": optional(text)}],
    "target": {"epsilon": exact, "delta": named_or_exact("1/n")},
    "threat": {"neighbours": one_of(*BATCHES["full"]), "group_size?": newer(integer, "1"),
               "group_sampling?": newer(one_of("together"), "independent")},
    "attest": RUN["attest"],
    "execution?": executed_in_shape,
}  # fmt: skip
