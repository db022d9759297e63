"""What a bound is about. The fields hold numbers of whichever arithmetic evaluates the derivation."""

from __future__ import annotations

from dataclasses import dataclass

from accountant.core.arithmetic.base import Number


@dataclass(frozen=True)
class LossBounds:
    """L, m, M: smoothness and strong convexity of the regularised loss, bound on one record's data gradient.

    smoothness: None if it is not known. convex: whether every record's data loss is; where it is not, m is
    the regulariser's alone, (m/2)|θ|². whole_batch: M bounds the mean data gradient of a batch, clipped as a whole, and
    no record's.
    """

    smoothness: Number | None
    strong_convexity: Number
    gradient_bound: Number
    convex: bool = True
    whole_batch: bool = False


@dataclass(frozen=True)
class LinearLoss:
    """A convex loss of one inner product ⟨x,θ⟩ a record, neither clipped nor scaled, and its regulariser m.

    curvature: its data gradient changes by at most so much for each unit of θ. growth, floor: where that gradient has
    norm a, by at most growth·a + floor. gradient_bound: of the data gradient's norm. None where there is no bound; one
    of curvature and growth there is.
    """

    regularization: Number
    curvature: Number | None
    gradient_bound: Number | None
    growth: Number | None = None
    floor: Number = 0


@dataclass(frozen=True)
class Sensitivity:
    """Adding or removing one record moves the sum of scaled gradients by at most `norm`, replacing one by twice that.

    attained: some gradient reaches it; otherwise they only approach it.
    """

    norm: Number
    attained: bool


@dataclass(frozen=True)
class Wasserstein:
    """W∞ distance of the two runs is at most this, in parameter units."""

    distance: Number


@dataclass(frozen=True)
class GaussianDP:
    """The pair is μ-GDP, in both directions: at least as hard to tell apart as N(0,1) and N(μ,1)."""

    mu: Number


@dataclass(frozen=True)
class GaussianWitness:
    """Some member of the class is exactly as easy to tell apart as N(0,1) and N(μ,1): no smaller μ holds for the
    class."""

    mu: Number


@dataclass(frozen=True)
class RenyiCurve:
    """D_α ≤ `divergences[i]` at `orders[i]`, in both directions."""

    orders: tuple[Number, ...]
    divergences: tuple[Number, ...]


@dataclass(frozen=True)
class ApproximateDP:
    """(ε, δ): an upper bound, or from a `GaussianWitness` a lower one."""

    epsilon: Number
    delta: Number
