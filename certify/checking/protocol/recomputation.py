"""Recomputation: every conclusion follows from its premises."""

from __future__ import annotations

from typing import Any

from certify.checking.rules import RULES, Cut, Step


def recompute(steps: list[dict[str, Any]], cut: Cut | None = None) -> list[Any]:
    """Every conclusion, again, in order; returns what the steps stand for. `cut`: of a training run's batches."""
    values: list[Any] = [None] * len(steps)
    rules = [RULES[step["theorem"]] for step in steps]
    for i in sorted(range(len(steps)), key=lambda i: rules[i].may_fail):  # these with the work that is left
        before = [int(premise) for premise in steps[i]["premises"]]
        below = any(rules[j].lower for j in before)
        told = (steps[i][key] for key in ("theorem", "args", "concludes"))
        values[i] = rules[i].check(Step(*told, [values[j] for j in before], f"step {i} ({rules[i].name})", below, cut))
    return values
