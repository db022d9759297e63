"""A formula's value in balls: exact values in, an enclosure out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

import sympy

from accountant.core.arithmetic import Ball, Number, Undecided
from accountant.core.arithmetic.balls import ends, precision
from accountant.core.enclose import MAX_PRECISION, MIN_PRECISION, Enclosure, Indeterminate


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


def enclosed(compute: Callable[[], Number]) -> Enclosure:
    """What `compute` gives at a precision that makes it sharp.

    Raises:
        Indeterminate: no finite value at the greatest precision.
    """
    bits, enclosure, reason = MIN_PRECISION, None, "no finite value"
    while bits <= MAX_PRECISION:
        with precision(bits):
            try:
                pair = ends(compute())
            except Undecided as undecided:
                pair, reason = None, str(undecided)
        if pair is not None:
            enclosure = Enclosure(*pair)
            if enclosure.sharp:
                return enclosure
        bits *= 2
    if enclosure is None:
        raise Indeterminate(reason)
    return enclosure
