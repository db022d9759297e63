"""What is released: a schedule of noisy sums, each frozen and exact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction

from accountant.core.exact import exact, settle
from accountant.mechanisms.neighbours import sides
from accountant.mechanisms.pairs import Coins, DominatingPair, Way
from accountant.mechanisms.sampling import RELEASED, Sampling, SamplingName, sampling_of

MAX_STEPS = 10**9
MAX_GROUP = 32  # records that differ and are drawn by coins of their own


class InvalidRelease(ValueError):
    """A release that this accountant does not know; the message names the key, the value and the fix."""


@dataclass(frozen=True)
class Release:
    """`steps` noisy sums of batches: noise_multiplier z, sample_rate q (1 for "full").

    sampling: "poisson" (each record joins by itself with probability q), "without-replacement" (batches of a fixed
    size, drawn anew each step; neighbours replace one record), "full".
    z is the noise's standard deviation over the add-or-remove sensitivity, also where neighbours replace a record and
    the sums then differ by 2. Ranges are checked where a schedule is used.

    Raises:
        TypeError: a float where an exact number is needed.
    """

    sampling: SamplingName  # one of RELEASED
    noise_multiplier: Fraction = field(metadata={"exact": True})
    sample_rate: Fraction = field(default=Fraction(1), metadata={"exact": True})
    steps: int = 1

    def __post_init__(self) -> None:
        settle(self, noise_multiplier=exact(self.noise_multiplier, "noise_multiplier"))
        settle(self, sample_rate=exact(self.sample_rate, "sample_rate"))

    @property
    def scheme(self) -> Sampling:
        """How its batches are drawn. Raises InvalidMechanism for an unknown name."""
        return sampling_of(self.sampling)


def check(releases: tuple[Release, ...], neighbours: str) -> None:
    """Raise InvalidRelease for a malformed schedule, or one whose sampling and neighbours have no bound."""
    for release in releases:
        z, q, steps = release.noise_multiplier, release.sample_rate, release.steps
        if z <= 0:
            raise InvalidRelease(f"noise_multiplier: {z} gives no privacy; it must be positive")
        if not 0 <= q <= 1:
            raise InvalidRelease(f"sample_rate: {q} is not a probability")
        if isinstance(steps, bool) or not isinstance(steps, int) or not 0 <= steps <= MAX_STEPS:
            raise InvalidRelease(f"steps: {steps!r} must be a whole number, at most {MAX_STEPS}")
        if release.sampling not in RELEASED:
            raise InvalidRelease(f"sampling: got {release.sampling!r}; write one of {', '.join(RELEASED)}")
        scheme = release.scheme
        if neighbours not in scheme.neighbours:
            fitting = " or ".join(scheme.neighbours)
            raise InvalidRelease(f"neighbours: {neighbours} with sampling = {release.sampling}; write {fitting}")
        if scheme.accounted_rate(q) != q:
            raise InvalidRelease(f'sample_rate: {q} with sampling = "{release.sampling}"; leave it out')


@dataclass(frozen=True)
class Part:
    """`steps` equal pairs, μ² = square, q = rate; Gaussian ones have q = 1 and the pair (1, 0)."""

    square: Fraction
    rate: Fraction
    steps: int
    pair: DominatingPair = field(default=Coins())

    @property
    def up(self) -> int:
        return self.pair.up

    @property
    def down(self) -> int:
        return self.pair.down

    @property
    def mirrored(self) -> bool:
        return self.pair.mirrored

    def attained(self) -> Part:
        """The pairs of some mechanism and neighbours."""
        return replace(self, pair=self.pair.attained)


def parts(
    releases: Iterable[Release], neighbours: str, extra: Fraction = Fraction(0), group: int = 1
) -> tuple[Part, ...]:
    """The schedule as pairs, equal ones together, every Gaussian one in the first (composition adds their μ²). Where
    there are several directions (`directions`), those of the first.

    extra: μ² of further Gaussian-DP releases. group: how many records differ, each drawn by a coin of its own (T27).

    Raises:
        InvalidRelease: a schedule that no theorem covers.
    """
    return _sided(tuple(releases), neighbours, extra, *sides(neighbours, group))


def directions(
    releases: Iterable[Release], neighbours: str, extra: Fraction = Fraction(0), group: int = 1
) -> tuple[tuple[tuple[Part, ...], Way], ...]:
    """(parts, way) of every composition whose largest ε counts.

    Poisson: with a records that only the first dataset has and b that only the second has, the dominating pair is
    (a, b); a + b = group. The reverse of (a, b) is the mirror image of (b, a): (k, 0) first, its reverse for (0, k),
    and the pair of replacing, (k, k), in one direction only. One direction, too, where no batch is drawn by coins.
    """
    releases = tuple(releases)
    first = parts(releases, neighbours, extra, group)
    if not any(part.rate != 1 and not part.mirrored for part in first):
        return ((first, Way.FORWARD),)
    mixed = (_sided(releases, neighbours, extra, up, group - up) for up in range(group - 1, 0, -1))
    return ((first, Way.FORWARD), (first, Way.REVERSED), *((other, Way.FORWARD) for other in mixed))


def _sided(releases: tuple[Release, ...], neighbours: str, extra: Fraction, up: int, down: int) -> tuple[Part, ...]:
    check(releases, neighbours)
    gaussian = Fraction(extra)
    counts: dict[tuple[Fraction, Fraction, DominatingPair], int] = {}
    for release in releases:
        square, rate = 1 / release.noise_multiplier**2, release.sample_rate
        if rate == 1:
            gaussian += release.scheme.distance(up, down) ** 2 * square * release.steps
        elif rate and release.steps:
            square, pair = release.scheme.pair(square, up, down)
            counts[square, rate, pair] = counts.get((square, rate, pair), 0) + release.steps
    drawn = [Part(square, rate, steps, pair) for (square, rate, pair), steps in counts.items()]
    drawn.sort(key=lambda part: (part.square, part.rate, not isinstance(part.pair, Coins)))
    return ((Part(gaussian, Fraction(1), 1),) if gaussian else ()) + tuple(drawn)
