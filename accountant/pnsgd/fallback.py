"""Which facts about its steps a run may use, and why: the explicit check of convexity and smoothness.

C1 needs a convex, smooth loss; where that fails T22 needs smoothness (and a ball, for its steps expand), T23 no more
than a bound on the gradients and weight decay. Each phase may take its own; the least μ, estimated in doubles, wins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import product

from accountant.core.exact import canonical
from accountant.mechanisms.pnsgd import InvalidMechanism, NoisySGD
from accountant.mechanisms.timeline import History
from accountant.pnsgd.estimates.doubles import scaled_mu
from accountant.pnsgd.rates import BOUNDED_BATCHES, BOUNDED_RECORDS, CONVEX, SMOOTH, StepRate


@dataclass(frozen=True)
class Choice:
    """rates: the one for each phase's steps. because: one sentence on why it is not C1 throughout; None where it is."""

    rates: tuple[StepRate, ...]
    because: str | None

    @property
    def theorems(self) -> tuple[str, ...]:
        """The fall-backs among them."""
        return tuple(rate.id for rate in _fallbacks(self.rates))


def _fallbacks(rates: tuple[StepRate, ...]) -> list[StepRate]:
    return sorted(set(rates) - {CONVEX}, key=lambda rate: rate.id)


def choose_rates(mechanism: NoisySGD, runs: History) -> Choice:
    """The rates with the least μ (about) for these two runs.

    Raises:
        InvalidMechanism: the loss is not convex, and no other theorem covers the run; says what would.
    """
    if step_rates(mechanism) == (CONVEX,):
        return Choice((CONVEX,) * len(runs.phases), None)
    return _choose(*_without_noise(mechanism, runs))


def best_scaled_mu(mechanism: NoisySGD, runs: History) -> Fraction | None:
    """About μ·σ by these rates; None where no theorem gives one. Raises as `choose_rates` does."""
    if step_rates(mechanism) == (CONVEX,):
        return scaled_mu(mechanism, runs, (CONVEX,) * len(runs.phases))
    plain = _without_noise(mechanism, runs)
    return _mu(*plain, _choose(*plain).rates)


def _without_noise(mechanism: NoisySGD, runs: History) -> tuple[NoisySGD, History]:
    """The same runs at σ = 1: the choice does not depend on σ, and is remembered for every σ."""
    phases = tuple(replace(phase, noise_std=Fraction(1)) for phase in runs.phases)
    return replace(mechanism, noise_std=Fraction(1)), replace(runs, phases=phases)


_mu = lru_cache(maxsize=4096)(scaled_mu)


@lru_cache(maxsize=4096)
def _choose(mechanism: NoisySGD, runs: History) -> Choice:
    allowed = _allowed(mechanism, runs)
    if not allowed:
        if not mechanism.loss.constants().convex:
            _refuse(mechanism, runs)
        allowed = [(CONVEX,) * len(runs.phases)]  # T10 says what is wrong with them
    best = allowed[0]
    if len(allowed) > 1:
        mus = [_mu(mechanism, runs, rates) for rates in allowed]
        best = allowed[min(((mu, i) for i, mu in enumerate(mus) if mu is not None), default=(None, 0))[1]]
    return Choice(best, _because(mechanism, best))


def step_rates(mechanism: NoisySGD) -> tuple[StepRate, ...]:
    """What bounds a step of this size for this loss, wherever it stands; the first is the usual one."""
    constants, step = mechanism.loss.constants(), mechanism.step_size
    clipped: tuple[StepRate, ...] = ()
    if step * constants.strong_convexity <= 1:
        clipped = (BOUNDED_BATCHES if mechanism.whole_batch else BOUNDED_RECORDS,)
    if constants.convex:
        return (CONVEX, *clipped) if CONVEX.factor(mechanism) > 1 else (CONVEX,)
    return (*(() if constants.smoothness is None else (SMOOTH,)), *clipped)


def _allowed(mechanism: NoisySGD, runs: History) -> list[tuple[StepRate, ...]]:
    """The combinations over learning and all of unlearning that T10 takes."""
    kinds = step_rates(mechanism)
    learning, unlearning = runs.learning_phases, len(runs.phases) - runs.learning_phases
    pairs: list[tuple[StepRate, ...]]
    if kinds == (CONVEX,) or not (learning and unlearning):
        pairs = [(kind, kind) for kind in kinds]
    else:
        pairs = list(product(kinds, repeat=2))
    choices = [(first,) * learning + (second,) * unlearning for first, second in pairs]
    return [rates for rates in choices if _fits(mechanism, runs, rates)]


def _fits(mechanism: NoisySGD, runs: History, rates: tuple[StepRate, ...]) -> bool:
    """Whether T10 accepts them: expanding steps need a ball, one differing record and equal starts."""
    expanding = {rate for rate in set(rates) if rate.factor(mechanism) > 1}
    if not expanding:
        return True
    single = all(sum(count for _, count in phase.records) <= 1 for phase in runs.phases)
    return mechanism.radius is not None and single and not runs.start


def _refuse(mechanism: NoisySGD, runs: History) -> None:
    constants, step = mechanism.loss.constants(), mechanism.step_size
    m = constants.strong_convexity
    fixes = [f"step_size ≤ 1/m = {canonical(1 / m)} (T23)"]
    if constants.smoothness is None:
        failed = "the loss is neither convex nor smooth"
    elif mechanism.radius is None:
        failed, fixes = "the loss is not convex", [*fixes, "a radius (T22)"]
    else:
        records = sum(count for phase in runs.phases[:1] for _, count in phase.records)
        cause = f"{records} differing records" if records > 1 else "unequal starts"
        failed = f"the loss is not convex, and T22 does not cover {cause}"
    raise InvalidMechanism(
        "step_size", f"{canonical(step)}: {failed}; certifiable with {', or '.join([*fixes, 'a convex loss (C1)'])}"
    )


def _because(mechanism: NoisySGD, rates: tuple[StepRate, ...]) -> str | None:
    used = _fallbacks(rates)
    if not used:
        return None
    constants = mechanism.loss.constants()
    if constants.convex:
        failed = f"the step size {canonical(mechanism.step_size)} exceeds 2/L, so that a step may expand"
    elif constants.smoothness is None:
        failed = "the loss need be neither convex nor smooth"
    else:
        failed = "the loss need not be convex"
    return f"{failed}; {', and '.join(rate.words for rate in used)}"


def late_range(mechanism: NoisySGD) -> tuple[StepRate, Fraction] | None:
    """The rate by which two points of the ball have the closest images before the noise, and how close (T24's D);
    None without a ball."""
    if mechanism.diameter is None:
        return None
    kinds, constants = step_rates(mechanism), mechanism.loss.constants()
    if not any(rate.drifts for rate in kinds) and mechanism.step_size * constants.strong_convexity <= 1:
        kinds = (*kinds, BOUNDED_RECORDS)  # of a convex loss
    drift = 2 * mechanism.step_size * constants.gradient_bound
    reached = [(rate.factor(mechanism) * mechanism.diameter + drift * rate.drifts, rate) for rate in kinds]
    if not reached:
        return None
    spread, rate = min(reached, key=lambda pair: (pair[0], pair[1].id))
    return rate, spread
