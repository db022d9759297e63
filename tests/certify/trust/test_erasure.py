"""Erasure records: what they say, what opens them, what they keep to themselves. Nothing is run here."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certify import UsageError, certify, keygen, read_run, sign, verify, write_certificate
from certify.results.result import Result
from certify.trust.erasure import (
    SCOPE,
    Erasure,
    check_commitment,
    commitment,
    make_erasure_statement,
    make_erasures,
    make_requests,
    model_digest,
    write_erasure_records,
)
from certify.trust.execution import make_execution
from tests.certify.runs import tables

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
FORGET = [[3], [7, 5]]
SIGN_OFF = {"name": "A. Nonymous", "role": "data protection officer", "date": "2026-11-20", "text": "seen"}
ID_1, ID_2 = "REQ-2026-a", "REQ-2026-b"


@cache
def result(**threat: str) -> Result:
    """Requests of one and of two records; a third one is certified and was never made."""
    run = tables(
        mechanism={"unlearning_epochs": [1, 2, 1], "noise_std": 20}, requests={"sizes": [1, 2, 4]}, threat=threat
    )
    return certify(read_run(run))


def phase(kind: str, number: int, erased: int, seed: int | None = None) -> SimpleNamespace:
    """A phase of a private run record, with a hash for each model."""
    return SimpleNamespace(
        kind=kind,
        epochs=(3, 1, 2)[number],
        steps=(9, 3, 6)[number],
        erased=erased,
        seed=seed,
        device="cpu",
        device_name="x86_64 Linux",
        versions={"torch": "2.8.0"},
        model_after=hashlib.sha256(b"model %d" % number).hexdigest(),
        started=f"2026-11-21T22:0{number}:00Z",
        finished=f"2026-11-21T22:0{number}:30Z",
    )


def record(**more: Any) -> SimpleNamespace:
    phases = (phase("learn", 0, 0), phase("unlearn", 1, 1), phase("unlearn", 2, 2))
    return SimpleNamespace(**{"dataset": "digits", "order": "given", "phases": phases, "reproducible": False} | more)


def public(private: SimpleNamespace) -> dict[str, Any]:
    return {**vars(private), "phases": [vars(entry) for entry in private.phases]}


def erasures(**threat: str) -> tuple[Erasure, ...]:
    return make_erasures(result(**threat), record(), make_requests(FORGET, ids=[ID_1, ID_2], sign_off=SIGN_OFF), KEY)


# ---------------------------------------------------------------------------------------------------------------------
# Commitments
# ---------------------------------------------------------------------------------------------------------------------


def test_the_commitment_is_what_the_format_says() -> None:
    """Written out, with no function of ours."""
    message = b'plumbline-dp/erasure/commitment/v1\0{"dataset":"digits","id":"R-1","records":["5","7","10"]}'
    expected = hmac.new(KEY, message, "sha256").hexdigest()
    assert commitment(KEY, "digits", [10, 7, 5], id="R-1") == expected


records = st.lists(st.integers(0, 50), min_size=1, max_size=5, unique=True)


@given(records, records, st.permutations(range(5)))
def test_a_commitment_opens_with_its_key_and_records_alone(
    mine: list[int], others: list[int], order: list[int]
) -> None:
    entry = {
        "id": "R-1",
        "commitment": {"algorithm": "HMAC-SHA-256", "value": commitment(KEY, "digits", mine, id="R-1")},
    }
    shuffled = [mine[i] for i in order if i < len(mine)]
    assert check_commitment(entry, KEY, "digits", shuffled)
    assert check_commitment(entry, KEY, "digits", others) == (set(mine) == set(others))
    assert not check_commitment(entry, OTHER, "digits", mine)
    assert not check_commitment(entry, KEY, "digits/train", mine)
    assert not check_commitment({**entry, "id": "R-2"}, KEY, "digits", mine)
    plain = {"algorithm": "SHA-256", "value": entry["commitment"]["value"]}
    assert not check_commitment({**entry, "commitment": plain}, KEY, "digits", mine)


def test_requests_about_the_same_records_do_not_show_it() -> None:
    first, second = (make_requests([[7]])[0].id for _ in range(2))
    assert UUID(first).version == UUID(second).version == 4 and first != second
    assert commitment(KEY, "digits", [7], id=first) != commitment(KEY, "digits", [7], id=second)


def test_a_list_of_records_cannot_pass_for_another_one() -> None:
    """No two of these may have the same bytes under the key."""
    sets = [("a", [1, 2]), ("a", [12]), ("a", [1]), ('a","x":"', [1]), ('a"],["1', [2]), ("", [1, 2])]
    assert len({commitment(KEY, name, chosen) for name, chosen in sets}) == len(sets)


@pytest.mark.parametrize("chosen", [[], [1, 1], [-1], [True], ["7"], [1.0]])
def test_what_is_no_set_of_records_is_refused(chosen: list[Any]) -> None:
    with pytest.raises(ValueError, match="records: needs"):
        commitment(KEY, "digits", chosen)


@pytest.mark.parametrize("key", [b"", b"short", bytes(31), "0" * 64, None])
def test_a_key_that_hides_nothing_is_refused(key: Any) -> None:
    with pytest.raises(UsageError, match="erasure key: needs at least 32"):
        commitment(key, "digits", [1])
    with pytest.raises(UsageError, match="erasure key: needs at least 32"):
        model_digest("0" * 64, key, released=False)


def test_the_digest_of_a_model_that_is_not_released_needs_the_key() -> None:
    plain = hashlib.sha256(b"parameters").hexdigest()
    assert model_digest(plain, KEY, released=True) == {"algorithm": "SHA-256", "value": plain}
    keyed = model_digest(plain, KEY, released=False)
    expected = hmac.new(KEY, b"plumbline-dp/erasure/model/v1\0" + bytes.fromhex(plain), "sha256").hexdigest()
    assert keyed == {"algorithm": "HMAC-SHA-256", "value": expected}
    assert model_digest(plain, OTHER, released=False)["value"] not in (keyed["value"], plain)


# ---------------------------------------------------------------------------------------------------------------------
# What comes in
# ---------------------------------------------------------------------------------------------------------------------


def test_requests_have_a_default_for_everything() -> None:
    first, second = make_requests(FORGET)
    assert (first.received, first.scope, first.sign_off) == (None, SCOPE, None)
    assert (first.records, second.records) == ((3,), (7, 5))
    assert "7" not in repr(second).replace(second.id, "")


def test_times_are_written_in_utc() -> None:
    at = datetime(2026, 11, 20, 1, 30, 59, 999999, tzinfo=timezone(timedelta(hours=2)))
    assert make_requests([[1]], received=[at])[0].received == "2026-11-19T23:30:59Z"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("received", [None], "received: 1 for 2 requests"),
        ("received", [datetime(2026, 1, 1), None], "received: 2026-01-01T00:00:00 has no time zone"),
        ("received", [datetime(9000, 1, 1, tzinfo=UTC), None], "is in the future"),
        ("ids", ["a"], "ids: 1 for 2 requests"),
        ("ids", ["a", "a"], "ids: two are alike"),
        ("ids", ["a", " "], "ids: got ' '; write some text"),
        ("ids", ["a", 7], "ids: got 7; write some text"),
        ("ids", ["a", "5"], "ids: one is the number of a record"),
        ("scope", "", "scope: got ''"),
        ("scope", "half a pair \ud800", "scope: got 'half a pair"),
        ("scope", b"bytes", "scope: got b'bytes'"),
        ("sign_off", {"name": "A"}, "sign_off: has name; write name, role, date, text"),
        ("sign_off", {**SIGN_OFF, "role": ""}, "sign_off.role: got ''"),
        ("sign_off", {**SIGN_OFF, "date": "20.11.2026"}, "sign_off.date: got '20.11.2026'; write YYYY-MM-DD"),
        ("sign_off", {**SIGN_OFF, "date": "20261120"}, "sign_off.date: got '20261120'"),
    ],
)
def test_what_is_said_about_requests_is_checked(option: str, value: Any, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        make_requests(FORGET, **{option: value})
    assert message in str(refused.value) and "\n" not in str(refused.value)


# ---------------------------------------------------------------------------------------------------------------------
# What comes out
# ---------------------------------------------------------------------------------------------------------------------


def test_every_field_of_an_erasure() -> None:
    found = result()
    first, second = (erasure.as_json() for erasure in erasures())
    assert first == {
        "request": "1",
        "id": ID_1,
        "received": None,
        "started": "2026-11-21T22:01:00Z",
        "finished": "2026-11-21T22:01:30Z",
        "scope": SCOPE,
        "records": "1",
        "commitment": {"algorithm": "HMAC-SHA-256", "value": commitment(KEY, "digits", [3], id=ID_1)},
        "model_before": model_digest(record().phases[0].model_after, KEY, released=False),
        "model_after": model_digest(record().phases[1].model_after, KEY, released=False),
        "guarantee": {
            "epsilon": found.requests[0]["epsilon"],
            "delta": found.delta,
            "reference": "retrain",
            "neighbours": "replace-one",
        },
        "cumulative": "1",
        "cap": "7",
        "sign_off": SIGN_OFF,
    }
    assert (second["request"], second["records"], second["cumulative"], second["cap"]) == ("2", "2", "3", "7")
    assert second["guarantee"]["epsilon"] == found.requests[1]["epsilon"] != found.requests[0]["epsilon"]
    assert check_commitment(second, KEY, "digits", [5, 7])


def test_only_models_that_are_released_have_a_plain_digest() -> None:
    plain = [entry.model_after for entry in record().phases]

    def digests(release: str) -> list[str]:
        found = erasures(release=release)
        assert all(a.model_after == b.model_before for a, b in pairwise(found))
        chain = [found[0].model_before, *(erasure.model_after for erasure in found)]
        assert all((entry["algorithm"] == "SHA-256") == (entry["value"] in plain) for entry in chain)
        return [entry["value"] for entry in chain]

    assert digests("all") == plain
    final = digests("final")
    assert final[-1] == plain[-1] and not set(final[:-1]) & set(plain)


@pytest.mark.parametrize(
    "phases",
    [
        (phase("learn", 0, 0),),
        (phase("learn", 0, 0), phase("unlearn", 1, 1)),
        (phase("learn", 0, 0), phase("unlearn", 1, 2), phase("unlearn", 2, 2)),
        (phase("retrain", 0, 3), phase("unlearn", 1, 1), phase("unlearn", 2, 2)),
    ],
)
def test_a_record_of_something_else_is_refused(phases: tuple[SimpleNamespace, ...]) -> None:
    with pytest.raises(ValueError, match="record: "):
        make_erasures(result(), record(phases=phases), make_requests(FORGET), KEY)
    with pytest.raises(ValueError, match="record: its phases"):
        make_execution(public(record(phases=phases)), erasures())


def test_the_execution_takes_what_it_names() -> None:
    found = make_execution(public(record()), erasures())
    assert (found["dataset"], found["order"], found["noise"], found["audits"]) == ("digits", "given", "secret", [])
    assert found["phases"][1] == {
        "kind": "unlearn",
        "epochs": "1",
        "steps": "3",
        "erased": "1",
        "device": "cpu",
        "device_name": "x86_64 Linux",
        "versions": {"torch": "2.8.0"},
        "started": "2026-11-21T22:01:00Z",
        "finished": "2026-11-21T22:01:30Z",
    }
    assert found["erasures"] == [erasure.as_json() for erasure in erasures()]
    assert make_execution(public(record(reproducible=True)), erasures())["noise"] == "reproducible"


def test_records_are_drawn_from_the_certificate_alone(tmp_path: Path) -> None:
    subjects = {"model": "ab" * 32, "run_record": "cd" * 32}
    found = make_execution(public(record()), erasures())
    certificate = write_certificate(result(), tmp_path, execution=found, subjects=subjects)
    paths = write_erasure_records(certificate, created=datetime(2026, 11, 22, tzinfo=UTC))
    assert paths == (tmp_path / "erasure-1.json", tmp_path / "erasure-2.json")
    digest = json.loads(certificate.read_text())["digest"]["sha256"]
    for i, path in enumerate(paths):
        envelope = json.loads(path.read_text())
        content = base64.b64decode(envelope["payload"])
        statement = json.loads(content)
        assert envelope["digest"]["sha256"] == hashlib.sha256(content).hexdigest() and envelope["signatures"] == []
        assert statement["predicateType"] == "urn:plumbline-dp:erasure:v2"
        named = {subject["name"]: subject["digest"]["sha256"] for subject in statement["subject"]}
        models = {"model": "ab" * 32} if i == 1 else {}  # the last one names the model that was released
        assert named == {"certificate": digest, "run": result().digest} | models
        assert statement["predicate"]["erasure"] == found["erasures"][i]
        assert statement["predicate"]["created"] == "2026-11-22T00:00:00Z"
        assert statement["predicate"]["producer"]["name"] == "plumbline-dp"
        payload = json.loads(base64.b64decode(json.loads(certificate.read_text())["payload"]))
        assert statement == make_erasure_statement(payload, digest, i + 1, created=datetime(2026, 11, 22, tzinfo=UTC))


def test_a_run_that_was_not_executed_has_no_erasure_records(tmp_path: Path) -> None:
    certificate = write_certificate(result(), tmp_path)
    with pytest.raises(UsageError, match="no erasure records"):
        write_erasure_records(certificate)
    assert list(tmp_path.iterdir()) == [certificate]


def test_an_expiry_date_renews_the_records_that_name_the_certificate(tmp_path: Path) -> None:
    subjects = {"model": "ab" * 32, "run_record": "cd" * 32}
    certificate = write_certificate(
        result(), tmp_path, execution=make_execution(public(record()), erasures()), subjects=subjects
    )
    paths = write_erasure_records(certificate)
    signed = sign(certificate, key=keygen(tmp_path / "lead").private, expires=date(2099, 1, 1))
    assert signed.records == paths
    digest = json.loads(certificate.read_text())["digest"]["sha256"]
    for path in paths:
        statement = json.loads(base64.b64decode(json.loads(path.read_text())["payload"]))
        assert statement["subject"][0] == {"name": "certificate", "digest": {"sha256": digest}}
        assert verify(path, of=certificate).verified and not verify(path).verified
    # Without a date nothing that they name changes, so they stay.
    before = [path.read_bytes() for path in paths]
    assert sign(certificate, key=keygen(tmp_path / "second").private).records == ()
    assert [path.read_bytes() for path in paths] == before


def test_no_expiry_date_behind_the_back_of_a_signed_record(tmp_path: Path) -> None:
    subjects = {"model": "ab" * 32, "run_record": "cd" * 32}
    certificate = write_certificate(
        result(), tmp_path, execution=make_execution(public(record()), erasures()), subjects=subjects
    )
    first, _ = write_erasure_records(certificate)
    private = keygen(tmp_path / "lead").private
    sign(first, key=private)
    before = certificate.read_bytes()
    with pytest.raises(UsageError, match=r"erasure-1.json is signed, and names the certificate as it is now"):
        sign(certificate, key=private, expires=date(2099, 1, 1))
    assert certificate.read_bytes() == before


def test_an_expiry_date_leaves_the_records_of_another_certificate_alone(tmp_path: Path) -> None:
    subjects = {"model": "ab" * 32, "run_record": "cd" * 32}
    certificates = [
        write_certificate(
            result(),
            tmp_path / name,
            created=datetime(2026, 11, 23, day, tzinfo=UTC),
            execution=make_execution(public(record()), erasures()),
            subjects=subjects,
        )
        for day, name in enumerate(("one", "other"), 1)
    ]
    first, second = write_erasure_records(certificates[1])
    before, private = first.read_bytes(), keygen(tmp_path / "lead").private
    output = tmp_path / "other/signed.json"
    with pytest.raises(UsageError, match=r"erasure-1.json is about another certificate, and would be overwritten"):
        sign(certificates[0], key=private, expires=date(2099, 1, 1), output=output)
    assert first.read_bytes() == before and not output.exists()
    first.unlink()
    for content in (b"mine", b"{}", certificates[1].read_bytes()):
        second.write_bytes(content)
        with pytest.raises(UsageError, match=r"erasure-2.json is "):
            sign(certificates[0], key=private, expires=date(2099, 1, 1), output=output)
        assert second.read_bytes() == content and not output.exists()
