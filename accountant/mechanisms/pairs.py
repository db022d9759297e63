"""The dominating pairs of one noisy sum over a sampled batch, as what they are; `accountant.pld` has their numbers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import final


class Way(IntEnum):
    """Whose loss is meant: that of P against Q, of the pair as it is, or REVERSED, of Q against P. As a factor it turns
    the one into the other."""

    FORWARD = 1
    REVERSED = -1


BOTH = (Way.FORWARD, Way.REVERSED)
Weights = tuple[tuple[Fraction, ...], tuple[Fraction, ...]]


class DominatingPair(ABC):
    """Of P and Q, unit normals moved by multiples of μ.

    up, down: by how many multiples P's normals go up at most, and Q's down.
    """

    @property
    @abstractmethod
    def up(self) -> int: ...

    @property
    @abstractmethod
    def down(self) -> int: ...

    @property
    @abstractmethod
    def mirrored(self) -> bool:
        """Whether the losses below 0 are those above 0 of the reversed pair: then one direction says both."""

    @abstractmethod
    def weights(self, rate: Fraction) -> Weights | None:
        """P's of N(0,1), N(μ,1), …, N(up·μ,1), and Q's of N(0,1), N(−μ,1), …, N(−down·μ,1), where the pair is two such
        mixtures; all of them positive for 0 < rate < 1, each row with the sum 1. None where it is something else, which
        `accountant.pld.mixture` and `accountant.dpsgd.estimate` then need a case of their own for."""

    @property
    @abstractmethod
    def attained(self) -> DominatingPair:
        """What some mechanism and neighbours attain of it: the pair of a lower bound."""


@final
@dataclass(frozen=True)
class Coins(DominatingPair):
    """Σ_j Bin(up,q;j)N(jμ,1) against Σ_j Bin(down,q;j)N(−jμ,1) (docs/theory.md T17, T17r, T27): `up` records that only
    the first dataset has, `down` that only the second has, each drawn by a coin. (1, 0) is (1−q)N(0,1) + qN(μ,1)
    against N(0,1), and with q = 1 a Gaussian pair."""

    up: int = 1
    down: int = 0

    @property
    def mirrored(self) -> bool:
        """Of (k, k) the reversed pair is the mirror image in u."""
        return self.up == self.down

    def weights(self, rate: Fraction) -> Weights:
        return _binomial(self.up, rate), _binomial(self.down, rate)

    @property
    def attained(self) -> Coins:
        return self


@final
@dataclass(frozen=True)
class Symmetrised(DominatingPair):
    """C_q (docs/theory.md T17): losses above 0 as of (1−q)N(0,1) + qN(μ,1) against N(0,1), those below as of the
    reversed pair; it dominates both directions at once."""

    @property
    def up(self) -> int:
        return 1

    @property
    def down(self) -> int:
        return 0

    @property
    def mirrored(self) -> bool:
        return True

    def weights(self, rate: Fraction) -> None:
        return None

    @property
    def attained(self) -> Coins:
        return Coins(self.up, self.down)


def _binomial(count: int, rate: Fraction) -> tuple[Fraction, ...]:
    return tuple(math.comb(count, j) * rate**j * (1 - rate) ** (count - j) for j in range(count + 1))
