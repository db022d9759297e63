"""What `training` saw, as tables and sentences, from its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from certify.experiments.images import ImageProblem
from certify.experiments.intervals import Measured
from certify.experiments.outcome import Table
from certify.experiments.scales import Scale

PLAIN = "plain"
NAMES = {
    "clip": "clip (DP-SGD)",
    "auto-s": "AUTO-S",
    "psac": "DP-PSAC",
    "psasc": "DP-PSASC (our reading)",
    PLAIN: PLAIN,
}
READINGS = (
    "DP-PSASC's formula, w = C/(s·x + r/(x + r)), and where its momentum goes (inner: each record's own gradients at "
    "the last 3 released iterates, β = 0.9; outer: 0.9 on the noisy sums), are our readings of arXiv 2411.03059"
)
Rows = Sequence[Mapping[str, Any]]


def notes(problem: ImageProblem, scale: Scale, rows: Rows, comparisons: Rows) -> tuple[str, ...]:
    """What a reader should know, and what was seen."""
    return (
        _noise(rows),
        READINGS,
        "a step is η·Δ, so that the noise in one move is the same for every map; with outer momentum η is multiplied "
        "by 1 − β. C = 1 for the smooth maps: it scales weights and noise alike, and would only change η",
        f"settings and steps are chosen by {problem.validated} validation records over {scale.tuning_seeds} seeds of "
        "their own: from as many settings of each map, without momentum, then a step for each momentum; that choice "
        "looks at data, and no ε here counts it",
        *_facts(problem, comparisons),
        *dict.fromkeys(f"{row['network']}, {row['label']}: {row['problem']}" for row in rows if row["problem"]),
    )


def _noise(rows: Rows) -> str:
    values: dict[str, set[str]] = {}
    for row in rows:
        if row["certified"]:
            values.setdefault(row["epsilon"], set()).add(row["noise_multiplier"])
    listed = "; ".join(f"ε = {epsilon}: {', '.join(sorted(found))}" for epsilon, found in values.items())
    return (
        f"least noise multiplier, calibrated for every map and momentum by itself: {listed or 'none'}. A map changes Δ "
        "alone, and momentum nothing (T15), so that all of one ε agree"
    )


def _facts(problem: ImageProblem, comparisons: Rows) -> list[str]:
    beside_clip = [c for c in comparisons if c["map"] != c["beside"]["map"]]
    momenta = [c for c in comparisons if c["map"] == c["beside"]["map"]]
    if not beside_clip:
        return ["nothing to compare"]
    return [
        f"beside clipping at its best setting the smooth maps differ by {_counted(beside_clip)}. The literature "
        "reports gains of a few tenths of a per cent over tuned clipping",
        f"beside none, momentum makes a difference of {_counted(momenta)}; inner momentum takes three gradients of "
        "each record instead of one",
        f"one test record is {100 / problem.tested:.2g} points. The intervals are about other starts, batches and "
        "noises on these records, one at a time: about one in twenty lies off 0 by chance. They say nothing about "
        "other records",
    ]


def _counted(comparisons: Rows) -> str:
    means = [100 * c["difference"]["mean"] for c in comparisons]
    above = sum(c["difference"]["low"] > 0 for c in comparisons)
    below = sum(c["difference"]["high"] < 0 for c in comparisons)
    return (
        f"{min(means):+.1f} to {max(means):+.1f} points: of {len(means)} intervals {above} lie above 0 and "
        f"{below} below"
    )


def tables(rows: Rows, comparisons: Rows) -> tuple[Table, ...]:
    """For each network and ε: test accuracies, their differences, and what the settings do."""
    result = []
    for network, epsilon in dict.fromkeys((row["network"], row["epsilon"]) for row in rows if row["epsilon"]):
        own = [row for row in rows if row["network"] == network and row["epsilon"] in (epsilon, None)]
        differences = [c for c in comparisons if (c["network"], c["epsilon"]) == (network, epsilon)]
        where = f"{network}, ε = {epsilon}"
        result += [_final(where, own), *_differences(where, differences), _settings(where, own)]
    return tuple(result)


def _final(where: str, rows: Rows) -> Table:
    final = [row for row in rows if row["measured_on"] == "test"]
    momenta = list(dict.fromkeys(row["momentum"] for row in final))
    cells = []
    for kind in dict.fromkeys(row["map"] for row in final):
        of_map = {row["momentum"]: row for row in final if row["map"] == kind}
        cells.append((NAMES[kind], _setting(of_map["none"]), *(_percent(of_map.get(m), step=True) for m in momenta)))
    head = ("map", "setting", *(f"momentum: {m}" for m in momenta))
    return Table(f"{where}: test accuracy (%) at the chosen setting; in brackets the chosen step", (head, *cells))


def _setting(row: Mapping[str, Any]) -> str:
    return row["label"] if row["map"] == PLAIN else row["label"].partition(", ")[2]


def _differences(where: str, comparisons: Rows) -> tuple[Table, Table]:
    """Each map less clipping with the same momentum; each momentum less none with the same map."""
    momenta = list(dict.fromkeys(c["momentum"] for c in comparisons))
    kinds = [kind for kind in NAMES if any(c["map"] == kind for c in comparisons)]

    def table(title: str, *, other_map: bool) -> Table:
        by = {(c["map"], c["momentum"]): c for c in comparisons if (c["map"] != c["beside"]["map"]) == other_map}
        columns = [m for m in momenta if any(momentum == m for _, momentum in by)]
        lines = [k for k in kinds if any(kind == k for kind, _ in by)]
        cells = [(NAMES[k], *(_points(by.get((k, m))) for m in columns)) for k in lines]
        return Table(
            f"{where}: {title}, seed by seed (points)", (("map", *(f"momentum: {m}" for m in columns)), *cells)
        )

    return table("less clip with the same momentum", other_map=True), table("less no momentum", other_map=False)


def _settings(where: str, rows: Rows) -> Table:
    tuned = [r for r in rows if r["measured_on"] == "validation" and r["momentum"] == "none" and r["map"] != PLAIN]
    steps = list(dict.fromkeys(row["step"] for row in tuned))
    cells = []
    for name in dict.fromkeys(row["label"] for row in tuned):
        by = {row["step"]: row for row in tuned if row["label"] == name}
        cells.append((name, *(_percent(by.get(step)) for step in steps)))
    head = ("setting", *(f"step {step}" for step in steps))
    return Table(f"{where}: validation accuracy (%), without momentum", (head, *cells))


def _percent(row: Mapping[str, Any] | None, *, step: bool = False) -> str:
    if row is None or row["accuracy"] is None:
        return "–"
    a = row["accuracy"]
    shown = Measured(tuple(a["values"]), a["mean"], a["low"], a["high"]).percent()
    return f"{shown} ({row['step']})" if step else shown


def _points(comparison: Mapping[str, Any] | None) -> str:
    if comparison is None:
        return "–"
    mean, low, high = (100 * comparison["difference"][key] for key in ("mean", "low", "high"))
    return f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"
