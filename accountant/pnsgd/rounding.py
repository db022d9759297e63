"""Whether a run's noise is above the rounding of the numbers that it is executed in (T28's rule of thumb)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from accountant import theorems
from accountant.core.arithmetic import Exact
from accountant.core.enclose import Indeterminate, enclose
from accountant.core.exact import Rounding, canonical, decimal, exact, magnitude, round_decimal, settle
from accountant.core.kernel import Derivation, TheoremError, apply, evaluate
from accountant.mechanisms.pnsgd import InvalidMechanism, NoisySGD

Dtype = Literal["float64", "float32"]
Status = Literal["proved", "violated", "attested"]

ERRORS = 4  # ulp in each coordinate that one step may be off: assumed
DIGITS = 9  # of a charge, and of the noise that is asked for
_HUNDRED = 100  # the charge is at most 1/_HUNDRED of the μ that the target allows
_FRACTION_BITS = {"float64": 52, "float32": 23}
_MIN_EXPONENT = {"float64": -1022, "float32": -126}  # of the numbers that are not subnormal


@dataclass(frozen=True)
class FloatingPoint:
    """The numbers that a run is executed in; None where it is not known.

    dimension: of the parameters. largest_coordinate: no parameter is ever larger in size, in parameter units.

    Raises:
        InvalidMechanism: a value out of its range.
    """

    dtype: Dtype | None = None
    dimension: int | None = None
    largest_coordinate: Fraction | None = None

    def __post_init__(self) -> None:
        if self.dtype is not None and self.dtype not in _FRACTION_BITS:
            key = "execution.dtype"
            raise InvalidMechanism(key, f"got {self.dtype!r}; write one of {', '.join(_FRACTION_BITS)}")
        if self.dimension is not None and not 1 <= self.dimension <= 10**15:
            raise InvalidMechanism("execution.dimension", f"{self.dimension} must lie between 1 and 10^15")
        if self.largest_coordinate is None:
            return
        settle(self, largest_coordinate=exact(self.largest_coordinate, "largest_coordinate"))
        key, size = "execution.largest_coordinate", self.largest_coordinate
        if size <= 0:
            raise InvalidMechanism(key, f"{canonical(size)} must be positive")
        if self.dtype is not None and size > largest(self.dtype):
            raise InvalidMechanism(
                key, f"{decimal(round_decimal(size, 6, Rounding.DOWN), 6)} is beyond the largest number of {self.dtype}"
            )

    @property
    def known(self) -> bool:
        """Whether nothing of it is unknown."""
        return None not in (self.dtype, self.dimension, self.largest_coordinate)

    @property
    def spacing(self) -> Fraction:
        """ulp(largest_coordinate), in parameter units; everything is known."""
        assert self.dtype is not None and self.largest_coordinate is not None
        return ulp(self.dtype, self.largest_coordinate)


def largest(dtype: Dtype) -> Fraction:
    """The largest finite number of a type."""
    bits, exponent = _FRACTION_BITS[dtype], -_MIN_EXPONENT[dtype] + 1
    return Fraction(2**exponent * (2 ** (bits + 1) - 1), 2**bits)


def ulp(dtype: Dtype, size: Fraction) -> Fraction:
    """The distance of neighbouring numbers of the type at `size` > 0, exactly; below the normal ones that of the
    subnormal ones."""
    exponent = size.numerator.bit_length() - size.denominator.bit_length()  # floor(log2 size), or one more
    if size < Fraction(2) ** exponent:
        exponent -= 1
    return Fraction(2) ** (max(exponent, _MIN_EXPONENT[dtype]) - _FRACTION_BITS[dtype])


def contraction_of(mechanism: NoisySGD) -> Derivation | None:
    """C1 of the run's steps where it makes distances smaller (c < 1); None where no contraction is known."""
    constants = mechanism.loss.constants()
    if not constants.convex or constants.smoothness is None:
        return None
    rate = apply(
        theorems.contraction,
        step_size=mechanism.step_size,
        strong_convexity=constants.strong_convexity,
        smoothness=constants.smoothness,
    )
    return rate if evaluate(rate, Exact()).factor < 1 else None


def charge_square(mechanism: NoisySGD, numbers: FloatingPoint) -> Fraction | None:
    """κ², exactly: κ = 2·√(dR)·4ulp(X)/((1−c)τ) is what rounding adds to μ. None where T28r does not
    apply: something is unknown, or no contraction is."""
    rate = contraction_of(mechanism)
    if rate is None or not numbers.known:
        return None
    c = evaluate(rate, Exact()).factor
    error = 2 * ERRORS * numbers.spacing / (1 - c)
    variance = 2 * mechanism.step_size * mechanism.noise_std**2
    return error**2 * numbers.dimension * releases(mechanism) / variance


def executed_charge(mechanism: NoisySGD, numbers: FloatingPoint) -> Fraction:
    """κ rounded up, for a run that is executed in `numbers`, of which all is known. Where no contraction is known it is
    that of the last step's rounding alone, a lower bound on the true charge."""
    square = charge_square(mechanism, numbers)
    if square is None:
        variance = 2 * mechanism.step_size * mechanism.noise_std**2
        square = (2 * ERRORS * numbers.spacing) ** 2 * numbers.dimension * releases(mechanism) / variance
    return root_above(square, DIGITS)


def least_executed_noise(mechanism: NoisySGD, numbers: FloatingPoint, mu: Fraction) -> Fraction:
    """The σ, of nine digits and rounded up, at which `executed_charge` is a hundredth of `mu`."""
    return round_decimal(executed_charge(mechanism, numbers) * mechanism.noise_std * _HUNDRED / mu, DIGITS, Rounding.UP)


def releases(mechanism: NoisySGD) -> int:
    """R: how many models the observer may see, each after a stretch whose rounding counts for itself."""
    return len(mechanism.requests) if mechanism.release == "all" else 1


def derive_floor(mechanism: NoisySGD, numbers: FloatingPoint, epsilon: Fraction, delta: Fraction) -> Derivation | None:
    """T28f: rounding adds at most a hundredth of the μ that the target allows. The charge is rounded up to nine digits,
    so that a checker that repeats it decides the same. None where T28r does not apply.

    Raises:
        TheoremError: it provably adds more.
    """
    square = charge_square(mechanism, numbers)
    if square is None:
        return None
    charge = apply(
        theorems.rounding_charge,
        contraction_of(mechanism),
        variance=2 * mechanism.step_size * mechanism.noise_std**2,
        dimension=numbers.dimension,
        errors=ERRORS,
        spacing=numbers.spacing,
        releases=releases(mechanism),
        charge=root_above(square, DIGITS),
    )
    return apply(theorems.noise_floor, charge, epsilon=epsilon, delta=delta)


def floor_status(mechanism: NoisySGD, numbers: FloatingPoint, epsilon: Fraction, delta: Fraction) -> Status:
    """The status of the assumption `noise_above_rounding`; what cannot be decided is violated."""
    try:
        floor = derive_floor(mechanism, numbers, epsilon, delta)
        if floor is None:
            return "attested"
        enclose(floor)
    except (TheoremError, Indeterminate):
        return "violated"
    return "proved"


def floor_noise(mechanism: NoisySGD, numbers: FloatingPoint, mu: float | Fraction) -> Fraction | None:
    """The least σ of nine digits whose rounding adds at most a hundredth of `mu`, as far as `mu` is right; None where
    T28r does not apply."""
    square = charge_square(mechanism, numbers)
    if square is None:
        return None
    return root_above(square * mechanism.noise_std**2 * _HUNDRED**2 / Fraction(mu) ** 2, DIGITS)


def root_above(square: Fraction, digits: int) -> Fraction:
    """The least decimal of `digits` significant digits whose square is at least `square` > 0."""
    unit = Fraction(10) ** (magnitude(square) // 2 - digits + 1)
    steps = square / unit**2
    root = math.isqrt(steps.numerator // steps.denominator)
    return unit * (root if root * root >= steps else root + 1)
