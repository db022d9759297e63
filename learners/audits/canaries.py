"""Many canaries in one training: record i pulls at coordinate i alone, as hard as the mechanism lets any record pull.

The model is linear with one coordinate a canary, split into two layers; record i's loss is ±M·θ_i, or 0 where it is
absent, so that its gradient is ±M·e_i whatever θ is, and scaled it is ±φ(M)·e_i with φ(M) ≥ .999·Δ. Whether canary i is
in (+ rather than absent, or + rather than − where neighbours replace a record) is decided by a coin of its own. What
is observed of it are the T noisy sums in coordinate i: the pair of laws that the accountant's bound is attained by.

Are the observations of one training independent? The noise of coordinates is, and a record's weight depends on its own
gradient alone. What is left are the draws:

* poisson: each record's are independent of the others', and so are observations.
* full, fixed, shuffled, which do not amplify: the certified bound does not use that draws are secret, so the auditor
  is shown them; given the draws, observations are independent. They are identically distributed where all canaries are
  drawn equally often.
  Where not (`Observed.alike`), the rates' average over all canaries satisfies the claim as each does, those with one
  coin are a random part of them, and E e^(λ·hits) is at most a binomial count's of that average (Hoeffding 1963, on
  sampling without replacement): Chernoff's bound holds.
* without-replacement: memberships of a uniform subset of fixed size are negatively associated, and so are monotone
  functions of disjoint groups of them and of independent noise (Joag-Dev, Proschan 1983): whether canary i is seen
  is one, for all with the same coin. Chernoff's bound holds for such counts; Clopper and Pearson's is not known to.
  The threshold must not depend on them: it is chosen on other trainings.
* poisson with a cap: they are those without it, but where some batch was cut. That probability is taken off the level.

A record that is absent stays in the data with gradient 0. The sums are those without it; only a cap could tell them
apart, and then the canary is drawn at most as often as the claim says, so that what is found is a lower bound still.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import sha256
from math import ceil

import numpy as np
import torch
from scipy.stats import binom
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from accountant import ScaledSGD, training_sensitivity
from learners.models.scaling import Scaled
from learners.refused import LearnerRefused
from learners.training import PrivateTrainer

IN_ONE = 1000  # canaries of one training, at most
BLANK = 1000  # coordinates that no record pulls at: noise alone
PART = 2048  # records that are handed out at a time
SHORT = 1e-3  # φ(M) is at most this much below Δ, relatively

TrainerOf = Callable[..., PrivateTrainer]


class Bank(nn.Module):
    """Two layers with a coordinate for each canary; blank coordinates in the second."""

    def __init__(self, canaries: int) -> None:
        super().__init__()
        self.canaries, self.in_first = canaries, canaries // 2
        self.first = nn.Linear(max(self.in_first, 1), 1, bias=False)
        self.second = nn.Linear(canaries - self.in_first + BLANK, 1, bias=False)
        for layer in (self.first, self.second):
            nn.init.zeros_(layer.weight)

    def forward(self, place: Tensor, pull: Tensor) -> Tensor:
        """Losses (B,) of records with gradients pull·e_place."""
        rows = torch.zeros(len(place), self.first.in_features + self.second.in_features)
        rows[torch.arange(len(place)), place + (self.first.in_features - self.in_first)] = pull
        first, second = rows.split([self.first.in_features, self.second.in_features], dim=1)
        return (self.first(first) + self.second(second))[:, 0]

    def released(self) -> np.ndarray:
        """What is in `.grad`, canaries first (canaries + BLANK,)."""
        first, second = self.first.weight.grad, self.second.weight.grad
        assert first is not None and second is not None
        whole = torch.cat([first[0], second[0]]).double().numpy()
        return whole[self.first.in_features - self.in_first :]


@dataclass(frozen=True, eq=False)
class Observed:
    """What all trainings showed, in units of Δ.

    present: (N,) coins. sums: (T, N) noisy sums in the canaries' coordinates. drawn: (T, N), whether the canary was in
    the batch. blank: (trainings, T, BLANK), noise alone. cut: probability at most with which some batch was cut.
    """

    mechanism: ScaledSGD
    present: np.ndarray
    sums: np.ndarray
    drawn: np.ndarray
    blank: np.ndarray
    cut: float

    @property
    def together(self) -> int:
        """Canaries of one training."""
        assert self.mechanism.samples is not None
        return min(self.mechanism.samples, IN_ONE)

    @property
    def alike(self) -> bool:
        """Whether observations of equal coins are identically distributed, given the draws where these are shown."""
        if self.mechanism.scheme.amplifies:
            return True
        ends = np.cumsum([stage.steps for stage in self.mechanism.stages])[:-1]
        return all(len(np.unique(part.sum(axis=0))) == 1 for part in np.split(self.drawn, ends))

    @property
    def statistic(self) -> np.ndarray:
        """(N,) the log-likelihood ratio of present against absent (or opposite): the best there is, by Neyman and
        Pearson. Where draws are shown it is of the steps that the canary was in."""
        total = np.zeros(len(self.present))
        step = 0
        for stage in self.mechanism.stages:
            q, variance = float(stage.sample_rate), float(stage.noise_multiplier) ** 2
            for _ in range(stage.steps):
                y = self.sums[step]
                shown = not self.mechanism.scheme.amplifies
                ratio = _log_mixture(1.0 if shown else q, (y - 0.5) / variance)
                if self.mechanism.neighbours == "replace-one":
                    ratio = ratio - _log_mixture(1.0 if shown else q, (-y - 0.5) / variance)
                total += np.where(self.drawn[step], ratio, 0.0) if shown else ratio
                step += 1
        return total


def _log_mixture(q: float, exponent: np.ndarray) -> np.ndarray:
    """log(1 − q + q·e^exponent)."""
    if q >= 1:
        return exponent
    return np.logaddexp(np.log1p(-q), np.log(q) + exponent)


def pull_of(mechanism: ScaledSGD) -> float:
    """M: a gradient's norm at which φ(M) is within `SHORT` of Δ, and four times C at least where no G is known."""
    if mechanism.gradient_norm_bound is not None:
        return float(mechanism.gradient_norm_bound) * (1 - 2.0**-20)  # not longer once rounded to float32
    scaled, sensitivity = Scaled.of(mechanism.scaling), float(training_sensitivity(mechanism))
    norm = 4 * float(mechanism.scaling.max_grad_norm)
    while norm * scaled.weight(torch.tensor([norm], dtype=torch.float64)).item() < (1 - SHORT) * sensitivity:
        norm *= 2
    return norm


def observe(
    mechanism: ScaledSGD,
    *,
    delta: Fraction | str,
    canaries: int = 10_000,
    seed: int | None = None,
    trainer: TrainerOf = PrivateTrainer,
) -> Observed:
    """Train as often as it takes to observe so many canaries, at most `IN_ONE` in each training.

    mechanism: its `samples` are the records of each training, those beyond the canaries with gradient 0; `IN_ONE`
    where it has none. seed: None for secret draws and coins. trainer: what builds the trainer, `PrivateTrainer`.

    Raises:
        LearnerRefused: groups of records, releases elsewhere, or whatever the trainer refuses.
    """
    if isinstance(canaries, bool) or not isinstance(canaries, int) or canaries < 100:
        raise LearnerRefused(f"canaries: {canaries!r}; give a whole number from 100 up")
    if mechanism.group_size != 1 or mechanism.others:
        raise LearnerRefused("mechanism: canaries are single records of one training; leave group_size and others out")
    mechanism = mechanism if mechanism.samples is not None else replace(mechanism, samples=IN_ONE)
    assert mechanism.samples is not None
    together = min(mechanism.samples, IN_ONE)
    runs = ceil(canaries / together)
    shown = [_one(mechanism, together, delta, seed, run, trainer) for run in range(runs)]
    present, sums, drawn, blank = (list(column) for column in zip(*shown, strict=True))
    return Observed(
        mechanism,
        np.concatenate(present)[:canaries],
        np.concatenate(sums, axis=1)[:, :canaries],
        np.concatenate(drawn, axis=1)[:, :canaries],
        np.stack(blank),
        runs * _cut(mechanism),
    )


def _cut(mechanism: ScaledSGD) -> float:
    """With which probability some batch of one training is cut, at most."""
    if mechanism.max_batch_size is None:
        return 0.0
    return sum(
        stage.steps * float(binom.sf(mechanism.max_batch_size, mechanism.samples, float(stage.sample_rate)))
        for stage in mechanism.stages
    )


def _one(
    mechanism: ScaledSGD, together: int, delta: Fraction | str, seed: int | None, run: int, trainer_of: TrainerOf
) -> tuple[np.ndarray, ...]:
    """One training: coins (K,), sums (T, K), draws (T, K), blanks (T, BLANK)."""
    own = None if seed is None else int.from_bytes(sha256(f"audit/{seed}/{run}".encode()).digest()[:4], "big")
    assert mechanism.samples is not None
    present = np.random.default_rng(own).random(together) < 0.5
    pulls = torch.zeros(mechanism.samples)
    absent = -1.0 if mechanism.neighbours == "replace-one" else 0.0
    pulls[:together] = torch.from_numpy(np.where(present, 1.0, absent)).float() * pull_of(mechanism)
    places = torch.arange(mechanism.samples)
    model = Bank(together)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=float(mechanism.momentum.outer))
    data = TensorDataset(places, places.clamp(max=together - 1), pulls)
    trainer = trainer_of(model, optimizer, data, mechanism, delta=delta, device="cpu", seed=own, micro_batch=PART)
    sums: list[np.ndarray] = []
    drawn = np.zeros((mechanism.steps, together), dtype=bool)
    handle = optimizer.register_step_pre_hook(lambda *_: sums.append(model.released()))  # of empty batches too
    unit = float(trainer.normaliser) / float(training_sensitivity(mechanism))
    for records, place, pull in trainer:
        canaries = records[records < together].numpy()
        drawn[len(sums), canaries] = True
        trainer.step(lambda place=place, pull=pull: model(place, pull))
    handle.remove()
    trainer.close()
    noisy = np.stack(sums) * unit
    return present, noisy[:, :together], drawn, noisy[:, together:]
