"""What the commands print for people: plain lines on stdout, in colour where the terminal has it."""

from __future__ import annotations

from collections.abc import Sequence

from certify.calibration import Calibration
from certify.claims import Verdict
from certify.comparison import Comparison
from certify.result import Result

MEANING = {
    Verdict.CERTIFIED: "the bound is proved to meet the target",
    Verdict.NOT_CERTIFIED: "the bound provably exceeds the target",
    Verdict.INDETERMINATE: "the bound is too close to the target to decide",
}
MOST_REQUESTS = 12


def result_text(result: Result) -> str:
    """Verdict, guarantee, native parameters, assumptions."""
    target, mechanism = result.epsilon["target"], result.run.mechanism
    meaning = MEANING[result.verdict]
    if result.out_of_reach:
        meaning = "not certifiable from these constants: already the lower bound exceeds the target"
    lines = [f"{result.verdict}: {meaning}", ""]
    lines += _table(
        [
            ("guarantee", f"({result.epsilon['upper']}, {result.delta})-DP, {_subject(result)}"),
            ("target", f"ε ≤ {target}"),
            ("ε", _interval(result.epsilon)),
            ("μ (Gaussian DP)", _interval(result.mu)),
            ("W∞ after learning", f"≤ {result.wasserstein['learned']}"),
            ("W∞ at release", f"≤ {result.wasserstein['released']}"),
            ("Rényi", ", ".join(f"D_{p['order']} ≤ {_brief(p['upper'])}" for p in result.renyi[1:4])),
            *_published(result),
        ]
    )
    if len(result.requests) > 1:
        lines += ["", "requests (size, unlearning epochs, ε)"]
        shown = result.requests[:MOST_REQUESTS]
        lines += [f"  {i + 1:>4}  {r['size']:>6}  {r['epochs']:>6}  {r['epsilon']}" for i, r in enumerate(shown)]
        if len(shown) < len(result.requests):
            lines.append(f"   … {len(result.requests) - len(shown)} more; --format json shows all")
    lines += ["", "assumes"]
    lines += [f"  {a['status']:<9} {a['id']}: {a['text']}" for a in result.assumptions]
    lines += ["", f"theorems  {', '.join(result.theorems)}", f"run       sha256:{result.digest}"]
    if result.verdict is not Verdict.CERTIFIED:
        lines += ["", _hint(result)]
    return "\n".join(lines)


def _subject(result: Result) -> str:
    mechanism = result.run.mechanism
    if any(mechanism.unlearning_epochs):
        return "unlearning against retraining, " + mechanism.neighbours
    return "learning, " + mechanism.neighbours


def _interval(bound) -> str:
    return f"≤ {bound['upper']}" + ("" if bound["lower"] is None else f", and no bound below {bound['lower']} holds")


def _brief(number: str) -> str:
    return f"{float(number):.6g}"


def _published(result: Result) -> list[tuple[str, str]]:
    value = result.published["chien2024"]["epsilon"]
    return [] if value is None else [("published bound", f"ε ≤ {value} (Chien et al. 2024)")]


def _hint(result: Result) -> str:
    if result.out_of_reach:
        return "next: more noise, more unlearning epochs or larger batches; `plumbline calibrate` finds the noise"
    return "next: `plumbline calibrate RUN.toml --tune noise_std` finds the least noise that is certified"


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {value}" for name, value in rows]


def calibration_text(calibration: Calibration) -> str:
    """The value found, what it gives, and what the published bounds need."""
    result = calibration.result
    rows = [
        (calibration.parameter, calibration.value),
        ("ε", _interval(result.epsilon)),
        ("target", f"ε ≤ {result.epsilon['target']} at δ = {result.delta}"),
    ]
    names = {"chien2024": "Chien et al. 2024", "chien2024_finite_T": "Chien et al. 2024, finite T"}
    for name, value in calibration.published.items():
        ratio = "" if value is None else f" ({float(value) / float(calibration.value):.4g} times as much)"
        rows.append((names[name], "says nothing here" if value is None else f"needs {value}{ratio}"))
    return "\n".join([f"{result.verdict}: {MEANING[result.verdict]}", "", *_table(rows)])


def comparison_text(comparison: Comparison) -> str:
    """One line for each bound: its ε here, and the noise that it needs for the target."""
    result = comparison.result
    target = result.epsilon["target"]
    head = ("bound", "ε at this σ", f"σ for ε = {target}", "times ours")
    rows = [head]
    for row in comparison.rows:
        ratio = comparison.ratio(row)
        rows.append(
            (
                row.label,
                "–" if row.epsilon is None else row.epsilon,
                "–" if row.noise_std is None else f"{row.noise_std:.9g}",
                "–" if ratio is None else f"{ratio:.4g}",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("─" * width for width in widths))
    note = "ε rounded outward; σ in floats (calibrate certifies one)."
    return "\n".join([f"δ = {result.delta}, worst request and batch position", "", *lines, "", note])
