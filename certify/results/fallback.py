"""Which theorems stood in for convexity, why, and what that cost: reported with every result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from accountant import ConstantLoss, InvalidMechanism, TheoremError, derive_upper, enclose
from accountant.core.facts import Family
from accountant.mechanisms.pnsgd import NoisySGD
from accountant.mechanisms.timeline import history
from accountant.pnsgd.fallback import choose_rates
from accountant.pnsgd.search.string import TooLong
from certify.results.claims import Claim, worst
from certify.runfile.read import Run

FALLBACKS = (Family.NONCONVEX_STEP, Family.RANGE)


def describe_fallback(run: Run, claims: tuple[Claim, ...]) -> dict[str, Any] | None:
    """The fall-backs that the bounds rest on, in one sentence why those of the worst request, and the largest ε of
    the requests were the loss convex.

    None where the steps are those of a convex loss. convex_epsilon: None where nothing is known of L, where the loss
    is convex, or where the convex run would be refused.
    """
    mechanism, top = run.mechanism, worst(claims, run.target_epsilon)
    request = claims.index(top)
    because = choose_rates(mechanism, history(mechanism, request)).because
    if because is None and mechanism.loss.constants().convex:
        return None
    used = {node.theorem for claim in claims for root in (claim.bound, claim.upper) for node in root.nodes()}
    if top.upper.theorem.facts.family is Family.RANGE:
        because = (
            f"{because}; the last steps are bounded by how far apart they leave any two points ({top.upper.theorem.id})"
        )
    return {
        "theorems": sorted(theorem.id for theorem in used if theorem.facts.family in FALLBACKS),
        "because": because,
        "convex_epsilon": _convex_epsilon(run, len(claims)),
    }


def _convex_epsilon(run: Run, requests: int) -> str | None:
    mechanism = run.mechanism
    constants = mechanism.loss.constants()
    if constants.convex or constants.smoothness is None:
        return None
    loss = ConstantLoss(constants.smoothness, constants.strong_convexity, constants.gradient_bound)
    try:
        convex: NoisySGD = replace(mechanism, loss=loss)
        enclosures = (enclose(derive_upper(convex, run.target_delta, request)) for request in range(requests))
        return max(enclosures, key=lambda enclosure: enclosure.upper).upper_decimal()
    except (InvalidMechanism, TheoremError, TooLong):
        return None
