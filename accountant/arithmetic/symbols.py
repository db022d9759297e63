"""sympy: the formula that is printed."""

from __future__ import annotations

from fractions import Fraction
from typing import final

import sympy

from accountant.arithmetic.base import Arithmetic, Number


@final
class Symbol(Arithmetic):
    """Side conditions are collected in `conditions`, not decided."""

    def __init__(self) -> None:
        self.conditions: list[str] = []

    def of(self, value: Fraction | int | sympy.Basic) -> Number:
        if isinstance(value, sympy.Basic):
            return value
        value = Fraction(value)
        return sympy.Rational(value.numerator, value.denominator)

    def sqrt(self, x: Number) -> Number:
        return sympy.sqrt(x)

    def log(self, x: Number) -> Number:
        return sympy.log(x)

    def maximum(self, x: Number, y: Number) -> Number:
        return sympy.Max(x, y)

    def minimum(self, x: Number, y: Number) -> Number:
        return sympy.Min(x, y)

    def absolute(self, x: Number) -> Number:
        return sympy.Abs(x)

    def at_least(self, x: Number, y: Number) -> bool | None:
        return None

    def geometric(self, x: Number, n: int | sympy.Basic) -> Number:
        return {0: sympy.S.Zero, 1: sympy.S.One}.get(n, (1 - x**n) / (1 - x))

    def where_at_least(self, x: Number, y: Number, then: Number, otherwise: Number) -> Number:
        return sympy.Piecewise((then, x >= y), (otherwise, True))

    def gaussian_delta(self, mu: Number, epsilon: Number) -> Number:
        cdf = sympy.Function("Phi")
        return cdf(mu / 2 - epsilon / mu) - sympy.exp(epsilon) * cdf(-mu / 2 - epsilon / mu)

    def gaussian_epsilon(self, mu: Number, delta: Number) -> Number:
        return sympy.Function("epsilon")(mu, delta)

    def require(self, holds: bool | None, condition: str, value: object = None) -> None:
        if condition not in self.conditions:
            self.conditions.append(condition)
