"""One training of `training`, which any process may work on: a network, trained privately as a run says, or plainly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certify.experiments.images import DELTA, Images, Part, load_images
from certify.experiments.networks import NETWORKS
from certify.experiments.trials import one_thread
from certify.runfile.read import Run

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class TrainingTrial:
    """The training of one seed, which draws the start, the batches and the noise: trainings of a seed share them.

    run: its mechanism is executed. step: η·Δ, the largest move that one record's term can cause is step/b (outer
    momentum spreads it over time, with the same sum). private: else batches drawn the same way, without scaling and
    noise, where η = step.
    """

    data: str
    network: str
    run: Run
    step: float
    seed: int = 0
    private: bool = True


def run_training_trial(trial: TrainingTrial) -> tuple[float, ...] | str:
    """(accuracy on the validation records, on the test records); or why the learner refuses, in one line. On one CPU
    thread, so that the numbers are the same wherever they are computed."""
    import torch

    from learners.refused import LearnerRefused
    from learners.stepping import RunCheckFailed

    images = load_images(trial.data)
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(trial.seed)
        network = NETWORKS[trial.network](*images.train.pixels.shape[1:3])
        try:
            (_train if trial.private else _train_plainly)(trial, network, images)
        except (LearnerRefused, RunCheckFailed) as refused:  # StepRefused is one: a loss that is not finite
            return str(refused)
        return accuracy(network, images.validation), accuracy(network, images.test)


def accuracy(network: nn.Module, part: Part) -> float:
    """The share of records whose highest score is their label's."""
    import torch

    with torch.no_grad():
        right = sum(
            int((network(pixels).argmax(1) == labels).sum())
            for pixels, labels in zip(part.pixels.split(4096), part.labels.split(4096), strict=True)
        )
    return right / len(part)


def _train(trial: TrainingTrial, network: nn.Module, images: Images) -> None:
    import torch
    import torch.nn.functional as F

    from accountant import training_sensitivity
    from learners.training import PrivateTrainer

    mechanism = trial.run.mechanism
    outer = float(mechanism.momentum.outer)
    rate = trial.step / float(training_sensitivity(mechanism)) * (1 - outer)
    optimizer = torch.optim.SGD(network.parameters(), lr=rate, momentum=outer)
    dataset = torch.utils.data.TensorDataset(images.train.pixels, images.train.labels)
    trainer = PrivateTrainer(network, optimizer, dataset, mechanism, delta=DELTA, device="cpu", seed=trial.seed)
    for pixels, labels in trainer:
        trainer.step(lambda x=pixels, y=labels: F.cross_entropy(network(x), y, reduction="none"))
    trainer.close()


def _train_plainly(trial: TrainingTrial, network: nn.Module, images: Images) -> None:
    """Batches drawn the same way, and sums divided by the same number."""
    import torch
    import torch.nn.functional as F

    from learners.samplers import sampler_of

    mechanism, samples = trial.run.mechanism, len(images.train)
    mean = float(mechanism.stages[0].sample_rate * samples)
    optimizer = torch.optim.SGD(network.parameters(), lr=trial.step)
    sampler = sampler_of(mechanism, samples, trial.seed)
    for _ in range(mechanism.steps):
        rows = torch.from_numpy(sampler.draw())
        optimizer.zero_grad()
        loss = F.cross_entropy(network(images.train.pixels[rows]), images.train.labels[rows], reduction="sum")
        (loss / mean).backward()
        optimizer.step()
