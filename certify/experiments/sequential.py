"""(b) Requests one after the other: accumulated epochs of unlearning, and accuracy, against learning anew each time."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from certify.engine import Each
from certify.errors import OutOfReach
from certify.experiments.intervals import Measured
from certify.experiments.outcome import Outcome, Table
from certify.experiments.problems import Problem
from certify.experiments.scales import Scale
from certify.experiments.trials import Calibrated, Trial, accuracies, calibrations
from certify.results.certify import other_release
from certify.results.compare import BASELINES
from certify.results.result import Progress

EPSILON = "1"
METHODS = {
    "plumbline": "ours (T3)",
    "chien2024_sequential": BASELINES["chien2024_sequential"],
    "chien2024_sequential_code": BASELINES["chien2024_sequential_code"],
    "learn_anew": "learning anew after each request",
    "optimum": "optimum without noise",
}


def run_sequential(problem: Problem, scale: Scale, each: Each, progress: Progress | None = None) -> Outcome:
    """The epochs that each request needs for ε = 1, at the σ with which the first one needs one epoch by our bound.

    Raises:
        OutOfReach: no noise or no number of epochs meets the target.
    """
    noise = _certified(calibrations(each, [(problem.tables(epsilon=EPSILON), "noise_std")], progress))
    tables = problem.tables(epsilon=EPSILON, requests={"sizes": [1] * scale.requests})
    tables["mechanism"] = {**tables["mechanism"], "noise_std": noise.value}
    del tables["mechanism"]["unlearning_epochs"]
    found = _certified(calibrations(each, [(tables, "unlearning_epochs")], progress))
    assert found.run is not None and found.published is not None
    other = other_release(found.run)
    own = found.value if isinstance(found.value, list) else [found.value]
    epochs = {"plumbline": own} | {name: found.published.get(name) for name in METHODS if name.startswith("chien")}
    runs = {name: found.run.with_values(unlearning_epochs=needed) for name, needed in epochs.items() if needed}
    counts = tuple(sorted({1, *range(scale.measured_every, scale.requests + 1, scale.measured_every), scale.requests}))
    trials = {name: Trial(problem.data, run, measured_after=counts) for name, run in runs.items()}
    trials["learn_anew"] = Trial(problem.data, found.run, measured_after=counts, kind="learn-anew")
    trials["optimum"] = Trial(problem.data, found.run, measured_after=counts, kind="optimum")
    trained = dict(zip(trials, accuracies(each, list(trials.values()), scale.seeds, progress), strict=True))
    epochs["learn_anew"] = [problem.epochs] * scale.requests
    rows = tuple(_row(name, epochs.get(name), counts, trained[name].measured, trained[name].problem) for name in trials)
    absent = [f"{METHODS[name]}: does not apply" for name, needed in epochs.items() if not needed]
    return Outcome(
        name="sequential",
        scale=scale.name,
        seeds=scale.seeds,
        subject=problem.subject,
        setting=problem.as_json()
        | {
            "batch_size": problem.batch_size,
            "epsilon": EPSILON,
            "noise_std": noise.value,
            "requests": scale.requests,
            "measured_after": list(counts),
            "other_release": other,
        },
        rows=rows,
        tables=(_epochs_table(rows, counts), _accuracy_table(rows, counts)),
        notes=(*_notes(problem, noise.value, other), *absent, *(row["problem"] for row in rows if row["problem"])),
    )


def _certified(levels: list[Calibrated]) -> Calibrated:
    if levels[0].run is None:
        raise OutOfReach(str(levels[0].problem))
    return levels[0]


def _row(
    name: str, epochs: list[int] | None, counts: tuple[int, ...], found: tuple[Measured, ...], problem: str | None
) -> dict[str, Any]:
    return {
        "method": name,
        "label": METHODS[name],
        "epochs": epochs,
        "accumulated": None if epochs is None else list(accumulate(epochs)),
        "accuracy": [{"requests": n} | value.as_json() for n, value in zip(counts, found, strict=False)],
        "problem": problem,
    }


def _epochs_table(rows: tuple[dict[str, Any], ...], counts: tuple[int, ...]) -> Table:
    head = ("method", *(f"{n} requests" if n > 1 else "1 request" for n in counts))
    cells = [(row["label"], *(str(row["accumulated"][n - 1]) for n in counts)) for row in rows if row["epochs"]]
    return Table("accumulated epochs after so many requests", (head, *cells))


def _accuracy_table(rows: tuple[dict[str, Any], ...], counts: tuple[int, ...]) -> Table:
    head = ("method", *(f"{n} requests" if n > 1 else "1 request" for n in counts))
    cells = []
    for row in rows:
        values = [Measured(tuple(a["values"]), a["mean"], a["low"], a["high"]).percent() for a in row["accuracy"]]
        cells.append((row["label"], *(values or ["–"] * len(counts))))
    return Table("test accuracy (%)", (head, *cells))


def _notes(problem: Problem, noise: str, other: Mapping[str, Any] | None) -> list[str]:
    notes = [
        f"σ = {noise}, with which the first request needs one epoch; each request's ε ≤ {EPSILON} is that of its model "
        'alone (release = "final"), as the published bound has it',
        f"learning anew takes T = {problem.epochs} epochs a request, here with the same noise",
    ]
    if other and other["epsilon"]:
        notes.append(
            f'if all models are seen (release = "{other["release"]}"), the same run has ε ≤ {other["epsilon"]}'
        )
    return notes
