"""What the commands print for people: plain lines on stdout, in colour where the terminal has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from fractions import Fraction

from accountant import ScaledSGD
from accountant.core.exact import Rounding, decimal, round_decimal
from accountant.mechanisms.neighbours import replaces
from accountant.mechanisms.sampling import WITHOUT_REPLACEMENT
from certify.report.ahead import as_text, warnings_ahead
from certify.results.calibrate import Calibration
from certify.results.claims import DIGITS, Verdict
from certify.results.compare import Comparison
from certify.results.compare_dpsgd import TrainingComparison
from certify.results.floor import is_violated, violation
from certify.results.plan import Plan
from certify.results.result import Result
from certify.runfile.read import Run

MEANING = {
    Verdict.CERTIFIED: "the bound is proved to meet the target",
    Verdict.NOT_CERTIFIED: "the bound provably exceeds the target",
    Verdict.INDETERMINATE: "the bound is too close to the target to decide",
}
BINDS = {
    "target": "target: less noise would miss ε",
    "floor": "floor: less noise would not be above the rounding of the numbers that it is added to",
}
MAX_REQUESTS = 12
_RATHER_POISSON = (  # docs/theory.md T17r: its pair is one of those that this sampling's pair dominates
    'advice: who needs replace-one should write sampling = "poisson": at the same rate and noise its ε is no larger, '
    "in practice far smaller (`plumbline compare` shows both), and add-or-remove-one has a bound too"
)
_DRAWN = {"independent": "each for itself", "together": "together"}


def result_text(result: Result) -> str:
    """Verdict, guarantee, native parameters, assumptions."""
    meaning = MEANING[result.verdict]
    if result.out_of_reach:
        meaning = "not certifiable from these constants: the lower bound itself exceeds the target"
    if is_violated(result.run):
        meaning = violation(result.run)
    lines = [f"{result.verdict}: {meaning}", "", *_table(list(_figures(result)))]
    if note := _of_the_service(result.run):
        lines += ["", f"note  {note}"]
    if result.fallback:
        lines += ["", *_fallback(result)]
    if len(result.requests) > 1:
        lines += ["", "requests (size, unlearning epochs, ε)"]
        shown = result.requests[:MAX_REQUESTS]
        lines += [f"  {i + 1:>4}  {r['size']:>6}  {r['epochs']:>6}  {r['epsilon']}" for i, r in enumerate(shown)]
        if len(shown) < len(result.requests):
            lines.append(f"   … {len(result.requests) - len(shown)} more; --format json shows all")
    lines += ["", "assumes"]
    lines += [f"  {a['status']:<9} {a['id']}: {a['text']}" for a in result.assumptions]
    if cautions := warnings_ahead(result, datetime.now(UTC).date()):
        lines += ["", "warnings (as its report prints them)"]
        lines += [f"  {caution.title}: {as_text(caution.line)}" for caution in cautions]
    lines += ["", f"theorems  {', '.join(result.theorems)}", f"run       sha256:{result.digest}"]
    if result.verdict is not Verdict.CERTIFIED:
        lines += ["", _hint(result)]
    if isinstance(result.run.mechanism, ScaledSGD) and result.run.mechanism.scheme is WITHOUT_REPLACEMENT:
        lines += ["", _RATHER_POISSON]
    return "\n".join(lines)


def _of_the_service(run: Run) -> str | None:
    """What this claim leaves out where the run file names how many records may be asked for."""
    limit = run.canonical.get("requests", {}).get("max_records")
    if limit is None or isinstance(run.mechanism, ScaledSGD) or sum(run.mechanism.requests) >= int(limit):
        return None
    return (
        f"about the requests in the run file alone; `plumbline learn` certifies what all max_records = {limit} cost "
        "together, which is more"
    )


def _figures(result: Result) -> Iterator[tuple[str, str]]:
    """Guarantee, target, and the native parameters that there are."""
    yield from result.run.meta.items()
    exactly = "" if result.rounding is None else ", in exact arithmetic"
    yield "guarantee", f"({result.epsilon['upper']}, {result.delta})-DP, {_subject(result)}{exactly}"
    yield "target", f"ε ≤ {result.epsilon['target']}"
    yield "ε", _interval(result.epsilon)
    if result.bracket is not None and not result.bracket["sharp"]:
        yield "bracket", _too_wide(result.bracket)
    if result.mu["upper"] is not None:
        yield "μ (Gaussian DP)", _interval(result.mu)
    if result.rounding is not None:
        yield "rounding", f"may add {result.rounding['charge']} to μ, on top of what is printed here"
    if result.wasserstein["learned"] is not None:
        yield "W∞ after learning", f"≤ {result.wasserstein['learned']}"
        yield "W∞ at release", f"≤ {result.wasserstein['released']}"
    if result.renyi:
        yield "Rényi", ", ".join(f"D_{p['order']} ≤ {_brief(p['upper'])}" for p in result.renyi[1:4])
    if result.sensitivity is not None:
        yield from _guarantees(result)
        yield from _training(result)
    if result.other_release is not None:
        yield f'if release = "{result.other_release["release"]}"', _other(result.other_release["epsilon"])
    yield from _published(result)


def _other(epsilon: str | None) -> str:
    return "no theorem covers this run" if epsilon is None else f"ε ≤ {epsilon}"


def _guarantees(result: Result) -> Iterator[tuple[str, str]]:
    """What is promised against either kind of inference: an ε for one is not an ε for the other."""
    for kind in result.guarantees:
        if kind["neighbours"] is None:
            yield kind["name"], _why_unknown(result.run.mechanism)
        else:
            yield kind["name"], f"ε {_interval(kind['epsilon'])} ({kind['neighbours']})"


def _why_unknown(mechanism: ScaledSGD) -> str:
    """Why one of the guarantees has no bound."""
    if mechanism.scheme is WITHOUT_REPLACEMENT:
        return "no bound is known for batches of a fixed size; Poisson sampling has both"
    if replaces(mechanism.neighbours) and any(mechanism.others):
        return "no bound is known: the other releases state their mu for replace-one alone"
    return "no bound: it is too large here" + ", or max_batch_size cuts too often" * bool(mechanism.max_batch_size)


def _training(result: Result) -> Iterator[tuple[str, str]]:
    """What the learner needs to know: Δ, and the noise on the sum."""
    mechanism, sensitivity = result.run.mechanism, result.sensitivity.preview
    norm = Fraction(sensitivity.norm)
    yield "sensitivity Δ", f"{'' if sensitivity.attained else 'below '}{_above(norm)} (one record more or less)"
    noises = dict.fromkeys(_above(stage.noise_multiplier * norm) for stage in mechanism.stages)
    yield "noise std of the sum", ", then ".join(noises)
    if not mechanism.scaling.monotone:
        yield "scaling", "non-monotone (r·s < 1): reported; the bound does not need it"


def _above(value: Fraction) -> str:
    """Twelve digits, rounded up where there are more: too much noise is safe."""
    return decimal(round_decimal(value, DIGITS, Rounding.UP))


def _subject(result: Result) -> str:
    mechanism = result.run.mechanism
    if isinstance(mechanism, ScaledSGD):
        steps = f"{mechanism.steps} noisy sum{'s' * (mechanism.steps > 1)}"
        subject = f"{steps} and every iterate, {mechanism.sampling} batches, {mechanism.neighbours}"
        if mechanism.group_size == 1:
            return subject
        return f"{subject}, groups of {mechanism.group_size} drawn {_DRAWN[mechanism.group_sampling]}"
    if any(mechanism.unlearning_epochs):
        return "unlearning against retraining, " + mechanism.neighbours
    return "learning, " + mechanism.neighbours


def _interval(bound) -> str:
    return f"≤ {bound['upper']}" + ("" if bound["lower"] is None else f", and no bound below {bound['lower']} holds")


def _too_wide(bracket) -> str:
    return (
        f"wider than it should be: {bracket['width']} of the upper end (of 0.001 where that is less), not "
        f"{bracket['asked']}; a finer grid, which takes more memory than is allowed, might give a smaller ε"
    )


def _brief(number: str) -> str:
    return f"{float(number):.6g}"


def _published(result: Result) -> list[tuple[str, str]]:
    names = {"chien2024": "Chien et al. 2024", "koloskova2025": "Koloskova et al. 2025"}
    epsilons = {name: result.published.get(name, {}).get("epsilon") for name in names}
    return [
        ("published bound", f"ε ≤ {value} ({names[name]})") for name, value in epsilons.items() if value is not None
    ]


def _fallback(result: Result) -> list[str]:
    """Which theorems stood in, why, and what it cost."""
    fallback = result.fallback
    lines = [f"fall-back  {', '.join(fallback['theorems'])}: {fallback['because']}"]
    convex, ours = fallback["convex_epsilon"], result.epsilon["upper"]
    if convex is not None:
        factor = f": a factor of {float(ours) / float(convex):.4g}" if float(convex) else ""
        lines.append(f"           were the loss convex, these constants would give ε ≤ {convex}{factor}")
    return lines


def _hint(result: Result) -> str:
    if isinstance(result.run.mechanism, ScaledSGD):
        return "next: `plumbline calibrate RUN.toml --tune noise_multiplier` finds the least noise that is certified"
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
        *([("binds", BINDS[calibration.binds])] if calibration.binds else []),
    ]
    names = {
        "chien2024": "Chien et al. 2024",
        "chien2024_finite_T": "Chien et al. 2024, finite T",
        "koloskova2025": "Koloskova et al. 2025",
        "chien2024_sequential": "Chien et al. 2024, one request after the other",
        "chien2024_sequential_code": "the same as in the authors' code",
    }
    for name, needed in () if result.sensitivity else calibration.published.items():
        rows.append((names[name], _needed(needed, value)))
    for note in filter(None, (calibration.note, _of_the_service(result.run))):
        rows.append(("note", note))
    return "\n".join([f"{result.verdict}: {MEANING[result.verdict]}", "", *_table(rows)])


def _needed(needed: str | list[int] | None, ours: str | int | list[int]) -> str:
    """What a published bound needs, and how much more that is."""
    if needed is None:
        return "does not apply here"
    if isinstance(needed, list):
        total = sum(ours) if isinstance(ours, list) else int(ours)
        ratio = f" ({sum(needed) / total:.4g} times as many)" if total else ""
        return f"needs {sum(needed)} in all{ratio}"
    return f"needs {needed} ({float(needed) / float(ours):.4g} times as much)"


def comparison_text(comparison: Comparison | TrainingComparison) -> str:
    """One line for each bound: its ε here, and the noise that it needs for the target."""
    if isinstance(comparison, TrainingComparison):
        return _training_comparison(comparison)
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
    lines = _columns(rows)
    note = "ε rounded outward; σ in floats (calibrate certifies one)."
    if not all(row.same_noise for row in comparison.rows):
        note += "\nDescent-to-delete's σ is noise added once, to the output: not comparable with ours."
    return "\n".join([f"δ = {result.delta}, worst request and batch position", "", *lines, "", note])


def _training_comparison(comparison: TrainingComparison) -> str:
    result = comparison.result
    head = ("bound", "ε at this z", f"z for ε = {result.epsilon['target']}", "times ours")
    lines = _columns([head, *comparison.table()])
    notes = ["ε rounded outward; z in doubles (calibrate certifies one)."]
    if len(result.run.mechanism.stages) > 1:
        notes.append("z is that of the first stage; the others' are taken in proportion.")
    return "\n".join([f"δ = {result.delta}, {_subject(result)}", "", *lines, "", *notes])


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """A table whose first row is its heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("─" * width for width in widths))
    return lines


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
