"""Full: every record, at every step."""

from __future__ import annotations

import numpy as np

from learners.randomness import Bits
from learners.samplers.sampler import Sampler


class Full(Sampler):
    def _drawn(self, bits: Bits) -> np.ndarray:
        return np.arange(self.samples)
