"""Encoded features as they are read, batch by batch: in memory, or in a file."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
import torch
from torch import Tensor

from learners.data.mapped import RowFile, Scratch


class Gathering:
    """A block in which rows are written.

    store: None keeps them in memory; a path is overwritten; a `Scratch` takes them once they are many.
    """

    def __init__(self, store: str | Path | Scratch | None) -> None:
        self._store = store
        self._file: IO[bytes] | None = None  # the one that they are in, unless in memory
        self._memory = BytesIO()
        self._kept = False

    def __enter__(self) -> Gathering:
        if isinstance(self._store, str | Path):
            self._file = open(self._store, "w+b")
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if self._file is not None and not (self._kept and isinstance(self._store, Scratch)):
            self._file.close()

    def write(self, rows: np.ndarray) -> None:
        """Add rows (n, d), little-endian float64. Raises OSError, which names the folder of a `Scratch`."""
        data = np.ascontiguousarray(rows).data
        if isinstance(self._store, Scratch):
            if self._file is None and self._memory.tell() + data.nbytes > self._store.beyond:
                self._file = self._store.open()
                with self._store.named():
                    self._file.write(self._memory.getbuffer())
                self._memory = BytesIO()
            with self._store.named():
                (self._file or self._memory).write(data)
            return
        (self._file or self._memory).write(data)

    def kept(self, count: int, dimension: int) -> Tensor | RowFile:
        """What was written, as (count, dimension). Raises OSError."""
        self._kept = True
        if self._file is None:
            return torch.from_numpy(
                np.frombuffer(self._memory.getvalue(), "<f8").astype(np.float64).reshape(count, dimension)
            )
        if isinstance(self._store, Scratch):
            with self._store.named():
                self._file.flush()
            return RowFile(self._store.folder, count, dimension, file=self._file)
        assert self._store is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        return RowFile(Path(self._store), count, dimension)
