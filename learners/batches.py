"""The batches of a run, in their order: kept on the device where they are small, else read anew in every epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from accountant.mechanisms.pnsgd import NoisySGD
from learners.data import Dataset
from learners.models import Batch, Model, Numbers

KEEP = 2**29  # bytes of features that are kept on the device, at most; data beyond are read batch by batch


@dataclass(frozen=True)
class Batches:
    """Batch j holds the records order[j·b : (j+1)·b]; a remainder is dropped. Iterated once in every epoch."""

    dataset: Dataset
    places: Tensor  # (l, b): which records
    model: Model
    numbers: Numbers
    device: torch.device
    kept: list[Batch] = field(default_factory=list, repr=False)

    @classmethod
    def of(
        cls,
        mechanism: NoisySGD,
        dataset: Dataset,
        order: Tensor,
        model: Model,
        numbers: Numbers,
        device: torch.device,
    ) -> Batches:
        """Of the mechanism's batches on `dataset`, in the order (n,)."""
        used = mechanism.batches * mechanism.batch_size
        batches = cls(dataset, order[:used].reshape(mechanism.batches, mechanism.batch_size), model, numbers, device)
        if used * dataset.features.shape[1] * 8 <= KEEP:
            batches.kept.extend(batches._read())
        return batches

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.kept) if self.kept else self._read()

    def _read(self) -> Iterator[Batch]:
        there = torch.ones(len(self.dataset), dtype=torch.bool)
        there[list(self.dataset.absent)] = False
        for rows in self.places:
            features, labels = self.dataset.rows(rows), self.dataset.labels[rows]
            if self.numbers.dtype == "float32":
                features = narrowed(features)
            yield self.model.batch(
                features.to(self.device),
                labels.to(self.device, self.numbers.type),
                there[rows].to(self.device),
            )


def narrowed(features: Tensor) -> Tensor:
    """Rows in float32 that are no longer than they were: the rounding of each number is made up for beforehand. It is a
    public map of each record by itself, as the scaling of the data is."""
    return (features * (1 - 2.0**-23)).to(torch.float32)
