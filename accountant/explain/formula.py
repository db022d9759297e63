"""What a formula is, and the formulas of theorems about lists, with their sums left standing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy

from accountant.core.arithmetic.symbols import Symbol, tidy
from accountant.core.kernel import Derivation
from accountant.explain.names import Names

MAX_BLOCKS = 4  # the formula of a longer history is too long to read; its numbers are printed all the same

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


def with_sums(node: Derivation) -> tuple[Formula, ...]:
    """Of a theorem whose arguments are lists: its formula with the sums left standing. SUMS has it by the name that the
    theorem's facts give."""
    left, right = SUMS[node.theorem.facts.formula]()
    return (Formula(node.theorem.id, left, right, ()),)


_A = Symbol()
_EPSILON, _DELTA, _ALPHA, _BATCHES = sympy.symbols("epsilon delta alpha l", positive=True)
_MUS, _D = sympy.IndexedBase("mu"), sympy.IndexedBase("d")


def _mean(term: sympy.Expr) -> sympy.Expr:
    """Over the batches."""
    return sympy.Sum(term, (J, 0, _BATCHES - 1)) / _BATCHES


def _parts_together() -> tuple[sympy.Expr, sympy.Expr]:
    i, parts = sympy.Symbol("i", integer=True), sympy.Symbol("r", positive=True)
    return MU**2, sympy.Sum(_MUS[i] ** 2, (i, 1, parts))


def _mean_profile() -> tuple[sympy.Expr, sympy.Expr]:
    return _DELTA, _mean(_A.gaussian_delta(_MUS[J], _EPSILON))


def _mean_divergence() -> tuple[sympy.Expr, sympy.Expr]:
    likely = _mean(sympy.exp(_ALPHA * (_ALPHA - 1) * _MUS[J] ** 2 / 2))
    return sympy.Symbol("D_alpha"), sympy.log(likely) / (_ALPHA - 1)


def _exits_taken_off() -> tuple[sympy.Expr, sympy.Expr]:
    return _DELTA, _A.gaussian_delta(MU_LOW, _EPSILON) - (1 + sympy.exp(_EPSILON)) * EXITS


def _mean_of_one_test() -> tuple[sympy.Expr, sympy.Expr]:
    t, V = sympy.symbols("t V", positive=True)
    hit, missed = (_A.normal_cdf((sign * _D[J] / 2 - t) / sympy.sqrt(V)) for sign in (1, -1))
    return _DELTA, _mean(hit - sympy.exp(_EPSILON) * missed)


SUMS: dict[str | None, Callable[[], tuple[sympy.Expr, sympy.Expr]]] = {
    "composition": _parts_together,
    "curved_witness": _exits_taken_off,
    "mixture": _mean_profile,
    "mixture_divergence": _mean_divergence,
    "secret_witness": _mean_of_one_test,
}
