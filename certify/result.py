"""`certify`: from a run file to a verdict with its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accountant import (
    ASSUMPTIONS,
    Derivation,
    derive_distance,
    derive_published,
    derive_renyi,
    derive_timeline,
    enclose,
    enclose_all,
)
from accountant.derive import RENYI_ORDERS
from accountant.exact import canonical, decimal, round_decimal
from accountant.losses import DerivedLoss
from accountant.timeline import history
from certify.claims import DIGITS, Claim, Verdict, make_claim, worst
from certify.errors import Exit
from certify.spec import Run, read_run

EXIT_OF = {
    Verdict.CERTIFIED: Exit.OK,
    Verdict.NOT_CERTIFIED: Exit.NOT_CERTIFIED,
    Verdict.INDETERMINATE: Exit.INDETERMINATE,
}


@dataclass(frozen=True)
class Result:
    """What `certify` found. Numbers are decimal strings rounded outward; None where there is none.

    The fields are those of `--format json`; `run`, `claims` and the derivations behind them are for `explain` and the
    certificate.
    """

    verdict: Verdict
    out_of_reach: bool
    epsilon: Mapping[str, str | None]
    delta: str
    mu: Mapping[str, str | None]
    wasserstein: Mapping[str, str]
    renyi: tuple[Mapping[str, str], ...]
    requests: tuple[Mapping[str, Any], ...]
    theorems: tuple[str, ...]
    assumptions: tuple[Mapping[str, str], ...]
    published: Mapping[str, Mapping[str, str | None]]
    digest: str
    run: Run = field(repr=False)
    claims: tuple[Claim, ...] = field(repr=False)
    worst: Claim = field(repr=False)
    curve: Derivation = field(repr=False)
    learned: Derivation = field(repr=False)
    released: Derivation = field(repr=False)

    @property
    def exit_code(self) -> Exit:
        return EXIT_OF[self.verdict]

    @property
    def roots(self) -> tuple[Derivation, ...]:
        """Every derivation that the result rests on."""
        ends = [d for claim in self.claims for d in (claim.upper, claim.lower) if d is not None]
        return (*ends, self.curve, self.learned, self.released)

    def as_json(self) -> dict[str, Any]:
        """The one JSON object of `certify --format json`."""
        return {
            "verdict": str(self.verdict),
            "out_of_reach": self.out_of_reach,
            "epsilon": dict(self.epsilon),
            "delta": self.delta,
            "mu": dict(self.mu),
            "wasserstein": dict(self.wasserstein),
            "renyi": [dict(point) for point in self.renyi],
            "requests": [dict(request) for request in self.requests],
            "theorems": list(self.theorems),
            "assumptions": [dict(assumption) for assumption in self.assumptions],
            "published": {name: dict(value) for name, value in self.published.items()},
            "digest": self.digest,
        }


def certify(
    source: str | Path | Mapping[str, Any] | Run, *, progress: Callable[[int, int], None] | None = None
) -> Result:
    """Decide whether a run meets its target, and bound what it does meet.

    Args:
        source: a run file, its tables as a mapping, or a `Run`.
        progress: called as progress(done, of) after each request.

    Raises:
        UsageError: malformed, or a run that no theorem covers.
        Indeterminate: a side condition cannot be decided.
    """
    run = source if isinstance(source, Run) else read_run(source)
    claims = []
    for request in range(len(run.mechanism.requests)):
        claims.append(make_claim(run, request))
        if progress:
            progress(request + 1, len(run.mechanism.requests))
    return summarise(run, tuple(claims))


def summarise(run: Run, claims: tuple[Claim, ...]) -> Result:
    """Put the claims of a run together."""
    target, top = run.target_epsilon, worst(claims, run.target_epsilon)
    verdicts = {claim.verdict(target) for claim in claims}
    verdict = next(v for v in (Verdict.NOT_CERTIFIED, Verdict.INDETERMINATE, Verdict.CERTIFIED) if v in verdicts)
    request = claims.index(top)
    timeline, runs = derive_timeline(run.mechanism, request), history(run.mechanism, request)
    curve = derive_renyi(top.bound)
    learned = derive_distance(timeline, runs.learning_phases)
    released = derive_distance(timeline, len(runs.phases))
    result = Result(
        verdict=verdict,
        out_of_reach=any(claim.out_of_reach(target) for claim in claims),
        epsilon={
            "lower": None if top.witness_epsilon is None else top.witness_epsilon.below(),
            "upper": top.printed(target),
            "target": canonical(target),
        },
        delta=decimal(round_decimal(run.target_delta, DIGITS, up=True), DIGITS),
        mu={
            "lower": top.mu_lower(),
            "upper": enclose(top.bound).above(),
        },
        wasserstein={"learned": enclose(learned).above(), "released": enclose(released).above()},
        renyi=tuple(
            {"order": canonical(order), "upper": value.above()}
            for order, value in zip(RENYI_ORDERS, enclose_all(curve), strict=True)
        ),
        requests=tuple(
            {"size": claim.size, "epochs": claim.epochs, "epsilon": claim.printed(target)} for claim in claims
        ),
        theorems=(),
        assumptions=tuple(assumptions(run)),
        published={"chien2024": {"epsilon": None}}
        | {
            name: {"epsilon": enclose(bound).above()}
            for name, bound in derive_published(run.mechanism, run.target_delta).items()
        },
        digest=run.digest,
        run=run,
        claims=claims,
        worst=top,
        curve=curve,
        learned=learned,
        released=released,
    )
    ids = sorted({node.theorem.id for root in result.roots for node in root.nodes()})
    object.__setattr__(result, "theorems", tuple(ids))
    return result


def assumptions(run: Run) -> list[dict[str, str]]:
    """What the bound rests on, with who answers for it; the loss's constants are proved where Plumbline derived
    them."""
    mechanism = run.mechanism
    derived = isinstance(mechanism.loss, DerivedLoss)
    chosen = [
        "convexity",
        "smoothness",
        "gradient_bound",
        *(mechanism.loss.theorem.assumes if derived else ()),
        "gaussian_noise",
        *(["projection"] if mechanism.radius is not None else []),
        "starts",
        f"neighbours:{mechanism.neighbours}",
        "batches:fixed",
        *(["batches:secret"] if mechanism.batch_order == "secret" else []),
        f"release:{mechanism.release}",
        *([f"reference:{mechanism.reference}"] if any(mechanism.unlearning_epochs) else []),
    ]
    proved = {"convexity", "smoothness", "gradient_bound"} if derived else set()
    return [
        {"id": name, "status": "proved" if name in proved else "attested", "text": ASSUMPTIONS[name]} for name in chosen
    ]
