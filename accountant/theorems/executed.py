"""What a run executed in floating point satisfies: T28's cells, and T28s for noisy sums that are all snapped to a grid.

A number is released as the nearest multiple of a public Γ, and was off by at most e before that. `cell_charge`,
`tail_charge` and `still_private` are what both theorems say of it; T28's own bound is computed in
`accountant.pnsgd.executed`.
"""

from __future__ import annotations

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family
from accountant.core.kernel import theorem
from accountant.core.quantities import ApproximateDP
from accountant.mechanisms.release import Release
from accountant.theorems.conditions import below, inside_unit
from accountant.theorems.subsampled import oversized

REACH = 13  # h of T28: how many standard deviations of the noise are looked at cell by cell
SUM_CELLS = 16  # of the grid of a noisy sum in one standard deviation of its noise, at least
ROOM = 16  # errors of a coordinate fit into one Γ, more than


def cell_charge(A: Arithmetic, share: Number, width: Number) -> Number:
    """γ₁ = −log(1 − 2(e/Γ)·exp((h + w)w)): by how much an error changes the log-probability of a cell, in one
    coordinate. share: e/Γ; width: w = (Γ + e)/τ."""
    return -A.log(1 - 2 * share * A.exp((REACH + width) * width))


def tail_charge(A: Arithmetic, width: Number) -> Number:
    """2Φ(−h + w): the probability that a draw lies where cells are not compared."""
    return 2 * A.normal_cdf(width - REACH)


def still_private(
    A: Arithmetic, inner: Number, epsilon: Number, gamma: Number, t: Number, delta: Number
) -> bool | None:
    """e^γ·inner + (1 + e^(ε + 2γ))·t ≤ δ, where the exact run is (ε, inner)-private: then the executed one is
    (ε + 2γ, δ)-private."""
    growth = A.exp(gamma)
    return A.at_least(delta, growth * inner + (1 + A.exp(epsilon) * growth * growth) * t)


def sums_gamma(A: Arithmetic, draws: int, error: Number, spare: Number) -> Number:
    """γ of T28s over `draws` = N·d coordinates: their sum, or (`spare` = δ' > 0) by advanced composition of pairs."""
    one = cell_charge(A, error, _width(A, error))
    if A.at_least(A.of(0), spare):
        return draws * one
    return draws * one * one + 2 * one * A.sqrt(draws * A.log(1 / spare))


def sums_failure(
    A: Arithmetic,
    draws: int,
    error: Number,
    uncoupled: Number,
    spare: Number,
    releases: tuple[Release, ...],
    samples: int,
    largest_batch: int,
) -> Number:
    """t of T28s: draws far out or not coupled, δ', and Poisson batches of more records than `largest_batch`."""
    each = tail_charge(A, _width(A, error)) + uncoupled
    return draws * each + spare + oversized(A, releases, samples, largest_batch)


def _width(A: Arithmetic, error: Number) -> Number:
    """(Γ + e)/τ at most, for every Γ ≤ τ/16."""
    return (1 + error) / SUM_CELLS


@theorem(
    "T28s",
    concludes=ApproximateDP,
    premises=(ApproximateDP,),
    facts=Facts(Direction.ABOVE, Family.ROUNDING, None, formula=None, profile=None, label=None),
    source="docs/theory.md T28s, T28; Dwork, Rothblum, Vadhan 2010, Theorem III.3; Bun, Steinke 2016, Proposition 3.3",
    assumes=("noisy_sums",),
    oracle="tests/accountant/dpsgd/test_executed.py::test_worst_roundings_lie_between_the_exact_and_the_charged_bound",
)
def executed_sums(
    A: Arithmetic,
    exact: ApproximateDP,
    *,
    steps: int,
    dimension: int,
    error: Number,
    uncoupled: Number,
    spare: Number,
    releases: tuple[Release, ...],
    samples: int,
    largest_batch: int,
    delta: Number,
) -> ApproximateDP:
    """N noisy sums of d coordinates, each released as the nearest multiple of a public Γ ≤ τ/16 and off by at most
    e = `error`·Γ before that, are (ε + 2γ, δ)-private if exact sums with the enlarged sensitivity are (ε, δ₀)-private
    and e^γ·δ₀ + (1 + e^(ε + 2γ))·t ≤ δ.

    γ = N·d·γ₁, or with δ' = `spare` > 0, N·d·γ₁² + 2γ₁√(N·d·log(1/δ')); t = N·d·(2Φ(−h + w) + t_g) + δ' +
    Σ_steps P[Bin(n⁺, q) > `largest_batch`]. `exact` is about the sensitivity of the sums as they are executed:
    noise multipliers z/(1 + ρ). Normals are drawn independently, or in independent pairs.
    """
    A.require(steps >= 1, "N ≥ 1", steps)
    A.require(dimension >= 1, "d ≥ 1", dimension)
    A.require(below(A, A.of(0), error), "0 < e", error)
    A.require(below(A, ROOM * error, A.of(1)), "e < Γ/16", error)
    for chance in (uncoupled, spare):
        A.require(A.at_least(chance, A.of(0)), "probabilities of at least 0", chance)
        A.require(below(A, chance, A.of(1)), "probabilities below 1", chance)
    A.require(inside_unit(A, delta), "0 < δ < 1", delta)
    draws = steps * dimension
    gamma = sums_gamma(A, draws, error, spare)
    t = sums_failure(A, draws, error, uncoupled, spare, releases, samples, largest_batch)
    enough = still_private(A, exact.delta, exact.epsilon, gamma, t, delta)
    A.require(enough, "e^γ·δ₀ + (1 + e^(ε + 2γ))·t ≤ δ", exact.delta)
    return ApproximateDP(exact.epsilon + 2 * gamma, delta)
