"""`certify` for DP-SGD and its relatives: one claim, about every noisy sum of the run together."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from accountant import ASSUMPTIONS, Derivation, enclose, enclose_all
from accountant.core.exact import Rounding, canonical, decimal, round_decimal
from accountant.core.quantities import GaussianWitness
from accountant.dpsgd.derive import (
    RENYI_ORDERS,
    WIDTH,
    Guarantee,
    Training,
    derive_guarantees,
    derive_training,
)
from accountant.mechanisms.dpsgd import ScaledSGD
from accountant.pld import Tolerances
from certify.results.claims import DIGITS, Claim, refusals
from certify.results.floor import ROUNDING, status_of
from certify.results.result import Progress, Result
from certify.runfile.read import Run

_WIDTH_DIGITS = 3


def certify_training(
    run: Run,
    *,
    width: Fraction | Tolerances | None = None,
    guarantees: bool = True,
    progress: Progress | None = None,
) -> Result:
    """Decide whether a run meets its target, and bound what it does meet.

    Args:
        width: of the bracket, relative, or how far each end may be off; by default 1e-3, and finer
            where the target lies in it.
        guarantees: whether the guarantee for the other kind of neighbours is computed too.
        progress: called as progress(what, 0, 0) before each long computation.

    Raises:
        UsageError: a run that no theorem covers.
        Indeterminate: a side condition cannot be decided.
    """
    with refusals():
        more = {"target": run.target_epsilon} if width is None else {"width": width}
        steps = None if progress is None else lambda message: progress(message, 0, 0)
        bounds = derive_training(run.mechanism, run.target_delta, progress=steps, **more)
        claim = Claim(
            size=1,
            epochs=0,
            bound=bounds.mu or bounds.upper,
            upper=bounds.upper,
            epsilon=enclose(bounds.upper),
            lower=bounds.lower,
            witness_epsilon=enclose(bounds.lower),
            least=bounds.least,
        )
        promised = (
            derive_guarantees(run.mechanism, run.target_delta, bounds.upper, progress=steps) if guarantees else ()
        )
        asked_width = None if isinstance(width, Tolerances) else width or WIDTH
        return _summarise(run, claim, bounds, promised, asked_width)


def _summarise(
    run: Run, claim: Claim, bounds: Training, promised: tuple[Guarantee, ...], asked_width: Fraction | None
) -> Result:
    target = run.target_epsilon
    rests = (
        bounds.sensitivity,
        bounds.upper,
        bounds.lower,
        bounds.curve,
        bounds.fractional,
        *(g.upper for g in promised),
    )
    roots = [d for d in rests if d is not None]
    return Result(
        verdict=claim.verdict(target),
        out_of_reach=claim.out_of_reach(target),
        epsilon={
            "lower": claim.witness_epsilon.lower_decimal(),
            "upper": claim.printed(target),
            "target": canonical(target),
        },
        delta=decimal(round_decimal(run.target_delta, DIGITS, Rounding.UP), DIGITS),
        mu=_mu(bounds),
        wasserstein={"learned": None, "released": None},
        renyi=_renyi(bounds),
        requests=(),
        theorems=tuple(sorted({node.theorem.id for root in roots for node in root.nodes()})),
        assumptions=tuple(assumptions(run.mechanism, roots, [ROUNDING] if status_of(run) else [])),
        published={"chien2024": {"epsilon": None}},
        fallback=None,
        digest=run.digest,
        run=run,
        claims=(claim,),
        worst=claim,
        curve=bounds.curve,
        fractional=bounds.fractional,
        sensitivity=bounds.sensitivity,
        guarantees=tuple(_guarantee(kind, claim, target) for kind in promised),
        promised=tuple(kind.upper for kind in promised),
        bracket=_bracket(bounds.width, asked_width),
    )


def _bracket(width: Fraction | None, asked_width: Fraction | None) -> dict[str, Any] | None:
    """How wide the bracket is, and whether that was asked for; None without a grid, or if no width was asked for."""
    if width is None or asked_width is None:
        return None
    return {
        "sharp": width <= asked_width,
        "width": decimal(round_decimal(width, _WIDTH_DIGITS, Rounding.UP), _WIDTH_DIGITS),
        "asked": decimal(asked_width),
    }


def _guarantee(kind: Guarantee, claim: Claim, target: Fraction) -> dict[str, Any]:
    """One of both; where it is the claim itself, with its numbers."""
    epsilon: dict[str, str | None]
    if kind.upper is None:
        epsilon = {"lower": None, "upper": None}
    elif kind.upper is claim.upper:
        epsilon = {"lower": claim.witness_epsilon.lower_decimal(), "upper": claim.printed(target)}
    else:
        epsilon = {"lower": None, "upper": enclose(kind.upper).upper_decimal()}
    return {"name": kind.name, "neighbours": kind.neighbours, "epsilon": epsilon}


def _renyi(bounds: Training) -> tuple[dict[str, str], ...]:
    """Every order, ascending; none where there is no curve."""
    curves = [curve for curve in (bounds.fractional, bounds.curve) if curve is not None]
    values = [value.upper_decimal() for curve in curves for value in enclose_all(curve)]
    orders = RENYI_ORDERS if values else ()
    return tuple({"order": canonical(order), "upper": value} for order, value in zip(orders, values, strict=True))


def _mu(bounds: Training) -> dict[str, str | None]:
    if bounds.mu is None:
        return {"lower": None, "upper": None}
    (witness,) = (node for node in bounds.lower.nodes() if node.theorem.concludes is GaussianWitness)
    return {"lower": enclose(witness).lower_decimal(), "upper": enclose(bounds.mu).upper_decimal()}


def assumptions(mechanism: ScaledSGD, roots: list[Derivation], more: Iterable[str] = ()) -> list[dict[str, str]]:
    """What the bound rests on, and `more`; only the user can attest it."""
    known = {name for root in roots for name in root.assumptions} | {f"neighbours:{mechanism.neighbours}", *more}
    ids = sorted(known - {"release:all"})  # T7's: every model is a function of the sums
    if mechanism.group_size > 1:
        ids.append(f"group:{mechanism.group_sampling}")
    if mechanism.others:
        ids.append("other_releases")
    return [{"id": name, "status": "attested", "text": ASSUMPTIONS[name]} for name in ids]
