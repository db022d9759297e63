"""Where a projected timeline should begin to count its noise (T5). Untrusted search in floats; the theorem checks it.

Only moments right after a shift at which the projection keeps the runs exactly 2R apart can help: what came before is
then worth nothing, and between two such moments of equal distance the earlier one has more noise to hide behind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from accountant.core.arithmetic import ConditionViolated, Float
from accountant.core.kernel import numbers
from accountant.pnsgd.search.string import TooLong, corners
from accountant.theorems.flow import Flows, Mark
from accountant.theorems.shifts import energy
from accountant.theorems.timelines import Timeline

_FULL = 1 - 1e-12  # of 2R
_MAX_POSITIONS = 32  # of a batch request over many batches; the last ones contract least


def best_restart(timeline: Timeline) -> Mark | None:
    """The moment from which the string costs least; None where the start is best, or where there is no projection."""
    if timeline.diameter is None:
        return None
    A = Float()
    timeline = numbers(A, timeline)
    flows = Flows(A, timeline)

    def cost(mark: Mark) -> float:
        with np.errstate(all="ignore"):
            flow = flows.between(Mark(0), mark)
            distance = flow.rate * timeline.start + flow.shift
            if mark != Mark(0):
                # Where c > 1 overflows, nan stands for a distance beyond all doubles; it is capped like any other.
                distance = np.fmin(np.fmin(distance, flow.cap), timeline.diameter)
                if distance < _FULL * timeline.diameter:
                    return math.inf
            try:
                mu_squared = float(energy(A, flows, corners(A, timeline, mark, distance), mark, distance))
            except (ConditionViolated, TooLong, OverflowError):
                return math.inf
            return math.inf if math.isnan(mu_squared) else mu_squared

    best, least = Mark(0), cost(Mark(0))
    for after in _families(timeline):
        mark, value = _descend(after, cost)
        if value < least:
            best, least = mark, value
    return None if best == Mark(0) else best


def _families(timeline: Timeline) -> Iterator[Callable[[int], Mark | None]]:
    """For each block and shift position: from t to the moment after its t-th last shift."""
    for i, block in enumerate(timeline.blocks):
        for position, _ in block.shifts[-_MAX_POSITIONS:]:

            def after(t: int, i=i, block=block, position=position) -> Mark | None:
                epoch = block.epochs - 1 - t
                if epoch < 0:
                    return None
                if position + 1 < block.batches:
                    return Mark(i, epoch, position + 1)
                following = Mark(i, epoch + 1) if epoch + 1 < block.epochs else Mark(i + 1)
                return following if following.block < len(timeline.blocks) else None

            yield after


def _descend(after: Callable[[int], Mark | None], cost: Callable[[Mark], float]) -> tuple[Mark, float]:
    """The least cost over t, which first falls and then rises: doubling steps, then a search between the neighbours."""
    known: dict[int, float] = {}

    def value(t: int) -> float:
        if t not in known:
            mark = after(t)
            known[t] = math.inf if mark is None else cost(mark)
        return known[t]

    t = 0
    grid = [0, 1]
    while after(grid[-1]) is not None and len(grid) < 70:
        grid.append(2 * grid[-1])
    t = min(grid, key=value)
    low, high = t // 2, 2 * t + 1
    while high - low > 3:
        a, b = low + (high - low) // 3, high - (high - low) // 3
        if value(a) <= value(b):
            high = b
        else:
            low = a
    t = min(range(low, high + 1), key=value)
    return (after(t) or Mark(0)), value(t)
