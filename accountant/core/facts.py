"""What the rest of the project must know about a theorem, declared beside it: `@theorem(…, facts=Facts(…))`.

Nothing here decides whether a bound is true. Explanations, pictures, certificates and comparisons look here instead of
listing ids, so that none of them can forget a theorem: every field is given, None if there is nothing to give, and
`tests/test_theorem_facts.py` holds each table to what the theorems name.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from enum import Enum


class Direction(Enum):
    """On which side of the truth the conclusion lies; so on which side it is rounded, and with which sign printed."""

    ABOVE = "above"
    BELOW = "below"  # no bound for the class is smaller
    EXACT = "exact"  # fractions, computed without error
    OF_PREMISE = "of its first premise"  # a conversion: a bound stays a bound, a witness a witness


class Family(Enum):
    """What a theorem is about; THEOREMS.md groups by it."""

    LOSS = "constants of a loss"
    STEP = "one step, convex"
    NONCONVEX_STEP = "one step, without convexity"
    SCALING = "gradients that are scaled one by one"
    DISTANCE = "two runs side by side, and how far apart they are"
    STRING = "μ along a timeline: which noise hides which shift"
    CLOSED_FORM = "μ by a formula in a few numbers"
    COMPOSITION = "μ of several releases together"
    CONVERSION = "the same pair in other terms"
    SECRET_ORDER = "a mean over batches, where the order is secret"
    RANGE = "ε of steps from anywhere in a bounded range"
    SAMPLED = "noisy sums of sampled batches"
    ROUNDING = "finite precision"
    WITNESS = "a member of the class that attains so much"
    PUBLISHED = "bounds as others published them"


class States(Enum):
    """What a certificate states of a conclusion, under which keys (docs/certificate.md)."""

    CONSTANTS = "each constant under its own name"
    CONTRACTION = "contraction"
    DRIFT = "contraction, shift"
    SHIFT = "shift"
    STEPS = "steps"
    WASSERSTEIN = "wasserstein"
    SENSITIVITY = "sensitivity, attained"
    MU = "mu"
    RENYI = "renyi"
    EPSILON = "epsilon"
    EPSILON_AND_MU = "epsilon, mu"


class Profile(Enum):
    """What δ(ε) is inverted from."""

    GAUSSIAN = "one Gaussian pair"
    MIXTURE = "a mean over Gaussian pairs"
    RANGE = "a recursion over steps, and the Gaussian pair before them"
    LOSSES = "the distribution of a sum of losses"
    TRUNCATED = "such a distribution, and what cutting the batches costs"
    CURVED = "a Gaussian pair with two slopes, and the chance to leave one"
    THRESHOLD = "one test, with the best threshold for each ε"


@dataclass(frozen=True)
class Facts:
    """The record of one theorem.

    states: None if certificates do not state it. formula: the name, in `accountant.explain.formulas.FORMULAS`,
    of the function that prints it; None where there is no readable formula. profile: None if no picture shows its
    δ(ε). label: what it is called in comparisons; None if it is not a row, or takes its premise's. omits_batch_size:
    whether its phases are written without their batch sizes, because a premise says them.
    """

    direction: Direction
    family: Family
    states: States | None
    _: KW_ONLY
    formula: str | None
    profile: Profile | None
    label: str | None
    omits_batch_size: bool = False
