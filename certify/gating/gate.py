"""`gate`: checks certificates against a policy. The standalone checker verifies each; then the policy's rules are
applied to what it says, one by one."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from certify import checker
from certify.errors import Exit, UsageError
from certify.gating.ledgers import Ledgers, read_ledgers
from certify.gating.policy import Policy, read_policy
from certify.gating.rules import SIGNATURES, rules
from certify.report.reading import Reading
from certify.trust.verify import end_of, read_certificate, sha256_of

VERIFIED = "verified"
INTACT = "intact, follows, has not expired"
MODEL = "execution.model"


@dataclass(frozen=True)
class Check:
    """One rule applied to one certificate. `passed` is None where it was not reached."""

    rule: str
    passed: bool | None
    value: str
    limit: str


@dataclass(frozen=True)
class Judged:
    """One certificate and its checks. The exit code is the checker's where it refused, else 1 where a rule fails."""

    file: str
    checks: tuple[Check, ...]
    exit_code: Exit
    meta: Mapping[str, str] = field(default_factory=dict)  # what its [meta] calls it, where it was verified

    @property
    def violated(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.passed is False)

    def as_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "passed": self.exit_code == Exit.OK,
            "exit_code": int(self.exit_code),
            **({"meta": dict(self.meta)} if self.meta else {}),
            "rules": [vars(check) for check in self.checks],
        }


@dataclass(frozen=True)
class Gate:
    """What a gate found."""

    policy: str
    on: date
    certificates: tuple[Judged, ...]

    @property
    def exit_code(self) -> Exit:
        """0 if all pass; else 4 if something does not match, else 2 if something is malformed, else 1."""
        codes = {judged.exit_code for judged in self.certificates}
        return next((code for code in (Exit.MISMATCH, Exit.USAGE, Exit.NOT_CERTIFIED) if code in codes), Exit.OK)

    def lines(self) -> list[str]:
        """One line for each violated rule, one for each certificate that passes, and a last one."""
        lines = []
        for judged in self.certificates:
            name = judged.file + "".join(f", {key} {text}" for key, text in sorted(judged.meta.items()))
            for check in judged.violated:
                lines.append(f"FAIL  {name}: {check.rule}: {check.value} (limit: {check.limit})")
            if judged.exit_code == Exit.OK:
                lines.append(f"PASS  {name}: {len(judged.checks)} rules")
        passed = sum(judged.exit_code == Exit.OK for judged in self.certificates)
        return [*lines, f"{passed} of {len(self.certificates)} pass {self.policy} on {self.on}"]

    def as_json(self) -> dict[str, Any]:
        return {
            "passed": self.exit_code == Exit.OK,
            "exit_code": int(self.exit_code),
            "policy": self.policy,
            "date": self.on.isoformat(),
            "certificates": [judged.as_json() for judged in self.certificates],
        }


def gate(
    policy: str | Path,
    certificates: Sequence[str | Path],
    *,
    on: date | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Gate:
    """Hold certificates to a policy.

    Args:
        policy: path of the policy (TOML).
        certificates: paths. One that cannot be read, or that is not a certificate, is judged as malformed.
        on: the day (UTC) to judge expiry and age by; now, unless given.
        progress: called as progress("gate", certificates done, certificates in all).

    Raises:
        UsageError: a malformed policy, no certificate at all, or a ledger that cannot be read.
        checker.Mismatch: a ledger whose chain is broken.
    """
    read = read_policy(policy)
    if not certificates:
        raise UsageError("gate: needs a certificate")
    ledgers = read_ledgers(read)
    now = datetime.now(UTC) if on is None else end_of(on)
    judged = []
    for done, path in enumerate(certificates):
        if progress:
            progress("gate", done, len(certificates))
        judged.append(_judge(read, path, now, ledgers))
    return Gate(str(policy), now.date(), tuple(judged))


def _judge(policy: Policy, path: str | Path, now: datetime, ledgers: Ledgers) -> Judged:
    judges, model = tuple(rules(policy, now.date(), ledgers)), policy.table.execution.model
    limits = {VERIFIED: INTACT, **{rule.name: rule.limit for rule in judges}, **({MODEL: model} if model else {})}
    data = b""
    try:
        data = read_certificate(path)
        report = checker.verify(data, keys=policy.keys, threshold=policy.threshold, now=now)
        statement = _statement(data)
        reading = Reading(data, report, statement, checker.read_json(data, "envelope")["digest"]["sha256"])
    except UsageError as unreadable:
        return _refused(limits, path, VERIFIED, str(unreadable).removeprefix(f"{path}: "), Exit.USAGE)
    except checker.CheckError as refused:
        return _refused(limits, path, _rule_of(refused, data), str(refused), Exit(refused.exit_code))
    checks = [Check(VERIFIED, True, "yes", INTACT)]
    for rule in judges:
        value, passed = rule.judge(statement["predicate"], reading)
        checks.append(Check(rule.name, passed, value, rule.limit))
    code = Exit.OK if all(check.passed for check in checks) else Exit.NOT_CERTIFIED
    if model is not None:
        problem = _model(Path(path).parent / model, statement)
        checks.append(Check(MODEL, problem == "the certified model", problem, model))
        code = {"the certified model": code, "another model": Exit.MISMATCH}.get(problem, code or Exit.NOT_CERTIFIED)
    return Judged(str(path), tuple(checks), code, statement["predicate"].get("meta", {}))


def _model(path: Path, statement: dict[str, Any]) -> str:
    """What the file is to the certificate, in words."""
    certified = {entry["name"]: entry["digest"]["sha256"] for entry in statement["subject"]}.get("model")
    if certified is None:
        return "not executed: no model is certified"
    try:
        return "the certified model" if sha256_of(path) == certified else "another model"
    except UsageError as unreadable:
        return str(unreadable)


def _statement(data: bytes) -> dict[str, Any]:
    """Of a certificate that the checker verified."""
    envelope = checker.read_json(data, "envelope")
    statement = checker.read_json(base64.b64decode(envelope["payload"]), "payload")
    if statement["predicateType"] != checker.CERTIFICATE:
        raise checker.Malformed("is the record of an erasure, not a certificate")
    return statement


def _rule_of(refused: checker.CheckError, data: bytes) -> str:
    """Which rule the checker's refusal is about: in its step 2, if the envelope is whole, that about signatures."""
    if isinstance(refused, checker.Mismatch) and refused.steps[-1].startswith("2 "):
        try:
            checker.open_envelope(checker.read_json(data, "envelope"))
        except checker.CheckError:
            return VERIFIED
        return SIGNATURES
    return VERIFIED


def _refused(limits: Mapping[str, str], path: str | Path, broken: str, problem: str, code: Exit) -> Judged:
    """A certificate that the checker refused: one rule is violated, and the others were not reached."""
    checks = (
        Check(name, False, problem, limit) if name == broken else Check(name, None, "not reached", limit)
        for name, limit in limits.items()
    )
    return Judged(str(path), tuple(checks), code)
