"""Features larger than memory: rows of float64 in a file, of which the pages in use alone are in memory.

A `Scratch` is where such a file is made for the time of one call. The file has no name: nothing of it stays when the
process ends, however it ends.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

FLOAT64 = 8  # bytes
NUMBERS_AT_ONCE = 1 << 20  # of features that may be larger than memory
# A private mapping reserves memory for every page that might be written, unless told not to; few ever are.
NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)


@dataclass(frozen=True)
class Scratch:
    """Features of more than `beyond` bytes go to a file without a name in `folder`; fewer stay in memory.

    The name is gone before a byte is written (on Linux the file never has one), so that the system frees its room with
    the last handle: at the end of the process, also if that is killed. The bytes are not wiped from the disk.
    """

    folder: Path
    beyond: int = 0

    def open(self) -> IO[bytes]:
        """Such a file, open for reading and writing. Raises OSError with the folder's name."""
        with self.named():
            return tempfile.TemporaryFile(dir=self.folder)

    @contextmanager
    def named(self) -> Iterator[None]:
        """An OSError of the file without a name says which folder it is about."""
        try:
            yield
        except OSError as problem:
            raise OSError(problem.errno, problem.strerror, str(self.folder)) from None


@dataclass(frozen=True, eq=False)
class RowFile:
    """(rows, dimension) numbers in `path`, little-endian float64 in row order, and the rows that differ from the file.

    The file is never written to: `changed` rows (place, then (dimension,) numbers) are in memory alone. It must stay as
    it is while it is in use. file: the open file, where it has no name; `path` is then the folder that it lies in.
    """

    path: Path
    rows: int
    dimension: int
    changed: Mapping[int, Tensor] = field(default_factory=dict)
    file: IO[bytes] | None = None

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The descriptor of the file."""
        if self.file is not None:
            yield self.file.fileno()
            return
        with self.path.open("rb") as file:
            yield file.fileno()

    def tensor(self) -> Tensor:
        """(rows, dimension) float64 on the CPU, read from the file where it is looked at.

        Raises:
            ValueError: the file does not hold so many numbers, or this machine is not little-endian.
            OSError: it cannot be read, or not be mapped.
        """
        size = self.rows * self.dimension * FLOAT64
        if sys.byteorder != "little":
            raise ValueError(f"{self.path}: holds little-endian numbers, which this machine cannot map")
        with self._opened() as file:
            if size != (there := os.fstat(file).st_size):
                raise ValueError(
                    f"{self.path}: {there} bytes; {self.rows} rows of {self.dimension} numbers are {size} bytes"
                )
            pages = mmap.mmap(file, size, flags=mmap.MAP_PRIVATE | NORESERVE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
        features = torch.frombuffer(pages, dtype=torch.float64).view(self.rows, self.dimension)
        for place, row in self.changed.items():
            features[place] = row
        return features

    def placed(self, places: Tensor, count: int) -> RowFile:
        """A file of `count` rows, with this one's rows at `places` (rows,) and zeros elsewhere: beside this one, or
        without a name in the same folder. Raises OSError."""
        scratch = Scratch(self.path)
        target = self.path.with_name(f"{self.path.name}.placed")
        written = scratch.open() if self.file is not None else target.open("w+b")
        width, at_once = self.dimension * FLOAT64, max(1, NUMBERS_AT_ONCE // self.dimension)
        with scratch.named():
            written.truncate(count * width)  # zeros take no room on the disk
            for first in range(0, self.rows, at_once):
                part = range(first, min(first + at_once, self.rows))
                for row, place in zip(self.read(part).numpy(), places[first : first + at_once].tolist(), strict=True):
                    written.seek(place * width)
                    written.write(row.data)
            written.flush()
        if self.file is not None:
            return RowFile(self.path, count, self.dimension, file=written)
        written.close()
        return RowFile(target, count, self.dimension)

    def read(self, places: Sequence[int]) -> Tensor:
        """(len(places), dimension): these rows, read into memory of their own. Unlike a look at `tensor`, it leaves no
        page of the file in the process: however much is read, it does not grow."""
        width = self.dimension * FLOAT64
        rows = np.empty((len(places), self.dimension), dtype="<f8")
        with self._opened() as file:
            if isinstance(places, range) and places.step == 1:
                self._fill(file, rows, places.start * width)
            else:
                for row, place in zip(rows, places, strict=True):
                    self._fill(file, row, place * width)
        for place in set(self.changed).intersection(places):
            rows[places.index(place)] = self.changed[place].numpy()
        return torch.from_numpy(rows)

    def with_rows(self, places: tuple[int, ...], rows: Tensor) -> RowFile:
        """The same with `rows` (len(places), dimension) at `places`; the file stays."""
        return replace(self, changed={**self.changed, **dict(zip(places, rows.clone(), strict=True))})

    def _fill(self, file: int, rows: np.ndarray, offset: int) -> None:
        """Raises ValueError: the file ends before."""
        view: Any = rows.reshape(-1).data.cast("B")
        while len(view):
            count = os.preadv(file, [view], offset)  # at a place of its own: forks share where a file is read
            if not count:
                raise ValueError(f"{self.path}: ends before its rows do")
            view, offset = view[count:], offset + count
