"""Data sets as the learners need them, and where they come from.

Files of records are read with pyarrow, which loads when `read_table`, `read_records` or `open_source` is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lazy_names import lazy_names
from learners.data.columns import Columns, feature_names, needed
from learners.data.dataset import (
    SHRINK,
    Dataset,
    FeatureNormExceeded,
    InvalidDataset,
    UnknownId,
    check_norms,
    normalise,
    permutation,
)
from learners.data.decode import as_written
from learners.data.embedded import embedded
from learners.data.fingerprints import record_bytes, row_bytes
from learners.data.mapped import RowFile, Scratch
from learners.data.refused import InvalidTable

if TYPE_CHECKING:
    from learners.data.read import Records, open_source, read_records, read_table

__all__ = [
    "SHRINK",
    "Columns",
    "Dataset",
    "FeatureNormExceeded",
    "InvalidDataset",
    "InvalidTable",
    "Records",
    "RowFile",
    "Scratch",
    "UnknownId",
    "as_written",
    "check_norms",
    "embedded",
    "feature_names",
    "needed",
    "normalise",
    "open_source",
    "permutation",
    "read_records",
    "read_table",
    "record_bytes",
    "row_bytes",
]


__getattr__, __dir__ = lazy_names(
    __name__, {"learners.data.read": ("Records", "open_source", "read_records", "read_table")}
)
