"""The derivation as a tree and as a list of steps, premises first."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy

from accountant.core.display import page, table
from accountant.core.enclose import enclose, enclose_all
from accountant.core.exact import Rounding, canonical, decimal, round_decimal
from accountant.core.facts import Direction
from accountant.core.kernel import Derivation
from accountant.core.quantities import (
    ApproximateDP,
    GaussianDP,
    GaussianWitness,
    LinearLoss,
    LossBounds,
    RenyiCurve,
    Sensitivity,
    Wasserstein,
)
from accountant.explain.formula import Formula
from accountant.explain.formulas import formulas
from accountant.explain.names import Names
from accountant.theorems.timelines import Contraction, Drift, Shift, Timeline


@dataclass(frozen=True)
class Step:
    """One theorem applied: its number, those of its premises, its statement, its value, its formulas."""

    number: int
    theorem: str
    name: str
    premises: tuple[int, ...]
    statement: str
    conclusion: str
    source: str
    formulas: tuple[Formula, ...]


@dataclass(frozen=True)
class Value:
    """What a symbol of the formulas stands for, and its exact value."""

    symbol: sympy.Symbol
    meaning: str
    value: sympy.Expr

    @property
    def text(self) -> str:
        """The value as a short fraction or decimal, else its first digits."""
        if self.value.is_Rational:
            return _short(Fraction(int(self.value.p), int(self.value.q)))
        return f"{sympy.N(self.value, 12)}…"


@dataclass(frozen=True)
class Explanation:
    """A derivation in words and formulas, premises first; the last step is what was derived."""

    steps: tuple[Step, ...]
    assumptions: tuple[str, ...]
    values: tuple[Value, ...] = ()

    def tree(self) -> str:
        """The derivation as an indented tree, conclusions first; a step that is used again is only named."""
        lines: list[str] = []
        shown: set[int] = set()

        def walk(number: int, indent: str, branch: str, below: str) -> None:
            step = self.steps[number]
            again = number in shown and step.premises
            lines.append(
                f"{indent}{branch}[{step.number + 1}] {step.theorem} {step.name}: {step.conclusion}"
                + (" (above)" if again else "")
            )
            if again:
                return
            shown.add(number)
            unique = list(dict.fromkeys(step.premises))
            for i, premise in enumerate(unique):
                last = i == len(unique) - 1
                walk(premise, indent + below, "└─ " if last else "├─ ", "   " if last else "│  ")

        walk(len(self.steps) - 1, "", "", "")
        return "\n".join(lines)

    def text(self) -> str:
        """Tree, then each step's statement and formulas, then the symbols' values."""
        parts = [self.tree(), ""]
        for step in self.steps:
            parts.append(f"[{step.number + 1}] {step.theorem} {step.name}. Source: {step.source}.")
            parts += [f"    {line}" for line in step.statement.splitlines()]
            for formula in step.formulas:
                parts += ["", *(f"        {line}" for line in formula.text.splitlines())]
            parts.append("")
        return "\n".join([*parts, *self._values()]).rstrip()

    def _values(self) -> list[str]:
        if not self.values:
            return []
        shown = [(sympy.pretty(value.symbol), value.text, value.meaning) for value in self.values]
        name, number = (max(len(row[i]) for row in shown) for i in (0, 1))
        return ["Values", *(f"  {a:<{name}} = {b:<{number}}  {c}".rstrip() for a, b, c in shown)]

    def latex(self) -> str:
        """The formulas as a LaTeX align environment, one line for each."""
        return align([(formula, f"\\text{{{step.theorem}}}") for step in self.steps for formula in step.formulas])

    def _repr_latex_(self) -> str:
        """The formulas; a derivation without any has nothing to show."""
        return self.latex() if any(step.formulas for step in self.steps) else ""

    def _repr_html_(self) -> str:
        """The steps, premises first, and what the symbols stand for; formulas are in `_repr_latex_`."""
        steps = [
            {
                "step": step.number + 1,
                "theorem": f"{step.theorem} {step.name}",
                "from": [premise + 1 for premise in step.premises],
                "concludes": step.conclusion,
                "source": step.source,
            }
            for step in self.steps
        ]
        values = [{"symbol": str(v.symbol), "value": v.text, "meaning": v.meaning} for v in self.values]
        return page(self.steps[-1].conclusion, table("Steps", steps), table("Values", values))

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "steps": [
                {
                    "number": step.number + 1,
                    "theorem": step.theorem,
                    "name": step.name,
                    "premises": [premise + 1 for premise in step.premises],
                    "statement": step.statement,
                    "conclusion": step.conclusion,
                    "source": step.source,
                    "formulas": [formula_json(f) for f in step.formulas],
                }
                for step in self.steps
            ],
            "values": {str(value.symbol): str(value.value) for value in self.values},
            "assumptions": list(self.assumptions),
        }


def formula_json(formula: Formula) -> dict[str, Any]:
    """LaTeX, one line of text, and the values of its symbols."""
    return {
        "latex": formula.latex,
        "text": formula.line,
        "values": {str(symbol): str(value) for symbol, value in formula.values},
    }


def align(rows: list[tuple[Formula, str]]) -> str:
    """Formulas with a remark each, as a LaTeX align environment."""
    lines = [f"  {sympy.latex(f.left)} &= {sympy.latex(f.right)} && {remark}" for f, remark in rows]
    return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}"


def explain(derivation: Derivation) -> Explanation:
    """Explain a derivation: steps in order, equal ones once."""
    numbers: dict[int, int] = {}
    known: dict[tuple, int] = {}
    steps: list[Step] = []
    names = Names()
    for node in derivation.nodes():
        premises = tuple(numbers[id(p)] for p in node.premises)
        key = (node.theorem.id, node.arguments, premises)
        if key not in known:
            known[key] = len(steps)
            steps.append(
                Step(
                    number=len(steps),
                    theorem=node.theorem.id,
                    name=node.theorem.name,
                    premises=premises,
                    statement=node.theorem.statement,
                    conclusion=_conclusion(node),
                    source=node.theorem.source,
                    formulas=formulas(node, names),
                )
            )
        numbers[id(node)] = known[key]
    used = {symbol for step in steps for formula in step.formulas for symbol, _ in formula.values}
    used |= {formula.left for step in steps for formula in step.formulas} & set(names.values)
    values = tuple(Value(s, names.meaning(s), value) for s, value in names.values.items() if s in used)
    return Explanation(tuple(steps), tuple(sorted(derivation.assumptions)), values)


def _conclusion(node: Derivation) -> str:
    match node.preview if node.decided else None:
        case LossBounds(smoothness, strong_convexity, gradient_bound):
            pairs = {"L": smoothness, "m": strong_convexity, "M": gradient_bound}
            return ", ".join(f"{name} = {_short(value)}" for name, value in pairs.items() if value is not None)
        case LinearLoss():
            return _linear(node.preview)
        case Sensitivity(norm, attained):
            return f"Δ {'=' if attained else '<'} {_short(norm)}"
        case Contraction(factor):
            return f"c = {_short(factor)}"
        case Drift(factor, distance):
            return f"c = {_short(factor)}, d = {_short(distance)}"
        case Shift(distance):
            return f"s = {_short(distance)}"
        case Timeline(_, _, blocks):
            steps = sum(block.epochs * block.batches for block in blocks)
            return f"{len(blocks)} phase{'s' * (len(blocks) != 1)}, {steps} steps"
    match node.theorem.concludes:
        case kind if kind is Wasserstein:
            return f"W∞ ≤ {enclose(node).upper_decimal()}"
        case kind if kind is GaussianDP:
            return f"μ ≤ {enclose(node).upper_decimal()}"
        case kind if kind is GaussianWitness:
            return f"μ ≥ {enclose(node).lower_decimal()}"
        case kind if kind is RenyiCurve:
            return f"{len(enclose_all(node))} orders"
        case kind if kind is ApproximateDP:
            lower = node.direction is Direction.BELOW
            return f"ε ≥ {enclose(node).lower_decimal()}" if lower else f"ε ≤ {enclose(node).upper_decimal()}"
    return ""


def _linear(loss: LinearLoss) -> str:
    """The data loss's slope, flat and by the gradient's norm a, and G; what is unbounded is left out."""
    parts = [f"m = {_short(loss.regularization)}"]
    if loss.curvature is not None:
        parts.append(f"slope ≤ {_short(loss.curvature)}")
    if loss.growth is not None:
        floor = f" + {_short(loss.floor)}" if loss.floor else ""
        parts.append(f"slope ≤ {_short(loss.growth)}·a{floor}")
    if loss.gradient_bound is not None:
        parts.append(f"a ≤ {_short(loss.gradient_bound)}")
    return ", ".join(parts)


def _short(value: Fraction) -> str:
    text = canonical(value)
    return (
        text
        if len(text) <= 24
        else f"{decimal(round_decimal(value, 12, Rounding.UP if value < 0 else Rounding.DOWN))}…"
    )
