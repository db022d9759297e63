"""Erasure records: what was done about each unlearning request, for those who must answer for it.

Who asked is not in them. A request has a pseudonymous id; its records are there as a *keyed* commitment, which shows
nothing without the key and binds whoever has it: a plain hash of a record's number would be found by trying them all.
Models that were not released are there keyed as well. Throw the key away, and nobody can open a commitment again.

Format: docs/certificate.md. HMAC-SHA-256: RFC 2104, FIPS 198-1.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from certify.errors import UsageError
from certify.files import write_atomically
from certify.results.result import Result
from certify.runfile.read import canonical_json
from certify.trust.certificate import PREDICATE_TYPE, STATEMENT_TYPE, make_envelope, refuse_signed

if TYPE_CHECKING:
    from learners.record import RunRecord

ERASURE_TYPE = "urn:plumbline-dp:erasure:v2"
KEY_BYTES = 32  # least length of a key: as long as the hash
SCOPE = "the model that this run trained; not its source data, back-ups, or any other model"
SIGN_OFF = ("name", "role", "date", "text")
_KEYED, _PLAIN = "HMAC-SHA-256", "SHA-256"
_COMMITMENT, _MODEL = b"plumbline-dp/erasure/commitment/v1\0", b"plumbline-dp/erasure/model/v1\0"


@dataclass(frozen=True)
class Request:
    """One unlearning request as it came in. `records` are private: indices into the data."""

    records: tuple[int, ...] = field(repr=False)
    id: str
    received: str | None
    scope: str
    sign_off: Mapping[str, str] | None


@dataclass(frozen=True)
class Erasure:
    """One request that was honoured, as it stands in the certificate and in its own record. Times are UTC.

    commitment, model_before, model_after: {"algorithm", "value"}. cumulative: records of all requests up to this one;
    cap: of all that are certified.
    """

    request: int
    id: str
    received: str | None
    started: str
    finished: str
    scope: str
    records: int
    commitment: Mapping[str, str]
    model_before: Mapping[str, str]
    model_after: Mapping[str, str]
    guarantee: Mapping[str, str]
    cumulative: int
    cap: int
    sign_off: Mapping[str, str] | None

    def as_json(self) -> dict[str, Any]:
        """Numbers as strings, as everywhere in a certificate."""
        return {key: str(value) if isinstance(value, int) else value for key, value in asdict(self).items()}


def make_requests(
    requests: Iterable[Iterable[int]],
    *,
    received: Sequence[datetime | None] | None = None,
    scope: str | None = None,
    ids: Sequence[str] | None = None,
    sign_off: Mapping[str, str] | None = None,
) -> tuple[Request, ...]:
    """The requests with what is to be written about them.

    Args:
        requests: for each, the indices of its records.
        received: when each came in, with a time zone; None: not known.
        scope: what the requests are about (default: SCOPE).
        ids: pseudonymous, a different one for each; random (UUID 4) unless given. Never make them from the records, or
            from a name: a hash of either is found by trying.
        sign_off: who answers for all of them: name, role, date (YYYY-MM-DD), text.

    Raises:
        UsageError: one line that names the option.
    """
    forget = tuple(tuple(records) for records in requests)
    ids = tuple(str(uuid4()) for _ in forget) if ids is None else tuple(ids)
    received = (None,) * len(forget) if received is None else tuple(received)
    for name, values in (("ids", ids), ("received", received)):
        if len(values) != len(forget):
            raise UsageError(f"{name}: {len(values)} for {len(forget)} requests; give one for each")
    if len(set(ids)) != len(ids):
        raise UsageError("ids: two are alike; give each request an id of its own")
    for request_id, records in zip(ids, forget, strict=True):
        check_text("ids", request_id)
        if request_id in map(str, records):
            raise UsageError("ids: one is the number of a record that it is about; leave ids out to have random ones")
    scope = SCOPE if scope is None else check_text("scope", scope)
    signed = None if sign_off is None else _sign_off(sign_off)
    return tuple(
        Request(records, request_id, None if time is None else _time(time), scope, signed)
        for records, request_id, time in zip(forget, ids, received, strict=True)
    )


def check_text(name: str, value: Any) -> str:
    """The value, if it is text that can be written. Raises UsageError."""
    try:
        empty = not value.strip() or not value.encode()  # half a surrogate pair has no bytes
    except (AttributeError, UnicodeEncodeError):
        empty = True
    if empty:
        raise UsageError(f"{name}: got {value!a}; write some text")
    return value


def _time(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise UsageError(f"received: {moment.isoformat()} has no time zone; give datetime(…, tzinfo=UTC)")
    if moment > datetime.now(UTC):
        raise UsageError(f"received: {moment.isoformat()} is in the future; give the time at which the request came in")
    return _utc(moment)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _sign_off(entry: Mapping[str, str]) -> dict[str, str]:
    if set(entry) != set(SIGN_OFF):
        raise UsageError(f"sign_off: has {', '.join(sorted(entry))}; write {', '.join(SIGN_OFF)}")
    for key in SIGN_OFF:
        check_text(f"sign_off.{key}", entry[key])
    try:
        if date.fromisoformat(entry["date"]).isoformat() != entry["date"]:
            raise ValueError
    except ValueError:
        raise UsageError(f"sign_off.date: got {entry['date']!r}; write YYYY-MM-DD") from None
    return {key: entry[key] for key in SIGN_OFF}


def check_key(key: bytes) -> bytes:
    """The key, if it is one. Raises UsageError for one that is too short to hide anything."""
    if not isinstance(key, bytes) or len(key) < KEY_BYTES:
        raise UsageError(f"erasure key: needs at least {KEY_BYTES} random bytes; make it with secrets.token_bytes")
    return key


def commitment(key: bytes, dataset: str, records: Iterable[int], *, id: str = "") -> str:
    """HMAC-SHA-256 (hex) over the canonical JSON of data set, request id and sorted record numbers.

    The id makes it a commitment to *this request*: with one key, two requests about the same records do not show that
    they are.

    Raises:
        UsageError: a short key. ValueError: no records, one twice, or no index.
    """
    chosen = tuple(records)
    if not chosen or len(set(chosen)) != len(chosen):
        raise ValueError("records: needs at least one, and none twice")
    if any(isinstance(record, bool) or not isinstance(record, int) or record < 0 for record in chosen):
        raise ValueError("records: needs indices, whole numbers from 0")
    message = {"dataset": dataset, "id": id, "records": [str(record) for record in sorted(chosen)]}
    return hmac.new(check_key(key), _COMMITMENT + canonical_json(message), hashlib.sha256).hexdigest()


def check_commitment(erasure: Mapping[str, Any], key: bytes, dataset: str, records: Iterable[int]) -> bool:
    """Whether an entry of `execution.erasures` is about just these records, for whoever has the key.

    Takes the same time wherever the two differ.
    """
    stated = erasure["commitment"]
    expected = commitment(key, dataset, records, id=erasure["id"])
    return stated["algorithm"] == _KEYED and hmac.compare_digest(stated["value"].encode(), expected.encode())


def model_digest(parameters_sha256: str, key: bytes, *, released: bool) -> dict[str, str]:
    """What stands for a model: its plain digest where the model is released, else an HMAC of it.

    A plain hash of a model that is not released is one more look at it, which no noise of the proof accounts for:
    whoever can run the training again with a guess of the secrets would see the guess confirmed. Keyed, it shows
    nothing to those without the key; who has it and the private run record computes the same value here.

    Args:
        parameters_sha256: hex, of the parameters' little-endian float64 bytes; `model_after` of a phase.
    """
    if released:
        return {"algorithm": _PLAIN, "value": parameters_sha256}
    value = hmac.new(check_key(key), _MODEL + bytes.fromhex(parameters_sha256), hashlib.sha256).hexdigest()
    return {"algorithm": _KEYED, "value": value}


def make_erasures(result: Result, record: RunRecord, requests: Sequence[Request], key: bytes) -> tuple[Erasure, ...]:
    """What was done about each request.

    Args:
        record: the private one, of the state after the last request. Nothing of it gets out but times, digests of
        models that are released, and HMACs.

    Raises:
        ValueError: the record is not of learning and then of just these requests.
    """
    learned, *unlearned = record.phases
    kinds = [phase.kind for phase in record.phases]
    if kinds != ["learn"] + ["unlearn"] * len(requests):
        raise ValueError(f"record: phases {', '.join(kinds)}; needs learn, and unlearn for each of {len(requests)}")
    if [phase.erased for phase in unlearned] != [len(request.records) for request in requests]:
        raise ValueError("record: its phases are about other numbers of records than the requests")
    mechanism, threat = result.run.mechanism, result.run.canonical["threat"]
    # Under "final" the observer gets the last model and no other, so no other may be recognisable.
    last = len(unlearned)
    hashes = [phase.model_after for phase in (learned, *unlearned)]
    digests = [
        model_digest(plain, key, released=i == last or mechanism.release == "all") for i, plain in enumerate(hashes)
    ]
    erasures, cumulative = [], 0
    for i, (request, phase) in enumerate(zip(requests, unlearned, strict=True)):
        cumulative += phase.erased
        erasures.append(
            Erasure(
                request=i + 1,
                id=request.id,
                received=request.received,
                started=phase.started,
                finished=phase.finished,
                scope=request.scope,
                records=phase.erased,
                commitment={
                    "algorithm": _KEYED,
                    "value": commitment(key, record.dataset, request.records, id=request.id),
                },
                model_before=digests[i],
                model_after=digests[i + 1],
                guarantee={
                    "epsilon": result.requests[i]["epsilon"],
                    "delta": result.delta,
                    "reference": threat["reference"],
                    "neighbours": threat["neighbours"],
                },
                cumulative=cumulative,
                cap=sum(mechanism.requests),
                sign_off=request.sign_off,
            )
        )
    return tuple(erasures)


def make_erasure_statement(
    payload: Mapping[str, Any], digest: str, request: int, *, created: datetime | None = None
) -> dict[str, Any]:
    """The in-toto statement about one request (from 1), of a certificate's payload and its SHA-256.

    Its subjects are the certificate, the run, and after the last request the released model.
    """
    execution = payload["predicate"]["execution"]
    erasures = execution["erasures"]
    entry = next(entry for entry in erasures if entry["request"] == str(request))
    named = {subject["name"]: subject["digest"] for subject in payload["subject"]}
    subjects = {"certificate": {"sha256": digest}, "run": named["run"]}
    if entry is erasures[-1]:
        subjects["model"] = named["model"]
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": value} for name, value in subjects.items()],
        "predicateType": ERASURE_TYPE,
        "predicate": {
            "producer": {"name": "plumbline-dp", "version": version("plumbline-dp")},
            "created": _utc(created or datetime.now(UTC)),
            "noise": execution["noise"],
            "erasure": entry,
        },
    }


def erasure_path(directory: Path, request: int) -> Path:
    """Where the record of a request (from 1) is written."""
    return directory / f"erasure-{request}.json"


def write_erasure_records(certificate: str | Path, *, created: datetime | None = None) -> tuple[Path, ...]:
    """Write the erasure records of a certificate's requests beside it, from nothing but the certificate:
    erasure-1.json, erasure-2.json, …; of a state's certificate-R.json, whose only request is R, erasure-R.json.

    They name its payload's digest. Signing leaves that as it is; setting an expiry date does not: write them again.

    Raises:
        UsageError: the certificate is of a run that was not executed, or a record there is signed.
    """
    certificate = Path(certificate)
    content = base64.b64decode(json.loads(certificate.read_bytes())["payload"], validate=True)
    payload = json.loads(content)
    if payload["predicateType"] != PREDICATE_TYPE or "execution" not in payload["predicate"]:
        raise UsageError(f"{certificate}: is not a certificate of an executed run; it has no erasure records")
    written = []
    for request in (int(entry["request"]) for entry in payload["predicate"]["execution"]["erasures"]):
        statement = make_erasure_statement(payload, hashlib.sha256(content).hexdigest(), request, created=created)
        path = erasure_path(certificate.parent, request)
        refuse_signed(path)
        write_atomically(path, json.dumps(make_envelope(statement), indent=1) + "\n")
        written.append(path)
    return tuple(written)
