"""ε in doubles, for search and sweeps: the same string, the same formulas, nothing certified. A millisecond a run."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from accountant.core.arithmetic import Float
from accountant.core.arithmetic.floats import gaussian_epsilon, mixture_epsilon
from accountant.core.exact import as_double
from accountant.mechanisms.pnsgd import NoisySGD
from accountant.mechanisms.timeline import hides_position, history, stretches, unlearning_epochs
from accountant.pnsgd.estimates.doubles import float_timeline, unit_of
from accountant.pnsgd.fallback import best_scaled_mu
from accountant.pnsgd.rates import CONVEX
from accountant.pnsgd.search.final_epochs import search_range
from accountant.pnsgd.search.witness import choose_positions
from accountant.theorems.secret import weights_of
from accountant.theorems.shifts import position_mu
from accountant.theorems.timelines import Block

_A = Float()


def noise_times_mu(mechanism: NoisySGD, request: int = 0) -> Fraction | None:
    """About μ·σ of one request (0-based) in the worst batch: μ is inversely proportional to σ. None where no theorem
    gives one."""
    if mechanism.release == "all" and unlearning_epochs(mechanism, request):
        known = [best_scaled_mu(mechanism, stretch) for stretch in stretches(mechanism, request)]
        parts = [part for part in known if part is not None]
        if len(parts) < len(known):
            return None
        largest = max(parts, default=Fraction(0))
        return largest * Fraction(math.hypot(*(float(part / largest) for part in parts))) if largest else Fraction(0)
    return best_scaled_mu(mechanism, history(mechanism, request))


def estimate_mu(mechanism: NoisySGD, request: int = 0) -> float:
    """About the μ that `derive` bounds, for one request (0-based), in the worst batch; inf where no theorem gives
    one."""
    product = noise_times_mu(mechanism, request)
    try:
        return math.inf if product is None else as_double(product / mechanism.noise_std)
    except OverflowError:
        return math.inf


def estimate(mechanism: NoisySGD, delta: float, request: int = 0) -> float:
    """About the ε that `derive_upper` bounds, for one request (0-based)."""
    if not hides_position(mechanism, request):
        epsilon = float(gaussian_epsilon(estimate_mu(mechanism, request), delta))
        late = search_range(mechanism, delta, epsilon, request)
        return epsilon if late is None else late.epsilon
    runs = history(mechanism, request)
    rates = (CONVEX,) * len(runs.phases)
    unit = unit_of(mechanism, runs, rates)
    timeline = float_timeline(mechanism, runs, unit, rates)
    scale = as_double(unit / mechanism.noise_std)
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
