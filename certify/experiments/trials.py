"""The pieces of an experiment that any process may work on: a calibration, and the runs of one seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from certify.engine import Each
from certify.errors import OutOfReach
from certify.experiments.intervals import Measured, measured
from certify.experiments.optimum import optimum
from certify.experiments.problems import load
from certify.results.calibrate import calibrate
from certify.results.floor import allowed_mu
from certify.results.result import Progress
from certify.runfile.read import Run

if TYPE_CHECKING:
    from learners import Dataset

Kind = Literal["unlearn", "learn-anew", "optimum", "descent-to-delete", "langevin"]


@dataclass(frozen=True)
class Calibrated:
    """run: the one that is certified; its parameter by ours and by each published bound (None: it does not reach the
    target, or does not apply). problem: why there is none, in one line."""

    run: Run | None
    value: Any = None
    published: Mapping[str, Any] | None = None
    problem: str | None = None


def calibrated(piece: tuple[Mapping[str, Any], str]) -> Calibrated:
    """Of (tables of a run, the parameter to tune)."""
    tables, tune = piece
    try:
        found = calibrate(tables, tune=tune)
    except OutOfReach as problem:
        return Calibrated(None, problem=str(problem))
    return Calibrated(found.result.run, found.value, dict(found.published))


@dataclass(frozen=True)
class Trial:
    """The runs of one seed. It draws the noise and the records that are erased, one a request; accuracy is measured
    after each of the numbers of requests in `measured_after`, ascending. kind: learn once and unlearn; learn anew on
    what is left, as retraining does, for as many epochs as the run learns; the optimum of what is left, without
    noise; or another method, by its name in `learners.baselines`."""

    data: str
    run: Run
    seed: int = 0
    measured_after: tuple[int, ...] = (1,)
    kind: Kind = "unlearn"


def run_trial(trial: Trial) -> tuple[float, ...] | str:
    """The test accuracies; or why the learner refuses the run, in one line. On one CPU thread, so that the numbers are
    the same wherever they are computed."""
    import learners
    from learners.data import permutation

    train, test = load(trial.data)
    records = permutation(len(train), f"erased {trial.seed}")[: trial.measured_after[-1]]
    with one_thread():
        try:
            return tuple(_KINDS.get(trial.kind, _by_another)(trial, train, test, records))
        except (learners.LearnerRefused, learners.RunCheckFailed) as refused:
            return str(refused)


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, torch computes on one thread of the CPU."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _unlearned(trial: Trial, train: Dataset, test: Dataset, records: Sequence[int]) -> Iterator[float]:
    import learners

    how: dict[str, Any] = {"device": "cpu", "seed": trial.seed, "allowed_mu": allowed_mu(trial.run)}
    state = learners.learn(trial.run.mechanism, train, **how)
    for count, record in enumerate(records, 1):
        state = learners.unlearn(state, [record], **how)
        if count in trial.measured_after:
            assert state.released is not None
            yield learners.accuracy(state.released, test)


def _learned_anew(trial: Trial, train: Dataset, test: Dataset, records: Sequence[int]) -> Iterator[float]:
    import learners

    for count in trial.measured_after:
        state = learners.learn(
            trial.run.mechanism,
            train.replaced(tuple(records[:count])),
            device="cpu",
            seed=trial.seed,
            allowed_mu=allowed_mu(trial.run),
        )
        assert state.released is not None
        yield learners.accuracy(state.released, test)


def _optimal(trial: Trial, train: Dataset, test: Dataset, records: Sequence[int]) -> Iterator[float]:
    import learners

    for count in trial.measured_after:
        left = train.replaced(tuple(records[:count]))
        yield learners.accuracy(optimum(left, trial.run.mechanism), test)


def _by_another(trial: Trial, train: Dataset, test: Dataset, records: Sequence[int]) -> Iterator[float]:
    import learners
    from learners.baselines import METHODS

    method = METHODS[trial.kind]
    model = method.learn(trial.run.mechanism, train, device="cpu", seed=trial.seed)
    for count, record in enumerate(records, 1):
        model = method.unlearn(model, [record], device="cpu")
        if count in trial.measured_after:
            yield learners.accuracy(model.released, test)


_KINDS: dict[str, Callable[..., Iterator[float]]] = {
    "unlearn": _unlearned,
    "learn-anew": _learned_anew,
    "optimum": _optimal,
}


@dataclass(frozen=True)
class Accuracies:
    """Over the seeds, after each number of requests; or why the learner refused, in one line."""

    measured: tuple[Measured, ...] = ()
    problem: str | None = None


def accuracies(
    each: Each,
    trials: Sequence[Any],
    seeds: int,
    progress: Progress | None = None,
    *,
    run: Callable[[Any], tuple[float, ...] | str] = run_trial,
    first_seed: int = 0,
) -> tuple[Accuracies, ...]:
    """Each trial repeated with the seeds first_seed … first_seed + seeds − 1; `run` is what runs one."""
    pieces = [replace(trial, seed=first_seed + seed) for trial in trials for seed in range(seeds)]
    results: list[tuple[float, ...] | str] = []
    for result in each(run, pieces):
        results.append(result)
        if progress:
            progress("train", len(results), len(pieces))
    return tuple(_over_seeds(results[first : first + seeds]) for first in range(0, len(results), seeds))


def _over_seeds(results: Sequence[tuple[float, ...] | str]) -> Accuracies:
    values = []
    for result in results:
        if isinstance(result, str):
            return Accuracies(problem=result)
        values.append(result)
    return Accuracies(tuple(measured(column) for column in zip(*values, strict=True)))


def calibrations(
    each: Each, pieces: Sequence[tuple[Mapping[str, Any], str]], progress: Progress | None = None
) -> list[Calibrated]:
    """In the order of the pieces."""
    results: list[Calibrated] = []
    for result in each(calibrated, pieces):
        results.append(result)
        if progress:
            progress("calibrate", len(results), len(pieces))
    return results
