"""μ in doubles: T10 and the taut string with distances in a unit of their own. For search; nothing certified."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from accountant.arithmetic import ConditionViolated, Exact, Float
from accountant.exact import as_double
from accountant.flow import Flows, Mark
from accountant.kernel import conclude
from accountant.mechanisms import NoisySGD
from accountant.quantities import Block, Timeline
from accountant.restart import best_restart
from accountant.string import TooLong, corners
from accountant.theorems.shifts import energy
from accountant.theorems.transport import distance_at, gradient_shift
from accountant.timeline import History, Phase

_A = Float()


def float_timeline(mechanism: NoisySGD, runs: History, unit: Fraction, rates: tuple[str, ...]) -> Timeline:
    """T10 in doubles by the named theorem (C1, T22 or T23) of each phase: distances in that unit, and the noise that
    of σ = 1, for μ is scale-free and doubles do not overflow."""
    blocks = tuple(_block(mechanism, phase, rate, unit) for phase, rate in zip(runs.phases, rates, strict=True))
    diameter = None if mechanism.diameter is None else as_double(mechanism.diameter / unit)
    return Timeline(as_double(runs.start / unit), diameter, blocks, equal_starts=runs.start == 0, uniform=True)


def _block(mechanism: NoisySGD, phase: Phase, rate: str, unit: Fraction) -> Block:
    factor, variance = step_factor(mechanism, rate), as_double(2 * phase.step_size)
    if rate == "T23":
        shifts = ((0, as_double(step_shift(mechanism, phase, rate) / unit)),)
        return Block(phase.epochs * phase.batches, 1, as_double(factor), variance, shifts)
    shift = as_double(step_shift(mechanism, phase, rate) / unit)
    shifts = tuple((position, count * shift) for position, count in phase.records)
    return Block(phase.epochs, phase.batches, as_double(factor), variance, shifts, expanding=factor > 1)


def step_factor(mechanism: NoisySGD, rate: str) -> Fraction:
    """c of a step by the named theorem, exactly: so that η = 2/L is a contraction in doubles as well."""
    constants, step = mechanism.loss.constants(), mechanism.step_size
    if rate == "T22":
        return 1 + step * constants.smoothness
    if rate == "T23":
        return 1 - step * constants.strong_convexity
    return max(abs(1 - step * constants.strong_convexity), abs(1 - step * constants.smoothness))


def step_shift(mechanism: NoisySGD, phase: Phase, rate: str) -> Fraction:
    """What one record shifts a step by (C2), or what the data can (T23)."""
    bound = mechanism.loss.constants().gradient_bound
    if rate == "T23":
        return 2 * phase.step_size * bound
    known = {"step_size": phase.step_size, "batch_size": phase.batch_size, "gradient_bound": bound}
    return conclude(gradient_shift, Exact(), **known, neighbours=mechanism.neighbours).distance


def unit_of(mechanism: NoisySGD, runs: History, rates: tuple[str, ...]) -> Fraction:
    """A distance of the run's own size."""
    pairs = zip(runs.phases, rates, strict=True)
    shifts = [step_shift(mechanism, phase, rate) for phase, rate in pairs if phase.records or rate == "T23"]
    return max([runs.start, *shifts]) or Fraction(1)


def string_mu(timeline: Timeline) -> float:
    """About μ of the taut string, from the start or from a later moment in a ball; inf where no theorem gives one."""
    try:
        with np.errstate(all="ignore"):
            restart, flows = best_restart(timeline), Flows(_A, timeline)
            start = Mark(0) if restart is None else restart
            distance = timeline.start if restart is None else distance_at(_A, flows, restart)
            bends = corners(_A, timeline, start, distance)
            mu = float(np.sqrt(energy(_A, flows, bends, start, distance)))
            return math.inf if math.isnan(mu) else mu
    except (ConditionViolated, TooLong, OverflowError):
        return math.inf


def scaled_mu(mechanism: NoisySGD, runs: History, rates: tuple[str, ...]) -> Fraction | None:
    """About μ·σ, which no longer depends on σ; None where no theorem gives one."""
    unit = unit_of(mechanism, runs, rates)
    mu = string_mu(float_timeline(mechanism, runs, unit, rates))
    return Fraction(mu) * unit if math.isfinite(mu) else None
