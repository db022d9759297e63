"""What a report may be drawn from: certificates that verify, and no others; no report of any other is ever written."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from certify import checker
from certify.errors import UsageError
from certify.report import write_report
from certify.report.reading import read
from tests.certify import envelopes
from tests.certify.report import samples


def tampered() -> bytes:
    """One digit of the claim is another one; the digest is the old one's."""
    envelope = json.loads(envelopes.seal(samples.statement()))
    payload = base64.b64decode(envelope["payload"]).replace(b'"upper":"0.0779', b'"upper":"0.0179', 1)
    envelope["payload"] = base64.b64encode(payload).decode()
    return json.dumps(envelope).encode()


def claiming_too_much() -> bytes:
    """An intact file whose ε is not the proof's."""
    made = samples.statement()
    made["predicate"]["epsilon"]["upper"] = "0.0179"
    return envelopes.seal(made)


REFUSED: dict[str, tuple[Any, int, dict[str, Any]]] = {
    "tampered": (tampered, 4, {}),
    "claims too much": (claiming_too_much, 1, {}),
    "no JSON": (lambda: b"{", 2, {}),
    "expired": (lambda: envelopes.seal(samples.statement(expires="2026-11-22T12:00:00Z")), 1, {}),
    "unsigned": (lambda: envelopes.seal(samples.statement()), 4, {"keys": [envelopes.public(envelopes.key(1))]}),
    "another's key": (
        lambda: envelopes.seal(samples.statement(), envelopes.key(1)),
        4,
        {"keys": [envelopes.public(envelopes.key(2))]},
    ),
    "threshold not met": (
        lambda: envelopes.seal(samples.statement(), envelopes.key(1)),
        4,
        {"keys": [envelopes.public(envelopes.key(n)) for n in (1, 2)], "threshold": 2},
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("suffix", ["html", "md"])
def test_what_does_not_verify_has_no_report(name: str, suffix: str, tmp_path: Path) -> None:
    make, code, options = REFUSED[name]
    certificate, output = tmp_path / "certificate.json", tmp_path / f"report.{suffix}"
    certificate.write_bytes(make())
    with pytest.raises(checker.CheckError) as refused:
        write_report(certificate, output, on=samples.ON, **options)
    assert refused.value.exit_code == code
    assert list(tmp_path.iterdir()) == [certificate]


def test_an_expiry_date_counts_from_its_day_on(tmp_path: Path) -> None:
    certificate = tmp_path / "certificate.json"
    certificate.write_bytes(envelopes.seal(samples.statement(expires="2026-11-23T00:00:00Z")))
    written = write_report(certificate, tmp_path / "report.md", on=date(2026, 11, 22))
    assert "2026-11-23 00:00:00 UTC" in written.read_text()
    with pytest.raises(checker.DoesNotFollow):
        write_report(certificate, tmp_path / "later.md", on=date(2026, 11, 23))


def test_a_refused_report_leaves_the_old_one(tmp_path: Path) -> None:
    certificate, output = tmp_path / "certificate.json", tmp_path / "report.md"
    certificate.write_bytes(tampered())
    output.write_text("the old report")
    with pytest.raises(checker.Mismatch):
        write_report(certificate, output)
    assert output.read_text() == "the old report"


@pytest.mark.parametrize("output", ["report.txt", "report", "report.HTML.gz"])
def test_another_suffix_is_refused(output: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a report ends in \.html, \.pdf, \.md"):
        write_report(tmp_path / "none.json", tmp_path / output)


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        write_report(tmp_path / "none.json", tmp_path / "report.md")
    certificate = tmp_path / "certificate.json"
    certificate.write_bytes(envelopes.seal(samples.statement()))
    with pytest.raises(UsageError, match="No such file"):
        write_report(certificate, tmp_path / "no directory" / "report.md")


def test_a_reading_knows_what_was_read() -> None:
    data = envelopes.seal(samples.statement(**samples.executed()), envelopes.key(1), envelopes.key(2))
    found = read(data, [envelopes.public(envelopes.key(2))], now=samples.NOW)
    payload = base64.b64decode(json.loads(data)["payload"])
    assert found.data == data and found.statement == json.loads(payload)
    assert found.payload_digest == hashlib.sha256(payload).hexdigest()
    assert found.keyids == (envelopes.keyid(envelopes.key(1)), envelopes.keyid(envelopes.key(2)))
    assert found.report.signers == (envelopes.keyid(envelopes.key(2)),)
    assert found.subjects == {"run": found.report.digest, "model": samples.HEX, "run_record": samples.HEX[::-1]}
    assert found.unlearns and not found.training and not found.reproducible_noise
    assert samples.reading(**samples.executed(noise="reproducible")).reproducible_noise
    assert samples.reading("full batches").training and not samples.reading("learning").unlearns


@pytest.mark.parametrize(
    ("attest", "answers"),
    [
        ("a word", {}),
        (["one", ["two"]], {}),
        ({"answers": "none"}, {}),
        ({"answers": {"unit": "person", "tuning": {"by": "nobody"}, "budget": {"text": ["no text"]}}}, {}),
        ({"answers": {"unit": {"text": "person"}}}, {"unit": {"text": "person"}}),
    ],
)
def test_attestations_of_any_nesting_are_read(attest: Any, answers: dict[str, Any]) -> None:
    found = samples.reading(attest=attest)
    assert found.answers == answers
    assert samples.document(attest=attest)


def test_the_worst_request_is_the_one_with_the_details() -> None:
    found = samples.reading("several requests")
    epsilons = [request["epsilon"] for request in found.predicate["requests"]]
    assert epsilons[found.worst] == found.predicate["epsilon"]["upper"]


def test_an_erasure_record_is_no_certificate() -> None:
    made = samples.statement(**samples.executed())
    entry = copy.deepcopy(made["predicate"]["execution"]["erasures"][0])
    record = {
        "_type": made["_type"],
        "subject": [
            {"name": "certificate", "digest": {"sha256": samples.HEX}},
            made["subject"][0],
            {"name": "model", "digest": {"sha256": entry["model_after"]["value"]}},
        ],
        "predicateType": checker.ERASURE,
        "predicate": {
            "producer": made["predicate"]["producer"],
            "created": made["predicate"]["created"],
            "noise": made["predicate"]["execution"]["noise"],
            "erasure": entry,
        },
    }
    assert checker.verify(envelopes.seal(record)).verdict == "ERASURE_RECORD"
    with pytest.raises(checker.Malformed, match="is an erasure record"):
        read(envelopes.seal(record))
