"""What a theorem body may do with numbers, whichever arithmetic it runs in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Final


class NumberMarker:
    """What makes an annotation that of a number, under whichever name it is imported."""


NUMBER: Final = NumberMarker()
Number = Annotated[Any, NUMBER]  # a float, array, ball, Fraction or symbol: a number of the body's arithmetic


class ConditionViolated(ValueError):
    """A side condition of a theorem provably fails. `condition` and `value` say which, and on what."""

    def __init__(self, condition: str, value: object = None):
        super().__init__(f"needs {condition}" + ("" if value is None else f", got {value}"))
        self.condition = condition
        self.value = value


class Undecided(ArithmeticError):
    """A comparison that this precision cannot decide."""


class Indeterminate(ArithmeticError):
    """Not decided at the greatest precision; names the open condition. Never a guess."""


class Arithmetic(ABC):
    """The operators + − * / and ** with integers, and these. A comparison has three answers: True, False, None
    (open)."""

    inexact: ClassVar[bool] = False  # its numbers are floats
    symbolic: ClassVar[bool] = False  # its numbers are formulas

    @abstractmethod
    def of(self, value: Fraction | int) -> Number:
        """The number that an exact argument becomes."""

    @abstractmethod
    def sqrt(self, x: Number) -> Number:
        """The square root of x ≥ 0."""

    @abstractmethod
    def log(self, x: Number) -> Number:
        """The natural logarithm of x > 0."""

    @abstractmethod
    def exp(self, x: Number) -> Number:
        """The exponential."""

    @abstractmethod
    def normal_cdf(self, x: Number) -> Number:
        """Φ(x)."""

    @abstractmethod
    def maximum(self, x: Number, y: Number) -> Number:
        """The larger of the two."""

    @abstractmethod
    def at_least(self, x: Number, y: Number) -> bool | None:
        """x ≥ y; None where undecided."""

    @abstractmethod
    def where_at_least(self, x: Number, y: Number, then: Number, otherwise: Number) -> Number:
        """`then` where x ≥ y, else `otherwise`; where undecided, something that contains both."""

    @abstractmethod
    def gaussian_delta(self, mu: Number, epsilon: Number) -> Number:
        """δ(ε) = Φ(μ/2 − ε/μ) − e^ε Φ(−μ/2 − ε/μ), the hockey-stick divergence of N(0,1) and N(μ,1)."""

    @abstractmethod
    def mixture_epsilon(self, mus: Sequence[Number], weights: Sequence[Number], delta: Number) -> Number:
        """The least ε ≥ 0 with Σ weight·δ_μ(ε) ≤ delta."""

    def gaussian_epsilon(self, mu: Number, delta: Number) -> Number:
        """The least ε ≥ 0 with δ(ε) ≤ delta."""
        return self.mixture_epsilon((mu,), (self.of(1),), delta)

    def diffused_epsilon(self, mu: Number, ratio: Number, steps: int, delta: Number) -> Number:
        """The least ε ≥ 0 at which δ(ε) of μ, after `steps` times δ ← δ·Θ_ε̃(ratio), is at most delta (T24)."""
        raise ArithmeticError(f"{type(self).__name__} has no ε of T24; use Float or Ball")

    def minimum(self, x: Number, y: Number) -> Number:
        """The smaller of the two."""
        return -self.maximum(-x, -y)

    def absolute(self, x: Number) -> Number:
        """|x|."""
        return self.maximum(x, -x)

    def power(self, x: Number, n: int) -> Number:
        """x^n for a count n ≥ 0."""
        return x**n

    def geometric(self, x: Number, n: int) -> Number:
        """Σ_{i<n} x^i by doubling, g(2k) = g(k)(1 + x^k): no division, so x = 1 and x near 1 need no special case."""
        total, power = self.of(0), self.of(1)  # g(k) and x^k, k being the leading bits of n
        for bit in bin(n)[2:]:
            total, power = total * (1 + power), power * power
            if bit == "1":
                total, power = total * x + 1, power * x
        return total

    def require(self, holds: bool | None, condition: str, value: object = None) -> None:
        """Pass where the condition holds.

        Raises:
            ConditionViolated: it fails.
            Undecided: it is open at this precision.
        """
        if holds is None:
            raise Undecided(condition)
        if not holds:
            raise ConditionViolated(condition, value)
