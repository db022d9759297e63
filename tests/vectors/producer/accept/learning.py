"""Learning and unlearning in floating point or not, of every loss, with a restart."""

from __future__ import annotations

from tests.vectors.producer.executed import (
    executed,
    executed_training,
    pictured,
    retrained,
    seen_clipping,
    swept,
    trained,
    unlearned,
    with_figures,
)
from tests.vectors.producer.losses import LOGISTIC
from tests.vectors.producer.numbers import Json
from tests.vectors.producer.precision import in_finite_precision
from tests.vectors.producer.runs import CONVEX, LOSS_VECTORS, run_file, small, training_run
from tests.vectors.producer.statements import statement
from tests.vectors.producer.table import ACCEPT, accepted
from tests.vectors.producer.training import training_statement

# fmt: off


def shuffled_training() -> Json:
    """The statement about a small training run of 16 steps."""
    return training_statement(training_run(
        mechanism={"sampling": "shuffled", "sample_rate": None, "batch_size": "10", "samples": "40",
                   "steps": "16", "noise_multiplier": "6"},
        target={"epsilon": "3"}, threat={"neighbours": "replace-one"}))


ACCEPT |= {
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
    "executed_training": lambda: executed_training(shuffled_training()),
    "executed_training_stopped_early": lambda: executed_training(shuffled_training(), steps=13),
    # executed in floating point
    "executed_in_finite_precision": lambda: in_finite_precision(executed(unlearned(1))),
    "executed_in_finite_precision_two_requests": lambda: in_finite_precision(executed(statement(small(
        mechanism={"noise_std": "3", "unlearning_epochs": ["1", "2"]}, requests={"sizes": ["1", "2"]})), 2)),
    "executed_in_finite_precision_learned_model": lambda: in_finite_precision(executed(statement(small(
        mechanism={"unlearning_epochs": ["1", "1"], "noise_std": "2"}, requests={"sizes": ["1", "2"]},
        threat={"release": "all"}, target={"epsilon": "9"})), 0)),
    "executed_in_finite_precision_in_a_ball": lambda: in_finite_precision(executed(
        statement(small(mechanism={"noise_std": "3", "radius": "0.001"}, threat={"reference": "retrain-T"}),
                  restart=True)), error="0.0009"),
    "executed_in_finite_precision_without_epsilon": lambda: in_finite_precision(
        executed(unlearned(1)), failure="0.01"),
    "executed_in_finite_precision_above_the_target": lambda: in_finite_precision(
        executed(unlearned(1)), dimension=60, error="0.0001"),
    "executed_in_finite_precision_softmax": lambda: in_finite_precision(executed(statement(small(
        mechanism={"noise_std": "1"}, loss={"kind": "softmax", "classes": "3", "regularization": "0.01",
                                            "feature_norm": "1", "clip": None},
        execution={"dtype": "float64", "dimension": "6", "largest_coordinate": "9"}, target={"epsilon": "9"}))), 6),
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
}
