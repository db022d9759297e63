"""The binary version of CIFAR-10, with the columns `images` (3072 bytes: red, green, blue, row by row) and `labels`.

The format: https://www.cs.toronto.edu/~kriz/cifar.html : records of one byte for the label and 3072 for the image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from learners.data.refused import InvalidTable
from learners.data.tables import column_of

IMAGE = 3 * 32 * 32
RECORD = 1 + IMAGE


class Cifar:
    """The records of one file after the other."""

    first_row = 1
    names = ("images", "labels")

    def __init__(self, name: str, paths: Sequence[Path]) -> None:
        self.file, self._paths = name, tuple(paths)
        for path in self._paths:
            if not (size := path.stat().st_size) or size % RECORD:
                raise InvalidTable(
                    path.name, f"{size} bytes; CIFAR-10's binary version has {RECORD} for each record: is it that one?"
                )

    def batches(self, names: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        for path in self._paths:
            with path.open("rb") as file:
                while data := file.read(rows * RECORD):
                    records = np.frombuffer(data, np.uint8).reshape(-1, RECORD)
                    parts = {"images": np.ascontiguousarray(records[:, 1:]), "labels": records[:, 0].copy()}
                    yield pa.RecordBatch.from_arrays([column_of(parts[n]) for n in names], names=list(names))
