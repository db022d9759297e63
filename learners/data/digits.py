"""scikit-learn's digits as a training takes them: all ten, in one published order."""

from __future__ import annotations

import torch
from torch import Tensor

from learners.data.dataset import permutation
from learners.refused import LearnerRefused

RECORDS = 1797


def digits(samples: int, *, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """(features (samples, 64), labels (samples,) int64, 0 … 9): the first rows of scikit-learn's digits along
    `permutation(1797, "digits")`, that is sorted by SHA-256 of "digits/i", i the row in scikit-learn; pixels over 16.

    Raises:
        LearnerRefused: more rows than there are, or none.
        ModuleNotFoundError: scikit-learn is missing; install plumbline-dp[learn].
    """
    if not 1 <= samples <= RECORDS:
        raise LearnerRefused(f"samples: {samples}; the digits that come along are {RECORDS}, bring data for more")
    from sklearn import datasets  # a second to import: only for those who ask

    raw, target = datasets.load_digits(return_X_y=True)
    order = permutation(RECORDS, "digits")[:samples]
    return torch.from_numpy(raw[order] / 16.0).to(dtype), torch.from_numpy(target[order]).to(torch.int64)
