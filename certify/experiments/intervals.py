"""Means over seeds, with Student's interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
WORDS = "mean with Student's 95 % interval over the seeds"


@dataclass(frozen=True)
class Measured:
    """A number for each seed, their mean, and the interval that would hold the mean of all seeds 95 times in 100, were
    the numbers normal."""

    values: tuple[float, ...]
    mean: float
    low: float
    high: float

    def as_json(self) -> dict[str, Any]:
        return {"mean": self.mean, "low": self.low, "high": self.high, "values": list(self.values)}

    def percent(self) -> str:
        """The mean and the interval in per cent."""
        return f"{100 * self.mean:.1f} [{100 * self.low:.1f}, {100 * self.high:.1f}]"


def measured(values: Sequence[float]) -> Measured:
    """Of at least two seeds."""
    array = np.asarray(values, float)
    mean, deviation = float(array.mean()), float(array.std(ddof=1))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(array) - 1)) * deviation / len(array) ** 0.5
    return Measured(tuple(array.tolist()), mean, mean - half, mean + half)


def difference(one: Measured, other: Measured) -> Measured:
    """one − other, seed by seed: they share their noise, so that this varies less than either."""
    return measured([a - b for a, b in zip(one.values, other.values, strict=True)])
