"""A formula's value in balls: exact values in, an enclosure out."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy

from accountant.core.arithmetic import Ball, Number


def ball_of(expression: sympy.Expr, values: Mapping[sympy.Symbol, sympy.Expr]) -> Number:
    """The expression at the working precision: sums, products, integer powers and square roots alone.

    Raises:
        ValueError: another function, or a symbol without a value.
    """
    A = Ball()
    if expression.is_Rational:
        return A.of(Fraction(int(expression.p), int(expression.q)))
    if expression.is_Symbol and expression in values:
        return ball_of(values[expression], {})
    if expression.is_Add:
        return sum((ball_of(part, values) for part in expression.args), A.of(0))
    if expression.is_Mul:
        product = A.of(1)
        for factor in expression.args:
            product = product * ball_of(factor, values)
        return product
    if expression.is_Pow:
        exponent = expression.exp.subs(values)
        if exponent.is_Integer:
            return ball_of(expression.base, values) ** int(exponent)
        if exponent.is_Rational and exponent.q == 2:
            return A.sqrt(ball_of(expression.base, values)) ** int(exponent.p)
    raise ValueError(f"{expression} has no value in balls")
