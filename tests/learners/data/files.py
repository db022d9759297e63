"""What the tests of readers share: columns with defaults, and files in every format."""

from __future__ import annotations

import csv
import io
import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from certify.runfile.data_table import DataColumns


def columns(**given: Any) -> DataColumns:
    """Columns for a binary target `y`; limits of numeric columns as pairs of numbers, and the width behind them."""
    numeric = given.pop("numeric", {"a": (0, 10)})
    defaults: dict[str, Any] = {
        "target": "y",
        "positive": ("1",),
        "negative": (),
        "classes": (),
        "target_limits": None,
        "id": None,
        "categorical": {},
        "intercept": False,
        "outside": "refuse",
        "normalise": "none",
    }
    if {"classes", "target_limits"} & given.keys():
        defaults["positive"] = ()
    pairs = {name: (Fraction(limits[0]), Fraction(limits[1])) for name, limits in numeric.items()}
    widths = {name: limits[2] for name, limits in numeric.items() if len(limits) == 3}
    return DataColumns(**(defaults | {"numeric": pairs, "widths": widths} | given))


def write_csv(path: Path, rows: Sequence[Sequence[Any]], **dialect: Any) -> Path:
    """As Python's csv module writes it."""
    text = io.StringIO(newline="")
    csv.writer(text, **dialect).writerows(rows)
    path.write_bytes(text.getvalue().encode())
    return path


def write_idx(path: Path, array: np.ndarray, kind: int) -> Path:
    """MNIST's format: big-endian, after a header of the type and the dimensions."""
    head = bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(head + array.astype(array.dtype.newbyteorder(">")).tobytes())
    return path


def write_every_format(folder: Path, table: Mapping[str, Sequence[Any]]) -> list[Path]:
    """The same table as CSV, TSV, compressed CSV, Parquet, Arrow file and stream, and npz."""
    import gzip

    import pyarrow as pa
    import pyarrow.parquet as parquet

    rows = [list(table), *zip(*table.values(), strict=True)]
    paths = [write_csv(folder / "t.csv", rows), write_csv(folder / "t.tsv", rows, delimiter="\t")]
    paths.append(folder / "t.csv.gz")
    paths[-1].write_bytes(gzip.compress(paths[0].read_bytes()))
    arrow = pa.table(dict(table))
    paths.append(folder / "t.parquet")
    parquet.write_table(arrow, paths[-1], row_group_size=2)
    for name, opened in (("t.feather", pa.ipc.new_file), ("t.arrow", pa.ipc.new_stream)):
        paths.append(folder / name)
        with paths[-1].open("wb") as file, opened(file, arrow.schema) as writer:
            writer.write_table(arrow, max_chunksize=2)
    paths.append(folder / "t.npz")
    np.savez_compressed(paths[-1], **{name: np.array(list(values)) for name, values in table.items()})
    return paths
