"""What `explain` says of a training run beyond the derivation: what ε depends on, and which release dominates it.

In doubles, to be read as orientation: the bound is the derivation's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from accountant.core.exact import canonical
from accountant.dpsgd.derive import schedule
from accountant.dpsgd.estimate import estimate_training
from accountant.pld import Release
from certify.results.calibrate_dpsgd import check_doubles
from certify.results.explain import columns
from certify.runfile.read import Run

FEW_STEPS = 100  # below, a tenth more is no small change
STEP = 1.1  # of the elasticities' difference quotients: an estimate is good to about 1e-3
Schedule = tuple[Release, ...]


@dataclass(frozen=True)
class Change:
    """ε if a parameter is halved or doubled, and its elasticity: per cent of ε for one per cent more of it. None where
    the run has no such neighbour, or ε = 0."""

    parameter: str
    value: str
    elasticity: float | None
    halved: float | None
    doubled: float | None


@dataclass(frozen=True)
class Alone:
    """ε of one release by itself."""

    release: str
    epsilon: float


@dataclass(frozen=True)
class TrainingAnalysis:
    """ε of the run in doubles, its dependence on each parameter, and the releases one by one."""

    epsilon: float
    changes: tuple[Change, ...]
    releases: tuple[Alone, ...]

    def text(self) -> str:
        """The sections, for people."""
        rows = [("parameter", "value", "elasticity", "ε if halved", "ε if doubled")]
        for c in self.changes:
            slope = "–" if c.elasticity is None else f"{c.elasticity:+.2f}"
            rows.append((c.parameter, c.value, slope, _shown(c.halved), _shown(c.doubled)))
        lines = [
            f"Sensitivity (estimates in doubles, no bounds; ε ≈ {_shown(self.epsilon)})",
            "  per cent of ε for one per cent more, all else held",
            *columns(rows),
        ]
        if len(self.releases) > 1:
            lines += ["", "What dominates (ε of each release by itself)"]
            lines += columns([(r.release, f"ε ≈ {_shown(r.epsilon)}") for r in self.releases])
        return "\n".join(lines)

    def latex(self) -> str:
        """Nothing: there is no formula in it."""
        return ""

    def as_json(self) -> dict[str, Any]:
        """Key `estimates`; its numbers are doubles."""
        return {
            "estimates": {
                "epsilon": self.epsilon,
                "changes": [vars(change) for change in self.changes],
                "releases": [vars(release) for release in self.releases],
            }
        }


def analyse_training(run: Run) -> TrainingAnalysis:
    """Estimates of ε around a training run's own parameters.

    Raises:
        UsageError: a target that doubles cannot hold.
    """
    check_doubles(run)
    mechanism, delta = run.mechanism, float(run.target_delta)
    releases, count = schedule(mechanism), len(mechanism.stages)
    own, others = releases[:count], releases[count:]

    def estimated(stages: Sequence[Release], delta: float) -> float:
        return estimate_training(stages, mechanism.neighbours, delta, group=mechanism.coins)

    def epsilon(stages: Sequence[Release] | None, at_delta: float = delta) -> float | None:
        """None where there is no such run."""
        if stages is None or not 0 < at_delta < 1:
            return None
        return estimated([r for r in (*stages, *others) if r.steps], at_delta)

    here = epsilon(own) or 0.0
    parameters: list[tuple[str, str, Callable[[float], float | None]]] = [
        ("noise_multiplier", _listed(r.noise_multiplier for r in own), lambda f: epsilon(_noisier(own, f))),
        ("sample_rate", _listed(r.sample_rate for r in own), lambda f: epsilon(_oftener(own, f))),
        ("steps", _listed(r.steps for r in own), lambda f: epsilon(_longer(own, f))),
        ("delta", canonical(run.target_delta), lambda f: epsilon(own, f * delta)),
    ]
    if all(r.sample_rate == 1 for r in own):
        del parameters[1]
    changes = []
    for name, value, epsilon_times in parameters:
        more = None if name == "steps" and min(r.steps for r in own) < FEW_STEPS else epsilon_times(STEP)
        slope = math.log(more / here) / math.log(STEP) if more and here else None
        changes.append(Change(name, value, slope, epsilon_times(0.5), epsilon_times(2)))
    alone = tuple(Alone(_described(r), estimated([r], delta)) for r in releases if r.steps)
    return TrainingAnalysis(here, tuple(changes), alone)


def _noisier(stages: Schedule, factor: float) -> Schedule:
    return tuple(replace(r, noise_multiplier=r.noise_multiplier * Fraction(factor)) for r in stages)


def _oftener(stages: Schedule, factor: float) -> Schedule | None:
    rates = [r.sample_rate * Fraction(factor) for r in stages]
    if max(rates) > 1:
        return None
    return tuple(replace(r, sample_rate=rate) for r, rate in zip(stages, rates, strict=True))


def _longer(stages: Schedule, factor: float) -> Schedule:
    return tuple(replace(r, steps=max(round(r.steps * factor), 1)) for r in stages)


def _listed(values: Any) -> str:
    return ", ".join(dict.fromkeys(canonical(Fraction(value)) for value in values))


def _described(release: Release) -> str:
    if release.sample_rate == 1:
        return f"{release.steps} × full batch, z = {canonical(release.noise_multiplier)}"
    q, z = canonical(release.sample_rate), canonical(release.noise_multiplier)
    return f"{release.steps} × {release.sampling}, q = {q}, z = {z}"


def _shown(epsilon: float | None) -> str:
    return "–" if epsilon is None else f"{epsilon:.3g}"
