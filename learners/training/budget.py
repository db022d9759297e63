"""ε after the steps taken, and what is left of a target: certified upper bounds, computed now and then.

A bound is computed where it is first asked for, at one of at most POINTS step counts, and kept; what is shown for t
steps is the bound after t steps or more. It is that of the mechanism with exact Gaussians: what finite precision adds
is in the certificate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction

from accountant import ScaledSGD, derive_training, enclose
from learners.refused import LearnerRefused

POINTS = 25


@dataclass(frozen=True)
class Spent:
    """epsilon: an upper bound at δ after `steps` steps, which are at least those asked about."""

    epsilon: Fraction
    steps: int


def first_steps(mechanism: ScaledSGD, steps: int) -> ScaledSGD:
    """The mechanism that stops after so many steps, at least one."""
    stages, left = [], steps
    for stage in mechanism.stages:
        if left:
            stages.append(replace(stage, steps=min(stage.steps, left)))
            left -= stages[-1].steps
    return replace(mechanism, stages=tuple(stages))


@dataclass(frozen=True)
class Budget:
    """δ exactly; what was computed is kept in `known`, by steps."""

    mechanism: ScaledSGD
    delta: Fraction
    known: dict[int, Fraction] = field(default_factory=dict, repr=False)

    def exactly(self, steps: int) -> Fraction:
        """An upper bound on ε after exactly `steps` steps; 0 before the first where nothing else was released.

        Raises:
            InvalidMechanism, TheoremError: no bound is known for it.
        """
        if not 0 <= steps <= self.mechanism.steps:
            raise LearnerRefused(f"steps: {steps}; the mechanism has {self.mechanism.steps}")
        if steps == 0 and not self.mechanism.others:
            return Fraction(0)
        if steps not in self.known:
            derived = derive_training(first_steps(self.mechanism, max(steps, 1)), self.delta)
            self.known[steps] = enclose(derived.upper).upper
        return self.known[steps]

    def spent(self, steps: int) -> Spent:
        """After `steps` steps or a few more."""
        return Spent(self.exactly(later := self._later(steps)), later)

    def _later(self, steps: int) -> int:
        """The next step count at which a bound is computed."""
        if steps == 0:
            return 0
        every = math.ceil(Fraction(self.mechanism.steps, POINTS))
        return min(math.ceil(Fraction(steps, every)) * every, self.mechanism.steps)

    def most_steps(self, target: Fraction) -> int:
        """The largest number of steps whose ε is at most `target`, found by bisection: it is public.

        Raises:
            LearnerRefused: one step is too many.
        """
        if self.exactly(self.mechanism.steps) <= target:
            return self.mechanism.steps
        low, high = 0, self.mechanism.steps  # ε(low) ≤ target < ε(high)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.exactly(middle) <= target else (low, middle)
        if low == 0:
            raise LearnerRefused(
                f"target_epsilon: {float(target):.6g} is less than the {float(self.exactly(1)):.6g} of a single step; "
                "take more noise"
            )
        return low
