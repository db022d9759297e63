"""All models released, secret orders, losses that are not convex, gauges, ranges, curved witnesses, scaling."""

from __future__ import annotations

from tests.vectors.producer.losses import LOGISTIC
from tests.vectors.producer.runs import BATCH_CLIPPED, CLIPPED, CONVEX, FORGETFUL, SINGLE, WAVY, run_file, small
from tests.vectors.producer.table import ACCEPT

# fmt: off

ACCEPT |= {
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
}
