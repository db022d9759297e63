"""`calibrate` for DP-SGD and its relatives: search in doubles, round to the safe side, confirm with integers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from scipy.optimize import brentq

from accountant.derive_training import schedule
from accountant.estimate_training import estimate_training
from accountant.exact import decimal, round_decimal
from accountant.pld.release import MOST_STEPS
from certify.claims import Verdict
from certify.errors import OutOfReach, UsageError
from certify.outcome import Progress, Result
from certify.spec import Run, read_run
from certify.training_result import certify_training

DIGITS = 6  # significant digits of a calibrated value
LEAST = Fraction(1, 10**290)  # a target that a search in doubles takes
_ATTEMPTS = 12
_WIDTH = Fraction(1, 4000)  # of the bracket when confirming: the search is about that good
_GENEROUS = 5e-4  # what the search allows a count above the target: confirming goes down from there

Value = Fraction | int


@dataclass(frozen=True)
class _Parameter:
    """rivals: keys of [mechanism] that say the same otherwise, dropped when it is tuned; growing: whether ε grows with
    it; whole: whether it is a count; least, most, start: where to search, and from where."""

    rivals: tuple[str, ...]
    growing: bool
    whole: bool
    least: float
    most: float
    start: float = 1


PARAMETERS = {
    "noise_multiplier": _Parameter((), False, False, 0.02, 1e6),
    "sample_rate": _Parameter(("batch_size",), True, False, 1e-9, 1.0, 1e-3),
    "steps": _Parameter(("epochs",), True, True, 1, MOST_STEPS // 2),
    "epochs": _Parameter(("steps",), True, True, 1, MOST_STEPS // 2),
    "batch_size": _Parameter(("sample_rate",), True, True, 1, MOST_STEPS),
}


def calibrate_training(tables: Mapping[str, Any], tune: str, progress: Progress | None = None) -> tuple[Value, Result]:
    """The least noise_multiplier, or the largest of another parameter, that is certified, within 0.2 %; and what it
    gives.

    Raises:
        UsageError: malformed, or a parameter that cannot be tuned.
        OutOfReach: no value meets the target, or every value does.
    """
    if tune not in PARAMETERS:
        raise UsageError(f"--tune: {tune!r} is none of {', '.join(PARAMETERS)}, which a training run has")
    parameter = PARAMETERS[tune]
    table = {key: value for key, value in tables["mechanism"].items() if key not in parameter.rivals}
    tables = dict(tables) | {"mechanism": {tune: 1} | table}
    run = read_run(tables)
    if tune in ("sample_rate", "batch_size") and run.mechanism.sampling not in ("poisson", "without-replacement"):
        raise UsageError(f'--tune: with sampling = "{run.mechanism.sampling}" there is no {tune} to tune')
    check_doubles(run)
    target, delta = run.target_epsilon, float(run.target_delta)
    if not target:
        raise OutOfReach("target.epsilon: 0 asks for a run that tells nothing; no noise gives that")
    others = schedule(run.mechanism)[len(run.mechanism.stages) :]
    if others and estimate_training(others, run.mechanism.neighbours, delta) > target:
        raise OutOfReach("target.epsilon: already the other releases in [[releases]] exceed it")

    def excess(value: float) -> float:
        """log(ε/target), in doubles; no less than −7, as far below it hardly matters."""
        mechanism = run.with_values(**{tune: _rounded(value, tune, parameter, run)}).mechanism
        found = estimate_training(schedule(mechanism), mechanism.neighbours, delta, both=False)
        return math.log(max(found / float(target), 1e-3))

    return _confirm(run, tune, parameter, _search(excess, parameter, run, tune), progress)


def check_doubles(run: Run) -> None:
    """Searches work in doubles: a target beyond them is refused. Raises UsageError."""
    epsilon, delta = run.target_epsilon, run.target_delta
    for key, value, most in (("epsilon", epsilon, 10**6), ("delta", delta, 1)):
        if value and not LEAST <= value <= most:
            shown = decimal(round_decimal(value, DIGITS, up=True))
            raise UsageError(f"target.{key}: {shown} is beyond a search in doubles, from {float(LEAST)} to {most}")
    if 1 - delta < 1e-9:
        raise UsageError("target.delta: too close to 1 for a search in doubles; take a smaller one")


def _search(excess: Callable[[float], float], parameter: _Parameter, run: Run, tune: str) -> float:
    """Where ε crosses the target, in doubles."""
    low, high = parameter.least, parameter.most
    if tune == "batch_size":
        high = run.mechanism.samples
        low = max(low, math.ceil(Fraction(2 * int(run.canonical["mechanism"]["epochs"] or 0) * high, MOST_STEPS)))
    if tune == "epochs":
        high = max(1, high * run.mechanism.stages[0].sample_rate // 2)
    if tune == "sample_rate":
        epochs = run.canonical["mechanism"]["epochs"]  # of ⌈1/q⌉ steps each
        low = max(low, 2 * int(epochs or 0) / MOST_STEPS)
        if run.mechanism.sampling == "without-replacement":
            low = 1 / run.mechanism.samples
    good, bad = (low, high) if parameter.growing else (high, low)
    if parameter.whole:
        if excess(good) > 0:
            raise OutOfReach(f"target.epsilon: no {tune} from {low:g} up meets it")
        return _largest_whole(lambda k: excess(k) <= _GENEROUS, int(low), int(high), tune)
    at = min(max(parameter.start, low), high)  # estimates are slow at the ends
    meets = excess(at) <= 0
    end = bad if meets else good
    while True:
        following = min(at * 4, end) if end > at else max(at / 4, end)
        if following == at:
            if meets:
                raise OutOfReach(f"target.epsilon: every {tune} between {low:g} and {high:g} meets it: nothing to tune")
            raise OutOfReach(f"target.epsilon: no {tune} between {low:g} and {high:g} meets it")
        if (excess(following) <= 0) != meets:
            break
        at = following
    return math.exp(brentq(lambda t: excess(math.exp(t)), math.log(at), math.log(following), xtol=2e-5, rtol=1e-12))


def _largest_whole(enough: Callable[[int], bool], low: int, high: int, tune: str) -> int:
    """The largest count that meets the target: doubling, then bisection."""
    at, step = low, 1
    while at + step <= high and enough(at + step):
        at, step = at + step, 2 * step
    if at + step > high and enough(high):
        raise OutOfReach(f"target.epsilon: every {tune} up to {high} meets it: nothing to tune")
    bad = min(at + step, high)
    while bad - at > 1:
        middle = (at + bad) // 2
        at, bad = (middle, bad) if enough(middle) else (at, middle)
    return at


def _confirm(
    run: Run, tune: str, parameter: _Parameter, value: float, progress: Progress | None
) -> tuple[Value, Result]:
    """From the value found in doubles to the nearest one on the safe side that integers certify."""
    safer = -1 if parameter.growing else 1
    step = 0.0
    for attempt in range(_ATTEMPTS):
        tried = _rounded(value * (1 + safer * step), tune, parameter, run)
        if not tried:
            break
        result = certify_training(run.with_values(**{tune: tried}), width=_WIDTH, progress=progress)
        if result.verdict is Verdict.CERTIFIED:
            return tried, result
        missed = float(Fraction(result.epsilon["upper"]) / run.target_epsilon) - 1
        step += max(missed, 1e-5 * 2**attempt)
        if parameter.whole and int(value * (1 + safer * step)) == tried:
            step += 1.01 / value
    raise OutOfReach(f"target.epsilon: found no {tune} that is certified for it")


def _rounded(value: float, tune: str, parameter: _Parameter, run: Run) -> Value:
    if parameter.whole:
        return int(value)
    if tune == "sample_rate" and run.mechanism.sampling == "without-replacement":
        return Fraction(max(1, int(value * run.mechanism.samples + 1e-9)), run.mechanism.samples)
    return min(round_decimal(Fraction(value), DIGITS, up=not parameter.growing), Fraction(parameter.most))
