"""How batches are drawn: one frozen class for each way, which knows everything that others need to know about it.

Run files, certificates and theorems carry names; `sampling_of` makes a Sampling of one. No other module compares names
(tests/accountant/mechanisms/test_sampling.py). To add a way, write its class, put one of it in SAMPLINGS, and its name
in SamplingName.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal, final

from accountant.mechanisms.invalid import InvalidMechanism
from accountant.mechanisms.neighbours import NeighboursName, sides
from accountant.mechanisms.pairs import Coins, DominatingPair, Symmetrised

SamplingName = Literal["poisson", "without-replacement", "full", "shuffled", "fixed"]


class Sampling(ABC):
    """A way to draw batches. A record's term is in units of the noise's standard deviation: square = 1/z²."""

    name: ClassVar[SamplingName]  # in run files and certificates
    words: ClassVar[str]  # "batches were …"

    # --- what is proved of it
    neighbours: ClassVar[tuple[NeighboursName, ...]]  # those that have a bound, the default first
    instead: ClassVar[str]  # for all others: what has a bound
    renyi_neighbours: ClassVar[tuple[NeighboursName, ...]]  # those that T18 has a Rényi divergence for
    bounds_groups: ClassVar[bool]  # whether there is a bound where several records differ (T27, T8)
    amplifies: ClassVar[bool]  # whether leaving records out of batches makes ε smaller: the rate then is a parameter
    own_coins: ClassVar[bool]  # whether each record is drawn by a coin of its own
    shards: ClassVar[bool]  # whether batches of parts of the data, drawn part by part, make up a batch of the whole
    disjoint: ClassVar[bool]  # whether each record is in exactly one batch of an epoch
    rather: ClassVar[
        SamplingName | None
    ]  # a way whose ε at the same rate and noise is no larger, and which bounds more

    # --- what a description may say
    can_be_cut: ClassVar[bool]  # whether batches have no fixed size, so that large ones may be cut (T20)
    whole_batches: ClassVar[bool]  # whether sample_rate · samples is a batch's size, and a whole number
    needs_rate: ClassVar[bool]  # whether a sample rate must be given
    ends_epochs: ClassVar[bool]  # whether a stage that another one follows must end with an epoch

    @abstractmethod
    def pair(self, square: Fraction, up: int, down: int) -> tuple[Fraction, DominatingPair]:
        """(μ², dominating pair) of one sum, where `up` records are only in the first dataset, `down` only in the
        second."""

    def distance(self, up: int, down: int) -> int:
        """How far apart the two sums are where nobody is left out (sample rate 1), in units of a record's term: a
        Gaussian pair of μ = distance/z then."""
        square, pair = self.pair(Fraction(1), up, down)
        return math.isqrt(int(square)) * (pair.up + pair.down)

    def directed(self, neighbours: str) -> bool:
        """Whether both directions of the pair are composed, each by itself, and the larger ε counts."""
        return self.amplifies and not self.pair(Fraction(1), *sides(neighbours))[1].mirrored

    @property
    def symmetrised(self) -> bool:
        """Whether the one pair is made of both directions."""
        return isinstance(self.pair(Fraction(1), 1, 0)[1], Symmetrised)

    @property
    def accounted(self) -> Sampling:
        """What a record sees of it: the way that its releases have."""
        return self

    def accounted_rate(self, rate: Fraction) -> Fraction:
        """The sample rate of such a release."""
        return rate

    def participations(self, steps: int, rate: Fraction) -> int:
        """In how many of so many sums one record can be."""
        return steps

    def steps_of_epoch(self, rate: Fraction) -> int:
        return math.ceil(1 / rate)

    @abstractmethod
    def check_rate(self, rate: Fraction, samples: int | None, shown: str) -> None:
        """Raise InvalidMechanism for a rate that no batches of this kind have. shown: the rate, and whose it is."""


@final
@dataclass(frozen=True)
class Poisson(Sampling):
    """Each record joins each batch by itself, with probability q."""

    name = "poisson"
    words = "drawn by Poisson sampling"
    neighbours = ("add-or-remove-one", "remove-one", "replace-one")
    instead = "no others are known here"
    renyi_neighbours = ("add-or-remove-one", "remove-one")
    bounds_groups = True
    amplifies = True
    own_coins = True
    shards = True
    disjoint = False
    rather = None
    can_be_cut = True
    whole_batches = False
    needs_rate = True
    ends_epochs = False

    def pair(self, square: Fraction, up: int, down: int) -> tuple[Fraction, DominatingPair]:
        return square, Coins(up, down)

    def check_rate(self, rate: Fraction, samples: int | None, shown: str) -> None:
        return  # any probability


@final
@dataclass(frozen=True)
class WithoutReplacement(Sampling):
    """Batches of a fixed size, drawn anew each step."""

    name = "without-replacement"
    words = "drawn without replacement"
    neighbours = ("replace-one",)
    instead = 'add-or-remove-one has its bound for sampling = "poisson"'
    renyi_neighbours = ()
    bounds_groups = False
    amplifies = True
    own_coins = False
    shards = False
    disjoint = False
    rather = "poisson"
    can_be_cut = False
    whole_batches = True
    needs_rate = True
    ends_epochs = False

    def pair(self, square: Fraction, up: int, down: int) -> tuple[Fraction, DominatingPair]:
        return (up + down) ** 2 * square, Symmetrised()

    def check_rate(self, rate: Fraction, samples: int | None, shown: str) -> None:
        if samples is None:
            raise InvalidMechanism("samples", f'is missing; sampling = "{self.name}" needs it')
        if (rate * samples).denominator != 1:
            raise InvalidMechanism("sample_rate", f"{shown} times samples must be a whole batch size")


@final
@dataclass(frozen=True)
class Full(Sampling):
    """Every record is in every batch."""

    name = "full"
    words = "the whole data at each step"
    neighbours = ("add-or-remove-one", "remove-one", "replace-one")
    instead = "no others are known here"
    renyi_neighbours = neighbours
    bounds_groups = True
    amplifies = False
    own_coins = False
    shards = True
    disjoint = False
    rather = None
    can_be_cut = False
    whole_batches = False
    needs_rate = False
    ends_epochs = False

    def pair(self, square: Fraction, up: int, down: int) -> tuple[Fraction, DominatingPair]:
        return (up + down) ** 2 * square, Coins()

    def accounted_rate(self, rate: Fraction) -> Fraction:
        return Fraction(1)

    def check_rate(self, rate: Fraction, samples: int | None, shown: str) -> None:
        if rate != 1:
            raise InvalidMechanism("sample_rate", f'{shown} must be 1, or left out, with sampling = "{self.name}"')


class Disjoint(Sampling):
    """Each record is in exactly one batch of an epoch.

    It meets one sum of an epoch, which is what it sees: a full batch an epoch. No amplification is claimed.
    """

    neighbours = ("replace-one", "remove-one")
    instead = 'a record more or less moves all the others; add-or-remove-one has its bound for sampling = "poisson"'
    renyi_neighbours = neighbours
    bounds_groups = True
    amplifies = False
    own_coins = False
    shards = False
    disjoint = True
    rather = None
    can_be_cut = False
    whole_batches = False
    needs_rate = True

    def pair(self, square: Fraction, up: int, down: int) -> tuple[Fraction, DominatingPair]:
        return FULL.pair(square, up, down)

    @property
    def accounted(self) -> Sampling:
        return FULL

    def accounted_rate(self, rate: Fraction) -> Fraction:
        return Fraction(1)

    def participations(self, steps: int, rate: Fraction) -> int:
        return math.ceil(Fraction(steps, math.floor(1 / rate)))  # a remainder may be dropped

    def steps_of_epoch(self, rate: Fraction) -> int:
        return math.floor(1 / rate)

    def check_rate(self, rate: Fraction, samples: int | None, shown: str) -> None:
        if not rate:
            raise InvalidMechanism("sample_rate", f'{shown} must be positive with sampling = "{self.name}"')


@final
@dataclass(frozen=True)
class Shuffled(Disjoint):
    """Anew for each epoch. A stage that begins within an epoch could meet a record once too often."""

    name = "shuffled"
    words = "shuffled every epoch"
    ends_epochs = True


@final
@dataclass(frozen=True)
class Fixed(Disjoint):
    """Once for all epochs."""

    name = "fixed"
    words = "visited in a fixed order"
    ends_epochs = False


POISSON, WITHOUT_REPLACEMENT, FULL, SHUFFLED, FIXED = Poisson(), WithoutReplacement(), Full(), Shuffled(), Fixed()
SAMPLINGS: dict[str, Sampling] = {
    scheme.name: scheme for scheme in (POISSON, WITHOUT_REPLACEMENT, FULL, SHUFFLED, FIXED)
}
RELEASED = tuple(
    name for name, scheme in SAMPLINGS.items() if scheme.accounted is scheme
)  # what a certificate's releases have


def sampling_of(name: str) -> Sampling:
    """The way of that name.

    Raises:
        InvalidMechanism: there is none.
    """
    if name not in SAMPLINGS:
        raise InvalidMechanism("sampling", f"got {name!r}; write one of {', '.join(SAMPLINGS)}")
    return SAMPLINGS[name]
