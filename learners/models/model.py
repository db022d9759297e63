"""What every model gives: the mean of a batch's bounded data gradients, and how long they are.

A gradient bound M of the certificate is met with a little room (`Numbers.room`), so that the rounding of the numbers
that are computed in never exceeds it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from learners.data import SHRINK

DTYPES = {"float64": torch.float64, "float32": torch.float32}
UNIT = {"float64": 2.0**-53, "float32": 2.0**-24}  # largest relative error of one rounding


@dataclass(frozen=True)
class Numbers:
    """The numbers that are computed in, and how many of them a record or a model has (the larger number)."""

    dtype: str = "float64"
    length: int = 1

    @property
    def type(self) -> torch.dtype:
        return DTYPES[self.dtype]

    @property
    def unit(self) -> float:
        return UNIT[self.dtype]

    @property
    def room(self) -> float:
        """The factor just below 1 with which bounds are aimed at: 1 − 2⁻⁴⁰, or what a norm of so many rounded numbers
        may be off by."""
        return min(SHRINK, 1 - 8 * (self.length + 16) * self.unit)


@dataclass(frozen=True, eq=False)
class Batch:
    """b records on the device: features (b, d), labels (b,), which of them are there (b,), and what a model keeps of
    them: feature norms (b,), and bounds on the factor that multiplies the features (b,)."""

    features: Tensor
    labels: Tensor
    present: Tensor
    norms: Tensor
    limits: Tensor

    @property
    def size(self) -> int:
        return len(self.labels)


class Model(Protocol):
    """A model with its loss, by its data gradients, which are clipped or scaled as the mechanism says."""

    @property
    def parameters(self) -> int:
        """How many there are."""
        ...

    def batch(self, features: Tensor, labels: Tensor, present: Tensor) -> Batch:
        """Features (b, d), labels (b,), and whether each record is there (b,), prepared for `gradient`."""
        ...

    def gradient(self, x: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """At x (…, p): the sum (…, p) of the batch's data gradients divided by its size, and the norms of what was
        bounded: each record's (…, b), or the whole mean's (…, 1)."""
        ...


def limits(norms: Tensor, bound: float) -> Tensor:
    """What a factor of vectors with these norms may be at most for the product to stay within `bound`."""
    return torch.where(norms > 0, bound / norms, math.inf)  # a zero record needs none


def one_batch(features: Tensor, labels: Tensor, present: Tensor, bound: float) -> Batch:
    norms = torch.linalg.vector_norm(features, dim=1)
    return Batch(features, labels, present, norms, limits(norms, bound))
