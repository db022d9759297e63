"""Our bound beside the published ones, what W∞ alone gives, and what no bound can beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accountant import derive, derive_epsilon, derive_from_distance, derive_published, enclose
from accountant.exact import canonical
from certify.calibration import distance_noise, least_noise, published_noise, witness_noise
from certify.claims import worst
from certify.result import Result, certify

LABELS = {
    "lower_bound": "lower bound (straight witness, T6)",
    "plumbline": "Plumbline (taut string, T3)",
    "wasserstein_only": "W∞ alone (unlearning noise, T4)",
    "chien2024": "Chien et al. 2024, converged (P1)",
    "chien2024_finite_T": "Chien et al. 2024, finite T (P1)",
}


@dataclass(frozen=True)
class Row:
    """One bound: its ε on this run, and the σ at which it would meet the target; None where it says nothing."""

    name: str
    label: str
    epsilon: str | None
    noise_std: float | None


@dataclass(frozen=True)
class Comparison:
    """The bounds side by side; `noise_std` of our row is what the others are measured against."""

    result: Result
    rows: tuple[Row, ...]

    def ratio(self, row: Row) -> float | None:
        """The row's noise relative to ours."""
        ours = next(r.noise_std for r in self.rows if r.name == "plumbline")
        return None if row.noise_std is None or not ours else row.noise_std / ours

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


def compare(source: str | Path | Mapping[str, Any]) -> Comparison:
    """Every bound that speaks about this run, on its worst request.

    The ε are rounded outward; the σ are doubles (`calibrate` gives a certified one).

    Raises:
        UsageError: malformed, or a run that no theorem covers.
    """
    result = certify(source)
    run, top = result.run, worst(result.claims)
    request = result.claims.index(top)
    alone = derive_from_distance(run.mechanism, request)
    published = derive_published(run.mechanism, run.target_delta)
    noise = published_noise(run)
    names = {"chien2024": "chien2024_finite_T"} if run.mechanism.radius is not None else {}
    epsilon_alone = None if alone is None else enclose(derive_epsilon(alone, run.target_delta)).above()
    rows = [
        Row("lower_bound", LABELS["lower_bound"], result.epsilon["lower"], witness_noise(run)),
        Row("plumbline", LABELS["plumbline"], result.epsilon["upper"], least_noise(run, derive)),
        Row("wasserstein_only", LABELS["wasserstein_only"], epsilon_alone, distance_noise(run)),
        *(
            Row(name, LABELS[names.get(name, name)], enclose(bound).above(), noise[name])
            for name, bound in published.items()
            if not (names and name == "chien2024_finite_T")  # with a radius both are the form for finite T
        ),
    ]
    return Comparison(result, tuple(rows))
