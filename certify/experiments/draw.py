"""The picture of an experiment. Needs matplotlib (the extra `report`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from certify.experiments.outcome import Outcome
from certify.pictures.draw import _pyplot, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours can be told apart by everybody; line styles tell ours from others' in grey.
_COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_OTHERS = {
    "plumbline": ("#D55E00", "-"),
    "chien2024": ("#E69F00", "--"),
    "chien2024_finite_T": ("#CC79A7", "-."),
    "plumbline_full_batch": ("#0072B2", "-"),
    "langevin_unlearning": ("#56B4E9", "--"),
    "descent_to_delete": ("#009E73", ":"),
    "chien2024_sequential": ("#CC79A7", "-."),
    "chien2024_sequential_code": ("#E69F00", "--"),
    "learn_anew": ("#0072B2", ":"),
    "optimum": ("#000000", (0, (6, 4))),
}
PERCENT = "test accuracy (%)"
Points = Sequence[tuple[float, Mapping[str, Any]]]


def draw(outcome: Outcome, path: str | Path) -> Path:
    """Write the picture to `path` (png, svg or pdf): means, with their intervals as bars.

    Raises:
        UsageError: matplotlib is missing.
    """
    return save_figure(figure_of(outcome), path)


def figure_of(outcome: Outcome) -> Figure:
    """The figure, which whoever asks for it closes."""
    return _FIGURES[outcome.name](outcome)


def _errorbar(axes: Axes, points: Points, **how: Any) -> None:
    """(x, accuracy) with the interval of the mean."""
    if not points:
        return
    x = [place for place, _ in points]
    mean, low, high = ([100 * a[key] for _, a in points] for key in ("mean", "low", "high"))
    bars = [[m - edge for m, edge in zip(mean, low, strict=True)], [e - m for m, e in zip(mean, high, strict=True)]]
    axes.errorbar(x, mean, bars, marker="o", ms=4, lw=1.6, capsize=2.5, elinewidth=0.9, **how)


def _frame(axes: Axes, title: str, **labels: str) -> None:
    axes.set(**labels)
    axes.set_title(title, loc="left", fontsize=11)
    axes.grid(True, which="major", lw=0.3, alpha=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8.5, loc="upper left", bbox_to_anchor=(1, 1))


def _subject(outcome: Outcome) -> str:
    about = outcome.setting
    return f"{about['data']}: n = {about['samples']}, T = {about['epochs']}, {outcome.seeds} seeds"


def _by(rows: Sequence[Mapping[str, Any]], *keys: str) -> dict[tuple[Any, ...], list[Mapping[str, Any]]]:
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def _accuracy(outcome: Outcome) -> Figure:
    figure, axes = _pyplot().subplots(figsize=(9.6, 4.8), constrained_layout=True)
    for (method,), rows in _by(outcome.rows, "method").items():
        colour, style = _OTHERS[method]
        if method == "optimum":
            if rows[0]["accuracy"]:
                axes.axhline(100 * rows[0]["accuracy"]["mean"], color=colour, ls=style, lw=1.2, label=rows[0]["label"])
            continue
        points = [(float(row["epsilon"]), row["accuracy"]) for row in rows if row["accuracy"]]
        _errorbar(axes, points, color=colour, ls=style, label=rows[0]["label"])
    axes.set_xscale("log")
    _frame(axes, f"One record erased, K = 1 — {_subject(outcome)}", xlabel="ε at δ = 1/n", ylabel=PERCENT)
    _legend(axes)
    return figure


def _sequential(outcome: Outcome) -> Figure:
    figure, (left, right) = _pyplot().subplots(1, 2, figsize=(12.5, 4.6), constrained_layout=True)
    for row in outcome.rows:
        colour, style = _OTHERS[row["method"]]
        if row["accumulated"]:
            total = row["accumulated"]
            left.plot(range(1, len(total) + 1), total, color=colour, ls=style, lw=2, label=row["label"])
        points = [(a["requests"], a) for a in row["accuracy"]]
        _errorbar(right, points, color=colour, ls=style, label=row["label"])
    left.set_yscale("log")
    _frame(left, _subject(outcome), xlabel="requests", ylabel="accumulated epochs")
    about = outcome.setting
    right_title = f"ε = {about['epsilon']} for each model, σ = {float(about['noise_std']):.3g}"
    _frame(right, right_title, xlabel="requests", ylabel=PERCENT)
    _legend(right)
    return figure


def _tradeoff(outcome: Outcome) -> Figure:
    figure, (left, right) = _pyplot().subplots(1, 2, figsize=(12.5, 4.6), constrained_layout=True)
    sizes = sorted({row["batch_size"] for row in outcome.rows})
    for (size, method), rows in _by(outcome.rows, "batch_size", "method").items():
        colour = _COLOURS[sizes.index(size) % len(_COLOURS)]
        style = "-" if method == "plumbline" else "--"
        label = f"b = {size}, {'ours' if method == 'plumbline' else 'published'}"
        noisy = [(row["gradient_evaluations"], float(row["noise_std"])) for row in rows if row["noise_std"]]
        if noisy:
            left.plot(*zip(*noisy, strict=True), color=colour, ls=style, marker="o", ms=4, lw=1.6, label=label)
        points = [(row["gradient_evaluations"], row["accuracy"]) for row in rows if row["accuracy"]]
        _errorbar(right, points, color=colour, ls=style, label=label)
    costs = sorted({row["gradient_evaluations"] for row in outcome.rows})
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xticks(costs, [f"{cost:,}".replace(",", " ") for cost in costs], rotation=45 if len(costs) > 4 else 0)
        axes.set_xticks([], minor=True)
    left.set_yscale("log")
    cost = "per-record gradients of one request"
    _frame(left, _subject(outcome), xlabel=cost, ylabel=f"least σ for ε = {outcome.setting['epsilon']}")
    _frame(right, "one record erased", xlabel=cost, ylabel=PERCENT)
    _legend(right)
    return figure


def _scaling(outcome: Outcome) -> Figure:
    figure, axes = _pyplot().subplots(figsize=(9.6, 4.8), constrained_layout=True)
    groups = _by(outcome.rows, "label")
    kinds = list(dict.fromkeys(row["scaling"]["kind"] for row in outcome.rows))
    seen: dict[str, int] = dict.fromkeys(kinds, 0)
    for place, ((label,), rows) in enumerate(groups.items()):
        kind = rows[0]["scaling"]["kind"]
        style = ("-", "--", ":")[seen[kind] % 3]
        seen[kind] += 1
        # Side by side, or the bars of one ε would cover each other.
        shift = 1.06 ** (place - len(groups) / 2)
        points = [(float(row["epsilon"]) * shift, row["accuracy"]) for row in rows if row["accuracy"]]
        _errorbar(axes, points, color=_COLOURS[kinds.index(kind)], ls=style, label=label)
    axes.set_xscale("log")
    epsilons = list(dict.fromkeys(row["epsilon"] for row in outcome.rows))
    axes.set_xticks([float(epsilon) for epsilon in epsilons], epsilons)
    axes.set_xticks([], minor=True)
    title = f"Scaling maps at equal ε, K = 1 — {_subject(outcome)}"
    _frame(axes, title, xlabel="ε at δ = 1/n (points moved apart)", ylabel=PERCENT)
    _legend(axes)
    return figure


_MAPS = {"clip": ("#D55E00", "-"), "auto-s": ("#0072B2", "--"), "psac": ("#009E73", "-."), "psasc": ("#CC79A7", ":")}


def _training(outcome: Outcome) -> Figure:
    """A row for each network and ε: accuracies with each momentum, and without one over the numbers of the maps."""
    groups = [
        (n, e) for n in outcome.setting["networks"] for e in dict.fromkeys(r["epsilon"] for r in outcome.rows) if e
    ]
    size = (12.5, 4.2 * len(groups))
    figure, panels = _pyplot().subplots(len(groups), 2, figsize=size, constrained_layout=True, squeeze=False)
    for (left, right), (network, epsilon) in zip(panels, groups, strict=True):
        rows = [row for row in outcome.rows if row["network"] == network and row["epsilon"] == epsilon]
        _momenta(left, [row for row in rows if row["measured_on"] == "test"])
        for row in outcome.rows:
            if (
                row["network"] == network
                and row["epsilon"] is None
                and row["measured_on"] == "test"
                and row["accuracy"]
            ):
                left.axhline(100 * row["accuracy"]["mean"], color="#000000", ls=(0, (6, 4)), lw=1.2, label=row["label"])
        _frame(left, f"{network}, ε = {epsilon} — {_subject(outcome)}", xlabel="momentum", ylabel=PERCENT)
        _legend(left)
        _settings(right, [row for row in rows if row["measured_on"] == "validation" and row["momentum"] == "none"])
        title = f"{network}, ε = {epsilon}, no momentum, best of the steps"
        _frame(right, title, xlabel="clip: C; AUTO-S, DP-PSAC: r; DP-PSASC: s", ylabel="validation accuracy (%)")
        _legend(right)
    return figure


def _momenta(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    places = {momentum: i for i, momentum in enumerate(dict.fromkeys(row["momentum"] for row in rows))}
    for i, ((kind,), own) in enumerate(_by(rows, "map").items()):
        # Side by side, or the bars of one momentum would cover each other.
        points = [(places[row["momentum"]] + 0.12 * (i - 1.5), row["accuracy"]) for row in own if row["accuracy"]]
        _errorbar(axes, points, color=_MAPS[kind][0], ls="none", label=own[0]["label"])
    axes.set_xticks(list(places.values()), list(places))


def _settings(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    number = {"clip": "max_grad_norm", "auto-s": "r", "psac": "r", "psasc": "s"}
    lines: dict[tuple[str, str], dict[float, Mapping[str, Any]]] = {}
    for row in (row for row in rows if row["accuracy"]):
        kind, scaling, accuracy = row["map"], row["scaling"], row["accuracy"]
        line = lines.setdefault((kind, f"{kind}, r = {scaling['r']}" if kind == "psasc" else kind), {})
        place = float(scaling[number[kind]])
        if place not in line or accuracy["mean"] > line[place]["mean"]:
            line[place] = accuracy
    seen: dict[str, int] = {}
    for (kind, name), line in lines.items():
        seen[kind] = seen.get(kind, 0) + 1
        _errorbar(
            axes, sorted(line.items()), color=_MAPS[kind][0], ls=_MAPS[kind][1], alpha=1 / seen[kind] ** 0.7, label=name
        )
    axes.set_xscale("log")


_FIGURES: dict[str, Callable[[Outcome], Figure]] = {
    "accuracy": _accuracy,
    "sequential": _sequential,
    "tradeoff": _tradeoff,
    "scaling": _scaling,
    "training": _training,
}
