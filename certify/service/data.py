"""The data of a state: read, fingerprinted, and held against those that the model was learned from."""

from __future__ import annotations

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
        from learners.data import record_bytes, row_bytes

        for place in range(len(self.dataset)):
            if self.ids is not None:
                yield record_bytes(self.dataset, place)
            else:
                yield row_bytes(self.dataset.features[place], self.dataset.labels[place].item(), "")

    def rows(self, key: bytes) -> Rows:
        return Rows.of(key, self.contents(), self.ids)


def read_data(run: Run, where: str | Path | None) -> Data:
    """The records that a run learns from: a file, or the embedded set of as many records.

    Raises:
        UsageError: no such file, a row that does not fit, or no embedded set of that size.
    """
    known = load_learners()
    if where is None:
        samples = run.mechanism.samples
        if samples not in EMBEDDED:
            sizes = ", ".join(f"{size} ({name})" for size, name in EMBEDDED.items())
            raise UsageError(f"--data: is missing; the embedded sets have {sizes} records, the run file says {samples}")
        dataset, _ = known.embedded(EMBEDDED[samples])
        return Data(dataset, None, {"embedded": EMBEDDED[samples]})
    path = Path(where).absolute()
    records = read_records(run, path)
    with refusals():
        return Data(records.dataset(), records.ids, {"path": str(path)}, first_row=records.first_row)


def read_records(run: Run, path: Path, *, partial: bool = False) -> Records:
    """The records of a file by the columns of the run's [data]; `partial`: target and id may be missing.

    Raises:
        UsageError: the run file names no columns, the file is not there, or a row does not fit them.
    """
    load_learners()
    from learners.data import read_records as read

    if run.columns is None:
        raise UsageError(f"--data {path}: the run file has no [data], which says what its columns are (docs/data.md)")
    loss = run.canonical["loss"]
    bound = loss.get("target_bound")
    try:
        with refusals():
            return read(
                path,
                run.columns,
                feature_norm=loss.get("feature_norm", "1"),
                target_bound=None if bound is None else Fraction(bound),
                partial=partial,
            )
    except OSError as problem:
        raise UsageError(f"--data {path}: {problem.strerror or problem}") from None


def data_of(state: State, key: bytes, where: str | Path | None, asked: Sequence[int] = ()) -> Data:
    """The records that a state was learned from, erased ones absent, each in its place.

    Args:
        where: the file, if it is not where it was last.
        asked: places that are about to be erased; they may be gone from the file already.

    Raises:
        UsageError: a row that has changed; it is named.
    """
    source = state.data
    data = read_data(state.run, where if where is not None else source.get("path"))
    rows = state.rows()
    erased = tuple(sorted(rows.erased))
    rows = rows.erase(asked, state.requests + 1)
    places = rows.match(key, data.contents(), data.ids, first_row=data.first_row)
    dataset = data.dataset
    if len(places) < len(rows):
        dataset = dataset.placed(places, len(rows))
    return replace(data, dataset=dataset.replaced(erased) if erased else dataset, places=places)
