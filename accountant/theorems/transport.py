"""How far apart two runs can be: contraction, the shift of a record, the timeline of a history, W∞ tracking."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, States
from accountant.core.kernel import theorem
from accountant.core.quantities import LossBounds, Wasserstein
from accountant.mechanisms.neighbours import FIXED_SIZE, shift_of
from accountant.mechanisms.timeline import Phase
from accountant.theorems.conditions import below, derived, per_record
from accountant.theorems.flow import Flows, Mark, after, first_shift
from accountant.theorems.timelines import Block, Contraction, Drift, Shift, Timeline

MAX_EXACT_BITS = 4096  # of a power c^n that decides a tie in fractions


@theorem(
    "C1",
    rational=True,
    concludes=Contraction,
    premises=(LossBounds,),
    variadic=True,
    facts=Facts(Direction.EXACT, Family.STEP, States.CONTRACTION, formula="body", profile=None, label=None),
    source="docs/theory.md C1; Nesterov 2004, Theorem 2.1.12",
    assumes=("convexity", "smoothness"),
    oracle="tests/accountant/theorems/test_transport.py::test_contraction_holds_for_random_quadratics",
)
def contraction(
    A: Arithmetic, *loss: LossBounds, step_size: Number, strong_convexity: Number, smoothness: Number
) -> Contraction:
    """A noiseless step x − η∇f(x) multiplies distances by at most c = max(|1 − ηm|, |1 − ηL|).

    f is m-strongly convex and L-smooth; η ≤ 2/L makes c ≤ 1, η ≤ 2/(m+L) makes c = 1 − ηm.
    """
    A.require(all(known.convex for known in loss), "convex data losses")
    strong_convexity = derived(A, "strong_convexity", strong_convexity, loss)
    smoothness = derived(A, "smoothness", smoothness, loss)
    A.require(A.at_least(strong_convexity, A.of(0)), "0 ≤ m", strong_convexity)
    A.require(A.at_least(smoothness, strong_convexity), "m ≤ L", smoothness)
    A.require(A.at_least(step_size, A.of(0)), "0 ≤ η", step_size)
    factor = A.maximum(A.absolute(1 - step_size * strong_convexity), A.absolute(1 - step_size * smoothness))
    return Contraction(factor, step_size)


@theorem(
    "C2",
    rational=True,
    concludes=Shift,
    premises=(LossBounds,),
    variadic=True,
    facts=Facts(Direction.EXACT, Family.STEP, States.SHIFT, formula="body", profile=None, label=None),
    source="docs/theory.md C2",
    assumes=("gradient_bound",),
    oracle="tests/accountant/theorems/test_transport.py::test_shift_holds_for_random_gradients",
)
def gradient_shift(
    A: Arithmetic, *loss: LossBounds, step_size: Number, batch_size: int, gradient_bound: Number, neighbours: str
) -> Shift:
    """One differing record moves a step by at most s = 2ηM/b (replace-one), or ηM/b (remove-one: its gradient becomes
    0)."""
    per_record(A, loss)
    gradient_bound = derived(A, "gradient_bound", gradient_bound, loss)
    A.require(batch_size >= 1, "b ≥ 1", batch_size)
    A.require(A.at_least(step_size, A.of(0)), "0 ≤ η", step_size)
    A.require(A.at_least(gradient_bound, A.of(0)), "0 ≤ M", gradient_bound)
    A.require(neighbours in FIXED_SIZE, "neighbours: replace-one or remove-one", neighbours)
    change = shift_of(neighbours)
    return Shift(change * step_size * gradient_bound / batch_size, step_size, batch_size)


def blocks(
    A: Arithmetic, factors: tuple[Number, ...], shifts: tuple[Number, ...], phases: tuple[Phase, ...]
) -> tuple[Block, ...]:
    """The blocks of these phases: τ² = 2ησ², and the shift of one record times the number that differ in the batch."""
    described = []
    for factor, shift, phase in zip(factors, shifts, phases, strict=True):
        A.require(phase.epochs >= 1, "epochs ≥ 1", phase.epochs)
        A.require(phase.batches >= 1, "batches ≥ 1", phase.batches)
        A.require(A.at_least(phase.step_size, A.of(0)), "0 ≤ η", phase.step_size)
        A.require(A.at_least(phase.noise_std, A.of(0)), "0 ≤ σ", phase.noise_std)
        positions = [position for position, _ in phase.records]
        A.require(
            positions == sorted(set(positions)) and all(0 <= p < phase.batches for p in positions),
            "positions ascend within the epoch",
            positions,
        )
        for _, count in phase.records:
            A.require(1 <= count <= phase.batch_size, "1 ≤ differing records of a batch ≤ b", count)
        described.append(
            Block(
                phase.epochs,
                phase.batches,
                factor,
                2 * phase.step_size * phase.noise_std**2,
                tuple((position, count * shift) for position, count in phase.records),
                expanding=A.at_least(A.of(1), factor) is not True,
            )
        )
    return tuple(described)


def drifting(block: Block, drift: Drift) -> Block:
    """The same block with runs that drift once they are apart; a batch that is clipped as a whole drifts at once."""
    shifts = block.shifts
    if drift.whole_batch:
        shifts = tuple((position, drift.distance) for position, _ in shifts)
    return replace(block, shifts=shifts, drift=drift.distance)


@theorem(
    "T10",
    rational=True,
    concludes=Timeline,
    premises=(Contraction | Drift, Shift | Drift),
    variadic=True,
    facts=Facts(
        Direction.EXACT, Family.DISTANCE, States.STEPS, formula="noise", profile=None, label=None, omits_batch_size=True
    ),
    source="docs/theory.md T10, T23, T26; Chien et al. 2024 for single requests",
    assumes=("gaussian_noise", "starts", "batches:fixed"),
    oracle="tests/accountant/theorems/test_transport.py::test_worst_batches_dominate_every_placement",
)
def requests(
    A: Arithmetic,
    *rates: Contraction | Shift | Drift,
    start: Number,
    diameter: Number | None,
    phases: tuple[Phase, ...],
) -> Timeline:
    """The true history against the data after the request throughout: a timeline with one block for each phase.

    Each phase takes a contraction and a shift, or a drift and a shift, or twice the same drift of batches that are
    clipped as a whole. Which batches the records are in is not known: `timeline.worst_batches` says where they count
    most, for each quantity. Where c > 1 that is known for one record and equal starts alone.
    """
    firsts, seconds = rates[::2], rates[1::2]
    A.require(len(rates) == 2 * len(phases), "a contraction and a shift for each phase", len(rates))
    A.require(A.at_least(start, A.of(0)), "0 ≤ initial distance", start)
    if diameter is not None:
        A.require(A.at_least(diameter, start), "initial distance ≤ 2R", start)
    single = all(len(phase.records) <= 1 and sum(count for _, count in phase.records) <= 1 for phase in phases)
    for first, second, phase in zip(firsts, seconds, phases, strict=True):
        if isinstance(second, Drift):
            A.require(second.whole_batch, "a shift beside the drift, or batches clipped as a whole", second.distance)
            A.require(first == second, "the same drift twice, or neither is one", second)
        elif isinstance(first, Drift):
            A.require(not first.whole_batch, "no shift of one record where batches are clipped as a whole", second)
        if isinstance(first, Drift):
            A.require(first.step_size == phase.step_size, "drift of the phase's own steps", phase)
        if not isinstance(second, Drift):
            same = first.step_size == phase.step_size == second.step_size and phase.batch_size == second.batch_size
            A.require(same, "contraction and shift of the phase's own steps", phase)
    parts = blocks(A, tuple(rate.factor for rate in firsts), tuple(rate.distance for rate in seconds), phases)
    for block in parts:
        if block.expanding:
            A.require(diameter is not None, "c ≤ 1, or a radius", block.contraction)
            A.require(single and start == 0, "c ≤ 1, or one differing record and equal starts", block.contraction)
    parts = tuple(drifting(b, rate) if isinstance(rate, Drift) else b for b, rate in zip(parts, firsts, strict=True))
    timeline = Timeline(
        start,
        diameter,
        parts,
        equal_starts=start == 0,
        uniform=len({(block.contraction, block.variance) for block in parts}) <= 1,
        single=single,
        open=not single and any(phase.batches > 1 for phase in phases),
        alike=len({(phase.batches, phase.step_size, phase.noise_std) for phase in phases}) <= 1
        or all(phase.batches == 1 for phase in phases),
    )
    return replace(timeline, exact=timeline) if all(map(_stays_short, parts)) else timeline


def _stays_short(block: Block) -> bool:
    """Whether what is computed of the block in fractions has few digits: powers of 0 and 1 have, others grow."""
    c = block.contraction
    if not isinstance(c, Fraction):  # a formula
        return False
    digits = c.numerator.bit_length() + c.denominator.bit_length()
    return c in (0, 1) or block.epochs * block.batches * digits <= MAX_EXACT_BITS


@theorem(
    "T1",
    concludes=Wasserstein,
    premises=(Timeline,),
    facts=Facts(Direction.ABOVE, Family.DISTANCE, States.WASSERSTEIN, formula="tracked", profile=None, label=None),
    source="docs/theory.md T1; Chien et al. 2024, Lemma 3.3",
    oracle="tests/accountant/theorems/test_transport.py::test_tracking_equals_step_by_step",
)
def wasserstein_tracking(A: Arithmetic, timeline: Timeline, *, phases: int) -> Wasserstein:
    """Coupling both runs by the same noise bounds W∞ after the first `phases` blocks: w ← min(c·w + s, 2R) at each
    step, s the drift of steps that drift once w > 0."""
    A.require(0 <= phases <= len(timeline.blocks), "0 ≤ phases ≤ number of blocks", phases)
    return Wasserstein(distance_at(A, Flows(A, timeline), Mark(phases)))


def distance_at(A: Arithmetic, flows: Flows, mark: Mark) -> Number:
    """W∞ of the two runs at most, at that moment."""
    timeline, begin, distance = flows.timeline, Mark(0), flows.timeline.start
    if timeline.equal_starts and timeline.drifting:  # together until the first shift
        first = first_shift(timeline, begin)
        if first is None or mark <= first:
            return A.of(0)
        begin, distance = after(timeline, first), dict(timeline.blocks[first.block].shifts)[first.position]
        if timeline.diameter is not None:
            distance = A.minimum(distance, timeline.diameter)
    flow = flows.between(begin, mark)
    distance = flow.rate * distance + flow.shift
    return distance if flow.cap is None else A.minimum(distance, flow.cap)


@theorem(
    "T1a",
    concludes=Wasserstein,
    facts=Facts(Direction.ABOVE, Family.DISTANCE, None, formula=None, profile=None, label=None),
    source="docs/theory.md T1a, T1; Chien et al. 2024, Lemma 3.3",
    oracle="tests/accountant/theorems/test_transport.py::test_closed_form_equals_tracking",
)
def wasserstein_by_batch(
    A: Arithmetic, *, contraction: Number, shift: Number, batches: int, position: int, epochs: int | None
) -> Wasserstein:
    """Z_j(T) = s·c^(l−1−j)·(1 − c^(lT))/(1 − c^l): one differing record in batch j, equal starts, no cap; `epochs`
    None: T → ∞."""
    A.require(0 <= position < batches, "0 ≤ j < l", position)
    A.require(A.at_least(contraction, A.of(0)), "0 ≤ c", contraction)
    A.require(A.at_least(shift, A.of(0)), "0 ≤ s", shift)
    per_epoch = A.power(contraction, batches)
    late = shift * A.power(contraction, batches - 1 - position)
    if epochs is not None:
        A.require(epochs >= 0, "T ≥ 0", epochs)
        return Wasserstein(late * A.geometric(per_epoch, epochs))
    A.require(below(A, contraction, A.of(1)), "c < 1 for T → ∞", contraction)
    return Wasserstein(late / (1 - per_epoch))
