"""Our bound beside the published ones, what W∞ alone gives, and what no bound can beat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from accountant import Derivation, NoisySGD, ScaledSGD, derive_epsilon, derive_from_distance, derive_published, enclose
from accountant.core.exact import canonical
from accountant.pnsgd.published import (
    derive_descent_to_delete,
    derive_langevin,
    derive_sequential,
    descent_to_delete_noise,
    langevin_noise,
)
from certify.errors import OutOfReach
from certify.results import tuning
from certify.results.calibrate import check_doubles, distance_noise, published_noise, witness_noise
from certify.results.certify import certify
from certify.results.compare_dpsgd import TrainingComparison, compare_training
from certify.results.result import Progress, Result
from certify.runfile.extremes import within_doubles
from certify.runfile.read import Run, read_run

LABELS = {
    "lower_bound": "lower bound (straight witness, T6)",
    "plumbline": "Plumbline (taut string, T3)",
    "wasserstein_only": "W∞ alone (unlearning noise, T4)",
    "chien2024": "Chien et al. 2024, converged (P1)",
    "chien2024_finite_T": "Chien et al. 2024, finite T (P1)",
}
LOWER_BOUNDS = {
    "T6c": "lower bound (witness with curvature, T6c)",
    "T6m": "lower bound (secret order's witness, T6m)",
}
BOUNDS = {
    "T5": "Plumbline (taut string in the ball, T5)",
    "T26": "Plumbline (apart only where it pays, T26)",
    "T26r": "Plumbline (apart only where it pays, in the ball, T26r)",
    "T7": "Plumbline (taut strings between releases, T7)",
    "T9": "Plumbline (secret order, T9)",
    "T24": "Plumbline (range before the last noises, T24)",
}
BASELINES = {  # rows that only some runs have, after the others
    "koloskova2025": "Koloskova et al. 2025, clipped fine-tuning (T23p)",
    "chien2024_sequential": "Chien et al. 2024, one request after the other (P1s)",
    "chien2024_sequential_code": "Chien et al. 2024, the same as in the authors' code (P1s)",
    "langevin_unlearning": "Langevin unlearning (P2)",
    "descent_to_delete": "descent-to-delete (P3; noise on the output alone, step 2/(L+m))",
}


@dataclass(frozen=True)
class Row:
    """One bound: its ε on this run, and the σ at which it would meet the target; None where it says nothing."""

    name: str
    label: str
    epsilon: str | None
    noise_std: float | None
    same_noise: bool = True  # σ is the noise of a step, as ours is; else it cannot be measured against ours


@dataclass(frozen=True)
class Comparison:
    """The bounds side by side; `noise_std` of our row is what the others are measured against."""

    result: Result
    rows: tuple[Row, ...]

    def ratio(self, row: Row) -> float | None:
        """The row's noise relative to ours."""
        ours = next(r.noise_std for r in self.rows if r.name == "plumbline")
        return None if row.noise_std is None or not ours or not row.same_noise else row.noise_std / ours

    def as_json(self) -> dict[str, Any]:
        return {
            "delta": self.result.delta,
            "target": canonical(self.result.run.target_epsilon),
            "noise_std": canonical(self.result.run.mechanism.noise_std),
            "bounds": {
                row.name: {
                    "label": row.label,
                    "epsilon": row.epsilon,
                    "noise_std": None if row.noise_std is None else f"{row.noise_std:.9g}",
                    "noise_ratio": None if self.ratio(row) is None else f"{self.ratio(row):.6g}",
                }
                for row in self.rows
            },
            "digest": self.result.digest,
        }


def compare(
    source: str | Path | Mapping[str, Any] | Run, *, progress: Progress | None = None
) -> Comparison | TrainingComparison:
    """Every bound that speaks about this run, on its worst request.

    The ε are rounded outward; the σ are doubles (`calibrate` gives a certified one).

    Raises:
        UsageError: malformed, or a run that no theorem covers.
    """
    run = source if isinstance(source, Run) else read_run(source)
    with within_doubles(run):
        return compare_training(run, progress) if isinstance(run.mechanism, ScaledSGD) else _compare(run, progress)


def _compare(run: Run, progress: Progress | None) -> Comparison:
    check_doubles(run)
    result = certify(run, progress=progress)
    request = result.claims.index(result.worst)
    alone = derive_from_distance(run.mechanism, request)
    published = derive_published(run.mechanism, run.target_delta)
    noise = published_noise(run)
    names = {"chien2024": "chien2024_finite_T"} if run.mechanism.radius is not None else {}
    epsilon_alone = None if alone is None else enclose(derive_epsilon(alone, run.target_delta)).above()
    top = result.worst
    kind = top.upper.theorem.id if top.upper.theorem.id in ("T9", "T24") else top.bound.theorem.id
    lower = None if top.lower is None else top.lower.theorem.id
    rows = [
        Row(
            "lower_bound",
            LOWER_BOUNDS.get(lower, LABELS["lower_bound"]),
            result.epsilon["lower"],
            None if lower in LOWER_BOUNDS else witness_noise(run),
        ),
        Row("plumbline", BOUNDS.get(kind, LABELS["plumbline"]), result.epsilon["upper"], _own_noise(run)),
        Row("wasserstein_only", LABELS["wasserstein_only"], epsilon_alone, distance_noise(run)),
        *(
            Row(name, (LABELS | BASELINES)[names.get(name, name)], enclose(bound).above(), noise[name])
            for name, bound in published.items()
            if not (names and name == "chien2024_finite_T")  # with a radius both are the form for finite T
        ),
    ]
    return Comparison(result, (*rows, *_baselines(run)))


def _own_noise(run: Run) -> float | None:
    try:
        return float(tuning.least_noise(run))
    except (OutOfReach, OverflowError):
        return None


def _sequential(mechanism: NoisySGD, delta: Fraction) -> dict[str, Derivation]:
    forms = {"chien2024_sequential": "loose", "chien2024_sequential_code": "authors-code"}
    found = {name: derive_sequential(mechanism, delta, form) for name, form in forms.items()}
    return {name: bound for name, bound in found.items() if bound is not None}


def _baselines(run: Run) -> Iterator[Row]:
    """P1s, P2 and P3 where they speak, each on its own worst request. P3 is another mechanism, of as many steps."""
    mechanism, delta = run.mechanism, run.target_delta
    target = float(run.target_epsilon), float(delta)
    noise = published_noise(run, _sequential)
    for name, bound in _sequential(mechanism, delta).items():
        yield Row(name, BASELINES[name], enclose(bound).above(), noise[name])
    if bound := derive_langevin(mechanism, delta):
        epsilon, needed = enclose(bound).above(), langevin_noise(mechanism, *target)
        yield Row("langevin_unlearning", BASELINES["langevin_unlearning"], epsilon, needed)
    if bound := derive_descent_to_delete(mechanism, delta):
        epsilon, needed = enclose(bound).above(), descent_to_delete_noise(mechanism, *target)
        yield Row("descent_to_delete", BASELINES["descent_to_delete"], epsilon, needed, same_noise=False)
