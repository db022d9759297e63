"""What a formula is, and the formulas of theorems about lists, with their sums left standing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import sympy

from accountant.core.arithmetic.symbols import Symbol, tidy
from accountant.explain.names import Names

MAX_BLOCKS = 4  # a longer history has a formula that nobody reads; its numbers are printed all the same

MU = sympy.Symbol("mu", positive=True)
MU_LOW = sympy.Symbol("mu_low", positive=True)
J = sympy.Symbol("j", integer=True)  # a batch
MU_J = sympy.IndexedBase("mu")[J]
EXITS = sympy.Symbol("P_exit")


@dataclass(frozen=True)
class Formula:
    """`left` = `right` in sympy; `values` gives every named symbol's exact value, so that the formula can be
    evaluated."""

    theorem: str
    left: sympy.Expr
    right: sympy.Expr
    values: tuple[tuple[sympy.Symbol, sympy.Expr], ...]

    @property
    def text(self) -> str:
        """Two-dimensional plain text."""
        return sympy.pretty(sympy.Eq(self.left, self.right, evaluate=False), use_unicode=True, wrap_line=False)

    @property
    def line(self) -> str:
        """One line of plain text."""
        return f"{self.left} = {self.right}"

    @property
    def latex(self) -> str:
        return f"{sympy.latex(self.left)} = {sympy.latex(self.right)}"


def formula(id: str, left: sympy.Expr, right: Any, names: Names) -> Formula:
    right = sympy.sympify(right)
    return Formula(id, left, right, names.values_in(right))


def tidied(id: str, left: sympy.Expr, right: Any, names: Names) -> Formula:
    return formula(id, left, tidy(sympy.sympify(right)), names)


@cache
def general() -> dict[str, tuple[Formula, ...]]:
    """Of theorems whose arguments are lists: the formula with its sums left standing."""
    A = Symbol()
    epsilon, delta, alpha, t, V, batches, parts = sympy.symbols("epsilon delta alpha t V l r", positive=True)
    i, j = sympy.Symbol("i", integer=True), J
    low = MU_LOW
    mus, d = sympy.IndexedBase("mu"), sympy.IndexedBase("d")
    hit, missed = (A.normal_cdf((sign * d[j] / 2 - t) / sympy.sqrt(V)) for sign in (1, -1))
    whole = (j, 0, batches - 1)
    likely = sympy.Sum(sympy.exp(alpha * (alpha - 1) * mus[j] ** 2 / 2), whole) / batches
    sums = {
        "T7": (MU**2, sympy.Sum(mus[i] ** 2, (i, 1, parts))),
        "T9": (delta, sympy.Sum(A.gaussian_delta(mus[j], epsilon), whole) / batches),
        "T9r": (sympy.Symbol("D_alpha"), sympy.log(likely) / (alpha - 1)),
        "T6c": (delta, A.gaussian_delta(low, epsilon) - (1 + sympy.exp(epsilon)) * EXITS),
        "T6m": (delta, sympy.Sum(hit - sympy.exp(epsilon) * missed, whole) / batches),
    }
    return {id: (Formula(id, left, right, ()),) for id, (left, right) in sums.items()}
