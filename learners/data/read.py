"""A file of records to a data set, in batches, so that a file larger than memory can be read."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from accountant.core.exact import exact
from learners.data.cifar import Cifar
from learners.data.columns import Columns, largest_square, needed
from learners.data.dataset import Dataset
from learners.data.delimited import Delimited
from learners.data.dirty import with_others
from learners.data.encode import Encoder
from learners.data.gather import Gathering
from learners.data.idx import IMAGES, Idx
from learners.data.mapped import RowFile, Scratch
from learners.data.refused import InvalidTable, shown
from learners.data.tables import ArrowFile, Npz, Parquet, Source

NUMBERS_AT_ONCE = 1 << 20  # of a batch
FORMATS = (
    ".csv, .tsv (also .gz), .parquet, .arrow, .feather, .npz, MNIST's …-images-idx3-ubyte (also .gz), CIFAR-10's .bin, "
    "or a folder of these two"
)


@dataclass(frozen=True, eq=False)
class Records:
    """The records of a file, encoded.

    features: (n, d) float64 with |row| ≤ feature_norm, or the file that they were written to. labels: (n,) float64;
    None where the file has no target. ids: None where the file has none. first_row: the number of the first record, as
    a user counts in the file.
    """

    name: str
    features: Tensor | RowFile
    labels: Tensor | None
    ids: tuple[str, ...] | None
    first_row: int
    feature_norm: Fraction

    def dataset(self) -> Dataset:
        """Raises InvalidTable where there are no labels, InvalidDataset as `Dataset` does."""
        if self.labels is None:
            raise InvalidTable(self.name, "has no target column, and nothing is learned without; give one")
        features: Tensor = self.features  # type: ignore[assignment]  # a RowFile is taken as well
        return Dataset(self.name, features, self.labels, self.feature_norm, self.ids or ())


def read_table(
    path: str | Path,
    columns: Columns,
    *,
    feature_norm: Fraction | int | str = 1,
    target_bound: Fraction | None = None,
    store: str | Path | Scratch | None = None,
) -> Dataset:
    """The data set in a file: as `read_records`, with labels.

    Raises:
        InvalidTable: as `read_records` does.
    """
    return read_records(path, columns, feature_norm=feature_norm, target_bound=target_bound, store=store).dataset()


def read_records(
    path: str | Path,
    columns: Columns,
    *,
    feature_norm: Fraction | int | str = 1,
    target_bound: Fraction | None = None,
    store: str | Path | Scratch | None = None,
    partial: bool = False,
) -> Records:
    """Read a file of records by the columns, limits and categories that a run names.

    Args:
        path: the format is told by its name.
        feature_norm: that of the loss; with columns.normalise = "none" rows are within the largest norm that the limits
            allow instead.
        target_bound: that of the loss, if it has one: targets are scaled to it, counts are checked against it.
        store: a file that the features are written to, and stay in: for data larger than memory. It is overwritten. Or
            a `Scratch`: a file without a name, and that only where they are large.
        partial: whether target and id may be missing in the file, as for records to predict.

    Raises:
        InvalidTable: one line with file, row, column, value and fix: a file that is no such table, a column that is
            missing or there twice, a value outside its limits, an empty cell, NaN, an unknown category, a label that
            does not fit, an id that is empty or there twice, no records.
        OSError: the file cannot be opened, or `store` not be written.
    """
    source = open_source(Path(path))
    present = _columns_there(source, columns, partial)
    norm = exact(feature_norm, "feature_norm") if columns.normalise != "none" else _root_above(largest_square(columns))
    encoder = Encoder(source.file, columns, norm, target_bound)
    at_once = max(1, NUMBERS_AT_ONCE // encoder.dimension)
    labels: list[np.ndarray] = []
    ids: dict[str, int] = {}
    row = source.first_row
    with Gathering(store) as rows:
        try:
            for batch in source.batches(present, at_once):
                try:
                    rows.write(encoder.features(batch, row).astype("<f8", copy=False))
                    if columns.target in present:
                        labels.append(encoder.labels(batch, row))
                    more_ids = encoder.ids(batch, row) if columns.id in present else []
                except InvalidTable as first:
                    raise with_others(first, encoder, batch, row) from None
                _collect(ids, more_ids, row, encoder)
                row += batch.num_rows
        except pa.ArrowException as problem:
            says = (str(problem).splitlines() or [type(problem).__name__])[0]
            raise InvalidTable(source.file, f"is not read from row {row} on: {says}; save it in another way") from None
        count = row - source.first_row
        if not count:
            raise InvalidTable(source.file, "holds no records; give one at least")
        features = rows.kept(count, encoder.dimension)
    return Records(
        name=source.file,
        features=features,
        labels=torch.from_numpy(np.concatenate(labels)) if labels else None,
        ids=tuple(ids) if columns.id in present else None,
        first_row=source.first_row,
        feature_norm=norm,
    )


def open_source(path: Path) -> Source:
    """The reader for a file, told by its name. Raises InvalidTable where no format has such a name, OSError where there
    is no such file."""
    name = path.name.lower()
    if path.is_dir():
        return _open_folder(path)
    path.stat()
    stem = name.removesuffix(".gz")
    if stem.endswith((".csv", ".tsv")):
        return Delimited(path, "\t" if stem.endswith(".tsv") else ",")
    if IMAGES in name:
        return Idx(path)
    match path.suffix.lower():
        case ".parquet" | ".pq":
            return Parquet(path)
        case ".arrow" | ".feather" | ".ipc":
            return ArrowFile(path)
        case ".npz":
            return Npz(path)
        case ".bin":
            return Cifar(path.name, [path])
    raise InvalidTable(path.name, f"is of no format that is read: {FORMATS}")


def _open_folder(folder: Path) -> Source:
    """MNIST's or CIFAR-10's training set, as it is unpacked."""
    if batches := sorted(folder.glob("data_batch_*.bin"), key=lambda path: (len(path.name), path.name)):
        return Cifar(folder.name, batches)
    for name in (f"train-{IMAGES}-ubyte", f"train-{IMAGES}-ubyte.gz"):
        if (folder / name).exists():
            return Idx(folder / name)
    raise InvalidTable(folder.name, f"a folder with neither data_batch_1.bin nor train-{IMAGES}-ubyte in it")


def _columns_there(source: Source, columns: Columns, partial: bool) -> list[str]:
    """The columns to read. Raises InvalidTable where one is missing, or there twice."""
    present = []
    for name in needed(columns):
        match source.names.count(name):
            case 1:
                present.append(name)
            case 0:
                if partial and name in (columns.target, columns.id):
                    continue
                raise InvalidTable(source.file, _missing(name, source))
            case times:
                raise InvalidTable(source.file, f"has {times} columns named {name}; give each its own name")
    return present


def _missing(name: str, source: Source) -> str:
    close = difflib.get_close_matches(name, source.names, n=1)
    listed = ", ".join(map(shown, source.names[:20])) + (", …" if len(source.names) > 20 else "")
    hint = f"did you mean {close[0]!r}?" if close else f"its columns: {listed}"
    if len(source.names) == 1 and ";" in source.names[0]:
        hint += "; separate cells by commas, and decimals by points"
    return f"has no column {name}; {hint}"


def _collect(ids: dict[str, int], more: list[str], row: int, encoder: Encoder) -> None:
    for offset, id in enumerate(more):
        former = ids.setdefault(id, row + offset)
        if former != row + offset:
            assert encoder.columns.id is not None
            raise encoder.refused(
                row + offset, encoder.columns.id, f"{shown(id)} is the id of row {former} as well; make ids unique"
            )


def _root_above(square: int) -> Fraction:
    """A number of six decimals that is no less than √square."""
    return Fraction(math.isqrt(square * 10**12 - 1) + 1, 10**6) if square else Fraction(1)
