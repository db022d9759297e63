"""Lower bounds: members of the class (m, L, M) whose two runs are Gaussian, so that no bound for the class can be
smaller."""

from __future__ import annotations

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, Profile, States
from accountant.core.kernel import theorem
from accountant.core.quantities import ApproximateDP, GaussianWitness, LossBounds
from accountant.mechanisms.neighbours import FIXED_SIZE, shift_of
from accountant.mechanisms.timeline import Phase
from accountant.theorems.conditions import below, check_positions, derived, inside_unit
from accountant.theorems.flow import Flow, Flows, Mark, repeat, then
from accountant.theorems.timelines import Timeline
from accountant.theorems.transport import blocks


@theorem(
    "T6",
    concludes=GaussianWitness,
    premises=(LossBounds,),
    variadic=True,
    facts=Facts(
        Direction.BELOW,
        Family.WITNESS,
        States.MU,
        formula="witness",
        profile=None,
        label="lower bound (straight witness, T6)",
    ),
    source="docs/theory.md T6",
    assumes=("gaussian_noise",),
    oracle="tests/accountant/theorems/test_shifts.py::test_witness_equals_the_exact_gaussians",
)
def straight_witness(
    A: Arithmetic,
    *loss: LossBounds,
    start: Number,
    strong_convexity: Number,
    gradient_bound: Number,
    neighbours: str,
    phases: tuple[Phase, ...],
) -> GaussianWitness:
    """A member of the class (m, L, M) without projection whose two runs are exactly Gaussian, D_N apart with variance
    V_N: μ = |D_N|/√V_N.

    Data losses ⟨g_i, x⟩, the differing records with opposite gradients of norm M (or with M against 0), regulariser
    (m/2)|x|², starts apart by the initial distance: each step is the map (1 − ηm)x.
    """
    m = derived(A, "strong_convexity", strong_convexity, loss)
    flow = _straight_flow(A, loss, m, gradient_bound, neighbours, phases)
    A.require(A.at_least(start, A.of(0)), "0 ≤ initial distance", start)
    distance = A.absolute(flow.rate * start + flow.shift)
    if A.at_least(A.of(0), distance):
        return GaussianWitness(A.of(0))
    A.require(below(A, A.of(0), flow.variance), "noise in some step", flow.variance)
    return GaussianWitness(distance / A.sqrt(flow.variance))


def _shift_of(
    A: Arithmetic, loss: tuple[LossBounds, ...], gradient_bound: Number, neighbours: str, phase: Phase
) -> Number:
    """What one differing record shifts a step by, exactly: 2ηM/b, or ηM/b."""
    M = derived(A, "gradient_bound", gradient_bound, loss)
    A.require(A.at_least(M, A.of(0)), "0 ≤ M", M)
    A.require(neighbours in FIXED_SIZE, "neighbours: replace-one or remove-one", neighbours)
    change = shift_of(neighbours)
    return change * phase.step_size * M / A.of(phase.batch_size)


def _straight_flow(
    A: Arithmetic,
    loss: tuple[LossBounds, ...],
    m: Number,
    gradient_bound: Number,
    neighbours: str,
    phases: tuple[Phase, ...],
) -> Flow:
    """Distance and variance of the straight witness from the start to the end."""
    A.require(A.at_least(m, A.of(0)), "0 ≤ m", m)
    slopes = tuple(1 - phase.step_size * m for phase in phases)
    shifts = tuple(_shift_of(A, loss, gradient_bound, neighbours, phase) for phase in phases)
    flows = Flows(A, Timeline(A.of(0), None, blocks(A, slopes, shifts, phases)))
    return flows.between(Mark(0), flows.end)


@theorem(
    "T6c",
    concludes=ApproximateDP,
    premises=(LossBounds,),
    variadic=True,
    facts=Facts(
        Direction.BELOW,
        Family.WITNESS,
        States.EPSILON_AND_MU,
        formula="curved_witness",
        profile=Profile.CURVED,
        label="lower bound (witness with curvature, T6c)",
    ),
    source="docs/theory.md T6c, T6",
    assumes=("gaussian_noise",),
    oracle="tests/accountant/theorems/test_witnesses.py::test_curved_witness_against_exact_densities",
)
def curved_witness(
    A: Arithmetic,
    *loss: LossBounds,
    start: Number,
    strong_convexity: Number,
    smoothness: Number,
    gradient_bound: Number,
    neighbours: str,
    phases: tuple[Phase, ...],
    delta: Number,
    epsilon: Number,
    mu: Number,
    own: Number,
    others: Number,
) -> ApproximateDP:
    """A lower bound on learning: the other records are Huber losses whose curvature forgets the earlier noise.

    The differing records (in one batch) have linear losses with opposite gradients of norm M; the others have
    curvature `others` in the batches without them, `own` in theirs, while |x| ≤ M/h. Inside that interval the two
    runs are Gaussian, D apart with variance V; each leaves it with probability at most p, by Gaussian tails and a
    union bound over the steps. δ_μ(ε) − (1 + e^ε)p ≥ δ makes ε a lower bound; `mu`, which gives less than δ at that
    ε, is one for μ.
    """
    A.require(all(known.convex for known in loss), "convex data losses")
    m = derived(A, "strong_convexity", strong_convexity, loss)
    L = derived(A, "smoothness", smoothness, loss)
    A.require(inside_unit(A, delta), "0 < δ < 1", delta)
    A.require(len(phases) == 1, "learning alone", len(phases))
    A.require(A.at_least(A.of(0), start), "equal starts", start)
    (phase,) = phases
    A.require(len(phase.records) == 1, "the differing records in one batch", phase.records)
    ((_, count),) = phase.records
    for curvature in (own, others):
        A.require(A.at_least(curvature, A.of(0)), "0 ≤ curvature", curvature)
        A.require(A.at_least(L - m, curvature), "curvature ≤ L − m", curvature)
    share = A.of(phase.batch_size - count) / A.of(phase.batch_size)
    own_slope, other_slope = 1 - phase.step_size * (m + own * share), 1 - phase.step_size * (m + others)
    for slope in (own_slope, other_slope):
        A.require(A.at_least(slope, A.of(0)), "0 ≤ slope", slope)
        A.require(below(A, slope, A.of(1)), "slope < 1", slope)
    shift = _shift_of(A, loss, gradient_bound, neighbours, phase)
    (block,) = blocks(A, (own_slope,), (shift,), phases)
    ((position, shift),), variance = block.shifts, block.variance
    A.require(below(A, A.of(0), variance), "0 < τ²", variance)
    flow = two_slopes(A, phase.batches, position, phase.epochs, own_slope, other_slope, shift, variance)
    exits = _exit_probability(A, phase, own, others, own_slope, other_slope, shift, variance, gradient_bound, loss)
    lower = A.gaussian_delta(flow.shift / A.sqrt(flow.variance), epsilon) - (1 + A.exp(epsilon)) * exits
    A.require(A.at_least(lower, delta), "δ_μ(ε) − (1 + e^ε)·P(exit) ≥ δ", lower)
    A.require(A.at_least(delta, A.gaussian_delta(mu, epsilon)), "δ of mu at ε is at most δ", mu)
    return ApproximateDP(epsilon, delta)


def two_slopes(
    A: Arithmetic,
    batches: int,
    position: int,
    epochs: int,
    own: Number,
    other: Number,
    shift: Number,
    variance: Number,
) -> Flow:
    """Distance and variance when the differing batch has a slope of its own."""
    clean, step = Flow(other, A.of(0), variance), Flow(own, shift, variance)
    epoch = then(A, then(A, repeat(A, clean, position), step), repeat(A, clean, batches - 1 - position))
    return repeat(A, epoch, epochs)


def _exit_probability(
    A: Arithmetic,
    phase: Phase,
    own: Number,
    others: Number,
    own_slope: Number,
    other_slope: Number,
    shift: Number,
    variance: Number,
    gradient_bound: Number,
    loss: tuple[LossBounds, ...],
) -> Number:
    """Of leaving |x| ≤ M/h at any of the N steps, at most: N·2Φ(−(M/h − D*)/√V*), D* and V* the largest mean and
    variance."""
    sharpest = A.maximum(own, others)
    if A.at_least(A.of(0), sharpest):
        return A.of(0)
    slope = A.maximum(own_slope, other_slope)
    farthest, widest = shift / (1 - slope), variance / (1 - slope * slope)
    room = derived(A, "gradient_bound", gradient_bound, loss) / sharpest - farthest
    A.require(below(A, A.of(0), room), "D* < M/h", room)
    return 2 * phase.epochs * phase.batches * A.normal_cdf(-room / A.sqrt(widest))


@theorem(
    "T6m",
    concludes=ApproximateDP,
    premises=(LossBounds,),
    variadic=True,
    facts=Facts(
        Direction.BELOW,
        Family.WITNESS,
        States.EPSILON,
        formula="secret_witness",
        profile=Profile.THRESHOLD,
        label="lower bound (secret order's witness, T6m)",
    ),
    source="docs/theory.md T6m, T6",
    assumes=("gaussian_noise", "batches:secret"),
    oracle="tests/accountant/theorems/test_witnesses.py::test_secret_witness_against_mpmath",
)
def secret_witness(
    A: Arithmetic,
    *loss: LossBounds,
    start: Number,
    strong_convexity: Number,
    gradient_bound: Number,
    neighbours: str,
    phases: tuple[Phase, ...],
    delta: Number,
    epsilon: Number,
    threshold: Number,
    positions: tuple[int, ...],
) -> ApproximateDP:
    """A lower bound for a secret order: the straight witnesses of all batches, mixed; seen through the test x >
    `threshold`.

    mean_j Φ((d_j/2 − t)/√V) − e^ε·mean_j Φ((−d_j/2 − t)/√V) ≥ δ makes ε a lower bound. d_j grows with j, and the
    bracket with d: a batch that is not among `positions` counts like the last one before it.
    """
    m = derived(A, "strong_convexity", strong_convexity, loss)
    A.require(inside_unit(A, delta), "0 < δ < 1", delta)
    A.require(A.at_least(A.of(0), start), "equal starts", start)
    differing = [phase.records for phase in phases]
    A.require(
        len(phases) >= 1 and differing[0] == ((phases[0].batches - 1, 1),) and not any(differing[1:]),
        "one differing record, in the last batch of learning",
        differing,
    )
    batches = phases[0].batches
    check_positions(A, positions, batches)
    slope = 1 - phases[0].step_size * m
    A.require(A.at_least(slope, A.of(0)), "0 ≤ 1 − ηm", slope)
    flow = _straight_flow(A, loss, m, gradient_bound, neighbours, phases)
    A.require(below(A, A.of(0), flow.variance), "noise in some step", flow.variance)
    deviation = A.sqrt(flow.variance)
    hit, missed = A.of(0), A.of(0)
    for position, following in zip(positions, (*positions[1:], batches), strict=True):
        half = flow.shift * A.power(slope, batches - 1 - position) / 2
        hit = hit + (following - position) * A.normal_cdf((half - threshold) / deviation)
        missed = missed + (following - position) * A.normal_cdf((-half - threshold) / deviation)
    lower = (hit - A.exp(epsilon) * missed) / batches
    A.require(A.at_least(lower, delta), "P(x > t) − e^ε·P′(x > t) ≥ δ", lower)
    return ApproximateDP(epsilon, delta)
