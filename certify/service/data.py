"""The data of a state: read, fingerprinted, and held against those that the model was learned from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from certify.errors import UsageError
from certify.runfile.read import Run
from certify.service.driving import load_learners, refusals
from certify.service.folder import State
from certify.service.rows import Rows

if TYPE_CHECKING:
    from learners import Dataset
    from learners.data import Records

ROWS_AT_ONCE = 1 << 10
MAX_IN_MEMORY = 1 << 28  # bytes of encoded features; more of them stay in a file
EMBEDDED = {256: "digits-3-8", 448: "breast-cancer"}  # by the number of their training records


@dataclass(frozen=True)
class Data:
    """Records as a learner takes them.

    ids: of each row of the file; None where records are known by their number. places: of each row of the file, where
    it was when the model was learned; None before that. source: where they were read. first_row: the number of the
    first one, as a user counts in the file.
    """

    dataset: Dataset
    ids: tuple[str, ...] | None
    source: Mapping[str, Any]
    places: tuple[int, ...] | None = None
    first_row: int = 0

    def contents(self) -> Iterator[bytes]:
        """The canonical bytes of each row (docs/data.md); where records are known by their number, without it."""
        import torch

        from learners.data import row_bytes

        dataset = self.dataset
        for first in range(0, len(dataset), ROWS_AT_ONCE):  # read anew: a look at a large file would stay in memory
            places = range(first, min(first + ROWS_AT_ONCE, len(dataset)))
            rows, labels = dataset.rows(torch.tensor(places)), dataset.labels[first : places.stop].tolist()
            for place, row, label in zip(places, rows, labels, strict=True):
                yield row_bytes(row, label, "" if self.ids is None else dataset.ids[place])

    def rows(self, key: bytes) -> Rows:
        return Rows.of(key, self.contents(), self.ids)


def read_data(run: Run, where: str | Path | None, folder: Path) -> Data:
    """The records that a run learns from: a file, or the embedded set of as many records. Large ones stay in a file
    without a name in `folder`, or in TMPDIR, and are gone with this process.

    Raises:
        UsageError: no such file, a row that does not fit, or no embedded set of that size.
    """
    check_source(run, where)
    if where is None:
        name = EMBEDDED[run.mechanism.samples]
        dataset, _ = load_learners().embedded(name)
        return Data(dataset, None, {"embedded": name})
    path = Path(where).absolute()
    records = read_records(run, path, folder)
    with refusals():
        return Data(records.dataset(), records.ids, {"path": str(path)}, first_row=records.first_row)


def check_source(run: Run, where: str | Path | None) -> None:
    """What can be said of the data before they, and the learners, are loaded. Raises UsageError as `read_data`."""
    if where is None:
        samples = run.mechanism.samples
        if samples not in EMBEDDED:
            sizes = ", ".join(f"{size} ({name})" for size, name in EMBEDDED.items())
            raise UsageError(f"--data: is missing; the embedded sets have {sizes} records, the run file says {samples}")
        return
    if run.columns is None:
        raise UsageError(f"--data {where}: the run file has no [data], which says what its columns are (docs/data.md)")
    try:
        Path(where).stat()
    except OSError as problem:
        raise UsageError(f"--data {where}: {problem.strerror or problem}") from None


def read_records(run: Run, path: Path, folder: Path, *, partial: bool = False) -> Records:
    """The records of a file by the columns of the run's [data]; `partial`: target and id may be missing. folder: see
    `read_data`.

    Raises:
        UsageError: the run file names no columns, the file is not there, or a row does not fit them.
    """
    check_source(run, path)
    columns = run.columns
    assert columns is not None  # or it would have been refused
    load_learners()
    from learners.data import Scratch
    from learners.data import read_records as read

    loss = run.canonical.get("loss", {})  # a training run has none
    bound = loss.get("target_bound")
    scratch = _scratch_folder(folder)
    try:
        with refusals():
            return read(
                path,
                columns,
                feature_norm=loss.get("feature_norm", "1"),
                target_bound=None if bound is None else Fraction(bound),
                store=Scratch(scratch, MAX_IN_MEMORY),
                partial=partial,
            )
    except OSError as problem:
        if problem.filename == str(scratch):
            raise _no_room(problem) from None
        raise UsageError(f"--data {path}: {problem.strerror or problem}") from None


def _scratch_folder(folder: Path) -> Path:
    """TMPDIR, if that is set; else the folder of the state, or the nearest above it that is there."""
    if stated := os.environ.get("TMPDIR"):
        return Path(stated)
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def _no_room(problem: OSError) -> UsageError:
    return UsageError(
        f"{problem.filename}: {problem.strerror or problem}; the encoded features of large data are kept there while "
        "they are in use (8 bytes a number): set TMPDIR to a folder with more room"
    )


def data_of(state: State, key: bytes, where: str | Path | None, asked: Sequence[int] = ()) -> Data:
    """The records that a state was learned from, erased ones absent, each in its place.

    Args:
        where: the file, if it is not where it was last.
        asked: places that are about to be erased; they may be gone from the file already.

    Raises:
        UsageError: a row that has changed; it is named.
    """
    source = state.data
    data = read_data(state.run, where if where is not None else source.get("path"), state.folder)
    rows = state.rows()
    erased = tuple(sorted(rows.erased))
    rows = rows.erase(asked, state.requests + 1)
    places = rows.match(key, data.contents(), data.ids, first_row=data.first_row)
    dataset = data.dataset
    if len(places) < len(rows):
        try:
            dataset = dataset.placed(places, len(rows))
        except OSError as problem:
            raise _no_room(problem) from None
    return replace(data, dataset=dataset.replaced(erased) if erased else dataset, places=places)
