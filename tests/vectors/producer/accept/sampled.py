"""Training runs."""

from __future__ import annotations

from tests.vectors.producer.runs import training_run
from tests.vectors.producer.table import ACCEPT, accepted
from tests.vectors.producer.training import training_statement, with_grids

# fmt: off

ACCEPT |= {
    # T14 to T20. Where batches are sampled, the bounds are claims, true with a little room
    "training_poisson": lambda: training_statement(training_run(), ("0.717", "0.719"), other="0.897"),
    "training_with_grids": lambda: with_grids(accepted("training_poisson")),
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
