"""`predict`: what a state's model says of records. That is a release: the ledger has a row of it first."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from certify.errors import UsageError
from certify.files import write_atomically
from certify.service.data import read_records
from certify.service.driving import load_learners, module_of, read_parameters, require_learners, sha256
from certify.service.folder import State, opened
from certify.service.releasing import Released, check_output, note_of, release

if TYPE_CHECKING:
    from learners import Prediction
    from learners.data import Records


@dataclass(frozen=True)
class Predicted:
    """What was written: `records` lines. metric: its name and value, where the file has the target; else None."""

    released: Released
    records: int
    metric: tuple[str, str] | None

    def as_json(self) -> dict[str, Any]:
        metric = None if self.metric is None else dict([self.metric])
        return self.released.as_json() | {"records": self.records, "metric": metric}

    def text(self) -> str:
        measured = "" if self.metric is None else f", {self.metric[0]} {self.metric[1]}"
        return f"{self.records} predictions{measured}"


def predict(
    folder: str | Path, data: str | Path, output: str | Path, *, ledger: str | None = None, force: bool = False
) -> Predicted:
    """Apply the model to the records of a file, and write a CSV: the id, or the number of the row where there is none;
    the prediction as the target's column would have it; the score, or one for each class.

    Args:
        data: has the columns of the run file's [data]; those of target and id may be missing. With the target, how
            good the predictions are is said as well.
        force: replace an output that is there.

    Raises:
        UsageError: a row that does not fit, or an output that is there or cannot be written.
        Mismatch: the state is a copy, or its ledger is another one.
    """
    require_learners()
    written = check_output(output, force=force)
    with opened(Path(folder), ledger=ledger) as change:
        state = change.state
        change.require_files()
        records = read_records(state.run, Path(data), state.folder, partial=True)
        found = _predictions(state, records)
        content = _as_csv(state, records, found)
        about = {"records": str(len(found.labels)), "output": sha256(content), "metric": records.labels is not None}
        release(change, "released", about)
    write_atomically(written, content)
    done = Released(state, written, "released", note_of(state))
    return Predicted(done, len(found.labels), _metric(state, records, found))


def _features(records: Records) -> Any:
    from learners.data import RowFile

    return records.features.tensor() if isinstance(records.features, RowFile) else records.features


def _predictions(state: State, records: Records) -> Prediction:
    known, parameters = load_learners(), read_parameters(state)
    try:
        if state.factory is None:
            return known.predict(parameters, state.run.mechanism, _features(records))
        return _of_module(state, parameters, _features(records))
    except (ValueError, RuntimeError) as problem:
        raise UsageError(f"--data: the model does not take these records: {problem}") from None


def _of_module(state: State, parameters: Any, features: Any) -> Prediction:
    """Of the module that was brought along: the sign of one output, the largest of several, or the output itself."""
    import torch

    from learners import Network, Prediction

    module = Network(module_of(state.factory)["model"]).loaded(parameters).eval()
    with torch.no_grad():
        scores = module(features).to(torch.float64).reshape(len(features), -1)
    columns = state.run.columns
    if scores.shape[1] > 1:
        return Prediction(scores, scores.argmax(dim=1).to(torch.float64))
    single = scores[:, 0]
    labels = torch.where(single > 0, 1.0, -1.0).to(torch.float64) if columns and columns.positive else single
    return Prediction(single, labels)


def _bound(state: State) -> Fraction | None:
    stated = state.run.canonical["loss"].get("target_bound")
    return None if stated is None else Fraction(stated)


def _as_csv(state: State, records: Records, found: Prediction) -> bytes:
    from learners.data import as_written

    columns = state.run.columns
    assert columns is not None  # or its records could not have been read
    names = [columns.id] if records.ids is not None and columns.id is not None else ["row"]
    ids: Sequence[Any] = records.ids or range(records.first_row, records.first_row + len(found.labels))
    scores = found.scores.reshape(len(found.labels), -1).tolist()
    several = len(scores[0]) > 1
    classes = columns.classes or tuple(map(str, range(len(scores[0]))))
    names += ["prediction", *([f"score of {name}" for name in classes] if several else ["score"])]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(names)
    labels = as_written(columns, found.labels, _bound(state))
    table.writerows([id, label, *map(repr, row)] for id, label, row in zip(ids, labels, scores, strict=True))
    return text.getvalue().encode()


def _metric(state: State, records: Records, found: Prediction) -> tuple[str, str] | None:
    """Accuracy where the target is a class, else the mean absolute error, in the target's own units."""
    from learners.data import as_written

    if records.labels is None:
        return None
    columns = state.run.columns
    if columns is not None and (columns.positive or columns.classes):
        return "accuracy", f"{(found.labels == records.labels).double().mean().item():.4f}"
    if columns is None:
        errors = (found.labels - records.labels).abs().tolist()
    else:
        written = (as_written(columns, labels, _bound(state)) for labels in (found.labels, records.labels))
        errors = [abs(float(predicted) - float(target)) for predicted, target in zip(*written, strict=True)]
    return "mean absolute error", f"{sum(errors) / len(errors):.6g}"
