"""`plan`: what unlearning costs. The least noise that is certified, for each number of epochs and each batch size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from accountant import derive, derive_upper, enclose
from accountant.core.display import page, table
from accountant.core.exact import Rounding, canonical, decimal, round_decimal
from accountant.mechanisms.timeline import hides_position
from accountant.pnsgd.search.final_epochs import t24_applies
from certify.engine import spread
from certify.errors import OutOfReach, UsageError
from certify.results import floor, tuning
from certify.results.calibrate import DIGITS, MAX_NOISE, MIN_NOISE, check_doubles, least_noise, tables_of
from certify.results.claims import Claim, Verdict, refusals
from certify.runfile.extremes import within_doubles
from certify.runfile.read import Run, is_training, read_run

MAX_CHOICES = 6  # of batch sizes, and of epochs, unless they are given
MAX_BATCHES = 1000  # of an epoch, unless the batch sizes are given: with more, hardly any noise is needed
MAX_ROWS = 10_000
ROUNDING = 2**-24  # of single precision
_MAX_ATTEMPTS = 40
_FREE = {"noise_std": "1", "unlearning_epochs": "1", "batch_size": "1"}  # keys that the run file may leave out


@dataclass(frozen=True)
class PlanRow:
    """One choice of (K, b) with the least σ that is certified for it; None where `problem` says why there is none.

    epsilon: what is certified at that σ. Costs are those of one erasure request: `steps` noisy steps, which read
    `gradients` per-record gradients; `of_retraining` = K/T, None without learning. lost: σ is below `noise_floor`.
    pareto: no row that is not lost has less of one, of noise and gradients, and no more of the other.
    """

    batch_size: int
    unlearning_epochs: int
    noise_std: Fraction | None
    epsilon: str | None
    gradients: int
    steps: int
    of_retraining: Fraction | None
    pareto: bool = False
    lost: bool = False
    problem: str | None = None

    @property
    def certified(self) -> bool:
        return self.noise_std is not None

    def as_json(self) -> dict[str, Any]:
        noise, share = self.noise_std, self.of_retraining
        return {
            "batch_size": self.batch_size,
            "unlearning_epochs": self.unlearning_epochs,
            "noise_std": None if noise is None else decimal(noise, DIGITS),
            "epsilon": self.epsilon,
            "certified": self.certified,
            "gradient_evaluations": self.gradients,
            "steps": self.steps,
            "fraction_of_retraining": None
            if share is None
            else decimal(round_decimal(share, DIGITS, Rounding.UP), DIGITS),
            "pareto": self.pareto,
            "lost_in_rounding": self.lost,
            "problem": self.problem,
        }


@dataclass(frozen=True)
class Plan:
    """The rows, by epochs of unlearning and then by batch size."""

    run: Run
    rows: tuple[PlanRow, ...]

    def as_json(self) -> dict[str, Any]:
        """The one JSON object of `plan --format json`, and plan.json."""
        delta = decimal(round_decimal(self.run.target_delta, 12, Rounding.UP), 12)
        mechanism = self.run.mechanism
        return {
            "target": {"epsilon": canonical(self.run.target_epsilon), "delta": delta},
            "samples": mechanism.samples,
            "epochs": mechanism.epochs,
            "requests": list(mechanism.requests),
            "noise_floor": f"{noise_floor(self.run):.3g}",
            "rows": [row.as_json() for row in self.rows],
        }

    def _repr_html_(self) -> str:
        columns = (
            "batch_size",
            "unlearning_epochs",
            "noise_std",
            "epsilon",
            "gradient_evaluations",
            "pareto",
            "problem",
        )
        return page(
            f"The least noise that is certified for ε = {canonical(self.run.target_epsilon)}",
            table("Epochs of unlearning and batch sizes", self.as_json()["rows"], columns),
        )


def plan(
    source: str | Path | Mapping[str, Any] | Run,
    *,
    batch_sizes: Sequence[int] | None = None,
    unlearning_epochs: Sequence[int] | None = None,
    workers: str | int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Plan:
    """The least certified noise_std for each number of unlearning epochs and each batch size, all else as in the file.

    The file's own noise_std does not matter; it, batch_size and unlearning_epochs may be absent.

    Args:
        source: a run file, its tables, or a `Run`.
        batch_sizes: default: at most six divisors of the number of samples, evenly spread, and the run file's own.
        unlearning_epochs: the same for every request; default: 1, 2, 3, 5, 8 … below the epochs of learning, at most
            six.
        workers: where the rows are worked on, as for `certify.engine.spread`; None: here, one after the other.
        progress: called as progress(done, of) after each row.

    Raises:
        UsageError: malformed, or a run that no theorem covers.
        OutOfReach: no row can be certified.
    """
    tables = tables_of(source)
    if is_training(tables):
        raise UsageError(
            f'mechanism.kind: "{tables["mechanism"]["kind"]}" has no unlearning to plan; '
            "`plumbline calibrate RUN.toml --tune noise_multiplier` finds what a training run needs"
        )
    given = False
    if isinstance(tables.get("mechanism"), Mapping):
        given = "batch_size" in tables["mechanism"]
        tables["mechanism"] = _FREE | tables["mechanism"]
    run = read_run(tables)
    if not any(run.mechanism.unlearning_epochs):  # the rows unlearn: who sees which models must be said
        unlearns = dict(tables["mechanism"]) | {"unlearning_epochs": [1] * len(run.mechanism.requests)}
        run = read_run(tables | {"mechanism": unlearns})
    with within_doubles(run):
        return _plan(run, given, batch_sizes, unlearning_epochs, workers, progress)


def _plan(
    run: Run,
    given: bool,
    batch_sizes: Sequence[int] | None,
    unlearning_epochs: Sequence[int] | None,
    workers: str | int | None,
    progress: Callable[[int, int], None] | None,
) -> Plan:
    """given: whether the run file says a batch size of its own."""
    check_doubles(run)
    own = [run.mechanism.batch_size] if given else []
    mechanism = run.mechanism
    epochs = _chosen("--unlearning-epochs", unlearning_epochs) or some_epochs(mechanism.epochs)
    sizes = _chosen("--batch-sizes", batch_sizes) or sorted({*some_divisors(mechanism.samples), *own})
    if len(epochs) * len(sizes) > MAX_ROWS:
        raise UsageError(f"--batch-sizes, --unlearning-epochs: {len(epochs) * len(sizes)} rows, more than {MAX_ROWS}")
    # All are read before the first is worked on: what is malformed is refused at once.
    candidates = [_candidate(run, k, b) for k in epochs for b in sizes]
    rows = []
    with spread(workers) as each:
        for row in each(_row, candidates):
            rows.append(row)
            if progress:
                progress(len(rows), len(candidates))
    if not any(row.certified for row in rows):
        raise OutOfReach(rows[0].problem)
    return Plan(run, tuple(_compared(rows, noise_floor(run))))


def _chosen(option: str, values: Sequence[int] | None) -> list[int]:
    for value in values or ():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UsageError(f"{option}: {value!r} must be a whole number of at least 1")
    return sorted(set(values or ()))


def some_divisors(samples: int, most: int = MAX_CHOICES) -> list[int]:
    """At most `most` divisors of n, up to n, as evenly spread on a logarithmic scale as they come."""
    every: set[int] = {1, samples}
    rest, factors, p = samples, [], 2
    while p * p <= rest and p < 10**6:  # beyond, the rest counts as prime: a few divisors are enough
        while rest % p == 0:
            rest, factors = rest // p, [*factors, p]
        p += 1
    for factor in [*factors, *([rest] if rest > 1 else [])]:
        every |= {d * factor for d in every if samples % (d * factor) == 0}
    divisors = sorted(d for d in every if samples <= MAX_BATCHES * d)
    if len(divisors) <= most:
        return divisors
    low, high = math.log(divisors[0]), math.log(samples)
    wanted = (low + (high - low) * i / (most - 1) for i in range(most))
    return sorted({min(divisors, key=lambda d, w=w: abs(math.log(d) - w)) for w in wanted})


def some_epochs(epochs: int, most: int = MAX_CHOICES) -> list[int]:
    """1, 2, 3, 5, 8 … below T, from where on retraining costs no more; at most `most` of them."""
    choices, following = [1], 2
    while following < epochs and len(choices) < most:
        choices, following = [*choices, following], following + choices[-1]
    return choices


def _candidate(run: Run, k: int, b: int) -> Run:
    return run.with_values(batch_size=b, unlearning_epochs=[k] * len(run.mechanism.requests))


def _row(run: Run) -> PlanRow:
    mechanism = run.mechanism
    k = mechanism.unlearning_epochs[0]
    row = PlanRow(
        batch_size=mechanism.batch_size,
        unlearning_epochs=k,
        noise_std=None,
        epsilon=None,
        gradients=k * mechanism.batches * mechanism.batch_size,
        steps=k * mechanism.batches,
        of_retraining=Fraction(k, mechanism.epochs) if mechanism.epochs else None,
    )
    try:
        noise, epsilon = certified_noise(run)
    except OutOfReach as problem:
        return replace(row, problem=str(problem))
    return replace(row, noise_std=noise, epsilon=epsilon)


def certified_noise(run: Run) -> tuple[Fraction, str]:
    """The least σ of nine digits that the search finds, above rounding where there is a floor, and the ε that is
    certified with it, for the worst request.

    Searched for in doubles, rounded up, confirmed in balls. Raises OutOfReach, and UsageError as `certify` does.
    """
    target, least = run.target_epsilon, floor.least_noise(run) or Fraction(0)
    certified = _found_noise(run, least)
    for attempt in range(_MAX_ATTEMPTS):
        noise = max(round_decimal(certified * (1 + Fraction(2**attempt - 1, 10**DIGITS)), DIGITS, Rounding.UP), least)
        claims = list(_claims(run.with_values(noise_std=noise)))
        if all(claim.verdict(target) is Verdict.CERTIFIED for claim in claims):
            return noise, max((claim.printed(target) for claim in claims), key=Fraction)
    raise OutOfReach(f"target.epsilon: found no noise_std that meets ε = {decimal(target, 12)}")


def _found_noise(run: Run, least: Fraction) -> Fraction:
    """Where the order is public μ is inversely proportional to σ, and balls, which do not underflow, find it. Where any
    noise would meet the target, `least` it is, if there is one."""
    with refusals():
        mechanism = run.mechanism
        if any(hides_position(mechanism, r) or t24_applies(mechanism, r) for r in range(len(mechanism.requests))):
            try:
                return tuning.least_noise(run)
            except tuning.NothingToTune:
                if least:
                    return least
                raise
        noise = least_noise(run, derive)
    if least and (noise is None or noise < least):
        return least
    if noise is None:
        raise OutOfReach("noise_std: the two runs never differ, so any positive value meets the target")
    if noise < MIN_NOISE:
        raise OutOfReach("noise_std: every value that a double can hold meets the target, down to 1e-300")
    if noise > MAX_NOISE:
        raise OutOfReach("target.epsilon: the noise_std that it asks for is beyond 1e300")
    return Fraction(noise)


def _claims(run: Run) -> Iterator[Claim]:
    """The claims of a run without their lower bounds, which no plan shows."""
    mechanism = run.mechanism
    for request, size in enumerate(mechanism.requests):
        with refusals():
            bound = derive(mechanism, request)
            upper = derive_upper(mechanism, run.target_delta, request, bound)
            yield Claim(size, mechanism.unlearning_epochs[request], bound, upper, enclose(upper), None, None)


def noise_floor(run: Run) -> float:
    """The σ whose noise in a step is single precision's rounding of the longest step ηM: 2^(−24)·M·√(η/2).

    With less the floating-point run does not do what is certified: so a smaller σ gains nothing.
    """
    mechanism = run.mechanism
    constants = mechanism.loss.constants()
    return ROUNDING * float(constants.gradient_bound) * math.sqrt(float(mechanism.step_size) / 2)


def _compared(rows: Sequence[PlanRow], floor: float) -> Iterator[PlanRow]:
    """The rows with `lost` and `pareto`; no row below the floor competes."""
    rows = [replace(row, lost=row.certified and row.noise_std < floor) for row in rows]
    best, least = set(), None
    for gradients, noise in sorted((row.gradients, row.noise_std) for row in rows if row.certified and not row.lost):
        if least is None or noise < least:
            least = noise
            best.add((gradients, noise))
    for row in rows:
        yield replace(row, pareto=(row.gradients, row.noise_std) in best)
