"""Rules: what a step of a proof may be.

Each theorem is declared next to its mathematics: the shape of its arguments, that of what it concludes, and how a
step by it is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from certify.checking.limits import require
from certify.checking.numbers.exact import canonical
from certify.checking.numbers.intervals import decide

Cut = tuple[int, int]  # of a training run's batches: (records of the larger dataset, less one; max_batch_size)


@dataclass(frozen=True)
class Step:
    """A step that is computed again. `given`: what its premises stand for."""

    theorem: str
    args: dict[str, Any]
    concludes: dict[str, Any]
    given: list[Any]
    name: str  # in messages
    below: bool = False  # a premise is a lower bound
    cut: Cut | None = None

    def argument(self, key: str) -> Fraction:
        return Fraction(self.args[key])

    def stated(self, key: str) -> Fraction:
        return Fraction(self.concludes[key])

    def follows(self, key: str, holds: bool) -> None:
        """What is stated is on the right side of what was computed."""
        require(holds, f"{self.name}: the stated {key} does not follow")

    def decided(self, key: str, question: Callable[[int], bool]) -> None:
        self.follows(key, decide(question, self.name))

    def equal(self, derived: dict[str, Any]) -> dict[str, Any]:
        """What is stated is what was computed, digit by digit."""
        for key, value in derived.items():
            shown = canonical(value) if isinstance(value, Fraction) else value
            require(self.concludes[key] == shown, f"{self.name}: {key} is {shown}, not {self.concludes[key]}")
        return derived


@dataclass(frozen=True)
class Rule:
    """A theorem, as a step of a proof states it.

    `check` refuses a conclusion that does not follow from the premises' values, and returns what later steps need: that
    is constants, a timeline, μ² as a function of bits, or (of a bound of ε) δ as a function of ε and bits, from below
    where it is not exact. A step is checked against the exact bound of its premise, not against the decimal written
    there.
    """

    id: str
    name: str
    arguments: dict[str, Any]
    concludes: dict[str, Any]
    check: Callable[[Step], Any]
    premises: str = "–"  # in words, and what the shapes do not say; for docs/certificate.md
    remarks: str = ""
    lower: bool = False  # it bounds from below
    free: Set[str] = frozenset()  # the arguments that a proof may choose; all others must be those that the run implies
    string: bool = False  # it bounds μ along a timeline
    may_fail: bool = False  # it returns whether it was confirmed, and is tried with the work that all others leave


RULES: dict[str, Rule] = {}  # by id


def declare(*rules: Rule) -> None:
    for rule in rules:
        if rule.id in RULES:
            raise ValueError(f"{rule.id} is declared twice")
        RULES[rule.id] = rule
