"""ε(δ) and δ(ε) of a schedule, bracketed: refine the grid until both bounds agree, or the memory cap is reached."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from accountant.core.arithmetic.balls import Ball, ends, precision
from accountant.core.exact import Rounding, exact
from accountant.mechanisms.pairs import Way
from accountant.mechanisms.release import Part, Release, directions, parts
from accountant.pld import profile
from accountant.pld.compose import composed, epsilon_at
from accountant.pld.grid_size import LOWER, UPPER, more_points, points_for
from accountant.pld.tilt import FLOOR

MIN_REVERSED = 1 << 6
MAX_WIDTH_RATIO = 3  # brackets are refined if they are more than this many times wider than estimated
MAX_GRID_POINTS = 1 << 18
MIN_DELTA = Fraction(1, 2**1200)  # a smaller δ(ε) is printed as a bound, and no longer refined
Announce = Callable[[str], None]


@dataclass(frozen=True)
class Tolerances:
    """How far either end may be from the truth, relatively, where the two may differ.

    One computation of each, on the grid that an estimate asks for; finer ones only where that is far off.
    """

    upper: Fraction
    lower: Fraction


@dataclass(frozen=True)
class Bracket:
    """lower ≤ ε(δ) ≤ upper (upper None: no finite bound was found).

    points, reverse_points: the grid sizes that gave the upper bound, for the pairs (mixture, normal) and for the
    other directions; 0 where there was nothing to compute (T11, or nothing sampled). lower_points: that of the lower
    bound. sharp: no wider than was asked, at the last of `bracket`'s grids.
    pair_lower: a lower bound on the upper bound's limit for ever finer grids; it differs from `lower` for sampling
    without replacement alone, whose dominating pair no mechanism attains. An adversary who sees the loss so far and
    swaps the two records' roles, or gives all others another gradient, gains little there (in doubles, by dynamic
    programming: at z = 1, q = 0.01, T = 1000, δ = 1e-5 ε = 13.44, where `lower` is 13.36 and the pair has 14.82): what
    is loose is the upper end.
    """

    lower: Fraction
    upper: Fraction | None
    pair_lower: Fraction
    points: int
    reverse_points: int
    sharp: bool
    lower_points: int

    @property
    def bound(self) -> Fraction:
        """The upper end.

        Raises:
            ValueError: there is none.
        """
        if self.upper is None:
            raise ValueError("no finite bound was found")
        return self.upper

    @property
    def width(self) -> Fraction | None:
        """How far apart the upper end and its limit's lower bound are, over the larger of the upper end and FLOOR; None
        where there is no upper end."""
        return None if self.upper is None else (self.upper - self.pair_lower) / max(self.upper, FLOOR)


@dataclass(frozen=True)
class Grid:
    """What the computation of an upper bound at δ needs beside the schedule: everything else follows from it.

    points, reverse_points: the grids' sizes for the pairs (mixture, normal) and for the reversed ones (0 where there
    are none); further: upper bounds on the μ of further Gaussian-DP releases.
    """

    delta: Fraction = field(metadata={"exact": True})
    points: int
    reverse_points: int = 0
    further: tuple[Fraction, ...] = field(default=(), metadata={"exact": True})

    @property
    def extra(self) -> Fraction:
        """Their μ² together."""
        return sum((mu**2 for mu in self.further), Fraction(0))


def bracket(
    releases: Iterable[Release],
    neighbours: str,
    delta: Fraction | str,
    *,
    group: int = 1,
    extra: Fraction | str = Fraction(0),
    width: Fraction | str | Tolerances = Fraction(1, 1000),
    most_points: int = MAX_GRID_POINTS,
    progress: Announce | None = None,
) -> Bracket:
    """ε at δ within a `width` relative to its upper end, or to FLOOR where that is larger.

    The first grid is the one that an estimate asks for.

    group: how many records differ, each drawn by its own coin (docs/theory.md T27); replaced, or added and removed,
    in all. extra: an upper bound on μ² of further Gaussian-DP releases; they count from above alone. most_points: the
    memory cap, about 350 bytes a point beside the libraries (some 90 MB unless changed). progress: called with a line
    before each computation.

    Raises:
        TypeError: a float.
        ValueError: δ not inside (0, 1).
        InvalidRelease: a schedule that no theorem covers.
    """
    delta, extra = exact(delta, "delta"), exact(extra, "extra")
    if not 0 < delta < 1:
        raise ValueError(f"delta: {delta} is not between 0 and 1")
    (above, _), *others = directions(releases := tuple(releases), neighbours, extra, group)
    attained = _attained(releases, neighbours, group)
    if all(part.rate == 1 for part in above):
        lower = gaussian_epsilon(attained, delta)[0]
        return Bracket(lower, gaussian_epsilon(above, delta)[1], lower, 0, 0, True, 0)

    def tell(bound: str, points: int) -> None:
        if progress:
            progress(f"{bound}: {points} points")

    def above_at(bound: str, parts: tuple[Part, ...], way: Way, points: int) -> Fraction | None:
        tell(bound, points)
        return epsilon_at(parts, way, Rounding.UP, delta, points)

    def below_at(bound: str, parts: tuple[Part, ...], way: Way, points: int) -> Fraction:
        tell(bound, points)
        return _below(parts, way, delta, points)

    apart = width if isinstance(width, Tolerances) else None
    width = width.upper + width.lower if isinstance(width, Tolerances) else exact(width, "width")
    points = lower_points = min(most_points, points_for(above, delta, *((apart.upper, UPPER) if apart else (width,))))
    if apart:
        lower_points = min(most_points, points_for(above, delta, apart.lower, LOWER))

    def refined(
        prefix: str, parts: tuple[Part, ...], way: Way, points: int, lower_points: int
    ) -> tuple[Fraction | None, Fraction, int, int]:
        """Both bounds of one direction, and the grids that they took."""
        while True:
            upper = above_at(f"{prefix}upper bound", parts, way, points)
            lower = below_at(f"{prefix}lower bound", parts, way, lower_points)
            enough = upper is not None and _near(upper, lower, MAX_WIDTH_RATIO * width if apart else width)
            if enough or max(points, lower_points) >= most_points:
                return upper, lower, points, lower_points
            more = min(most_points, more_points(points, upper, lower, width))
            points, lower_points = more, min(most_points, -(-lower_points * more // points))

    upper, pair_lower, points, lower_points = refined("", above, Way.FORWARD, points, lower_points)
    lower = pair_lower
    if attained != above:
        lower = below_at("attained", attained, Way.FORWARD, lower_points) if attained else Fraction(0)
    reverse_points = 0
    for other_parts, way in others:
        reverse_points = max(reverse_points, MIN_REVERSED, points >> 4)
        # It uses one grid where the first direction uses two: to show that it is the easier one may take more points.
        enough = points_for(other_parts, delta, width) if way is Way.FORWARD else points
        while reverse_points <= max(points, min(most_points, enough)):
            other = above_at("other directions", other_parts, way, reverse_points)
            if upper is not None and other is not None and other <= upper:
                break
            reverse_points <<= 1
        else:  # this direction is the harder to hide
            other, other_lower, reverse_points, finer = refined(
                "other directions: ", other_parts, way, points, lower_points
            )
            upper = None if upper is None or other is None else max(upper, other)
            pair_lower = max(pair_lower, other_lower)
            if way is Way.REVERSED and attained:
                lower = max(lower, _below(attained, way, delta, finer))
    sharp = upper is not None and _near(upper, pair_lower, width)
    return Bracket(lower, upper, pair_lower, points, reverse_points, sharp, lower_points)


def _near(upper: Fraction, lower: Fraction, width: Fraction) -> bool:
    return upper - lower <= width * max(upper, FLOOR)


def upper_epsilon(
    releases: Iterable[Release],
    neighbours: str,
    delta: Fraction,
    extra: Fraction,
    points: int,
    reverse_points: int,
    group: int = 1,
) -> Fraction | None:
    """The upper bound alone, on these grids; None where the mass at +∞ exceeds δ."""
    (first, _), *others = directions(releases, neighbours, extra, group)
    if all(part.rate == 1 for part in first):
        return gaussian_epsilon(first, delta)[1]
    epsilons = [epsilon_at(first, Way.FORWARD, Rounding.UP, delta, points)]
    epsilons += [epsilon_at(other, way, Rounding.UP, delta, reverse_points) for other, way in others]
    known = [epsilon for epsilon in epsilons if epsilon is not None]
    return max(known) if len(known) == len(epsilons) else None


def lower_epsilon(
    releases: Iterable[Release], neighbours: str, delta: Fraction, points: int, way: Way = Way.FORWARD, group: int = 1
) -> Fraction:
    """A lower bound for the class: some mechanism and neighbours that the description allows have this ε."""
    attained = _attained(tuple(releases), neighbours, group)
    if all(part.rate == 1 for part in attained):
        return gaussian_epsilon(attained, delta)[0]
    return _below(attained, way, delta, points)


def _below(parts: tuple[Part, ...], way: Way, delta: Fraction, points: int) -> Fraction:
    epsilon = epsilon_at(parts, way, Rounding.DOWN, delta, points)
    assert epsilon is not None  # a lower bound has no mass at +∞
    return epsilon


def _attained(releases: tuple[Release, ...], neighbours: str, group: int) -> tuple[Part, ...]:
    """The pairs of one mechanism and one pair of neighbours."""
    return tuple(part.attained() for part in parts(releases, neighbours, group=group))


def gaussian_epsilon(parts: tuple[Part, ...], delta: Fraction, bits: int = 128) -> tuple[Fraction, Fraction]:
    """T11 with μ² the sum of the parts', to about `bits` bits."""
    square = sum((part.square * part.steps for part in parts), Fraction(0))
    if not square:
        return Fraction(0), Fraction(0)
    A = Ball()
    while True:
        with precision(bits):
            epsilon = ends(A.gaussian_epsilon(A.sqrt(A.of(square)), A.of(delta)))
        if epsilon is not None:
            return max(epsilon[0], Fraction(0)), epsilon[1]
        bits *= 2


def delta_bracket(
    releases: Iterable[Release],
    neighbours: str,
    epsilon: Fraction | str,
    *,
    group: int = 1,
    extra: Fraction | str = Fraction(0),
    points: int = 1 << 13,
) -> tuple[Fraction, Fraction]:
    """(lower, upper) for δ(ε) of the dominating pairs, on grids of that many points.

    The scale of the integers is chosen for the δ that a first pass finds.
    """
    epsilon, extra = exact(epsilon, "epsilon"), exact(extra, "extra")
    ways = directions(releases, neighbours, extra, group)
    if not ways[0][0]:
        return Fraction(0), Fraction(0)
    aim = Fraction(1, 2**20)
    while True:
        upper = max(profile.delta(composed(parts, way, Rounding.UP, aim, points), epsilon) for parts, way in ways)
        if upper >= aim or aim < MIN_DELTA:
            break
        aim = min(aim**2, Fraction(1, 2 << math.ceil(1 / upper).bit_length())) if upper else aim**2
    lower = max(profile.delta(composed(parts, way, Rounding.DOWN, aim, points), epsilon) for parts, way in ways)
    return lower, upper
