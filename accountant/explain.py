"""Say how a bound was derived: the tree of theorems, and each step's formula, printed from the theorem bodies
themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

import sympy

from accountant.arithmetic.symbols import Count, Symbol, tidy
from accountant.enclose import enclose, enclose_all
from accountant.exact import canonical
from accountant.kernel import Derivation
from accountant.quantities import (
    ApproximateDP,
    Block,
    Contraction,
    GaussianDP,
    GaussianWitness,
    LossBounds,
    RenyiCurve,
    Shift,
    Timeline,
    Wasserstein,
)
from accountant.theorems.shifts import Corner
from accountant.timeline import Phase

MOST_BLOCKS = 4  # a longer history has a formula that nobody reads; its numbers are printed all the same

_NAMES = {
    "step_size": "eta",
    "noise_std": "sigma",
    "strong_convexity": "m",
    "regularization": "m",
    "smoothness": "L",
    "gradient_bound": "M",
    "feature_norm": "X",
    "target_bound": "Y",
    "smoothing": "gamma",
    "threshold": "kappa",
    "radius": "R",
    "clip": "C",
    "batch_size": "b",
    "start": "z_0",
    "diameter": "D",
    "delta": "delta",
    "contraction": "c",
    "shift": "s",
    "variance": "V",
}


@dataclass(frozen=True)
class Formula:
    """`left` = `right` in sympy; `values` gives every free symbol's exact value, so that the formula can be
    evaluated."""

    theorem: str
    left: sympy.Expr
    right: sympy.Expr
    values: tuple[tuple[sympy.Symbol, sympy.Rational], ...]

    @property
    def text(self) -> str:
        """Two-dimensional plain text."""
        return sympy.pretty(sympy.Eq(self.left, self.right, evaluate=False), use_unicode=True, wrap_line=False)

    @property
    def latex(self) -> str:
        return f"{sympy.latex(self.left)} = {sympy.latex(self.right)}"


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
class Explanation:
    """A derivation in words and formulas, premises first; the last step is what was derived."""

    steps: tuple[Step, ...]
    assumptions: tuple[str, ...]

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
        """Tree, then each step's statement and formulas."""
        parts = [self.tree(), ""]
        for step in self.steps:
            parts.append(f"[{step.number + 1}] {step.theorem} {step.name}. Source: {step.source}.")
            parts += [f"    {line}" for line in step.statement.splitlines()]
            for formula in step.formulas:
                parts += ["", *(f"        {line}" for line in formula.text.splitlines())]
            parts.append("")
        return "\n".join(parts).rstrip()

    def latex(self) -> str:
        """The formulas as a LaTeX align environment, one line for each."""
        lines = [
            f"  {sympy.latex(f.left)} &= {sympy.latex(f.right)} && \\text{{{step.theorem}}}"
            for step in self.steps
            for f in step.formulas
        ]
        return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}"

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
                    "formulas": [
                        {
                            "latex": f.latex,
                            "text": f"{f.left} = {f.right}",
                            "values": {str(symbol): str(value) for symbol, value in f.values},
                        }
                        for f in step.formulas
                    ],
                }
                for step in self.steps
            ],
            "assumptions": list(self.assumptions),
        }


def explain(derivation: Derivation) -> Explanation:
    """Explain a derivation: steps in order, equal ones once."""
    numbers: dict[int, int] = {}
    known: dict[tuple, int] = {}
    steps: list[Step] = []
    names = _Symbols()
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
                    formulas=names.formulas(node),
                )
            )
        numbers[id(node)] = known[key]
    return Explanation(tuple(steps), tuple(sorted(derivation.assumptions)))


def _conclusion(node: Derivation) -> str:
    match node.glance:
        case LossBounds(smoothness, strong_convexity, gradient_bound):
            return f"L = {canonical(smoothness)}, m = {canonical(strong_convexity)}, M = {canonical(gradient_bound)}"
        case Contraction(factor):
            return f"c = {_short(factor)}"
        case Shift(distance):
            return f"s = {_short(distance)}"
        case Timeline(_, _, blocks):
            steps = sum(block.epochs * block.batches for block in blocks)
            return f"{len(blocks)} phase{'s' * (len(blocks) != 1)}, {steps} steps"
    match node.theorem.concludes:
        case kind if kind is Wasserstein:
            return f"W∞ ≤ {enclose(node).above()}"
        case kind if kind is GaussianDP:
            return f"μ ≤ {enclose(node).above()}"
        case kind if kind is GaussianWitness:
            return f"μ ≥ {enclose(node).below()}"
        case kind if kind is RenyiCurve:
            return f"{len(enclose_all(node))} orders"
        case kind if kind is ApproximateDP:
            lower = node.theorem.id in ("T6c", "T6m") or (
                bool(node.premises) and node.premises[0].theorem.concludes is GaussianWitness
            )
            return f"ε ≥ {enclose(node).below()}" if lower else f"ε ≤ {enclose(node).above()}"
    return ""


def _short(value: Fraction) -> str:
    text = canonical(value)
    return text if len(text) <= 24 else f"{float(value):.12g}…"


class _Symbols:
    """Names for the numbers of one derivation: equal numbers in the same role get one symbol, others a subscript."""

    def __init__(self) -> None:
        self._given: dict[str, dict[Any, sympy.Symbol]] = {}
        self.values: dict[sympy.Symbol, sympy.Rational] = {}

    def name(self, role: str, value: Fraction | int, *, integer: bool = False) -> sympy.Symbol:
        known = self._given.setdefault(role, {})
        if value not in known:
            label = role if not known else f"{role}_{len(known)}"
            symbol = sympy.Symbol(label, positive=True, integer=integer or None)
            known[value] = symbol
            exact = Fraction(value)
            number = sympy.Rational(exact.numerator, exact.denominator)
            self.values[symbol] = (
                sympy.sqrt(number) if role == "tau" else number
            )  # a variance goes by the name of its root
        return known[value]

    def count(self, role: str, value: int) -> Count:
        return Count(value, self.name(role, value, integer=True))

    def formulas(self, node: Derivation) -> tuple[Formula, ...]:
        """The body of the theorem, run on symbols."""
        A, arguments = Symbol(), dict(node.arguments)
        match node.theorem.id:
            case "T10":
                return self._timeline_formulas(node)
            case "T3" | "T1":
                timeline = self._timeline(node.premises[0])
                if len(timeline.blocks) > MOST_BLOCKS or any(
                    block.expanding or not block.contraction for block in timeline.blocks
                ):
                    return ()
                if node.theorem.id == "T3":
                    arguments["corners"] = tuple(self._corner(c, timeline) for c in arguments["corners"])
                premises: tuple[Any, ...] = (timeline,)
            case "T6":
                m, history = arguments["strong_convexity"], arguments["phases"]
                if len(history) > MOST_BLOCKS or any(m * phase.step_size in (0, 1) for phase in history):
                    return ()
                arguments = self._arguments(arguments)
                arguments["phases"] = tuple(self._phase(i, len(history), p) for i, p in enumerate(history))
                premises = ()
            case "T11":
                mu, epsilon, delta = sympy.symbols("mu epsilon delta", positive=True)
                return (Formula("T11", delta, A.gaussian_delta(mu, epsilon), ()),)
            case "T2":
                alpha, mu = sympy.symbols("alpha mu", positive=True)
                (divergence,) = node.theorem.body(A, GaussianDP(mu), orders=(alpha,)).divergences
                return (Formula("T2", sympy.Symbol("D_alpha"), divergence, ()),)
            case "L1" | "L2" | "L3" | "L4" | "L5" | "L6" | "C1" | "C2" | "T4a":
                arguments = self._arguments(arguments)
                kinds = (p.theorem.concludes for p in node.premises)
                premises = tuple(_as_symbols(kind) for kind in kinds if kind is not LossBounds)
            case _:
                return _general().get(node.theorem.id, ())
        return self._of(node.theorem.id, node.theorem.body(A, *premises, **arguments))

    def _arguments(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {
            key: self.name(_NAMES[key], value)
            if key in _NAMES and isinstance(value, int | Fraction) and value != 0
            else (sympy.Integer(0) if isinstance(value, Fraction) else value)
            for key, value in arguments.items()
        }

    def _of(self, id: str, conclusion: Any) -> tuple[Formula, ...]:
        match conclusion:
            case LossBounds(smoothness, _, gradient_bound):
                pairs = [("L", smoothness), ("M", gradient_bound)]
            case Contraction(factor):
                pairs = [("c", factor)]
            case Shift(distance):
                pairs = [("s", distance)]
            case Wasserstein(distance):
                pairs = [("W_infinity", distance)]
            case GaussianDP(mu):
                return self._square(id, "mu", mu**2)
            case GaussianWitness(mu):
                return self._square(id, "mu_low", mu**2)
            case ApproximateDP(epsilon, _):
                pairs = [("epsilon", epsilon)]
            case _:
                return ()
        return tuple(self._formula(id, sympy.Symbol(left), right) for left, right in pairs)

    def _formula(self, id: str, left: sympy.Expr, right: Any) -> Formula:
        right = tidy(sympy.sympify(right))
        return Formula(id, left, right, tuple(self._values(right)))

    def _square(self, id: str, left: str, right: sympy.Expr) -> tuple[Formula, ...]:
        """μ² = …; the witness's slope 1 − ηm is called c, as in the string's formula."""
        replaced = right
        for symbol, slope in self._slopes(right):
            replaced = replaced.subs(symbol, slope)
        return (self._formula(id, sympy.Symbol(left, positive=True) ** 2, replaced),)

    def _slopes(self, right: sympy.Expr) -> list[tuple[sympy.Symbol, sympy.Expr]]:
        made = []
        for m_value, m in self._given.get("m", {}).items():
            for eta_value, eta in self._given.get("eta", {}).items():
                if {m, eta} <= right.free_symbols and m_value * eta_value != 1:
                    made.append((m, (1 - self._factor(1 - m_value * eta_value)) / eta))
        return made

    def _values(self, expression: sympy.Expr) -> list[tuple[sympy.Symbol, sympy.Rational]]:
        return [(s, self.values[s]) for s in sorted(expression.free_symbols, key=str) if s in self.values]

    def _timeline_formulas(self, node: Derivation) -> tuple[Formula, ...]:
        made = []
        for phase in dict.fromkeys((p.step_size, p.noise_std) for p in dict(node.arguments)["phases"]):
            step, noise = self.name("eta", phase[0]), self.name("sigma", phase[1])
            right = 2 * step * noise**2
            made.append(
                Formula("T10", self.name("tau", 2 * phase[0] * phase[1] ** 2) ** 2, right, tuple(self._values(right)))
            )
        return tuple(made)

    def _timeline(self, node: Derivation) -> Timeline:
        """The timeline in symbols: c, s, τ, l, T and K; where shifts lie and where it bends stays as it is."""
        timeline: Timeline = node.glance
        shift_of = [premise.glance.distance for premise in node.premises[1::2]]
        blocks = tuple(
            self._block(i, len(timeline.blocks), block, shift_of[i]) for i, block in enumerate(timeline.blocks)
        )
        start = self.name("z_0", timeline.start) if timeline.start else sympy.Integer(0)
        diameter = None if timeline.diameter is None else 2 * self.name("R", timeline.diameter / 2)
        return Timeline(start, diameter, blocks)

    def _block(self, i: int, of: int, block: Block, shift: Fraction) -> Block:
        batches = self.count("l", block.batches)
        s = self.name("s", shift) if shift else sympy.Integer(0)
        return replace(
            block,
            epochs=self.count(_epochs_role(i, of), block.epochs),
            batches=batches,
            contraction=self._factor(block.contraction),
            variance=self.name("tau", block.variance) ** 2,
            shifts=tuple(
                (self._position(position, batches), (distance / shift if shift else 0) * s)
                for position, distance in block.shifts
            ),
        )

    def _factor(self, contraction: Fraction) -> sympy.Expr:
        """c; 0 and 1 are written as they are, a geometric sum in c has no value there."""
        return sympy.Integer(int(contraction)) if contraction in (0, 1) else self.name("c", contraction)

    @staticmethod
    def _position(position: int, batches: Count) -> int:
        """Positions count from the end of the epoch, where the worst batches are."""
        return batches - (int(batches) - position)

    def _corner(self, corner: Corner, timeline: Timeline) -> Corner:
        block = timeline.blocks[corner.block]

        def epoch(e: int) -> int:
            return e if 2 * e < block.epochs else block.epochs - (int(block.epochs) - e)

        return Corner(
            corner.block, self._position(corner.position, block.batches), epoch(corner.first), epoch(corner.last)
        )

    def _phase(self, i: int, of: int, phase: Phase) -> Phase:
        batches = self.count("l", phase.batches)
        return Phase(
            epochs=self.count(_epochs_role(i, of), phase.epochs),
            batches=batches,
            batch_size=self.count("b", phase.batch_size),
            step_size=self.name("eta", phase.step_size),
            noise_std=self.name("sigma", phase.noise_std),
            records=tuple((self._position(p, batches), count) for p, count in phase.records),
        )


def _epochs_role(i: int, of: int) -> str:
    """T for learning, K for the one unlearning phase, K_1, K_2 … for several."""
    return "T" if i == 0 else ("K" if of == 2 else f"K_{i}")


@cache
def _general() -> dict[str, tuple[Formula, ...]]:
    """Of theorems whose arguments are lists: the formula with its sums left standing."""
    A = Symbol()
    epsilon, delta, mu, t, V, batches, parts = sympy.symbols("epsilon delta mu t V l r", positive=True)
    i, j, exits = sympy.Symbol("i", integer=True), sympy.Symbol("j", integer=True), sympy.Symbol("P_exit")
    mus, d = sympy.IndexedBase("mu"), sympy.IndexedBase("d")
    hit, missed = (A.normal_cdf((sign * d[j] / 2 - t) / sympy.sqrt(V)) for sign in (1, -1))
    sums = {
        "T7": (mu**2, sympy.Sum(mus[i] ** 2, (i, 1, parts))),
        "T9": (delta, sympy.Sum(A.gaussian_delta(mus[j], epsilon), (j, 0, batches - 1)) / batches),
        "T6c": (delta, A.gaussian_delta(mu, epsilon) - (1 + sympy.exp(epsilon)) * exits),
        "T6m": (delta, sympy.Sum(hit - sympy.exp(epsilon) * missed, (j, 0, batches - 1)) / batches),
    }
    return {id: (Formula(id, left, right, ()),) for id, (left, right) in sums.items()}


def _as_symbols(kind: type) -> Any:
    symbol = {Wasserstein: "Z", GaussianDP: "mu", GaussianWitness: "mu"}[kind]
    return kind(sympy.Symbol(symbol, positive=True))
