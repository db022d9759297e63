"""(c, d) What the batch size trades: noise, accuracy, and the gradients that a request costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from certify.engine import Each
from certify.experiments.intervals import Measured
from certify.experiments.outcome import Outcome, Table
from certify.experiments.problems import Problem
from certify.experiments.scales import Scale
from certify.experiments.trials import Accuracies, Trial, accuracies, calibrations
from certify.results.result import Progress

EPSILON = "1"
METHODS = {"plumbline": "our σ (T3)", "chien2024": "least published σ (Chien et al. 2024, P1)"}


@dataclass(frozen=True)
class _Choice:
    """A batch size and a number of epochs, with a noise and its trial; problem: why there is none."""

    batch_size: int
    unlearning_epochs: int
    method: str
    noise_std: str | None = None
    trial: Trial | None = None
    problem: str | None = None


def run_tradeoff(problem: Problem, scale: Scale, each: Each, progress: Progress | None = None) -> Outcome:
    """For each b and K the least σ for ε = 1, ours and published, the accuracy with it, and the cost of a request."""
    sizes = sorted({problem.samples // batches for batches in scale.batches if batches <= problem.samples})
    grid = [(b, k) for b in sizes for k in scale.unlearning_epochs]
    pieces = [(problem.tables(epsilon=EPSILON, batch_size=b, unlearning_epochs=k), "noise_std") for b, k in grid]
    choices: list[_Choice] = []
    for (b, k), level in zip(grid, calibrations(each, pieces, progress), strict=True):
        noises = [noise for noise in (level.published or {}).values() if noise is not None]
        for method, noise in (("plumbline", level.value), ("chien2024", min(noises, key=float, default=None))):
            if level.run is None or noise is None:
                choices.append(_Choice(b, k, method, problem=level.problem or "no published bound reaches ε"))
            else:
                trial = Trial(problem.data, level.run.with_values(noise_std=noise))
                choices.append(_Choice(b, k, method, noise, trial))
    trained = iter(accuracies(each, [c.trial for c in choices if c.trial is not None], scale.seeds, progress))
    rows = tuple(_row(problem, c, Accuracies(problem=c.problem) if c.trial is None else next(trained)) for c in choices)
    return Outcome(
        name="tradeoff",
        scale=scale.name,
        seeds=scale.seeds,
        subject=problem.subject,
        setting=problem.as_json() | {"epsilon": EPSILON, "erased": 1},
        rows=rows,
        tables=(_table(rows),),
        notes=(
            "gradients, steps: of one request, K·l·b and K·l with l = n/b batches an epoch; learning takes T/K as many",
            *dict.fromkeys(
                f"b = {row['batch_size']}, K = {row['unlearning_epochs']}, {row['label']}: {row['problem']}"
                for row in rows
                if row["problem"]
            ),
        ),
    )


def _row(problem: Problem, choice: _Choice, result: Accuracies) -> dict[str, Any]:
    steps = choice.unlearning_epochs * (problem.samples // choice.batch_size)
    return {
        "method": choice.method,
        "label": METHODS[choice.method],
        "batch_size": choice.batch_size,
        "unlearning_epochs": choice.unlearning_epochs,
        "noise_std": choice.noise_std,
        "certified": choice.method == "plumbline" and choice.noise_std is not None,
        "accuracy": result.measured[0].as_json() if result.measured else None,
        "gradient_evaluations": steps * choice.batch_size,
        "steps": steps,
        "problem": result.problem,
    }


def _table(rows: tuple[dict[str, Any], ...]) -> Table:
    by = {(row["batch_size"], row["unlearning_epochs"], row["method"]): row for row in rows}
    head = ("batch b", "epochs K", "gradients", "steps", "our σ", "published σ", "accuracy, ours", "published")
    cells = []
    for b, k in dict.fromkeys(key[:2] for key in by):
        pair = [by[b, k, method] for method in METHODS]
        noises = [f"{float(row['noise_std']):.4g}" if row["noise_std"] else "–" for row in pair]
        cells.append(
            (
                str(b),
                str(k),
                str(pair[0]["gradient_evaluations"]),
                str(pair[0]["steps"]),
                *noises,
                *map(_accuracy, pair),
            )
        )
    return Table(f"least σ for ε = {EPSILON}, test accuracy (%), and the cost of one request", (head, *cells))


def _accuracy(row: dict[str, Any]) -> str:
    a = row["accuracy"]
    return "–" if a is None else Measured(tuple(a["values"]), a["mean"], a["low"], a["high"]).percent()
