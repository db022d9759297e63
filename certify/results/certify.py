"""`certify`: from a run file to a verdict with its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from accountant import (
    ASSUMPTIONS,
    InvalidMechanism,
    ScaledSGD,
    TheoremError,
    derive,
    derive_published,
    derive_upper,
    enclose,
)
from accountant.core.exact import Rounding, canonical, decimal, round_decimal
from accountant.core.facts import Family
from accountant.losses import DerivedLoss, Loss, ScaledLoss
from accountant.mechanisms.pnsgd import Release
from accountant.pnsgd.search.string import TooLong
from certify.results.certify_dpsgd import certify_training
from certify.results.claims import DIGITS, Claim, Verdict, make_claim, worst
from certify.results.fallback import describe_fallback
from certify.results.floor import ROUNDING, is_violated, rounding_of, status_of
from certify.results.natives import derive_natives, largest, renyi_of_the_run
from certify.results.result import Progress, Result
from certify.runfile.extremes import within_doubles
from certify.runfile.read import Run, read_run


def certify(source: str | Path | Mapping[str, Any] | Run, *, progress: Progress | None = None) -> Result:
    """Decide whether a run meets its target, and bound what it does meet.

    Args:
        source: a run file, its tables as a mapping, or a `Run`.
        progress: called as progress(what, done, of) after each request, or in a training run before each long
            computation, where `of` is 0.

    Raises:
        UsageError: malformed, or a run that no theorem covers.
        Indeterminate: a side condition cannot be decided.
    """
    run = source if isinstance(source, Run) else read_run(source)
    with within_doubles(run):
        return (
            certify_training(run, progress=progress)
            if isinstance(run.mechanism, ScaledSGD)
            else _certify(run, progress)
        )


def _certify(run: Run, progress: Progress | None) -> Result:
    claims = []
    for request in range(len(run.mechanism.requests)):
        claims.append(make_claim(run, request))
        if progress:
            progress("certify", request + 1, len(run.mechanism.requests))
    return replace(summarise(run, tuple(claims)), other_release=other_release(run))


def other_release(run: Run) -> dict[str, str | None] | None:
    """What the same run would cost under the other release: the largest ε of its requests; None as ε where no theorem
    covers that. None where nothing is unlearned, and both are the same."""
    mechanism = run.mechanism
    if not any(mechanism.unlearning_epochs) and len(mechanism.requests) == 1:
        return None
    other: Release = "all" if mechanism.release == "final" else "final"
    last = len(mechanism.requests) - 1
    looked_at = range(last if other == "all" else 0, last + 1)  # under "all" a later request adds records and stretches
    try:
        changed = replace(mechanism, release=other)
        bounds = [derive_upper(changed, run.target_delta, i, derive(changed, i)) for i in looked_at]
    except (InvalidMechanism, TheoremError, TooLong):
        return {"release": other, "epsilon": None}
    return {"release": other, "epsilon": largest([enclose(bound).upper_decimal(DIGITS) for bound in bounds])}


def summarise(run: Run, claims: tuple[Claim, ...], first: int = 0) -> Result:
    """Put the claims of a run together: those of its requests from `first` (0-based) on."""
    target, top = run.target_epsilon, worst(claims, run.target_epsilon)
    verdicts = {claim.verdict(target) for claim in claims}
    verdict = next(v for v in (Verdict.NOT_CERTIFIED, Verdict.INDETERMINATE, Verdict.CERTIFIED) if v in verdicts)
    if is_violated(run):
        verdict = Verdict.INDETERMINATE
    natives = tuple(derive_natives(run, request, claim) for request, claim in enumerate(claims, first))
    result = Result(
        verdict=verdict,
        out_of_reach=any(claim.out_of_reach(target) for claim in claims),
        epsilon={
            "lower": None if top.witness_epsilon is None else top.witness_epsilon.lower_decimal(),
            "upper": top.printed(target),
            "target": canonical(target),
        },
        delta=decimal(round_decimal(run.target_delta, DIGITS, Rounding.UP), DIGITS),
        # Of the run, not of the request with the largest ε: another may have the larger μ, W∞ or D_α.
        mu={
            "lower": largest([claim.mu_lower() for claim in claims]),
            "upper": largest([enclose(claim.bound).upper_decimal() for claim in claims]),
        },
        wasserstein={
            "learned": largest([native.distance_learned for native in natives]),
            "released": largest([native.distance_released for native in natives]),
        },
        renyi=renyi_of_the_run(natives),
        requests=tuple(
            {"size": claim.size, "epochs": claim.epochs, "epsilon": claim.printed(target)} for claim in claims
        ),
        theorems=(),
        assumptions=(),
        published={"chien2024": {"epsilon": None}}
        | {
            name: {"epsilon": enclose(bound).upper_decimal()}
            for name, bound in derive_published(run.mechanism, run.target_delta).items()
        },
        fallback=describe_fallback(run, claims),
        rounding=rounding_of(run),
        digest=run.digest,
        run=run,
        claims=claims,
        worst=top,
        natives=natives,
    )
    nodes = [node for root in result.roots for node in root.nodes()]
    ids = sorted({node.theorem.id for node in nodes})
    steps = any(node.theorem.facts.family is Family.NONCONVEX_STEP for node in nodes)
    return replace(result, theorems=tuple(ids), assumptions=tuple(assumptions(run, steps)))


def assumptions(run: Run, nonconvex_steps: bool) -> list[dict[str, str]]:
    """What the bound rests on, with who answers for it; the loss's constants are proved where Plumbline derived
    them. What the run does not have is violated: no derivation rests on it. What is known of the regulariser stands in
    the text on convexity, or where that does not hold, or is not enough (T22, T23), by itself. Every assumption of
    every theorem that was applied is in the list."""
    mechanism, constants = run.mechanism, run.mechanism.loss.constants()
    derived, floor = isinstance(mechanism.loss, DerivedLoss), status_of(run)
    chosen = [
        "convexity",
        "smoothness",
        *(["gradient_bound"] if not constants.whole_batch else []),
        *(["weight_decay"] if not constants.convex or nonconvex_steps else []),
        *(["per_record_clipping"] if _clips_records(mechanism.loss) else []),
        *(["batch_clipping"] if constants.whole_batch else []),
        *(name for name in (mechanism.loss.theorem.assumes if derived else ()) if not name.endswith("_clipping")),
        "gaussian_noise",
        *([ROUNDING] if floor is not None else []),
        *(["projection"] if mechanism.radius is not None else []),
        "starts",
        f"neighbours:{mechanism.neighbours}",
        "batches:fixed",
        *(["batches:secret"] if mechanism.batch_order == "secret" else []),
        f"release:{'adaptively' if mechanism.chosen == 'adaptively' else mechanism.release}",
        *([f"reference:{mechanism.reference}"] if any(mechanism.unlearning_epochs) else []),
    ]
    proved = {"convexity", "smoothness", "gradient_bound"} if derived else set()
    status = dict.fromkeys(chosen, "attested") | dict.fromkeys(proved, "proved")
    if floor is not None:
        status[ROUNDING] = floor
    if not constants.convex:
        status["convexity"] = "violated"
    if constants.smoothness is None:
        status["smoothness"] = "violated"
    return [{"id": name, "status": status[name], "text": ASSUMPTIONS[name]} for name in chosen]


def _clips_records(loss: Loss) -> bool:
    """Whether each record's gradient is clipped, or scaled, by itself."""
    clip = getattr(loss, "clip", None) is not None or isinstance(loss, ScaledLoss)
    return clip and not loss.constants().whole_batch
