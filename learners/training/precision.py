"""What floating point does to a training, bounded beforehand from public numbers alone (docs/theory.md T28s).

The theorem is the accountant's; here is what it is told of this learner's arithmetic (`accountant.Aggregation`), and
the numbers that the learner takes from it: by how much weights are shrunk, the noise's standard deviation, the grid.

* Norms are computed by the engine in the gradients' type, at most `NORM_LENGTH` numbers one after the other.
* Weighted gradients are multiplied and added in that type over one part of a batch; parts are added in float64.
* Noise is drawn, and added, in float64; the noisy sum is rounded to the grid, a power of two, exactly.
* A record's term may differ by `RECORD_ERROR`·Δ because kernels round it otherwise beside other records: attested.

A layer that is used at several positions of a record, and whose gradients are not kept one by one (the engine's route
"gram"), adds up products that may cancel: its norms and sums have no such bound in float32. The trainer looks at the
routes that are taken, and the record says where the bound does not hold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from accountant import (
    Aggregation,
    InvalidMechanism,
    ScaledSGD,
    TrainingExecution,
    largest_batch,
    shrink_for,
    training_execution,
    training_sensitivity,
)
from accountant.core.exact import canonical
from learners.engines.layers.rule import NORM_LENGTH
from learners.noise import NORMALS
from learners.refused import LearnerRefused

RECORD_ERROR = {"float32": Fraction(1, 2**20), "float64": Fraction(1, 2**49)}  # of Δ, see above


@dataclass(frozen=True)
class Precision:
    """Public numbers for the whole training.

    dtype: of norms and of the sums of one part of a batch. sensitivity: Δ. noise_std: zΔ of each stage, rounded up to
    a float64. execution: what T28s is told; its grids are those that noisy sums are rounded to.
    """

    dtype: str
    sensitivity: Fraction
    noise_std: tuple[float, ...]
    aggregation: Aggregation
    execution: TrainingExecution

    @property
    def shrink(self) -> Fraction:
        """Weights are multiplied by 1 − shrink, see `learners.training.aggregate.weights`."""
        return self.aggregation.shrink

    @property
    def grid(self) -> tuple[Fraction, ...]:
        """Γ of each stage."""
        return self.execution.grids

    def as_json(self) -> dict[str, Any]:
        """Rationals exactly, floats by repr."""
        aggregation, execution = self.aggregation, self.execution
        return {
            "sensitivity": canonical(self.sensitivity),
            "noise_std": [repr(s) for s in self.noise_std],
            "aggregation": {
                "dimension": aggregation.dimension,
                "norm_dtype": aggregation.norm_dtype,
                "norm_length": aggregation.norm_length,
                "sum_dtype": aggregation.sum_dtype,
                "sum_length": aggregation.sum_length,
                "spread": canonical(aggregation.spread),
                "shrink": canonical(aggregation.shrink),
                "record_error": canonical(aggregation.record_error),
            },
            "execution": {
                "dimension": execution.dimension,
                "grids": [canonical(grid) for grid in execution.grids],
                "error": canonical(execution.error),
                "uncoupled": canonical(execution.uncoupled),
                "enlargement": canonical(execution.enlargement),
                "largest_batch": execution.largest_batch,
            },
        }


def bound_precision(
    mechanism: ScaledSGD, dtype: str, *, dimension: int, layers: int, delta: Fraction, part: int | None = None
) -> Precision:
    """For a training of so many parameters in so many layers.

    dtype: of the gradients, "float32" or "float64". part: records that are summed in it at a time, at most; None: whole
    batches.

    Raises:
        LearnerRefused: the noise is below the floor of the arithmetic; sums are so long that rounding has no bound; the
            mechanism does not say how many records there are.
    """
    sensitivity = training_sensitivity(mechanism)
    scales = tuple(_above(stage.noise_multiplier * sensitivity) for stage in mechanism.stages)
    if min(scales) < 2.0**-900 or max(scales) > 2.0**900:
        raise LearnerRefused(f"max_grad_norm: noise of standard deviation {min(scales):.3g} is beyond float64")
    length = NORM_LENGTH + layers
    try:
        whole = largest_batch(mechanism, delta)
        aggregation = Aggregation(
            dimension=dimension,
            norm_length=length,
            sum_length=min(part or whole, whole),
            norm_dtype=dtype,
            sum_dtype=dtype,
            shrink=shrink_for(mechanism.scaling, sensitivity, length, dtype),
            record_error=RECORD_ERROR[dtype],
        )
        execution = training_execution(mechanism, aggregation, NORMALS, delta)
    except InvalidMechanism as error:
        raise LearnerRefused(str(error)) from None
    return Precision(dtype, sensitivity, scales, aggregation, execution)


def _above(value: Fraction) -> float:
    """The least float64 that is not below `value`."""
    nearest = float(value)
    return nearest if Fraction(nearest) >= value else math.nextafter(nearest, math.inf)
