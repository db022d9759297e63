"""Is the noise what is claimed? Of coordinates that no record pulls at, step by step: too little, too much, or of a
size that follows the batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from learners.audits.canaries import Observed


@dataclass(frozen=True)
class NoiseCheck:
    """lower, upper: (trainings, T) ends of intervals for the noise multiplier of each step, all of them right but with
    probability `level`. claimed: (T,)."""

    lower: np.ndarray
    upper: np.ndarray
    claimed: np.ndarray
    level: float

    @property
    def passed(self) -> bool:
        return bool(((self.lower <= self.claimed) & (self.claimed <= self.upper)).all())


def check_noise(observed: Observed, level: float = 1e-6) -> NoiseCheck:
    """Exact χ² intervals, the level shared among all steps of all trainings. Rounding to the grid, at most z/16, adds
    less than a part in 3000 to the variance; the intervals are widened by that."""
    runs, steps, count = observed.blank.shape
    squares = (observed.blank**2).sum(axis=2)
    each = level / (2 * runs * steps)
    claimed = np.repeat(
        [float(stage.noise_multiplier) for stage in observed.mechanism.stages],
        [stage.steps for stage in observed.mechanism.stages],
    )
    lower = np.sqrt(squares / chi2.isf(each, count) / (1 + 1 / 3000))
    return NoiseCheck(lower, np.sqrt(squares / chi2.ppf(each, count)), claimed, level)
