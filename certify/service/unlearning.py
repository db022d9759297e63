"""`unlearn`: honour one request more, certified over the whole history."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from certify.checker import Mismatch
from certify.errors import OutOfReach
from certify.results.history import NextRequest, certify_request, max_records
from certify.service.commit import check_writable
from certify.service.data import check_source, data_of
from certify.service.driving import (
    Progress,
    check_certificate,
    continued,
    load_learners,
    model_file,
    private_files,
    public_record,
    refusals,
    require_learners,
    sha256,
    told_epochs,
    told_to_learners,
)
from certify.service.folder import (
    MODEL_FILE,
    RECORD_FILE,
    RETRAINED_FILE,
    Change,
    State,
    certificate_name,
    opened,
    read_bytes,
    read_state,
)
from certify.trust.certificate import certificate_bytes, make_envelope
from certify.trust.erasure import (
    Erasure,
    Request,
    commitment,
    erasure_path,
    make_erasure_statement,
    make_requests,
    model_digest,
)
from certify.trust.execution import make_execution


@dataclass(frozen=True)
class Unlearned:
    """What `unlearn` did.

    request: its number, from 1. left: records that may still be named; None without a limit. expires: the first moment
    at which the certificate holds no more, as in the one before it; None without one. expiry_note: what became of that
    date, in words.
    """

    state: State
    request: int
    records: int
    certified: NextRequest
    left: int | None
    expires: str | None
    expiry_note: str | None

    @property
    def result(self) -> Any:
        return self.certified.result

    def as_json(self) -> dict[str, Any]:
        return {
            "state": str(self.state.folder),
            "model": self.state.model,
            "request": self.request,
            "records": self.records,
            "unlearning_epochs": self.certified.epochs,
            "epsilon": dict(self.result.epsilon),
            "delta": self.result.delta,
            "certificate": str(self.state.folder / certificate_name(self.request)),
            "erasure": str(erasure_path(self.state.folder, self.request)),
            "left": self.left,
            "note": self.certified.note,
            "expires": self.expires,
            "expiry_note": self.expiry_note,
        }


def unlearn(
    folder: str | Path,
    ids: Sequence[str],
    *,
    data: str | Path | None = None,
    ledger: str | None = None,
    epochs: int | None = None,
    received: datetime | None = None,
    scope: str | None = None,
    sign_off: Mapping[str, str] | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> Unlearned:
    """Erase the records with these ids, and certify it over all requests so far.

    Model, run record, certificate, erasure record and the ledger's row appear together or not at all.

    Args:
        ids: as the data's id column has them, or the numbers of the rows, from 0, where there is none. Their rows may
            be gone from the data already.
        data: where the data are now; where they were, unless given.
        epochs: K, at least the certified one; that one, unless given.
        received, scope, sign_off: what the erasure record says about the request.
        device: the one that the model was learned on, unless given.

    Raises:
        OutOfReach: no K meets the target, a model of a state with release = "final" was seen already, or the retrained
            reference was.
        UsageError: an id that is not there or is already erased, data that changed; one line, before the first step.
        Mismatch: the state is a copy, or its ledger is another one.
    """
    require_learners()
    folder = Path(folder)
    (request,) = make_requests([()], received=[received], scope=scope, sign_off=sign_off)
    with opened(folder, ledger=ledger) as change:
        state = change.state
        _refuse_released(change)
        check_writable(folder)
        change.require_files()
        key = state.read_key()
        places = state.rows().places_of(key, ids)
        check_source(state.run, data if data is not None else state.data.get("path"))
        certified = certify_request(state.run, state.sizes, state.epochs, len(places), at_least=epochs)
        expires, expiry_note = _expiry(state)
        records = data_of(state, key, data, places)
        after = _execute(state, records.dataset, certified, places, device or state.device, progress)
        source = records.source if data is not None else state.data
        state, request = replace(state, data=dict(source)), replace(request, records=places)
        written, files, erasure = _files(state, request, certified, after, key, expires)
        from certify.ledger.payloads import certificate_entry

        number, sealed = written.requests, erasure.commitment["value"]
        about = {"request": str(number), "records": str(len(places)), "commitment": sealed}
        change.turn.append("requested", {**about, "id": request.id, "received": request.received})
        payload = about | {"certificate": certificate_entry(files[certificate_name(number)])}
        change.commit("erased", payload, files, written)
    (folder / RETRAINED_FILE).unlink(missing_ok=True)  # it has learned from what was erased now
    limit = max_records(state.run)
    left = None if limit is None else limit - sum(written.sizes)
    return Unlearned(read_state(folder), number, len(places), certified, left, expires, expiry_note)


def _expiry(state: State) -> tuple[str | None, str | None]:
    """The date of expiry that the next certificate takes over from the last one, and what to say of it.

    Raises:
        Mismatch: what lies in the last certificate's place is another one.
    """
    from certify.ledger.payloads import certificate_entry

    name, following = certificate_name(state.requests), certificate_name(state.requests + 1)
    path = state.folder / name
    if not path.exists():
        return None, f"{path} is not there: {following} has no date of expiry, whatever that one has"
    entry = certificate_entry(read_bytes(path))
    if entry["core"] != state.certificate:
        raise Mismatch(f"{path}: is not the certificate that state.json names; restore it")
    expires = entry["expires"]
    if expires is None:
        return None, None
    if datetime.fromisoformat(expires) <= datetime.now(UTC):
        return None, (
            f"{name} has expired ({expires}): {following} has no date of expiry; give it one by `plumbline sign "
            f"{state.folder / following} --key NAME.key --expires DAY`"
        )
    return expires, f"{following} expires on {expires}, as {name} does"


def _refuse_released(change: Change) -> None:
    """Raises OutOfReach where somebody has seen what no certificate counts: a model under release = "final", or the
    retrained reference."""
    if change.reference_seen:
        raise OutOfReach(
            f"{change.state.folder}: its retrained reference was released, which no certificate counts; no further "
            "request can be certified: learn anew without these records"
        )
    if change.state.run.mechanism.release == "final" and change.releases:
        raise OutOfReach(
            f'{change.state.folder}: its model was released, and release = "final" covers one released model, the '
            'last; no further request can be certified: learn anew with threat.release = "all"'
        )


def _execute(
    state: State, dataset: Any, certified: NextRequest, places: tuple[int, ...], device: str, progress: Progress | None
) -> Any:
    """The learner's state after the request."""
    known = load_learners()
    run = certified.result.run
    what = f"unlearn request {state.requests + 1}"
    with refusals():
        return known.unlearn(
            continued(state, dataset),
            places,
            mechanism=run.mechanism,
            mechanism_digest=run.digest,
            progress=told_epochs(progress, what),
            **told_to_learners(run, device, state.seed),
        )


def _files(
    state: State, request: Request, certified: NextRequest, after: Any, key: bytes, expires: str | None
) -> tuple[State, dict[str, bytes], Erasure]:
    """The state after the request, every file that it changes, and what the erasure record says."""
    from certify.ledger.payloads import certificate_entry

    result, mechanism = certified.result, certified.result.run.mechanism
    number, phase = state.requests + 1, after.record.phases[-1]
    seen = mechanism.release == "all"
    before, behind = (model_digest(digest, key, released=seen) for digest in (phase.model_before, phase.model_after))
    threat = result.run.canonical["threat"]
    total = sum(mechanism.requests)
    erasure = Erasure(
        request=number,
        id=request.id,
        received=request.received,
        started=phase.started,
        finished=phase.finished,
        scope=request.scope,
        records=len(request.records),
        commitment={
            "algorithm": "HMAC-SHA-256",
            "value": commitment(key, after.record.dataset, request.records, id=request.id),
        },
        model_before=before,
        model_after=behind,
        guarantee={
            "epsilon": result.requests[-1]["epsilon"],
            "delta": result.delta,
            "reference": threat["reference"],
            "neighbours": threat["neighbours"],
        },
        cumulative=total,
        cap=total,
        sign_off=request.sign_off,
    )
    public = public_record(after.record, state.run)
    files = {
        MODEL_FILE: model_file(after.released),
        RECORD_FILE: (json.dumps(public, indent=2, sort_keys=True) + "\n").encode(),
    }
    certificate = certificate_bytes(
        result,
        execution=make_execution(public, (erasure,), last_alone=True, result=result),
        subjects={"model": sha256(files[MODEL_FILE]), "run_record": sha256(files[RECORD_FILE])},
        predecessor=state.certificate,
        expires=expires,
    )
    check_certificate(certificate)
    payload = base64.b64decode(json.loads(certificate)["payload"])
    statement = make_erasure_statement(json.loads(payload), sha256(payload), number)
    files |= {
        certificate_name(number): certificate,
        erasure_path(Path(), number).name: (json.dumps(make_envelope(statement), indent=1) + "\n").encode(),
        "private/rows.json": state.rows().erase(request.records, number).to_json(),
        **private_files(after),
    }
    written = replace(
        state,
        sizes=mechanism.requests,
        epochs=mechanism.unlearning_epochs,
        certificate=certificate_entry(certificate)["core"],
    )
    return written, files, erasure
