"""The IDX format of MNIST and its relatives: images and labels in a file each, with the columns `images`, `labels`.

The format: http://yann.lecun.com/exdb/mnist/ : two zero bytes, one for the type, one for the number of dimensions,
each dimension as a big-endian 32-bit number, then the numbers, big-endian and row by row.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from learners.data.refused import InvalidTable
from learners.data.tables import column_of

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
IMAGES, LABELS = "images-idx3", "labels-idx1"
MAX_DIMENSIONS = 8


class Idx:
    """Images and, where their file is there, labels."""

    first_row = 1

    def __init__(self, images: Path) -> None:
        """images: a file whose name has `images-idx3` in it, beside one with `labels-idx1` in its place."""
        self.file = images.name
        if IMAGES not in images.name:
            raise InvalidTable(self.file, f"is not named as an IDX file of images: …-{IMAGES}-ubyte, or with .gz")
        labels = images.with_name(images.name.replace(IMAGES, LABELS))
        self._paths = {"images": images} | ({"labels": labels} if labels.exists() else {})
        self.names = tuple(self._paths)

    def batches(self, names: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        streams = {name: _opened(self._paths[name]) for name in names}
        try:
            heads = {name: _head(stream, self._paths[name].name) for name, stream in streams.items()}
            counts = {name: shape[0] for name, (_, shape) in heads.items()}
            if len(set(counts.values())) > 1:
                told = " and ".join(f"{count} {name}" for name, count in counts.items())
                raise InvalidTable(self.file, f"{told}; give a label for each image")
            total = next(iter(counts.values()))
            for first in range(0, total, rows):
                count = min(rows, total - first)
                arrays = [_numbers(streams[n], self._paths[n].name, *heads[n], count) for n in names]
                yield pa.RecordBatch.from_arrays(list(map(column_of, arrays)), names=list(names))
            for name, stream in streams.items():
                if stream.read(1):
                    raise InvalidTable(self._paths[name].name, f"goes on after its {total} records; write it again")
        except (EOFError, OSError) as problem:
            raise InvalidTable(self.file, f"is not read as IDX: {problem}; write it again") from None
        finally:
            for stream in streams.values():
                stream.close()


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _head(stream: IO[bytes], file: str) -> tuple[np.dtype, tuple[int, ...]]:
    """The type of the numbers, and the dimensions: records first."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or not 1 <= magic[3] <= MAX_DIMENSIONS:
        raise InvalidTable(file, f"begins with {magic.hex(' ')}, as no IDX file does; decompress it, or write it again")
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise InvalidTable(file, "is cut off in its header; write it again")
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    if 0 in shape[1:]:
        raise InvalidTable(file, f"has records of the shape {shape[1:]}; there is nothing in them")
    return np.dtype(TYPES[magic[2]]), shape


def _numbers(stream: IO[bytes], file: str, dtype: np.dtype, shape: tuple[int, ...], count: int) -> np.ndarray:
    """(count,), or (count, width) where records have more than one number."""
    width = math.prod(shape[1:])
    size = count * width * dtype.itemsize
    data = stream.read(size)
    if len(data) < size:
        raise InvalidTable(file, f"is cut off: it names {shape[0]} records and ends before; write it again")
    array = np.frombuffer(data, dtype)
    return array if len(shape) == 1 else array.reshape(count, width)
