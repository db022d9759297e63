"""What an experiment found: every number as JSON, tables as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from certify.experiments.intervals import WORDS

SEEDED = "seeded and reproducible: these models are not private"


@dataclass(frozen=True)
class Table:
    """Text to be shown in columns: the first of `rows` is the heading."""

    title: str
    rows: tuple[tuple[str, ...], ...]

    def text(self) -> str:
        widths = [max(map(len, column)) for column in zip(*self.rows, strict=True)]
        lines = [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in self.rows
        ]
        lines.insert(1, "  ".join("─" * width for width in widths))
        return "\n".join([self.title, "", *lines])


@dataclass(frozen=True)
class Outcome:
    """subject: what is learned, in a line. rows: a mapping for each point, whose accuracies are {"mean", "low", "high",
    "values"}; comparisons: the same for differences, seed by seed; setting: what all rows share. notes: what a reader
    should know, in sentences."""

    name: str
    scale: str
    seeds: int
    subject: str
    setting: Mapping[str, Any]
    rows: tuple[Mapping[str, Any], ...]
    tables: tuple[Table, ...]
    notes: tuple[str, ...] = ()
    comparisons: tuple[Mapping[str, Any], ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """The one JSON object of `experiment --format json`, and of the file that it writes."""
        return {
            "experiment": self.name,
            "scale": self.scale,
            "seeds": self.seeds,
            "interval": WORDS,
            "models": SEEDED,
            "setting": dict(self.setting),
            "rows": [dict(row) for row in self.rows],
            "comparisons": [dict(row) for row in self.comparisons],
            "notes": list(self.notes),
        }

    def text(self) -> str:
        about = self.setting
        head = f"{self.name}: {about['data']}, {about['samples']} records, {about['tested']} to test, {self.subject}"
        how = f"{self.seeds} seeds ({self.scale} scale), {WORDS}; {SEEDED}"
        return "\n\n".join(["\n".join([head, how]), *(table.text() for table in self.tables), *_listed(self.notes)])


def _listed(notes: Sequence[str]) -> list[str]:
    return ["\n".join(f"* {note}" for note in notes)] if notes else []
