"""Methods that say what they guarantee: retraining, Langevin unlearning, descent-to-delete."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import final

import torch

from accountant.mechanisms.pnsgd import NoisySGD
from learners.baselines.method import Learned, Method, descend
from learners.data import Dataset
from learners.noise import source
from learners.refused import LearnerRefused


@final
class Retraining(Method):
    """Learn anew on what is left, from the same start, for the epochs of learning, with the mechanism's noise."""

    name = "retraining"
    guarantee = "exact: the model never saw the erased records; every model shown still costs what learning costs"

    def check(self, mechanism: NoisySGD) -> None:
        pass

    def train(self, model: Learned, device: torch.device) -> Learned:
        return descend(model, model.dataset, model.mechanism.epochs, device, noise=True)

    def forget(self, model: Learned, kept: Dataset, gone: Dataset, epochs: int, device: torch.device) -> Learned:
        anew = replace(model, parameters=model.start)
        return descend(anew, kept, model.mechanism.epochs, device, noise=True)


@final
class Langevin(Method):
    """Noisy gradient descent on full batches (Chien, Wang, Chen, Li, NeurIPS 2024, arXiv 2401.10371): ours with one
    batch and η ≤ 1/L, which is what their bound P2 is about."""

    name = "langevin"
    guarantee = "docs/theory.md P2 (published), which the theorems here improve: T3, T11"

    def check(self, mechanism: NoisySGD) -> None:
        constants = mechanism.loss.constants()
        if mechanism.batches > 1:
            raise LearnerRefused(f"batch_size: Langevin unlearning takes full batches; write {mechanism.samples}")
        if not constants.convex or constants.smoothness is None or mechanism.step_size * constants.smoothness > 1:
            raise LearnerRefused('step_size: Langevin unlearning is for convex losses and η ≤ 1/L; write "1/L"')

    def train(self, model: Learned, device: torch.device) -> Learned:
        return descend(model, model.dataset, model.mechanism.epochs, device, noise=True)

    def forget(self, model: Learned, kept: Dataset, gone: Dataset, epochs: int, device: torch.device) -> Learned:
        return descend(model, kept, epochs, device, noise=True)


@final
class DescentToDelete(Method):
    """Neel, Roth, Sharifi-Malvajerdi (ALT 2021, arXiv 2007.02923), as docs/theory.md P3 has it.

    Full batches, steps of 2/(L+m) without noise; the state stays secret. What is released has noise N(0, σ²I) added
    once, σ the mechanism's noise_std. P3 needs the learned state within Δ₀ = 2Mγ^I/(mn(1−γ^I)) of the optimum,
    γ = (L−m)/(L+m), I the unlearning epochs: learning takes the mechanism's epochs, and is refused where these do not
    lead there from any start of that norm.
    """

    name = "descent-to-delete"
    guarantee = "docs/theory.md P3 (published): one request; the state without noise must stay secret"

    def check(self, mechanism: NoisySGD) -> None:
        constants = mechanism.loss.constants()
        m, smoothness = constants.strong_convexity, constants.smoothness
        if mechanism.batches > 1 or mechanism.radius is not None:
            raise LearnerRefused("batch_size, radius: descent-to-delete takes full batches, and no projection")
        if not constants.convex or smoothness is None or not 0 < m < smoothness:
            raise LearnerRefused("loss: descent-to-delete needs a convex loss with 0 < m < L; write a regularization")
        if mechanism.requests != (1,) or not mechanism.unlearning_epochs[0]:
            raise LearnerRefused("requests.sizes: P3 is about one request of one record, and K ≥ 1; write that")

    def train(self, model: Learned, device: torch.device) -> Learned:
        mechanism = model.mechanism
        constants = mechanism.loss.constants()
        m, smoothness = float(constants.strong_convexity), float(constants.smoothness or 0)  # `check` has looked
        bound, rate = float(constants.gradient_bound), (smoothness - m) / (smoothness + m)
        power = rate ** mechanism.unlearning_epochs[0]
        near = 2 * bound * power / (m * mechanism.samples * (1 - power))
        far = torch.linalg.vector_norm(model.start).item() + bound / m  # |θ*| ≤ M/m, for its gradient is mθ*
        needed = math.ceil(math.log(far / near) / -math.log(rate) * (1 + 1e-12)) if far > near else 0
        if mechanism.epochs < needed:
            raise LearnerRefused(
                f"epochs: {mechanism.epochs} need not lead within {near:.3g} of the optimum, as P3 needs; "
                f"write {needed}"
            )
        return self._released(descend(model, model.dataset, mechanism.epochs, device, step_size=self._step(mechanism)))

    def forget(self, model: Learned, kept: Dataset, gone: Dataset, epochs: int, device: torch.device) -> Learned:
        return self._released(descend(model, kept, epochs, device, step_size=self._step(model.mechanism)))

    @staticmethod
    def _step(mechanism: NoisySGD) -> float:
        constants = mechanism.loss.constants()
        return float(2 / ((constants.smoothness or 0) + constants.strong_convexity))

    @staticmethod
    def _released(model: Learned) -> Learned:
        normals = source(model.seed, f"output {model.steps}")(tuple(model.parameters.shape))
        return replace(model, released=model.parameters + float(model.mechanism.noise_std) * normals)
