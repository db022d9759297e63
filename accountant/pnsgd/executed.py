"""What an executed run satisfies: T28 of docs/theory.md, for one released model, in enclosures.

Theorems speak of exact numbers. A run is executed in floating point: each step is off by a bounded error e, the noise
is within that of an exact normal but with a small probability, and the last value is released as the nearest multiple
of a public Γ in each coordinate. Then the μ of the exact run becomes μ' = μ + 2cE/τ, and γ and t say what the grid and
whatever has a bound only with high probability cost: δ_executed(ε + 2γ) ≤ e^γ δ_μ'(ε) + (1 + e^(ε+2γ)) t.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from accountant.core.arithmetic import Ball, Indeterminate, Number
from accountant.core.arithmetic.balls import ends, precision
from accountant.core.enclose import MAX_PRECISION, MIN_PRECISION, enclosed
from accountant.core.exact import Rounding, canonical, decimal, round_decimal
from accountant.mechanisms.pnsgd import InvalidMechanism, NoisySGD
from accountant.theorems.executed import ROOM, cell_charge, still_private, tail_charge

CELLS = 256  # of the grid in one τ, at least
MOST = 10**6  # a larger μ' or γ says nothing
DIGITS = 12
_ROUNDS, _NUDGES = 60, 40


@dataclass(frozen=True)
class Execution:
    """What is known of an executed run up to its released model, all of it public.

    steps: N, of the whole history. dimension: d, of the parameters. step_error: e, the Euclidean error of any one step,
    in parameter units; uncoupled: t_g, the probability that one drawn normal is not within e of an exact one; failure:
    the probability that some step is off by more than e. grid: Γ, in parameter units.

    Raises:
        InvalidMechanism: a value out of its range.
    """

    steps: int
    dimension: int
    step_error: Fraction
    grid: Fraction
    uncoupled: Fraction
    failure: Fraction

    def __post_init__(self) -> None:
        for key in ("steps", "dimension"):
            if (count := getattr(self, key)) < 1:
                raise InvalidMechanism(f"executed.{key}", f"{count} must be at least 1")
        for key in ("step_error", "grid"):
            if (size := getattr(self, key)) <= 0:
                raise InvalidMechanism(f"executed.{key}", f"{canonical(size)} must be positive")
        for key in ("uncoupled", "failure"):
            if not 0 <= (chance := getattr(self, key)) < 1:
                raise InvalidMechanism(f"executed.{key}", f"{canonical(chance)} must lie between 0 and 1")
        if not self.step_error * ROOM < self.grid:
            text = f"{canonical(self.step_error)} must be less than 1/{ROOM} of the grid {canonical(self.grid)}"
            raise InvalidMechanism("executed.step_error", text)


@dataclass(frozen=True)
class ExecutedBound:
    """μ', γ and t, rounded up, and an ε that the executed run satisfies at the δ asked for; None where there is none:
    then t alone is more than that δ leaves."""

    mu: str
    gamma: str
    t: str
    epsilon: str | None


def public_grid(mechanism: NoisySGD) -> Fraction:
    """Γ: the largest power of two that is at most τ/256, exactly; parameter units."""
    square = 2 * mechanism.step_size * mechanism.noise_std**2 / CELLS**2
    exponent = (square.numerator.bit_length() - square.denominator.bit_length()) // 2 + 1
    while Fraction(4) ** exponent > square:
        exponent -= 1
    return Fraction(2) ** exponent


def step_rate(mechanism: NoisySGD) -> Fraction | None:
    """A Lipschitz constant c of the noiseless step, exactly (docs/theory.md C1, T22); None where none is known."""
    constants, eta = mechanism.loss.constants(), mechanism.step_size
    if constants.smoothness is None:
        return None
    if not constants.convex:
        return 1 + eta * constants.smoothness
    return max(abs(1 - eta * constants.strong_convexity), abs(1 - eta * constants.smoothness))


def executed_bound(mechanism: NoisySGD, mu: Fraction, delta: Fraction, run: Execution) -> ExecutedBound:
    """T28 for a run whose exact counterpart is μ-GDP, and whose one released model is on the grid.

    mu: of the exact run; delta: at which an ε is stated.

    Raises:
        InvalidMechanism: no Lipschitz constant of the steps is known, a grid that is not `public_grid`, a μ below 0, a
            δ outside (0, 1).
        Indeterminate: the errors add up to a μ' or γ beyond MOST, or some number has no enclosure.
    """
    if mu < 0:
        raise InvalidMechanism("executed.mu", f"{canonical(mu)} must not be negative")
    if not 0 < delta < 1:
        raise InvalidMechanism("target.delta", f"{canonical(delta)} must lie strictly between 0 and 1")
    if step_rate(mechanism) is None:
        raise InvalidMechanism("loss", "its steps have no known Lipschitz constant, and nothing bounds their errors")
    if run.grid != public_grid(mechanism):
        text = f"{canonical(run.grid)} is not that of the run's noise, {canonical(public_grid(mechanism))}"
        raise InvalidMechanism("executed.grid", text)
    numbers = (
        lambda: _of(mu) + _charge(mechanism, run),
        lambda: _gamma(mechanism, run),
        lambda: _failure(mechanism, run),
    )
    bound = tuple(enclosed(number, "an executed run: ") for number in numbers)
    if max(value.upper for value in bound) >= MOST:
        raise Indeterminate("the errors of the executed steps add up to so much that the bound says nothing")
    new_mu, gamma, t = (Fraction(value.upper_decimal()) for value in bound)
    epsilon = _epsilon(new_mu, gamma, t, delta)
    shown = None if epsilon is None else decimal(epsilon)
    return ExecutedBound(decimal(new_mu), decimal(gamma), decimal(t), shown)


def satisfies(mu: Fraction, gamma: Fraction, t: Fraction, epsilon: Fraction, delta: Fraction) -> bool:
    """Whether T28's statement provably says that the executed run is (ε, δ)-DP; all numbers exact."""
    ideal = epsilon - 2 * gamma
    if ideal < 0:
        return False
    bits = MIN_PRECISION
    while bits <= MAX_PRECISION:
        with precision(bits):
            A, x = Ball(), _of(ideal)
            inner = A.gaussian_delta(_of(mu), x) if mu else _of(Fraction(0))
            answer = still_private(A, inner, x, _of(gamma), _of(t), _of(delta))
        if answer is not None:
            return answer
        bits *= 2
    return False


def _of(value: Fraction) -> Number:
    return Ball().of(value)


def _tau(mechanism: NoisySGD) -> Number:
    return _of(2 * mechanism.step_size * mechanism.noise_std**2).sqrt()


def _charge(mechanism: NoisySGD, run: Execution) -> Number:
    """2 c E_(N−1)/τ, with E_(N−1) = e(1 + c + … + c^(N−2)), at most the diameter of the ball where there is one."""
    rate = step_rate(mechanism)
    assert rate is not None  # looked at before
    if rate == 1:
        carried = _of(run.step_error * (run.steps - 1))
    else:
        c = _of(rate)
        carried = _of(run.step_error) * c * (1 - c ** (run.steps - 1)) / (1 - c)
    if mechanism.radius is not None:
        carried = carried.min(_of(2 * rate * mechanism.radius))
    return 2 * carried / _tau(mechanism)


def _gamma(mechanism: NoisySGD, run: Execution) -> Number:
    """d γ_1, γ_1 = −log(1 − 2e/Γ · exp((h + (Γ+e)/τ)(Γ+e)/τ))."""
    width = _of(run.grid + run.step_error) / _tau(mechanism)
    return run.dimension * cell_charge(Ball(), _of(run.step_error / run.grid), width)


def _failure(mechanism: NoisySGD, run: Execution) -> Number:
    """2 d Φ(−h + (Γ+e)/τ) + N d t_g, and the probability that a step is off by more than e."""
    width = _of(run.grid + run.step_error) / _tau(mechanism)
    return run.dimension * tail_charge(Ball(), width) + _of(run.steps * run.dimension * run.uncoupled + run.failure)


def _epsilon(mu: Fraction, gamma: Fraction, t: Fraction, delta: Fraction) -> Fraction | None:
    """The least ε that is found, of DIGITS digits, and proved; None where there is none.

    The ε' with e^γ δ_μ'(ε') + (1 + e^(ε'+2γ)) t = δ is approached from below: each round takes from δ what t costs at
    the ε' of the round before.
    """
    with precision(2 * MIN_PRECISION):
        A, growth, x = Ball(), _of(gamma).exp(), _of(Fraction(0))
        for _ in range(_ROUNDS):
            left = (_of(delta) - (1 + x.exp() * growth * growth) * _of(t)) / growth
            if not left > 0:
                return None
            following = A.mixture_epsilon([_of(mu)], [_of(Fraction(1))], left).upper() if mu else _of(Fraction(0))
            settled, x = abs(following - x) <= x * _of(Fraction(1, 2**MIN_PRECISION)), following
            if settled:
                break
        pair = ends(x + 2 * _of(gamma))
    if pair is None:
        return None
    for nudge in range(_NUDGES):
        candidate = round_decimal(pair[1] * (1 + Fraction(2**nudge, 10 ** (DIGITS + 1))), DIGITS, Rounding.UP)
        if satisfies(mu, gamma, t, candidate, delta):
            return candidate
    return None
