"""The taut string: where the best shift schedule bends. Untrusted search; T3 checks whatever it finds.

The cumulative shift A must stay below the staircase D (no distance can be hidden before it arrives) and end on it.
Its energy Σ (ΔA)²/ΔV is least for the greatest convex function below the staircase: a string pulled taut, the lower
convex hull of the points (V_k, D_k) just before each shift, the start and the end.
"""

from __future__ import annotations

from dataclasses import dataclass

from accountant.arithmetic import Arithmetic, Number
from accountant.flow import Flows, Mark, shift_marks
from accountant.quantities import Timeline
from accountant.theorems.shifts import Corner

MOST_MARKS = 50_000  # c > 1 needs every shift step; beyond this it is refused
_TIE = 2.0**-40


class TooLong(ValueError):
    """An expanding timeline (c > 1) with too many shift steps to look at one by one."""


def staircase(A: Arithmetic, timeline: Timeline) -> list[tuple[Mark, Number, Number]]:
    """(mark, V, D) in units of the last step: at the start, just before each shift that can matter, and at the end."""
    flows = Flows(A, timeline)
    expanding = sum(block.epochs * len(block.shifts) for block in timeline.blocks if block.expanding)
    if expanding > MOST_MARKS:
        raise TooLong(
            f"{expanding} shift steps with c > 1, at most {MOST_MARKS} are supported; take a step size of at most 2/L"
        )
    marks = [*shift_marks(timeline, Mark(0), flows.end), flows.end]
    at, w, v = Mark(0), timeline.start, A.of(0)
    local, rates = [(w, v)], []
    for mark in marks:
        flow = flows.between(at, mark)
        w, v, at = flow.rate * w + flow.shift, flow.rate * flow.rate * v + flow.variance, mark
        local.append((w, v))
        rates.append(flow.rate)
    scale, points = A.of(1), []
    for mark, (w, v), rate in zip(
        reversed([Mark(0), *marks]), reversed(local), reversed([A.of(1), *rates]), strict=True
    ):
        points.append((mark, scale * scale * v, scale * w))
        scale = scale * rate
    points.reverse()
    return points


def corners(A: Arithmetic, timeline: Timeline) -> tuple[Corner, ...]:
    """The corners of the taut string, ties included (then z = 0 there by construction, and need not be decided).

    Raises:
        TooLong: c > 1 with too many shift steps.
    """
    points = staircase(A, timeline)
    start, *inner, end = points
    hull = [(start[0], A.of(0), A.of(0))]  # the string starts at (0, 0), below D_0 = C_0·z_0
    for point in [*(p for p in inner if p[1] > 0 or p[2] > 0), end]:  # what underflowed lies on the start
        while len(hull) >= 2 and _bends_down(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    marks = [mark for mark, _, _ in hull[1:-1]]
    return _runs(_with_first_shift(A, timeline, marks))


def _bends_down(a: tuple, b: tuple, c: tuple) -> bool:
    """b lies above the chord from a to c (clearly: a tie keeps b)."""
    left = (b[2] - a[2]) * (c[1] - a[1])
    right = (c[2] - a[2]) * (b[1] - a[1])
    return bool(left - right > _TIE * (abs(left) + abs(right)))


def _with_first_shift(A: Arithmetic, timeline: Timeline, marks: list[Mark]) -> list[Mark]:
    """With equal starts the string lies on the ground until the first shift; doubles may have lost that corner to
    underflow."""
    if timeline.start != 0:
        return marks
    for i, block in enumerate(timeline.blocks):
        if block.shifts:
            first = Mark(i, 0, block.shifts[0][0])
            return marks if first == Mark(0) or (marks and marks[0] <= first) else [first, *marks]
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
    start = (points[0][0], A.of(0))  # the string starts on the ground, whatever the runs' distance
    return Outline(tuple(points), (start, *(points[index[corner]] for corner in corners), points[-1]))
