"""The noisy step itself, the one place where parameters change; for every loss that is a function of a linear score.

Such a loss has the data gradient h(⟨x_i, θ⟩, y_i)·x_i: a number times the features. So no per-sample gradient is ever
stored, the norm of each is |h|·|x_i|, clipping is a bound on h, and the clipped gradient is still that of a convex
loss (docs/theory.md T16).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import torch
from torch import Tensor

from accountant.mechanisms.pnsgd import NoisySGD
from learners.data import SHRINK
from learners.noise import Noise

Progress = Callable[[int, int], None]
"""Called after every epoch with (epochs done, epochs in all)."""


class RunCheckFailed(RuntimeError):
    """A run left what the mechanism promises; its result is thrown away. Names the check, the value and the bound."""


class Loss(Protocol):
    """A data loss of a linear score, by its derivative."""

    def slope(self, scores: Tensor, labels: Tensor) -> Tensor:
        """h(z, y) for scores (…, b) and labels (b,), in loss per score; the data gradient of record i is h_i·x_i."""
        ...


@dataclass(frozen=True)
class Logistic:
    """log(1 + exp(−y z))."""

    def slope(self, scores: Tensor, labels: Tensor) -> Tensor:
        return -labels * torch.sigmoid(-labels * scores)


@dataclass(frozen=True)
class Straight:
    """y·z: the data loss of the straight witness (docs/theory.md T6); opposite labels are opposite gradients."""

    def slope(self, scores: Tensor, labels: Tensor) -> Tensor:
        return labels.expand_as(scores)


def below(value: Fraction) -> float:
    """The largest float64 that is not above `value` (or its neighbour below)."""
    nearest = float(value)
    return nearest if Fraction(nearest) <= value else math.nextafter(nearest, -math.inf)


@dataclass(frozen=True)
class Rule:
    """x ← Π(x − η(Σ clip(g_i)/b + m x) + τN) with the mechanism's numbers in float64; bounds rounded down."""

    step_size: float
    noise_scale: float
    regularization: float
    batch_size: int
    gradient_bound: float
    radius: float | None

    @classmethod
    def of(cls, mechanism: NoisySGD) -> Rule:
        constants = mechanism.loss.constants()
        return cls(
            step_size=float(mechanism.step_size),
            noise_scale=math.sqrt(2 * mechanism.step_size * mechanism.noise_std**2),
            regularization=float(constants.strong_convexity),
            batch_size=mechanism.batch_size,
            gradient_bound=below(constants.gradient_bound),
            radius=None if mechanism.radius is None else below(mechanism.radius),
        )


@dataclass(frozen=True, eq=False)
class Batch:
    """b records on the device: features (b, d), labels, feature norms and the bounds on |h| that clip (b,)."""

    features: Tensor
    labels: Tensor
    norms: Tensor
    limits: Tensor

    @classmethod
    def of(cls, features: Tensor, labels: Tensor, rule: Rule) -> Batch:
        """Raises RunCheckFailed when the batch is not full: the sum is divided by batch_size, whatever it holds."""
        if len(features) != rule.batch_size:
            raise RunCheckFailed(f"batch: {len(features)} records, batch_size = {rule.batch_size}")
        norms = torch.linalg.vector_norm(features, dim=1)
        limits = torch.where(norms > 0, rule.gradient_bound * SHRINK / norms, math.inf)  # a zero record needs none
        return cls(features, labels, norms, limits)


@dataclass(frozen=True)
class Observed:
    """What a stretch did: steps, the largest clipped data gradient, the largest parameter norm after a step, and the
    largest size of a coordinate before its projection."""

    steps: int
    max_gradient_norm: float
    max_parameter_norm: float
    max_coordinate: float


def step(x: Tensor, batch: Batch, loss: Loss, normals: Tensor, rule: Rule) -> tuple[Tensor, Tensor]:
    """One step of x (…, d) with standard normals (…, d): the new parameters and the gradients' norms (…, b).

    Clipping and projection aim a hair (2⁻⁴⁰) inside their bounds: projecting on a slightly smaller ball is still
    1-Lipschitz, and then rounding cannot leave the ball that was certified.
    """
    moved, norms = move(x, batch, loss, normals, rule)
    return project(moved, rule), norms


def move(x: Tensor, batch: Batch, loss: Loss, normals: Tensor, rule: Rule) -> tuple[Tensor, Tensor]:
    """A step before its projection, and the gradients' norms."""
    slopes = loss.slope(x @ batch.features.T, batch.labels)
    slopes = torch.minimum(torch.maximum(slopes, -batch.limits), batch.limits)
    gradient = slopes @ batch.features / rule.batch_size + rule.regularization * x
    return x - rule.step_size * gradient + rule.noise_scale * normals, slopes.abs() * batch.norms


def project(x: Tensor, rule: Rule) -> Tensor:
    if rule.radius is None:
        return x
    norms = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x * (rule.radius * SHRINK / norms).clamp(max=1.0)


def run(
    x: Tensor,
    batches: tuple[Batch, ...],
    loss: Loss,
    noise: Noise,
    rule: Rule,
    epochs: int,
    progress: Progress | None = None,
    check_coordinate: Callable[[float], None] | None = None,
) -> tuple[Tensor, Observed]:
    """`epochs` passes over the batches in their order, from x (…, d); checks every step's bounds, once an epoch.

    check_coordinate: called after every epoch with the largest size of a coordinate so far; raises RunCheckFailed.

    Raises:
        RunCheckFailed: noise of a narrower type than x, parameters not finite, a data gradient beyond the bound M,
            parameters outside the ball.
    """
    steps, gradient, parameter = 0, torch.zeros((), device=x.device, dtype=x.dtype), 0.0
    largest, coordinate = gradient.clone(), x.abs().max() if x.numel() else gradient.clone()
    for epoch in range(epochs):
        for batch, normals in zip(batches, noise((len(batches), *x.shape)).to(x.device), strict=True):
            if torch.finfo(normals.dtype).bits < torch.finfo(x.dtype).bits:  # x's low bits would show through it
                raise RunCheckFailed(f"noise: {normals.dtype} numbers for parameters of {x.dtype}; draw {x.dtype} ones")
            moved, norms = move(x, batch, loss, normals, rule)
            coordinate = torch.maximum(coordinate, moved.abs().max())
            x = project(moved, rule)
            gradient = torch.maximum(gradient, norms.max())  # kept on the device: one wait an epoch, not one a step
            largest = torch.maximum(largest, torch.linalg.vector_norm(x, dim=-1).max())
            steps += 1
        parameter = largest.item()
        if not (math.isfinite(parameter) and x.isfinite().all()):
            raise RunCheckFailed(
                f"finite: parameters of norm {parameter} in epoch {epoch + 1}; take a smaller step_size"
            )
        if not gradient.item() <= rule.gradient_bound:
            raise RunCheckFailed(
                f"gradient_bound: a data gradient of norm {gradient.item()} > M = {rule.gradient_bound}"
            )
        if rule.radius is not None and not parameter <= rule.radius:
            raise RunCheckFailed(f"radius: parameters of norm {parameter} outside the ball of radius {rule.radius}")
        if check_coordinate is not None:
            check_coordinate(coordinate.item())
        if progress is not None:
            progress(epoch + 1, epochs)
    return x, Observed(steps, gradient.item(), parameter, coordinate.item())
