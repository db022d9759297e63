"""Samplers that are what the mechanism says: exact probabilities from secret bits, one file a way."""

from __future__ import annotations

from typing import Any

from accountant import ScaledSGD
from learners.refused import LearnerRefused
from learners.samplers.disjoint import Fixed, Shuffled
from learners.samplers.full import Full
from learners.samplers.poisson import Poisson
from learners.samplers.sampler import Sampler
from learners.samplers.without_replacement import WithoutReplacement

SAMPLERS: dict[str, type[Sampler]] = {
    "poisson": Poisson,
    "without-replacement": WithoutReplacement,
    "full": Full,
    "shuffled": Shuffled,
    "fixed": Fixed,
}
"""By the sampling's name; every one of the accountant's that can be run (tests/learners/samplers)."""


def sampler_of(
    mechanism: ScaledSGD, samples: int, seed: int | None, stage: int = 0, state: dict[str, Any] | None = None
) -> Sampler:
    """The draws of one stage from `samples` records; rate and cap come from the mechanism alone.

    seed: None for secret draws. state: what `Sampler.state` gave, to go on from there.

    Raises:
        LearnerRefused: the mechanism is about another number of records; nothing here draws that way.
    """
    if mechanism.samples not in (None, samples):
        raise LearnerRefused(f"samples: the data hold {samples} records, the mechanism says {mechanism.samples}")
    if mechanism.sampling not in SAMPLERS:
        raise LearnerRefused(f'sampling: "{mechanism.sampling}" is not run here; write one of {", ".join(SAMPLERS)}')
    rate, use = mechanism.stages[stage].sample_rate, f"stage {stage}"
    more = {} if mechanism.max_batch_size is None else {"largest": mechanism.max_batch_size}
    return SAMPLERS[mechanism.sampling](samples, rate, seed, use, state, **more)


__all__ = ["SAMPLERS", "Fixed", "Full", "Poisson", "Sampler", "Shuffled", "WithoutReplacement", "sampler_of"]
