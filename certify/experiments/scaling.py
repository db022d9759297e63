"""(f) The four maps that scale per-sample gradients, at equal ε: test accuracy with the least σ of each."""

from __future__ import annotations

from typing import Any

from certify.engine import Each
from certify.experiments.intervals import Measured
from certify.experiments.outcome import Outcome, Table
from certify.experiments.problems import Problem
from certify.experiments.scales import Scale
from certify.experiments.trials import Accuracies, Trial, accuracies, calibrations
from certify.results.result import Progress

# No gradient of the logistic loss is longer than 1 here: with C = 1 nothing is clipped.
MAPS: tuple[dict[str, str], ...] = (
    {"kind": "clip", "max_grad_norm": "1"},
    {"kind": "clip", "max_grad_norm": "0.5"},
    {"kind": "clip", "max_grad_norm": "0.2"},
    {"kind": "auto-s", "max_grad_norm": "1", "r": "1"},
    {"kind": "auto-s", "max_grad_norm": "1", "r": "0.1"},
    {"kind": "psac", "max_grad_norm": "1", "r": "1"},
    {"kind": "psac", "max_grad_norm": "1", "r": "0.1"},
    {"kind": "psasc", "max_grad_norm": "1", "r": "1", "s": "0.5"},
    {"kind": "psasc", "max_grad_norm": "1", "r": "1", "s": "2"},
)


def run_scaling(problem: Problem, scale: Scale, each: Each, progress: Progress | None = None) -> Outcome:
    """One record erased, K = 1, the same T and b, η = 1/L with each map's own L."""
    grid = [(scaling, epsilon) for scaling in MAPS for epsilon in scale.map_epsilons]
    pieces = [(problem.tables(epsilon=epsilon, scaling=scaling), "noise_std") for scaling, epsilon in grid]
    levels = calibrations(each, pieces, progress)
    trained = iter(
        accuracies(each, [Trial(problem.data, level.run) for level in levels if level.run], scale.seeds, progress)
    )
    rows = []
    for (scaling, epsilon), level in zip(grid, levels, strict=True):
        result = Accuracies(problem=level.problem) if level.run is None else next(trained)
        constants = None if level.run is None else level.run.mechanism.loss.constants()
        rows.append(
            {
                "scaling": dict(scaling),
                "label": label(scaling),
                "epsilon": epsilon,
                "noise_std": level.value,
                "certified": level.run is not None,
                "smoothness": None if constants is None else float(constants.smoothness),
                "gradient_bound": None if constants is None else float(constants.gradient_bound),
                "accuracy": result.measured[0].as_json() if result.measured else None,
                "problem": result.problem,
            }
        )
    return Outcome(
        name="scaling",
        scale=scale.name,
        seeds=scale.seeds,
        subject=problem.subject,
        setting=problem.as_json() | {"batch_size": problem.batch_size, "unlearning_epochs": 1, "erased": 1},
        rows=tuple(rows),
        tables=(_table(rows, scale),),
        notes=(
            "several settings of C, r, s, none of them chosen by private means",
            "a map that shortens gradients leaves the regulariser as it is, which then weighs more",
            *dict.fromkeys(f"{row['label']}, ε = {row['epsilon']}: {row['problem']}" for row in rows if row["problem"]),
        ),
    )


def label(scaling: dict[str, str]) -> str:
    """The map with its numbers."""
    numbers = {"C": scaling["max_grad_norm"]} | {key: scaling[key] for key in ("r", "s") if key in scaling}
    return f"{scaling['kind']}, " + ", ".join(f"{name} = {value}" for name, value in numbers.items())


def _table(rows: list[dict[str, Any]], scale: Scale) -> Table:
    by = {(row["label"], row["epsilon"]): row for row in rows}
    head: tuple[str, ...] = ("map", "L", "M")
    for epsilon in scale.map_epsilons:
        head = (*head, f"σ for ε = {epsilon}", "accuracy")
    cells = []
    for name in dict.fromkeys(row["label"] for row in rows):
        known = next((row for row in rows if row["label"] == name and row["certified"]), None)
        line = [name, *("–" if known is None else f"{known[key]:.4g}" for key in ("smoothness", "gradient_bound"))]
        for epsilon in scale.map_epsilons:
            row = by[name, epsilon]
            a = row["accuracy"]
            line.append("–" if row["noise_std"] is None else f"{float(row['noise_std']):.4g}")
            line.append("–" if a is None else Measured(tuple(a["values"]), a["mean"], a["low"], a["high"]).percent())
        cells.append(tuple(line))
    return Table("least σ of each map, and test accuracy (%)", (head, *cells))
