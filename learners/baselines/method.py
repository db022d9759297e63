"""What other ways to unlearn share: one interface, and a model that can be compared, and never be taken for a certified
run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from accountant.mechanisms.pnsgd import NoisySGD
from learners.batches import Batches
from learners.checks import check_device, check_records, check_start, draw_order, vouch, without
from learners.data import Dataset
from learners.execution import executed_model, parameters_of
from learners.models import Network, Numbers
from learners.noise import source
from learners.refused import LearnerRefused
from learners.stepping import Rule, run

NO_GUARANTEE = "none: nothing is known of what the model still tells of the erased records"


@dataclass(frozen=True, eq=False)
class Learned:
    """A model by some method. parameters (p,): its state, on which the next request goes on; released (p,): what may be
    shown, as far as the method's guarantee goes. steps: gradient steps so far, all phases together. seed: None, or all
    its noise can be drawn again."""

    method: str
    guarantee: str
    mechanism: NoisySGD
    dataset: Dataset
    parameters: Tensor
    released: Tensor
    order: Tensor
    start: Tensor
    erased: tuple[int, ...]
    requests: int
    steps: int
    seed: int | None
    network: Network | None = None


class Method(ABC):
    """A way to learn, and to unlearn records from what was learned. Final classes implement it."""

    name: ClassVar[str]
    guarantee: ClassVar[str]  # in words, with its source

    @abstractmethod
    def check(self, mechanism: NoisySGD) -> None:
        """Raises LearnerRefused where the method's statement is not about such a mechanism."""

    @abstractmethod
    def train(self, model: Learned, device: torch.device) -> Learned:
        """Learning itself, from the start."""

    @abstractmethod
    def forget(self, model: Learned, kept: Dataset, gone: Dataset, epochs: int, device: torch.device) -> Learned:
        """`epochs` epochs after a request. kept: the data without the records; gone: the records themselves."""

    def learn(
        self,
        mechanism: NoisySGD,
        dataset: Dataset,
        *,
        model: torch.nn.Module | Network | None = None,
        start: Tensor | None = None,
        order_seed: int | None = None,
        device: str | torch.device = "auto",
        seed: int | None = None,
    ) -> Learned:
        """As `learners.learn`, by this method. Raises LearnerRefused, FeatureNormExceeded."""
        network = Network(model) if isinstance(model, torch.nn.Module) else model
        vouch(mechanism, dataset, network)
        self.check(mechanism)
        order, _ = draw_order(mechanism, order_seed, seed)
        first = check_start(mechanism, parameters_of(mechanism, dataset, network), start, network)
        untrained = Learned(
            self.name, self.guarantee, mechanism, dataset, first, first, order, first, (), 0, 0, seed, network
        )
        return self.train(untrained, check_device(device)[0])

    def unlearn(
        self,
        model: Learned,
        records: Iterable[int],
        *,
        replacements: Dataset | None = None,
        device: str | torch.device = "auto",
    ) -> Learned:
        """As `learners.unlearn`, by this method: the mechanism's next request. Raises LearnerRefused."""
        mechanism, done = model.mechanism, model.requests
        if model.method != self.name:
            raise LearnerRefused(f"method: {self.name} of a model by {model.method}; unlearn by that, or learn anew")
        if done == len(mechanism.requests):
            raise LearnerRefused(f"requests.sizes: all {done} requests are executed; write more of them")
        chosen = check_records(mechanism, records, model.erased)
        if len(chosen) != mechanism.requests[done]:
            raise LearnerRefused(
                f"requests.sizes: request {done + 1} is for {mechanism.requests[done]} records, got {len(chosen)}"
            )
        places = list(chosen)
        gone = Dataset("gone", model.dataset.features[places], model.dataset.labels[places], model.dataset.feature_norm)
        kept = without(model.dataset, mechanism, chosen, replacements, model.network)
        after = self.forget(model, kept, gone, mechanism.unlearning_epochs[done], check_device(device)[0])
        return replace(after, dataset=kept, erased=(*model.erased, *chosen), requests=done + 1)


def descend(
    model: Learned,
    dataset: Dataset,
    epochs: int,
    device: torch.device,
    *,
    noise: bool = False,
    step_size: float | None = None,
) -> Learned:
    """Epochs of the mechanism's steps from the model's parameters, without noise, or with the mechanism's own."""
    mechanism, numbers = model.mechanism, Numbers(length=max(dataset.features.shape[1], len(model.parameters)))
    rule = Rule.of(mechanism, numbers)
    rule = replace(rule, step_size=step_size or rule.step_size, noise_scale=rule.noise_scale if noise else 0.0)
    executed = executed_model(mechanism.loss, model.network, dataset, rule, numbers, device)
    batches = Batches.of(mechanism, dataset, model.order, executed, numbers, device)
    stretch = f"unlearn {model.requests}" if model.steps else "learn"
    drawn = source(model.seed, stretch) if noise else lambda shape: torch.zeros(shape, dtype=torch.float64)
    x, observed = run(model.parameters.to(device), batches, executed, drawn, rule, epochs)
    ended = x.to("cpu", copy=True)
    return replace(model, parameters=ended, released=ended, steps=model.steps + observed.steps)
