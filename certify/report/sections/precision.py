"""What floating point adds to the claim: one paragraph and the numbers of docs/theory.md T28, or why there are none."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from certify.report.document import Badge, Block, Paragraph, facts, line
from certify.report.reading import Reading
from certify.report.sections.words import number, optional, strong

WHY = (
    "The claim speaks of exact numbers; a computer rounds in every step. Here the error of each step is bounded, and "
    "the model is released on a public grid, so that the low digits of what was computed do not show. μ′ is the μ of "
    "the claim with all errors before the last noise; γ is by how much the last step's own error may change any "
    "probability, as a logarithm; t is the probability with which one of these bounds fails."
)
WHY_OF_SUMS = (
    "The claim speaks of exact numbers; a computer rounds. Here every noisy sum is released on a public grid, so that "
    "the low digits of what was computed do not show. ρ is by how much rounding may enlarge what one record moves a "
    "sum by; γ is by how much the errors of all noisy sums may change any probability, as a logarithm; t is the "
    "probability with which one of these bounds fails."
)
WORD = "How large the errors are is the producer's word; what follows from them the checker computed again."


def finite_precision(reading: Reading) -> Iterator[Block]:
    """Blocks of the section on the execution; the run was executed."""
    execution = reading.execution
    assert execution is not None
    stated = execution.get("finite_precision")
    if stated is None:
        yield Paragraph(
            line(strong("Rounding. "), f"What floating point adds to the claim is not stated: {_why(reading)}.")
        )
        return
    executed, sums = stated["executed"], "enlargement" in stated
    yield Paragraph(line(strong("Rounding. "), WHY_OF_SUMS if sums else WHY, " ", WORD))
    epsilon, delta, target = executed["epsilon"], executed["delta"], reading.predicate["epsilon"]["target"]
    claimed = line("ε ≤ ", *optional(epsilon), " at δ = ", number(delta))
    if epsilon is None:
        claimed = line(Badge("NO ε", "bad"), " t alone is more than δ = ", number(delta), " leaves")
    elif Fraction(epsilon) > Fraction(target):
        claimed = line(Badge("ABOVE THE TARGET", "bad"), " ", *claimed, "; the target is ε ≤ ", number(target))
    if sums:
        first = ("ρ, of the sensitivity", stated["enlargement"])
    else:
        first = ("μ′, with the errors of the steps", executed["mu"])
    yield facts(
        [
            (first[0], line(number(first[1]))),
            ("γ, of the grid", line(number(executed["gamma"]))),
            ("t, that a bound fails", line(number(executed["t"]))),
            ("The run as executed", claimed),
        ]
    )


def _why(reading: Reading) -> str:
    if reading.training:
        return "every noisy sum of a training run is seen, and none of them was rounded to a public grid"
    if reading.reproducible_noise:
        return "the noise can be drawn again"
    if any(entry["id"] == "smoothness" and entry["status"] == "violated" for entry in reading.predicate["assumptions"]):
        return "the steps have no known Lipschitz constant, so nothing bounds how their errors add up"
    if reading.run["threat"]["release"] == "all" and (reading.execution or {}).get("erasures"):
        return "the bound is about one released model, and here several were seen"
    return "the run record holds no bound of the errors with which it follows"
