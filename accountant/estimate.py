"""ε in doubles, for search and sweeps: the same string, the same formulas, nothing certified. A millisecond a run."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from accountant.arithmetic import ConditionViolated, Exact, Float
from accountant.arithmetic.floats import gaussian_epsilon, mixture_epsilon
from accountant.flow import Flows, Mark
from accountant.mechanisms import NoisySGD
from accountant.quantities import Block, Timeline
from accountant.restart import best_restart
from accountant.string import TooLong, corners
from accountant.theorems.secret import weights_of
from accountant.theorems.shifts import energy, position_mu
from accountant.theorems.transport import distance_at, gradient_shift
from accountant.timeline import History, Phase, hides_position, history, stretches, unlearning_epochs
from accountant.witness import choose_positions

_A = Float()


def float_timeline(mechanism: NoisySGD, runs: History, unit: Fraction) -> Timeline:
    """T10 in doubles, distances in that unit, and the noise that of σ = 1: μ is scale-free, so doubles do not
    overflow."""
    constants = mechanism.loss.constants()
    blocks = []
    for phase in runs.phases:
        # Differences are taken exactly, so that η = 2/L is a contraction in doubles as well.
        slopes = (1 - phase.step_size * curvature for curvature in (constants.strong_convexity, constants.smoothness))
        shift = float(_shift(mechanism, phase) / unit)
        blocks.append(
            Block(
                phase.epochs,
                phase.batches,
                float(max(abs(slope) for slope in slopes)),
                float(2 * phase.step_size),
                tuple((position, count * shift) for position, count in phase.records),
                expanding=phase.step_size * constants.smoothness > 2,
            )
        )
    diameter = None if mechanism.diameter is None else float(mechanism.diameter / unit)
    return Timeline(float(runs.start / unit), diameter, tuple(blocks), equal_starts=runs.start == 0, uniform=True)


def _shift(mechanism: NoisySGD, phase: Phase) -> Fraction:
    """C2: what one record shifts a step by."""
    bound = mechanism.loss.constants().gradient_bound
    known = {"step_size": phase.step_size, "batch_size": phase.batch_size, "gradient_bound": bound}
    return gradient_shift.body(Exact(), **known, neighbours=mechanism.neighbours).distance


def _unit(mechanism: NoisySGD, runs: History) -> Fraction:
    """A distance of the run's own size."""
    shifts = [_shift(mechanism, phase) for phase in runs.phases if phase.records]
    return max([runs.start, *shifts]) or Fraction(1)


def _string_mu(timeline: Timeline) -> float:
    try:
        with np.errstate(all="ignore"):
            restart, flows = best_restart(timeline), Flows(_A, timeline)
            start = Mark(0) if restart is None else restart
            distance = timeline.start if restart is None else distance_at(_A, flows, restart)
            bends = corners(_A, timeline, start, distance)
            return float(np.sqrt(energy(_A, flows, bends, start, distance)))
    except (ConditionViolated, TooLong, OverflowError):
        return math.inf


def noise_times_mu(mechanism: NoisySGD, request: int = 0) -> Fraction | None:
    """About μ·σ of one request (0-based) in the worst batch: μ is inversely proportional to σ. None where no theorem
    gives one."""
    if mechanism.release == "all" and unlearning_epochs(mechanism, request):
        parts = [_scaled_mu(mechanism, stretch) for stretch in stretches(mechanism, request)]
        if None in parts:
            return None
        largest = max(parts, default=Fraction(0))
        return largest * Fraction(math.hypot(*(float(part / largest) for part in parts))) if largest else Fraction(0)
    return _scaled_mu(mechanism, history(mechanism, request))


def _scaled_mu(mechanism: NoisySGD, runs: History) -> Fraction | None:
    unit = _unit(mechanism, runs)
    mu = _string_mu(float_timeline(mechanism, runs, unit))
    return Fraction(mu) * unit if math.isfinite(mu) else None


def estimate_mu(mechanism: NoisySGD, request: int = 0) -> float:
    """About the μ that `derive` bounds, for one request (0-based), in the worst batch; inf where no theorem gives
    one."""
    product = noise_times_mu(mechanism, request)
    try:
        return math.inf if product is None else float(product / mechanism.noise_std)
    except OverflowError:
        return math.inf


def estimate(mechanism: NoisySGD, delta: float, request: int = 0) -> float:
    """About the ε that `derive_upper` bounds, for one request (0-based)."""
    if not hides_position(mechanism, request):
        return float(gaussian_epsilon(estimate_mu(mechanism, request), delta))
    runs = history(mechanism, request)
    unit = _unit(mechanism, runs)
    timeline = float_timeline(mechanism, runs, unit)
    scale = float(unit / mechanism.noise_std)
    timeline = replace(timeline, blocks=tuple(_with_noise(block, 1 / scale) for block in timeline.blocks))
    positions, rule = choose_positions(timeline, delta)
    learning = timeline.blocks[0]
    erased = timeline.blocks[1].epochs if len(timeline.blocks) == 2 else 0
    known = (learning.contraction, learning.shifts[0][1], learning.variance, learning.batches)
    with np.errstate(all="ignore"):
        mus = np.array([float(position_mu(_A, *known, p, learning.epochs, erased)) for p in positions])
    weights = np.array([float(weight) for weight in weights_of(positions, rule)]) / learning.batches
    return mixture_epsilon(mus, weights, delta)


def _with_noise(block: Block, noise: float) -> Block:
    return replace(block, variance=block.variance * noise * noise)
