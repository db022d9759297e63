"""CSV and TSV, strictly: pyarrow parses, and what it would read leniently is refused before it gets there.

pyarrow reads a quote that is never closed up to the end of the file, and drops quotes in the middle of a cell: records
would be lost or changed without a word. RFC 4180 allows neither, so the bytes are looked at on their way to the parser.
It also drops a byte of a CRLF within a quoted cell where a block ends in it (https://github.com/apache/arrow/issues/51368).
No value that is taken can have one: ids with line breaks are refused, labels and categories are the run file's.
"""

from __future__ import annotations

import codecs
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute
import pyarrow.csv as csv

from learners.data.refused import InvalidTable, shown

BLOCK = 1 << 22  # bytes that are parsed at once; no record may be longer
HEADER = 1  # the number of the header's row
QUOTE, FEED, RETURN = b'"\n\r'
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class StrictBytes:
    """A file of bytes for pyarrow to read from, which checks on the way that they are UTF-8 and that quotes are as in
    RFC 4180: a quoted cell begins and ends with one, and has two for each in it.

    Lines are named as an editor numbers them, from 1.
    """

    closed = False

    def __init__(self, stream: Any, file: str, delimiter: str) -> None:
        self._stream, self._file = stream, file
        self._before = (*delimiter.encode(), FEED, RETURN, QUOTE)  # what may stand before a quote that opens
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._start, self._inside, self._last = True, False, FEED
        self._line, self._opened = 1, 1  # of the next byte, and of the last quote that opened

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._stream.close()

    def read(self, size: int = -1) -> bytes:
        data = bytes(self._stream.read(BLOCK if size < 0 else size))
        if self._start and data.startswith(UTF16):
            raise InvalidTable(self._file, "is UTF-16; save it as UTF-8")
        self._check_text(data)
        self._check_quotes(data)
        self._line += _lines(data)
        return data

    def _check_text(self, data: bytes) -> None:
        try:
            self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as problem:
            line = self._line + _lines(data[: problem.start])
            raise InvalidTable(self._file, f"line {line}: is not UTF-8 text; save the file as UTF-8") from None

    def _check_quotes(self, data: bytes) -> None:
        if not data:  # the end
            if self._inside:
                raise InvalidTable(self._file, f"line {self._opened}: a quoted cell begins that never ends; close it")
            return
        skipped = len(codecs.BOM_UTF8) if self._start and data.startswith(codecs.BOM_UTF8) else 0
        self._start = False
        if QUOTE in data or self._last == QUOTE:
            self._each_quote(np.frombuffer(data, np.uint8)[skipped:], data, skipped)
        self._last = data[-1]

    def _each_quote(self, block: np.ndarray, data: bytes, skipped: int) -> None:
        if not len(block):
            return
        quotes = np.flatnonzero(block == QUOTE)
        opens = (np.arange(len(quotes)) % 2 == 0) != self._inside
        before = np.concatenate(([self._last], block[:-1]))
        after_closing = np.zeros(len(block), dtype=bool)
        after_closing[quotes[~opens][quotes[~opens] + 1 < len(block)] + 1] = True
        after_closing[0] |= self._last == QUOTE and not self._inside
        wrong = after_closing & ~np.isin(block, self._before)
        wrong[quotes[opens]] |= ~np.isin(before[quotes[opens]], self._before)
        if wrong.any():
            place = int(np.argmax(wrong)) + skipped
            raise InvalidTable(
                self._file,
                f"line {self._line + _lines(data[:place])}: a quote in the middle of a cell; quote the whole cell, and "
                "write the quotes in it twice",
            )
        if len(quotes):
            self._inside = bool(opens[-1])
            if self._inside:
                self._opened = self._line + _lines(data[: skipped + int(quotes[-1])])


def _lines(data: bytes) -> int:
    """How many lines end in these bytes; by carriage returns in a file that has no line feeds."""
    return data.count(b"\n") or data.count(b"\r")


class Delimited:
    """A CSV or TSV, with its first row as header; .gz is decompressed."""

    first_row = HEADER + 1

    def __init__(self, path: Path, delimiter: str) -> None:
        self.file, self._path, self._delimiter = path.name, path, delimiter
        reader, _ = self._open(None)
        self.names = tuple(reader.schema.names)
        reader.close()

    def batches(self, names: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """The records with these columns as text. rows: not used; a block decides."""
        reader, wrong = self._open(names)
        row = self.first_row
        while True:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
            except pa.ArrowInvalid as problem:
                raise self._refused(problem, wrong) from None
            self._refuse_blank(batch, row)
            row += batch.num_rows
            if batch.num_rows:
                yield batch

    def _refuse_blank(self, batch: pa.RecordBatch, row: int) -> None:
        """A blank line is read as a row of empty cells."""
        blank = functools.reduce(compute.and_, (compute.equal(column, "") for column in batch.columns))
        if (place := compute.index(blank, True).as_py()) >= 0:
            raise InvalidTable(self.file, "is a blank line, or empty in every column that is read", row=row + place)

    def _open(self, names: Sequence[str] | None) -> tuple[csv.CSVStreamingReader, list[csv.InvalidRow]]:
        wrong: list[csv.InvalidRow] = []

        def remember(row: csv.InvalidRow) -> str:
            wrong.append(row)
            return "error"

        text = {} if names is None else {name: pa.string() for name in names}
        stream = StrictBytes(pa.input_stream(str(self._path), compression="detect"), self.file, self._delimiter)
        try:
            return csv.open_csv(
                pa.PythonFile(stream, mode="r"),
                read_options=csv.ReadOptions(use_threads=False, block_size=BLOCK),  # threads do not know the row
                parse_options=csv.ParseOptions(
                    delimiter=self._delimiter,
                    newlines_in_values=True,
                    ignore_empty_lines=False,
                    invalid_row_handler=remember,
                ),
                convert_options=csv.ConvertOptions(
                    column_types=text, include_columns=list(text), null_values=[], strings_can_be_null=False
                ),
            ), wrong
        except pa.ArrowInvalid as problem:
            raise self._refused(problem, wrong) from None

    def _refused(self, problem: pa.ArrowInvalid, wrong: list[csv.InvalidRow]) -> InvalidTable:
        if wrong:
            row = wrong[0]
            cells = f"{row.actual_columns} cell{'s' * (row.actual_columns > 1)}"
            return InvalidTable(
                self.file,
                f"has {cells} and the header {row.expected_columns}: {shown(row.text)}; repair it",
                row=row.number,
            )
        said = (str(problem).splitlines() or [""])[0]
        if "Empty CSV file" in said:
            return InvalidTable(self.file, "is empty; give a file with a header and records")
        if "straddling" in said:
            return InvalidTable(self.file, f"has a record of more than {BLOCK} bytes; split it")
        return InvalidTable(self.file, f"is not read as CSV: {said}")
