"""The taut string: where the best shift schedule bends. Untrusted search; T3 checks its result.

The cumulative shift A must stay below the staircase D (no distance can be hidden before it arrives) and end on it.
Its energy Σ (ΔA)²/ΔV is least for the greatest convex function below the staircase: a string pulled taut, the lower
convex hull of the points (V_k, D_k) just before each shift, the start and the end.
"""

from __future__ import annotations

from dataclasses import dataclass

from accountant.core.arithmetic import Arithmetic, Number
from accountant.theorems.flow import Flow, Flows, Mark, shift_marks, still, then
from accountant.theorems.shifts import Corner
from accountant.theorems.timelines import Timeline

# Example values (a test computes them again):
# c = 1/2, τ = 1, three epochs of two batches, a shift of 1 in the second: staircase and string:
#   V             0.0000   0.0010   0.0049   0.0205   0.0830   0.3330   1.3330
#   D             0.0000   0.0000   0.0625   0.0625   0.3125   0.3125   1.3125
#   corner V      0.0000   0.0010   0.3330   1.3330
#   corner A      0.0000   0.0000   0.3125   1.3125   μ² = 1.2941

MAX_MARKS = 50_000  # c > 1 needs every shift step; beyond this it is refused
_TIE = 2.0**-40
_START = Mark(0)


class TooLong(ValueError):
    """An expanding timeline (c > 1) with too many shift steps to look at one by one."""


StairPoint = tuple[Mark, Number, Number]


def staircase(A: Arithmetic, flows: Flows, start: Mark, distance: Number) -> list[StairPoint]:
    """(mark, V, D) in units of the last step: at `start`, just before each shift that can matter, and at the end."""
    _refuse_long(flows.timeline, start)
    marks = [*shift_marks(flows.timeline, start, flows.end), flows.end]
    previous, w, v = start, distance, A.of(0)
    local, rates = [(w, v)], []
    for mark in marks:
        flow = flows.between(previous, mark)
        w, v, previous = flow.rate * w + flow.shift, flow.rate * flow.rate * v + flow.variance, mark
        local.append((w, v))
        rates.append(flow.rate)
    scale, points = A.of(1), []
    for mark, (w, v), rate in zip(reversed([start, *marks]), reversed(local), reversed([A.of(1), *rates]), strict=True):
        points.append((mark, scale * scale * v, scale * w))
        scale = scale * rate
    points.reverse()
    return points


def _refuse_long(timeline: Timeline, start: Mark) -> None:
    late = [
        (block, start.epoch if i == start.block else 0) for i, block in enumerate(timeline.blocks) if i >= start.block
    ]
    expanding = sum((block.epochs - first) * len(block.shifts) for block, first in late if block.expanding)
    if expanding > MAX_MARKS:
        raise TooLong(
            f"{expanding} shift steps with c > 1, at most {MAX_MARKS} are supported; "
            "take a smaller step, or fewer epochs"
        )


def corners(
    A: Arithmetic, timeline: Timeline, start: Mark = _START, distance: Number | None = None
) -> tuple[Corner, ...]:
    """The corners of the taut string from `start` on, the runs `distance` apart there (default: the timeline's own
    start).

    Ties are included: at a corner z = 0 by construction, and need not be decided.

    Raises:
        TooLong: c > 1 with too many shift steps.
    """
    distance = timeline.start if distance is None else distance
    if any(block.expanding for block in timeline.blocks[start.block :]):
        marks = _expanding_hull(A, Flows(A, timeline), start, distance)
        return _runs(marks if distance != 0 else _with_first_shift(timeline, start, marks))
    _, *inner, end = staircase(A, Flows(A, timeline), start, distance)
    hull = [(start, A.of(0), A.of(0))]  # the string starts at (0, 0), below D_0 = C_0·z_0
    for point in inner:
        if point[1] > hull[-1][1]:  # without noise in between, the lower of two points counts: the earlier one
            _push(hull, point)
    _push(hull, end)
    marks = [mark for mark, _, _ in hull[1:-1]]
    return _runs(marks if distance != 0 else _with_first_shift(timeline, start, marks))


def _push(hull: list[StairPoint], point: StairPoint) -> None:
    while len(hull) >= 2 and _bends_down(hull[-2], hull[-1], point):
        hull.pop()
    hull.append(point)


def _bends_down(a: StairPoint, b: StairPoint, c: StairPoint) -> bool:
    """b lies above the chord from a to c (clearly: a tie keeps b)."""
    left = (b[2] - a[2]) * (c[1] - a[1])
    right = (c[2] - a[2]) * (b[1] - a[1])
    return bool(left - right > _TIE * (abs(left) + abs(right)))


def _expanding_hull(A: Arithmetic, flows: Flows, start: Mark, distance: Number) -> list[Mark]:
    """The same corners from the flows between them: where c > 1 units of the last step lose what comes late, while
    here only positive numbers of like size are added."""
    _refuse_long(flows.timeline, start)
    hull, pending, previous = [(start, still(A))], still(A), start  # each with the flow from the corner before
    for mark in [*shift_marks(flows.timeline, start, flows.end), flows.end]:
        pending, previous = then(A, pending, flows.between(previous, mark)), mark
        if mark != flows.end and not pending.variance > 0:
            continue  # without noise in between, the lower of two points counts: the earlier one
        while len(hull) >= 2 and _above_chord(A, hull[-1][1], pending, distance if len(hull) == 2 else A.of(0)):
            pending = then(A, hull.pop()[1], pending)
        hull.append((mark, pending))
        pending = still(A)
    return [mark for mark, _ in hull[1:-1]]


def _above_chord(A: Arithmetic, first: Flow, second: Flow, distance: Number) -> bool:
    """Between the two flows the staircase lies above the chord over both (clearly: a tie keeps the corner)."""
    whole, arrived = then(A, first, second), first.rate * distance + first.shift
    left = arrived * whole.variance
    right = (whole.rate * distance + whole.shift) * second.rate * first.variance
    return bool(left - right > _TIE * (left + right))


def _with_first_shift(timeline: Timeline, start: Mark, marks: list[Mark]) -> list[Mark]:
    """With equal starts the string has height 0 until the first shift; doubles may have lost that corner to
    underflow."""
    for mark in shift_marks(timeline, start, Mark(len(timeline.blocks))):
        at_once = any(position == start.position for position, _ in timeline.blocks[start.block].shifts)
        return marks if at_once or (marks and marks[0] <= mark) else [mark, *marks]
    return marks


def _runs(marks: list[Mark]) -> tuple[Corner, ...]:
    """Corners at one position in epoch after epoch, written as one run."""
    runs: list[Corner] = []
    for mark in marks:
        previous = runs[-1] if runs else None
        if previous and (previous.block, previous.position, previous.last + 1) == (
            mark.block,
            mark.position,
            mark.epoch,
        ):
            runs[-1] = Corner(mark.block, mark.position, previous.first, mark.epoch)
        else:
            runs.append(Corner(mark.block, mark.position, mark.epoch, mark.epoch))
    return tuple(runs)


@dataclass(frozen=True)
class Outline:
    """The picture of T3, in units of the last step: cumulative variance V against cumulative shift.

    staircase: (V, D) after each step, from the start; string: (V, A) at the start, the corners and the end.
    """

    staircase: tuple[tuple[Number, Number], ...]
    string: tuple[tuple[Number, Number], ...]


def outline(A: Arithmetic, timeline: Timeline, bends: tuple[Corner, ...]) -> Outline:
    """Every step of a (short) timeline, and the string with these corners."""
    w, v, local, factors = timeline.start, A.of(0), [(timeline.start, A.of(0))], []
    index: dict[Mark, int] = {}
    for i, block in enumerate(timeline.blocks):
        shifts = dict(block.shifts)
        for epoch in range(block.epochs):
            for position in range(block.batches):
                index[Mark(i, epoch, position)] = len(local) - 1
                w = block.contraction * w + shifts.get(position, A.of(0))
                v = block.contraction * block.contraction * v + block.variance
                local.append((w, v))
                factors.append(block.contraction)
    scale, points = A.of(1), []
    for (w, v), factor in zip(reversed(local), reversed([A.of(1), *factors]), strict=True):
        points.append((scale * scale * v, scale * w))
        scale = scale * factor
    points.reverse()
    corners = [Mark(bend.block, epoch, bend.position) for bend in bends for epoch in range(bend.first, bend.last + 1)]
    start = (points[0][0], A.of(0))  # the string starts at height 0, whatever the runs' distance
    return Outline(tuple(points), (start, *(points[index[corner]] for corner in corners), points[-1]))
