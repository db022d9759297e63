"""The proof: which theorems, with their statements, formulas and sources; and what it assumes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from accountant.core.facts import Direction
from accountant.core.kernel import THEOREMS
from certify.report.document import (
    Badge,
    Block,
    Callout,
    Equation,
    Facts,
    Inline,
    Line,
    Link,
    Paragraph,
    Section,
    Table,
    Text,
    line,
)
from certify.report.formulas import Formulary, below, formulary, mathematics
from certify.report.reading import Reading
from certify.report.sections.words import DASH, STATUS_TONE, code, flattened, foreign_text, marked, number, several
from certify.results.floor import ROUNDING

MAX_STEPS = 80  # of a longer proof, the steps below the claim on the worst request are shown


def proof(reading: Reading) -> Section:
    """Every theorem that the proof applies, and where."""
    steps = reading.predicate["proof"]["steps"]
    formulas = formulary(reading)
    blocks: list[Block] = [
        Paragraph(
            line(
                "The bound is derived step by step; each step applies one theorem to the run's exact numbers and to "
                "the conclusions of earlier steps. The formulas are the theorems themselves, run on symbols for this "
                "proof; equal numbers in one role have one symbol."
            )
        )
    ]
    shown = _shown(reading, len(steps))
    if formulas.omitted:
        text = f"Formulas are those of the worst request, number {reading.worst + 1}; the others have the same ones."
        blocks.append(Paragraph(line(text), "muted"))
    if len(shown) < len(steps):
        text = f"The proof has {len(steps)} steps; those below the claim on the worst request are listed."
        blocks.append(Paragraph(line(text), "muted"))
    blocks.append(_steps(steps, shown))
    if formulas.values:
        blocks.append(_values(formulas))
    used = dict.fromkeys(steps[i]["theorem"] for i in range(len(steps)))
    return Section("proof", "Theorems", tuple(blocks), tuple(_theorem(id, steps, formulas) for id in used))


def _shown(reading: Reading, count: int) -> list[int]:
    return list(range(count)) if count <= MAX_STEPS else below(reading)


def _steps(steps: list[Mapping[str, Any]], shown: list[int]) -> Table:
    rows = tuple(
        (
            line(str(i + 1)),
            line(Link(f"{steps[i]['theorem']} {_name(steps[i]['theorem'])}", f"#{_anchor(steps[i]['theorem'])}")),
            line(", ".join(str(int(premise) + 1) for premise in dict.fromkeys(steps[i]["premises"])) or DASH),
            conclusion(steps[i], steps),
        )
        for i in shown
    )
    return Table("The steps of the proof", ("Step", "Theorem", "From steps", "Concludes"), rows)


def conclusion(step: Mapping[str, Any], steps: list[Mapping[str, Any]]) -> Line:
    """What a step concludes, in the certificate's strings."""
    sign = "≥" if _direction(step, steps) is Direction.BELOW else "≤"
    spelled = {
        "epsilon": ("ε", sign),
        "mu": ("μ", sign),
        "wasserstein": ("W∞", "≤"),
        "contraction": ("c", "="),
        "shift": ("s", "="),
        "smoothness": ("L", "="),
        "strong_convexity": ("m", "="),
        "gradient_bound": ("M", "="),
        "regularization": ("m", "="),
        "curvature": ("slope", "≤"),
        "sensitivity": ("Δ", "="),
        "steps": ("number of steps", "="),
    }
    parts: list[Inline | str] = []
    for key, value in step["concludes"].items():
        if key in spelled and value is not None:
            parts += [", " * bool(parts), f"{spelled[key][0]} {spelled[key][1]} ", number(value)]
        elif key == "renyi":
            parts += [", " * bool(parts), f"D_α at {several(len(value), 'order')}"]
    return line(*(part for part in parts if part != "")) or line(DASH)


def _direction(step: Mapping[str, Any], steps: list[Mapping[str, Any]]) -> Direction:
    own = THEOREMS[step["theorem"]].facts.direction
    return _direction(steps[int(step["premises"][0])], steps) if own is Direction.OF_PREMISE else own


def _values(formulas: Formulary) -> Table:
    rows = tuple(
        (line(v.symbol), line("by its formula" if v.number is None else number(v.number)), line(v.meaning))
        for v in formulas.values
    )
    return Table("The symbols of the formulas", ("Symbol", "Value", "Meaning"), rows)


def _theorem(id: str, steps: list[Mapping[str, Any]], formulas: Formulary) -> Section:
    theorem = THEOREMS[id]
    blocks: list[Block] = [Paragraph(marked(part)) for part in _paragraphs(theorem.statement)]
    for i, step in enumerate(steps):
        if step["theorem"] == id:
            label = f"step {i + 1}"
            blocks += [Equation(mathematics(formula), label) for formula in formulas.formulas.get(i, ())]
    if conditions := [text.replace("{name}", "constants") for text in theorem.conditions]:
        blocks.append(Paragraph(line(f"Side conditions: {'; '.join(conditions)}."), "muted"))
    blocks.append(Paragraph(line(f"Source: {theorem.source}."), "muted"))
    return Section(_anchor(id), f"{id} · {_name(id)}", tuple(blocks))


def _paragraphs(statement: str) -> list[str]:
    return [" ".join(part.split()) for part in statement.split("\n\n")]


def _name(id: str) -> str:
    words = THEOREMS[id].name.split("_")
    return " ".join(_PROPER.get(word, word) for word in words)


_PROPER = {"gaussian": "Gaussian", "poisson": "Poisson", "renyi": "Rényi", "wasserstein": "Wasserstein"}


def _anchor(id: str) -> str:
    return f"theorem-{id}"


# --- assumptions ------------------------------------------------------------------------------------------------------


def assumptions(reading: Reading, on: date) -> Section:
    """Every assumption, who answers for it, and what was said."""
    rows = tuple(
        (line(Text(text), " ", code(id)), line(Badge(status, STATUS_TONE[status])), evidence(reading, id, status))
        for id, status, text in reading.report.assumptions
    )
    blocks: list[Block] = [
        Paragraph(
            line(
                "“Proved” follows from the run's own description. “Attested” rests on somebody's word: if it is "
                "wrong, the guarantee does not hold. “Violated” is what the run does not have; no step rests on "
                "it, and where that is noise_above_rounding nothing is certified."
            )
        ),
        Table("What the guarantee rests on", ("Assumption", "Status", "Evidence"), rows),
    ]
    if attestations := tuple(attested(reading, on)):
        blocks.append(Callout("What was attested", attestations))
    return Section("assumptions", "Assumptions", tuple(blocks))


def evidence(reading: Reading, id: str, status: str) -> Line:
    """What backs one assumption."""
    if id == ROUNDING and status == "violated":
        return line("the rule does not hold: what is executed may be another mechanism")
    if status == "proved":
        return line("derived from the run's description; the checker derived it again")
    if status == "violated":
        return line("none is needed: no step of the proof rests on it")
    if status == "checked":
        return line("checked while the run was executed")
    answers = [answered(reading.answers[item]) for item in _ITEMS.get(id, ()) if item in reading.answers]
    if answers:
        return tuple(part for i, answer in enumerate(answers) for part in (*(line("; ") if i else ()), *answer))
    if id.startswith(("neighbours:", "reference:")):
        return line("a term of the claim, chosen in the run file")
    if reading.attest.get("text"):
        return line("the attestation below")
    return line(Text("nobody is named", "strong"))


_CLIPPING = ("per_record_clipping", "batch_clipping")
# Which question of the checklist is about which assumption.
_ITEMS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("convexity", "smoothness", "gradient_bound", "weight_decay", *_CLIPPING), ("constants",)),
    **dict.fromkeys(("feature_norm", "features", "target_bound", "counts", "classes", "domain"), ("data_bounds",)),
    **dict.fromkeys(("gaussian_noise", "noisy_sums"), ("randomness", "floating_point")),
    ROUNDING: ("floating_point",),
    **dict.fromkeys(("batches:fixed", "batches:secret", "batches:disjoint", "sampling"), ("sampling",)),
    "starts": ("start",),
    "projection": ("execution",),
    "other_releases": ("earlier_releases",),
}


def answered(answer: Mapping[str, Any]) -> Line:
    """An answer, and who answers for it."""
    parts: list[Inline | str] = [foreign_text(answer["text"])]
    for name, text in flattened({key: value for key, value in answer.items() if key != "text"}):
        parts += ["; ", foreign_text(name), " ", code(text) if name == "evidence" else foreign_text(text)]
    return line(*parts)


def attested(reading: Reading, on: date) -> Iterator[Block]:
    """What [attest] says, but for the answers that stand beside their questions in the checklist."""
    from certify.report.hazards import answers

    questions = {answer.question.id for answer in answers(reading, on) if answer.question.attestable}
    keys = sorted(reading.attest, key=lambda key: (key != "text", key))
    rows = flattened({key: reading.attest[key] for key in keys if key != "answers"})
    given = reading.attest.get("answers")
    shown = {item for item in reading.answers if item in questions}
    left = {k: v for k, v in given.items() if k not in shown} if isinstance(given, Mapping) else given
    rows += flattened(left, "answers")
    if rows:
        yield Facts(tuple((foreign_text(name).text or DASH, line(foreign_text(text))) for name, text in rows))
    if shown:
        yield Paragraph(
            line("Answers to single questions stand beside them, in the ", Link("checklist", "#hazards"), ".")
        )
