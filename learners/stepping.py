"""The noisy step itself, the one place where parameters change; for every model of learners/models/."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import torch
from torch import Tensor

from accountant.mechanisms.pnsgd import NoisySGD
from learners.models import Batch, Model, Numbers
from learners.noise import Noise

Progress = Callable[[int, int], None]
"""Called after every epoch with (epochs done, epochs in all)."""
CHUNK = 2**18  # how many normals are drawn at a time, at most


class Pass(Protocol):
    """The batches of an epoch, in their order: a sequence, or what reads them anew each time."""

    def __iter__(self) -> Iterator[Batch]: ...

    def __len__(self) -> int: ...


class RunCheckFailed(RuntimeError):
    """A run left what the mechanism promises; its result is thrown away. Names the check, the value and the bound."""


def below(value: Fraction) -> float:
    """The largest float64 that is not above `value` (or its neighbour below)."""
    nearest = float(value)
    return nearest if Fraction(nearest) <= value else math.nextafter(nearest, -math.inf)


@dataclass(frozen=True)
class Rule:
    """x ← Π(x − η(g + m x) + τN) with the mechanism's numbers in float64; bounds rounded down. g is the model's mean of
    bounded data gradients; batches of another size than batch_size are none of its.

    room: the factor just below 1 with which the projection aims at its ball: projecting on a slightly smaller ball is
    still 1-Lipschitz, and then rounding cannot leave the ball that was certified.
    """

    step_size: float
    noise_scale: float
    regularization: float
    batch_size: int
    gradient_bound: float
    radius: float | None
    room: float

    @classmethod
    def of(cls, mechanism: NoisySGD, numbers: Numbers | None = None) -> Rule:
        constants = mechanism.loss.constants()
        return cls(
            step_size=float(mechanism.step_size),
            noise_scale=math.sqrt(2 * mechanism.step_size * mechanism.noise_std**2),
            regularization=float(constants.strong_convexity),
            batch_size=mechanism.batch_size,
            gradient_bound=below(constants.gradient_bound),
            radius=None if mechanism.radius is None else below(mechanism.radius),
            room=(numbers or Numbers()).room,
        )


@dataclass(frozen=True)
class Observed:
    """What a stretch did: steps, the largest bounded data gradient, the largest parameter norm after a step, the
    largest size of a coordinate before its projection, and the last step before its projection (None without any)."""

    steps: int
    max_gradient_norm: float
    max_parameter_norm: float
    max_coordinate: float
    last: Tensor | None = None


def step(x: Tensor, batch: Batch, model: Model, normals: Tensor, rule: Rule) -> tuple[Tensor, Tensor]:
    """One step of x (…, p) with standard normals (…, p): the new parameters and the norms of what was bounded."""
    moved, norms = move(x, batch, model, normals, rule)
    return project(moved, rule), norms


def move(x: Tensor, batch: Batch, model: Model, normals: Tensor, rule: Rule) -> tuple[Tensor, Tensor]:
    """A step before its projection, and the norms. The noise is added in float64, and then rounded to x's numbers."""
    mean, norms = model.gradient(x, batch)
    moved = x - rule.step_size * (mean + rule.regularization * x)
    return (moved + rule.noise_scale * normals).to(x.dtype), norms


def project(x: Tensor, rule: Rule) -> Tensor:
    if rule.radius is None:
        return x
    norms = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x * (rule.radius * rule.room / norms).clamp(max=1.0)


def run(
    x: Tensor,
    batches: Pass,
    model: Model,
    noise: Noise,
    rule: Rule,
    epochs: int,
    progress: Progress | None = None,
    check: Callable[[float, float], None] | None = None,
) -> tuple[Tensor, Observed]:
    """`epochs` passes over the batches in their order, from x (…, p); checks every step's bounds, once an epoch.

    batches: gone through anew in every epoch. check: called after every epoch with the largest size of a coordinate and
    the largest parameter norm so far; raises RunCheckFailed.

    Raises:
        RunCheckFailed: a batch that is not full, noise of a narrower type than float64, parameters not finite, a data
            gradient beyond the bound M, parameters outside the ball.
    """
    steps, gradient, parameter = 0, torch.zeros((), device=x.device, dtype=x.dtype), 0.0
    largest, coordinate, moved = gradient.clone(), x.abs().max() if x.numel() else gradient.clone(), None
    normals = _drawn(noise, x, epochs * len(batches))
    for epoch in range(epochs):
        for batch in batches:
            if batch.size != rule.batch_size:  # the sum is divided by batch_size
                raise RunCheckFailed(f"batch: {batch.size} records, batch_size = {rule.batch_size}")
            moved, norms = move(x, batch, model, next(normals), rule)
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
        if check is not None:
            check(coordinate.item(), parameter)
        if progress is not None:
            progress(epoch + 1, epochs)
    return x, Observed(steps, gradient.item(), parameter, coordinate.item(), moved)


def _drawn(noise: Noise, x: Tensor, steps: int) -> Iterator[Tensor]:
    """Normals for one step after the other, on x's device; drawn for many steps at once."""
    most = max(1, CHUNK // max(x.numel(), 1))
    for first in range(0, steps, most):
        normals = noise((min(most, steps - first), *x.shape))
        if normals.dtype != torch.float64:  # the low bits of x would show through narrower ones
            raise RunCheckFailed(f"noise: {normals.dtype} numbers for parameters of {x.dtype}; draw torch.float64 ones")
        yield from normals.to(x.device)
