"""What is released: a schedule of noisy sums, each frozen and exact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from accountant.core.exact import exact, settle

Sampling = Literal["poisson", "without-replacement", "full"]
NEIGHBOURS: dict[str, tuple[str, ...]] = {
    "poisson": ("add-or-remove-one", "remove-one", "replace-one"),
    "without-replacement": ("replace-one",),
    "full": ("add-or-remove-one", "remove-one", "replace-one"),
}
MOST_STEPS = 10**9
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

    sampling: Sampling
    noise_multiplier: Fraction = field(metadata={"exact": True})
    sample_rate: Fraction = field(default=Fraction(1), metadata={"exact": True})
    steps: int = 1

    def __post_init__(self) -> None:
        settle(self, noise_multiplier=exact(self.noise_multiplier, "noise_multiplier"))
        settle(self, sample_rate=exact(self.sample_rate, "sample_rate"))


def check(releases: tuple[Release, ...], neighbours: str) -> None:
    """Raise InvalidRelease where a schedule is none, or where nothing is known of its sampling and neighbours."""
    for release in releases:
        z, q, steps = release.noise_multiplier, release.sample_rate, release.steps
        if z <= 0:
            raise InvalidRelease(f"noise_multiplier: {z} gives no privacy; it must be positive")
        if not 0 <= q <= 1:
            raise InvalidRelease(f"sample_rate: {q} is no probability")
        if isinstance(steps, bool) or not isinstance(steps, int) or not 0 <= steps <= MOST_STEPS:
            raise InvalidRelease(f"steps: {steps!r} must be a whole number, at most {MOST_STEPS}")
        if release.sampling not in NEIGHBOURS:
            raise InvalidRelease(f"sampling: got {release.sampling!r}; write one of {', '.join(NEIGHBOURS)}")
        if neighbours not in NEIGHBOURS[release.sampling]:
            fitting = " or ".join(NEIGHBOURS[release.sampling])
            raise InvalidRelease(f"neighbours: {neighbours} with sampling = {release.sampling}; write {fitting}")
        if release.sampling == "full" and q != 1:
            raise InvalidRelease(f'sample_rate: {q} with sampling = "full"; leave it out')


@dataclass(frozen=True)
class Part:
    """`steps` equal pairs: Σ_j Bin(up,q;j)N(jμ,1) against Σ_j Bin(down,q;j)N(−jμ,1), μ² = square. (up, down) = (1, 0)
    is (1−q)N(0,1) + qN(μ,1) against N(0,1); q = 1 is a Gaussian pair, with (1, 0).

    symmetric: the pair C_q of sampling without replacement, which dominates both directions at once.
    """

    square: Fraction
    rate: Fraction
    steps: int
    symmetric: bool
    up: int = 1
    down: int = 0

    @property
    def mirrored(self) -> bool:
        """Whether the losses below 0 are those above 0 of the reversed pair: C_q's by definition; of (k, k) because the
        reversed pair is the mirror image in u."""
        return self.symmetric or self.up == self.down


def parts(
    releases: Iterable[Release], neighbours: str, extra: Fraction = Fraction(0), group: int = 1
) -> tuple[Part, ...]:
    """The schedule as pairs, equal ones together, every Gaussian one in the first (composition adds their μ²). Where
    there are several directions (`directions`), those of the first.

    extra: μ² of further Gaussian-DP releases. group: how many records differ, each drawn by a coin of its own (T27).

    Raises:
        InvalidRelease: a schedule of which nothing is known.
    """
    return _sided(tuple(releases), neighbours, extra, *((group, group) if neighbours == "replace-one" else (group, 0)))


def directions(
    releases: Iterable[Release], neighbours: str, extra: Fraction = Fraction(0), group: int = 1
) -> tuple[tuple[tuple[Part, ...], int], ...]:
    """(parts, sign) of every composition whose largest ε counts; sign −1: of the reversed pairs.

    Poisson: with a records that only the first dataset has and b that only the second has, the dominating pair is
    (a, b); a + b = group. The reverse of (a, b) is the mirror image of (b, a): (k, 0) first, its reverse for (0, k),
    and the pair of replacing, (k, k), in one direction only. One direction, too, where no batch is drawn by coins.
    """
    releases = tuple(releases)
    first = parts(releases, neighbours, extra, group)
    if not any(part.rate != 1 and not part.symmetric for part in first):
        return ((first, 1),)
    if neighbours == "replace-one":
        return ((first, 1),)
    mixed = (_sided(releases, neighbours, extra, up, group - up) for up in range(group - 1, 0, -1))
    return ((first, 1), (first, -1), *((made, 1) for made in mixed))


def _sided(releases: tuple[Release, ...], neighbours: str, extra: Fraction, up: int, down: int) -> tuple[Part, ...]:
    check(releases, neighbours)
    gaussian, counts = Fraction(extra), {}
    for release in releases:
        square = 1 / release.noise_multiplier**2
        drawn = release.sampling == "without-replacement"
        if release.sample_rate == 1:
            gaussian += (up + down) ** 2 * square * release.steps
        elif release.sample_rate and release.steps:
            key = (up + down) ** 2 * square if drawn else square, release.sample_rate, drawn
            counts[key] = counts.get(key, 0) + release.steps
    made = [
        Part(square, rate, steps, symmetric, *(() if symmetric else (up, down)))
        for (square, rate, symmetric), steps in sorted(counts.items())
    ]
    return ((Part(gaussian, Fraction(1), 1, False),) if gaussian else ()) + tuple(made)
