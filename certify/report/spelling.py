"""One symbolic expression in four spellings: a line of text, LaTeX, presentation MathML, typst."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sympy
from sympy.core.function import AppliedUndef
from sympy.printing.conventions import split_super_sub
from sympy.printing.latex import LatexPrinter
from sympy.printing.mathml import MathMLPresentationPrinter
from sympy.printing.precedence import PRECEDENCE, precedence_traditional
from sympy.printing.printer import Printer
from sympy.printing.str import StrPrinter

from certify.report.document import Mathematics

_GREEK = {
    **{name: name for name in ("alpha", "beta", "gamma", "delta", "epsilon", "eta", "kappa", "mu", "sigma", "tau")},
    **{name: name for name in ("Delta", "Phi", "infinity")},
}
_LETTERS = {
    **{"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eta": "η", "kappa": "κ", "mu": "μ"},
    **{"sigma": "σ", "tau": "τ", "Delta": "Δ", "Phi": "Φ", "infinity": "∞"},
}
_ENTITIES = {"&InvisibleTimes;": "\u2062", "<mo>-</mo>": "<mo>−</mo>", "&ExponentialE;": "e", "&#xB7;": "·"}


def spell(left: sympy.Expr, right: sympy.Expr, relation: str = "=") -> Mathematics:
    """`left` = `right` (or ≤, ≥) in every spelling."""
    latex = {"=": "=", "≤": r"\le", "≥": r"\ge"}[relation]
    typst = {"=": "=", "≤": "<=", "≥": ">="}[relation]
    return Mathematics(
        plain=f"{_plain(left)} {relation} {_plain(right)}",
        latex=f"{_Latex().doprint(left)} {latex} {_Latex().doprint(right)}",
        mathml=f"<mrow>{mathml(left)}<mo>{relation}</mo>{mathml(right)}</mrow>",
        typst=f"{_Typst().doprint(left)} {typst} {_Typst().doprint(right)}",
    )


def symbol(of: sympy.Expr) -> Mathematics:
    """A symbol by itself."""
    return Mathematics(_plain(of), _Latex().doprint(of), mathml(of), _Typst().doprint(of))


def mathml(expression: sympy.Expr) -> str:
    """Presentation MathML, with characters for entities."""
    text = _MathML().doprint(expression)
    for entity, character in _ENTITIES.items():
        text = text.replace(entity, character)
    text = text.replace("<mi>infinity</mi>", "<mi>∞</mi>")
    # What remains are character references, such as &#956; for μ.
    return re.sub(r"&#(x?)([0-9A-Fa-f]+);", lambda m: chr(int(m[2], 16 if m[1] else 10)), text)


def parts(name: str) -> tuple[str, list[str]]:
    """A symbol's letter and its subscripts: N_steps is N, [steps]."""
    base, above, below = split_super_sub(name)
    return base, [*above, *below]


class _Ordered:
    """Sums begin with a term that has no minus, where they have one."""

    def _as_ordered_terms(self, expr: sympy.Add, order: str | None = None) -> list[sympy.Expr]:
        terms = super()._as_ordered_terms(expr, order=order)
        return sorted(terms, key=lambda term: term.could_extract_minus_sign())


class _Plain(_Ordered, StrPrinter):
    def _print_Symbol(self, expr: sympy.Symbol) -> str:
        base, below = parts(expr.name)
        return "_".join(_LETTERS.get(part, part) for part in (base, *below))

    def _print_Pow(self, expr: sympy.Pow, rational: bool = False) -> str:
        return super()._print_Pow(expr, rational).replace("**", "^")

    def _print_exp(self, expr: sympy.Expr) -> str:
        return f"e^({self._print(expr.args[0])})"

    def _print_Indexed(self, expr: sympy.Indexed) -> str:
        return f"{self._print(expr.base.label)}[{', '.join(map(self._print, expr.indices))}]"

    def _print_Abs(self, expr: sympy.Abs) -> str:
        return f"|{self._print(expr.args[0])}|"

    def _print_Max(self, expr: sympy.Expr) -> str:
        return f"max({', '.join(map(self._print, sorted(expr.args, key=sympy.default_sort_key)))})"

    def _print_Min(self, expr: sympy.Expr) -> str:
        return f"min({', '.join(map(self._print, sorted(expr.args, key=sympy.default_sort_key)))})"

    def _print_Function(self, expr: sympy.Function) -> str:
        name = _LETTERS.get(expr.func.__name__, expr.func.__name__)
        return f"{name}({', '.join(map(self._print, expr.args))})"


def _plain(expression: sympy.Expr) -> str:
    return _Plain().doprint(expression).replace("-", "−")


class _Latex(_Ordered, LatexPrinter):
    """Subscripts of several letters are set upright."""

    def _print_Symbol(self, expr: sympy.Symbol, style: str = "plain") -> str:
        latex = re.sub(r"(?<=_\{)([A-Za-z]{2,})(?=\})", r"\\mathrm{\1}", super()._print_Symbol(expr, style))
        return latex.replace(r"\mathrm{infinity}", r"\infty")


class _MathML(_Ordered, MathMLPresentationPrinter):
    """Functions by their own names; what has an index carries its power above it, not behind it."""

    def _print_Function(self, expr: sympy.Function) -> Any:
        if not isinstance(expr, AppliedUndef):
            return super()._print_Function(expr)
        name = self._print(sympy.Symbol(expr.func.__name__))
        if name.tagName == "mi":
            name.setAttribute("mathvariant", "normal")
        row = self.dom.createElement("mrow")
        row.appendChild(name)
        row.appendChild(self._paren_comma_separated(*expr.args))
        return row

    def _print_Pow(self, expr: sympy.Pow) -> Any:
        element = super()._print_Pow(expr)
        if element.tagName != "msup" or element.firstChild.tagName != "msub":
            return element
        (indexed, power), both = element.childNodes, self.dom.createElement("msubsup")
        for child in (*indexed.childNodes, power):
            both.appendChild(child)
        return both


class _Typst(_Ordered, Printer):
    """The body of a typst equation. What it does not know it refuses: a formula is right or it is not there."""

    printmethod = "_typst"
    _default_settings = {"order": None}  # noqa: RUF012

    def emptyPrinter(self, expr: Any) -> str:
        raise NotImplementedError(f"no typst for {type(expr).__name__}")

    def _bracketed(self, expr: sympy.Expr, level: int, strict: bool = False) -> str:
        precedence, text = precedence_traditional(expr), self._print(expr)
        return f"({text})" if precedence < level or (not strict and precedence <= level) else text

    def _print_Symbol(self, expr: sympy.Symbol) -> str:
        base, below = parts(expr.name)
        return _word(base) + (f"_({', '.join(map(_word, below))})" if below else "")

    def _print_Integer(self, expr: sympy.Integer) -> str:
        return str(int(expr))

    _print_int = _print_Integer

    def _print_Rational(self, expr: sympy.Rational) -> str:
        text = f"frac({abs(expr.p)}, {expr.q})"
        return f"-{text}" if expr.p < 0 else text

    def _print_Infinity(self, expr: sympy.Expr) -> str:
        return "infinity"

    def _print_Add(self, expr: sympy.Add) -> str:
        text = ""
        for term in self._as_ordered_terms(expr):
            negative = term.could_extract_minus_sign()
            sign = "- " if negative else "+ "
            text += (sign if text or negative else "") + self._bracketed(-term if negative else term, PRECEDENCE["Add"])
            text += " "
        return text.strip()

    def _print_Mul(self, expr: sympy.Mul) -> str:
        if expr.could_extract_minus_sign():
            return f"-{self._bracketed(-expr, PRECEDENCE['Add'])}"
        numerator, denominator = sympy.fraction(expr)
        if denominator != 1:
            return f"frac({self._print(numerator)}, {self._print(denominator)})"
        number, factors = expr.as_coeff_mul()
        ordered = sympy.Mul._from_args(factors).as_ordered_factors()
        shown = [] if number == 1 else [self._print(number)]
        return " ".join([*shown, *(self._bracketed(f, PRECEDENCE["Mul"]) for f in ordered)])

    def _print_Pow(self, expr: sympy.Pow) -> str:
        if expr.exp.could_extract_minus_sign():
            return f"frac(1, {self._print(1 / expr)})"
        if expr.exp == sympy.Rational(1, 2):
            return f"sqrt({self._print(expr.base)})"
        return f"{self._bracketed(expr.base, PRECEDENCE['Pow'])}^({self._print(expr.exp)})"

    def _print_exp(self, expr: sympy.Expr) -> str:
        return f"e^({self._print(expr.args[0])})"

    def _print_Abs(self, expr: sympy.Abs) -> str:
        return f"abs({self._print(expr.args[0])})"

    def _print_binomial(self, expr: sympy.Expr) -> str:
        return f"binom({self._print(expr.args[0])}, {self._print(expr.args[1])})"

    def _print_Indexed(self, expr: sympy.Indexed) -> str:
        base, below = parts(str(expr.base.label))
        return f"{_word(base)}_({', '.join([*map(_word, below), *map(self._print, expr.indices)])})"

    def _print_Sum(self, expr: sympy.Sum) -> str:
        ((index, first, last),) = expr.limits
        summand = self._bracketed(expr.function, precedence_traditional(expr))
        return f"sum_({self._print(index)} = {self._print(first)})^({self._print(last)}) {summand}"

    def _called(self, name: str, arguments: Sequence[sympy.Expr]) -> str:
        # A bracket of its own: with name(…) typst would call a function of that name.
        return f"{name} lr(({', '.join(map(self._print, arguments))}))"

    def _print_Function(self, expr: sympy.Function) -> str:
        if not isinstance(expr, AppliedUndef):
            return self.emptyPrinter(expr)
        return self._called(self._print(sympy.Symbol(expr.func.__name__)), expr.args)

    def _print_log(self, expr: sympy.Expr) -> str:
        return self._called("log", expr.args)

    def _print_Max(self, expr: sympy.Expr) -> str:
        return self._called("max", sorted(expr.args, key=sympy.default_sort_key))

    def _print_Min(self, expr: sympy.Expr) -> str:
        return self._called("min", sorted(expr.args, key=sympy.default_sort_key))

    def _print_Piecewise(self, expr: sympy.Piecewise) -> str:
        cases = []
        for value, condition in expr.args:
            case = '"otherwise"' if condition == True else f'"where" {self._print(condition)}'  # noqa: E712
            cases.append(f"{self._print(value)} & {case}")
        return f"cases({', '.join(cases)})"

    def _print_Relational(self, expr: Any) -> str:
        return f"{self._print(expr.lhs)} {expr.rel_op} {self._print(expr.rhs)}"


def _word(name: str) -> str:
    """A letter, a Greek letter by its name, a number, or a word in quotes."""
    if name in _GREEK:
        return _GREEK[name]
    return name if len(name) == 1 or name.isdigit() else f'"{name}"'
