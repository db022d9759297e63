"""Data sets as the learners need them: bounded features, finite labels, a split and scaling that no data decide.

A certificate assumes |x| ≤ feature_norm for *every* record anybody might have contributed. So each record is scaled
by constants that are fixed beforehand and by its own norm, never by a statistic of the set: a mean that moves when a
record is erased would make the other records differ too, and "one differing record" would be false.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from accountant.core.exact import canonical, exact, settle
from learners.data.mapped import NUMBERS_AT_ONCE, RowFile

SHRINK = 1 - 2.0**-40  # bounds are met with this much room, so that float64 rounding never exceeds them


class UnknownId(LookupError):
    """An id that no record has; the message names it."""


class InvalidDataset(ValueError):
    """Shapes, numbers or labels that no learner can use; the message names the record, the value and the fix."""


class FeatureNormExceeded(ValueError):
    """A record beyond the stated norm: every gradient bound derived from that norm would be false."""


def check_norms(features: Tensor | RowFile, bound: Fraction) -> None:
    """Decide |x_i| ≤ bound for every row, exactly: rows too close for float64 to tell are decided in rationals.

    Raises:
        FeatureNormExceeded: names the first record beyond it.
    """
    limit = bound * bound
    # n additions of rounded squares err by less than a relative (d+2)·2⁻⁵²; below 1e-280 squares may underflow.
    width = features.dimension if isinstance(features, RowFile) else features.shape[1]
    margin = 1 - (width + 4) * 2.0**-52
    for first, part in _parts(features):
        squares = part.square().sum(dim=1)
        undecided = (
            ~(squares <= float(limit) * margin) if float(limit) > 1e-280 else torch.ones_like(squares, dtype=torch.bool)
        )
        for record in undecided.nonzero().flatten().tolist():
            row = part[record].tolist()
            if sum(Fraction(value) ** 2 for value in row) > limit:
                raise FeatureNormExceeded(
                    f"record {first + record}: norm {math.hypot(*row):.17g} > feature_norm = {canonical(bound)}; "
                    "scale its features with learners.normalise, or certify with a larger feature_norm"
                )


def _parts(features: Tensor | RowFile) -> Iterator[tuple[int, Tensor]]:
    """The rows in parts of a bounded size, each with the place of its first row."""
    if isinstance(features, RowFile):
        rows = max(1, NUMBERS_AT_ONCE // max(1, features.dimension))
        for first in range(0, features.rows, rows):
            yield first, features.read(range(first, min(first + rows, features.rows)))
        return
    rows = max(1, NUMBERS_AT_ONCE // max(1, features.shape[1]))
    for first in range(0, len(features), rows):
        yield first, features[first : first + rows]


@dataclass(frozen=True, eq=False)
class Dataset:
    """n records in order: features (n, d) with |x_i| ≤ feature_norm, labels (n,); float64, on the CPU.

    Any finite label is taken here; whether they are those of a loss is for `learners.vouch` to say. absent: the places
    of erased records, whose data gradient is zero whatever the model is; their features are 0 and their labels 1.
    ids: one for each record, different and not empty; by default "0", "1", … in their order. Features given as a
    `RowFile` stay in their file (`file`), and are read where they are looked at; everything else is copied.

    Raises:
        InvalidDataset: shapes that do not match, a number that is not finite, an absent record that is not there or has
            features left, ids that are not one for each record, or empty, or not unique.
        FeatureNormExceeded: a record beyond feature_norm.
    """

    name: str
    features: Tensor
    labels: Tensor
    feature_norm: Fraction = Fraction(1)
    ids: tuple[str, ...] = ()
    absent: tuple[int, ...] = field(default=(), kw_only=True)
    file: RowFile | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.features, RowFile):
            settle(self, file=self.features, features=self.features.tensor())
        else:  # a copy: nobody changes a frozen value from outside
            settle(self, file=None, features=_copied(self.features))
        settle(self, labels=_copied(self.labels), feature_norm=exact(self.feature_norm, "feature_norm"))
        if self.features.ndim != 2 or self.labels.shape != self.features.shape[:1] or not self.features.numel():
            raise InvalidDataset(
                f"features {tuple(self.features.shape)}, labels {tuple(self.labels.shape)}: need (n, d), (n,)"
            )
        for key, values in (("features", self.source), ("labels", self.labels[:, None])):
            for first, part in _parts(values):
                if (bad := ~part.isfinite().all(dim=1)).any():
                    record = first + int(bad.nonzero()[0])
                    raise InvalidDataset(f"record {record}: {key} not finite; drop or repair the record")
        settle(self, ids=_checked_ids(self.ids, len(self.labels)))
        settle(self, absent=tuple(sorted(set(self.absent))))
        for record in self.absent:
            if not 0 <= record < len(self.labels) or self.features[record].any():
                raise InvalidDataset(
                    f"absent: {record} is not a record without features; write the places of zero rows"
                )
        check_norms(self.source, self.feature_norm)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def source(self) -> Tensor | RowFile:
        """The features, or the file that they stay in."""
        return self.features if self.file is None else self.file

    def rows(self, places: Tensor) -> Tensor:
        """Features (len(places), d) of the records at these places, in memory of their own."""
        if self.file is None:
            return self.features[places]
        first, count = int(places[0]), len(places)
        contiguous = torch.equal(places, torch.arange(first, first + count))
        return self.file.read(range(first, first + count) if contiguous else places.tolist())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of shape, features and labels as little-endian float64. Nothing noises it: for the auditor only."""
        digest = hashlib.sha256(f"{self.features.shape[0]}x{self.features.shape[1]};".encode())
        for values in (self.source, self.labels[:, None]):
            for _, part in _parts(values):
                digest.update(part.numpy().astype("<f8").tobytes())
        return digest.hexdigest()

    @cached_property
    def _places(self) -> dict[str, int]:
        return {id: place for place, id in enumerate(self.ids)}

    def index_of(self, ids: Iterable[str]) -> tuple[int, ...]:
        """The places of the records with these ids, in their order.

        Raises:
            UnknownId: names the first id that no record has.
        """
        places = []
        for id in ids:
            if id not in self._places:
                raise UnknownId(f"id {id!r:.80} is that of no record of {self.name}; write ids as the data have them")
            places.append(self._places[id])
        return tuple(places)

    def replaced(self, records: tuple[int, ...], by: Dataset | None = None) -> Dataset:
        """The same set with `records` replaced, in order, by those of `by`, or absent (without a data gradient).

        The erased features are overwritten without being read.
        """
        rows = torch.zeros(len(records), self.features.shape[1], dtype=torch.float64) if by is None else by.features
        labels, places = self.labels.clone(), torch.tensor(records, dtype=torch.long)
        labels[places] = 1.0 if by is None else by.labels
        absent = set(self.absent) - set(records) if by is not None else {*self.absent, *records}
        if self.file is not None:
            in_file: Any = self.file.with_rows(records, rows)
            return replace(self, features=in_file, labels=labels, absent=tuple(absent))
        features = self.features.clone()
        features[places] = rows
        return replace(self, features=features, labels=labels, absent=tuple(absent))

    def placed(self, places: Sequence[int], count: int) -> Dataset:
        """A set of `count` records with this one's at `places`, and absent ones elsewhere: what is left of a file from
        which erased records were removed, each where it was before.

        The absent ones get ids that no file can have. Features in a file are written to another one beside it.

        Raises:
            InvalidDataset: places that are not one for each record, twice the same, or not below `count`.
        """
        if len(places) != len(self) or len(set(places)) < len(places) or not set(places) <= set(range(count)):
            raise InvalidDataset(f"places: {len(places)} for {len(self)} records; give each another one below {count}")
        rows = torch.tensor(places, dtype=torch.long)
        labels, ids = torch.ones(count, dtype=torch.float64), [f"\0{place}" for place in range(count)]
        labels[rows] = self.labels
        for place, id in zip(places, self.ids, strict=True):
            ids[place] = id
        gone = set(self.absent)
        absent = set(range(count)) - {place for i, place in enumerate(places) if i not in gone}
        features: Any = torch.zeros(count, self.features.shape[1], dtype=torch.float64)
        if self.file is not None:
            features = self.file.placed(rows, count)
        else:
            features[rows] = self.features
        return replace(self, features=features, labels=labels, ids=tuple(ids), absent=tuple(absent))


def _copied(value: Tensor) -> Tensor:
    return torch.as_tensor(value).detach().to("cpu", torch.float64, copy=True).contiguous()


def _checked_ids(ids: tuple[str, ...], records: int) -> tuple[str, ...]:
    if not ids:
        return tuple(map(str, range(records)))
    if len(ids) != records:
        raise InvalidDataset(f"ids: {len(ids)} of them for {records} records; give one for each")
    if len(places := {id: place for place, id in enumerate(ids)}) < records:
        later = next(place for place, id in enumerate(ids) if places[id] != place)
        raise InvalidDataset(f"ids: record {places[ids[later]]} has the id of record {later}; make ids unique")
    if "" in places:
        raise InvalidDataset(f"ids: that of record {places['']} is empty; give it one")
    return tuple(ids)


def normalise(features: Tensor, feature_norm: Fraction | int | str = 1) -> Tensor:
    """Each row of (n, d) by itself scaled to norm feature_norm, less a hair of 2⁻⁴⁰; a zero row stays zero."""
    features = torch.as_tensor(features).to(torch.float64)
    norms = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return features * (float(exact(feature_norm, "feature_norm")) * SHRINK / torch.where(norms > 0, norms, 1.0))


def permutation(n: int, key: str) -> list[int]:
    """A permutation of 0 … n−1 that depends on `key` alone, in any version: sorted by SHA-256 of key and index."""
    return sorted(range(n), key=lambda i: hashlib.sha256(f"{key}/{i}".encode()).digest())
