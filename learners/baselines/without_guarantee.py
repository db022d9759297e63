"""What is done in practice and promises nothing: fine-tuning and gradient ascent, without any noise."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import torch

from accountant.mechanisms.pnsgd import NoisySGD
from learners.baselines.method import NO_GUARANTEE, Learned, Method, descend
from learners.data import Dataset
from learners.execution import executed_model
from learners.models import Numbers
from learners.stepping import Rule, project


class WithoutNoise(Method):
    """What learns without noise, from any mechanism."""

    guarantee = NO_GUARANTEE

    def check(self, mechanism: NoisySGD) -> None:
        pass

    def train(self, model: Learned, device: torch.device) -> Learned:
        return descend(model, model.dataset, model.mechanism.epochs, device)


@final
class FineTuning(WithoutNoise):
    """Learning without noise; after a request the same steps go on, on the data that are left."""

    name = "fine-tuning"

    def forget(self, model: Learned, kept: Dataset, gone: Dataset, epochs: int, device: torch.device) -> Learned:
        return descend(model, kept, epochs, device)


@final
class GradientAscent(WithoutNoise):
    """Learning without noise; after a request, steps *up* the erased records' data loss, one an epoch, with the weight
    that they had in a batch, clipped and projected as the mechanism's are. What is left is not looked at."""

    name = "gradient-ascent"

    def forget(self, model: Learned, kept: Dataset, gone: Dataset, epochs: int, device: torch.device) -> Learned:
        mechanism, numbers = model.mechanism, Numbers(length=max(gone.features.shape[1], len(model.parameters)))
        rule, x = Rule.of(mechanism, numbers), model.parameters.to(device)
        executed = executed_model(mechanism.loss, model.network, gone, rule, numbers, device)
        there = torch.ones(len(gone), dtype=torch.bool)
        batch = executed.batch(*(value.to(device) for value in (gone.features, gone.labels, there)))
        length = rule.step_size * len(gone) / rule.batch_size
        for _ in range(epochs):
            x = project(x + length * executed.gradient(x, batch)[0], rule)
        ended = x.to("cpu", copy=True)
        return replace(model, parameters=ended, released=ended, steps=model.steps + epochs)
