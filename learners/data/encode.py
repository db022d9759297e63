"""From the columns of a file to features and labels, by public limits; every value that does not fit is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute

from learners.data import cells
from learners.data.columns import Columns, feature_names, largest_square
from learners.data.dataset import SHRINK
from learners.data.refused import InvalidTable, shown


class Encoder:
    """Encodes one file, batch by batch; a batch is encoded by its own rows alone."""

    def __init__(self, file: str, columns: Columns, feature_norm: Fraction, target_bound: Fraction | None) -> None:
        self.file, self.columns = file, columns
        self.feature_norm, self.target_bound = feature_norm, target_bound
        self.dimension = len(feature_names(columns))
        self._other: str | None = None  # the value beside `positive`, where the run file does not say which it is

    def refused(self, row: int, column: str, problem: str) -> InvalidTable:
        return InvalidTable(self.file, problem, row=row, column=column)

    def _refuse(self, row: int, column: str) -> cells.Refuse:
        """Refuses the value at a place of a batch that begins with `row`."""
        return lambda place, problem: self.refused(row + place, column, problem)

    # --- features -----------------------------------------------------------------------------------------------------

    def features(self, batch: pa.RecordBatch, row: int) -> np.ndarray:
        """(n, dimension) float64, every row within feature_norm. row: the number of the batch's first row."""
        columns, parts = self.columns, []
        for name in sorted(columns.numeric):
            values = cells.numbers(batch.column(name), columns.widths.get(name), self._refuse(row, name))
            parts.append(self._scaled(values, columns.numeric[name], name, row))
        parts += [self._one_hot(batch.column(name), name, row) for name in sorted(columns.categorical)]
        if columns.intercept:
            parts.append(np.ones((batch.num_rows, 1)))
        return self._normalised(np.concatenate(parts, axis=1))

    def _scaled(self, values: np.ndarray, limits: tuple[Fraction, Fraction], name: str, row: int) -> np.ndarray:
        """From the limits to [−1, 1]."""
        low, high = map(float, limits)
        outside = ((values < low) | (values > high)).any(axis=1)
        if outside.any() and self.columns.outside == "refuse":
            place = int(np.argmax(outside))
            bad = values[place][(values[place] < low) | (values[place] > high)][0]
            raise self.refused(
                row + place,
                name,
                f"{_shown(bad)} is outside the limits [{_shown(low)}, {_shown(high)}]; repair it, leave the record "
                'out, or widen the limits (or write outside = "clip")',
            )
        values = np.clip(values, low, high)
        return np.clip(((values - low) - (high - values)) / (high - low), -1.0, 1.0)  # the ends exactly

    def _one_hot(self, values: pa.Array, name: str, row: int) -> np.ndarray:
        known = self.columns.categorical[name]
        places = self._places(values, known, name, row, "category")
        encoded = np.zeros((len(places), len(known)))
        encoded[np.arange(len(places)), places] = 1.0
        return encoded

    def _places(self, values: pa.Array, known: Sequence[str], name: str, row: int, what: str) -> np.ndarray:
        """(n,) the place of each value among the known ones."""
        values = cells.texts(values, self._refuse(row, name))
        found = compute.index_in(values, value_set=pa.array(known, pa.string()))
        if found.null_count:
            place = int(np.argmax(compute.is_null(found).to_numpy(zero_copy_only=False)))
            raise self.refused(row + place, name, self._unknown(values[place].as_py(), known, what))
        return found.to_numpy(zero_copy_only=False)

    def _unknown(self, value: str, known: Sequence[str], what: str) -> str:
        if value == "":
            return "is empty; repair the cell, or leave the record out"
        listed = ", ".join(map(shown, known[:10])) + (", …" if len(known) > 10 else "")
        return f"{shown(value)} is an unknown {what}; the run file lists {listed}"

    def _normalised(self, features: np.ndarray) -> np.ndarray:
        """Rows brought to feature_norm. Squares are added up feature by feature, by operations that every machine
        rounds alike, so that a row's fingerprint is the same everywhere."""
        norm = float(self.feature_norm) * SHRINK
        match self.columns.normalise:
            case "limits":
                return features * (norm / math.sqrt(largest_square(self.columns)))
            case "row":
                squares = np.zeros(len(features))
                for feature in np.ascontiguousarray(features.T):
                    squares += feature * feature
                norms = np.sqrt(squares)
                return features * (norm / np.where(norms > 0, norms, 1.0))[:, None]
        return features

    # --- labels and ids -----------------------------------------------------------------------------------------------

    def labels(self, batch: pa.RecordBatch, row: int) -> np.ndarray:
        """(n,) float64: ±1, the number of a class, a scaled target, or a count."""
        columns, name = self.columns, self.columns.target
        values = batch.column(name)
        if columns.positive:
            return self._signs(values, name, row)
        if columns.classes:
            return self._places(values, columns.classes, name, row, "class").astype(np.float64)
        read = cells.numbers(values, None, self._refuse(row, name))
        if columns.target_limits is not None:
            bound = 1.0 if self.target_bound is None else float(self.target_bound) * SHRINK
            return self._scaled(read, columns.target_limits, name, row)[:, 0] * bound
        return self._counts(read[:, 0], name, row)

    def _signs(self, values: pa.Array, name: str, row: int) -> np.ndarray:
        columns = self.columns
        if columns.negative:
            places = self._places(values, (*columns.positive, *columns.negative), name, row, "label")
            return np.where(places < len(columns.positive), 1.0, -1.0)
        values = cells.texts(values, self._refuse(row, name))
        positive = compute.is_in(values, value_set=pa.array(columns.positive, pa.string()))
        signs = np.where(positive.to_numpy(zero_copy_only=False), 1.0, -1.0)
        others = values.filter(compute.invert(positive)).unique().to_pylist()
        for value in others:
            if value == "" or (self._other is not None and value != self._other):
                place = compute.index(values, value).as_py()
                problem = "is empty; repair the cell, or leave the record out"
                if value:
                    problem = (
                        f"{shown(value)} is a third label, beside {shown(columns.positive[0])} and {shown(self._other)}"
                        "; list those that count as -1 in negative = [...]"
                    )
                raise self.refused(row + place, name, problem)
            self._other = value
        return signs

    def _counts(self, values: np.ndarray, name: str, row: int) -> np.ndarray:
        wrong = (values < 0) | (values != np.floor(values))
        if wrong.any():
            place = int(np.argmax(wrong))
            raise self.refused(
                row + place, name, f"{values[place]:.17g} is not a count; write a whole number that is at least 0"
            )
        if self.target_bound is None:
            return values
        most = float(math.floor(self.target_bound))
        if (values > most).any() and self.columns.outside == "refuse":
            place = int(np.argmax(values > most))
            raise self.refused(
                row + place,
                name,
                f"{values[place]:.17g} is beyond loss.target_bound; repair it, or certify a larger bound",
            )
        return np.minimum(values, most)

    def ids(self, batch: pa.RecordBatch, row: int) -> list[str]:
        """The ids, exactly as the file has them."""
        name = self.columns.id
        assert name is not None
        return cells.texts(batch.column(name), self._refuse(row, name), ids=True).to_pylist()


def _shown(number: float) -> str:
    """The shortest decimal of a float64, so that a cell is named as its file has it."""
    return repr(float(number)).removesuffix(".0")
