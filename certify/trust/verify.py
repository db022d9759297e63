"""`verify`: the standalone checker on a file, with a run file, keys and files to compare with if there are any."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from accountant.core.display import page, table
from certify import checker
from certify.errors import Exit, UsageError

MAX_KEYS, MAX_LISTED = 6, 20  # of the keys in which two runs differ, and of the requests, that are named


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
        run: a run file; a certificate about another run is refused (exit 4). A state's certificate is about the run
            file with the requests so far in the place of its own, which a note says.
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
    named = {sha256_of(path): path for path in subjects}
    data = read_certificate(certificate)
    now = None if on is None else end_of(on)
    whole = None if of is None else read_certificate(of)
    digest, note, differs = (None, None, None) if run is None else _held_against(run, data if whole is None else whole)
    if note is not None and (problem := _other_records(Path(certificate if of is None else of))):
        return Verification(Exit.MISMATCH, (), None, problem)
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
            problem = f"does not have the digest of {run}{differs or ''}"
            return Verification(refused.exit_code, refused.steps, None, f"{certificate}: {problem}")
        which = next((f" ({path})" for digest, path in named.items() if digest in str(refused)), "")
        return Verification(refused.exit_code, refused.steps, None, f"{certificate}: {refused}{which}")
    if problem := predecessor_problem(Path(certificate), data):
        return Verification(Exit.MISMATCH, report.steps, None, f"{certificate}: {problem}")
    if note is not None:
        report = replace(report, notes=(*report.notes, note))
    return Verification(report.exit_code, report.steps, report, None)


def _held_against(path: str | Path, data: bytes) -> tuple[str, str | None, str | None]:
    """The digest that a certificate of a run file must have; a note where that is the run file with the requests of a
    state's history; and, where it has neither digest, in which keys they differ and what to do.

    A service certifies requests as they come: its certificates are about the run file with the sizes of the requests
    so far, and the epochs that each took. Both are the certificate's own claim; everything else is the run file's.

    Raises:
        UsageError: the run file is not read.
    """
    from certify.runfile.read import read_run

    run = read_run(path)
    try:
        statement = _statement(data)
        predicate, named = statement["predicate"], statement["subject"]
        digest = next(entry["digest"]["sha256"] for entry in named if entry["name"] == "run")
        about, execution = predicate["run"], predicate.get("execution")
        if digest == run.digest:
            return run.digest, None, None
        # of a state: of the learned model, before any request, or of a request, which names the certificate before it
        if execution is None or not ("predecessor" in predicate or not execution["erasures"]):
            return run.digest, None, _difference(run.canonical, about)
        sizes, epochs = about["requests"]["sizes"], about["mechanism"]["unlearning_epochs"]
        derived = run.with_requests(sizes, epochs)
    except (checker.CheckError, UsageError, KeyError, TypeError, StopIteration):
        return run.digest, None, None  # the checker says what is wrong with the certificate
    limit = run.canonical["requests"].get("max_records")
    if derived.digest != digest or (limit is not None and sum(map(int, sizes)) > int(limit)):
        return run.digest, None, _difference(derived.canonical, about)
    what = f"requests.sizes = {_listed(sizes)}, unlearning_epochs = {_listed(epochs)}"
    return digest, f"the run is {path} with the requests that are certified here: {what}", None


def _listed(numbers: Sequence[Any]) -> str:
    return f"[{', '.join(map(str, numbers[:MAX_LISTED]))}{', …' * (len(numbers) > MAX_LISTED)}]"


def _difference(run: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Where a certificate's run is another than the run file's, and what to do."""
    keys = []
    for name in sorted(run.keys() | about.keys()):
        one, other = run.get(name), about.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            keys += [f"{name}.{key}" for key in sorted(one.keys() | other.keys()) if one.get(key) != other.get(key)]
        elif one != other:
            keys.append(name)
    more = f" and {len(keys) - MAX_KEYS} keys more" if len(keys) > MAX_KEYS else ""
    differ = f"; it differs in {', '.join(keys[:MAX_KEYS])}{more}" if keys else ""
    return f"{differ}: give the run file that it was certified by (of a state, STATE/run.toml)"


def _other_records(certificate: Path) -> str | None:
    """What is wrong with the erasure records that lie beside a state's certificate: one counts other records than the
    certificate says of its request. None where nothing is, or none lies there."""
    sizes = _statement(read_certificate(certificate))["predicate"]["run"]["requests"]["sizes"]
    for number, size in enumerate(sizes if certificate.name.startswith("certificate-") else (), 1):
        record = certificate.with_name(f"erasure-{number}.json")
        if not record.is_file():
            continue
        try:
            erasure = _statement(read_certificate(record))["predicate"]["erasure"]
            counted = erasure["records"]
        except (checker.CheckError, KeyError, TypeError) as problem:
            return f"{record}: is not an erasure record ({problem}); restore it"
        if str(counted) != str(size):
            return f"{record}: is of {counted} records, and {certificate} says {size} of request {number}; restore it"
    return None


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
