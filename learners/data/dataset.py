"""Data sets as the learners need them: bounded features, finite labels, a split and scaling that no data decide.

A certificate assumes |x| ≤ feature_norm for *every* record anybody might have contributed. So each record is scaled
by constants that are fixed beforehand and by its own norm, never by a statistic of the set: a mean that moves when a
record is erased would make the other records differ too, and "one differing record" would be false.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
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
    """n records in order: features (n, d) with |x_i| ≤ feature_norm, labels (n,); float64, on the CPU.

    Any finite label is taken here; whether they are those of a loss is for `learners.vouch` to say. absent: the places
    of erased records, whose data gradient is zero whatever the model is; their features are 0 and their labels 1.

    Raises:
        InvalidDataset: shapes that do not match, a number that is not finite, an absent record that is not there or has
            features left.
        FeatureNormExceeded: a record beyond feature_norm.
    """

    name: str
    features: Tensor
    labels: Tensor
    feature_norm: Fraction = Fraction(1)
    absent: tuple[int, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        for key in ("features", "labels"):  # a copy: nobody changes a frozen value from outside
            value = torch.as_tensor(getattr(self, key)).detach().to("cpu", torch.float64, copy=True).contiguous()
            settle(self, **{key: value})
        settle(self, feature_norm=exact(self.feature_norm, "feature_norm"))
        if self.features.ndim != 2 or self.labels.shape != self.features.shape[:1] or not self.features.numel():
            raise InvalidDataset(
                f"features {tuple(self.features.shape)}, labels {tuple(self.labels.shape)}: need (n, d), (n,)"
            )
        for key, bad in (("features", ~self.features.isfinite().all(dim=1)), ("labels", ~self.labels.isfinite())):
            if bad.any():
                raise InvalidDataset(f"record {int(bad.nonzero()[0])}: {key} not finite; drop or repair the record")
        settle(self, absent=tuple(sorted(set(self.absent))))
        for record in self.absent:
            if not 0 <= record < len(self.labels) or self.features[record].any():
                raise InvalidDataset(f"absent: {record} is no record, or has features; write the places of zero rows")
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
        """The same set with `records` replaced, in order, by those of `by`, or absent (without a data gradient).

        The erased features are overwritten without being read.
        """
        features, labels = self.features.clone(), self.labels.clone()
        at = torch.tensor(records, dtype=torch.long)
        features[at] = 0.0 if by is None else by.features
        labels[at] = 1.0 if by is None else by.labels
        absent = set(self.absent) - set(records) if by is not None else {*self.absent, *records}
        return replace(self, features=features, labels=labels, absent=tuple(absent))


def normalise(features: Tensor, feature_norm: Fraction | int | str = 1) -> Tensor:
    """Each row of (n, d) by itself scaled to norm feature_norm, less a hair of 2⁻⁴⁰; a zero row stays zero."""
    features = torch.as_tensor(features).to(torch.float64)
    norms = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return features * (float(exact(feature_norm, "feature_norm")) * SHRINK / torch.where(norms > 0, norms, 1.0))


def permutation(n: int, key: str) -> list[int]:
    """A permutation of 0 … n−1 that depends on `key` alone, in any version: sorted by SHA-256 of key and index."""
    return sorted(range(n), key=lambda i: hashlib.sha256(f"{key}/{i}".encode()).digest())
