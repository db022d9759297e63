"""sympy: the formula that is printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import final

import sympy

from accountant.core.arithmetic.base import Arithmetic, Number


class Count(int):
    """A count with a name: it decides comparisons as the number that it is, and prints as the symbol.

    So a body whose shape depends on numbers (where the string bends) runs as it stands, and its formula still says T,
    K, l.
    """

    symbol: sympy.Expr

    def __new__(cls, value: int, symbol: sympy.Expr) -> Count:
        count = super().__new__(cls, value)
        count.symbol = symbol
        return count

    def __add__(self, other: int | sympy.Expr) -> Count | sympy.Expr:
        if isinstance(other, sympy.Basic):
            return self.symbol + other
        return Count(int(self) + int(other), self.symbol + symbol_of(other))

    def __sub__(self, other: int | sympy.Expr) -> Count | sympy.Expr:
        if isinstance(other, sympy.Basic):
            return self.symbol - other
        return Count(int(self) - int(other), self.symbol - symbol_of(other))

    def __rsub__(self, other: int) -> Count:
        return Count(int(other) - int(self), symbol_of(other) - self.symbol)

    def __mul__(self, other: int | sympy.Expr) -> Count | sympy.Expr:
        if isinstance(other, sympy.Basic):
            return self.symbol * other
        return Count(int(self) * int(other), self.symbol * symbol_of(other))

    __radd__ = __add__
    __rmul__ = __mul__


def symbol_of(n: int) -> sympy.Expr:
    """How a count prints."""
    return n.symbol if isinstance(n, Count) else sympy.sympify(int(n))


def tidy(expression: sympy.Expr) -> sympy.Expr:
    """The same expression with its powers of one base gathered and each term factored."""
    return sympy.Add(*(_tidy_term(term) for term in sympy.Add.make_args(expression)))


def _tidy_term(term: sympy.Expr) -> sympy.Expr:
    gathered = sympy.powdenest(sympy.powsimp(sympy.expand_power_exp(term)), force=True)
    gathered = gathered.replace(_is_even_power_of_absolute, lambda power: power.base.args[0] ** power.exp)
    return without_sign(sympy.powsimp(sympy.factor(sympy.together(gathered)), deep=True))


def without_sign(term: sympy.Expr) -> sympy.Expr:
    """−(c − 1)·x as (1 − c)·x, where one factor takes the sign."""
    coefficient, factors = term.as_coeff_mul()
    taker = next((f for f in factors if _reads_better_negated(*f.as_base_exp())), None)
    if not coefficient.is_negative or taker is None or len(factors) == 1:
        return term
    base, power = taker.as_base_exp()
    return sympy.Mul(-coefficient, *((-base) ** power if f is taker else f for f in factors))


def _reads_better_negated(base: sympy.Expr, power: sympy.Expr) -> bool:
    """A sum to an odd power, whose number is negative, or most of whose terms are."""
    if not base.is_Add or not power.is_odd:
        return False
    number, terms = base.as_coeff_add()
    negative = sum(term.could_extract_minus_sign() for term in terms)
    return bool(number.is_negative) or (number == 0 and 2 * negative > len(terms))


def _gathered(x: Number) -> Number:
    """c·c^(l−1) as c^l, so that a power of it is one power of c."""
    return sympy.powsimp(x) if isinstance(x, sympy.Mul | sympy.Pow) else x


def _is_even_power_of_absolute(expression: sympy.Expr) -> bool:
    """|x|², which for the real x of theorem bodies is x²."""
    return expression.is_Pow and isinstance(expression.base, sympy.Abs) and bool(expression.exp.is_even)


@final
class Symbol(Arithmetic):
    """Side conditions are collected in `conditions`, not decided.

    first_is_larger: answers x ≥ y where a formula has two branches; None, or no answer: both are written.
    """

    symbolic = True

    def __init__(self, first_is_larger: Callable[[Number, Number], bool | None] | None = None) -> None:
        self.conditions: list[str] = []
        self.first_is_larger = first_is_larger

    def of(self, value: Fraction | int | sympy.Basic) -> Number:
        if isinstance(value, sympy.Basic):
            return value
        if isinstance(value, Count):
            return value.symbol
        value = Fraction(value)
        return sympy.Rational(value.numerator, value.denominator)

    def sqrt(self, x: Number) -> Number:
        return sympy.sqrt(x)

    def log(self, x: Number) -> Number:
        return sympy.log(x)

    def exp(self, x: Number) -> Number:
        return sympy.exp(x)

    def normal_cdf(self, x: Number) -> Number:
        return sympy.Function("Phi")(x)

    def maximum(self, x: Number, y: Number) -> Number:
        return sympy.Max(x, y)

    def minimum(self, x: Number, y: Number) -> Number:
        return sympy.Min(x, y)

    def absolute(self, x: Number) -> Number:
        return sympy.Abs(x)

    def at_least(self, x: Number, y: Number) -> bool | None:
        return None

    def power(self, x: Number, n: int) -> Number:
        return _gathered(x) ** symbol_of(n)

    def geometric(self, x: Number, n: int) -> Number:
        x, n = _gathered(x), symbol_of(n)
        if x == 1:
            return n
        return {0: sympy.S.Zero, 1: sympy.S.One}.get(n, (1 - x**n) / (1 - x))

    def where_at_least(self, x: Number, y: Number, then: Number, otherwise: Number) -> Number:
        answer = self.first_is_larger(x, y) if self.first_is_larger else None
        return sympy.Piecewise((then, x >= y), (otherwise, True)) if answer is None else (then if answer else otherwise)

    def gaussian_delta(self, mu: Number, epsilon: Number) -> Number:
        cdf = sympy.Function("Phi")
        return cdf(mu / 2 - epsilon / mu) - sympy.exp(epsilon) * cdf(-mu / 2 - epsilon / mu)

    def mixture_epsilon(self, mus: Sequence[Number], weights: Sequence[Number], delta: Number) -> Number:
        return sympy.Function("epsilon")(*mus, *weights, delta)

    def gaussian_epsilon(self, mu: Number, delta: Number) -> Number:
        return sympy.Function("epsilon")(mu, delta)

    def require(self, holds: bool | None, condition: str, value: object = None) -> None:
        if condition not in self.conditions:
            self.conditions.append(condition)
