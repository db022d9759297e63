"""Enclosures: the one place that sets the ball precision, and that turns a ball into numbers rounded outward."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from weakref import WeakKeyDictionary

from accountant.core.arithmetic import Ball, Indeterminate, Number, Undecided
from accountant.core.arithmetic.balls import ends, precision
from accountant.core.exact import MIN_PRINTED, Rounding, outward
from accountant.core.kernel import Derivation, evaluate
from accountant.core.quantities import ApproximateDP, GaussianDP, GaussianWitness, RenyiCurve, Wasserstein

MIN_PRECISION = 128
MAX_PRECISION = 8192
SIGNIFICANT_BITS = 50  # twelve decimal digits, with room for the rounding


# What has been evaluated, by precision: bounds on one run share their timeline. Dropped with the derivation.
_known: defaultdict[int, WeakKeyDictionary[Derivation[Any], Any]] = defaultdict(WeakKeyDictionary)


@dataclass(frozen=True)
class Enclosure:
    """The true value lies in [lower, upper] (exact rationals)."""

    lower: Fraction
    upper: Fraction

    def upper_decimal(self, digits: int = 12) -> str:
        """A decimal strictly above the true value, or "0"."""
        return outward(self.upper, Rounding.UP, digits=digits)

    def lower_decimal(self, digits: int = 12) -> str:
        """A decimal strictly below the true value, or "0"."""
        return outward(max(self.lower, Fraction(0)), Rounding.DOWN, digits=digits)

    @property
    def sharp(self) -> bool:
        """Whether both ends agree to the digits that are printed."""
        return (
            -MIN_PRINTED < self.lower <= self.upper < MIN_PRINTED
            or self.upper - self.lower <= abs(self.upper) / 2**SIGNIFICANT_BITS
        )


def _values(quantity: object) -> tuple[Number, ...]:
    match quantity:
        case GaussianDP(mu) | GaussianWitness(mu):
            return (mu,)
        case ApproximateDP(epsilon, _):
            return (epsilon,)
        case Wasserstein(distance):
            return (distance,)
        case RenyiCurve(_, divergences):
            return divergences
    raise TypeError(f"{type(quantity).__name__} is not a bound that can be enclosed")


def enclose_all(derivation: Derivation[Any]) -> tuple[Enclosure, ...]:
    """Enclosures of every number that the derivation concludes; the precision is doubled until all are sharp and
    decided.

    Raises:
        Indeterminate: a side condition is open at the greatest precision.
        TheoremError: a side condition fails.
    """
    name = f"{derivation.theorem.name} ({derivation.theorem.id}): "
    return _enclosures(lambda bits: _values(evaluate(derivation, Ball(), _known[bits])), name)


def enclosed(compute: Callable[[], Number], name: str = "") -> Enclosure:
    """What `compute` gives in balls, at a precision that makes it sharp.

    Raises:
        Indeterminate: undecided, or no finite value, at the greatest precision; begins with `name`.
    """
    (enclosure,) = _enclosures(lambda _: (compute(),), name)
    return enclosure


def _enclosures(compute: Callable[[int], Iterable[Number]], name: str) -> tuple[Enclosure, ...]:
    """What `compute` gives at so many bits, which are doubled until all of it is sharp and decided."""
    bits, enclosures, reason = MIN_PRECISION, None, ""
    while bits <= MAX_PRECISION:
        with precision(bits):
            try:
                pairs = [ends(value) for value in compute(bits)]
            except Undecided as undecided:
                pairs, reason = [None], str(undecided)
        if all(pair is not None for pair in pairs):
            enclosures = tuple(Enclosure(*pair) for pair in pairs)
            if all(enclosure.sharp for enclosure in enclosures):
                return enclosures
        bits *= 2
    if enclosures is None:
        raise Indeterminate(f"{name}{reason or 'no finite value'}")
    return enclosures  # wide (an ε that cannot be distinguished from 0), and valid


def enclose(derivation: Derivation[Any]) -> Enclosure:
    """The enclosure of the one number that the derivation concludes: μ, ε or W∞. Raises as `enclose_all` does."""
    (enclosure,) = enclose_all(derivation)
    return enclosure
