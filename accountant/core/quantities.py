"""What a bound is about. The fields hold numbers of whichever arithmetic evaluates the derivation."""

from __future__ import annotations

from dataclasses import dataclass, field

from accountant.core.arithmetic.base import Number


@dataclass(frozen=True)
class LossBounds:
    """L, m, M: smoothness and strong convexity of the regularised loss, bound on one record's data gradient.

    smoothness: None where nothing is known of it. convex: whether every record's data loss is; where it is not, m is
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
class Contraction:
    """Each noiseless step of this size brings any two points together by this factor at least (above 1: apart by it
    at most)."""

    factor: Number
    step_size: Number


@dataclass(frozen=True)
class Shift:
    """How far one differing record can drive the two neighbours' steps, of this size and batch, apart, in parameter
    units."""

    distance: Number
    step_size: Number
    batch_size: int


@dataclass(frozen=True)
class Drift:
    """Two runs' steps of this size, whatever their data, map x and y to points at most factor·|x − y| + distance
    apart. whole_batch: so does a batch with a differing record where x = y (its gradient is clipped as a whole)."""

    factor: Number
    distance: Number
    step_size: Number
    whole_batch: bool = False


@dataclass(frozen=True)
class Block:
    """`epochs` equal epochs of `batches` steps. `shifts`: (position, distance), ascending; other steps have none.

    contraction: c of a step; variance: τ² of its noise; expanding: c > 1, decided exactly. drift: None where a step
    takes points z apart to at most c·z + its shift; else to at most c·z + drift at every step, for z > 0, and the
    shifts count only while the runs are together (z = 0).
    """

    epochs: int
    batches: int
    contraction: Number
    variance: Number
    shifts: tuple[tuple[int, Number], ...]
    expanding: bool = False
    drift: Number | None = None


@dataclass(frozen=True)
class Timeline:
    """Two runs side by side, `start` apart. `diameter` 2R caps their distance after every step; None: no projection.

    equal_starts: start = 0; uniform: every block has the same contraction and variance; single: at most one record
    differs in each block; open: several records differ, and in which of several batches they are is not known; alike:
    every phase has the same step size, noise and number of batches, or one batch. All are decided exactly. exact: the
    same timeline in fractions, kept where they stay short (every contraction is 0 or 1, or there are few steps): a tie
    is decided with it.
    """

    start: Number
    diameter: Number | None
    blocks: tuple[Block, ...]
    equal_starts: bool = False
    uniform: bool = False
    single: bool = False
    open: bool = False
    alike: bool = False
    exact: Timeline | None = field(default=None, metadata={"exact": True}, compare=False, repr=False)

    @property
    def drifting(self) -> bool:
        """Whether some phase drifts: then T26 bounds μ, and no single string does."""
        return any(block.drift is not None for block in self.blocks)


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


Quantity = (
    LossBounds
    | LinearLoss
    | Sensitivity
    | Contraction
    | Shift
    | Drift
    | Timeline
    | Wasserstein
    | GaussianDP
    | GaussianWitness
    | RenyiCurve
    | ApproximateDP
)
