"""Without replacement: a batch of fixed size, drawn anew each step."""

from __future__ import annotations

import numpy as np

from learners.randomness import Bits
from learners.samplers.sampler import Sampler


class WithoutReplacement(Sampler):
    def _drawn(self, bits: Bits) -> np.ndarray:
        return bits.subset(self.samples, int(self.rate * self.samples))
