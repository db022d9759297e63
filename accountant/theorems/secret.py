"""A secret batch order: nobody knows in which batch the differing record is, and the mean over the batches counts."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, Profile, States
from accountant.core.kernel import theorem
from accountant.core.quantities import ApproximateDP, RenyiCurve
from accountant.theorems.conditions import below, check_positions, inside_unit
from accountant.theorems.shifts import no_drift, position_mu
from accountant.theorems.timelines import Timeline


@theorem(
    "T9",
    concludes=ApproximateDP,
    premises=(Timeline,),
    facts=Facts(
        Direction.ABOVE,
        Family.SECRET_ORDER,
        States.EPSILON,
        formula="mixture",
        profile=Profile.MIXTURE,
        label="Plumbline (secret order, T9)",
    ),
    source="docs/theory.md T9",
    assumes=("batches:secret",),
    oracle="tests/accountant/theorems/test_secret.py::test_secret_order_against_mpmath",
)
def secret_order(
    A: Arithmetic, timeline: Timeline, *, delta: Number, positions: tuple[int, ...], rule: str
) -> ApproximateDP:
    """One differing record whose batch is uniform, secret and the same in both runs: δ(ε) ≤ (1/l) Σ_j δ_{μ_j}(ε), μ_j
    by T4.

    The batches in `positions` are looked at. Rule "right": one stands for those since the one before, for μ_j grows
    with j. Rule "chord": the trapezium rule, which is exact where every batch is looked at, and else an upper bound
    because j ↦ δ_{μ_j}(ε) is convex for K ≥ 1 while μ² ≤ 2ε (∂δ/∂μ = φ(μ/2 − ε/μ) grows up to there, and log μ_j is
    convex in j).
    """
    A.require(inside_unit(A, delta), "0 < δ < 1", delta)
    A.require(rule in ("chord", "right"), "rule: chord or right", rule)
    mus = position_mus(A, timeline, positions)
    batches = timeline.blocks[0].batches
    weights = tuple(A.of(weight) / batches for weight in weights_of(positions, rule))
    epsilon = A.mixture_epsilon(mus, weights, delta)
    if rule == "chord" and len(positions) < batches:
        A.require(len(timeline.blocks) == 2, "K ≥ 1 for the chord rule", 0)
        A.require(A.at_least(2 * epsilon, mus[-1] * mus[-1]), "μ² ≤ 2ε for the chord rule", epsilon)
    return ApproximateDP(epsilon, delta)


@theorem(
    "T9r",
    concludes=RenyiCurve,
    premises=(Timeline,),
    facts=Facts(
        Direction.ABOVE, Family.SECRET_ORDER, States.RENYI, formula="mixture_divergence", profile=None, label=None
    ),
    source="docs/theory.md T9r, T9",
    assumes=("batches:secret",),
    oracle="tests/accountant/theorems/test_secret.py::test_secret_curve_against_mpmath",
)
def secret_renyi(
    A: Arithmetic, timeline: Timeline, *, orders: tuple[Number, ...], positions: tuple[int, ...]
) -> RenyiCurve:
    """One differing record whose batch is uniform, secret and the same in both runs: D_α ≤ (1/(α−1)) log((1/l) Σ_j
    exp((α−1)·αμ_j²/2)), in both directions, μ_j by T4.

    exp((α−1)D_α) is jointly convex in the pair, and αμ_j²/2 bounds D_α where the batch is j (T2). The batches in
    `positions` are looked at; one stands for those since the one before, for μ_j grows with j.
    """
    for order in orders:
        A.require(below(A, A.of(1), order), "1 < α", order)
    squares = tuple(mu * mu for mu in position_mus(A, timeline, positions))
    batches = timeline.blocks[0].batches
    weights = tuple(A.of(weight) / batches for weight in weights_of(positions, "right"))
    return RenyiCurve(orders, tuple(_mean_divergence(A, order, squares, weights) for order in orders))


def _mean_divergence(A: Arithmetic, order: Number, squares: tuple[Number, ...], weights: tuple[Number, ...]) -> Number:
    """(1/(α−1)) log Σ weight·exp((α−1)·α·square/2), the last (largest) exponent drawn out so that doubles do not
    overflow."""
    exponent, worst = order * (order - 1) / 2, squares[-1]
    rest = weights[-1]
    for square, weight in zip(squares[:-1], weights[:-1], strict=True):
        rest = rest + weight * A.exp(exponent * (square - worst))
    return order * worst / 2 + A.log(rest) / (order - 1)


def position_mus(A: Arithmetic, timeline: Timeline, positions: tuple[int, ...]) -> tuple[Number, ...]:
    """μ_j by T4 of the record in each of these batches, on a timeline of T9."""
    blocks = timeline.blocks
    A.require(len(blocks) in (1, 2) and timeline.uniform, "learning and one unlearning phase alike", len(blocks))
    no_drift(A, timeline)
    A.require(timeline.equal_starts, "equal starts", timeline.start)
    learning = blocks[0]
    A.require(not learning.expanding, "c ≤ 1", learning.contraction)
    A.require(
        timeline.single
        and len(learning.shifts) == 1
        and learning.shifts[0][0] == learning.batches - 1
        and not any(block.shifts for block in blocks[1:]),
        "one differing record, in the last batch of learning",
        learning.shifts,
    )
    A.require(below(A, A.of(0), learning.variance), "0 < τ²", learning.variance)
    check_positions(A, positions, learning.batches)
    unlearning_epochs = blocks[1].epochs if len(blocks) == 2 else 0
    return tuple(
        position_mu(
            A,
            learning.contraction,
            learning.shifts[0][1],
            learning.variance,
            learning.batches,
            position,
            learning.epochs,
            unlearning_epochs,
        )
        for position in positions
    )


def weights_of(positions: tuple[int, ...], rule: str) -> list[Fraction]:
    """For how many batches each of the positions stands; they add up to l."""
    gaps = [later - earlier for earlier, later in pairwise(positions)]
    if rule == "right":
        return [Fraction(gap) for gap in (1, *gaps)]
    return [Fraction(before + after, 2) for before, after in pairwise((1, *gaps, 1))]
