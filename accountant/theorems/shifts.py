"""Shifted interpolation and the taut string: how much of the distance the noise hides. The heart of the project."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from accountant.core.arithmetic import Arithmetic, Number
from accountant.core.facts import Direction, Facts, Family, States
from accountant.core.kernel import theorem
from accountant.core.quantities import GaussianDP, Wasserstein
from accountant.theorems.conditions import below
from accountant.theorems.flow import Flow, Flows, Mark, after, shift_marks, still, then
from accountant.theorems.timelines import Timeline
from accountant.theorems.transport import distance_at


@dataclass(frozen=True)
class Corner:
    """Where the string bends: just before step `position`, in every epoch from `first` to `last` of block `block`."""

    block: int
    position: int
    first: int
    last: int


@theorem(
    "T3",
    concludes=GaussianDP,
    premises=(Timeline,),
    facts=Facts(
        Direction.ABOVE,
        Family.STRING,
        States.MU,
        formula="mu_square",
        profile=None,
        label="Plumbline (taut string, T3)",
    ),
    source="docs/theory.md T2, T3; special cases Bok, Su, Altschuler 2024, Feldman et al. 2018",
    oracle="tests/accountant/theorems/test_shifts.py::test_string_equals_the_brute_force_hull",
)
def taut_string(A: Arithmetic, timeline: Timeline, *, corners: tuple[Corner, ...]) -> GaussianDP:
    """The pair of final states is μ-GDP with μ² = Σ w²/v over the string's straight segments, in both directions.

    The corners cut the timeline into segments. With (w, v) the distance and the variance that one segment gathers,
    the schedule a_k = (w/v)·C_k·τ_k² takes the distance to 0 at the segment's end; it is admissible if z_k = w_k −
    (w/v)·C_k·v_k ≥ 0 at every step inside. Any admissible corners give a valid bound; the taut string's give the least.
    """
    no_drift(A, timeline)
    return GaussianDP(A.sqrt(energy(A, Flows(A, timeline), corners, Mark(0), timeline.start)))


def no_drift(A: Arithmetic, timeline: Timeline) -> None:
    """Require that no phase drifts: a string pays the drift at every step, or below the truth, while T26 need not."""
    A.require(not timeline.drifting, "steps without drift", len(timeline.blocks))


def energy(A: Arithmetic, flows: Flows, corners: tuple[Corner, ...], start: Mark, distance: Number) -> Number:
    """Σ w²/v of the string with these corners that begins at `start`, the runs `distance` apart; admissibility is
    checked."""
    blocks = flows.timeline.blocks
    total, begin = A.of(0), start
    exactly = None if flows.exact is None else distance_at(flows.exact.A, flows.exact, start)
    for corner in corners:
        A.require(
            corner.block < len(blocks)
            and 0 <= corner.position < blocks[corner.block].batches
            and 0 <= corner.first <= corner.last < blocks[corner.block].epochs,
            "corners lie on the timeline",
            corner,
        )
        here = Mark(corner.block, corner.first, corner.position)
        A.require(begin < here, "corners ascend", corner)
        total += segment(A, flows, begin, here, distance, exactly)
        distance, exactly = A.of(0), None if exactly is None else Fraction(0)
        if corner.last > corner.first:
            following = Mark(corner.block, corner.first + 1, corner.position)
            total += (corner.last - corner.first) * segment(A, flows, here, following, distance, exactly)
        begin = Mark(corner.block, corner.last, corner.position)
    return total + segment(A, flows, begin, flows.end, distance, exactly)


def segment(
    A: Arithmetic,
    flows: Flows,
    start: Mark,
    end: Mark,
    distance: Number,
    exactly: Fraction | None,
    together: bool = False,
) -> Number:
    """w²/v of one straight segment whose runs begin `distance` apart, its admissibility checked where it can fail.

    exactly: the distance as a fraction, where the timeline is known in fractions; a tie is decided with it. together:
    the runs begin in one point, so that the first step has its shift and not the drift.
    """
    pieces = _pieces(A, flows, start, end, together)
    whole = flows.between(start, end) if not together else _all(A, pieces)
    w, v = whole.rate * distance + whole.shift, whole.variance
    if A.at_least(A.of(0), w):
        return A.of(0)
    A.require(below(A, A.of(0), v), "noise wherever there is distance to hide", v)
    for arrived, hidden in _margins(A, pieces, whole, distance):
        holds = A.at_least(arrived, hidden)
        if holds is None and flows.exact is not None and exactly is not None:
            E, known = flows.exact.A, _pieces(flows.exact.A, flows.exact, start, end, together)
            holds = all(x >= y for x, y in _margins(E, known, _all(E, known), exactly))
        A.require(holds, "the schedule stays above zero: z_k ≥ 0", arrived - hidden)
    return w * w / v


def _pieces(A: Arithmetic, flows: Flows, start: Mark, end: Mark, together: bool) -> list[Flow]:
    """The flows between the moments at which z_k can be least inside the segment."""
    timeline, pieces, moment = flows.timeline, [], start
    block = timeline.blocks[start.block] if together else None
    if block is not None and block.drift is not None:
        shift = dict(block.shifts).get(start.position, A.of(0))
        pieces.append(Flow(block.contraction, shift, block.variance, timeline.diameter))
        moment = after(timeline, start)
    stops = [stop for stop in shift_marks(timeline, start, end) if stop > moment]
    for stop in [*stops, end] if moment < end else []:
        pieces.append(flows.between(moment, stop))
        moment = stop
    return pieces


def _all(A: Arithmetic, pieces: list[Flow]) -> Flow:
    flow = still(A)
    for piece in pieces:
        flow = then(A, flow, piece)
    return flow


def _margins(A: Arithmetic, pieces: list[Flow], whole: Flow, distance: Number) -> Iterator[tuple[Number, Number]]:
    """w_k·v and w·C_k·v_k wherever z_k can be least inside the segment; z_k ≥ 0 says that the first is at least the
    second."""
    w, v = whole.rate * distance + whole.shift, whole.variance
    remaining = [A.of(1)]  # C_k at each stop: the contractions still to come, gathered from the end
    for piece in reversed(pieces[1:]):
        remaining.append(remaining[-1] * piece.rate)
    so_far = still(A)
    for piece, rate in zip(pieces[:-1], reversed(remaining), strict=False):
        so_far = then(A, so_far, piece)
        yield (so_far.rate * distance + so_far.shift) * v, w * rate * so_far.variance


@theorem(
    "T4a",
    concludes=GaussianDP,
    premises=(Wasserstein,),
    facts=Facts(
        Direction.ABOVE, Family.CLOSED_FORM, None, formula="body", profile=None, label="W∞ alone (unlearning noise, T4)"
    ),
    source="docs/theory.md T4a, T4",
    oracle="tests/accountant/theorems/test_shifts.py::test_unlearning_noise_alone_is_a_string_from_the_learned_distance",
)
def unlearning_noise(
    A: Arithmetic, learned: Wasserstein, *, contraction: Number, variance: Number, steps: int
) -> GaussianDP:
    """From distance Z, `steps` equal steps without shift leave μ = Z·c^n / sqrt(τ²·Σ_{i<n} c^(2i)); any c > 0.

    This is what W∞ alone gives (the papers' route): the noise of learning is not counted.
    """
    A.require(steps >= 1, "steps ≥ 1", steps)
    A.require(below(A, A.of(0), variance), "0 < τ²", variance)
    A.require(A.at_least(contraction, A.of(0)), "0 ≤ c", contraction)
    return GaussianDP(
        learned.distance
        * A.power(contraction, steps)
        / A.sqrt(variance * A.geometric(contraction * contraction, steps))
    )


@theorem(
    "T4",
    concludes=GaussianDP,
    facts=Facts(Direction.ABOVE, Family.CLOSED_FORM, None, formula=None, profile=None, label=None),
    source="docs/theory.md T4; Bok, Su, Altschuler 2024 for learning",
    oracle="tests/accountant/theorems/test_shifts.py::test_closed_forms_equal_the_string",
)
def closed_form(
    A: Arithmetic,
    *,
    contraction: Number,
    shift: Number,
    variance: Number,
    batches: int,
    position: int,
    epochs: int,
    unlearning_epochs: int,
) -> GaussianDP:
    """μ of one record in batch j, equal starts, c ≤ 1: T epochs of learning, then K of unlearning (K = 0: learning
    itself).

    K ≥ 1 is one segment, from the first shift to the end; K = 0 is two where the last shift comes too late to be
    spread.
    """
    c = contraction
    A.require(A.at_least(A.of(1), c), "c ≤ 1", c)
    A.require(A.at_least(c, A.of(0)), "0 ≤ c", c)
    A.require(A.at_least(shift, A.of(0)), "0 ≤ s", shift)
    A.require(below(A, A.of(0), variance), "0 < τ²", variance)
    A.require(0 <= position < batches, "0 ≤ j < l", position)
    A.require(epochs >= 1, "T ≥ 1", epochs)
    A.require(unlearning_epochs >= 0, "K ≥ 0", unlearning_epochs)
    return GaussianDP(position_mu(A, c, shift, variance, batches, position, epochs, unlearning_epochs))


def position_mu(
    A: Arithmetic,
    c: Number,
    shift: Number,
    variance: Number,
    batches: int,
    position: int,
    epochs: int,
    unlearning_epochs: int,
) -> Number:
    """The formula of T4, its conditions being met."""
    square = c * c
    late = batches - 1 - position  # clean steps after the shift in each epoch
    if unlearning_epochs >= 1:
        learned = shift * A.power(c, late) * A.geometric(A.power(c, batches), epochs)
        steps = batches * (epochs + unlearning_epochs) - position
        distance = learned * A.power(c, batches * unlearning_epochs)
        return distance / A.sqrt(variance * A.geometric(square, steps))
    last, last_variance = shift * A.power(c, late), variance * A.geometric(square, late + 1)
    arrived = shift * A.geometric(A.power(c, batches), epochs - 1)
    gathered = variance * A.geometric(square, batches * (epochs - 1))
    early, early_variance = A.power(c, batches + late) * arrived, A.power(square, late + 1) * gathered
    together = (early + last) ** 2 / (early_variance + last_variance)
    if epochs == 1:
        return A.sqrt(together)
    # early²/early_variance with the powers of c cancelled, so that c = 0 is included
    apart = (A.power(c, batches - 1) * arrived) ** 2 / gathered + last**2 / last_variance
    # The string bends upwards (two segments) unless the early slope is the steeper one; then it is one segment.
    slopes = early * (early_variance + last_variance), (early + last) * early_variance
    return A.sqrt(A.where_at_least(*slopes, together, apart))
