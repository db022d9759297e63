"""Tables with typed columns, in batches: Parquet, Arrow's own files (Feather included), and arrays in .npz."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from learners.data.refused import InvalidTable


class Source(Protocol):
    """A file of records. first_row: the number of its first record, as a user counts."""

    @property
    def file(self) -> str: ...
    @property
    def first_row(self) -> int: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    def batches(self, names: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """The records with these columns, in order, about `rows` at once."""


class Parquet:
    first_row = 1

    def __init__(self, path: Path) -> None:
        self.file = path.name
        try:
            self._table = parquet.ParquetFile(path, memory_map=True)
        except pa.ArrowException as problem:
            raise _unread(self.file, "Parquet", problem) from None
        self.names = tuple(self._table.schema_arrow.names)

    def batches(self, names: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._table.iter_batches(batch_size=rows, columns=list(names))
        except (pa.ArrowException, OSError) as problem:
            raise _unread(self.file, "Parquet", problem) from None


class ArrowFile:
    """Arrow IPC, as a file (also called Feather) or as a stream."""

    first_row = 1

    def __init__(self, path: Path) -> None:
        self.file, self._path = path.name, path
        self.names = tuple(self._open().schema.names)

    def _open(self) -> Any:
        source = pa.memory_map(str(self._path))
        try:
            if source.read(6) == b"ARROW1":
                return pa.ipc.open_file(source)
            source.seek(0)
            return pa.ipc.open_stream(source)
        except pa.ArrowException as problem:
            raise _unread(self.file, "Arrow", problem) from None

    def batches(self, names: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        try:
            reader = self._open()
            if isinstance(reader, pa.RecordBatchStreamReader):
                parts: Iterator[pa.RecordBatch] = iter(reader)
            else:
                parts = (reader.get_batch(i) for i in range(reader.num_record_batches))
            for part in parts:
                chosen = part.select(list(names))
                chosen.validate(full=True)
                for first in range(0, chosen.num_rows, rows):
                    yield chosen.slice(first, rows)
        except (pa.ArrowException, OSError) as problem:
            raise _unread(self.file, "Arrow", problem) from None


class Npz:
    """Arrays of numpy by their names: (n,), or (n, width) for a numeric column of some width. Nothing is unpickled."""

    first_row = 1

    def __init__(self, path: Path) -> None:
        self.file = path.name
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as problem:
            raise _unread(self.file, "npz", problem) from None
        self.names = tuple(n.removesuffix(".npy") for n in self._archive.namelist() if n.endswith(".npy"))

    def batches(self, names: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        members = [self._member(name) for name in names]
        lengths = {name: shape[0] for name, (_, shape, _) in zip(names, members, strict=True)}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise InvalidTable(self.file, f"arrays of different lengths: {told}; give one entry for each record")
        for first in range(0, members[0][1][0], rows):
            count = min(rows, members[0][1][0] - first)
            columns = [column_of(self._read(name, member, count)) for name, member in zip(names, members, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, names=list(names))

    def _member(self, name: str) -> tuple[IO[bytes], tuple[int, ...], np.dtype]:
        """The open member behind its header, its shape and its type."""
        try:
            member = self._archive.open(f"{name}.npy")
            version = np.lib.format.read_magic(member)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, by_column, dtype = read(member)
        except (ValueError, zipfile.BadZipFile, OSError, EOFError) as problem:
            raise _unread(self.file, "npz", problem) from None
        problem_with = None
        if dtype.hasobject or dtype.kind not in "iufbU":
            problem_with = f"holds {dtype}; numbers, true/false and text are read"
        elif len(shape) not in (1, 2) or 0 in shape[1:]:
            problem_with = f"has the shape {shape}; give (n,), or (n, width) for numbers"
        elif by_column and len(shape) == 2:
            problem_with = "is stored column by column; save numpy.ascontiguousarray of it"
        elif len(shape) == 2 and dtype.kind in "bU":
            problem_with = f"has the shape {shape} and no numbers; give (n,)"
        if problem_with:
            raise InvalidTable(self.file, problem_with, column=name)
        return member, shape, dtype

    def _read(self, name: str, member: tuple[IO[bytes], tuple[int, ...], np.dtype], count: int) -> np.ndarray:
        stream, shape, dtype = member
        size = count * int(np.prod(shape[1:])) * dtype.itemsize
        try:
            data = stream.read(size)
        except (zipfile.BadZipFile, OSError, EOFError) as problem:
            raise _unread(self.file, "npz", problem) from None
        if len(data) != size:
            raise InvalidTable(self.file, "is cut off; write it again", column=name)
        return np.frombuffer(data, dtype).reshape(count, *shape[1:])


def column_of(array: np.ndarray) -> pa.Array:
    """A column of Arrow's with the entries (n,), or the rows (n, width), of an array."""
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    if native.ndim == 1:
        return pa.array(native.tolist(), pa.string()) if native.dtype.kind == "U" else pa.array(native)
    return pa.FixedSizeListArray.from_arrays(pa.array(native.reshape(-1)), native.shape[1])


def _unread(file: str, what: str, problem: BaseException) -> InvalidTable:
    says = (str(problem).splitlines() or [type(problem).__name__])[0]
    return InvalidTable(file, f"is not read as {what}: {says}; write it again")
