"""Disjoint batches: each record in one batch of an epoch at most, in a fixed order or one that is shuffled each time.

An epoch has ⌊1/q⌋ batches of ⌊qn⌋ records; what is left of the records is not visited in it.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

import numpy as np

from learners.randomness import Bits
from learners.refused import LearnerRefused
from learners.samplers.sampler import Sampler


class Fixed(Sampler):
    """In the records' own order, the same in every epoch."""

    def __init__(self, samples: int, rate: Fraction, seed: int | None, use: str, state: dict[str, Any] | None) -> None:
        super().__init__(samples, rate, seed, use, state)
        self._size, self._batches = floor(rate * samples), floor(1 / rate)
        if not self._size:
            raise LearnerRefused(f"sample_rate: {float(rate):.3g} of {samples} records is less than one record")

    def _drawn(self, bits: Bits) -> np.ndarray:
        return self._batch(np.arange(self.samples))

    def _batch(self, order: np.ndarray) -> np.ndarray:
        first = self.count % self._batches * self._size
        return np.sort(order[first : first + self._size])


class Shuffled(Fixed):
    """In an order that is drawn for every epoch."""

    def __init__(self, samples: int, rate: Fraction, seed: int | None, use: str, state: dict[str, Any] | None) -> None:
        super().__init__(samples, rate, seed, use, state)
        self._order = np.empty(0, dtype=np.int64) if state is None else np.asarray(state["order"])

    def _drawn(self, bits: Bits) -> np.ndarray:
        if self.count % self._batches == 0:
            self._order = bits.permutation(self.samples)
        return self._batch(self._order)

    def state(self) -> dict[str, Any]:
        """With the order of the epoch, which is secret."""
        return {**super().state(), "order": self._order}
