"""How many of the last epochs are better bounded by the range before each noise (T24) than by T11 at the end.

Untrusted search in doubles: how many of the last epochs; the theorem checks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from accountant.core.arithmetic.floats import diffused_epsilon, diffused_log_delta, log_theta
from accountant.mechanisms.pnsgd import NoisySGD
from accountant.mechanisms.timeline import History, Phase, hides_position, history, unlearning_epochs
from accountant.pnsgd.fallback import best_scaled_mu, late_range, step_rates
from accountant.pnsgd.rates import CONVEX, StepRate

MAX_STEPS = 10_000  # that a search looks at; T24 itself takes twice as many
_GAIN = 1e-9  # of ε, below which T11 is kept


@dataclass(frozen=True)
class Late:
    """`before`: the two runs without the last epochs; `phase`: those epochs; `rate`: what bounds their steps;
    epsilon: about what T24 gives."""

    before: History
    phase: Phase
    rate: StepRate
    epsilon: float


def t24_applies(mechanism: NoisySGD, request: int) -> bool:
    """Whether T24 applies to the claim: a ball, one release, and last an unlearning phase on equal data."""
    return (
        mechanism.radius is not None
        and mechanism.release == "final"
        and mechanism.reference in ("retrain", "stationary")
        and mechanism.unlearning_epochs[request] > 0
        and unlearning_epochs(mechanism, request) > 0
        and not hides_position(mechanism, request)
    )


def search_range(mechanism: NoisySGD, delta: float, epsilon: float, request: int = 0) -> Late | None:
    """The best number of last epochs for T24; None where it does not apply, or gives no less than `epsilon` (T11)."""
    nearest = late_range(mechanism) if t24_applies(mechanism, request) else None
    if nearest is None or not epsilon > 0:
        return None
    rate, spread = nearest
    ratio = _ratio(spread, mechanism)
    if not 0 < ratio < math.inf:
        return None
    runs, target = history(mechanism, request), math.log(delta)
    last = runs.phases[-1]
    most = min(last.epochs * last.batches, MAX_STEPS)
    contracting = step_rates(mechanism) == (CONVEX,)  # else μ may be less already without the last steps
    if contracting and math.isfinite(epsilon) and -log_theta(ratio, _log_growth(epsilon) - target) * most < _GAIN:
        return None  # not even all the steps together, at the largest ε̃, take anything off δ
    best = None
    for epochs in _choices(runs, last):
        before = _without_last(runs, epochs)
        product = best_scaled_mu(mechanism, before)
        if product is None:
            continue
        mu, steps = _double(product / mechanism.noise_std), epochs * last.batches
        if not 0 < mu < math.inf:
            continue
        if math.isfinite(epsilon):
            least = epsilon * (1 - _GAIN)
            if diffused_log_delta(mu, ratio, steps, least, target - 1) > target:
                continue
        guess = diffused_epsilon(mu, ratio, steps, delta)
        if guess < epsilon:
            epsilon, best = guess, Late(before, replace(last, epochs=epochs), rate, guess)
    return best


def _log_growth(epsilon: float) -> float:
    """log(e^ε − 1), ε > 0."""
    return epsilon + math.log(-math.expm1(-epsilon))


def _ratio(spread: Fraction, mechanism: NoisySGD) -> float:
    """D/τ."""
    return _double(spread) / math.sqrt(_double(2 * mechanism.step_size)) / _double(mechanism.noise_std)


def _double(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _choices(runs: History, last: Phase) -> Iterator[int]:
    """Powers of two, and as many epochs as there are: all of the phase's where another comes before it."""
    most = last.epochs if len(runs.phases) > 1 else last.epochs - 1
    most = min(most, MAX_STEPS // last.batches)
    epochs = 1
    while epochs < most:
        yield epochs
        epochs *= 2
    if most > 0:
        yield most


def _without_last(runs: History, epochs: int) -> History:
    """The two runs without that many of their last epochs."""
    *others, last = runs.phases
    kept = replace(last, epochs=last.epochs - epochs)
    return replace(runs, phases=(*others, kept) if kept.epochs else tuple(others))
