"""T19 from below: one step."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

from certify.checking.limits import Undecided, require
from certify.checking.numbers.elementary import e_to
from certify.checking.numbers.fixed import fixed
from certify.checking.sampled.distributions import Grid, Losses, exponentials, grid_bits
from certify.checking.sampled.mixtures import Mixture
from certify.checking.sampled.schedule import Release
from certify.checking.work import spend


def from_below(release: Release, nodes: range, grid: Grid, level: int = 0, backward: bool = False) -> Losses:
    """One step, from below: the H of these atoms is at most that of the release. `backward`: as in `from_above`.

    Every set S gives a line P(S) - t·Q(S) below H. Take for each cell between two nodes that of S = {loss > middle of
    the cell}, or 1 - t where that is higher at the lower node; after the last cell 0; y_j = the smaller of the two
    lines at t_j. Between two nodes the interpolation of the y_j is at most the line of that cell. A node where it is
    not convex is left out: it lay above its neighbours' chord.

    The atoms have P-mass 1 and Q-mass 1 + γ, where γ is an effect of rounding, as y_j ≥ 1 - t_j up to that: far below
    one unit. So H of (Q,P) comes out too large by at most γ, and after T steps by (1 + γ)^T - 1: `lost` is taken off.
    """
    require(not release.symmetrised, "loss_distribution: no lower bound without replacement")
    require(nodes.start <= -2, "loss_distribution: needs two nodes below 0")  # so that all y_j ≥ 0
    step, bits = grid.at(level), grid_bits(release, nodes, grid, level)
    spend(20 * len(nodes))
    t, one, mixture = exponentials(nodes, step, bits), 1 << bits, Mixture.of(release, 30)
    error = (release.first + release.second + 12) * ((t[-1] >> bits) + 4)
    kinked = release.kinked and grid.one_way and not backward
    y = [one - t[0] - error]
    right = one - t[1] - error  # the line 1 - t serves the first cell
    for j, x in enumerate(mixture.places([(i + Fraction(1, 2)) * step for i in nodes[1:-1]], bits), start=1):
        p_mass, q_mass = mixture.beyond(x, bits)  # any place gives a true line
        left, following = (p_mass - (t[k] * q_mass >> bits) - error for k in (j, j + 1))
        # Forward alone, y_j may be below 1 - t_j (then γ is large) at a kink, where that line loses more at t_(j+1).
        may_lose = max(0, following - (one - t[j + 1])) if kinked else error
        if one - t[j] - left > may_lose:
            left, following = one - t[j] - error, one - t[j + 1] - error
        if following <= 0:
            require(t[j] >= one, "loss_distribution: the grid is too coarse")
            break
        y.append(min(left, right))
        right = following
    require(right >= 0, "loss_distribution: the grid is too coarse")
    y += [0, 0]
    require(5 * error * grid.unit < t[0], "loss_distribution: the grid is too wide")
    masses = convex_masses(y, step, grid, bits)
    if not (grid.one_way and backward):
        return Losses(nodes.start, masses, 1, level)
    top = nodes.start + len(masses) - 1
    weights = exponentials(range(-top, 1 - nodes.start), step, bits)
    lowered = (max(0, w - 4 - (w >> (bits - 2))) for w in weights)
    return Losses(-top, [p * w >> bits for p, w in zip(reversed(masses), lowered, strict=True)], 1, level)


def convex_masses(y: list[int], step: Fraction, grid: Grid, bits: int) -> list[int]:
    """The P-masses, rounded down, of the largest convex function below the points (e^(j·step), y_j); y_j exact."""
    one, scale = 1 << bits, bits + 64

    @cache
    def slopes(gap: int) -> tuple[int, int]:  # 1/(1 - e^-(gap·step)), rounded down and up
        low = fixed(1 / (1 - e_to(-gap * step, scale + 192)), scale)
        return low, low + 2

    def mass(i: int, j: int, k: int) -> tuple[int, int]:
        """At node j between its neighbours i and k: (y_i - y_j)·α(j-i) - (y_j - y_k)·(α(k-j) - 1), enclosed."""
        spend(4)
        ends = []
        for side in (0, 1):
            a = y[i] - y[j] if i >= 0 else 0
            b = y[j] - y[k]
            before = a * slopes(j - i)[side if a >= 0 else 1 - side] if i >= 0 else (one - y[j]) << scale
            ends.append(before - b * (slopes(k - j)[1 - side if b >= 0 else side] - (1 << scale)))
        return ends[0], ends[1]

    kept = [-1]  # the point (0, 1)
    for k in range(len(y)):
        while len(kept) > 1:
            low, high = mass(kept[-2], kept[-1], k)
            if low >= 0:
                break
            if high > 0:
                raise Undecided
            kept.pop()
        kept.append(k)
    masses = [0] * len(y)
    for i, j, k in zip(kept, kept[1:], kept[2:], strict=False):
        masses[j] = mass(i, j, k)[0] * grid.unit >> (bits + scale)
    return masses
