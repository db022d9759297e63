"""From μ to Rényi divergences and ε: T7, T2, T11."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

from certify.checking.descent.strings import MU, SquaredMu, at_most_stated
from certify.checking.limits import require
from certify.checking.numbers.elementary import profile
from certify.checking.numbers.exact import number
from certify.checking.numbers.intervals import Interval
from certify.checking.reading import exact, rounded
from certify.checking.rules import Rule, Step, declare

Delta = Callable[[Fraction, int], Interval]  # δ as a function of ε and bits


def gaussian(squared: SquaredMu) -> Delta:
    """δ(ε) of a pair with this μ²."""
    return lambda epsilon, bits: profile(epsilon, squared(bits).sqrt())


def check_composition(step: Step) -> SquaredMu:
    """T7. Whatever was released before, the next stretch is μ_i-GDP: composition adds the squares."""
    return at_most_stated(step, lambda bits: sum((squared(bits) for squared in step.given), number(0, bits)))


def check_curve(step: Step, is_below: Callable[[Fraction, Fraction, int], bool]) -> None:
    """A Rényi curve: at each order a bound."""
    orders, uppers = map(Fraction, step.args["orders"]), map(Fraction, step.concludes["renyi"])
    orders, uppers, name = list(orders), list(uppers), step.name
    require(all(order > 1 for order in orders), f"{name}: needs orders > 1")
    require(all(x < y for x, y in pairwise(orders)), f"{name}: orders must ascend")
    require(len(orders) == len(uppers), f"{name}: needs one bound for each order")
    pairs = list(zip(orders, uppers, strict=True))
    step.decided("renyi", lambda bits: all(is_below(order, upper, bits) for order, upper in pairs))


def check_gaussian_curve(step: Step) -> None:
    """T2. D_α ≤ α·μ²/2"""
    check_curve(step, lambda order, upper, bits: step.given[0](bits) * order / 2 <= upper)


def check_gaussian_profile(step: Step) -> Delta:
    """T11. Of a lower bound of μ it is a lower bound of ε."""
    delta_of, delta, stated = gaussian(step.given[0]), step.argument("delta"), step.stated("epsilon")
    require(0 < delta < 1, f"{step.name}: needs delta strictly between 0 and 1")
    if not step.below:
        step.decided("epsilon", lambda bits: delta_of(stated, bits) <= delta)
    elif stated > 0:
        step.decided("epsilon", lambda bits: delta_of(stated, bits) >= delta)
    return delta_of


declare(
    Rule("T7", "adaptive_composition", {}, MU, check_composition, "T3, T5, T26 or T26r, one for each stretch",
         "in training runs of T20d and T20f"),
    Rule("T2", "renyi_curve", {"orders": [exact]}, {"renyi": [rounded]}, check_gaussian_curve,
         "T3, T5, T26, T26r or T7", "in training runs of T7 or T20f", free={"orders"}),
    Rule("T11", "gaussian_profile", {"delta": exact}, {"epsilon": rounded}, check_gaussian_profile,
         "T3, T5, T26, T26r, T7 or T6",
         "lower where its premise is (T6, T20l), else upper; in training runs of T7, T20f or T20l"),
)  # fmt: skip
