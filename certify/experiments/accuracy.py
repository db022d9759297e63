"""(a) Test accuracy against ε: one record is erased, one epoch of unlearning (K = 1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from accountant import NoisySGD
from accountant.core.exact import Rounding, decimal, exact, round_decimal
from accountant.pnsgd.published import descent_to_delete_noise, langevin_noise
from certify.engine import Each
from certify.experiments.intervals import Measured, difference
from certify.experiments.outcome import Outcome, Table
from certify.experiments.problems import Problem
from certify.experiments.scales import Scale
from certify.experiments.trials import Accuracies, Calibrated, Kind, Trial, accuracies, calibrations
from certify.results.calibrate import DIGITS
from certify.results.compare import BASELINES, LABELS
from certify.results.result import Progress
from certify.runfile.read import Run

PUBLISHED = ("chien2024", "chien2024_finite_T")
METHODS = {
    "plumbline": "our σ (T3)",
    "chien2024": f"σ of {LABELS['chien2024']}",
    "chien2024_finite_T": f"σ of {LABELS['chien2024_finite_T']}",
    "plumbline_full_batch": "our σ, full batches (T3)",
    "langevin_unlearning": f"{BASELINES['langevin_unlearning']}, full batches",
    "descent_to_delete": "descent-to-delete (P3), full batches, noise on the output",
    "optimum": "optimum without noise",
}
# What is held against what, at each ε: the same mechanism and the same normals, with another σ.
PAIRS = (
    ("plumbline", "chien2024"),
    ("plumbline", "chien2024_finite_T"),
    ("plumbline_full_batch", "langevin_unlearning"),
)  # descent-to-delete is another mechanism: nothing is paired
COLUMN = "ε = {}"


@dataclass(frozen=True)
class _Point:
    """A method at an ε; problem: why it has no noise there."""

    method: str
    epsilon: str | None
    noise_std: str | None = None
    trial: Trial | None = None
    problem: str | None = None


def run_accuracy(problem: Problem, scale: Scale, each: Each, progress: Progress | None = None) -> Outcome:
    """Our σ beside the published ones, the same with full batches beside Langevin unlearning, and the optimum."""
    sizes = (problem.batch_size, problem.samples)
    pieces = [(problem.tables(epsilon=e, batch_size=b), "noise_std") for e in scale.epsilons for b in sizes]
    levels = calibrations(each, pieces, progress)
    points: list[_Point] = []
    for i, epsilon in enumerate(scale.epsilons):
        points += _points(problem.data, epsilon, levels[2 * i], levels[2 * i + 1])
    run = next((level.run for level in levels if level.run), None)
    if run is not None:
        points.append(_Point("optimum", None, trial=Trial(problem.data, run, kind="optimum")))
    trained = iter(accuracies(each, [p.trial for p in points if p.trial is not None], scale.seeds, progress))
    results = [(p, Accuracies(problem=p.problem) if p.trial is None else next(trained)) for p in points]
    rows = tuple(_row(problem, point, result) for point, result in results)
    found = {(p.method, p.epsilon): result.measured[0] for p, result in results if result.measured}
    comparisons = tuple(_comparisons(found, scale))
    return Outcome(
        name="accuracy",
        scale=scale.name,
        seeds=scale.seeds,
        subject=problem.subject,
        setting=problem.as_json() | {"batch_size": problem.batch_size, "unlearning_epochs": 1, "erased": 1},
        rows=rows,
        comparisons=comparisons,
        tables=(_accuracies(found, scale), _noises(points, scale), _differences(comparisons)),
        notes=(_fact(comparisons), *_problems(results)),
    )


def _points(data: str, epsilon: str, batches: Calibrated, full: Calibrated) -> list[_Point]:
    points = [_point(data, "plumbline", epsilon, batches, batches.value)]
    points += [_point(data, name, epsilon, batches, (batches.published or {}).get(name)) for name in PUBLISHED]
    points.append(_point(data, "plumbline_full_batch", epsilon, full, full.value))
    for name, (kind, noise_for) in _OTHERS.items():
        noise = None if full.run is None else _rounded_up(noise_for, full.run)
        points.append(_point(data, name, epsilon, full, noise, kind))
    return points


# Other mechanisms: what `learners.baselines` calls them, and the noise that their published bound asks for.
_OTHERS: dict[str, tuple[Kind, Callable[[NoisySGD, float, float], float | None]]] = {
    "langevin_unlearning": ("langevin", langevin_noise),
    "descent_to_delete": ("descent-to-delete", descent_to_delete_noise),
}


def _rounded_up(noise_for: Callable[[NoisySGD, float, float], float | None], run: Run) -> str | None:
    noise = noise_for(run.mechanism, float(run.target_epsilon), float(run.target_delta))
    return None if noise is None else decimal(round_decimal(exact(repr(noise)), DIGITS, Rounding.UP), DIGITS)


def _point(
    data: str, method: str, epsilon: str, level: Calibrated, noise: str | None, kind: Kind = "unlearn"
) -> _Point:
    if level.run is None or noise is None:
        why = level.problem or "the bound does not apply, or reaches no such ε"
        return _Point(method, epsilon, problem=f"{METHODS[method]}, ε = {epsilon}: {why}")
    return _Point(method, epsilon, noise, Trial(data, level.run.with_values(noise_std=noise), kind=kind))


def _row(problem: Problem, point: _Point, result: Accuracies) -> dict[str, Any]:
    unlearned = point.method != "optimum"
    return {
        "method": point.method,
        "label": METHODS[point.method],
        "epsilon": point.epsilon,
        "noise_std": point.noise_std,
        "certified": point.method.startswith("plumbline") and point.noise_std is not None,
        "accuracy": result.measured[0].as_json() if result.measured else None,
        "gradient_evaluations": problem.samples * (problem.epochs + 1) if unlearned else None,
        "problem": result.problem,
    }


Found = dict[tuple[str, str | None], Measured]


def _comparisons(found: Found, scale: Scale) -> list[dict[str, Any]]:
    return [
        {
            "method": one,
            "beside": other,
            "epsilon": e,
            "difference": difference(found[one, e], found[other, e]).as_json(),
        }
        for one, other in PAIRS
        for e in scale.epsilons
        if (one, e) in found and (other, e) in found
    ]


def _accuracies(found: Found, scale: Scale) -> Table:
    def cell(method: str, epsilon: str) -> str:
        key = (method, None if method == "optimum" else epsilon)
        return found[key].percent() if key in found else "–"

    rows = [(label, *(cell(name, e) for e in scale.epsilons)) for name, label in METHODS.items()]
    return Table("test accuracy (%)", (("method", *map(COLUMN.format, scale.epsilons)), *rows))


def _noises(points: list[_Point], scale: Scale) -> Table:
    known = {(p.method, p.epsilon): p.noise_std for p in points}
    rows = [
        (label, *(f"{float(noise):.4g}" if (noise := known.get((name, e))) else "–" for e in scale.epsilons))
        for name, label in METHODS.items()
        if name != "optimum"
    ]
    return Table("noise_std", (("method", *map(COLUMN.format, scale.epsilons)), *rows))


def _differences(comparisons: tuple[dict[str, Any], ...]) -> Table:
    rows = [
        (METHODS[c["beside"]], c["epsilon"], *(f"{100 * c['difference'][key]:+.1f}" for key in ("mean", "low", "high")))
        for c in comparisons
    ]
    title = "accuracy with our σ less that with the other's, seed by seed (points)"
    return Table(title, (("beside", "ε", "mean", "from", "to"), *rows))


def _fact(comparisons: tuple[dict[str, Any], ...]) -> str:
    """Whether our σ is at least as good as the published one at every ε, as far as the seeds tell."""
    ours = [c for c in comparisons if c["beside"] in PUBLISHED]
    if not ours:
        return "nothing to compare: no published bound applies"
    worse = [c for c in ours if c["difference"]["high"] < 0]
    below = [c for c in ours if c["difference"]["mean"] < 0 and c not in worse]
    if worse:
        return f"our σ is less accurate than a published one, beyond the intervals, at ε = {_epsilons(worse)}"
    if below:
        return (
            f"our σ is nowhere less accurate than a published one beyond the intervals; its mean is lower at "
            f"ε = {_epsilons(below)}"
        )
    return "at every ε the mean accuracy with our σ is at least that with the published ones"


def _epsilons(comparisons: list[dict[str, Any]]) -> str:
    return ", ".join(dict.fromkeys(c["epsilon"] for c in comparisons))


def _problems(results: list[tuple[_Point, Accuracies]]) -> list[str]:
    return list(dict.fromkeys(result.problem for _, result in results if result.problem))
