"""Data sets as the learners need them, and where they come from."""

from learners.data.dataset import (
    SHRINK,
    Dataset,
    FeatureNormExceeded,
    InvalidDataset,
    check_norms,
    normalise,
    permutation,
)
from learners.data.embedded import embedded

__all__ = [
    "SHRINK",
    "Dataset",
    "FeatureNormExceeded",
    "InvalidDataset",
    "check_norms",
    "embedded",
    "normalise",
    "permutation",
]
