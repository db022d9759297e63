"""Which experiments there are; running one, and writing what it found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from certify.engine import spread
from certify.errors import UsageError
from certify.experiments.accuracy import run_accuracy
from certify.experiments.draw import draw
from certify.experiments.images import DEFAULT_IMAGES, image_problem_of
from certify.experiments.outcome import Outcome
from certify.experiments.problems import DEFAULT, problem_of
from certify.experiments.scales import SCALES, Scale
from certify.experiments.scaling import run_scaling
from certify.experiments.sequential import run_sequential
from certify.experiments.tradeoff import run_tradeoff
from certify.experiments.training import run_training
from certify.files import make_directory, write_atomically
from certify.results.result import Progress


@dataclass(frozen=True)
class Experiment:
    """run: run(problem, scale, each, progress). problem_of: what `--data` names. data: that if nothing is named."""

    run: Callable[..., Outcome]
    problem_of: Callable[[str], Any] = problem_of
    data: str = DEFAULT


EXPERIMENTS: dict[str, Experiment] = {
    "accuracy": Experiment(run_accuracy),
    "sequential": Experiment(run_sequential),
    "tradeoff": Experiment(run_tradeoff),
    "scaling": Experiment(run_scaling),
    "training": Experiment(run_training, image_problem_of, DEFAULT_IMAGES),
}
MAX_SEEDS = 10_000


def experiment(
    name: str,
    *,
    scale: str | Scale = "small",
    data: str | Path | None = None,
    seeds: int | None = None,
    workers: str | int | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Run one of EXPERIMENTS.

    Args:
        scale: "small", "full", or a `Scale`.
        data: "digits-3-8" (unless given), "breast-cancer", or a folder with MNIST's four files; for `training`
            "digits" (unless given), or a folder with MNIST's or CIFAR-10's files.
        seeds: how often each run is repeated, if not as often as the scale says.
        workers: where calibrations and runs are worked on, as for `certify.engine.spread`; None: here, in turn. The
            numbers are the same on one kind of machine.
        progress: called as progress("calibrate" or "train", done, of).

    Raises:
        UsageError: an unknown name, scale or data; fewer than two seeds; a package that is missing; an engine that does
            not answer. OutOfReach: `sequential` finds no epochs that meet its target.
    """
    if name not in EXPERIMENTS:
        raise UsageError(f"experiment: {name!r} is unknown; write one of {', '.join(EXPERIMENTS)}")
    if isinstance(scale, str) and scale not in SCALES:
        raise UsageError(f"--scale: {scale!r} is unknown; write one of {', '.join(SCALES)}")
    size = SCALES[scale] if isinstance(scale, str) else scale
    size = size if seeds is None else replace(size, seeds=seeds)
    if not 2 <= size.seeds <= MAX_SEEDS:
        raise UsageError(f"--seeds: {size.seeds}; an interval takes from 2 to {MAX_SEEDS}")
    chosen = EXPERIMENTS[name]
    problem = chosen.problem_of(chosen.data if data is None else str(data))
    if name == "sequential" and size.requests >= problem.samples:
        raise UsageError(f"--data: {problem.samples} records are too few for {size.requests} requests of one each")
    with spread(workers) as each:
        return chosen.run(problem, size, each, progress)


def write_outcome(outcome: Outcome, directory: str | Path) -> tuple[Path, Path, Path]:
    """Write NAME.json with every number, NAME.txt and NAME.png, each whole or not at all. Returns their paths.

    Raises:
        UsageError: matplotlib is missing, or the directory cannot be written to.
    """
    directory = make_directory(Path(directory))
    paths = tuple(directory / f"{outcome.name}.{suffix}" for suffix in ("json", "txt", "png"))
    draw(outcome, paths[2])
    write_atomically(paths[0], json.dumps(outcome.as_json(), indent=1, ensure_ascii=False) + "\n")
    write_atomically(paths[1], outcome.text() + "\n")
    return paths[0], paths[1], paths[2]
