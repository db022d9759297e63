"""`calibrate` for DP-SGD and its relatives: search in doubles, round to the safe side, confirm with integers.

The search looks at rough estimates and corrects what it finds by one or two good ones. Integers are computed once, as a
rule: an upper bound on a grid of which the error is foreseen, at a value that is so much safer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import scipy

from accountant.core.exact import Rounding, canonical, decimal, round_decimal
from accountant.dpsgd.derive import estimate_mechanism, schedule
from accountant.dpsgd.estimate import estimate_training
from accountant.mechanisms.release import MAX_STEPS
from accountant.pld import Tolerances
from certify.errors import OutOfReach, UsageError
from certify.results.certify_dpsgd import certify_training
from certify.results.claims import Verdict
from certify.results.result import Progress, Result
from certify.results.teeth import Search, values_of
from certify.runfile.extremes import within_doubles
from certify.runfile.read import Run, read_run

DIGITS = 6  # significant digits of a calibrated value
MIN_TARGET = Fraction(1, 10**290)  # a target that a search in doubles takes
MIN_NOISE, MAX_NOISE = Fraction(1, 10**6), Fraction(10**30)  # where it is not tuned
_MAX_ATTEMPTS, _MAX_REGAINS = 12, 4  # the latter where a certified value is far from the target: the estimate was wrong
_MAX_EXCESS = 5e-4  # what the search allows a small count above the target: confirming goes down from there
_MANY = 2000  # smaller counts are tried one by one
_LOSS = 6e-5  # what the error of the upper bound may cost of a value, relatively
_MIN_AIM, _MAX_AIM = 8e-5, 4e-4  # for the upper bound; the lower one is only reported
_LOWER = Fraction(1, 1000)
_ESTIMATED = 3e-5  # what the estimate may be off, besides
_TELLING = 1e-3  # two upper bounds further apart than this determine a slope
_NEAR, _ROUNDS = 3e-4, 6  # from here on one more step of Newton's is exact enough

_NEARBY = 0.02
_MIN_SLOPE, _MAX_SLOPE = 0.3, 100.0

_LOOSE = "certified, with ε far below the target; a {} value may be certified too"
Value = Fraction | int
Excess = Callable[..., float]  # (value, rough = False) -> log(ε/target)


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
    "steps": _Parameter(("epochs",), True, True, 1, MAX_STEPS // 2),
    "epochs": _Parameter(("steps",), True, True, 1, MAX_STEPS // 2),
    "batch_size": _Parameter(("sample_rate",), True, True, 1, MAX_STEPS),
}


def calibrate_training(
    tables: Mapping[str, Any], tune: str, progress: Progress | None = None
) -> tuple[Value, Result, str | None]:
    """The least noise_multiplier, or the largest of another parameter, that is certified, within 0.2 %; what it gives;
    and where ε is not monotone in it, how far it is proved to be the largest.

    More noise is post-processing; so is leaving out steps, or drawing a record and then dropping it by a coin: ε falls
    with noise_multiplier and does not fall with steps, epochs, or a rate at a fixed number of steps. Where the rate
    says how many steps an epoch has, ε is not monotone in it, and `certify.results.teeth` searches.

    Raises:
        UsageError: malformed, or a parameter that cannot be tuned.
        OutOfReach: no value meets the target, or every value does.
    """
    if tune not in PARAMETERS:
        raise UsageError(f"--tune: {tune!r} is not one of {', '.join(PARAMETERS)}, the parameters of a training run")
    parameter = PARAMETERS[tune]
    table = {key: value for key, value in tables["mechanism"].items() if key not in parameter.rivals}
    start = table.get("samples", 1) if tune == "batch_size" else 1  # with smaller batches epochs may be too long
    tables = dict(tables) | {"mechanism": {tune: start} | table}
    run = read_run(tables)
    if tune in ("sample_rate", "batch_size") and not run.mechanism.scheme.amplifies:
        raise UsageError(f'--tune: with sampling = "{run.mechanism.sampling}" there is no {tune} to tune')
    check_doubles(run)
    _check_noise(run, tune)
    target, delta = run.target_epsilon, float(run.target_delta)
    if not target:
        raise OutOfReach("target.epsilon: 0 asks for a run that reveals nothing; no finite noise gives that")
    others = schedule(run.mechanism)[len(run.mechanism.stages) :]
    with within_doubles(run):
        if others and estimate_training(others, run.mechanism.neighbours, delta) > target:
            raise OutOfReach("target.epsilon: the other releases in [[releases]] alone exceed it")

    def excess(value: float, rough: bool = False) -> float:
        """log(ε/target), in doubles; no less than −7, as far below it hardly matters."""
        mechanism = run.with_values(**{tune: _rounded(value, tune, parameter, run)}).mechanism
        epsilon = estimate_mechanism(mechanism, run.target_delta, rough=rough)
        return math.log(min(max(epsilon / float(target), 1e-3), 1e300))

    with within_doubles(run):
        _refuse_cut(run, tune)
        if tune in ("batch_size", "sample_rate") and _lasts_epochs(run):
            return Search(run, values_of(run, tune), progress).largest()
        value = _search(excess, parameter, run, tune)
        return _confirm(run, tune, parameter, value, _slope(excess, value), progress)


def _refuse_cut(run: Run, tune: str) -> None:
    """Where even with the most noise no share of δ covers the batches that are cut, the cap is the cause."""
    if tune == "noise_multiplier" and run.mechanism.max_batch_size is not None:
        loudest = run.with_values(noise_multiplier=Fraction(PARAMETERS[tune].most))
        if math.isinf(estimate_mechanism(loudest.mechanism, run.target_delta)):
            certify_training(loudest, guarantees=False)  # which refuses, and names the cap


def _lasts_epochs(run: Run) -> bool:
    """Whether the number of steps depends on the rate, in some stage."""
    return any(table["epochs"] for table in (run.canonical["mechanism"], *(run.canonical.get("stages") or ())))


def _slope(excess: Excess, value: float) -> float:
    """|d log ε/d log value|, within reason."""
    return min(max(abs(_difference(excess, value)), _MIN_SLOPE), _MAX_SLOPE)


def _difference(excess: Excess, value: float) -> float:
    """d log ε/d log value, by rough estimates."""
    up, down = value * math.exp(_NEARBY), value * math.exp(-_NEARBY)
    return (excess(up, True) - excess(down, True)) / (2 * _NEARBY)


def check_doubles(run: Run) -> None:
    """Searches work in doubles: a target beyond them is refused. Raises UsageError."""
    epsilon, delta = run.target_epsilon, run.target_delta
    for key, value, most in (("epsilon", epsilon, 10**6), ("delta", delta, 1)):
        if value and not MIN_TARGET <= value <= most:
            shown = decimal(round_decimal(value, DIGITS, Rounding.UP))
            raise UsageError(f"target.{key}: {shown} is beyond a search in doubles, from {float(MIN_TARGET)} to {most}")
    if 1 - delta < 1e-9:
        raise UsageError("target.delta: too close to 1 for a search in doubles; take a smaller one")


def _check_noise(run: Run, tune: str) -> None:
    """With less noise than this one participation alone is far beyond any target, and estimates take minutes; with more
    squares underflow. Raises UsageError."""
    tuned = run.canonical["mechanism"]["noise_multiplier"] if tune == "noise_multiplier" else None
    for stage in run.mechanism.stages:
        noise = stage.noise_multiplier
        if not MIN_NOISE <= noise <= MAX_NOISE and canonical(noise) != tuned:
            shown = decimal(round_decimal(noise, DIGITS, Rounding.UP))
            raise UsageError(
                f"mechanism.noise_multiplier: {shown} is beyond a search in doubles, from {float(MIN_NOISE)} to "
                f"{float(MAX_NOISE)}; leave it out to tune it, or certify the run as it is"
            )


def _search(excess: Excess, parameter: _Parameter, run: Run, tune: str) -> float:
    """Where ε crosses the target, in doubles."""
    low, high = parameter.least, parameter.most
    if tune == "batch_size":
        high = run.mechanism.samples
    if tune == "epochs":
        high = max(1, high * run.mechanism.stages[0].sample_rate // 2)
    if tune == "sample_rate" and run.mechanism.scheme.whole_batches:
        low = 1 / run.mechanism.samples

    def crossing(guess: float, rough: bool) -> float:
        if parameter.whole:
            allowed = 0 if rough else _MAX_EXCESS
            return _largest_whole(lambda k: excess(k, rough) <= allowed, int(low), int(high), int(guess), tune)
        good, bad = (low, high) if parameter.growing else (high, low)
        return _crossing(lambda value: excess(value, rough), guess, good, bad, tune)

    start = low if parameter.whole else min(max(parameter.start, low), high)  # estimates are slow at the ends
    try:
        guess = crossing(start, rough=True)
    except OutOfReach:  # says a rough estimate
        return crossing(start, rough=False)
    if parameter.whole and guess < _MANY:
        return crossing(guess, rough=False)
    corrected = _corrected(excess, guess, low, high)
    return crossing(guess, rough=False) if corrected is None else corrected


def _corrected(excess: Excess, value: float, low: float, high: float) -> float | None:
    """From a rough crossing to the good estimate's, by secants from the rough one's slope; None where that fails."""
    slope, before = _difference(excess, value), None
    for _ in range(_ROUNDS):
        excess_here = excess(value)
        if before is not None and before[0] != value:
            secant = (excess_here - before[1]) / math.log(value / before[0])
            slope = secant if 0.5 < secant / slope < 2 else slope
        if not _MIN_SLOPE / 10 < abs(slope) < _MAX_SLOPE or abs(excess_here) > 1:
            return None
        following = value * math.exp(-excess_here / slope)
        if not low <= following <= high:
            return None
        if abs(excess_here) <= _NEAR:
            return following
        before, value = (value, excess_here), following
    return None


def _crossing(excess: Callable[[float], float], value: float, good: float, bad: float, tune: str) -> float:
    """Steps of a factor 4 towards the end that lies beyond, then Brent's method."""
    meets = excess(value) <= 0
    end = bad if meets else good
    while True:
        following = min(value * 4, end) if end > value else max(value / 4, end)
        if following == value:
            span = f"between {min(good, bad):g} and {max(good, bad):g}"
            if meets:
                raise OutOfReach(f"target.epsilon: every {tune} {span} meets it: nothing to tune")
            raise OutOfReach(f"target.epsilon: no {tune} {span} meets it")
        if (excess(following) <= 0) != meets:
            break
        value = following
    ends = math.log(value), math.log(following)
    return math.exp(scipy.optimize.brentq(lambda t: excess(math.exp(t)), *ends, xtol=2e-5, rtol=1e-12))


def _largest_whole(enough: Callable[[int], bool], low: int, high: int, start: int, tune: str) -> int:
    """The largest count that meets the target: from the start in steps that double, then bisection."""
    if enough(start):
        good, step = start, max(1, start // 64)
        while good + step <= high and enough(good + step):
            good, step = good + step, 2 * step
        if good + step > high and (good == high or enough(high)):
            raise OutOfReach(f"target.epsilon: every {tune} up to {high} meets it: nothing to tune")
        bad = min(good + step, high)
    else:
        bad, step = start, max(1, start // 64)
        while bad - step > low and not enough(bad - step):
            bad, step = bad - step, 2 * step
        good = max(bad - step, low)
        if good == low and (bad == low or not enough(low)):
            raise OutOfReach(f"target.epsilon: no {tune} from {low:g} up meets it")
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if enough(middle) else (good, middle)
    return good


def _confirm(
    run: Run, tune: str, parameter: _Parameter, value: float, slope: float, progress: Progress | None
) -> tuple[Value, Result, str | None]:
    """From the value found in doubles to the nearest one on the safe side that integers certify; and a note where its ε
    is not near the target.

    slope: of log ε by log value.
    """
    safer, few = -1 if parameter.growing else 1, parameter.whole and value < _MANY
    exactly = all(release.sample_rate in (0, 1) for release in schedule(run.mechanism))
    aim, step = min(max(slope * _LOSS, _MIN_AIM), _MAX_AIM), 0.0
    if not (few or exactly):
        step = (1.05 * aim + _ESTIMATED) / slope
    best: tuple[Value, Result] | None = None
    before: tuple[float, float] | None = None
    missed_values: set[Value] = set()  # since the first certified one
    for attempt in range(_MAX_ATTEMPTS):
        tried = _rounded(value * math.exp(safer * step), tune, parameter, run)
        if not tried or tried in missed_values or len(missed_values) > _MAX_REGAINS:
            break
        width = Tolerances(Fraction(aim), _LOWER)
        result = certify_training(run.with_values(**{tune: tried}), width=width, guarantees=False, progress=progress)
        missed = math.log(max(float(Fraction(result.epsilon["upper"]) / run.target_epsilon), 1e-3))
        if before is not None and abs(before[1] - missed) > _TELLING:
            secant = (before[1] - missed) / (step - before[0])
            slope = min(max(secant, slope / 4), 4 * slope)
        before = step, missed
        if result.verdict is Verdict.CERTIFIED:
            if best is None or (tried > best[0]) == parameter.growing:
                best = tried, result
            if few or exactly or missed > -3 * aim - 2 * _ESTIMATED:
                return *best, None
        elif few and missed < 2 * aim and aim > _MIN_AIM / 8:  # a finer grid may be enough
            aim /= 4
            continue
        elif best is None:
            step += (1.05 * max(missed, 0.0) + 1e-5 * 2**attempt) / slope
            if parameter.whole and int(value * math.exp(safer * step)) == tried:
                step += 1.01 / value
            continue
        missed_values.add(tried)
        step += (missed + 1.05 * aim) / slope
    if best:
        return *best, _LOOSE.format("larger" if parameter.growing else "smaller")
    raise OutOfReach(f"target.epsilon: found no {tune} that is certified for it")


def _rounded(value: float, tune: str, parameter: _Parameter, run: Run) -> Value:
    if parameter.whole:
        return int(value)
    if tune == "sample_rate" and run.mechanism.scheme.whole_batches:
        return Fraction(max(1, int(value * run.mechanism.samples + 1e-9)), run.mechanism.samples)
    return min(
        round_decimal(Fraction(value), DIGITS, Rounding.DOWN if parameter.growing else Rounding.UP),
        Fraction(parameter.most),
    )
