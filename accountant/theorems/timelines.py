"""Two runs side by side: what a step does to their distance, and the timeline of a claim. The fields hold numbers of
whichever arithmetic evaluates the derivation."""

from __future__ import annotations

from dataclasses import dataclass, field

from accountant.core.arithmetic.base import Number


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
