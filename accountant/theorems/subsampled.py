"""DP-SGD: every noisy sum over a sampled batch is released. Rényi divergences and ε of the whole schedule."""

from __future__ import annotations

import math
from fractions import Fraction

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, Profile, States
from accountant.core.kernel import theorem
from accountant.core.quantities import ApproximateDP, GaussianDP, RenyiCurve
from accountant.mechanisms.neighbours import FIXED_SIZE, replaces, shift_of
from accountant.mechanisms.pairs import Way
from accountant.mechanisms.release import MAX_GROUP, MAX_STEPS, Release
from accountant.mechanisms.sampling import RELEASED
from accountant.pld.account import Grid, lower_epsilon, upper_epsilon
from accountant.pld.renyi import MAX_ORDER, Orders, renyi_upper
from accountant.theorems.conditions import below, inside_unit

MIN_POINTS, MAX_POINTS = 1 << 6, 1 << 22
_ASSUMES = ("noisy_sums", "sampling", "release:sums")


def _check_schedule(A: Arithmetic, releases: tuple[Release, ...], neighbours: str) -> None:
    A.require(len(releases) >= 1, "at least one release", len(releases))
    for release in releases:
        z, q = release.noise_multiplier, release.sample_rate
        A.require(z > 0, "0 < z", z)
        A.require(0 <= q <= 1, "0 ≤ q ≤ 1", q)
        A.require(0 <= release.steps <= MAX_STEPS, "0 ≤ steps ≤ 10^9", release.steps)
        A.require(release.sampling in RELEASED, "sampling: poisson, without-replacement or full", release.sampling)
        A.require(neighbours in release.scheme.neighbours, "neighbours that the sampling has a bound for", neighbours)
        A.require(q == release.scheme.accounted_rate(q), "q = 1 for full batches", q)


def _check_grid(A: Arithmetic, releases: tuple[Release, ...], grid: Grid) -> None:
    A.require(inside_unit(A, A.of(grid.delta)), "0 < δ < 1", grid.delta)
    A.require(any(0 < r.sample_rate < 1 and r.steps for r in releases), "some release is sampled", len(releases))
    A.require(MIN_POINTS <= grid.points <= MAX_POINTS, "2^6 ≤ points ≤ 2^22", grid.points)


def _check_curve(A: Arithmetic, releases: tuple[Release, ...], neighbours: str) -> None:
    for release in releases:
        known = release.scheme.renyi_neighbours
        A.require(bool(known), "Poisson sampling or full batches", release.sampling)
        drawn = release.sample_rate < 1
        A.require(not drawn or neighbours in known, "a record added or removed, where it is drawn", neighbours)


def _check_group(A: Arithmetic, releases: tuple[Release, ...], group: int) -> None:
    A.require(2 <= group <= MAX_GROUP, "2 ≤ group ≤ 32", group)
    for release in releases:
        A.require(release.scheme.bounds_groups, "Poisson sampling or full batches", release.sampling)


@theorem(
    "T18",
    concludes=RenyiCurve,
    facts=Facts(Direction.ABOVE, Family.SAMPLED, States.RENYI, formula="renyi_of_sampled", profile=None, label=None),
    source="docs/theory.md T18; Mironov, Talwar, Zhang 2019 (arXiv 1908.10530), Section 3.3 and Theorem 5",
    assumes=_ASSUMES,
    oracle="tests/accountant/theorems/test_subsampled.py::test_integer_orders_against_quadrature",
)
def subsampled_renyi(
    A: Arithmetic, *, releases: tuple[Release, ...], neighbours: str, orders: tuple[int, ...]
) -> RenyiCurve:
    """Poisson sampling, integer order α: a step has D_α ≤ (1/(α−1)) log Σ_k C(α,k)(1−q)^{α−k} q^k e^{(k²−k)/(2z²)}, in
    both directions; a full batch α/(2z²), or 4α/(2z²) where a record is replaced; the steps add up.

    Sampling without replacement has no such formula here, nor has Poisson sampling where a record is replaced.
    """
    _check_schedule(A, releases, neighbours)
    _check_curve(A, releases, neighbours)
    for order in orders:
        A.require(order >= 2, "an integer order, 2 or more", order)
    shift = shift_of(neighbours)
    divergences = []
    for order in orders:
        total = A.of(0)
        for release in releases:
            z, q = A.of(release.noise_multiplier), A.of(release.sample_rate)
            if release.sample_rate == 1:
                step = A.of(order * shift * shift) / (2 * z * z)
            else:
                terms = (
                    math.comb(order, k)
                    * A.power(1 - q, order - k)
                    * A.power(q, k)
                    * A.exp(A.of(k * k - k) / (2 * z * z))
                    for k in range(order + 1)
                )
                step = A.log(sum(terms, A.of(0))) / (order - 1)
            total = total + release.steps * step
        divergences.append(total)
    return RenyiCurve(tuple(A.of(order) for order in orders), tuple(divergences))


@theorem(
    "T18f",
    concludes=RenyiCurve,
    facts=Facts(Direction.ABOVE, Family.SAMPLED, States.RENYI, formula=None, profile=None, label=None),
    source="docs/theory.md T18f, T18; the definition, by quadrature in balls",
    assumes=_ASSUMES,
    oracle="tests/accountant/theorems/test_subsampled.py::test_fractional_orders_against_quadrature",
)
def subsampled_renyi_quadrature(
    A: Arithmetic, *, releases: tuple[Release, ...], neighbours: str, orders: Orders
) -> RenyiCurve:
    """Poisson sampling, any order α > 1: (1/(α−1)) log of the larger of E r^α and E r^{1−α} under N(0, z²), r the ratio
    of the densities; the integrals are enclosed and rounded up.

    Sampling without replacement has none here, nor has Poisson sampling where a record is replaced.
    """
    _check_schedule(A, releases, neighbours)
    _check_curve(A, releases, neighbours)
    for order in orders.values:
        A.require(1 < order <= MAX_ORDER, "1 < α ≤ 512", order)
    shift = shift_of(neighbours)
    divergences = []
    for order in orders.values:
        total = Fraction(0)
        for release in releases:
            square = (shift / release.noise_multiplier) ** 2
            full = release.sample_rate == 1
            step = order * square / 2 if full else renyi_upper(square, release.sample_rate, order)
            total += release.steps * step
        divergences.append(A.of(total))
    return RenyiCurve(tuple(A.of(order) for order in orders.values), tuple(divergences))


@theorem(
    "T19",
    concludes=ApproximateDP,
    premises=(GaussianDP,),
    variadic=True,
    facts=Facts(
        Direction.ABOVE, Family.SAMPLED, States.EPSILON, formula="loss_of_sampled", profile=Profile.LOSSES, label=None
    ),
    source="docs/theory.md T17, T19; Zhu, Dong, Wang 2022 (arXiv 2106.08567), Theorem 11; Dong, Roth, Su 2022, "
    "Theorem 9; Doroshenko et al. 2022 (arXiv 2207.04380)",
    assumes=_ASSUMES,
    oracle="tests/accountant/theorems/test_subsampled.py::test_brackets_hold_the_truth_of_few_steps",
)
def loss_distribution(
    A: Arithmetic, *further: GaussianDP, releases: tuple[Release, ...], neighbours: str, grid: Grid
) -> ApproximateDP:
    """ε(δ) of the whole schedule and of `further` releases, from above, by integers alone.

    Each step's dominating pair is put on a grid, every cell's mass spread to the cell's ends so that P's and Q's mass
    are kept, and rounded up to integers; these are convolved, what a window cuts is charged to +∞. Poisson sampling:
    (1−q)N(0,z²) + qN(1,z²) against N(0,z²), and the reverse; each is composed by itself, and the larger ε counts. Where
    a record is replaced (T17r): (1−q)N(0,z²) + qN(1,z²) against (1−q)N(0,z²) + qN(−1,z²), whose reverse is its mirror
    image. Sampling without replacement, a record replaced: the one symmetrised pair of both, with mean 2.
    """
    _check_schedule(A, releases, neighbours)
    _check_grid(A, releases, grid)
    _check_reverse(A, releases, neighbours, grid)
    A.require(len(further) == len(grid.further), "an upper end for each further μ", len(grid.further))
    for pair, end in zip(further, grid.further, strict=True):
        A.require(A.at_least(A.of(end), pair.mu), "each further μ at most its upper end", end)
    return _bounded(A, releases, neighbours, grid)


def _check_reverse(A: Arithmetic, releases: tuple[Release, ...], neighbours: str, grid: Grid) -> None:
    directed = any(release.scheme.directed(neighbours) and release.sample_rate < 1 for release in releases)
    A.require(
        not directed or MIN_POINTS <= grid.reverse_points <= MAX_POINTS,
        "2^6 ≤ points ≤ 2^22 for the reversed pairs",
        grid.reverse_points,
    )


def _bounded(
    A: Arithmetic, releases: tuple[Release, ...], neighbours: str, grid: Grid, group: int = 1
) -> ApproximateDP:
    epsilon = upper_epsilon(releases, neighbours, grid.delta, grid.extra, grid.points, grid.reverse_points, group)
    if epsilon is None:  # more than 2^18 different releases: the cuts alone add up to δ
        raise ArithmeticError("the schedule has too many different releases for this grid")
    return ApproximateDP(A.of(epsilon), A.of(grid.delta))


@theorem(
    "T19l",
    concludes=ApproximateDP,
    facts=Facts(
        Direction.BELOW, Family.SAMPLED, States.EPSILON, formula="loss_of_sampled", profile=Profile.LOSSES, label=None
    ),
    source="docs/theory.md T19l, T17, T19",
    assumes=("noisy_sums", "sampling", "release:sums"),
    oracle="tests/accountant/theorems/test_subsampled.py::test_brackets_hold_the_truth_of_few_steps",
)
def loss_distribution_witness(
    A: Arithmetic, *, releases: tuple[Release, ...], neighbours: str, grid: Grid, direction: str
) -> ApproximateDP:
    """ε(δ) of a mechanism and neighbours that the schedule allows, from below: no smaller ε holds for the class.

    The record that differs has a term of norm Δ in every batch that it is in; the others' terms are 0, or where a
    record is replaced opposite to it. So the released sums are exactly (1−q)N(0,z²) + qN(s,z²) against N(0,z²), s = 1
    or (without replacement) 2: direction "remove", or the reverse: "add". Poisson batches and a replaced record: T17r's
    pair, alike in both directions. Every cell's mass is merged at log(p/p'), and rounded down.
    """
    _check_schedule(A, releases, neighbours)
    _check_grid(A, releases, grid)
    A.require(direction in ("remove", "add"), "direction: remove or add", direction)
    way = Way.FORWARD if direction == "remove" else Way.REVERSED
    return ApproximateDP(A.of(lower_epsilon(releases, neighbours, grid.delta, grid.points, way)), A.of(grid.delta))


@theorem(
    "T27",
    concludes=ApproximateDP,
    facts=Facts(
        Direction.ABOVE, Family.SAMPLED, States.EPSILON, formula="loss_of_sampled", profile=Profile.LOSSES, label=None
    ),
    source="docs/theory.md T27; mixtures of Gaussians as in arXiv 2310.15526",
    assumes=_ASSUMES,
    oracle="tests/accountant/theorems/test_groups.py::test_brackets_of_groups_hold_the_truth_of_few_steps",
)
def group_distribution(
    A: Arithmetic, *, releases: tuple[Release, ...], neighbours: str, group: int, grid: Grid
) -> ApproximateDP:
    """ε(δ) of Poisson batches where `group` = k records differ, each drawn by a coin of its own, as T19.

    With a records that only the first dataset has and b that only the second has, a step's dominating pair is
    Σ_j Bin(a,q;j)N(j,z²) against Σ_j Bin(b,q;j)N(−j,z²), for every e^ε, in both directions, under adaptive composition.
    k records added or removed: the largest of the composed ε over a + b = k; replaced: a = b = k. Full batches among
    the releases: the sums differ by a + b. It is not the pair of one coin for all (shift k with probability q), which
    lies below it at small ε, nor k compositions of one record's pair.
    """
    _check_schedule(A, releases, neighbours)
    _check_grid(A, releases, grid)
    _check_group(A, releases, group)
    _check_reverse(A, releases, neighbours, grid)
    A.require(not grid.further, "further releases as full batches", len(grid.further))
    return _bounded(A, releases, neighbours, grid, group)


@theorem(
    "T27l",
    concludes=ApproximateDP,
    facts=Facts(
        Direction.BELOW, Family.SAMPLED, States.EPSILON, formula="loss_of_sampled", profile=Profile.LOSSES, label=None
    ),
    source="docs/theory.md T27l, T27",
    assumes=_ASSUMES,
    oracle="tests/accountant/theorems/test_groups.py::test_brackets_of_groups_hold_the_truth_of_few_steps",
)
def group_distribution_witness(
    A: Arithmetic, *, releases: tuple[Release, ...], neighbours: str, group: int, grid: Grid, direction: str
) -> ApproximateDP:
    """ε(δ) of a mechanism and neighbours that the schedule allows, from below, as T19l: all records that differ have
    the same term of norm Δ, and where they are replaced the opposite one; all others have 0. T27's pair is then
    attained.

    direction: "remove" = all k are in the first dataset alone, "add" the reverse.
    """
    _check_schedule(A, releases, neighbours)
    _check_grid(A, releases, grid)
    _check_group(A, releases, group)
    A.require(direction in ("remove", "add"), "direction: remove or add", direction)
    way = Way.FORWARD if direction == "remove" or replaces(neighbours) else Way.REVERSED
    epsilon = lower_epsilon(releases, neighbours, grid.delta, grid.points, way, group)
    return ApproximateDP(A.of(epsilon), A.of(grid.delta))


def oversized(A: Arithmetic, releases: tuple[Release, ...], samples: int, max_batch_size: int) -> Number:
    """Σ_steps P[Bin(n⁺, q) > c], from above, by Chernoff's bound (docs/theory.md T20); n⁺ = samples + 1."""
    A.require(samples >= 1, "1 ≤ samples", samples)
    A.require(max_batch_size >= 0, "0 ≤ max_batch_size", max_batch_size)
    n, k = samples + 1, max_batch_size + 1
    total = A.of(0)
    for release in releases:
        A.require(release.scheme.can_be_cut, "Poisson sampling", release.sampling)
        A.require(0 <= release.sample_rate <= 1, "0 ≤ q ≤ 1", release.sample_rate)
        A.require(release.steps >= 0, "0 ≤ steps", release.steps)
        if k > n or release.sample_rate == 0:
            continue
        A.require(k > n * release.sample_rate, "a cut above the mean batch: c + 1 > n⁺q", max_batch_size)
        q = A.of(release.sample_rate)
        tail = A.power(n * q / k, k) * (A.power(n * (1 - q) / (n - k), n - k) if k < n else 1)
        total = total + release.steps * tail
    return total


@theorem(
    "T20",
    concludes=ApproximateDP,
    premises=(ApproximateDP,),
    facts=Facts(
        Direction.ABOVE, Family.SAMPLED, States.EPSILON, formula="charge", profile=Profile.TRUNCATED, label=None
    ),
    source="docs/theory.md T20",
    assumes=("sampling",),
    oracle="tests/accountant/theorems/test_subsampled.py::test_truncation_against_the_binomial_tail",
)
def truncated_poisson(
    A: Arithmetic,
    untruncated: ApproximateDP,
    *,
    budget: Number,
    releases: tuple[Release, ...],
    samples: int,
    max_batch_size: int,
) -> ApproximateDP:
    """Poisson batches that are cut to `max_batch_size`, c: the same ε at δ + budget, where
    budget ≥ Σ_steps (1 + e^ε)·P[Bin(n⁺, q) > c], n⁺ = samples + 1 for the larger of two neighbours
    (where k records are added, `samples` counts the others that may be there: n + k − 1).

    The tail by Chernoff: with k = c + 1 > n⁺q it is at most (n⁺q/k)^k (n⁺(1−q)/(n⁺−k))^{n⁺−k}.
    """
    tails = oversized(A, releases, samples, max_batch_size)
    added = (1 + A.exp(untruncated.epsilon)) * tails
    A.require(A.at_least(budget, added), "a budget for what the cut adds to δ", budget)
    return ApproximateDP(untruncated.epsilon, untruncated.delta + budget)


@theorem(
    "T20d",
    concludes=GaussianDP,
    facts=Facts(Direction.ABOVE, Family.SAMPLED, States.MU, formula="square_of_sums", profile=None, label=None),
    source="docs/theory.md T20d, T20",
    assumes=("noisy_sums", "batches:disjoint", "release:sums"),
    oracle="tests/accountant/theorems/test_subsampled.py::test_disjoint_batches_are_one_gaussian_an_epoch",
)
def disjoint_batches(A: Arithmetic, *, noise_multiplier: Number, epochs: int, neighbours: str) -> GaussianDP:
    """Every record is in one batch an epoch, fixed or shuffled: E epochs are μ = √E/z where the record's term is
    zeroed, 2√E/z where it is replaced. No amplification is claimed.

    Adding or removing a record would move the others between batches: refused.
    """
    A.require(neighbours in FIXED_SIZE, "neighbours: remove-one or replace-one", neighbours)
    A.require(below(A, A.of(0), noise_multiplier), "0 < z", noise_multiplier)
    A.require(epochs >= 0, "0 ≤ epochs", epochs)
    shift = shift_of(neighbours)
    return GaussianDP(shift * A.sqrt(A.of(epochs)) / noise_multiplier)
