"""What the commands print for people: plain lines on stdout, in colour where the terminal has it."""

from __future__ import annotations

from collections.abc import Sequence

from accountant.exact import decimal
from certify.calibration import Calibration
from certify.claims import Verdict
from certify.comparison import Comparison
from certify.planning import Plan
from certify.result import Result

MEANING = {
    Verdict.CERTIFIED: "the bound is proved to meet the target",
    Verdict.NOT_CERTIFIED: "the bound provably exceeds the target",
    Verdict.INDETERMINATE: "the bound is too close to the target to decide",
}
MOST_REQUESTS = 12


def result_text(result: Result) -> str:
    """Verdict, guarantee, native parameters, assumptions."""
    target = result.epsilon["target"]
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
    value = calibration.value
    shown = f"{sum(value)} in all: {', '.join(map(str, value))}" if isinstance(value, list) else str(value)
    rows = [
        (calibration.parameter, shown),
        ("ε", _interval(result.epsilon)),
        ("target", f"ε ≤ {result.epsilon['target']} at δ = {result.delta}"),
    ]
    names = {
        "chien2024": "Chien et al. 2024",
        "chien2024_finite_T": "Chien et al. 2024, finite T",
        "chien2024_sequential": "Chien et al. 2024, one request after the other",
        "chien2024_sequential_code": "the same as in the authors' code",
    }
    for name, needed in calibration.published.items():
        rows.append((names[name], _needed(needed, value)))
    if calibration.note:
        rows.append(("note", calibration.note))
    return "\n".join([f"{result.verdict}: {MEANING[result.verdict]}", "", *_table(rows)])


def _needed(needed: str | list[int] | None, ours: str | int | list[int]) -> str:
    """What a published bound needs, and how much more that is."""
    if needed is None:
        return "says nothing here"
    if isinstance(needed, list):
        total = sum(ours) if isinstance(ours, list) else int(ours)
        ratio = f" ({sum(needed) / total:.4g} times as many)" if total else ""
        return f"needs {sum(needed)} in all{ratio}"
    return f"needs {needed} ({float(needed) / float(ours):.4g} times as much)"


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
    if not all(row.same_noise for row in comparison.rows):
        note += "\nDescent-to-delete's σ is noise added once, to the output: no multiple of ours."
    return "\n".join([f"δ = {result.delta}, worst request and batch position", "", *lines, "", note])


def plan_text(plan: Plan) -> str:
    """One line for each choice of unlearning epochs and batch size; the worthwhile ones marked."""
    head = ("", "epochs K", "batch b", "least noise_std", "gradients", "steps", "of retraining")
    rows = [head]
    for row in plan.rows:
        share = row.of_retraining
        rows.append(
            (
                "*" if row.pareto else "",
                str(row.unlearning_epochs),
                str(row.batch_size),
                "–" if row.noise_std is None else decimal(row.noise_std) + " †" * row.lost,
                str(row.gradients),
                str(row.steps),
                "–" if share is None else f"{float(share):.3g}",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "  ".join("─" * width for width in widths))
    shown = plan.as_json()["target"]
    notes = [
        "* no other row, † apart, has less noise for no more gradients, or fewer gradients for no more noise",
        "gradients, steps: of one erasure request; of retraining: K/T",
        *[_floor_note(plan)] * any(row.lost for row in plan.rows),
        *dict.fromkeys(f"– {row.problem}" for row in plan.rows if row.problem),
    ]
    title = f"the least noise that is certified for ε ≤ {shown['epsilon']} at δ = {shown['delta']}"
    return "\n".join([title, "", *lines, "", *notes])


def _floor_note(plan: Plan) -> str:
    floor = plan.as_json()["noise_floor"]
    return f"† below {floor} single precision rounds the noise away: not to be taken for exact Gaussian noise"
