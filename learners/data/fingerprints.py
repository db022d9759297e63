"""A record as bytes: what a service puts a key over, so that it can tell later whether the record is still the same."""

from __future__ import annotations

import struct

import torch
from torch import Tensor

from learners.data.dataset import Dataset

ROW = b"plumbline-row-1\n"


def row_bytes(features: Tensor, label: float, id: str) -> bytes:
    """The canonical bytes of one record: different for records that differ in id, label or a feature, and equal for
    equal ones, on every machine.

    `plumbline-row-1` and a line feed; the length of the id in bytes and the number of features, as little-endian 64-bit
    numbers; the id in UTF-8; label and features as little-endian float64, −0 as 0. features: (d,), encoded.

    The bytes are personal data, and a plain hash of them is too: a record with few possible values is found by trying
    them. They belong under a secret key (HMAC), and nowhere else.
    """
    values = torch.cat((torch.tensor([label], dtype=torch.float64), features.detach().to("cpu", torch.float64)))
    name = id.encode()
    return ROW + struct.pack("<QQ", len(name), len(features)) + name + (values + 0.0).numpy().astype("<f8").tobytes()


def record_bytes(dataset: Dataset, place: int) -> bytes:
    """The canonical bytes of the record at `place` (0 … n−1)."""
    return row_bytes(dataset.features[place], dataset.labels[place].item(), dataset.ids[place])
