"""The rules of a policy, each a name, a limit in words, and a judgement of a certificate that the checker verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from accountant.core.exact import canonical
from certify.gating.ledgers import Ledgers
from certify.gating.policy import Policy
from certify.report.hazards import answers, warnings
from certify.report.reading import Reading
from certify.results.floor import ROUNDING
from certify.trust.execution import SECRET

SIGNATURES = "signatures.threshold"


@dataclass(frozen=True)
class Rule:
    """`judge(predicate, reading)` is what the certificate has, in words, and whether that is within the limit."""

    name: str
    limit: str
    judge: Callable[[dict[str, Any], Reading], tuple[str, bool]]


def rules(policy: Policy, on: date, ledgers: Ledgers) -> Iterator[Rule]:
    """What the policy asks of a certificate on a day, in the order of its tables."""
    yield from _limits(policy)
    yield from _guarantees(policy)
    yield from _assumptions(policy)
    if policy.table.signatures is not None and (threshold := policy.threshold) is not None:
        names = ", ".join(policy.table.signatures.keys)
        yield Rule(
            SIGNATURES,
            f"{threshold} of {names}",
            lambda _, reading: (str(len(reading.report.signers)), len(reading.report.signers) >= threshold),
        )
    yield from _freshness(policy, on)
    if policy.table.freshness.not_revoked is not None:
        limit = f"in {', '.join(ledgers.names)}"
        yield Rule("freshness.not_revoked", limit, lambda _, reading: ledgers.judge(reading))
    yield from _report(policy, on)
    yield from _run(policy)
    yield from _execution(policy)


def _limits(policy: Policy) -> Iterator[Rule]:
    limits = policy.table.limits
    required, epsilon, delta = limits.require_verdict, limits.max_epsilon, limits.max_delta
    yield Rule("limits.require_verdict", required, lambda p, _: (p["verdict"], p["verdict"] == required))
    if epsilon is not None:
        yield Rule(
            "limits.max_epsilon",
            canonical(epsilon),
            lambda p, _: (measured(p), Fraction(measured(p)) <= epsilon),
        )
    if limits.executed:
        within = "the target" if epsilon is None else f"{canonical(epsilon)} and the target"
        yield Rule("limits.executed", within, lambda p, _: executed_within(p, epsilon))
    if delta is not None:
        yield Rule("limits.max_delta", canonical(delta), lambda p, _: (canonical(delta_of(p)), delta_of(p) <= delta))


def executed_within(predicate: dict[str, Any], most: Fraction | None) -> tuple[str, bool]:
    """ε of the run as it was executed, in words, and whether it is within the target and the limit."""
    stated = predicate.get("execution", {}).get("finite_precision")
    if stated is None:
        return "not stated", False
    epsilon, target = stated["executed"]["epsilon"], Fraction(predicate["epsilon"]["target"])
    if epsilon is None:
        return "no ε", False
    return epsilon, Fraction(epsilon) <= (target if most is None else min(target, most))


def measured(predicate: dict[str, Any]) -> str:
    """The ε that a limit is about: the proved bound, which does not count rounding; where that is only known to be
    little beside the target, the target."""
    epsilon = predicate["epsilon"]
    status = {a["id"]: a["status"] for a in predicate["assumptions"]}.get(ROUNDING)
    return max(epsilon["upper"], epsilon["target"], key=Fraction) if status == "proved" else epsilon["upper"]


def _guarantees(policy: Policy) -> Iterator[Rule]:
    def judged(name: str, most: Fraction) -> Callable[..., tuple[str, bool]]:
        def judge(predicate: dict[str, Any], _: Reading) -> tuple[str, bool]:
            if "guarantees" not in predicate:
                return "not stated: of training runs alone", False
            (guarantee,) = (one for one in predicate["guarantees"] if one["name"] == name)
            upper = guarantee["epsilon"]["upper"]
            if upper is None:
                return "nothing is claimed", False
            return f"{upper} ({guarantee['neighbours']})", Fraction(upper) <= most

        return judge

    for name in ("membership", "attribute or label"):
        key = name.replace(" ", "_")
        if (most := getattr(policy.table.guarantees, key)) is not None:
            yield Rule(f"guarantees.{key}", canonical(most), judged(name, most))


def delta_of(predicate: dict[str, Any]) -> Fraction:
    """δ of the claim, exactly; the certificate displays it rounded up."""
    run = predicate["run"]
    written = run["target"]["delta"]
    return Fraction(1, int(run["mechanism"]["samples"])) if written == "1/n" else Fraction(written)


def _assumptions(policy: Policy) -> Iterator[Rule]:
    table = policy.table.assumptions
    special, forbidden = table.model_extra or {}, set(table.forbidden)

    def others(predicate: dict[str, Any], _: Reading) -> tuple[str, bool]:
        violated = [
            f"{a['id']} is {a['status']}"
            for a in predicate["assumptions"]
            if a["id"] not in special and a["status"] not in table.allowed
        ]
        return ", ".join(violated) or "all are", not violated

    def is_one_of(name: str, statuses: list[str]) -> Callable[..., tuple[str, bool]]:
        def judge(predicate: dict[str, Any], _: Reading) -> tuple[str, bool]:
            status = {a["id"]: a["status"] for a in predicate["assumptions"]}.get(name)
            return status or "not assumed", status is None or status in statuses

        return judge

    def no_forbidden(predicate: dict[str, Any], _: Reading) -> tuple[str, bool]:
        present = [a["id"] for a in predicate["assumptions"] if a["id"] in forbidden]
        return ", ".join(present) or "none of them", not present

    yield Rule("assumptions.allowed", ", ".join(table.allowed) or "none", others)
    for name, statuses in special.items():
        yield Rule(f"assumptions.{name}", ", ".join(statuses) or "not to be assumed", is_one_of(name, statuses))
    if forbidden:
        yield Rule("assumptions.forbidden", f"not {', '.join(table.forbidden)}", no_forbidden)


def _freshness(policy: Policy, on: date) -> Iterator[Rule]:
    most = policy.table.freshness.max_age_days

    def created(predicate: dict[str, Any]) -> date:
        return date.fromisoformat(predicate["created"][:10])

    def age_within(most: int) -> Callable[..., tuple[str, bool]]:
        def judge(predicate: dict[str, Any], _: Reading) -> tuple[str, bool]:
            days = (on - created(predicate)).days
            return f"{days} (created on {created(predicate)})", days <= most

        return judge

    # Also without a [freshness] table: a date in the future is false.
    yield Rule("created", f"not after {on}", lambda p, _: (str(created(p)), created(p) <= on))
    if most is not None:
        yield Rule("freshness.max_age_days", str(most), age_within(most))
    if policy.table.freshness.require_expiry:
        yield Rule(
            "freshness.require_expiry",
            "an expiry date",
            lambda p, _: (p.get("expires", "no expiry date"), "expires" in p),
        )


def _report(policy: Policy, on: date) -> Iterator[Rule]:
    """What the report of the certificate would say on that day."""
    most, asked = policy.table.report.max_warnings, policy.table.report.answered

    def at_most(most: int) -> Callable[..., tuple[str, bool]]:
        def judge(_: dict[str, Any], reading: Reading) -> tuple[str, bool]:
            ids = [warning.id for warning in warnings(reading, on)]
            return f"{len(ids)} ({', '.join(ids)})" if ids else "0", len(ids) <= most

        return judge

    def answered(_: dict[str, Any], reading: Reading) -> tuple[str, bool]:
        open_ones = [a.question.id for a in answers(reading, on) if a.status == "not assessed"]
        missing = [item for item in asked if item in open_ones]
        return f"not assessed: {', '.join(missing)}" if missing else "all are", not missing

    if most is not None:
        yield Rule("report.max_warnings", str(most), at_most(most))
    if asked:
        yield Rule("report.answered", ", ".join(asked), answered)


def _run(policy: Policy) -> Iterator[Rule]:
    readers: dict[str, Callable[[dict[str, Any]], str]] = {
        "mechanisms": lambda run: run["mechanism"]["kind"],
        "neighbours": lambda run: run["threat"]["neighbours"],
        "references": reference_of,
        "releases": lambda run: run["threat"].get("release", "sums"),
    }

    def is_one_of(get: Callable[[dict[str, Any]], str], allowed: list[str]) -> Callable[..., tuple[str, bool]]:
        return lambda predicate, _: (get(predicate["run"]), get(predicate["run"]) in allowed)

    for key, get in readers.items():
        if (allowed := getattr(policy.table.run, key)) is not None:
            yield Rule(f"run.{key}", ", ".join(allowed), is_one_of(get, allowed))


def reference_of(run: dict[str, Any]) -> str:
    """What unlearning is compared with; "none" where the claim is about learning."""
    unlearns = any(int(epochs) for epochs in run["mechanism"].get("unlearning_epochs", ()))
    return run["threat"]["reference"] if unlearns else "none"


def _execution(policy: Policy) -> Iterator[Rule]:
    table = policy.table.execution
    if table.required:
        yield Rule(
            "execution.required",
            "executed",
            lambda p, _: ("executed" if "execution" in p else "not executed", "execution" in p),
        )
    if table.executed:
        yield Rule(
            "execution.executed", "executed with secret noise", lambda p, _: (noise_of(p), noise_of(p) == SECRET)
        )
    if not table.allow_reproducible_noise:
        yield Rule(
            "execution.allow_reproducible_noise",
            "secret, or not executed",
            lambda p, _: (noise_of(p), noise_of(p) != "reproducible"),
        )


def noise_of(predicate: dict[str, Any]) -> str:
    return predicate["execution"]["noise"] if "execution" in predicate else "not executed"
