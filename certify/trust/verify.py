"""`verify`: the standalone checker on a file, with a run file, keys and files to compare with if there are any."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from accountant.core.display import page, table
from certify import checker
from certify.errors import Exit, UsageError


@dataclass(frozen=True)
class Verification:
    """What the checker found. `report` is None where it refused; then `problem` says why in one line."""

    exit_code: int
    steps: tuple[str, ...]
    report: checker.Report | None
    problem: str | None

    @property
    def verified(self) -> bool:
        """Whether the certificate is intact, its claim follows, and it meets its target."""
        return self.exit_code == Exit.OK

    def text(self) -> str:
        return "\n".join(self.steps) if self.report is None else str(self.report)

    def _repr_html_(self) -> str:
        title = "Verified" if self.verified else f"Not verified (exit {int(self.exit_code)})"
        lines = [{"step": line} for line in ([self.problem] if self.problem else []) + list(self.steps)]
        return page(title, table("What was checked", lines))

    def as_json(self) -> dict[str, Any]:
        report = self.report
        return {
            "verified": self.verified,
            "exit_code": int(self.exit_code),
            "steps": list(self.steps),
            "problem": self.problem,
            "verdict": report and report.verdict,
            "claim": report and report.claim,
            "digest": report and report.digest,
            "created": report and report.created,
            "expires": report and report.expires,
            "signed": report and report.signed,
            "signatures": report and report.signatures,
            "signers": report and list(report.signers),
            "threshold": report and report.threshold,
            "notes": report and list(report.notes),
        }


def verify(
    certificate: str | Path,
    *,
    run: str | Path | None = None,
    keys: Sequence[str | Path] = (),
    threshold: int | None = None,
    subjects: Sequence[str | Path] = (),
    on: date | None = None,
    of: str | Path | None = None,
    work: int | None = None,
) -> Verification:
    """Re-derive a certificate's claim from nothing but its bytes; hold an erasure record against its certificate.

    Args:
        certificate: path of certificate.json.
        run: a run file; a certificate about another run is refused (exit 4).
        keys: public keys (PEM files) whose signatures are asked for.
        threshold: how many of them must have signed; all, unless given.
        subjects: files that the certificate must be about (exit 4 if not).
        on: the day (UTC) to judge expiry by; now, unless given.
        of: of an erasure record, the certificate that it names; without it the record is not verified (exit 3).
        work: how much work may be done, in the checker's units (docs/certificate.md); used up: exit 3.

    Raises:
        UsageError: a file that cannot be read, a malformed run file or key, or a threshold that no keys can meet.
    """
    if keys:
        from certify.trust.keys import read_public_keys

        keys = read_public_keys(keys)
    if threshold is not None and not 1 <= threshold <= len(keys):
        raise UsageError(f"--threshold: {threshold} is not between 1 and the number of keys given, {len(keys)}")
    if work is None:
        work = checker.WORK
    elif work < 1:
        raise UsageError(f"--work: {work} must be at least 1")
    if run is None:
        digest = None
    else:
        from certify.runfile.read import read_run

        digest = read_run(run).digest
    named = {sha256_of(path): path for path in subjects}
    data = read_certificate(certificate)
    now = None if on is None else end_of(on)
    whole = None if of is None else read_certificate(of)
    about = {
        "keys": keys,
        "threshold": threshold,
        "subjects": tuple(named),
        "now": now,
        "certificate": whole,
        "work": work,
    }
    try:
        report = checker.verify(data, digest, **about)
    except checker.CheckError as refused:
        if run is not None and "given with --digest" in str(refused):
            problem = f"does not have the digest of {run}; a state's certificate is of a run with the requests' sizes"
            return Verification(
                refused.exit_code, refused.steps, None, f"{certificate}: {problem} and unlearning_epochs"
            )
        which = next((f" ({path})" for digest, path in named.items() if digest in str(refused)), "")
        return Verification(refused.exit_code, refused.steps, None, f"{certificate}: {refused}{which}")
    if problem := predecessor_problem(Path(certificate), data):
        return Verification(Exit.MISMATCH, report.steps, None, f"{certificate}: {problem}")
    return Verification(report.exit_code, report.steps, report, None)


def predecessor_problem(path: Path, data: bytes) -> str | None:
    """Where the certificate that this one names as its predecessor should lie beside it, what is wrong with that: it is
    another one, or of another run or other requests. None where it is right, or nothing lies there."""
    from certify.runfile.read import canonical_json

    statement = _statement(data)
    named = statement["predicate"].get("predecessor")
    if named is None:
        return None
    run, number = statement["predicate"]["run"], len(statement["predicate"]["run"]["requests"]["sizes"]) - 1
    before = path.with_name(f"certificate-{number}.json" if number else "certificate.json")
    if path.name != f"certificate-{number + 1}.json" or not before.is_file():
        return None
    former = _statement(read_certificate(before))
    predicate = {key: value for key, value in former["predicate"].items() if key != "expires"}
    if hashlib.sha256(canonical_json({**former, "predicate": predicate})).hexdigest() != named:
        return f"predecessor: {before} is another certificate than the one that is named"
    if _before_last(run) != _before_last(former["predicate"]["run"], last=number):
        return f"predecessor: {before} is of another run, or of other requests before this one"
    return None


def _statement(data: bytes) -> dict[str, Any]:
    return checker.read_json(checker.open_envelope(checker.read_json(data, "envelope")), "payload")


def _before_last(run: dict[str, Any], last: int | None = None) -> dict[str, Any]:
    """The run with the requests before its last, or with the first `last` of them."""
    count = len(run["requests"]["sizes"]) - 1 if last is None else last
    epochs, sizes = run["mechanism"]["unlearning_epochs"][:count], run["requests"]["sizes"][:count]
    return run | {
        "mechanism": run["mechanism"] | {"unlearning_epochs": epochs},
        "requests": run["requests"] | {"sizes": sizes},
    }


def end_of(day: date) -> datetime:
    """Its last second, UTC: what expires in the course of a day has expired on it."""
    return datetime.combine(day, time(23, 59, 59), UTC)


def read_certificate(path: str | Path) -> bytes:
    """The bytes of a file, of which the checker refuses more than a certificate can have. Raises UsageError."""
    try:
        with open(path, "rb") as file:
            return file.read(checker.MAX_BYTES + 1)
    except (OSError, ValueError) as problem:
        raise UsageError(f"{path}: {getattr(problem, 'strerror', None) or problem}") from None


def sha256_of(path: str | Path) -> str:
    """SHA-256 (hex) of a file of any length. Raises UsageError."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as problem:
        raise UsageError(f"{path}: {getattr(problem, 'strerror', None) or problem}") from None
