"""μ in doubles: T10 and the taut string, or the best excursions, with distances in a unit of their own. For search;
nothing certified."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction

import numpy as np

from accountant.core.arithmetic import ConditionViolated, Exact, Float
from accountant.core.exact import as_double
from accountant.core.kernel import conclude
from accountant.mechanisms.pnsgd import NoisySGD
from accountant.mechanisms.timeline import History, Phase
from accountant.pnsgd.rates import StepRate
from accountant.pnsgd.search.excursions import best_path
from accountant.pnsgd.search.restart import best_restart
from accountant.pnsgd.search.string import TooLong, corners
from accountant.theorems.flow import Flows, Mark
from accountant.theorems.gauges import composed
from accountant.theorems.shifts import energy
from accountant.theorems.timelines import Block, Timeline
from accountant.theorems.transport import distance_at, gradient_shift

_A = Float()


def float_timeline(mechanism: NoisySGD, runs: History, unit: Fraction, rates: tuple[StepRate, ...]) -> Timeline:
    """T10 in doubles by the rate of each phase: distances in that unit, and the noise
    that of σ = 1, for μ is scale-free and doubles do not overflow."""
    blocks = tuple(_block(mechanism, phase, rate, unit) for phase, rate in zip(runs.phases, rates, strict=True))
    diameter = None if mechanism.diameter is None else as_double(mechanism.diameter / unit)
    single = all(sum(count for _, count in phase.records) <= 1 for phase in runs.phases)
    return Timeline(
        as_double(runs.start / unit),
        diameter,
        blocks,
        equal_starts=runs.start == 0,
        uniform=True,
        open=not single and mechanism.batches > 1,
        alike=True,
    )


def _block(mechanism: NoisySGD, phase: Phase, rate: StepRate, unit: Fraction) -> Block:
    factor, variance = rate.factor(mechanism), as_double(2 * phase.step_size)
    shift = as_double(step_shift(mechanism, phase, rate) / unit)
    drift = as_double(step_drift(mechanism, phase) / unit) if rate.drifts else None
    shifts = tuple((position, shift if rate.whole_batch else count * shift) for position, count in phase.records)
    return Block(phase.epochs, phase.batches, as_double(factor), variance, shifts, expanding=factor > 1, drift=drift)


def step_drift(mechanism: NoisySGD, phase: Phase) -> Fraction:
    """What the data can do to a step of two runs that have parted (T23, T23b)."""
    return 2 * phase.step_size * mechanism.loss.constants().gradient_bound


def step_shift(mechanism: NoisySGD, phase: Phase, rate: StepRate) -> Fraction:
    """What one record shifts a step by where the runs are together (C2), or a batch that is clipped as a whole."""
    if rate.whole_batch:
        return step_drift(mechanism, phase)
    bound = mechanism.loss.constants().gradient_bound
    known = {"step_size": phase.step_size, "batch_size": phase.batch_size, "gradient_bound": bound}
    return conclude(gradient_shift, Exact(), **known, neighbours=mechanism.neighbours).distance


def unit_of(mechanism: NoisySGD, runs: History, rates: tuple[StepRate, ...]) -> Fraction:
    """A distance of the run's own size."""
    pairs = list(zip(runs.phases, rates, strict=True))
    shifts = [step_shift(mechanism, phase, rate) for phase, rate in pairs if phase.records]
    drifts = [step_drift(mechanism, phase) for phase, rate in pairs if rate.drifts]
    return max([runs.start, *shifts, *drifts]) or Fraction(1)


def in_units(timeline: Timeline) -> Timeline:
    """The same timeline in doubles: distances in the largest of its own, variances in the first."""
    shifts = [shift for block in timeline.blocks for _, shift in block.shifts]
    drifts = [block.drift for block in timeline.blocks if block.drift is not None]
    unit = max([timeline.start, *shifts, *drifts]) or Fraction(1)
    variance = max([block.variance for block in timeline.blocks]) or Fraction(1)
    blocks = tuple(
        replace(
            block,
            contraction=as_double(block.contraction),
            variance=as_double(block.variance / variance),
            shifts=tuple((position, as_double(shift / unit)) for position, shift in block.shifts),
            drift=None if block.drift is None else as_double(block.drift / unit),
        )
        for block in timeline.blocks
    )
    diameter = None if timeline.diameter is None else as_double(timeline.diameter / unit)
    return replace(timeline, start=as_double(timeline.start / unit), diameter=diameter, blocks=blocks, exact=None)


def string_mu(timeline: Timeline) -> float:
    """About μ of the taut string, from the start or from a later moment in a ball, or of the best excursions; inf where
    no theorem gives one."""
    if timeline.drifting:
        return math.sqrt(best_path(timeline).energy)
    together = math.inf
    if timeline.equal_starts and any(block.expanding for block in timeline.blocks):
        with np.errstate(all="ignore"), suppress(ConditionViolated):
            together = float(np.sqrt(composed(_A, timeline, Mark(0), Mark(len(timeline.blocks)))))
    try:
        with np.errstate(all="ignore"):
            restart, flows = best_restart(timeline), Flows(_A, timeline)
            start = Mark(0) if restart is None else restart
            distance = timeline.start if restart is None else distance_at(_A, flows, restart)
            bends = corners(_A, timeline, start, distance)
            mu = float(np.sqrt(energy(_A, flows, bends, start, distance)))
            return together if math.isnan(mu) else min(mu, together)
    except (ConditionViolated, TooLong, OverflowError):
        return together


def scaled_mu(mechanism: NoisySGD, runs: History, rates: tuple[StepRate, ...]) -> Fraction | None:
    """About μ·σ, which no longer depends on σ; None where no theorem gives one."""
    unit = unit_of(mechanism, runs, rates)
    mu = string_mu(float_timeline(mechanism, runs, unit, rates))
    return Fraction(mu) * unit if math.isfinite(mu) else None
