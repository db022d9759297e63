"""Data sets as the learners need them: bounded features, labels ±1, a split and a scaling that nobody's data decides.

A certificate assumes |x| ≤ feature_norm for *every* record anybody might have contributed. So each record is scaled
by constants that are fixed beforehand and by its own norm, never by a statistic of the set: a mean that moves when a
record is erased would make the other records differ too, and "one differing record" would be false.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from accountant.core.exact import canonical, exact, settle

SHRINK = 1 - 2.0**-40  # bounds are met with this much room, so that float64 rounding never exceeds them


class InvalidDataset(ValueError):
    """Shapes, numbers or labels that no learner can use; the message names the record, the value and the fix."""


class FeatureNormExceeded(ValueError):
    """A record beyond the stated norm: every gradient bound derived from that norm would be false."""


def check_norms(features: Tensor, bound: Fraction) -> None:
    """Decide |x_i| ≤ bound for every row, exactly: rows too close for float64 to tell are decided in rationals.

    Raises:
        FeatureNormExceeded: names the first record beyond it.
    """
    squares = features.square().sum(dim=1)
    limit = bound * bound
    # n additions of rounded squares err by less than a relative (d+2)·2⁻⁵²; below 1e-280 squares may underflow.
    margin = 1 - (features.shape[1] + 4) * 2.0**-52
    undecided = (
        ~(squares <= float(limit) * margin) if float(limit) > 1e-280 else torch.ones_like(squares, dtype=torch.bool)
    )
    for record in undecided.nonzero().flatten().tolist():
        row = features[record].tolist()
        if sum(Fraction(value) ** 2 for value in row) > limit:
            raise FeatureNormExceeded(
                f"record {record}: norm {math.hypot(*row):.17g} > feature_norm = {canonical(bound)}; "
                "scale its features with learners.normalise, or certify with a larger feature_norm"
            )


@dataclass(frozen=True, eq=False)
class Dataset:
    """n records in order: features (n, d) with |x_i| ≤ feature_norm, labels (n,) in {−1, +1}; float64, on the CPU.

    Raises:
        InvalidDataset: shapes that do not match, a number that is not finite, a label that is not ±1.
        FeatureNormExceeded: a record beyond feature_norm.
    """

    name: str
    features: Tensor
    labels: Tensor
    feature_norm: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        for key in ("features", "labels"):  # a copy: nobody changes a frozen value from outside
            value = torch.as_tensor(getattr(self, key)).detach().to("cpu", torch.float64, copy=True).contiguous()
            settle(self, **{key: value})
        settle(self, feature_norm=exact(self.feature_norm, "feature_norm"))
        if self.features.ndim != 2 or self.labels.shape != self.features.shape[:1] or not self.features.numel():
            raise InvalidDataset(
                f"features {tuple(self.features.shape)}, labels {tuple(self.labels.shape)}: need (n, d), (n,)"
            )
        for key, bad in (("features", ~self.features.isfinite().all(dim=1)), ("labels", self.labels.abs() != 1)):
            if bad.any():
                record = int(bad.nonzero()[0])
                value = "not finite" if key == "features" else f"{self.labels[record].item():g}"
                fix = (
                    "drop or repair the record" if key == "features" else "write +1 for one class and -1 for the other"
                )
                raise InvalidDataset(f"record {record}: {key} {value}; {fix}")
        check_norms(self.features, self.feature_norm)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of shape, features and labels as little-endian float64. Nothing noises it: for the auditor only."""
        digest = hashlib.sha256(f"{self.features.shape[0]}x{self.features.shape[1]};".encode())
        for part in (self.features, self.labels):
            digest.update(part.numpy().astype("<f8").tobytes())
        return digest.hexdigest()

    def replaced(self, records: tuple[int, ...], by: Dataset | None = None) -> Dataset:
        """The same set with `records` replaced, in order, by those of `by`, or by zero records (no data gradient).

        The erased features are overwritten without being read.
        """
        features, labels = self.features.clone(), self.labels.clone()
        at = torch.tensor(records, dtype=torch.long)
        features[at] = 0.0 if by is None else by.features
        labels[at] = 1.0 if by is None else by.labels
        return Dataset(self.name, features, labels, self.feature_norm)


def normalise(features: Tensor, feature_norm: Fraction | int | str = 1) -> Tensor:
    """Each row of (n, d) by itself scaled to norm feature_norm, less a hair of 2⁻⁴⁰; a zero row stays zero."""
    features = torch.as_tensor(features).to(torch.float64)
    norms = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return features * (float(exact(feature_norm, "feature_norm")) * SHRINK / torch.where(norms > 0, norms, 1.0))


def permutation(n: int, key: str) -> list[int]:
    """A permutation of 0 … n−1 that depends on `key` alone, in any version: sorted by SHA-256 of key and index."""
    return sorted(range(n), key=lambda i: hashlib.sha256(f"{key}/{i}".encode()).digest())
