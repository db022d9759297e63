"""What the four scaling maps do, derived symbolically from the bodies in `scaling` by differentiation and limits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import sympy

from accountant.core.arithmetic import Symbol
from accountant.core.scaling import KINDS, Scaling, scaled_norm, weight

X, C, R, S = sympy.symbols("x C r s", positive=True)


@dataclass(frozen=True)
class Fact:
    """`left` = `right` in C, r, s (and x, where it is a function of the gradient's norm), in words: `meaning`.

    `values` gives every parameter's exact value, so that the formula can be evaluated.
    """

    name: str
    meaning: str
    left: sympy.Expr
    right: sympy.Expr
    values: tuple[tuple[sympy.Symbol, sympy.Rational], ...]

    @property
    def value(self) -> sympy.Expr:
        """The right side with the parameters put in: an exact number, or an expression in x."""
        return self.right.subs(dict(self.values))

    @property
    def text(self) -> str:
        """One line of plain text."""
        return f"{self.left} = {self.right}".replace("phiprime", "phi'")

    @property
    def latex(self) -> str:
        return f"{sympy.latex(self.left)} = {sympy.latex(self.right)}"


@dataclass(frozen=True)
class Description:
    """A map's facts, by name. `attained`: some gradient reaches the sensitivity; `monotone`: the weight never
    increases."""

    kind: str
    attained: bool
    monotone: bool
    facts: tuple[Fact, ...]

    def __getitem__(self, name: str) -> Fact:
        return next(fact for fact in self.facts if fact.name == name)

    def __contains__(self, name: object) -> bool:
        return any(fact.name == name for fact in self.facts)

    @property
    def latex(self) -> str:
        """The facts as a LaTeX align environment, one line for each."""
        lines = [f"  {sympy.latex(f.left)} &= {sympy.latex(f.right)} && \\text{{{f.meaning}}}" for f in self.facts]
        return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}"

    @property
    def text(self) -> str:
        """The facts in plain text, one line for each."""
        widest = max(len(fact.text) for fact in self.facts)
        return "\n".join(f"{fact.text:<{widest}}  {fact.meaning}" for fact in self.facts)


def describe(scaling: Scaling) -> Description:
    """The map's weight, norm, derivatives, limits and critical points, as formulas with this map's values.

    Names: weight, norm, slope, weight_slope, sensitivity, weight_at_zero, slope_at_zero, steepest_slope; for psac and
    psasc with rs < 1 also inflection (the norm x° at which the slope is steepest), peak and peak_weight.
    """
    _, *numbers = scaling.arguments().values()
    given = {
        symbol: sympy.Rational(value.numerator, value.denominator)
        for symbol, value in zip((C, R, S), numbers, strict=True)
        if value is not None
    }
    facts = tuple(
        Fact(name, meaning, left, right, tuple((s, v) for s, v in given.items() if s in right.free_symbols))
        for name, meaning, left, right in _facts(scaling.kind, scaling.monotone)
    )
    return Description(scaling.kind, scaling.kind == "clip", scaling.monotone, facts)


@cache
def formulas(kind: str) -> tuple[sympy.Expr, sympy.Expr]:
    """w(x) and φ(x), from the bodies that the theorems run."""
    assert kind in KINDS
    r = None if kind == "clip" else R
    s = S if kind == "psasc" else None
    expressions = weight(Symbol(), kind, X, C, r, s), scaled_norm(Symbol(), kind, X, C, r, s)
    if kind == "clip":  # one piece on each side of C
        return tuple(sympy.piecewise_fold(f.rewrite(sympy.Piecewise)) for f in expressions)
    return expressions


@cache
def _facts(kind: str, monotone: bool) -> tuple[tuple[str, str, sympy.Expr, sympy.Expr], ...]:
    w, norm = formulas(kind)
    slope, weight_slope = (sympy.simplify(sympy.diff(f, X)) for f in (norm, w))
    phi, w_name = sympy.Function("phi"), sympy.Function("w")
    facts = [
        ("weight", "weight of a gradient of norm x", w_name(X), w if kind == "clip" else sympy.factor(w)),
        ("norm", "norm of the scaled gradient", phi(X), norm if kind == "clip" else sympy.factor(norm)),
        ("slope", "its derivative: never negative", sympy.Derivative(phi(X), X), _factored(slope)),
        ("weight_slope", "derivative of the weight", sympy.Derivative(w_name(X), X), _factored(weight_slope)),
        ("sensitivity", "sensitivity: supremum of phi", sympy.Symbol("Delta"), _limit(norm, sympy.oo)),
        ("weight_at_zero", "weight of the shortest gradients", w_name(0), _limit(w, 0)),
        ("slope_at_zero", "slope at 0", sympy.Symbol("phiprime_0"), _limit(slope, 0)),
    ]
    steepest, name = _limit(slope, 0), sympy.Symbol("phiprime_max")
    if not monotone:
        bend, peak = _critical(slope), _critical(w)
        steepest = _tidy(slope.subs(X, bend))
        facts += [
            ("inflection", "where phi climbs fastest", sympy.Symbol("x_0"), bend),
            ("peak", "where the weight peaks", sympy.Symbol("x_*"), peak),
            ("peak_weight", "the weight there", w_name(sympy.Symbol("x_*")), _tidy(w.subs(X, peak))),
        ]
    return (*facts, ("steepest_slope", "supremum of phi': what it does to smoothness", name, steepest))


def _limit(expression: sympy.Expr, point: sympy.Expr | int) -> sympy.Expr:
    """At 0 or at infinity, where only one piece counts."""
    if isinstance(expression, sympy.Piecewise):
        inside = C / 2 if point == 0 else 2 * C
        expression = next(piece for piece, holds in expression.args if holds.subs(X, inside) == True)  # noqa: E712
    return sympy.limit(expression, X, point)


def _factored(expression: sympy.Expr) -> sympy.Expr:
    return expression if expression.has(sympy.Piecewise) else sympy.factor(expression)


def _critical(expression: sympy.Expr) -> sympy.Expr:
    """The one zero of the derivative that is positive for small r."""
    numerator, _ = sympy.fraction(sympy.together(sympy.diff(expression, X)))
    roots = sympy.solve(sympy.factor(numerator), X)
    small = {R: sympy.Rational(1, 100), S: 1, C: 1}
    (root,) = (root for root in roots if root.subs(small).is_positive)
    return _tidy(root)


def _tidy(expression: sympy.Expr) -> sympy.Expr:
    return sympy.simplify(sympy.radsimp(sympy.simplify(expression)))
