"""Training runs whose noisy sums were all snapped to a grid, and what T28s says of them."""

from __future__ import annotations

from tests.vectors.producer.runs import training_run
from tests.vectors.producer.sums import with_executed_sums
from tests.vectors.producer.table import ACCEPT
from tests.vectors.producer.training import training_statement

# fmt: off

FULL = {"sampling": "full", "sample_rate": None, "noise_multiplier": "30", "samples": "10"}
CUT = {"sample_rate": None, "batch_size": "20", "samples": "2000"}

ACCEPT |= {
    "executed_sums": lambda: with_executed_sums(training_statement(training_run(
        mechanism=FULL, target={"epsilon": "2"}, execution={"dimension": "26"})), 100, 11),
    "executed_sums_composed": lambda: with_executed_sums(training_statement(training_run(
        mechanism=FULL, target={"epsilon": "2"})), 100, 12, dimension=10**10, spare="0.00000000001"),
    "executed_sums_above_the_target": lambda: with_executed_sums(training_statement(training_run(
        mechanism=FULL, target={"epsilon": "1.3"})), 100, 11, enlargement="0.2"),
    "executed_sums_poisson": lambda: with_executed_sums(training_statement(training_run(
        mechanism=CUT), ("0.717", "0.719"), other="0.897"), 100, 60, ("0.72", "0.75"), roomy=True),
    "executed_sums_poisson_of_all": lambda: with_executed_sums(training_statement(training_run(
        mechanism={"sample_rate": "1", "noise_multiplier": "20", "samples": "50"}, target={"epsilon": "3"})), 100, 51),
    "executed_sums_truncated": lambda: with_executed_sums(training_statement(training_run(
        mechanism=CUT | {"max_batch_size": "70"}), ("0.717", "0.72"), "0.00000001", "0.9"), 100, 70,
        ("0.72", "0.745"), "0.00000001"),
    "executed_sums_group_together": lambda: with_executed_sums(training_statement(training_run(
        mechanism={"sampling": "full", "sample_rate": None, "noise_multiplier": "60", "samples": "10"},
        threat={"neighbours": "add-or-remove-one", "group_size": "2"}, releases=[{"mu": "0.1", "text": None}],
        target={"epsilon": "4"})), 100, 12),
    "executed_sums_shuffled": lambda: with_executed_sums(training_statement(training_run(
        mechanism={"kind": "dp-psac", "sampling": "shuffled", "sample_rate": None, "batch_size": "30",
                   "samples": "90", "steps": None, "epochs": "5", "noise_multiplier": "6"},
        scaling={"kind": "psac", "max_grad_norm": "2", "r": "0.1", "gradient_norm_bound": "1.5"},
        stages=[{"noise_multiplier": "9", "sample_rate": None, "batch_size": None, "steps": "7", "epochs": None}],
        momentum={"outer": "0.9"}, target={"epsilon": "4"}, threat={"neighbours": "replace-one"},
    )), 22, 30),
    "executed_sums_without_replacement": lambda: with_executed_sums(training_statement(training_run(
        mechanism={"kind": "dp-psasc", "sampling": "without-replacement", "samples": "1000", "steps": "10",
                   "noise_multiplier": "2"},
        threat={"neighbours": "replace-one"},
        scaling={"kind": "psasc", "max_grad_norm": "2", "r": "0.1", "s": "0.3", "gradient_norm_bound": None},
    ), ("0.378", "0.388")), 10, 10, ("0.38", "0.41")),
}
