"""Searches in floats for the value of one parameter that meets the target. What they find is confirmed in balls
elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import scipy

from accountant import InvalidMechanism, NoisySGD
from accountant.core.arithmetic.floats import gaussian_mu
from accountant.mechanisms.timeline import hides_position
from accountant.pnsgd.estimates.estimate import estimate, estimate_mu, noise_times_mu
from accountant.pnsgd.search.final_epochs import t24_applies
from certify.errors import OutOfReach, UsageError
from certify.runfile.read import Run

MAX_EPOCHS = 10**12
_GRID = 1.25  # of numbers of epochs, where more of them may do good
_MAX_BATCHES = 10_000  # that are looked at one by one
_MAX_STEP = Fraction(10**6)  # of a loss without curvature or weight decay to bound it
_SLACK = 1e-9  # doubles that miss the target by less may still be certified


class NothingToTune(OutOfReach):
    """Any value meets the target."""


def meets(mechanism: NoisySGD, run: Run, request: int) -> bool:
    """Whether one claim seems to meet the target, in doubles."""
    target, delta = float(run.target_epsilon), float(run.target_delta)
    if hides_position(mechanism, request):
        return estimate(mechanism, delta, request) <= target * (1 + _SLACK)
    if estimate_mu(mechanism, request) <= _target_mu(target, delta) * (1 + _SLACK):
        return True
    return t24_applies(mechanism, request) and estimate(mechanism, delta, request) <= target * (1 + _SLACK)


_mus: dict[tuple[float, float], float] = {}


def _target_mu(target: float, delta: float) -> float:
    if (target, delta) not in _mus:
        _mus[target, delta] = float(gaussian_mu(target, delta))
    return _mus[target, delta]


def all_meet(mechanism: NoisySGD, run: Run) -> bool:
    return all(meets(mechanism, run, request) for request in range(len(mechanism.requests)))


def least_noise(run: Run) -> Fraction:
    """The least σ. In a public order μ is inversely proportional to it: every distance is without σ, every variance
    grows as σ²."""
    mechanism, target, delta = run.mechanism, float(run.target_epsilon), float(run.target_delta)
    requests = range(len(mechanism.requests))
    products: list[Fraction] = []
    for request in requests:
        product = noise_times_mu(mechanism, request)
        if product is None:
            raise OutOfReach("noise_std: no noise bounds this run; see `plumbline certify`")
        products.append(product)
    if not any(products):
        raise NothingToTune(
            "noise_std: the two runs never differ, or by so little that any value from 1e-300 up meets the target: "
            "nothing to tune"
        )
    worst = max(products) / Fraction(_target_mu(target, delta))
    # In a secret order, or where the last steps count by their range (T24), less noise may do.
    others = [r for r in requests if hides_position(mechanism, r) or t24_applies(mechanism, r)]
    if not others:
        return worst
    noise = float(worst)
    if not 0 < noise < math.inf:
        return worst
    # The requests to which neither applies need the σ that follows from μ.
    floor = max((products[r] for r in requests if r not in others), default=Fraction(0)) / Fraction(
        _target_mu(target, delta)
    )

    def excess(log_noise: float) -> float:
        tried = replace(mechanism, noise_std=Fraction(math.exp(log_noise)))
        return max(estimate(tried, delta, request) for request in others) - target

    if excess(math.log(noise) - 1e-6) > 0 and not any(hides_position(mechanism, r) for r in others):
        return worst

    high, low = math.log(noise), math.log(noise)  # the worst position needs no less
    while excess(low) <= 0:
        low -= 1
        if low < high - 60:  # these requests need none
            if floor:
                return floor
            raise NothingToTune("noise_std: any value meets the target: nothing to tune")
    smallest = Fraction(math.exp(scipy.optimize.brentq(excess, low, high + 1e-6, xtol=1e-13, rtol=1e-14)))
    return max(smallest, floor)


def least_unlearning_epochs(run: Run) -> list[int]:
    """The least K_1, then the least K_2 after it, and so on. 0 where the noise of learning alone hides what was
    erased."""
    mechanism = run.mechanism
    epochs: list[int] = []
    least = 0 if mechanism.epochs else 1
    for request in range(len(mechanism.requests)):

        def enough(k: int, request: int = request) -> bool:
            tried = replace(mechanism, requests=mechanism.requests[: request + 1], unlearning_epochs=(*epochs, k))
            return meets(tried, run, request)

        epochs.append(_least_whole(enough, epochs[-1] if epochs else 1, "unlearning_epochs", least))
    return epochs


def _least_whole(enough: Callable[[int], bool], guess: int, name: str, first: int = 1) -> int:
    """The least whole number from `first` on that is enough; doubling from a guess, then bisection.

    Right where more is never worse: of epochs of unlearning, the last ones are alike in both runs (post-processing), or
    shrink a distance that is the same whatever their number. The first one is looked at by itself, for no unlearning at
    all is another claim.
    """
    if enough(first):
        return first
    low, high, step = first - 1, max(guess, first), 1
    while not enough(high):
        low, high, step = high, high + step, 2 * step
        if high > MAX_EPOCHS:
            raise OutOfReach(f"{name}: no value up to {MAX_EPOCHS} meets the target")
    step = 1
    while high - step > low and enough(high - step):
        high, step = high - step, 2 * step
    low = max(low, high - step)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def is_monotone(run: Run, tune: str) -> bool:
    """Whether ε is proved to rise, or to fall, with a parameter all else being equal; or all values are looked at.

    noise_std: μ is inversely proportional to it, the hidden position's mixture and T24 fall with it. unlearning_epochs:
    see `_least_whole`. epochs: from equal starts a longer run ends with a shorter one that begins at a distance; where
    the starts are apart already, the first epochs forget that. radius: every distance is capped by it, and constants of
    a loss in the ball grow; but where the step size follows from these it shrinks. step_size: a longer step contracts
    more and moves farther. batch_size: all of them are looked at, where they are divisors or not too many.
    """
    mechanism = run.mechanism
    match tune:
        case "epochs":
            return not mechanism.initial_distance
        case "radius":
            follows = run.canonical["mechanism"]["step_size"] in ("1/L", "2/(L+m)")
            return not (follows and _in_a_ball(run))
        case "batch_size":
            return mechanism.remainder == "error" or mechanism.samples <= _MAX_BATCHES
        case _:
            return tune != "step_size"


def _in_a_ball(run: Run) -> bool:
    return getattr(run.mechanism.loss, "radius", None) is not None


def most_epochs(run: Run) -> int:
    """The most epochs of learning. From equal starts more of them only cost; from starts apart, the most on a grid,
    and then up to the next, which are too many."""

    def too_many(t: int) -> bool:
        return not all_meet(replace(run.mechanism, epochs=t), run)

    if not is_monotone(run, "epochs"):
        return _most_of_a_grid(too_many)
    if too_many(1):
        raise OutOfReach("epochs: not even one epoch of learning meets the target")
    try:
        return _least_whole(too_many, 2, "epochs", 2) - 1
    except OutOfReach:
        raise OutOfReach("epochs: every number of epochs meets the target: nothing to tune") from None


def _most_of_a_grid(too_many: Callable[[int], bool]) -> int:
    points = [1]
    while points[-1] < MAX_EPOCHS:
        points.append(min(MAX_EPOCHS, max(points[-1] + 1, int(points[-1] * _GRID))))
    index = next((i for i in reversed(range(len(points))) if not too_many(points[i])), None)
    if index is None:
        raise OutOfReach("epochs: found no number of epochs that meets the target")
    if index == len(points) - 1:
        raise OutOfReach(f"epochs: even {MAX_EPOCHS} of them meet the target: nothing to tune")
    low, high = points[index], points[index + 1]
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if too_many(middle) else (middle, high)
    return low


def least_batch(run: Run, above: int = 0) -> int:
    """The least batch size above a number. ε need not be monotone in it: every divisor of the number of samples is
    looked at; where a remainder may be dropped every size, if there are not too many."""
    samples = run.mechanism.samples
    if run.mechanism.remainder == "drop" and samples <= _MAX_BATCHES:
        for b in range(above + 1, samples + 1):
            if _batch_meets(run, b):
                return b
        raise OutOfReach("batch_size: no size up to the number of samples meets the target")
    small = [b for b in range(1, math.isqrt(samples) + 1) if samples % b == 0]
    for b in sorted({*small, *(samples // s for s in small)}):
        if b > above and _batch_meets(run, b):
            return b
    raise OutOfReach("batch_size: no divisor of the number of samples meets the target")


def _batch_meets(run: Run, size: int) -> bool:
    try:
        return all_meet(replace(run.mechanism, batch_size=size), run)
    except InvalidMechanism:  # what is erased does not fit in what is left of the samples
        return False


def largest_radius(run: Run) -> Fraction:
    """The largest ball; ε grows with it until it no longer matters."""
    return _largest(run, "radius", np.geomspace(1e-9, 1e9, 73))


def largest_step(run: Run) -> Fraction:
    """The largest step size up to 2/(L+m), or 1/m where the loss is not convex; ε need not be monotone in it."""
    constants = run.mechanism.loss.constants()
    if constants.convex:
        most = 2 / (constants.smoothness + constants.strong_convexity)
    else:
        most = 1 / constants.strong_convexity if constants.strong_convexity else _MAX_STEP
    if all_meet(replace(run.mechanism, step_size=most), run):
        return most
    return _largest(run, "step_size", float(most) * np.geomspace(1e-9, 1, 145)[:-1], float(most))


def _largest(run: Run, name: str, grid: np.ndarray, end: float | None = None) -> Fraction:
    """The largest value on the grid that meets the target, then bisection up to the next, which does not."""

    def good(value: float) -> bool:
        if name == "radius" and _in_a_ball(run):  # on which the loss's constants depend, and a step size by them
            try:
                return all_meet(run.with_values(radius=Fraction(value)).mechanism, run)
            except UsageError:  # the step is too long for these
                return False
        return all_meet(replace(run.mechanism, **{name: Fraction(value)}), run)

    points = [float(x) for x in grid]
    index = next((i for i in range(len(points) - 1, -1, -1) if good(points[i])), None)
    if index is None:
        raise OutOfReach(f"{name}: found no value that meets the target")
    if index == len(points) - 1 and end is None:
        raise OutOfReach(f"{name}: {points[-1]:g} and more meets the target: nothing to tune")
    low, high = points[index], points[index + 1] if index + 1 < len(points) else end
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if good(middle) else (low, middle)
    return Fraction(low)
