"""Features larger than memory: rows of float64 in a file, of which the pages in use alone are in memory."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

FLOAT64 = 8  # bytes
NUMBERS_AT_ONCE = 1 << 20  # of features that may be larger than memory
# A private mapping reserves memory for every page that might be written, unless told not to; few ever are.
NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)


@dataclass(frozen=True, eq=False)
class RowFile:
    """(rows, dimension) numbers in `path`, little-endian float64 in row order, and the rows that differ from the file.

    The file is never written to: `changed` rows (place, then (dimension,) numbers) are in memory alone. It must stay as
    it is while it is in use.
    """

    path: Path
    rows: int
    dimension: int
    changed: Mapping[int, Tensor] = field(default_factory=dict)

    def tensor(self) -> Tensor:
        """(rows, dimension) float64 on the CPU, read from the file where it is looked at.

        Raises:
            ValueError: the file does not hold so many numbers, or this machine is not little-endian.
            OSError: it cannot be read, or not be mapped.
        """
        size, there = self.rows * self.dimension * FLOAT64, self.path.stat().st_size
        if sys.byteorder != "little":
            raise ValueError(f"{self.path}: holds little-endian numbers, which this machine cannot map")
        if size != there:
            raise ValueError(
                f"{self.path}: {there} bytes; {self.rows} rows of {self.dimension} numbers are {size} bytes"
            )
        with self.path.open("rb") as file:
            pages = mmap.mmap(
                file.fileno(), size, flags=mmap.MAP_PRIVATE | NORESERVE, prot=mmap.PROT_READ | mmap.PROT_WRITE
            )
        features = torch.frombuffer(pages, dtype=torch.float64).view(self.rows, self.dimension)
        for place, row in self.changed.items():
            features[place] = row
        return features

    def placed(self, places: Tensor, count: int) -> RowFile:
        """A file of `count` rows beside this one, with its rows at `places` (rows,) and zeros elsewhere."""
        features, target = self.tensor(), self.path.with_name(f"{self.path.name}.placed")
        shape = (count, self.dimension)
        written = np.memmap(target, dtype="<f8", mode="w+", shape=shape)  # zeros take no room on the disk
        at_once = max(1, NUMBERS_AT_ONCE // self.dimension)
        for first in range(0, self.rows, at_once):
            written[places[first : first + at_once].numpy()] = features[first : first + at_once].numpy()
        written.flush()
        return RowFile(target, *shape)

    def read(self, places: Sequence[int]) -> Tensor:
        """(len(places), dimension): these rows, read into memory of their own. Unlike a look at `tensor`, it leaves no
        page of the file in the process: however much is read, it does not grow."""
        width = self.dimension * FLOAT64
        rows = np.empty((len(places), self.dimension), dtype="<f8")
        with self.path.open("rb", buffering=0) as file:
            if isinstance(places, range) and places.step == 1:
                file.seek(places.start * width)
                _fill(file, rows)
            else:
                for row, place in zip(rows, places, strict=True):
                    file.seek(place * width)
                    _fill(file, row)
        for place in set(self.changed).intersection(places):
            rows[places.index(place)] = self.changed[place].numpy()
        return torch.from_numpy(rows)

    def with_rows(self, places: tuple[int, ...], rows: Tensor) -> RowFile:
        """The same with `rows` (len(places), dimension) at `places`; the file stays."""
        return replace(self, changed={**self.changed, **dict(zip(places, rows.clone(), strict=True))})


def _fill(file: BinaryIO, rows: np.ndarray) -> None:
    """Raises ValueError: the file ends before."""
    view = rows.reshape(-1).data.cast("B")
    while len(view):
        count = file.readinto(view)  # type: ignore[attr-defined]
        if not count:
            raise ValueError(f"{file.name}: ends before its rows do")
        view = view[count:]
