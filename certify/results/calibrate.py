"""Find the value that meets the target: search in floats, round to the safe side, confirm in balls."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy

from accountant import (
    Derivation,
    NoisySGD,
    derive_from_distance,
    derive_published,
    derive_witness,
    enclose,
)
from accountant.core.arithmetic import Float
from accountant.core.arithmetic.floats import gaussian_mu
from accountant.core.display import facts, page
from accountant.core.exact import Rounding, canonical, decimal, exact, round_decimal
from accountant.core.kernel import TheoremError, evaluate
from accountant.pnsgd.published import chien2024_epochs, step_in_order
from certify.errors import OutOfReach, UsageError
from certify.results import floor, tuning
from certify.results.calibrate_dpsgd import calibrate_training
from certify.results.certify import summarise
from certify.results.claims import Verdict, make_claim, refusals
from certify.results.result import Progress, Result
from certify.runfile.extremes import within_doubles
from certify.runfile.read import Run, is_training, load_tables, read_run

DIGITS = 9  # significant digits of a calibrated value
MIN_NOISE = Fraction(10) ** -300
MAX_NOISE = Fraction(10) ** 300
_MAX_ATTEMPTS = 40
_SMALL_STEP = "1e-9"  # where nothing is known of L


@dataclass(frozen=True)
class Calibration:
    """The value of `parameter` that meets the target, rounded to the safe side and certified, with what it gives.

    value: a decimal string, a whole number, or for several requests a list of whole numbers. published: the value
    that the published bound needs, by name; None if it does not apply or cannot reach the target. binds: which of
    target and floor asks for a noise as large as this; None where rounding sets no floor to it. note: what a user
    should know besides.
    """

    parameter: str
    value: str | int | list[int]
    result: Result
    published: Mapping[str, str | list[int] | None]
    note: str | None = None
    binds: Literal["target", "floor"] | None = None

    @property
    def epsilon_upper(self) -> float | None:
        """The certified ε at this value, as a double that is not below the printed one."""
        return self.result.epsilon_upper

    def _repr_html_(self) -> str:
        about = {"ε ≤": self.result.epsilon["upper"], "target ε": self.result.epsilon["target"], "note": self.note}
        others = {f"{name} needs": value for name, value in self.published.items()}
        return page(f"{self.parameter} = {self.value}", facts(about | others))

    def as_json(self) -> dict[str, Any]:
        return {
            "parameter": self.parameter,
            "value": self.value,
            "epsilon": dict(self.result.epsilon),
            "certified": self.result.verdict is Verdict.CERTIFIED,
            "published": {name: {"value": value} for name, value in self.published.items()},
        } | {key: text for key, text in (("binds", self.binds), ("note", self.note)) if text}


@dataclass(frozen=True)
class _Parameter:
    """start: what stands in for it when the run file leaves it out; find: the search in doubles; safer(value,
    attempt, claims): the next
    value to try where the balls disagree, the first time with attempt 0 and no claims."""

    start: str
    find: Callable[[Run], Any]
    safer: Callable[[Any, int, Sequence[bool]], Any]


def _more(value: Fraction, attempt: int, _: Sequence[bool]) -> Fraction:
    return round_decimal(value * (1 + Fraction(2**attempt - 1, 10**DIGITS)), DIGITS, Rounding.UP)


def _less(value: Fraction, attempt: int, _: Sequence[bool]) -> Fraction:
    return round_decimal(value * (1 - Fraction(2**attempt - 1, 10**DIGITS)), DIGITS, Rounding.DOWN)


def _longer(value: list[int], attempt: int, certified: Sequence[bool]) -> list[int]:
    if not attempt:
        return value
    late = certified.index(False)
    return [k + (i == late) for i, k in enumerate(value)]


def _fewer(value: int, attempt: int, _: Sequence[bool]) -> int:
    return value - (attempt > 0)


def _as_it_is(value: int, attempt: int, _: Sequence[bool]) -> int:
    return value  # the next one that seems to meet the target is searched for


PARAMETERS = {
    "noise_std": _Parameter("1", tuning.least_noise, _more),
    "unlearning_epochs": _Parameter("1", tuning.least_unlearning_epochs, _longer),
    "epochs": _Parameter("1", tuning.most_epochs, _fewer),
    "batch_size": _Parameter("1", tuning.least_batch, _as_it_is),
    "radius": _Parameter("1", tuning.largest_radius, _less),
    "step_size": _Parameter("1/L", tuning.largest_step, _less),
}


def tables_of(source: str | Path | Mapping[str, Any] | Run) -> dict[str, Any]:
    """The tables of a run file, a mapping or a run; some may be absent. Raises UsageError."""
    if isinstance(source, Run):
        return {name: table for name, table in source.canonical.items() if table is not None}
    return dict(source) if isinstance(source, Mapping) else load_tables(Path(source))


def calibrate(
    source: str | Path | Mapping[str, Any] | Run, *, tune: str | None = None, progress: Progress | None = None
) -> Calibration:
    """The value of one parameter that meets the target, everything else as in the run file (which may leave that key
    out).

    The least noise_std, unlearning_epochs or batch_size; the largest epochs, radius or step_size. Of a training run:
    the least noise_multiplier; the largest steps, epochs, sample_rate or batch_size. By default the noise is tuned:
    noise_std, or noise_multiplier.

    progress: called as progress(what, 0, 0) before each long computation.

    Raises:
        UsageError: malformed, or a run that no theorem covers.
        OutOfReach: no value meets the target, or every value does.
    """
    tables = tables_of(source)
    if tune is None:
        tune = "noise_multiplier" if is_training(tables) else "noise_std"
    if is_training(tables):
        value, result, note = calibrate_training(tables, tune, progress)
        shown = value if isinstance(value, int) else canonical(value)
        return Calibration(tune, shown, result, {"chien2024": None}, note)
    if tune not in PARAMETERS:
        raise UsageError(f"--tune: {tune!r} cannot be tuned in this version; write one of {', '.join(PARAMETERS)}")
    if isinstance(tables.get("mechanism"), Mapping):
        tables["mechanism"] = {tune: _start(tune, tables)} | tables["mechanism"]
    run = read_run(tables)
    check_doubles(run)
    if tune == "unlearning_epochs" and run.mechanism.unlearning_epochs == (0,):
        raise UsageError("mechanism.unlearning_epochs: 0 makes a claim about learning; leave the key out to tune it")
    with within_doubles(run):
        least = floor.least_noise(run) if tune == "noise_std" else None
        result = _confirm(run, tune, least)
        return Calibration(
            parameter=tune,
            value=_value(result, tune),
            result=result,
            published={"chien2024": None} | _published(run, tune),
            note=_note(result, tune),
            binds=None if least is None else "floor" if result.run.mechanism.noise_std == least else "target",
        )


def _start(tune: str, tables: Mapping[str, Any]) -> str:
    """What stands in for the key when the run file leaves it out."""
    loss = tables.get("loss")
    unknown = isinstance(loss, Mapping) and loss.get("kind") == "clipped"
    return _SMALL_STEP if tune == "step_size" and unknown else PARAMETERS[tune].start


def _confirm(run: Run, tune: str, least: Fraction | None = None) -> Result:
    """From the value found in doubles, or `least` where that is more, to the safe side, until every claim is certified
    in balls."""
    parameter = PARAMETERS[tune]
    with refusals():
        value = _found(parameter, run, least)
    if isinstance(value, Fraction) and not MIN_NOISE < value < MAX_NOISE:
        raise OutOfReach(f"target.epsilon: the {tune} that it asks for is beyond 1e±300")
    certified: list[bool] = []
    for attempt in range(_MAX_ATTEMPTS):
        value = parameter.safer(value, attempt, certified)
        if attempt and tune == "batch_size":
            value = tuning.least_batch(run, above=value)
        if least is not None:
            value = max(value, least)
        if isinstance(value, int) and value < 1:
            break
        candidate = run.with_values(**{tune: value})
        claims = tuple(make_claim(candidate, request) for request in range(len(candidate.mechanism.requests)))
        certified = [claim.verdict(run.target_epsilon) is Verdict.CERTIFIED for claim in claims]
        if all(certified) and floor.is_violated(candidate):
            raise OutOfReach(floor.violation(candidate))
        if all(certified):
            return summarise(candidate, claims)
    raise OutOfReach(
        f"target.epsilon: found no {tune} that meets ε = {decimal(run.target_epsilon, 12)} "
        f"at δ = {float(run.target_delta):.6g}"
    )


def _found(parameter: _Parameter, run: Run, least: Fraction | None) -> Any:
    """What the search finds; where any value would meet the target, the least one that is above rounding."""
    try:
        return parameter.find(run)
    except tuning.NothingToTune:
        if least is None:
            raise
        return least


def _value(result: Result, tune: str) -> str | int | list[int]:
    mechanism = result.run.mechanism
    if tune == "unlearning_epochs":
        epochs = list(mechanism.unlearning_epochs)
        return epochs if len(epochs) > 1 else epochs[0]
    value = getattr(mechanism, tune)
    return value if isinstance(value, int) else decimal(round_decimal(value, DIGITS + 3, Rounding.DOWN), DIGITS + 3)


def _note(result: Result, tune: str) -> str | None:
    """Where the value is not proved to be the best; or where unlearning takes as long as learning anew would."""
    mechanism = result.run.mechanism
    if not tuning.is_monotone(result.run, tune):
        return f"the {'least' if tune == 'batch_size' else 'largest'} found; not proved, for ε is not monotone in it"
    if tune != "unlearning_epochs":
        return None
    longer = sum(k >= mechanism.epochs for k in mechanism.unlearning_epochs)
    if not longer:
        return None
    of = f"{longer} of {len(mechanism.requests)} requests"
    return f"retraining ({mechanism.epochs} epochs) costs no more than unlearning for {of}"


def _published(run: Run, tune: str) -> dict[str, str | list[int] | None]:
    """What the published bounds need of the tuned parameter: a noise, or the epochs of each request."""
    if tune == "noise_std":
        return {name: _shown(value) for name, value in published_noise(run).items()}
    return published_epochs(run) if tune == "unlearning_epochs" else {}


def published_epochs(run: Run) -> dict[str, list[int] | None]:
    """The least K of each request by the published sequential bound (P1s): in one form throughout, and as the
    authors' code
    mixes its two forms; None if it does not apply."""
    mechanism = run.mechanism
    names = {"chien2024_sequential": "loose", "chien2024_sequential_code": "authors-code"}
    step = step_in_order(mechanism) if mechanism.epochs else None
    if step is None:
        return dict.fromkeys(names)
    known = {
        **{name: float(value) for name, value in asdict(step).items()},
        "batches": mechanism.batches,
        "sizes": mechanism.requests,
        "epsilon": float(run.target_epsilon),
        "delta": float(run.target_delta),
        "diameter": None if mechanism.diameter is None else float(mechanism.diameter),
    }
    try:
        return {name: chien2024_epochs(**known, form=form) for name, form in names.items()}
    except (ValueError, OverflowError, ZeroDivisionError):
        return dict.fromkeys(names)


def check_doubles(run: Run) -> None:
    """The search works in doubles: a target or a noise beyond them is refused. Raises UsageError."""
    values = {
        "target.epsilon": run.target_epsilon,
        "target.delta": run.target_delta,
        "mechanism.noise_std": run.mechanism.noise_std,
    }
    for key, value in values.items():
        if value and not MIN_NOISE <= value <= MAX_NOISE:
            raise UsageError(f"{key}: {decimal(value, 12)} is beyond 1e±300, where no search in doubles works")
    if float(run.target_delta) == 1:
        raise UsageError("target.delta: too close to 1 for a search in doubles; take a smaller one")


def least_noise(run: Run, bound: Callable[[NoisySGD, int], Derivation | None]) -> float | None:
    """The σ (a double) at which a bound on μ meets the target; None if μ is 0, or if the bound does not apply.

    Every distance is without σ and every variance grows as σ², so μ is inversely proportional to σ.
    """
    base = Fraction(0)
    for request in range(len(run.mechanism.requests)):
        derivation = bound(run.mechanism, request)
        if derivation is None:
            return None
        base = max(base, enclose(derivation).upper)
    if base == 0:
        return None
    mu = float(gaussian_mu(float(run.target_epsilon), float(run.target_delta)))
    try:
        return float(run.mechanism.noise_std * base / Fraction(mu))
    except OverflowError:
        return math.inf


Bounds = Callable[[NoisySGD, Fraction], Mapping[str, Derivation]]


def published_noise(run: Run, bounds: Bounds = derive_published) -> dict[str, float | None]:
    """The σ that each published bound needs for the target; None if no noise in the searched range reaches it."""
    target = float(run.target_epsilon)

    def epsilon(name: str, noise: float) -> float:
        mechanism = replace(run.mechanism, noise_std=Fraction(noise))
        derivation = bounds(mechanism, run.target_delta)[name]
        try:
            with np.errstate(all="ignore"):
                return float(evaluate(derivation, Float()).epsilon)
        except OverflowError:
            return math.inf
        except TheoremError:  # in doubles c may be 1, or 2R be 0
            return math.nan

    sigmas: dict[str, float | None] = {}
    for name in bounds(run.mechanism, run.target_delta):
        low, high = 1e-12, 1e12
        if not epsilon(name, high) <= target <= epsilon(name, low):
            sigmas[name] = None
            continue
        log_root = scipy.optimize.brentq(
            lambda t, name=name: epsilon(name, 10.0**t) - target, -12, 12, xtol=1e-14, rtol=1e-15, maxiter=300
        )
        sigmas[name] = 10.0**log_root
    return sigmas


def witness_noise(run: Run) -> float | None:
    """The σ below which no certificate exists from these constants: where the witness alone meets the target."""
    return least_noise(run, derive_witness)


def distance_noise(run: Run) -> float | None:
    """The σ that W∞ alone needs, when only the noise of unlearning is counted."""
    return least_noise(run, derive_from_distance)


def _shown(value: float | None) -> str | None:
    return None if value is None else decimal(round_decimal(exact(repr(value)), DIGITS, Rounding.UP), DIGITS)
