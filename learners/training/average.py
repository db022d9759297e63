"""The moving average of the released weights: post-processing, free of charge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from learners.refused import LearnerRefused


@dataclass(frozen=True, eq=False)
class Average:
    """a ← decay·a + (1 − decay)·x after every step, from the start x₀ on."""

    decay: float
    values: dict[str, Tensor]

    @classmethod
    def start(cls, decay: float, parameters: Mapping[str, Tensor]) -> Average:
        """
        Raises:
            LearnerRefused: a decay that is not between 0 and 1.
        """
        if not 0 <= decay < 1:
            raise LearnerRefused(f"ema: {decay} must be at least 0 and below 1")
        return cls(float(decay), {name: p.detach().clone() for name, p in parameters.items()})

    def update(self, parameters: Mapping[str, Tensor]) -> None:
        for name, value in self.values.items():
            value.lerp_(parameters[name].detach(), 1 - self.decay)

    @contextmanager
    def held_by(self, parameters: Mapping[str, Tensor]) -> Iterator[None]:
        """The parameters have the average's values inside, and their own again after it."""
        own = {name: p.detach().clone() for name, p in parameters.items()}
        with torch.no_grad():
            for name, p in parameters.items():
                p.copy_(self.values[name])
        try:
            yield
        finally:
            with torch.no_grad():
                for name, p in parameters.items():
                    p.copy_(own[name])
