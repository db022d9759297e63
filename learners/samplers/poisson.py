"""Poisson: each record joins by a coin of its own, of exactly the certified probability."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from learners.randomness import Bits
from learners.samplers.sampler import Sampler


class Poisson(Sampler):
    """largest: a larger batch is cut to so many of its records, each subset equally likely (docs/theory.md T20)."""

    def __init__(
        self,
        samples: int,
        rate: Fraction,
        seed: int | None,
        use: str,
        state: dict[str, Any] | None,
        largest: int | None = None,
    ) -> None:
        super().__init__(samples, rate, seed, use, state)
        self._largest = largest

    def _drawn(self, bits: Bits) -> np.ndarray:
        records = np.flatnonzero(bits.coins(self.rate, self.samples))
        if self._largest is None or len(records) <= self._largest:
            return records
        return records[bits.subset(len(records), self._largest)]
