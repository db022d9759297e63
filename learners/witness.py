"""The straight witness, executed: two neighbouring runs whose distance nobody can deny (docs/theory.md T6).

Data losses y_i·⟨x_i, θ⟩ in dimension 1; the differing records have gradients of norm M, opposite in the other run
(replace-one) or zero (remove-one), all the others none; regulariser (m/2)|x|². Both final models are exactly Gaussian
with the same variance, so the experiment can be compared with D_N and V_N number by number. It runs the learners' own
stepping code: what it confirms is that code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from accountant.mechanisms.pnsgd import NoisySGD
from learners.models import Batch, Linear, Numbers, Straight
from learners.noise import source
from learners.refused import LearnerRefused
from learners.stepping import Rule, run


@dataclass(frozen=True)
class Moments:
    """The two final laws: Gaussians `distance` apart (parameter units), of equal variance; mu lies between them."""

    distance: float
    variance: float

    @property
    def mu(self) -> float:
        return self.distance / math.sqrt(self.variance)


def _schedule(mechanism: NoisySGD, position: int | None) -> list[tuple[int, list[int]]]:
    """Stretches (epochs, records that still differ in each batch): learning, then one for each request.

    The differing records fill batch `position` (default: the last) up to b, then the one before.
    """
    if mechanism.radius is not None:
        raise LearnerRefused("radius: the witness is for runs without projection; leave radius out")
    if (mechanism.reference, mechanism.release) != ("retrain", "final"):
        raise LearnerRefused('reference, release: the witness compares with "retrain" and shows the "final" model only')
    position = mechanism.batches - 1 if position is None else position
    b, total = mechanism.batch_size, sum(mechanism.requests)
    if not 0 <= position < mechanism.batches or total > (position + 1) * b:
        raise LearnerRefused(f"position: {total} records do not fit in batches 0 to {position} of {mechanism.batches}")
    where = [position - i // b for i in range(total)]  # of the records in the order of the requests
    stretches, gone = [], 0
    for epochs, size in zip((mechanism.epochs, *mechanism.unlearning_epochs), (0, *mechanism.requests), strict=True):
        gone += size
        stretches.append((epochs, [where[gone:].count(j) for j in range(mechanism.batches)]))
    return stretches


def moments(mechanism: NoisySGD, position: int | None = None) -> Moments:
    """D_N and V_N, step by step: D ← cD + s_k, V ← c²V + τ², c = 1 − ηm, from D_0 = initial_distance, V_0 = 0."""
    constants = mechanism.loss.constants()
    c = float(1 - mechanism.step_size * constants.strong_convexity)
    ways = mechanism.shift
    shift = float(ways * mechanism.step_size * constants.gradient_bound / mechanism.batch_size)
    noise = float(2 * mechanism.step_size * mechanism.noise_std**2)
    d, v = float(mechanism.initial_distance), 0.0
    for epochs, differing in _schedule(mechanism, position):
        for _ in range(epochs):
            for count in differing:
                d, v = c * d + shift * count, c * c * v + noise
    return Moments(d, v)


def simulate(
    mechanism: NoisySGD, *, chains: int, seed: int | None = None, position: int | None = None
) -> tuple[Tensor, Tensor]:
    """Final parameters (chains,) of the run with its requests, and of the reference that never saw those records.

    All chains and both runs have independent noise. The first run's parameters lie above by `moments(...).distance`
    on average (its gradients point down).

    Raises:
        LearnerRefused: a radius, another reference than retraining, records that do not fit in the batches.
    """
    rule, schedule = Rule.of(mechanism), _schedule(mechanism, position)
    opposite = 1.0 if mechanism.neighbours == "replace-one" else 0.0
    half = float(mechanism.initial_distance) / 2
    model, finals = Linear(Straight(), 1, rule.gradient_bound * Numbers().room), []
    for name, start in (("history", half), ("reference", -half)):
        noise = source(seed, name)
        total, x = schedule[0][1], torch.full((chains, 1), start, dtype=torch.float64)
        for epochs, differing in schedule:
            left = differing if name == "history" else [0] * len(total)
            x, _ = run(x, _batches(model, rule, total, left, opposite), model, noise, rule, epochs)
        finals.append(x[:, 0])
    return finals[0], finals[1]


def _batches(model: Linear, rule: Rule, total: list[int], left: list[int], opposite: float) -> tuple[Batch, ...]:
    """Batches with total[j] records that may differ, left[j] of which pull up and the others down, or nowhere."""
    batches = []
    for of_batch, up in zip(total, left, strict=True):
        features = torch.zeros(rule.batch_size, 1, dtype=torch.float64)
        labels = torch.ones(rule.batch_size, dtype=torch.float64)
        features[:up], features[up:of_batch] = rule.gradient_bound, rule.gradient_bound * opposite
        labels[:up] = -1.0
        batches.append(model.batch(features, labels, torch.ones(rule.batch_size, dtype=torch.bool)))
    return tuple(batches)
