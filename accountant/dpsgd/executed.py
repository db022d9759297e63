"""What an executed training run satisfies: T28s of docs/theory.md, every released noisy sum snapped to a public grid.

    grids = public_grids(mechanism)                       Γ of each stage: what the trainer rounds noisy sums to
    run = training_execution(mechanism, aggregation, normals, delta)      everything that is known of the arithmetic
    executed = executed_training(mechanism, run, delta)   γ, t, and ε at δ of the run as it is executed, with its proof

δ_executed(ε + 2γ) ≤ e^γ·δ_z'(ε) + (1 + e^(ε + 2γ))·t, where δ_z' is that of exact sums with noise multipliers
z' = z/(1 + ρ): one record moves an executed sum by at most Δ(1 + ρ).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from accountant import theorems
from accountant.core.arithmetic import Ball
from accountant.core.arithmetic.balls import precision
from accountant.core.enclose import MIN_PRECISION, enclose, enclosed
from accountant.core.exact import Rounding, canonical, decimal, exact, outward, round_decimal
from accountant.core.kernel import Derivation, TheoremError, apply
from accountant.dpsgd import truncation
from accountant.dpsgd.aggregation import UNITS, Aggregation
from accountant.dpsgd.derive import derive_training, estimate_mechanism, schedule, training_sensitivity
from accountant.mechanisms.dpsgd import ScaledSGD
from accountant.mechanisms.invalid import InvalidMechanism
from accountant.mechanisms.release import Release
from accountant.theorems.executed import ROOM, SUM_CELLS, still_private, sums_failure, sums_gamma

RARE = 30  # batches are larger than is foreseen with a probability of at most δ·e^-30 in a whole run
_DIGITS = 6  # of e/Γ
_SPARE = Fraction(1, 10**6)  # of δ, where γ is composed
_MARGINS = (Fraction(1, 50), Fraction(1, 4), Fraction(1))  # by how much more than is estimated t may cost


@dataclass(frozen=True)
class Normals:
    """Where noise comes from. Each normal is within `within` of an exact one but with probability `uncoupled`, none
    is larger than `largest`; they are independent, or in independent pairs (`learners.noise.secret`)."""

    within: Fraction
    uncoupled: Fraction
    largest: Fraction

    def __post_init__(self) -> None:
        for key, top in (("within", 1), ("uncoupled", 1), ("largest", 100)):
            if not 0 <= getattr(self, key) <= top:
                raise InvalidMechanism(f"normals.{key}", f"{canonical(getattr(self, key))} must lie in [0, {top}]")


@dataclass(frozen=True)
class TrainingExecution:
    """What is known of how a training run is executed, all of it public and fixed before it starts.

    dimension: d. grids: Γ of each stage, in units of the gradient. error: e/Γ, by how much a coordinate of a noisy sum
    is off at most before it is rounded to the grid; the largest over the stages. uncoupled: t_g. enlargement: ρ.
    largest_batch: to how many records sums are bounded.

    Raises:
        InvalidMechanism: a value out of its range.
    """

    dimension: int
    grids: tuple[Fraction, ...]
    error: Fraction
    uncoupled: Fraction
    enlargement: Fraction
    largest_batch: int

    def __post_init__(self) -> None:
        if self.dimension < 1:
            raise InvalidMechanism("execution.dimension", f"{self.dimension} must be at least 1")
        if not 0 < self.error * ROOM < 1:
            raise InvalidMechanism(
                "execution.error",
                f"{canonical(self.error)} of the grid's spacing must be positive and below 1/{ROOM}: the noise is "
                "below the rounding of the sums; take a larger noise_multiplier, or smaller batches",
            )
        if not 0 <= self.uncoupled < 1:
            raise InvalidMechanism("execution.uncoupled", f"{canonical(self.uncoupled)} must lie in [0, 1)")
        if not 0 <= self.enlargement < 1:
            raise InvalidMechanism("execution.enlargement", f"{canonical(self.enlargement)} must lie in [0, 1)")
        if self.largest_batch < 1:
            raise InvalidMechanism("execution.largest_batch", f"{self.largest_batch} must be at least 1")

    def as_json(self) -> dict[str, Any]:
        """As run records and certificates write it: numbers as canonical strings."""
        return {
            "dimension": canonical(self.dimension),
            "grids": [canonical(grid) for grid in self.grids],
            "error": canonical(self.error),
            "uncoupled": canonical(self.uncoupled),
            "enlargement": canonical(self.enlargement),
            "largest_batch": canonical(self.largest_batch),
        }

    @staticmethod
    def read(written: Mapping[str, Any]) -> TrainingExecution:
        """What `as_json` wrote.

        Raises:
            InvalidMechanism: a value out of its range. KeyError, ValueError: something else is written there.
        """
        return TrainingExecution(
            dimension=int(written["dimension"]),
            grids=tuple(Fraction(grid) for grid in written["grids"]),
            error=Fraction(written["error"]),
            uncoupled=Fraction(written["uncoupled"]),
            enlargement=Fraction(written["enlargement"]),
            largest_batch=int(written["largest_batch"]),
        )


@dataclass(frozen=True)
class ExecutedTraining:
    """What `run` satisfies: ε at delta. gamma, t, epsilon: rounded up. spare: δ', 0 where γ is a plain sum. sums: the
    bound of exact sums with enlarged sensitivity, ε at sums_delta, which is a little less; derivation: T28s on it."""

    run: TrainingExecution
    gamma: str
    t: str
    spare: Fraction
    epsilon: str
    delta: Fraction
    sums_delta: Fraction
    sums: Derivation
    derivation: Derivation


def public_grids(mechanism: ScaledSGD) -> tuple[Fraction, ...]:
    """Γ of each stage: the largest power of two that is at most zΔ/16; units of the gradient."""
    sensitivity = training_sensitivity(mechanism)
    return tuple(_power_below(stage.noise_multiplier * sensitivity / SUM_CELLS) for stage in mechanism.stages)


def _power_below(limit: Fraction) -> Fraction:
    exponent = limit.numerator.bit_length() - limit.denominator.bit_length()
    return Fraction(2) ** (exponent if Fraction(2) ** exponent <= limit else exponent - 1)


def largest_batch(mechanism: ScaledSGD, delta: Fraction) -> int:
    """How many records a batch has at most; of Poisson batches, but with probability δ·e^-30 in the whole run.

    A trainer need not look at it: T28s charges the batches beyond it.

    Raises:
        InvalidMechanism: the mechanism does not say how many records there are.
    """
    if mechanism.max_batch_size is not None:
        return mechanism.max_batch_size
    if mechanism.samples is None:
        raise InvalidMechanism("samples", "is missing; how far sums are rounded depends on the number of records")
    drawn = _drawn(mechanism)
    if mechanism.scheme.can_be_cut:
        if not drawn:
            return mechanism.larger
        log_cost = math.log(delta.numerator) - math.log(delta.denominator) - RARE
        return truncation.least_cap(drawn, mechanism.larger, log_cost)
    return max(min(math.ceil(stage.sample_rate * mechanism.larger), mechanism.larger) for stage in mechanism.stages)


def _drawn(mechanism: ScaledSGD) -> tuple[Release, ...]:
    """The stages whose batches have a binomial size, if they are not cut."""
    if mechanism.max_batch_size is not None or not mechanism.scheme.can_be_cut:
        return ()
    if mechanism.group_sampling == "together" or any(stage.sample_rate == 1 for stage in mechanism.stages):
        return ()  # then a batch may be everything
    return schedule(mechanism)[: len(mechanism.stages)]


def training_execution(
    mechanism: ScaledSGD, aggregation: Aggregation, normals: Normals, delta: Fraction
) -> TrainingExecution:
    """What T28s is told of a run whose noise is drawn, and added to the sum, in float64.

    The error of a coordinate before it is rounded to the grid: of the normal; of its product with zΔ, itself rounded;
    of the addition. A sum of b terms has no coordinate above b(1 + ρ)Δ.

    Raises:
        InvalidMechanism: no bound worth having; names the key and the fix.
    """
    delta = exact(delta, "delta")
    sensitivity, batch, unit = training_sensitivity(mechanism), largest_batch(mechanism, delta), UNITS["float64"]
    rho = aggregation.enlargement(mechanism.scaling, sensitivity, batch)
    grids = public_grids(mechanism)
    error = Fraction(0)
    for stage, grid in zip(mechanism.stages, grids, strict=True):
        size = batch * (1 + rho) / stage.noise_multiplier + normals.largest * (1 + 4 * unit)  # of the noisy sum, in τ
        off = normals.within + 4 * unit * normals.largest + unit * size
        error = max(error, off * stage.noise_multiplier * sensitivity / grid)
    if error * ROOM < 1:
        error = round_decimal(error, _DIGITS, Rounding.UP)
    return TrainingExecution(aggregation.dimension, grids, error, normals.uncoupled, rho, batch)


def enlarged(mechanism: ScaledSGD, enlargement: Fraction) -> ScaledSGD:
    """Exact sums that one record moves by Δ(1 + ρ), as noise multipliers z/(1 + ρ)."""
    stages = (replace(s, noise_multiplier=s.noise_multiplier / (1 + enlargement)) for s in mechanism.stages)
    return replace(mechanism, stages=tuple(stages))


def executed_training(mechanism: ScaledSGD, run: TrainingExecution, delta: Fraction) -> ExecutedTraining:
    """ε at δ of the run as it is executed, as small as the plain or the composed γ gives it.

    Raises:
        InvalidMechanism: grids that are not `public_grids`, a largest batch that the mechanism does not imply; T28s
            costs more than δ; as `derive_training`.
    """
    delta = exact(delta, "delta")
    if run.grids != public_grids(mechanism):
        raise InvalidMechanism("execution.grids", "they are not those of the mechanism's noise (`public_grids`)")
    needed = largest_batch(mechanism, delta)
    if run.largest_batch < needed:
        raise InvalidMechanism("execution.largest_batch", f"{run.largest_batch}, but batches may have {needed} records")
    ideal = enlarged(mechanism, run.enlargement)
    chosen = min((_arguments(mechanism, run, spare) for spare in (Fraction(0), delta * _SPARE)), key=_gamma)
    gamma, t = _numbers(chosen)
    for margin in _MARGINS:
        inner_delta = _left(ideal, delta, gamma, t, margin)
        if inner_delta is None:
            continue
        sums = derive_training(ideal, inner_delta).upper
        try:
            derivation = apply(theorems.executed_sums, sums, **chosen, delta=delta)
            enclose(derivation)
        except TheoremError:
            continue
        inner = Fraction(enclose(sums).upper_decimal())
        if not _covers(inner_delta, inner, gamma, t, delta):  # with what is printed, too
            continue
        epsilon = outward(inner + 2 * gamma, Rounding.UP)
        return ExecutedTraining(
            run, decimal(gamma), decimal(t), chosen["spare"], epsilon, delta, inner_delta, sums, derivation
        )
    raise InvalidMechanism("target.delta", f"{canonical(delta)} is less than what finite precision may cost")


def _arguments(mechanism: ScaledSGD, run: TrainingExecution, spare: Fraction) -> dict[str, Any]:
    drawn = _drawn(mechanism)
    return {
        "steps": mechanism.steps,
        "dimension": run.dimension,
        "error": run.error,
        "uncoupled": run.uncoupled,
        "spare": spare,
        "releases": drawn,
        "samples": mechanism.larger - 1 if drawn else 1,
        "largest_batch": run.largest_batch,
    }


def _gamma(arguments: dict[str, Any]) -> Fraction:
    draws = arguments["steps"] * arguments["dimension"]
    given = Ball().of(arguments["error"]), Ball().of(arguments["spare"])
    return enclosed(lambda: sums_gamma(Ball(), draws, *given), "gamma: ").upper


def _numbers(arguments: dict[str, Any]) -> tuple[Fraction, Fraction]:
    """γ and t, as decimals that are not smaller."""
    draws = arguments["steps"] * arguments["dimension"]
    error, uncoupled, spare = (arguments[key] for key in ("error", "uncoupled", "spare"))
    drawn = (arguments["releases"], arguments["samples"], arguments["largest_batch"])

    def missed() -> Any:
        A = Ball()
        return sums_failure(A, draws, A.of(error), A.of(uncoupled), A.of(spare), *drawn)

    def gamma() -> Any:
        A = Ball()
        return sums_gamma(A, draws, A.of(error), A.of(spare))

    bounds = (enclosed(gamma, "gamma: "), enclosed(missed, "t: "))
    first, second = (Fraction(bound.upper_decimal()) for bound in bounds)
    return first, second


def _covers(inner: Fraction, epsilon: Fraction, gamma: Fraction, t: Fraction, delta: Fraction) -> bool:
    with precision(2 * MIN_PRECISION):
        A = Ball()
        return bool(still_private(A, A.of(inner), A.of(epsilon), A.of(gamma), A.of(t), A.of(delta)))


def _left(ideal: ScaledSGD, delta: Fraction, gamma: Fraction, t: Fraction, margin: Fraction) -> Fraction | None:
    """A δ for the exact sums that leaves room for what finite precision costs, of 6 digits; None where none is left."""
    if gamma > 1:
        return None
    epsilon = estimate_mechanism(ideal, delta * Fraction(999, 1000))
    if not math.isfinite(epsilon) or epsilon > 600:
        return None
    cost = (1 + margin) * (1 + Fraction(math.exp(epsilon * (1 + float(margin) / 10) + 2 * float(gamma)))) * t
    left = (delta - cost) / Fraction(math.exp(float(gamma)) * (1 + 1e-9))
    return round_decimal(left, _DIGITS, Rounding.DOWN) if left > delta / 2 else None
