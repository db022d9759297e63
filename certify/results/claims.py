"""The claims of a run, one for each erasure request: derived, enclosed, compared with the target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from accountant import (
    Derivation,
    Enclosure,
    InvalidMechanism,
    TheoremError,
    derive,
    derive_lower,
    derive_upper,
    enclose,
)
from accountant.core.exact import Rounding, outward
from accountant.core.facts import Profile
from accountant.pnsgd.search.string import TooLong
from certify.errors import UsageError
from certify.runfile.read import Run, key_and_problem


class Verdict(StrEnum):
    """Three answers; never a guess."""

    CERTIFIED = "CERTIFIED"
    NOT_CERTIFIED = "NOT_CERTIFIED"
    INDETERMINATE = "INDETERMINATE"


DIGITS = 12
MAX_DIGITS = 15  # as sharp as an enclosure is made


@dataclass(frozen=True)
class Claim:
    """What is proved about one request. `bound` concludes μ in the worst batch, `upper` and `lower` an ε at the
    target's δ.

    epsilon: encloses the ε of the bound, an upper bound of the truth; witness_epsilon: encloses the ε of the witness,
    a lower one. least: where the bound is one of ever finer ones, what none of them can be below.
    """

    size: int
    epochs: int
    bound: Derivation
    upper: Derivation
    epsilon: Enclosure
    lower: Derivation | None
    witness_epsilon: Enclosure | None
    least: Fraction | None = None

    def verdict(self, target: Fraction) -> Verdict:
        """CERTIFIED only where the printed decimal meets the target, NOT_CERTIFIED only where the bound provably
        misses it."""
        if Fraction(self.printed(target)) <= target:
            return Verdict.CERTIFIED
        least = self.epsilon.lower if self.least is None else self.least
        return Verdict.NOT_CERTIFIED if least > target else Verdict.INDETERMINATE

    def printed(self, target: Fraction) -> str:
        """The upper ε as a decimal rounded up; close to the target more digits are shown, if they help to meet it."""
        for digits in range(DIGITS, MAX_DIGITS + 1):
            shown = self.epsilon.upper_decimal(digits)
            if Fraction(shown) <= target:
                return shown
        return self.epsilon.upper_decimal(DIGITS)

    def mu_lower(self) -> str | None:
        """A μ that no bound for the class can be below, as a decimal rounded down; None where the witness is no
        Gaussian pair."""
        if self.lower is None:
            return None
        match self.lower.theorem.facts.profile:
            case Profile.GAUSSIAN:
                return enclose(self.lower.premises[0]).lower_decimal()
            case Profile.CURVED:
                return outward(dict(self.lower.arguments)["mu"], Rounding.DOWN)
        return None

    def out_of_reach(self, target: Fraction) -> bool:
        """Whether the witness exceeds the target: no certificate exists from these constants."""
        return self.witness_epsilon is not None and self.witness_epsilon.lower > target


def make_claim(run: Run, request: int) -> Claim:
    """Derive and enclose the claim on one request (0-based).

    Raises:
        UsageError: no theorem covers the run; the message names theorem, condition and value.
        Indeterminate: a side condition cannot be decided.
    """
    with refusals():
        bound = derive(run.mechanism, request)
        upper = derive_upper(run.mechanism, run.target_delta, request, bound)
        lower = derive_lower(run.mechanism, run.target_delta, request)
        return Claim(
            size=run.mechanism.requests[request],
            epochs=run.mechanism.unlearning_epochs[request],
            bound=bound,
            upper=upper,
            epsilon=enclose(upper),
            lower=lower,
            witness_epsilon=None if lower is None else enclose(lower),
        )


@contextmanager
def refusals() -> Iterator[None]:
    """A run that no theorem covers is malformed input: the accountant's refusals as UsageError."""
    try:
        yield
    except InvalidMechanism as problem:
        raise UsageError(key_and_problem(problem)) from None
    except (TheoremError, TooLong) as problem:
        raise UsageError(str(problem)) from None


def worst(claims: tuple[Claim, ...], target: Fraction) -> Claim:
    """The claim with the largest printed ε; the first of equals, so that a certificate is the same on every machine."""
    return max(claims, key=lambda claim: Fraction(claim.printed(target)))
