"""The claims of a run, one for each erasure request: derived, enclosed, compared with the target."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from accountant import (
    Derivation,
    Enclosure,
    InvalidMechanism,
    TheoremError,
    derive,
    derive_epsilon,
    derive_witness,
    enclose,
)
from certify.errors import UsageError
from certify.spec import Run


class Verdict(StrEnum):
    """Three answers; never a guess."""

    CERTIFIED = "CERTIFIED"
    NOT_CERTIFIED = "NOT_CERTIFIED"
    INDETERMINATE = "INDETERMINATE"


DIGITS = 12
MOST_DIGITS = 15  # as sharp as an enclosure is made


@dataclass(frozen=True)
class Claim:
    """What is proved about one request. `bound` and `witness` conclude μ, `upper` and `lower` the ε that follows at
    the target's δ.

    epsilon: encloses the ε of the bound, an upper bound of the truth; witness_epsilon: encloses the ε of the witness,
    a lower one.
    """

    size: int
    epochs: int
    bound: Derivation
    upper: Derivation
    epsilon: Enclosure
    witness: Derivation | None
    lower: Derivation | None
    witness_epsilon: Enclosure | None

    def verdict(self, target: Fraction) -> Verdict:
        """CERTIFIED only where the printed decimal meets the target, NOT_CERTIFIED only where the bound provably
        misses it."""
        if Fraction(self.printed(target)) <= target:
            return Verdict.CERTIFIED
        return Verdict.NOT_CERTIFIED if self.epsilon.lower > target else Verdict.INDETERMINATE

    def printed(self, target: Fraction) -> str:
        """The upper ε as a decimal rounded up; close to the target more digits are shown, if they help to meet it."""
        for digits in range(DIGITS, MOST_DIGITS + 1):
            shown = self.epsilon.above(digits)
            if Fraction(shown) <= target:
                return shown
        return self.epsilon.above(DIGITS)

    def out_of_reach(self, target: Fraction) -> bool:
        """Whether the witness exceeds the target: no certificate exists from these constants."""
        return self.witness_epsilon is not None and self.witness_epsilon.lower > target


def make_claim(run: Run, request: int) -> Claim:
    """Derive and enclose the claim on one request (0-based).

    Raises:
        UsageError: no theorem covers the run; the message names theorem, condition and value.
        Indeterminate: a side condition cannot be decided.
    """
    try:
        bound = derive(run.mechanism, request)
        upper = derive_epsilon(bound, run.target_delta)
        witness = derive_witness(run.mechanism, request)
        lower = None if witness is None else derive_epsilon(witness, run.target_delta)
        return Claim(
            size=run.mechanism.requests[request],
            epochs=run.mechanism.unlearning_epochs[request],
            bound=bound,
            upper=upper,
            epsilon=enclose(upper),
            witness=witness,
            lower=lower,
            witness_epsilon=None if lower is None else enclose(lower),
        )
    except (InvalidMechanism, TheoremError) as problem:
        raise UsageError(str(problem)) from None


def worst(claims: tuple[Claim, ...]) -> Claim:
    """The claim with the largest printed ε; the first of equals, so that a certificate is the same on every machine."""
    return max(claims, key=lambda claim: Fraction(claim.epsilon.above(DIGITS)))
