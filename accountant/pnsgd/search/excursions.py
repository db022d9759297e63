"""Over which steps two runs should be apart, and at which steps each shift is composed at once (T26).

Untrusted search in floats; the theorem checks its result.

The best schedule is a shortest path: from one moment at which the runs are together to the next, by a composed step or
by an excursion, at the cost of each. Over all moments that is exact; of a long run the moments near every phase's ends
are looked at, at distances that double, and then ever more of them around those that the best path passes.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from accountant.core.arithmetic import Float
from accountant.theorems.flow import Flow, Flows, Mark, after
from accountant.theorems.gauges import Excursion, composed
from accountant.theorems.timelines import Timeline

# Example values (a test computes them again):
# c = 1/2, τ = 1, three epochs of two batches, a shift of 1 in the second: μ² and the excursions, by drift:
#   drift none: μ² = 1.2941, steps 2 to 5
#   drift  0.2: μ² = 0.1437, steps 2 to 6
#   drift  1.0: μ² = 2.8182, steps 2 to 6
#   drift  3.0: μ² = 3.0000, composition alone

MAX_MOMENTS = 300  # all moments of a run that is this short
_ROUNDS = 12  # of refinement around the best path
_NEIGHBOURS = 6  # new moments on each side of a moment of the path, in each round
_MAX_POSITIONS = 3  # in an epoch of one phase, from either end
_GAIN = 1e-13  # by which a longer path has to be better

_A = Float()
_KINDS = ("together", "apart", "restart")  # how the runs are where an excursion begins


@dataclass(frozen=True)
class Path:
    """restart: None where the path begins at the start. energy: about μ²."""

    restart: Mark | None
    excursions: tuple[Excursion, ...]
    energy: float


def best_path(timeline: Timeline, margin: float = 0.0) -> Path:
    """The best excursions of a timeline in doubles. margin: by how much (of the logarithm of a slope) the runs have to
    stay apart inside an excursion, so that balls decide it."""
    with np.errstate(all="ignore"):
        search = _Search(timeline, margin)
        if not search.apart and not any(shift > 0 for block in timeline.blocks for _, shift in block.shifts):
            return Path(None, (), 0.0)
        moments = search.first_moments()
        best = search.shortest(moments)
        for _ in range(_ROUNDS if len(moments) <= search.steps else 0):
            closer = search.closer(moments, best)
            if len(closer) == len(moments):
                break
            moments, before = closer, best
            best = search.shortest(moments)
            if not best.energy < before.energy * (1 - 1e-12):
                break
        return best


class _Search:
    """One timeline, its moments numbered by the steps before them."""

    def __init__(self, timeline: Timeline, margin: float):
        self.timeline, self.margin = timeline, margin
        self.flows = Flows(_A, timeline)
        self.begins = list(accumulate((b.epochs * b.batches for b in timeline.blocks), initial=0))
        self.steps = self.begins[-1]
        self.apart = timeline.start > 0

    def mark(self, step: int) -> Mark:
        i = bisect_right(self.begins, step) - 1
        if i == len(self.timeline.blocks):
            return Mark(i)
        return Mark(i, *divmod(step - self.begins[i], self.timeline.blocks[i].batches))

    def first_moments(self) -> list[int]:
        if self.steps <= MAX_MOMENTS:
            every = range(self.steps + 1)
            return [step for step in every if self._allowed(step)]
        blocks = self.timeline.blocks
        depth = max(1, MAX_MOMENTS // (4 * _MAX_POSITIONS * len(blocks)))
        moments = {0, self.steps, *self.begins}
        for begin, block in zip(self.begins, blocks, strict=False):
            positions = [p for p, _ in block.shifts]
            positions = {*positions[:_MAX_POSITIONS], *positions[-_MAX_POSITIONS:], 0}
            for epoch in _doubling(block.epochs, depth):
                for position in positions:
                    moments |= {begin + epoch * block.batches + position, begin + epoch * block.batches + position + 1}
            if self.apart or self.timeline.diameter is not None:
                length = block.epochs * block.batches
                moments |= {begin + step for step in _doubling(length, depth * _MAX_POSITIONS)}
        return self._thinned(sorted(step for step in moments if 0 <= step <= self.steps and self._allowed(step)))

    def _thinned(self, moments: list[int]) -> list[int]:
        """Of very many phases, not every moment."""
        most = 2 * MAX_MOMENTS
        if len(moments) <= most:
            return moments
        return sorted({0, self.steps, *(moments[i * len(moments) // most] for i in range(most))})

    def _allowed(self, step: int) -> bool:
        """Whether something may begin or end here: a restart may be anywhere."""
        return self.timeline.diameter is not None or self._may_part(self.mark(step))

    def _may_part(self, mark: Mark) -> bool:
        """Several records in open batches: whole epochs, but in a phase without records."""
        return not self.timeline.open or mark.position == 0 or not self.timeline.blocks[mark.block].shifts

    def closer(self, moments: list[int], path: Path) -> list[int]:
        """More moments around those of the path."""
        closer = set(moments)
        marks = {mark for e in path.excursions for mark in (e.start, e.end)} | {path.restart} - {None}
        for mark in marks:
            step = self._step(mark)
            index = bisect_left(moments, step)
            low, high = moments[max(index - 1, 0)], moments[min(index + 1, len(moments) - 1)]
            for near in self._between(low, step) | self._between(step, high):
                closer |= {s for s in self._snapped(near) if 0 <= s <= self.steps and self._allowed(s)}
        return sorted(closer)

    @staticmethod
    def _between(low: int, high: int) -> set[int]:
        return {low + (high - low) * i // (_NEIGHBOURS + 1) for i in range(1, _NEIGHBOURS + 1)} | {low + 1, high - 1}

    def _snapped(self, step: int) -> Iterator[int]:
        """The step itself, its epoch's start, and the moments around the shifts of its epoch."""
        mark = self.mark(min(max(step, 0), self.steps))
        yield step
        if mark.block == len(self.timeline.blocks):
            return
        block, first = self.timeline.blocks[mark.block], step - mark.position
        yield first
        for position, _ in (*block.shifts[:1], *block.shifts[-1:]):
            yield from (first + position, first + position + 1)

    def _step(self, mark: Mark) -> int:
        if mark.block == len(self.timeline.blocks):
            return self.steps
        return self.begins[mark.block] + mark.epoch * self.timeline.blocks[mark.block].batches + mark.position

    def shortest(self, moments: list[int]) -> Path:
        """The shortest path over these moments."""
        marks = [self.mark(step) for step in moments]
        most = len(marks)
        cost = np.full(most, math.inf)  # of being together at a moment
        cost[0] = math.inf if self.apart else 0.0
        arrivals: list[tuple[int, str]] = [(0, "")] * most  # from which moment, and how
        # What has begun at each moment: excursions of runs that were together, and of runs that were 2R apart.
        state = _States(most)
        for j in range(most):
            if j:
                hop = self.flows.between(marks[j - 1], marks[j])
                state.advance(hop.rate, hop.shift, hop.variance)
                paid = cost[j - 1] + float(composed(_A, self.timeline, marks[j - 1], marks[j]))
                cost[j], arrivals[j] = paid, (j - 1, "composed")
                index, ended = state.cheapest(cost, self.margin)
                if self._may_part(marks[j]) and ended < paid * (1 - _GAIN):
                    cost[j], arrivals[j] = ended, (int(state.start[index]), _KINDS[state.kind[index]])
                state.look()
            if j + 1 < most:
                self._begin(state, j, marks, moments)
        return self._traced(marks, cost, arrivals)

    def _begin(self, state: _States, j: int, marks: list[Mark], moments: list[int]) -> None:
        """Whatever can begin at moment j; it is carried as far as the next moment by `advance`."""
        mark = marks[j]
        if j == 0 and self.apart:
            state.add(j, "apart", self.timeline.start)
        if j and self.timeline.diameter is not None:
            state.add(j, "restart", self.timeline.diameter)
        if j == 0 and self.apart:
            return
        block = self.timeline.blocks[mark.block]
        if self.timeline.open:
            if block.drift is not None and self._may_part(mark):
                state.add(j, "together", 0.0)
            return
        index = bisect_left(block.shifts, mark.position, key=lambda pair: pair[0])
        if index == len(block.shifts) or block.shifts[index][0] != mark.position:
            return
        shift = block.shifts[index][1]
        if block.drift is None:
            state.add(j, "together", 0.0)
        elif shift > 0 and moments[j + 1] > moments[j] + 1:
            # The first step has the shift, the others up to the next moment the drift.
            following = self.flows.between(after(self.timeline, mark), marks[j + 1])
            state.add_ahead(j, shift, block.variance, following)
        elif shift > 0:
            state.add_ahead(j, shift, block.variance, None)

    def _traced(self, marks: list[Mark], cost: np.ndarray, arrivals: list[tuple[int, str]]) -> Path:
        excursions, restart, j = [], None, len(marks) - 1
        while j > 0:
            i, how = arrivals[j]
            if how == "":
                break
            if how != "composed":
                excursions.append(Excursion(marks[i], marks[j]))
            if how == "restart":
                restart = marks[i]
                break
            j = i
        return Path(restart, tuple(reversed(excursions)), float(cost[-1]))


class _States:
    """Excursions on their way, as arrays: w, v, log of the contraction R since they began, and the least log(w·R/v) at
    a moment on the way, which that of the whole must not exceed."""

    def __init__(self, most: int):
        size = 2 * most
        self.count = 0
        self.start = np.zeros(size, dtype=int)
        self.kind = np.zeros(size, dtype=int)
        self.w, self.v, self.rate, self.least = (np.zeros(size) for _ in range(4))
        self.ahead: list[tuple[int, float, float, float, float]] = []  # already at the next moment

    def add(self, start: int, kind: str, distance: float) -> None:
        k = self.count
        self.start[k], self.kind[k] = start, _KINDS.index(kind)
        self.w[k], self.v[k], self.rate[k], self.least[k] = distance, 0.0, 0.0, math.inf
        self.count += 1

    def add_ahead(self, start: int, shift: float, variance: float, following: Flow | None) -> None:
        """An excursion whose first step has the shift. following: the steps between it and the next moment."""
        w, v, rate, least = shift, variance, 0.0, math.inf
        if following is not None:
            w = following.rate * shift + following.shift
            v = following.rate * following.rate * variance + following.variance
            if following.rate > 0:
                rate, least = math.log(following.rate), math.log(shift) - math.log(variance)
        self.add(start, "together", 0.0)
        self.ahead.append((self.count - 1, w, v, rate, least))

    def advance(self, rate: float, shift: float, variance: float) -> None:
        k = slice(0, self.count)
        self.w[k] = rate * self.w[k] + shift
        self.v[k] = rate * rate * self.v[k] + variance
        if rate > 0:
            self.rate[k] += math.log(rate)
        else:  # a step with c = 0 forgets what was hidden before, so that it cannot have been too much
            self.rate[k], self.least[k] = 0.0, math.inf
        for index, w, v, logarithm, least in self.ahead:
            self.w[index], self.v[index], self.rate[index], self.least[index] = w, v, logarithm, least
        self.ahead.clear()

    def _slopes(self) -> np.ndarray:
        k = slice(0, self.count)
        return np.log(self.w[k]) + self.rate[k] - np.log(self.v[k])

    def cheapest(self, cost: np.ndarray, margin: float) -> tuple[int, float]:
        """The best excursion that may end here: its number, and the cost with what came before it."""
        if not self.count:
            return 0, math.inf
        k = slice(0, self.count)
        base = np.where(self.kind[k] == 0, cost[self.start[k]], 0.0)
        total = base + self.w[k] * self.w[k] / self.v[k]
        # Where c > 1 overflows, nothing is known of w²/v.
        known = np.isfinite(total) & np.isfinite(self.w[k]) & np.isfinite(self.v[k])
        total = np.where(known & (self._slopes() <= self.least[k] - margin), total, math.inf)
        best = int(np.argmin(total))
        return best, float(total[best])

    def look(self) -> None:
        """Record that the open excursions contain this moment."""
        k = slice(0, self.count)
        self.least[k] = np.fmin(self.least[k], self._slopes())


def _doubling(n: int, depth: int) -> Iterable[int]:
    """0, 1, 2, 4 … and n − 1, n − 2, n − 4 …, at most about 2·depth of them."""
    powers = [0, *(1 << i for i in range(max(n, 1).bit_length()))]
    if len(powers) > depth:
        powers = [powers[i * len(powers) // depth] for i in range(depth)]
    return {p for power in powers for p in (power, n - 1 - power, n - power) if 0 <= p < n}
