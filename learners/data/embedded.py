"""The two sets that come with scikit-learn, mapped to the unit ball by limits that their documentation prints."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from learners.data.dataset import Dataset, normalise, permutation

# Least and largest value of each feature as printed ("Summary Statistics") in scikit-learn's user guide and in the
# UCI documentation of Breast Cancer Wisconsin (Diagnostic), Wolberg, Street, Mangasarian 1995. They are read from the
# documentation, not computed: the map stays the same whichever record is erased. For data of your own take limits
# from what is known of the field.
BREAST_CANCER_LEAST = (
    6.981, 9.71, 43.79, 143.5, 0.053, 0.019, 0.0, 0.0, 0.106, 0.05, 0.112, 0.36, 0.757, 6.802, 0.002,
    0.002, 0.0, 0.0, 0.008, 0.001, 7.93, 12.02, 50.41, 185.2, 0.071, 0.027, 0.0, 0.0, 0.156, 0.055,
)  # fmt: skip
BREAST_CANCER_LARGEST = (
    28.11, 39.28, 188.5, 2501.0, 0.163, 0.345, 0.427, 0.201, 0.304, 0.097, 2.873, 4.885, 21.98, 542.2, 0.031,
    0.135, 0.396, 0.053, 0.079, 0.03, 36.04, 49.54, 251.2, 4254.0, 0.223, 1.058, 1.252, 0.291, 0.664, 0.208,
)  # fmt: skip


def embedded(name: Literal["digits-3-8", "breast-cancer"]) -> tuple[Dataset, Dataset]:
    """(train, test) of a set that comes with scikit-learn, a bias feature appended, every row normalised to norm 1.

    digits-3-8: 357 images of 8×8 pixels, 3 is −1 and 8 is +1, d = 65, pixels divided by 16; 256 train, 101 test.
    breast-cancer: 569 records, malignant −1, benign +1, d = 31, features mapped to [−1, 1] by a root and the
    published limits; 448 train, 121 test. Either is split along `permutation(n, name)`, training records first.

    Raises:
        ValueError: another name.
        ModuleNotFoundError: scikit-learn is missing; install plumbline-dp[learn].
    """
    if name not in ("digits-3-8", "breast-cancer"):
        raise ValueError(f"data set {name!r} is not embedded; take digits-3-8 or breast-cancer")
    from sklearn import datasets  # a second to import: only for those who ask

    if name == "digits-3-8":
        raw, target = datasets.load_digits(return_X_y=True)
        chosen = (target == 3) | (target == 8)
        features, labels, train = raw[chosen] / 16.0, np.where(target[chosen] == 8, 1.0, -1.0), 256
    else:
        raw, target = datasets.load_breast_cancer(return_X_y=True)
        low, high = np.array(BREAST_CANCER_LEAST), np.array(BREAST_CANCER_LARGEST)
        features = 2 * np.sqrt(np.clip((raw - low) / (high - low), 0, 1)) - 1  # the root evens out areas and lengths
        labels, train = np.where(target == 1, 1.0, -1.0), 448
    rows = normalise(torch.from_numpy(np.column_stack([features, np.ones(len(features))])))
    order = permutation(len(rows), name)
    signs = torch.from_numpy(labels)
    return (
        Dataset(f"{name}/train", rows[order[:train]], signs[order[:train]]),
        Dataset(f"{name}/test", rows[order[train:]], signs[order[train:]]),
    )
