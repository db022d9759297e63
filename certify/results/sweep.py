"""Many runs at once, in blocks that an engine may work on: T4 and T11 in doubles, nothing certified."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from accountant.pnsgd.estimates.sweep import Sweep
from accountant.pnsgd.estimates.sweep import sweep as sweep_block
from certify.engine import spread

BLOCK = 1 << 22  # points that are computed together


def sweep(*, workers: str | int | None = None, neighbours: str = "replace-one", **settings: Any) -> Sweep:
    """μ and ε of PNSGD runs, as `accountant.pnsgd.estimates.sweep.sweep`, which names the settings.

    More than BLOCK points are cut along their longest axis. The cuts depend on the shapes alone, so the numbers are the
    same bit for bit wherever they are computed. Two arrays of doubles are returned: 1.6 GB for 10^8 points.

    Args:
        workers: as for `certify.engine.spread`; None: every core of this machine, where there is more than one block.

    Raises:
        ConditionViolated: a value out of its range, c > 1 among them. UsageError: an engine that does not answer.
        ValueError: shapes that do not broadcast.
    """
    arrays = {name: np.asarray(value, float) for name, value in settings.items()}
    shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
    size = int(np.prod(shape))
    compute = partial(_block, neighbours=neighbours)
    if size <= BLOCK:
        return compute(arrays)
    axis = int(np.argmax(shape))
    length = max(1, BLOCK * shape[axis] // size)
    blocks = [_cut(arrays, len(shape), axis, begin, begin + length) for begin in range(0, shape[axis], length)]
    mu, epsilon = np.empty(shape), np.empty(shape)
    with spread(0 if workers is None else workers) as each:
        begin = 0
        for part in each(compute, blocks):
            where = (*[slice(None)] * axis, slice(begin, begin + length))
            mu[where], epsilon[where] = part.mu, part.epsilon
            begin += length
    return Sweep(mu, epsilon)


def _block(settings: dict[str, np.ndarray], neighbours: str) -> Sweep:
    found = sweep_block(**settings, neighbours=neighbours)
    shape = np.broadcast_shapes(*(array.shape for array in settings.values()))
    return Sweep(np.broadcast_to(found.mu, shape), np.broadcast_to(found.epsilon, shape))


def _cut(arrays: dict[str, np.ndarray], axes: int, axis: int, begin: int, end: int) -> dict[str, np.ndarray]:
    """The settings of one block: of each array that varies along the axis, that part."""
    parts = {}
    for name, array in arrays.items():
        own = axis - (axes - array.ndim)  # shapes are aligned at their ends
        varies = own >= 0 and array.shape[own] > 1
        parts[name] = array[(*[slice(None)] * own, slice(begin, end))] if varies else array
    return parts
