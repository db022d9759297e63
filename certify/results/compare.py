"""Our bound beside the published ones, what W∞ alone gives, and the lower bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from accountant import (
    Derivation,
    NoisySGD,
    ScaledSGD,
    derive_epsilon,
    derive_from_distance,
    derive_published,
    enclose,
    theorems,
)
from accountant.core.display import page, table
from accountant.core.exact import canonical
from accountant.core.facts import Profile
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

_ROWS = {  # and the theorem that gives a row its label if no bound applies
    "lower_bound": theorems.straight_witness,
    "plumbline": theorems.taut_string,
    "wasserstein_only": theorems.unlearning_noise,
    "chien2024": theorems.chien2024_converged,
    "chien2024_finite_T": theorems.chien2024_finite,
}
_BASELINES = {  # rows that only some runs have, after the others
    "koloskova2025": theorems.koloskova2025,
    "chien2024_sequential": theorems.chien2024_sequential,
    "langevin_unlearning": theorems.langevin_unlearning,
    "descent_to_delete": theorems.descent_to_delete,
}
LABELS = {name: theorem.facts.label for name, theorem in _ROWS.items()}
BASELINES = {name: theorem.facts.label for name, theorem in _BASELINES.items()} | {
    "chien2024_sequential_code": "Chien et al. 2024, the same as in the authors' code (P1s)"
}


@dataclass(frozen=True)
class Row:
    """One bound: its ε on this run, and the σ at which it would meet the target; None if it does not apply."""

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

    def _repr_html_(self) -> str:
        bounds = self.as_json()["bounds"].values()
        return page(f"Bounds at δ = {self.result.delta}", table("ε on this run, σ that meets the target", bounds))


def compare(
    source: str | Path | Mapping[str, Any] | Run, *, progress: Progress | None = None
) -> Comparison | TrainingComparison:
    """Every bound that applies to this run, on its worst request.

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
    epsilon_alone = None if alone is None else enclose(derive_epsilon(alone, run.target_delta)).upper_decimal()
    top = result.worst
    # Of another witness than a Gaussian pair no σ is known.
    gaussian = top.lower is None or top.lower.theorem.facts.profile is Profile.GAUSSIAN
    rows = [
        Row(
            "lower_bound",
            LABELS["lower_bound"] if top.lower is None else label_of(top.lower),
            result.epsilon["lower"],
            witness_noise(run) if gaussian else None,
        ),
        Row("plumbline", label_of(top.upper), result.epsilon["upper"], _own_noise(run)),
        Row("wasserstein_only", LABELS["wasserstein_only"], epsilon_alone, distance_noise(run)),
        *(
            Row(name, label_of(bound), enclose(bound).upper_decimal(), noise[name])
            for name, bound in published.items()
            # With a radius both are the form for finite T.
            if not (run.mechanism.radius is not None and name == "chien2024_finite_T")
        ),
    ]
    return Comparison(result, (*rows, *_baselines(run)))


def label_of(bound: Derivation) -> str:
    """What the theorem is called, or where a conversion has no name, what is converted."""
    label = bound.theorem.facts.label
    return label_of(bound.premises[0]) if label is None else label


def _own_noise(run: Run) -> float | None:
    try:
        return float(tuning.least_noise(run))
    except (OutOfReach, OverflowError):
        return None


def _sequential(mechanism: NoisySGD, delta: Fraction) -> dict[str, Derivation]:
    forms = {"chien2024_sequential": "loose", "chien2024_sequential_code": "authors-code"}
    bounds = {name: derive_sequential(mechanism, delta, form) for name, form in forms.items()}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _baselines(run: Run) -> Iterator[Row]:
    """P1s, P2 and P3 if they apply, each on its own worst request. P3 is another mechanism, of as many steps."""
    mechanism, delta = run.mechanism, run.target_delta
    target = float(run.target_epsilon), float(delta)
    noise = published_noise(run, _sequential)
    for name, bound in _sequential(mechanism, delta).items():
        yield Row(name, BASELINES[name], enclose(bound).upper_decimal(), noise[name])
    if bound := derive_langevin(mechanism, delta):
        epsilon, needed = enclose(bound).upper_decimal(), langevin_noise(mechanism, *target)
        yield Row("langevin_unlearning", BASELINES["langevin_unlearning"], epsilon, needed)
    if bound := derive_descent_to_delete(mechanism, delta):
        epsilon, needed = enclose(bound).upper_decimal(), descent_to_delete_noise(mechanism, *target)
        yield Row("descent_to_delete", BASELINES["descent_to_delete"], epsilon, needed, same_noise=False)
