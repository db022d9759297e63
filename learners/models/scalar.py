"""Losses of one linear score: logistic, least squares, Huber, smoothed hinge, Poisson.

Such a loss has the data gradient h(⟨x_i, θ⟩, y_i)·x_i: a number times the features. So no per-sample gradient is ever
stored, the norm of each is |h|·|x_i|, clipping is a bound on h, and the clipped gradient is still that of a convex
loss (docs/theory.md L1 to L5, T16).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import softplus

from accountant.losses import Loss, ScaledLoss
from learners.models.model import Batch, one_batch
from learners.models.scaling import Scaled

MAX_EXPONENT = {torch.float64: 300.0, torch.float32: 80.0}  # where e^z is held, to stay a number


class Score(Protocol):
    """A data loss of a linear score z and a label y."""

    def slope(self, scores: Tensor, labels: Tensor) -> Tensor:
        """h(z, y), the derivative in z, for scores (…, b) and labels (b,); the data gradient of record i is h_i·x_i."""
        ...

    def value(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The loss itself (…, b)."""
        ...


@dataclass(frozen=True)
class Logistic:
    """log(1 + exp(−y z)), y = ±1."""

    def slope(self, scores: Tensor, labels: Tensor) -> Tensor:
        return -labels * torch.sigmoid(-labels * scores)

    def value(self, scores: Tensor, labels: Tensor) -> Tensor:
        return softplus(-labels * scores)


@dataclass(frozen=True)
class LeastSquares:
    """(z − y)²/2."""

    def slope(self, scores: Tensor, labels: Tensor) -> Tensor:
        return scores - labels

    def value(self, scores: Tensor, labels: Tensor) -> Tensor:
        return (scores - labels).square() / 2


@dataclass(frozen=True)
class Huber:
    """t²/2 for |t| ≤ κ and κ|t| − κ²/2 beyond, t = z − y."""

    threshold: float

    def slope(self, scores: Tensor, labels: Tensor) -> Tensor:
        return (scores - labels).clamp(-self.threshold, self.threshold)

    def value(self, scores: Tensor, labels: Tensor) -> Tensor:
        size = (scores - labels).abs()
        beyond = self.threshold * size - self.threshold**2 / 2
        return torch.where(size <= self.threshold, size.square() / 2, beyond)


@dataclass(frozen=True)
class SmoothedHinge:
    """0 for t ≥ 1, (1 − t)²/(2γ) for 1 − γ ≤ t ≤ 1, 1 − t − γ/2 below, t = y z, y = ±1."""

    smoothing: float

    def slope(self, scores: Tensor, labels: Tensor) -> Tensor:
        return -labels * ((1 - labels * scores) / self.smoothing).clamp(0.0, 1.0)

    def value(self, scores: Tensor, labels: Tensor) -> Tensor:
        missing = (1 - labels * scores).clamp(min=0.0)
        return torch.where(
            missing <= self.smoothing, missing.square() / (2 * self.smoothing), missing - self.smoothing / 2
        )


@dataclass(frozen=True)
class Poisson:
    """e^z − y z, y ≥ 0."""

    def slope(self, scores: Tensor, labels: Tensor) -> Tensor:
        return torch.exp(scores.clamp(max=MAX_EXPONENT[scores.dtype])) - labels

    def value(self, scores: Tensor, labels: Tensor) -> Tensor:
        return torch.exp(scores) - labels * scores


@dataclass(frozen=True)
class Straight:
    """y·z: the data loss of the straight witness (docs/theory.md T6); opposite labels are opposite gradients."""

    def slope(self, scores: Tensor, labels: Tensor) -> Tensor:
        return labels.expand_as(scores)

    def value(self, scores: Tensor, labels: Tensor) -> Tensor:
        return labels * scores


_SCORES: dict[str, Callable[[Any], Score]] = {  # kind of a loss -> how it depends on a record's score
    "logistic": lambda loss: Logistic(),
    "least-squares": lambda loss: LeastSquares(),
    "huber": lambda loss: Huber(float(loss.threshold)),
    "smoothed-hinge": lambda loss: SmoothedHinge(float(loss.smoothing)),
    "poisson": lambda loss: Poisson(),
}


def score_of(loss: Loss) -> Score | None:
    """How the loss, scaled or not, depends on a record's score; None where it is no scalar linear model."""
    make = _SCORES.get(loss.model if isinstance(loss, ScaledLoss) else loss.kind)
    return None if make is None else make(loss)


@dataclass(frozen=True)
class Linear:
    """A loss of a linear score, θ (…, d). bound: what no data gradient exceeds; scaled: the map that scales each of
    them before, if there is one.

    The cut at the bound is a non-decreasing map of h whose slope is at most 1, as clipping is; so it leaves convexity
    and smoothness alone whether it is ever active or not (docs/theory.md L1, T16).
    """

    score: Score
    parameters: int
    bound: float
    scaled: Scaled | None = None

    def batch(self, features: Tensor, labels: Tensor, present: Tensor) -> Batch:
        """An absent record's features are 0, and with them its data gradient."""
        return one_batch(features, labels, present, self.bound)

    def gradient(self, x: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        slopes = self.score.slope(x @ batch.features.T, batch.labels)
        if self.scaled is not None:
            slopes = slopes * self.scaled.weight(slopes.abs() * batch.norms)
        slopes = torch.minimum(torch.maximum(slopes, -batch.limits), batch.limits)
        return slopes @ batch.features / batch.size, slopes.abs() * batch.norms
