"""A training by names that users of Opacus know: noise_multiplier, max_grad_norm, target_delta, batch_size."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import torch
from torch import nn

from accountant import InvalidMechanism, Momentum, ScaledSGD, Stage
from accountant.core.exact import canonical, exact
from accountant.core.scaling import Scaling
from learners.record import MAPS
from learners.refused import LearnerRefused
from learners.training.reading import length
from learners.training.trainer import PrivateTrainer

Number = Fraction | int | str


def make_private(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    dataset: Any,
    *,
    noise_multiplier: Number,
    max_grad_norm: Number,
    target_delta: Number,
    sample_rate: Number | None = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    target_epsilon: Number | None = None,
    scaling: str = "clip",
    r: Number | None = None,
    s: Number | None = None,
    momentum: Momentum | None = None,
    normaliser: Number | None = None,
    **more: Any,
) -> PrivateTrainer:
    """A trainer with Poisson batches; the number of records counts as public, as it does with Opacus.

    Numbers are exact: whole numbers, fractions, or strings such as "1.1".

    Args:
        noise_multiplier: z; the noise on a sum has standard deviation zΔ, Δ = max_grad_norm (over s, for "psasc").
        sample_rate, batch_size: one of them, or both where batch_size = sample_rate · records: a batch_size is the mean
            size of a batch, and what sums are divided by.
        epochs, steps: one of them; an epoch has ⌈1/sample_rate⌉ steps.
        scaling: "clip", "auto-s" (needs r), "psac" (r) or "psasc" (r and s).
        more: other fields of `accountant.ScaledSGD` (sampling, neighbours, max_batch_size, …) and other arguments of
            PrivateTrainer.

    Raises:
        LearnerRefused, InvalidMechanism: what is missing, contradicts, or is out of its range.
        TypeError: a float where an exact number is needed.
    """
    samples = length(dataset)
    rate = _rate(samples, sample_rate, batch_size)
    if (epochs is None) == (steps is None):
        raise LearnerRefused("steps: give epochs or steps, one of them")
    if epochs is not None:
        if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
            raise LearnerRefused(f"epochs: {epochs!r} must be a whole number from 1 up")
        steps = epochs * math.ceil(1 / rate)
    described = {key: more.pop(key) for key in list(more) if key in ScaledSGD.__dataclass_fields__}
    mechanism = ScaledSGD(
        _scaling(scaling, max_grad_norm, r, s),
        (Stage(noise_multiplier, rate, steps),),  # type: ignore[arg-type]  # Stage makes them exact
        samples=samples,
        normaliser=rate * samples if normaliser is None else exact(normaliser, "normaliser"),
        momentum=momentum or Momentum(),
        **described,
    )
    return PrivateTrainer(
        model,
        optimizer,
        dataset,
        mechanism,
        delta=exact(target_delta, "target_delta"),
        target_epsilon=target_epsilon,
        **more,
    )


def _rate(samples: int, sample_rate: Number | None, batch_size: int | None) -> Fraction:
    if sample_rate is None and batch_size is None:
        raise LearnerRefused("sample_rate: is missing; give it, or batch_size")
    if batch_size is not None and (isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1):
        raise LearnerRefused(f"batch_size: {batch_size!r} must be a whole number from 1 up")
    if sample_rate is not None:
        rate = exact(sample_rate, "sample_rate")
    else:
        assert batch_size is not None
        rate = Fraction(batch_size, samples)
    if sample_rate is not None and batch_size is not None and rate * samples != batch_size:
        raise LearnerRefused(
            f"batch_size: {batch_size} of {samples} records is a sample_rate of "
            f"{canonical(Fraction(batch_size, samples))}, not {canonical(rate)}; leave one of them out"
        )
    if not 0 < rate <= 1:
        raise InvalidMechanism("sample_rate", f"{canonical(rate)} must be above 0 and at most 1")
    return rate


def _scaling(kind: str, max_grad_norm: Number, r: Number | None, s: Number | None) -> Scaling:
    if kind not in MAPS:
        raise LearnerRefused(f"scaling: {kind!r} is unknown; write one of {', '.join(MAPS)}")
    needs = {"clip": (), "auto-s": ("r",), "psac": ("r",), "psasc": ("r", "s")}[kind]
    given = {"r": r, "s": s}
    for key, value in given.items():
        if (key in needs) != (value is not None):
            raise LearnerRefused(f'{key}: {"is missing" if key in needs else "is not for"} scaling = "{kind}"')
    return MAPS[kind](max_grad_norm, **{key: given[key] for key in needs})
