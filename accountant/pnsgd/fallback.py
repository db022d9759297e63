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
from accountant.pnsgd.estimates.doubles import DRIFTS, scaled_mu, step_factor

_WHY = {
    "T22": "a step expands distances by 1 + ηL at most (T22)",
    "T23": "gradients of norm at most M, whatever the data, drive two runs that have parted further apart by 2ηM a "
    "step at most (T23)",
    "T23b": "gradients of batches, clipped to norm M as a whole, drive two runs apart by 2ηM a step at most (T23b)",
}


@dataclass(frozen=True)
class Choice:
    """rates: the theorem (C1, T22, T23 or T23b) for each phase's steps. because: one sentence on why it is not C1
    throughout; None where it is."""

    rates: tuple[str, ...]
    because: str | None

    @property
    def theorems(self) -> tuple[str, ...]:
        """The fall-backs among them."""
        return tuple(sorted({rate for rate in self.rates if rate != "C1"}))


def choose_rates(mechanism: NoisySGD, runs: History) -> Choice:
    """The rates with the least μ (about) for these two runs.

    Raises:
        InvalidMechanism: the loss is not convex, and no other theorem covers the run; says what would.
    """
    if step_theorems(mechanism) == ("C1",):
        return Choice(("C1",) * len(runs.phases), None)
    return _choose(*_without_noise(mechanism, runs))


def best_scaled_mu(mechanism: NoisySGD, runs: History) -> Fraction | None:
    """About μ·σ by these rates; None where no theorem gives one. Raises as `choose_rates` does."""
    if step_theorems(mechanism) == ("C1",):
        return scaled_mu(mechanism, runs, ("C1",) * len(runs.phases))
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
        allowed = [("C1",) * len(runs.phases)]  # T10 says what is wrong with them
    best = allowed[0]
    if len(allowed) > 1:
        mus = [_mu(mechanism, runs, rates) for rates in allowed]
        best = allowed[min(((mu, i) for i, mu in enumerate(mus) if mu is not None), default=(None, 0))[1]]
    return Choice(best, _because(mechanism, best))


def step_theorems(mechanism: NoisySGD) -> tuple[str, ...]:
    """The theorems that bound a step of this size for this loss, wherever it stands; the first is the usual one."""
    constants, step = mechanism.loss.constants(), mechanism.step_size
    clipped = ("T23b" if mechanism.whole_batch else "T23",) if step * constants.strong_convexity <= 1 else ()
    if constants.convex:
        return ("C1", *clipped) if step_factor(mechanism, "C1") > 1 else ("C1",)
    return (*(() if constants.smoothness is None else ("T22",)), *clipped)


def _allowed(mechanism: NoisySGD, runs: History) -> list[tuple[str, ...]]:
    """The combinations over learning and all of unlearning that T10 takes."""
    kinds = step_theorems(mechanism)
    learning, unlearning = runs.learning_phases, len(runs.phases) - runs.learning_phases
    if kinds == ("C1",) or not (learning and unlearning):
        pairs = [(kind, kind) for kind in kinds]
    else:
        pairs = list(product(kinds, repeat=2))
    choices = [(first,) * learning + (second,) * unlearning for first, second in pairs]
    return [rates for rates in choices if _fits(mechanism, runs, rates)]


def _fits(mechanism: NoisySGD, runs: History, rates: tuple[str, ...]) -> bool:
    """Whether T10 accepts them: expanding steps need a ball, one differing record and equal starts."""
    expanding = {rate for rate in set(rates) if step_factor(mechanism, rate) > 1}
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


def _because(mechanism: NoisySGD, rates: tuple[str, ...]) -> str | None:
    used = sorted(set(rates) - {"C1"})
    if not used:
        return None
    constants = mechanism.loss.constants()
    if constants.convex:
        failed = f"the step size {canonical(mechanism.step_size)} exceeds 2/L, so that a step may expand"
    elif constants.smoothness is None:
        failed = "the loss need be neither convex nor smooth"
    else:
        failed = "the loss need not be convex"
    return f"{failed}; {', and '.join(_WHY[rate] for rate in used)}"


def late_range(mechanism: NoisySGD) -> tuple[str, Fraction] | None:
    """The theorem by which two points of the ball have the closest images before the noise, and how close (T24's D);
    None without a ball."""
    if mechanism.diameter is None:
        return None
    kinds = step_theorems(mechanism)
    if not {"T23", "T23b"} & set(kinds) and mechanism.step_size * mechanism.loss.constants().strong_convexity <= 1:
        kinds = (*kinds, "T23")  # of a convex loss
    apart = 2 * mechanism.step_size * mechanism.loss.constants().gradient_bound
    drifts = {kind: apart if kind in DRIFTS else Fraction(0) for kind in kinds}
    ranges = [(step_factor(mechanism, kind) * mechanism.diameter + drifts[kind], kind) for kind in kinds]
    return min(ranges)[::-1] if ranges else None
