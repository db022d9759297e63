"""What is proved of each request beside ε: its Rényi curve and W∞; and of the whole run, the largest of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from accountant import (
    Derivation,
    derive_distance,
    derive_farthest,
    derive_renyi,
    derive_timeline,
    enclose,
    enclose_all,
)
from accountant.core.exact import canonical
from accountant.core.facts import Family
from accountant.mechanisms.timeline import history
from accountant.pnsgd.derive import RENYI_ORDERS
from accountant.pnsgd.search.secret import derive_secret_renyi
from accountant.theorems.timelines import Timeline
from certify.results.claims import Claim
from certify.runfile.read import Run


@dataclass(frozen=True)
class Natives:
    """Of one request. curve: T2 or T9r; learned, released: T1. renyi: its upper ends, order by order; the last two are
    W∞ of the farthest batch, as decimals rounded up."""

    curve: Derivation
    learned: Derivation
    released: Derivation
    renyi: tuple[str, ...]
    distance_learned: str
    distance_released: str


def derive_natives(run: Run, request: int, claim: Claim) -> Natives:
    """The native parameters of the claim on one request (0-based)."""
    timeline, runs = _timeline(run, request, claim), history(run.mechanism, request)
    farthest = derive_farthest(run.mechanism, request, timeline)
    hidden = claim.upper.theorem.facts.family is Family.SECRET_ORDER
    curve = derive_secret_renyi(timeline, RENYI_ORDERS) if hidden else derive_renyi(claim.bound)
    learned, released = (derive_distance(farthest, number) for number in (runs.learning_phases, len(runs.phases)))
    return Natives(
        curve=curve,
        learned=learned,
        released=released,
        renyi=tuple(value.upper_decimal() for value in enclose_all(curve)),
        distance_learned=enclose(learned).upper_decimal(),
        distance_released=enclose(released).upper_decimal(),
    )


def _timeline(run: Run, request: int, claim: Claim) -> Derivation:
    """The one that the bound rests on, so that what is known of it is not computed again; with `release = "all"` the
    bound has several short ones."""
    timelines = [node for node in claim.bound.nodes() if node.theorem.concludes is Timeline]
    return (
        timelines[0]
        if run.mechanism.release == "final" and len(timelines) == 1
        else derive_timeline(run.mechanism, request)
    )


def largest(texts: Sequence[str | None]) -> str | None:
    """The largest of some decimals, as it is written; None where there is none."""
    return max((text for text in texts if text is not None), key=Fraction, default=None)


def renyi_of_the_run(natives: Sequence[Natives]) -> tuple[dict[str, str], ...]:
    """At each order the largest of the requests' divergences: the run's own, whichever request is looked at."""
    columns = zip(*(native.renyi for native in natives), strict=True)
    return tuple(
        {"order": canonical(order), "upper": largest(column)}
        for order, column in zip(RENYI_ORDERS, columns, strict=True)
    )
