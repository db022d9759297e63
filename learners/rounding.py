"""Whether the noise of a run is above the rounding of the numbers that it is executed in: looked at before and during.

The rule is T28's: rounding, 4 ulp in each coordinate of each step, adds at most a hundredth of the μ that the target
allows. Here the coordinates are those that are seen. One run's coordinates say nothing of a neighbouring run's: the
assumption `noise_above_rounding` stays attested or proved, as the certificate has it, whatever is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

from torch import Tensor

from accountant import FloatingPoint, NoisySGD, executed_charge, least_executed_noise
from accountant.core.exact import decimal
from learners.errors import FAILURE, Errors
from learners.models import DTYPES
from learners.refused import LearnerRefused
from learners.stepping import RunCheckFailed

LEAST = Fraction(1, 2**1022)  # a coordinate that is 0 is rounded no finer than that


def dtype_of(asked: str | None, stated: FloatingPoint | None) -> str:
    """The type that a run is executed in: what is asked for, else what the run file states, else float64.

    Raises:
        LearnerRefused: another type, or another than the run file states.
    """
    said = None if stated is None else stated.dtype
    dtype = asked or said or "float64"
    if dtype not in DTYPES:
        raise LearnerRefused(f"dtype: {dtype!r} is unknown; take {' or '.join(DTYPES)}")
    if said not in (None, dtype):
        raise LearnerRefused(f"execution.dtype: {said}, but {dtype} is asked for; write that, or leave dtype out")
    return dtype


@dataclass(frozen=True)
class Floor:
    """What a run must not break. dtype: of the parameters. allowed: the μ that the target allows; stated: what the run
    file says of its numbers.

    Without a target `allowed` is 1: rounding may then add 0.01 to μ.
    """

    mechanism: NoisySGD
    dimension: int
    dtype: str = "float64"
    allowed: Fraction = Fraction(1)
    stated: FloatingPoint | None = None
    errors: Errors | None = None

    def check_before(self, start: Tensor) -> None:
        """Before anything is run.

        Raises:
            LearnerRefused: the run file states other numbers than those that will be used, or the noise is below their
                rounding already at the start.
        """
        stated = self.stated or FloatingPoint()
        if stated.dimension not in (None, self.dimension):
            raise LearnerRefused(
                f"execution.dimension: {stated.dimension}, but there are {self.dimension} parameters; write that"
            )
        try:
            self.check(max(Fraction(start.abs().max().item()), stated.largest_coordinate or Fraction(0)))
        except RunCheckFailed as broken:
            raise LearnerRefused(str(broken)) from None
        if self.dtype != "float64":
            self._check_errors()

    def _check_errors(self) -> None:
        """In narrow numbers the bound of every step's error counts, and not what four units would be."""
        charge = None if self.errors is None else self.errors.charge
        if charge is None or not charge * 100 <= self.allowed:
            shown = "an unknown amount" if charge is None else f"{charge:.3g}"
            raise LearnerRefused(
                f"dtype: the rounding of {self.dtype} may add {shown} to μ, more than a hundredth of the "
                f"{float(self.allowed):.3g} that the target allows; take float64, or larger noise"
            )

    def check(self, largest: float | Fraction, parameter: float = 0.0) -> None:
        """With the largest size of a coordinate, and the largest norm, that were seen.

        Raises:
            RunCheckFailed: they are beyond what the run file states or was foreseen, or the noise is below the rounding
                of that coordinate.
        """
        seen = max(Fraction(largest), LEAST)
        stated = None if self.stated is None else self.stated.largest_coordinate
        if self.errors is not None and parameter > self.errors.norm:
            raise RunCheckFailed(
                f"parameter_norm: {parameter:.6g}, more than the {self.errors.norm:.6g} that a run exceeds with "
                f"probability {FAILURE:.1g}; run it again"
            )
        if stated is not None and seen > stated:
            raise RunCheckFailed(
                f"largest_coordinate: a coordinate of {float(largest):.6g} > {float(stated):.6g}, as [execution] "
                "states; write a larger one, and certify again"
            )
        numbers = FloatingPoint(cast(Any, self.dtype), self.dimension, seen)
        charge = executed_charge(self.mechanism, numbers)
        if charge * 100 > self.allowed:
            noise = least_executed_noise(self.mechanism, numbers, self.allowed)
            raise RunCheckFailed(
                f"noise_above_rounding: noise_std = {float(self.mechanism.noise_std):.6g} is below the rounding of "
                f"coordinates up to {float(largest):.3g}, which may add {float(charge):.3g} to μ; "
                f"take noise_std ≥ {decimal(noise)}"
            )
