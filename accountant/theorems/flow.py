"""What consecutive steps do to the distance w of two runs, and to the variance v gathered on the way.

One step is w ← min(c·w + s, 2R), v ← c²·v + τ². Any number of steps has the form w ← min(r·w + S, cap),
v ← r²·v + V, and two such flows in a row have it again; so n equal epochs cost log n operations, and nothing is lost to
cancellation.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from operator import itemgetter

from accountant.core.arithmetic import Arithmetic, Exact, Number
from accountant.theorems.timelines import Block, Timeline

_position = itemgetter(0)


@dataclass(frozen=True)
class Flow:
    """w ← min(rate·w + shift, cap), v ← rate²·v + variance; cap None: no projection."""

    rate: Number
    shift: Number
    variance: Number
    cap: Number | None = None


@dataclass(frozen=True, order=True)
class Mark:
    """The moment just before step `position` of epoch `epoch` (0-based) of block `block`. The end is (number of
    blocks, 0, 0)."""

    block: int
    epoch: int = 0
    position: int = 0


def still(A: Arithmetic) -> Flow:
    """No step."""
    return Flow(A.of(1), A.of(0), A.of(0))


def then(A: Arithmetic, first: Flow, second: Flow) -> Flow:
    """First the one, then the other."""
    cap = second.cap
    if first.cap is not None:
        passed = second.rate * first.cap + second.shift
        cap = passed if cap is None else A.minimum(passed, cap)
    return Flow(
        first.rate * second.rate,
        second.rate * first.shift + second.shift,
        second.rate * second.rate * first.variance + second.variance,
        cap,
    )


def repeat(A: Arithmetic, flow: Flow, n: int) -> Flow:
    """The same steps n times."""
    if n == 0:
        return still(A)
    shift = flow.shift * A.geometric(flow.rate, n)
    cap = flow.cap
    if cap is not None:
        # Iterating w ← r·w + S from the cap is monotone: the least value is at one of the two ends.
        cap = A.minimum(cap, A.power(flow.rate, n - 1) * cap + flow.shift * A.geometric(flow.rate, n - 1))
    return Flow(A.power(flow.rate, n), shift, flow.variance * A.geometric(flow.rate * flow.rate, n), cap)


class Flows:
    """The flows between any two marks of one timeline, in one arithmetic; remembers what it has composed. Where steps
    drift, the runs are apart throughout: see `first_shift` for when that begins."""

    def __init__(self, A: Arithmetic, timeline: Timeline):
        self.A = A
        self.timeline = timeline
        self.end = Mark(len(timeline.blocks))
        self.exact = None if timeline.exact is None else Flows(Exact(), timeline.exact)
        self._of_steps: dict[tuple[int, int, int], Flow] = {}
        self._epochs: dict[tuple[int, int], Flow] = {}

    def between(self, start: Mark, end: Mark) -> Flow:
        """The flow of the steps from `start` up to, not including, `end`."""
        flow = still(self.A)
        while start.block < end.block:
            block = self.timeline.blocks[start.block]
            flow = then(self.A, flow, self._inside(start, block.epochs, 0))
            start = Mark(start.block + 1)
        if start < end:
            flow = then(self.A, flow, self._inside(start, end.epoch, end.position))
        return flow

    def _inside(self, start: Mark, epoch: int, position: int) -> Flow:
        """Within one block, from `start` to (epoch, position)."""
        i, batches = start.block, self.timeline.blocks[start.block].batches
        if start.epoch == epoch:
            return self._in_epoch(i, start.position, position)
        flow = still(self.A)
        if start.position:
            flow = self._in_epoch(i, start.position, batches)
            start = Mark(i, start.epoch + 1)
        if whole := epoch - start.epoch:
            if (i, whole) not in self._epochs:
                self._epochs[i, whole] = repeat(self.A, self._in_epoch(i, 0, batches), whole)
            flow = then(self.A, flow, self._epochs[i, whole])
        return then(self.A, flow, self._in_epoch(i, 0, position)) if position else flow

    def _in_epoch(self, i: int, start: int, end: int) -> Flow:
        """Steps start … end − 1 of one epoch of block i."""
        key = (i, start, end)
        if key not in self._of_steps:
            self._of_steps[key] = self._steps(self.timeline.blocks[i], start, end)
        return self._of_steps[key]

    def _steps(self, block: Block, start: int, end: int) -> Flow:
        A, diameter = self.A, self.timeline.diameter
        if block.drift is not None:
            return repeat(A, Flow(block.contraction, block.drift, block.variance, diameter), end - start)
        clean = Flow(block.contraction, A.of(0), block.variance, diameter)
        flow, moment = still(A), start
        inside = slice(bisect_left(block.shifts, start, key=_position), bisect_left(block.shifts, end, key=_position))
        for position, shift in block.shifts[inside]:
            step = Flow(block.contraction, shift, block.variance, diameter)
            flow = then(A, then(A, flow, repeat(A, clean, position - moment)), step)
            moment = position + 1
        return then(A, flow, repeat(A, clean, end - moment)) if moment < end else flow


def first_shift(timeline: Timeline, start: Mark) -> Mark | None:
    """The first moment from `start` on that is just before a step that takes the runs apart; None where none does."""
    for i in range(start.block, len(timeline.blocks)):
        block = timeline.blocks[i]
        begin = start if i == start.block else Mark(i)
        for epoch in (begin.epoch, begin.epoch + 1):
            least = begin.position if epoch == begin.epoch else 0
            for position, _ in block.shifts:
                if position >= least and epoch < block.epochs:
                    return Mark(i, epoch, position)
    return None


def after(timeline: Timeline, mark: Mark) -> Mark:
    """The moment one step later."""
    block = timeline.blocks[mark.block]
    if mark.position + 1 < block.batches:
        return Mark(mark.block, mark.epoch, mark.position + 1)
    return Mark(mark.block, mark.epoch + 1) if mark.epoch + 1 < block.epochs else Mark(mark.block + 1)


def shift_marks(timeline: Timeline, start: Mark, end: Mark) -> list[Mark]:
    """The marks just before a shift, strictly between start and end, at which a string from start to end can cross
    the staircase.

    Where c ≤ 1 the points of one position lie on a concave curve, so that its first and last epoch in [start, end]
    are enough; start and end themselves are on the string. Where c > 1 every epoch is needed. A drift is a shift at
    every step: all points of the block are on one such curve, and its ends are enough.
    """
    marks: set[Mark] = set()
    for i in range(start.block, min(end.block + 1, len(timeline.blocks))):
        block = timeline.blocks[i]
        if block.drift is not None:
            marks.update(mark for mark in (Mark(i), Mark(i + 1)) if start <= mark <= end)
            continue
        for position, _ in block.shifts:
            first = start.epoch + (position < start.position) if i == start.block else 0
            last = end.epoch - (position > end.position) if i == end.block else block.epochs - 1
            if first <= last:
                epochs = range(first, last + 1) if block.expanding else (first, last)
                marks.update(Mark(i, epoch, position) for epoch in epochs)
    return sorted(marks - {start, end})
