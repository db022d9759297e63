"""Data sets as the learners need them, and where they come from."""

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
from learners.data.embedded import embedded
from learners.data.mapped import RowFile

__all__ = [
    "SHRINK",
    "Dataset",
    "FeatureNormExceeded",
    "InvalidDataset",
    "RowFile",
    "UnknownId",
    "check_norms",
    "embedded",
    "normalise",
    "permutation",
]
