"""Searches for lower bounds, and for the batches to look at under a secret order. Untrusted floats; the theorems
check."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import scipy

from accountant import theorems
from accountant.core.arithmetic import Float
from accountant.core.arithmetic.floats import gaussian_epsilon, gaussian_mu, log_gaussian_delta, mixture_epsilon
from accountant.core.exact import Rounding, round_decimal
from accountant.core.kernel import Derivation, TheoremError, apply, conclude, numbers
from accountant.mechanisms.pnsgd import NoisySGD
from accountant.mechanisms.timeline import History, history, unlearning_epochs
from accountant.theorems.secret import weights_of
from accountant.theorems.shifts import position_mu
from accountant.theorems.timelines import Timeline
from accountant.theorems.transport import gradient_shift
from accountant.theorems.witnesses import two_slopes

MAX_EXACT = 2_048  # up to this many batches, all are evaluated
MAX_POSITIONS = 4_096
_SPACING = 1 / 2_000  # of log μ between two batches that are looked at
_NEGLIGIBLE = -60.0  # of log δ_μ(ε) − log δ
_STEPS_BACK = (1e-12, 1e-10, 1e-8, 1e-6, 1e-4)  # of ε, until the theorem agrees


def choose_positions(timeline: Timeline, delta: float) -> tuple[tuple[int, ...], str]:
    """The batches to look at, and the rule of T9: all of them where they are few, else closer together where μ_j
    grows fast."""
    learning = timeline.blocks[0]
    batches = learning.batches
    if batches <= MAX_EXACT:
        return tuple(range(batches)), "chord"
    erased = timeline.blocks[1].epochs if len(timeline.blocks) == 2 else 0
    A = Float()
    c, shift, variance = (float(x) for x in (learning.contraction, learning.shifts[0][1], learning.variance))

    def mu(position: int) -> float:
        return float(position_mu(A, c, shift, variance, batches, position, learning.epochs, erased))

    with np.errstate(all="ignore"):
        looked_at, current, spacing = [batches - 1], batches - 1, _SPACING
        worst = mu(current)
        epsilon = float(gaussian_epsilon(worst, delta))
        while current > 0 and len(looked_at) < MAX_POSITIONS:
            here = mu(current)
            if here == 0 or log_gaussian_delta(here, max(epsilon, 1e-300)) - math.log(delta) < _NEGLIGIBLE:
                break
            current = min(current - 1, _where_mu_falls_to(mu, here * math.exp(-spacing), current))
            looked_at.append(max(current, 0))
            if len(looked_at) > MAX_POSITIONS // 2:
                spacing *= 1.01
        looked_at.append(0)
        positions = tuple(sorted(set(looked_at)))
        weights = np.array([float(weight) for weight in weights_of(positions, "chord")]) / batches
        epsilon = mixture_epsilon(np.array([mu(position) for position in positions]), weights, delta)
    convex = erased >= 1 and worst**2 < 2 * epsilon * (1 - 1e-9)
    return positions, "chord" if convex else "right"


def _where_mu_falls_to(mu: Callable[[int], float], value: float, before: int) -> int:
    """The last batch before that one whose μ is at most `value` (0 if there is none)."""
    low, step = before, 1
    while low > 0 and mu(low) > value:
        low, step = max(0, low - step), 2 * step
    high = before
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if mu(middle) <= value else (low, middle)
    return low


def witness_arguments(mechanism: NoisySGD, runs: History) -> dict[str, Any]:
    """The arguments that T6, T6c and T6m have in common."""
    constants = mechanism.loss.constants()
    return {
        "start": runs.start,
        "strong_convexity": constants.strong_convexity,
        "gradient_bound": constants.gradient_bound,
        "neighbours": mechanism.neighbours,
        "phases": runs.phases,
    }


def _confirmed(attempt: Callable[[Fraction], Derivation], epsilon: float) -> Derivation | None:
    """The derivation at the largest ε, a little below the one found in floats, that its theorem accepts."""
    for back in _STEPS_BACK:
        try:
            witness = attempt(_short(epsilon * (1 - back)))
        except TheoremError:
            continue
        if witness.decided:
            return witness
    return None


def _short(value: float) -> Fraction:
    """The double as a decimal of fifteen digits, which reads better in a certificate."""
    return round_decimal(Fraction(float(value)), 15, Rounding.DOWN)


def search_secret_witness(mechanism: NoisySGD, loss: tuple[Derivation, ...], delta: Fraction) -> Derivation | None:
    """T6m with the best threshold; None with a projection, or where it proves nothing."""
    runs = history(mechanism)
    constants = mechanism.loss.constants()
    slope = 1 - mechanism.step_size * constants.strong_convexity
    if mechanism.radius is not None or slope < 0 or mechanism.samples % mechanism.batch_size:
        return None  # of a remainder that is dropped, the differing record may be a part
    batches = mechanism.batches
    positions = np.arange(batches) if batches <= MAX_EXACT else _left_positions(batches, float(slope))
    weights = np.diff(np.append(positions, batches)) / batches
    straight = apply(theorems.straight_witness, *loss, **witness_arguments(mechanism, runs))
    # d_j/√V for every batch, in units of the deviation: μ of the straight witness, earlier batches contracted more.
    ratios = float(straight.preview.mu) * np.float_power(float(slope), batches - 1 - positions)

    def excess(epsilon: float, threshold: float) -> float:
        hit = np.sum(weights * scipy.special.ndtr(ratios / 2 - threshold))
        missed = np.sum(weights * np.exp(np.minimum(epsilon + scipy.special.log_ndtr(-ratios / 2 - threshold), 700)))
        return float(hit - missed)

    def best(epsilon: float) -> tuple[float, float]:
        # The likelihood ratio grows with x, so that the best test is a threshold; it lies above that of the worst
        # batch.
        start = epsilon / ratios.max()
        grid = np.linspace(0, 3 * start + 10, 200)
        t = max(grid, key=lambda t: excess(epsilon, t))
        width = grid[1] - grid[0]
        ends = t - width, t + width
        minimum = scipy.optimize.minimize_scalar(lambda t: -excess(epsilon, t), bounds=ends, method="bounded")
        return float(minimum.x), -float(minimum.fun)

    if ratios.max() <= 0 or best(1e-12)[1] <= float(delta):
        return None
    high = float(gaussian_epsilon(ratios.max(), float(delta)))
    top = high * (1 + 1e-9)
    epsilon = scipy.optimize.brentq(lambda e: best(e)[1] - float(delta), 1e-12, top, xtol=1e-15, rtol=1e-12)
    # One threshold, in parameter units, serves all the slightly smaller ε that are tried.
    deviation = _deviation(mechanism, runs)
    threshold = _short(best(epsilon)[0] * deviation)
    return _confirmed(
        lambda tried: apply(
            theorems.secret_witness,
            *loss,
            **witness_arguments(mechanism, runs),
            delta=delta,
            epsilon=tried,
            threshold=threshold,
            positions=tuple(int(p) for p in positions),
        ),
        epsilon,
    )


def _left_positions(batches: int, slope: float) -> np.ndarray:
    """Closer together at the end, where the distance still counts."""
    if slope >= 1:
        return np.array([0, batches - 1])
    spread = min(batches - 1, int(40 / -math.log(slope)) + 1) if slope > 0 else 1
    near = np.unique(np.linspace(batches - 1 - spread, batches - 1, MAX_EXACT).astype(int))
    return np.unique(np.append(near, 0))


def _deviation(mechanism: NoisySGD, runs: History) -> float:
    """√V of the straight witness."""
    A, slope = Float(), float(1 - mechanism.step_size * mechanism.loss.constants().strong_convexity)
    steps = sum(phase.epochs * phase.batches for phase in runs.phases)
    variance = float(2 * mechanism.step_size * mechanism.noise_std**2)
    return float(np.sqrt(variance * A.geometric(slope * slope, steps)))


def search_curved_witness(
    mechanism: NoisySGD, loss: tuple[Derivation, ...], delta: Fraction, request: int
) -> Derivation | None:
    """T6c with the best curvatures; None where it does not apply (unlearning, a radius, records in several batches)
    or proves nothing."""
    runs, constants = history(mechanism, request), mechanism.loss.constants()
    if mechanism.radius is not None or unlearning_epochs(mechanism, request) or runs.start or len(runs.phases) != 1:
        return None
    if not constants.convex:
        return None
    (phase,) = runs.phases
    room = float(constants.smoothness - constants.strong_convexity) * (1 - 1e-12)  # a tie would be open in balls
    if len(phase.records) != 1 or room <= 0 or not constants.gradient_bound:
        return None
    known = numbers(Float(), witness_arguments(mechanism, runs)["phases"][0])
    ((position, count),) = phase.records
    step, m = float(phase.step_size), float(constants.strong_convexity)
    share = (phase.batch_size - count) / phase.batch_size
    one = conclude(
        gradient_shift,
        Float(),
        step_size=phase.step_size,
        batch_size=phase.batch_size,
        gradient_bound=constants.gradient_bound,
        neighbours=mechanism.neighbours,
    )
    shift = count * one.distance
    variance = 2 * step * known.noise_std**2

    def ratio(own: float, others: float) -> float:
        slopes = 1 - step * (m + own * share), 1 - step * (m + others)
        if min(slopes) < 0 or max(slopes) >= 1:
            return 0.0
        flow = two_slopes(Float(), phase.batches, position, phase.epochs, *slopes, shift, variance)
        return float(flow.shift / np.sqrt(flow.variance))

    with np.errstate(all="ignore"):
        grid = np.linspace(0, max(0.0, min(room, (1 / step - m) * (1 - 1e-9))), 24)
        start = max(((own, others) for own in grid for others in grid), key=lambda h: ratio(*h))
        minimum = scipy.optimize.minimize(
            lambda h: -ratio(*h),
            start,
            bounds=[(0, grid[-1])] * 2,
            method="Nelder-Mead",
            options={"xatol": 1e-12, "fatol": 1e-15},
        )
    own, others = (_short(h) for h in minimum.x)
    mu = ratio(*minimum.x)
    if mu <= 0:
        return None
    epsilon = float(gaussian_epsilon(mu, float(delta)))
    if epsilon <= 0:
        return None

    def attempt(tried: Fraction) -> Derivation:
        return apply(
            theorems.curved_witness,
            *loss,
            **witness_arguments(mechanism, runs),
            smoothness=constants.smoothness,
            delta=delta,
            epsilon=tried,
            mu=_short(gaussian_mu(float(tried), float(delta)) * (1 - 1e-9)),
            own=own,
            others=others,
        )

    return _confirmed(attempt, epsilon)
