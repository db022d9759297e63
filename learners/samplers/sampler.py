"""What all samplers have in common: they draw the records of one step after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from typing import Any

import numpy as np

from learners.randomness import Bits


class Sampler(ABC):
    """One stage's draws from `samples` records at rate `rate`, all of it from the mechanism.

    seed: None for secret draws. With one every draw has a stream of its own, so that a run goes on exactly where it was
    with `count` alone. use: what tells apart the streams of stages.
    """

    def __init__(self, samples: int, rate: Fraction, seed: int | None, use: str, state: dict[str, Any] | None) -> None:
        self.samples, self.rate = samples, rate
        self._seed, self._use = seed, use
        self._secret = Bits(None, use) if seed is None else None
        self.count = 0 if state is None else state["count"]

    def draw(self) -> np.ndarray:
        """The next step's records, sorted, int64; maybe none."""
        bits = self._secret or Bits(self._seed, f"{self._use}/{self.count}")
        records = self._drawn(bits)
        self.count += 1
        return records

    def state(self) -> dict[str, Any]:
        """What an exact resume needs: numbers and arrays."""
        return {"count": self.count}

    @abstractmethod
    def _drawn(self, bits: Bits) -> np.ndarray:
        """The records of one step."""
