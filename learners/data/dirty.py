"""The other cells that a batch is refused for, so that a file is repaired in one go and not cell by cell."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from learners.data.encode import Encoder
from learners.data.refused import InvalidTable

MAX_DIRTY = 20  # cells that are listed


def with_others(first: InvalidTable, encoder: Encoder, batch: pa.RecordBatch, row: int) -> InvalidTable:
    """`first`, with a note (PEP 678) for each other row of the batch that is refused: MAX_DIRTY cells in all.

    Rows that were named are left out, and what is left is read again. A row is named for the first cell of it that is
    refused. A refusal of a whole column, as for its type, is returned as it is.

    Args:
        row: the number of the batch's first row.
    """
    if first.row is None or _refusal(encoder, batch.slice(0, 0)) is not None:
        return first
    left = np.delete(np.arange(batch.num_rows), first.row - row)
    others: list[InvalidTable] = []
    while (problem := _refusal(encoder, batch.take(pa.array(left)))) is not None and problem.row is not None:
        if len(others) == MAX_DIRTY - 1:
            return first.and_others(others, more=True)
        others.append(problem.in_row(row + int(left[problem.row])))  # _refusal counts from 0: a place in `left`
        left = np.delete(left, problem.row)
    return first.and_others(others, more=False)


def _refusal(encoder: Encoder, batch: pa.RecordBatch) -> InvalidTable | None:
    """Why a batch is refused, its first row being row 0; None where it is not."""
    columns = encoder.columns
    try:
        encoder.features(batch, 0)
        if columns.target in batch.schema.names:
            encoder.labels(batch, 0)
        if columns.id in batch.schema.names:
            encoder.ids(batch, 0)
    except InvalidTable as problem:
        return problem
    return None
