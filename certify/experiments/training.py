"""(g) Networks trained with clipping, AUTO-S, DP-PSAC and DP-PSASC at equal ε, with and without momentum.

Every setting of a map is tried with every size of a step, without momentum, and the best on the validation records is
chosen; then the size of a step for each momentum. These are run on other seeds, and measured on the test records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from certify.engine import Each
from certify.experiments.images import ImageProblem
from certify.experiments.intervals import difference
from certify.experiments.outcome import Outcome
from certify.experiments.scales import Scale
from certify.experiments.scaling import label
from certify.experiments.training_tables import PLAIN, READINGS, notes, tables
from certify.experiments.training_trials import TrainingTrial, run_training_trial
from certify.experiments.trials import Accuracies, Calibrated, accuracies, calibrations
from certify.results.result import Progress

INNER = {"inner_beta": "0.9", "inner_window": 3}
MOMENTA: dict[str, dict[str, Any]] = {
    "none": {},
    "outer": {"outer": "0.9"},
    "inner": INNER,
    "inner and outer": {"outer": "0.9"} | INNER,
}
TUNING = 1000  # the first seed of the runs by which settings are chosen: none of them is in a final mean


@dataclass(frozen=True)
class _Arm:
    """What is trained: a map's setting (None: without scaling and noise), a momentum, a step and an ε."""

    network: str
    epsilon: str | None
    scaling: Mapping[str, str] | None
    momentum: str
    step: str
    level: Calibrated

    @property
    def kind(self) -> str:
        return PLAIN if self.scaling is None else self.scaling["kind"]

    @property
    def key(self) -> Key:
        return self.network, self.epsilon, self.kind, self.momentum

    def trial(self, data: str) -> TrainingTrial | None:
        if self.level.run is None:
            return None
        private = self.scaling is not None
        return TrainingTrial(data, self.network, self.level.run, float(self.step), private=private)


Results = list[tuple[_Arm, Accuracies]]
Key = tuple[str, str | None, str, str]  # network, ε, map, momentum


def run_training(problem: ImageProblem, scale: Scale, each: Each, progress: Progress | None = None) -> Outcome:
    """Each map at its best setting, with each momentum, at the least noise multiplier that is certified for it."""
    work = _Work(replace(problem, epochs=scale.training_epochs or problem.epochs), scale, each, progress)
    tuned = work.tune_settings()
    chosen = best_of(tuned)
    momenta = work.with_momenta([arm for arm in chosen.values() if arm.scaling is not None])
    if len(scale.training_steps) > 1:
        tuned += work.trained(momenta, scale.tuning_seeds, TUNING)
        chosen = best_of(tuned)
    else:
        chosen |= {arm.key: arm for arm in momenta}
    final = work.trained(list(chosen.values()), scale.seeds, 0)
    rows = tuple(_row(arm, result, "validation") for arm, result in tuned)
    rows += tuple(_row(arm, result, "test") for arm, result in final)
    comparisons = tuple(_comparisons(final))
    return Outcome(
        name="training",
        scale=scale.name,
        seeds=scale.seeds,
        subject=work.problem.subject,
        setting=work.problem.as_json()
        | {
            "networks": list(scale.networks),
            "momenta": MOMENTA,
            "steps": list(scale.training_steps),
            "tuning_seeds": scale.tuning_seeds,
            "readings": READINGS,
        },
        rows=rows,
        comparisons=comparisons,
        tables=tables(rows, comparisons),
        notes=notes(problem, scale, rows, comparisons),
    )


@dataclass(frozen=True)
class _Work:
    problem: ImageProblem
    scale: Scale
    each: Each
    progress: Progress | None

    def tune_settings(self) -> Results:
        grid = [(e, scaling) for e in self.scale.training_epsilons for scaling in self.scale.training_maps]
        levels = self._levels([(e, scaling, "none") for e, scaling in grid])
        plain = next((level for level in levels if level.run), levels[0])  # its batches; no noise
        arms = []
        for network in self.scale.networks:
            for (epsilon, scaling), level in zip(grid, levels, strict=True):
                arms += [_Arm(network, epsilon, scaling, "none", step, level) for step in self.scale.training_steps]
            arms += [_Arm(network, None, None, "none", step, plain) for step in self.scale.plain_steps]
        return self.trained(arms, self.scale.tuning_seeds, TUNING)

    def with_momenta(self, chosen: Sequence[_Arm]) -> list[_Arm]:
        pairs = [(arm, momentum) for arm in chosen for momentum in MOMENTA if momentum != "none"]
        levels = self._levels([(arm.epsilon, arm.scaling, m) for arm, m in pairs if arm.epsilon and arm.scaling])
        return [
            replace(arm, momentum=momentum, level=level, step=step)
            for (arm, momentum), level in zip(pairs, levels, strict=True)
            for step in self.scale.training_steps
        ]

    def _levels(self, asked: Sequence[tuple[str, Mapping[str, str], str]]) -> list[Calibrated]:
        """Both networks mostly ask for the same: each table is calibrated once."""
        tables = [self.problem.tables(scaling, MOMENTA[momentum], epsilon=e) for e, scaling, momentum in asked]
        once = {repr(table): table for table in tables}
        levels = calibrations(self.each, [(table, "noise_multiplier") for table in once.values()], self.progress)
        found = dict(zip(once, levels, strict=True))
        return [found[repr(table)] for table in tables]

    def trained(self, arms: Sequence[_Arm], seeds: int, first: int) -> Results:
        trials = [trial for arm in arms if (trial := arm.trial(self.problem.data)) is not None]
        how: dict[str, Any] = {"run": run_training_trial, "first_seed": first}
        found = iter(accuracies(self.each, trials, seeds, self.progress, **how))
        return [(arm, Accuracies(problem=arm.level.problem) if arm.level.run is None else next(found)) for arm in arms]


def best_of(tuned: Results) -> dict[Key, _Arm]:
    """For each network, ε, map and momentum what has the highest mean on the validation records; the first of several;
    the first of all where none was trained, so that its row says why."""
    best: dict[Key, _Arm] = {}
    means: dict[Key, float] = {}
    for arm, result in tuned:
        mean = result.measured[0].mean if result.measured else -1.0
        if arm.key not in best or mean > means[arm.key]:
            best[arm.key], means[arm.key] = arm, mean
    return best


# --- what was seen


def _row(arm: _Arm, result: Accuracies, measured_on: str) -> dict[str, Any]:
    private = arm.scaling is not None
    accuracy = None
    if result.measured:
        accuracy = result.measured[0 if measured_on == "validation" else 1].as_json()
    return {
        "network": arm.network,
        "map": arm.kind,
        "label": "no scaling, no noise" if arm.scaling is None else label(dict(arm.scaling)),
        "scaling": None if arm.scaling is None else dict(arm.scaling),
        "momentum": arm.momentum,
        "epsilon": arm.epsilon,
        "noise_multiplier": arm.level.value if private else None,
        "step": arm.step,
        "certified": private and arm.level.run is not None,
        "gradients_per_record": MOMENTA[arm.momentum].get("inner_window", 1),
        "measured_on": measured_on,
        "accuracy": accuracy,
        "problem": result.problem,
    }


def _comparisons(final: Results) -> list[dict[str, Any]]:
    """Test accuracies, seed by seed: each map less clipping with the same momentum; each momentum less none."""
    found = {arm.key: result.measured[1] for arm, result in final if result.measured and arm.scaling is not None}
    pairs = [
        (key, other)
        for key in found
        for other in ((*key[:2], "clip", key[3]), (*key[:3], "none"))
        if other != key and other in found
    ]
    return [
        {
            "network": network,
            "epsilon": epsilon,
            "map": kind,
            "momentum": momentum,
            "beside": {"map": other[2], "momentum": other[3]},
            "difference": difference(found[network, epsilon, kind, momentum], found[other]).as_json(),
        }
        for (network, epsilon, kind, momentum), other in pairs
    ]
