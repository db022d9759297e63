"""Canonical runs, and what the vectors vary."""

from __future__ import annotations

from tests.vectors.producer.numbers import Json

# fmt: off

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
