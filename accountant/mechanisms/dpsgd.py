"""DP-SGD and its relatives as a frozen description: every noisy sum of scaled per-sample gradients is released."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from accountant.core.exact import canonical, exact, settle
from accountant.core.scaling import Scaling
from accountant.mechanisms.invalid import InvalidMechanism
from accountant.mechanisms.neighbours import NeighboursName
from accountant.mechanisms.release import MAX_GROUP, MAX_STEPS
from accountant.mechanisms.sampling import Sampling, SamplingName, sampling_of


@dataclass(frozen=True)
class Stage:
    """`steps` equal steps: noise N(0, (noise_multiplier·Δ)² I) on the sum, each record in the batch at
    `sample_rate`."""

    noise_multiplier: Fraction
    sample_rate: Fraction
    steps: int

    def __post_init__(self) -> None:
        for key in ("noise_multiplier", "sample_rate"):
            settle(self, **{key: exact(getattr(self, key), key)})
        if self.noise_multiplier <= 0:
            raise InvalidMechanism(
                "noise_multiplier", f"{canonical(self.noise_multiplier)} gives no privacy; it must be positive"
            )
        if not 0 <= self.sample_rate <= 1:
            raise InvalidMechanism("sample_rate", f"{canonical(self.sample_rate)} must lie between 0 and 1")
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or not 1 <= self.steps <= MAX_STEPS:
            raise InvalidMechanism("steps", f"{self.steps} must be a whole number from 1 to 10^9")


@dataclass(frozen=True)
class Momentum:
    """Where gradients are averaged over time. outer: coefficient on the noisy aggregates, which is post-processing.
    inner_beta, inner_window: each record's own gradients at the last `inner_window` released iterates, weighted by
    β^j (normed to sum 1) and averaged before the scaling; a window of 1 is none. inner_history: whose gradients are
    averaged, the record's "own", or those of its "batch", which no theorem covers."""

    outer: Fraction = Fraction(0)
    inner_beta: Fraction = Fraction(0)
    inner_window: int = 1
    inner_history: Literal["own", "batch"] = "own"

    def __post_init__(self) -> None:
        for key in ("outer", "inner_beta"):
            value = exact(getattr(self, key), key)
            settle(self, **{key: value})
            if not 0 <= value < 1:
                raise InvalidMechanism(f"momentum.{key}", f"{canonical(value)} must be at least 0 and below 1")
        if isinstance(self.inner_window, bool) or not isinstance(self.inner_window, int) or self.inner_window < 1:
            raise InvalidMechanism("momentum.inner_window", f"{self.inner_window} must be a whole number from 1 up")
        if self.inner_window > 1 and not self.inner_beta:
            raise InvalidMechanism("momentum.inner_beta", "is missing; a window of more than 1 needs its β")
        if self.inner_history not in ("own", "batch"):
            raise InvalidMechanism("momentum.inner_history", f'got {self.inner_history!r}; write "own"')

    @property
    def inner(self) -> bool:
        return self.inner_window > 1


@dataclass(frozen=True)
class ScaledSGD:
    """DP-SGD, AUTO-S, DP-PSAC or DP-PSASC: per-sample gradients scaled by w(|g|), summed over the batch, noised,
    divided by a public constant; the regulariser and any optimiser come after the noise.

    Every noisy sum counts as released: no convexity, no smoothness, any model. Numbers may be int, Fraction, Decimal or
    strings; they are stored exactly.

    Args:
        scaling: the map w, and with it the sensitivity Δ.
        stages: noise multiplier, sample rate and number of steps, one stage after the other.
        sampling: "poisson"; "without-replacement" (batches of fixed size, drawn anew each step); "full";
            "shuffled" (disjoint batches, shuffled every epoch) and "fixed" (disjoint batches) have no amplification.
        samples: n; needed by "without-replacement" and `max_batch_size`.
        max_batch_size: a larger Poisson batch is cut to this many records.
        normaliser: the public constant that the sum is divided by.
        gradient_norm_bound: G, a known bound on every per-sample gradient's norm; makes Δ smaller.
        others: μ of Gaussian-DP releases about the same records and neighbours that share the budget.
        group_size: k, how many records may differ; replaced, or added and removed in all.
        group_sampling: "independent" (each of them is drawn for itself) or "together" (one draw for all of them, as
            where a user's records share it).

    Raises:
        InvalidMechanism: a value out of its range, or a combination that no theorem covers.
        TypeError: a float where an exact number is needed.
    """

    scaling: Scaling
    stages: tuple[Stage, ...]
    sampling: SamplingName = "poisson"
    neighbours: NeighboursName = None  # type: ignore[assignment]  # the sampling's default, once built
    samples: int | None = None
    max_batch_size: int | None = None
    normaliser: Fraction | None = None
    gradient_norm_bound: Fraction | None = None
    momentum: Momentum = field(default=Momentum())
    others: tuple[Fraction, ...] = ()
    group_size: int = 1
    group_sampling: Literal["independent", "together"] = "independent"

    def __post_init__(self) -> None:
        scheme = self.scheme
        if self.neighbours is None:
            settle(self, neighbours=scheme.neighbours[0])
        if self.neighbours not in scheme.neighbours:
            fitting = " or ".join(f'"{name}"' for name in scheme.neighbours)
            raise InvalidMechanism(
                "neighbours",
                f'"{self.neighbours}" has no bound for sampling = "{self.sampling}": write {fitting}, or change the '
                f"sampling; {scheme.instead}",
            )
        settle(self, stages=tuple(self.stages))
        if not self.stages:
            raise InvalidMechanism("steps", "the schedule has no step")
        if self.steps > MAX_STEPS:
            raise InvalidMechanism("steps", f"{self.steps} in {len(self.stages)} stages; at most 10^9 in all")
        if self.samples is not None:
            self._whole("samples", self.samples)
        self._check_sampling()
        self._check_truncation()
        self._check_group()
        for key in ("normaliser", "gradient_norm_bound"):
            if getattr(self, key) is not None:
                settle(self, **{key: exact(getattr(self, key), key)})
                if getattr(self, key) <= 0:
                    raise InvalidMechanism(key, f"{canonical(getattr(self, key))} must be positive")
        settle(self, others=tuple(exact(mu, "mu") for mu in self.others))
        for i, mu in enumerate(self.others, 1):
            if mu < 0:
                raise InvalidMechanism("releases.mu", f"{canonical(mu)} of release {i} must be at least 0")

    @staticmethod
    def _whole(key: str, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10**15:
            raise InvalidMechanism(key, f"{value!r} must be a whole number from 1 to 10^15")

    def _check_sampling(self) -> None:
        for i, stage in enumerate(self.stages, 1):
            rate = canonical(stage.sample_rate)
            has = f"{rate} of stage {i} of {len(self.stages)}" if len(self.stages) > 1 else rate
            self.scheme.check_rate(stage.sample_rate, self.samples, has)
        if self.scheme.ends_epochs:
            self._check_epochs()

    def _check_epochs(self) -> None:
        """A stage that begins within an epoch could meet a record once more than one that begins with it."""
        for i, stage in enumerate(self.stages[:-1]):
            epochs = stage.steps * stage.sample_rate
            if (1 / stage.sample_rate).denominator != 1 or epochs.denominator != 1:
                raise InvalidMechanism(
                    "steps",
                    f"stage {i + 1} of {len(self.stages)} does not end with an epoch, as it must with sampling = "
                    f'"{self.sampling}": write a multiple of 1/sample_rate, which must be a whole number',
                )

    def _check_truncation(self) -> None:
        if self.max_batch_size is None:
            return
        self._whole("max_batch_size", self.max_batch_size)
        if not self.scheme.can_be_cut:
            raise InvalidMechanism("max_batch_size", 'needs sampling = "poisson", whose batches have no fixed size')
        if self.samples is None:
            raise InvalidMechanism("samples", "is missing; max_batch_size needs it")

    def _check_group(self) -> None:
        self._whole("group_size", self.group_size)
        if self.group_sampling not in ("independent", "together"):
            raise InvalidMechanism("group_sampling", f'got {self.group_sampling!r}; write "independent" or "together"')
        if self.group_size == 1:
            if self.group_sampling != "independent":
                raise InvalidMechanism("group_sampling", "is about several records; write group_size, or leave it out")
            return
        if self.samples is not None and self.group_size > self.samples:
            raise InvalidMechanism("group_size", f"{self.group_size} exceeds samples = {self.samples}")
        if not self.scheme.bounds_groups:
            raise InvalidMechanism(
                "group_size", f'{self.group_size} has no bound for sampling = "{self.sampling}"; write "poisson"'
            )
        if self.coins > MAX_GROUP:
            raise InvalidMechanism(
                "group_size", f"{self.group_size} records drawn by coins of their own; at most {MAX_GROUP} are computed"
            )
        self._check_group_fits()

    def _check_group_fits(self) -> None:
        """Where all k cannot be in one batch no mechanism attains their k-fold shift; where a batch of k drawn together
        may be cut, its size has no binomial law."""
        k, cap = self.group_size, self.max_batch_size
        if self.scheme.disjoint and self.samples is not None:
            for stage in self.stages:
                if stage.sample_rate * self.samples < k:
                    size = canonical(stage.sample_rate * self.samples)
                    raise InvalidMechanism(
                        "group_size", f"{k} exceeds the batch size {size}; take a batch size of {k} or more"
                    )
        if cap is None:
            return
        if cap < k:
            raise InvalidMechanism("max_batch_size", f"{cap} cuts a group of {k}; take a larger one")
        if self.group_sampling == "together" and cap < self.larger:
            raise InvalidMechanism(
                "max_batch_size",
                f'{cap} may cut a batch, which has no bound for group_sampling = "together"; leave it out, '
                f"or write {self.larger}",
            )

    @property
    def scheme(self) -> Sampling:
        """How batches are drawn."""
        return sampling_of(self.sampling)

    @property
    def larger(self) -> int:
        """Records of the larger one of two neighbours, where `samples` says how many the smaller one has at least."""
        if self.samples is None:
            raise InvalidMechanism("samples", "is missing; max_batch_size needs it")
        return self.samples + self.group_size

    @property
    def coins(self) -> int:
        """How many records of the group are drawn each by a coin of its own; 1 where one draw is for all, or none."""
        drawn = self.scheme.own_coins and any(0 < stage.sample_rate < 1 for stage in self.stages)
        return self.group_size if drawn and self.group_sampling == "independent" else 1

    @property
    def steps(self) -> int:
        """How many noisy sums are released in all."""
        return sum(stage.steps for stage in self.stages)

    def participations(self, stage: Stage) -> int:
        """In how many noisy sums of a stage one record can be: once an epoch, where its batches are disjoint."""
        return self.scheme.participations(stage.steps, stage.sample_rate)
