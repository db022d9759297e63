"""Fractions: algebraic theorems are tested for equality in it, without tolerance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import final

from accountant.core.arithmetic.base import Arithmetic, Number


@final
class Exact(Arithmetic):
    """Rational numbers. What leaves them (a square root that is none, a logarithm) raises ArithmeticError."""

    def of(self, value: Fraction | int) -> Number:
        return Fraction(value)

    def sqrt(self, x: Number) -> Number:
        root = Fraction(math.isqrt(x.numerator), math.isqrt(x.denominator))
        if root * root != x:
            raise ArithmeticError(f"the square root of {x} is irrational")
        return root

    def log(self, x: Number) -> Number:
        raise ArithmeticError("a logarithm is irrational; use Ball")

    def exp(self, x: Number) -> Number:
        raise ArithmeticError("an exponential is irrational; use Ball")

    def normal_cdf(self, x: Number) -> Number:
        raise ArithmeticError("Φ is irrational; use Ball")

    def maximum(self, x: Number, y: Number) -> Number:
        return max(x, y)

    def at_least(self, x: Number, y: Number) -> bool | None:
        return x >= y

    def where_at_least(self, x: Number, y: Number, then: Number, otherwise: Number) -> Number:
        return then if x >= y else otherwise

    def gaussian_delta(self, mu: Number, epsilon: Number) -> Number:
        raise ArithmeticError("δ(ε) is irrational; use Ball")

    def mixture_epsilon(self, mus: Sequence[Number], weights: Sequence[Number], delta: Number) -> Number:
        raise ArithmeticError("ε is irrational; use Ball")
