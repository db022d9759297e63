"""From a model's labels back to what the target's column holds."""

from __future__ import annotations

from fractions import Fraction

from torch import Tensor

from learners.data.columns import Columns


def as_written(columns: Columns, labels: Tensor, target_bound: Fraction | None = None) -> list[str]:
    """Labels (n,) as the target's column has them: a class, or the first of the values that are +1 or -1; a scaled
    target in its own units; an expected count as it is. Numbers are the shortest decimals of float64.

    A negative label is `not VALUE` where the run file lists no negative values.
    """
    if columns.positive:
        negative = columns.negative[0] if columns.negative else f"not {columns.positive[0]}"
        return [columns.positive[0] if label > 0 else negative for label in labels.tolist()]
    if columns.classes:
        return [columns.classes[int(label)] for label in labels.tolist()]
    if columns.target_limits is None:
        return [repr(float(label)) for label in labels.tolist()]
    low, high = map(float, columns.target_limits)
    shares = (labels / float(1 if target_bound is None else target_bound) + 1) / 2  # of the way from low to high
    return [repr(low + share * (high - low)) for share in shares.tolist()]
