"""What floating point does to a run, bounded beforehand from public numbers alone (docs/theory.md T28, T28r).

Every step is executed with some Euclidean error; here is a bound e of it, on the bound E of how far the executed run
gets from the exact one with the same noise, E ← cE + e, and on what that adds to μ, 2E/τ. It holds for every order of
summation, for the relative errors that IEEE arithmetic and the libraries' elementary functions have (four units in the
last place are assumed of these), and for inner products of any length: nothing of it is measured. So it may be public,
unlike the largest coordinate that a run has seen.

It is also where the released model is rounded to a public grid: the nearest multiple of Γ in each coordinate, before
any projection. Γ is the largest power of two that is at most τ/256: much coarser than e, so that the low bits of what
was computed do not show, and much finer than the noise, so that it costs no accuracy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from accountant.core.exact import canonical
from accountant.losses import ScaledLoss, SoftmaxLoss
from accountant.mechanisms.pnsgd import NoisySGD
from learners.models.model import UNIT
from learners.models.scaling import Scaled
from learners.noise import COUPLED_WITHIN, LARGEST, NOT_COUPLED

FAILURE = 2.0**-40  # with at most that probability a run's parameters are longer than is foreseen, and it is stopped
ELEMENTARY = 64  # units of rounding in a slope, a softmax or a scaling map, of what it is made of
CELLS = 256  # of the grid in one τ, at least
ABOVE = 1 + 2.0**-30  # makes up for the rounding of these bounds themselves


@dataclass(frozen=True)
class Errors:
    """Bounds for a stretch of steps from a public start, in parameter units.

    norm: of the parameters, but with probability `failure`. step: e of any one step. total: E after the last, None
    where nothing bounds it because the steps have no Lipschitz constant. charge: what total adds to μ, all released
    models counted. grid: Γ; released: whether e is so much smaller than Γ that the model may be rounded to it.
    """

    norm: float
    step: float
    total: float | None
    charge: float | None
    grid: Fraction
    released: bool

    def as_json(self) -> dict[str, str | None]:
        """Numbers by repr, Γ exactly."""
        return {
            "parameter_norm": repr(self.norm),
            "failure": repr(FAILURE),
            "step_error": repr(self.step),
            "accumulated_error": None if self.total is None else repr(self.total),
            "charge": None if self.charge is None else repr(self.charge),
            "grid": canonical(self.grid) if self.released else None,
            "noise_coupled_within": repr(COUPLED_WITHIN),
            "noise_not_coupled": repr(NOT_COUPLED),
        }


def bound_errors(
    mechanism: NoisySGD, dtype: str, *, steps: int, parameters: int, features: int, start: float
) -> Errors:
    """For `steps` steps from a start of norm `start`, of so many parameters, on records of so many features.

    dtype: of the parameters; the least precise one if it changed on the way.
    """
    eta, tau = float(mechanism.step_size), math.sqrt(2 * mechanism.step_size * mechanism.noise_std**2)
    constants, loss = mechanism.loss.constants(), mechanism.loss
    m, bound, unit = float(constants.strong_convexity), float(constants.gradient_bound), UNIT[dtype]
    norm = parameter_norm(mechanism, steps, parameters, start)

    summed = _gamma(mechanism.batch_size + 4, unit) * bound
    if constants.smoothness is None:  # a clipped gradient is whatever the module gives: its own rounding is part of it
        gradient = summed + ELEMENTARY * unit * bound
    else:
        curvature = float(constants.smoothness) - m
        # A target that is subtracted is rounded whatever is left; a map of slope φ′ carries the error on.
        steepest = Scaled.of(loss.scaling).steepest if isinstance(loss, ScaledLoss) else 1.0
        stated = loss.numbers()
        slopes = bound + steepest * float(stated.get("target_bound", 0)) * float(stated["feature_norm"])
        elementary = (ELEMENTARY + (8 * loss.classes if isinstance(loss, SoftmaxLoss) else 0)) * unit * slopes
        gradient = curvature * _gamma(features + 4, unit) * norm + elementary + summed
    descent = bound + m * norm
    noise = tau * math.sqrt(parameters) * (COUPLED_WITHIN + 4 * UNIT["float64"] * LARGEST)
    step = eta * (gradient + 6 * unit * descent) + 4 * unit * (norm + eta * descent) + noise
    if mechanism.radius is not None:
        step += _gamma(parameters + 8, unit) * float(mechanism.radius)
    step *= ABOVE

    rate, total = _rate(mechanism), None
    if rate is not None:
        total = step * _geometric(rate, steps) * ABOVE
        if mechanism.radius is not None:
            total = min(total, 2 * float(mechanism.radius))
    releases = len(mechanism.requests) if mechanism.release == "all" else 1
    charge = None if total is None else 2 * total * math.sqrt(releases) / tau * ABOVE
    grid = Fraction(2) ** math.floor(math.log2(tau / CELLS))
    return Errors(norm, step, total, charge, grid, step < float(grid) / 16)


def parameter_norm(mechanism: NoisySGD, steps: int, parameters: int, start: float) -> float:
    """A bound on the parameters' norm after every step, but with probability FAILURE; the radius if there is one.

    Unrolled, x is a weighted sum of clipped gradients, each at most M, and of noises, which is exactly Gaussian; a
    Gaussian in d dimensions is longer than √d + √(2 log(1/t)) standard deviations with probability at most t.
    """
    if mechanism.radius is not None:
        return max(float(mechanism.radius), start)
    constants, eta = mechanism.loss.constants(), float(mechanism.step_size)
    rate = float(abs(1 - mechanism.step_size * constants.strong_convexity))
    tau = math.sqrt(2 * mechanism.step_size * mechanism.noise_std**2)
    spread = tau * math.sqrt(_geometric(rate**2, steps))
    noise = spread * (math.sqrt(parameters) + math.sqrt(2 * math.log(max(steps, 1) / FAILURE)))
    drift = eta * float(constants.gradient_bound) * _geometric(rate, steps)
    return (start * max(1.0, rate**steps) + drift + noise) * ABOVE


def rounded(moved: Tensor, errors: Errors) -> Tensor:
    """The last step (p,), before its projection, on the grid: exact, for Γ is a power of two."""
    grid = float(errors.grid)
    return torch.round(moved.to("cpu", torch.float64) / grid) * grid


def _rate(mechanism: NoisySGD) -> float | None:
    """A Lipschitz constant of the noiseless step; None where none is known (docs/theory.md C1, T22)."""
    constants, eta = mechanism.loss.constants(), mechanism.step_size
    if constants.smoothness is None:
        return None
    if not constants.convex:
        return float(1 + eta * constants.smoothness)
    return float(max(abs(1 - eta * constants.strong_convexity), abs(1 - eta * constants.smoothness)))


def _geometric(rate: float, steps: int) -> float:
    """1 + rate + … + rate^(steps − 1), from above."""
    if rate == 1 or steps * abs(1 - rate) < 1e-6:
        return steps * ABOVE * max(1.0, 1 + steps * max(rate - 1, 0.0))
    exponent = steps * math.log(rate) if rate > 0 else -math.inf
    if exponent > 700:
        return math.inf
    return math.expm1(exponent) / (rate - 1) * (1 + 1e-6)


def _gamma(count: int, unit: float) -> float:
    """The relative error of a sum of `count` rounded products, in any order (Higham 2002, section 3.1)."""
    return count * unit / (1 - count * unit) if count * unit < 1 else math.inf
