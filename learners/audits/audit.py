"""One audit: canaries through the executed trainer, a lower bound on ε beside the certified upper one, and the noise.

audit(mechanism, delta="1e-2", seed=1).passed
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from accountant import ScaledSGD
from accountant.core.exact import canonical, exact
from learners.audits.bounds import Bound, lower_bound
from learners.audits.canaries import TrainerOf, observe
from learners.audits.noise import NoiseCheck, check_noise
from learners.refused import LearnerRefused
from learners.training import PrivateTrainer
from learners.training.budget import Budget


@dataclass(frozen=True)
class Audit:
    """certified: the accountant's upper bound on ε at δ. bound: what canaries showed. noise: what blank coordinates
    showed. level: with at most this probability a sound trainer fails, all parts together; but for the random
    generators, which are taken to be what they claim."""

    certified: Fraction
    delta: Fraction
    canaries: int
    bound: Bound
    noise: NoiseCheck
    level: float

    @property
    def private(self) -> bool:
        """Whether no canary stands against the claim; that it is true no audit can show."""
        return self.bound.epsilon <= self.certified

    @property
    def passed(self) -> bool:
        return self.private and self.noise.passed

    def __str__(self) -> str:
        word = "agrees with the claim" if self.private else "CONTRADICTS the claim"
        noise = "as claimed" if self.noise.passed else "NOT as claimed"
        return (
            f"{self.canaries} canaries: ε ≥ {self.bound.epsilon:.4f} at δ = {canonical(self.delta)} {word} "
            f"ε ≤ {float(self.certified):.4f}; noise {noise} (level {self.level:g})"
        )


def audit(
    mechanism: ScaledSGD,
    *,
    delta: Fraction | str,
    canaries: int = 10_000,
    level: float = 1e-6,
    seed: int | None = None,
    trainer: TrainerOf = PrivateTrainer,
) -> Audit:
    """Train with canaries and compare with what is certified.

    Half of the level is for the lower bound, half for the noise. What is audited is the trainer and its arithmetic for
    this mechanism, on a linear model of its own, not a user's network.

    Args:
        mechanism: as for `PrivateTrainer`; `samples` are the records of each training.
        delta: exact; any δ is a claim, and a large one shows faults that a small one hides.
        canaries: how many are observed in all.
        level: of wrong alarms.
        seed: makes the audit reproducible; fix it in CI.
        trainer: builds the trainer, for a subclass of `PrivateTrainer`.

    Raises:
        LearnerRefused: what the trainer refuses; batches that are cut more often than the level allows to overlook.
        InvalidMechanism: no ε is known for the mechanism at that δ.
    """
    if not 0 < level < 1:
        raise LearnerRefused(f"level: {level!r} must lie between 0 and 1")
    exactly = exact(delta, "delta")
    observed = observe(mechanism, delta=exactly, canaries=canaries, seed=seed, trainer=trainer)
    left = level / 2 - observed.cut
    if left < level / 4:
        raise LearnerRefused(
            f"max_batch_size: {mechanism.max_batch_size} cuts a batch with probability {observed.cut:.2g}, and where "
            "it does canaries depend on each other; audit with a larger one, or a larger level"
        )
    certified = Budget(observed.mechanism, exactly).exactly(mechanism.steps)
    # whether canaries of one training are independent, given the draws where these are shown
    apart = mechanism.scheme.own_coins or not mechanism.scheme.amplifies
    chernoff = not (apart and observed.alike)
    choosing = canaries // 5
    if not apart:  # whole trainings, see `learners.audits.canaries`
        choosing = -(-choosing // observed.together) * observed.together
        if choosing >= canaries:
            raise LearnerRefused(
                f"canaries: {canaries} are of one training, and its draws depend on each other; take {2 * choosing}"
            )
    bound = lower_bound(
        observed.statistic, observed.present, float(exactly), left, chernoff=chernoff, choosing=choosing
    )
    return Audit(certified, exactly, canaries, bound, check_noise(observed, level / 2), level)
