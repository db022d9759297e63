"""Verification, step by step."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from certify.checking.format.executed import check_erasure, check_execution
from certify.checking.format.run import Run, read_run
from certify.checking.format.shapes import TRAINING
from certify.checking.format.statements import ENVELOPE, RECORD, STATEMENT
from certify.checking.format.sums import enlarged_training
from certify.checking.format.training import read_training, two_guarantees
from certify.checking.limits import (
    CERTIFICATE,
    EARLIER,
    ERASURE,
    MAX_BYTES,
    MAX_SIGNATURES,
    WORK,
    CheckError,
    DoesNotFollow,
    Malformed,
    Mismatch,
    OutOfWork,
    require,
)
from certify.checking.protocol.arguments import check_arguments
from certify.checking.protocol.displayed import check_displayed, front_page
from certify.checking.protocol.figures import check_figures
from certify.checking.protocol.recomputation import recompute
from certify.checking.protocol.report import Report
from certify.checking.protocol.signatures import check_options, check_signatures, read_keys
from certify.checking.protocol.training_arguments import check_training_arguments
from certify.checking.protocol.verdicts import check_verdict, claim_sentence, training_sentence
from certify.checking.reading import check_shape, hexadecimal, moment, optional, read_json
from certify.checking.work import metered


@contextmanager
def numbered(log: list[str], index: int, name: str) -> Iterator[None]:
    try:
        try:
            yield
        except ValueError as error:
            if "integer string conversion" not in str(error):
                raise
            raise DoesNotFollow("a number is too long for this Python to write down") from None
    except CheckError as error:
        how = "STOPPED" if isinstance(error, OutOfWork) else "FAILED"
        error.steps = (*log, f"{index} {name:<16} {how}: {error}")
        raise
    log.append(f"{index} {name:<16} ok")


def worst_claim(run: Run, steps: list[dict[str, Any]], claims: list[dict[str, Any]], first: int) -> int:
    """The claim with the largest bound, the first of equals. `first`: the request of the first claim."""
    require(len(claims) == len(run.sizes) - first, "proof.claims: needs one entry for each request that is claimed")
    for claim in claims:
        index = int(claim["bound"])
        bounds_epsilon = index < len(steps) and steps[index]["theorem"] in ("T11", "T9", "T24")
        require(bounds_epsilon, "proof.claims: bound must be a T11, T9 or T24 step")
    bounds = [Fraction(steps[int(claim["bound"])]["concludes"]["epsilon"]) for claim in claims]
    return bounds.index(max(bounds))


def open_envelope(envelope: Any) -> bytes:
    """The payload, whose digest is that of the envelope."""
    check_shape(envelope, ENVELOPE, "envelope")
    if len(envelope["signatures"]) > MAX_SIGNATURES:
        raise Malformed(f"envelope.signatures: more than {MAX_SIGNATURES}")
    if envelope["payloadType"] != "application/vnd.in-toto+json":
        raise Mismatch(f"payloadType: {ascii(envelope['payloadType'])[:60]} is not an in-toto statement")
    try:
        payload = base64.b64decode(envelope["payload"], validate=True)
    except (binascii.Error, ValueError):
        payload = b""
    if base64.b64encode(payload).decode() != envelope["payload"]:
        raise Mismatch("the payload is not padded standard base64")
    if hashlib.sha256(payload).hexdigest() != envelope["digest"]["sha256"]:
        raise Mismatch("the payload does not have the envelope's digest")
    return payload


def check_types(statement: Any) -> None:
    """The shape of everything, and that lists which belong together are equally long."""
    kind = statement.get("predicateType") if isinstance(statement, dict) else None
    if isinstance(kind, str) and kind in EARLIER:
        raise Malformed(f"payload.predicateType: {kind} is an earlier format; {EARLIER[kind]} reads it")
    recorded = kind == ERASURE
    check_shape(statement, RECORD if recorded else STATEMENT, "payload")
    if recorded:
        return
    run, claims = statement["predicate"]["run"], statement["predicate"]["proof"]["claims"]
    training = run["mechanism"]["kind"] in TRAINING
    if "predecessor" in statement["predicate"] and (training or "figures" in statement["predicate"]):
        raise Malformed("payload.predicate: predecessor goes with requests, and without figures")
    if any(("sensitivity" in claim) != training for claim in claims):
        raise Malformed("proof.claims: sensitivity belongs to training runs")
    if ("guarantees" in statement["predicate"]) != training:
        raise Malformed("payload.predicate: guarantees belong to training runs, and to each")
    if not training:
        lengths = {len(run["requests"]["sizes"]), len(run["mechanism"]["unlearning_epochs"])}
        if len(lengths) != 1 or 0 in lengths:
            raise Malformed("run: unlearning_epochs needs one entry for each entry of requests.sizes")


def check_expiry(predicate: dict[str, Any], now: datetime | None) -> str:
    """What to say about it."""
    expires = predicate.get("expires")
    if expires is None:
        return "no expiry date"
    require(moment(predicate["created"]) < moment(expires), "expires: not after created")
    now = datetime.now(UTC) if now is None else now
    require(now < moment(expires), f"expired on {expires}; now is {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    return f"expires {expires}"


def notes_of(predicate: dict[str, Any], confirmed: bool) -> tuple[str, ...]:
    """What a reader must know besides."""
    execution = predicate.get("execution")
    called = ", ".join(f"{key} {text}" for key, text in sorted(predicate.get("meta", {}).items()))
    executed = (execution or {}).get("finite_precision", {}).get("executed")
    said = {
        f"in the words of whoever wrote it, this is about {called}": called != "",
        "the lower bound was not verified": not confirmed,
        "what was run is the producer's word; it agrees with the run": execution is not None,
        executed_sentence(executed, predicate["epsilon"]["target"]): executed is not None,
        f"claims the last request alone; the others are claimed by the certificate whose payload has the SHA-256 "
        f"{predicate.get('predecessor')} and its predecessors": "predecessor" in predicate,
        "the noise can be drawn again: no privacy claim holds for this model": is_reproducible(predicate),
        "figures agree with the claim; what it does not imply of them is not re-derived": "figures" in predicate,
    }
    return tuple(note for note, holds in said.items() if holds)


def executed_sentence(executed: dict[str, Any] | None, target: str) -> str:
    """What finite precision leaves of the claim, by T28."""
    bound = None if executed is None else executed["epsilon"]
    if bound is None:
        return "the run as executed, its rounding counted, is not shown to have any epsilon at this delta"
    above = f", above the target {target}" if Fraction(bound) > Fraction(target) else ""
    return f"the run as executed, its rounding counted, has epsilon <= {bound}{above}"


def is_reproducible(predicate: dict[str, Any]) -> bool:
    return predicate.get("execution", {}).get("noise") == "reproducible"


def check_recorded(statement: dict[str, Any], certificate: bytes, now: datetime | None) -> Report:
    """The certificate that an erasure record names follows, and has the same entry."""
    report = verify(certificate, now=now)
    payload = open_envelope(read_json(certificate, "envelope"))
    named_digests = {entry["name"]: entry["digest"]["sha256"] for entry in statement["subject"]}
    if hashlib.sha256(payload).hexdigest() != named_digests.pop("certificate"):
        raise Mismatch("the record names another certificate than that given with --certificate")
    whole = read_json(payload, "payload")
    if whole["predicateType"] != CERTIFICATE:
        raise Malformed("--certificate: is an erasure record too")
    known = {entry["name"]: entry["digest"]["sha256"] for entry in whole["subject"]}
    execution, entry = whole["predicate"].get("execution"), statement["predicate"]["erasure"]
    require(execution is not None, "--certificate: of a run that was not executed")
    entries = execution["erasures"]
    require(entry in entries, "erasure: the certificate says otherwise")
    require(statement["predicate"]["noise"] == execution["noise"], "noise: the certificate says otherwise")
    files = {"run", "model"} if entry == entries[-1] else {"run"}
    require(named_digests == {name: known[name] for name in files}, "subject: the certificate says otherwise")
    return report


def erasure_sentence(predicate: dict[str, Any], certificate: str, verified: bool) -> str:
    """What an erasure record says. Free text is shown in ASCII: it could be made to look like something else."""
    entry = predicate["erasure"]
    guarantee, records = entry["guarantee"], int(entry["records"])
    received = f"received {entry['received']}, " if entry["received"] else ""
    off = entry["sign_off"]
    signed_off = f" Signed off {off['date']} by {ascii(off['name'])[:80]}, {ascii(off['role'])[:80]}." if off else ""
    what = f"request {entry['request']} ({ascii(entry['id'])[:80]}): {records} record{'s' * (records > 1)}, "
    what += f"{received}unlearned from {entry['started']} to {entry['finished']}; {entry['cumulative']} of the "
    what += f"{entry['cap']} that the certificate covers. Guarantee: epsilon <= {guarantee['epsilon']} at delta = "
    what += f"{guarantee['delta']} ({guarantee['reference']}, {guarantee['neighbours']}), by the certificate whose "
    what += f"payload has the SHA-256 {certificate}, which {'was verified' if verified else 'was not looked at'}."
    noise = " THE NOISE CAN BE DRAWN AGAIN: no privacy claim holds for this model."
    return f"ERASURE_RECORD: {what}{signed_off}{noise * (predicate['noise'] == 'reproducible')}"


def verify(
    data: bytes,
    digest: str | None = None,
    *,
    keys: Sequence[bytes] = (),
    threshold: int | None = None,
    subjects: Sequence[str] = (),
    now: datetime | None = None,
    certificate: bytes | None = None,
    work: int = WORK,
) -> Report:
    """Verify the bytes of a certificate, or of an erasure record together with the `certificate` that it names.

    digest: the SHA-256 that its run must have, if known beforehand. keys: Ed25519 public keys in PEM, of which
    `threshold` must have signed (default: all). subjects: SHA-256 of files that it must be about. now: the time by
    which it must not have expired (default: now). work: how much may be done, in units.
    """
    if work < 1:
        raise Malformed(f"--work: needs at least 1 unit, got {work}")
    with metered(work) as meter:
        log: list[str] = []
        with numbered(log, 1, "size"):
            if len(data) > MAX_BYTES:
                raise Malformed(f"more than {MAX_BYTES} bytes")
            for value, option in ((digest, "--digest"), *((subject, "--subject") for subject in subjects)):
                optional(hexadecimal)(value, option)
            check_options(keys, threshold, now)
            envelope = read_json(data, "envelope")  # nesting is a matter of size
        with numbered(log, 2, "envelope"):
            payload, signers = open_envelope(envelope), []
            if keys:
                trusted = read_keys(keys)
                threshold = len(trusted) if threshold is None else threshold
                signers = check_signatures(envelope, payload, trusted, threshold)
        with numbered(log, 3, "types"):
            statement = read_json(payload, "payload")
            check_types(statement)
        with numbered(log, 4, "subject"):
            predicate = statement["predicate"]
            named_digests = {entry["name"]: entry["digest"]["sha256"] for entry in statement["subject"]}
            subject = named_digests["run"]
            if "run" in predicate:
                written = json.dumps(predicate["run"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
                if subject != hashlib.sha256(written.encode()).hexdigest():
                    raise Mismatch("the run does not have the subject's digest")
            if digest not in (None, subject):
                raise Mismatch("the run does not have the digest given with --digest")
            for other in subjects:
                if other not in named_digests.values():
                    raise Mismatch(f"a file given with --subject is not among the subjects: its SHA-256 is {other}")
        about = (len(envelope["signatures"]), tuple(signers), threshold, predicate.get("expires"), predicate["created"])
        if statement["predicateType"] == ERASURE:
            with numbered(log, 5, "side conditions"):
                check_erasure(predicate["erasure"], "erasure")
                of = None if certificate is None else check_recorded(statement, certificate, now)
            done = "of the certificate" if of else "not done: give --certificate"
            log += (f"{i} {name:<16} {done}" for i, name in ((6, "recomputation"), (7, "target"), (8, "expiry")))
            claim = erasure_sentence(predicate, named_digests["certificate"], of is not None)
            notes, code = ("what the record says is its writer's word",), 3 if of is None else of.exit_code
            return Report(
                code, "ERASURE_RECORD", subject, bool(signers), tuple(log), claim, (), *about, notes, meter.spent
            )
        if certificate is not None:
            raise Malformed("--certificate: goes with an erasure record, and this is none")
        canonical_run, steps, claims = predicate["run"], predicate["proof"]["steps"], predicate["proof"]["claims"]
        training = canonical_run["mechanism"]["kind"] in TRAINING
        with numbered(log, 5, "side conditions"):
            if training:
                run, worst, first = read_training(canonical_run), 0, 0
                require(len(claims) == 1, "proof.claims: needs one entry")
                guarantees = two_guarantees(run, canonical_run)
                check_training_arguments(run, steps, claims[0], guarantees, enlarged_training(predicate))
            else:
                run, guarantees = read_run(canonical_run), []
                first = len(run.sizes) - 1 if "predecessor" in predicate else 0  # it claims those before
                worst = worst_claim(run, steps, claims, first)
                check_arguments(run, steps, claims, first)
        with numbered(log, 6, "recomputation"):
            check_displayed(predicate, front_page(predicate, run, worst, first, guarantees), run.delta)
            check_execution(predicate, run, named_digests)
            values = recompute(steps, run.cut if training else None)
            confirmed = not any(value is False for value in values)
            check_figures(predicate, run, values, worst, confirmed)
        log[-1] += "" if confirmed else " (lower bound not verified)"
        with numbered(log, 7, "target"):
            check_verdict(predicate, run, values)
        with numbered(log, 8, "expiry"):
            expiry = check_expiry(predicate, now)
        log[-1] += f" ({expiry})"
        verdict = predicate["verdict"]
        exit_code = {"CERTIFIED": 0, "NOT_CERTIFIED": 1, "INDETERMINATE": 3}[verdict]
        assumptions = tuple((a["id"], a["status"], a["text"]) for a in predicate["assumptions"])
        claim = training_sentence(predicate, run, confirmed) if training else claim_sentence(predicate, run)
        claim += " THE NOISE CAN BE DRAWN AGAIN: no privacy claim holds for this model." * is_reproducible(predicate)
        notes = notes_of(predicate, confirmed)
        return Report(
            exit_code, verdict, subject, bool(signers), tuple(log), claim, assumptions, *about, notes, meter.spent
        )
