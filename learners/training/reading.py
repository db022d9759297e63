"""The drawn records, read from whatever kind of data set, as one batch on the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset, default_collate

from learners.refused import LearnerRefused

Collate = Callable[[list[Any]], Any]


def length(dataset: Any) -> int:
    """How many records there are.

    Raises:
        LearnerRefused: a loader, a stream, or something that has no length; no record.
    """
    if isinstance(dataset, torch.utils.data.DataLoader):
        raise LearnerRefused(
            "dataset: a DataLoader draws batches of its own; give its dataset: batches are drawn as the mechanism says"
        )
    if isinstance(dataset, torch.utils.data.IterableDataset) or not hasattr(dataset, "__len__"):
        raise LearnerRefused(f"dataset: a {type(dataset).__name__} has no length; give one with records by index")
    if isinstance(dataset, tuple) and dataset and all(isinstance(part, Tensor) for part in dataset):
        raise LearnerRefused("dataset: several tensors; give torch.utils.data.TensorDataset(*tensors)")
    if len(dataset) == 0:
        raise LearnerRefused("dataset: has no record")
    return len(dataset)


def read(dataset: Dataset[Any], places: np.ndarray, collate: Collate | None, device: torch.device) -> Any:
    """The records (B,) as collate makes a batch of them, on the device."""
    if collate is None and type(dataset) is TensorDataset:
        rows = torch.from_numpy(places)
        batch: Any = tuple(tensor[rows.to(tensor.device)] for tensor in dataset.tensors)
        return moved(batch, device)
    if hasattr(dataset, "__getitems__"):
        records = dataset.__getitems__(places.tolist())
    else:
        records = [dataset[place] for place in places.tolist()]
    return moved((collate or default_collate)(records), device)


def moved(batch: Any, device: torch.device) -> Any:
    """The batch with its tensors on the device; containers stay what they are."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {key: moved(part, device) for key, part in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(moved(part, device) for part in batch))
    if isinstance(batch, tuple | list):
        return type(batch)(moved(part, device) for part in batch)
    return batch.to(device) if hasattr(batch, "to") else batch


def parts(places: np.ndarray, micro_batch: int | None) -> Sequence[np.ndarray]:
    """The batch in parts of at most `micro_batch` records; none of an empty one."""
    size = micro_batch or max(len(places), 1)
    return tuple(places[first : first + size] for first in range(0, len(places), size))
