"""What the benchmarks share: a row of the table, and how times are shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """met: None where there is no aim."""

    what: str
    ours: str
    against: str
    ratio: str
    aim: str
    met: bool | None


def shown(duration: float) -> str:
    factor, unit = next(((f, u) for f, u in ((1, "s"), (1e3, "ms")) if duration * f >= 1), (1e6, "µs"))
    return f"{duration * factor:.3g} {unit}"
