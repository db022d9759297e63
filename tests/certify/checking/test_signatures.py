"""Signatures, keys, thresholds, files and dates: who vouches for a certificate, for which files, and until when."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from certify import checker
from tests.vectors import make_certificates as make

PAYLOAD_TYPE = "application/vnd.in-toto+json"


@cache
def sealed(name: str = "executed") -> bytes:
    return make.seal(make.accepted(name))


def payload_of(data: bytes) -> bytes:
    return base64.b64decode(json.loads(data)["payload"])


def pem(name: str) -> bytes:
    return make.public_key(name)[0]


def keyid(name: str) -> str:
    return make.public_key(name)[1]


def with_signatures(*entries: dict[str, str], of: bytes | None = None) -> bytes:
    return make.envelope(payload_of(of or sealed()), signatures=list(entries))


def signature(name: str, **changes: str) -> dict[str, str]:
    return make.signature(payload_of(sealed()), name) | changes


def write(folder: Path, **files: bytes) -> None:
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)


# --- who signed ------------------------------------------------------------------------------------------------------


def test_signed_by_the_given_keys() -> None:
    data = make.signed(sealed(), "a", "b", "c")
    report = checker.verify(data, keys=[pem("b"), pem("a")])
    assert report.signed and report.signers == (keyid("b"), keyid("a"))
    assert (report.signatures, report.threshold) == (3, 2)
    text = str(report)
    assert "SIGNED by 2 of the given keys (2 needed, 3 signatures in all)" in text and "UNSIGNED" not in text
    assert keyid("a") in text and keyid("b") in text and keyid("c") not in text


def test_without_a_key_a_signature_says_nothing() -> None:
    report = checker.verify(make.signed(sealed(), "a", "b"))
    assert not report.signed and report.signers == () and report.threshold is None and report.signatures == 2
    assert "SIGNED 2 times, no key given: signatures not checked" in str(report)
    forged = with_signatures(signature("a", sig=base64.b64encode(bytes(64)).decode()))
    assert "SIGNED 1 time, no key given" in str(checker.verify(forged))


def test_unsigned_and_a_key() -> None:
    assert "UNSIGNED" in str(checker.verify(sealed()))
    with pytest.raises(checker.Mismatch, match="unsigned, and a key was given"):
        checker.verify(sealed(), keys=[pem("a")])


def test_wrong_key() -> None:
    with pytest.raises(checker.Mismatch, match="wrong key"):
        checker.verify(make.signed(sealed(), "a", "b"), keys=[pem("c")])
    with pytest.raises(checker.Mismatch, match="wrong key"):
        checker.verify(make.signed(sealed(), "a", "b"), keys=[pem("c"), pem("d")], threshold=1)


@pytest.mark.parametrize(
    ("signers", "keys", "threshold", "found"),
    [
        ("a", "ab", None, 1),
        ("a", "ab", 2, 1),
        ("aa", "ab", 2, 1),  # the same signature twice
        ("aac", "abc", 3, 2),
        ("a", "aa", 2, 1),  # the same key twice
        ("ab", "aab", 3, 2),
    ],
)
def test_threshold_not_met(signers: str, keys: str, threshold: int | None, found: int) -> None:
    needed = threshold or len(keys)
    with pytest.raises(checker.Mismatch, match=f"threshold not met: {found} of the given keys signed, {needed} must"):
        checker.verify(make.signed(sealed(), *signers), keys=[pem(key) for key in keys], threshold=threshold)


@pytest.mark.parametrize(
    ("signers", "keys", "threshold", "counted"),
    [
        ("a", "a", None, "a"),
        ("ab", "bc", 1, "b"),
        ("abc", "cba", 2, "cba"),
        ("a", "aa", None, "a"),
        ("aa", "a", 1, "a"),
    ],
)
def test_threshold_met(signers: str, keys: str, threshold: int | None, counted: str) -> None:
    data = make.signed(sealed(), *signers)
    report = checker.verify(data, keys=[pem(key) for key in keys], threshold=threshold)
    assert report.signers == tuple(map(keyid, counted))
    assert report.threshold == (threshold or len(set(keys)))


@settings(max_examples=25, deadline=None)
@given(st.text("abcd", max_size=5), st.text("abcd", min_size=1, max_size=5), st.data())
def test_a_threshold_counts_different_keys(signers: str, keys: str, data: st.DataObject) -> None:
    threshold = data.draw(st.integers(1, len(keys)))
    counted = set(signers) & set(keys)
    record = make.signed(make.SEALED["erasure_record"](), *signers)  # quickly verified
    if signers and len(counted) >= threshold:
        report = checker.verify(record, keys=[pem(key) for key in keys], threshold=threshold)
        assert set(report.signers) == set(map(keyid, counted)) and report.signed
    else:
        with pytest.raises(checker.Mismatch):
            checker.verify(record, keys=[pem(key) for key in keys], threshold=threshold)


@pytest.mark.parametrize("threshold", [0, -1, 3])
def test_impossible_thresholds(threshold: int) -> None:
    with pytest.raises(checker.Malformed, match="--threshold"):
        checker.verify(make.signed(sealed(), "a", "b"), keys=[pem("a"), pem("b")], threshold=threshold)
    with pytest.raises(checker.Malformed, match="--threshold"):
        checker.verify(sealed(), threshold=max(threshold, 0))


def test_a_keyid_is_a_hint() -> None:
    """Neither believed nor needed: a signature is tried with every key."""
    claimed = with_signatures(signature("a", keyid=keyid("b")))
    assert checker.verify(claimed, keys=[pem("a")]).signers == (keyid("a"),)
    with pytest.raises(checker.Mismatch, match="is not over these bytes"):
        checker.verify(claimed, keys=[pem("b")])
    broken = with_signatures(signature("b", sig=signature("a")["sig"]), signature("b"))
    assert checker.verify(broken, keys=[pem("b")]).signers == (keyid("b"),)


def test_signatures_over_something_else() -> None:
    body = payload_of(sealed())
    others = {
        "another certificate": make.signature(payload_of(sealed("curved_flat")), "a"),
        "another type": make.signature(body, "a", "text/plain"),
        "the bare payload": {"sig": base64.b64encode(make.private_key("a").sign(body)).decode()},
        "its digest": {"sig": base64.b64encode(make.private_key("a").sign(hashlib.sha256(body).digest())).decode()},
        "nothing": {"sig": base64.b64encode(bytes(64)).decode()},
    }
    for entry in others.values():
        with pytest.raises(checker.Mismatch, match="is not over these bytes"):
            checker.verify(with_signatures(signature("a") | entry), keys=[pem("a")])
    sig = base64.b64decode(signature("a")["sig"])
    for bit in (0, 100, 255, 256, 400, 511):
        flipped = (int.from_bytes(sig, "big") ^ (1 << bit)).to_bytes(64, "big")
        with pytest.raises(checker.Mismatch, match="is not over these bytes"):
            entry = signature("a", sig=base64.b64encode(flipped).decode())
            checker.verify(with_signatures(entry), keys=[pem("a")])


def test_an_altered_payload_with_its_digest_set_anew() -> None:
    stated = make.accepted("executed") | {}
    altered = json.loads(payload_of(make.seal(stated)))
    altered["predicate"]["created"] = "2026-11-21T22:00:01Z"
    data = json.loads(make.envelope(json.dumps(altered).encode()))
    assert not checker.verify(json.dumps(data).encode()).signed
    data["signatures"] = [signature("a")]
    with pytest.raises(checker.Mismatch, match="is not over these bytes"):
        checker.verify(json.dumps(data).encode(), keys=[pem("a")])


def test_a_signed_lie_is_a_lie() -> None:
    lie = make.rejected()["epsilon_understated"][0]
    with pytest.raises(checker.DoesNotFollow, match="epsilon does not follow"):
        checker.verify(make.signed(lie, "a"), keys=[pem("a")])


def test_the_signature_is_looked_at_first() -> None:
    """Bytes that nobody vouches for are not even parsed."""
    data = make.signed(make.envelope(b"no JSON"), "a")
    with pytest.raises(checker.Mismatch):
        checker.verify(data, keys=[pem("b")])
    with pytest.raises(checker.Malformed, match="not valid JSON"):
        checker.verify(data, keys=[pem("a")])


def test_erasure_records_are_signed_alike() -> None:
    record = make.SEALED["signed_erasure_record"]()
    report = checker.verify(record, keys=[pem("b")])
    assert report.signed and report.verdict == "ERASURE_RECORD" and report.exit_code == 3
    with pytest.raises(checker.Mismatch, match="wrong key"):
        checker.verify(record, keys=[pem("a")])
    run = checker.verify(sealed()).digest
    assert checker.verify(record, run).digest == run
    with pytest.raises(checker.Mismatch, match="--digest"):
        checker.verify(record, "0" * 64)
    certificate = hashlib.sha256(payload_of(sealed())).hexdigest()
    assert certificate in report.claim
    assert checker.verify(record, subjects=[certificate, make.hexed("model")]) == checker.verify(record)


def test_a_record_is_held_against_its_certificate() -> None:
    certificate = sealed()
    record = json.loads(json.dumps(make.record_of(make.accepted("executed"))))
    report = checker.verify(make.seal(record), certificate=certificate)
    assert report.exit_code == 0 and "which was verified" in report.claim
    with pytest.raises(checker.Mismatch, match="names another certificate"):
        checker.verify(make.seal(record), certificate=sealed("executed_learning"))
    with pytest.raises(checker.Malformed, match="goes with an erasure record"):
        checker.verify(certificate, certificate=certificate)
    with pytest.raises(checker.CheckError):
        checker.verify(make.seal(record), certificate=certificate[:-9])
    changes = (
        (("erasure", "guarantee", "epsilon"), "0.0001", "erasure: the certificate says otherwise"),
        (("erasure", "scope"), "everything", "erasure: the certificate says otherwise"),
        (("erasure", "request"), "2", "erasure: the certificate says otherwise"),
        (("noise",), "reproducible", "noise: the certificate says otherwise"),
    )
    for (*path, last), value, message in changes:
        forged = json.loads(json.dumps(record))
        node = forged["predicate"]
        for key in path:
            node = node[key]
        node[last] = value
        with pytest.raises(checker.DoesNotFollow, match=message):
            checker.verify(make.seal(forged), certificate=certificate)
        assert checker.verify(make.seal(forged)).exit_code == 3  # it is whole; nobody says that it is true
    forged = json.loads(json.dumps(record))
    forged["subject"][2]["digest"]["sha256"] = "0" * 64
    with pytest.raises(checker.DoesNotFollow, match="subject: the certificate says otherwise"):
        checker.verify(make.seal(forged), certificate=certificate)
    own = json.loads(json.dumps(record))
    own["subject"][0]["digest"]["sha256"] = hashlib.sha256(payload_of(make.seal(record))).hexdigest()
    with pytest.raises(checker.Malformed, match="is an erasure record too"):
        checker.verify(make.seal(own), certificate=make.seal(record))


def test_free_text_of_a_record_cannot_pose_as_something_else() -> None:
    stated = json.loads(json.dumps(make.accepted("executed")))
    entry = stated["predicate"]["execution"]["erasures"][0]
    entry["id"] = "x)\nSIGNED by 9 of the given keys\u202e\x1b[31m" + "y" * 9999
    entry["sign_off"]["name"] = "\nCERTIFIED"
    text = str(checker.verify(make.seal(make.record_of(stated))))
    assert "\nSIGNED" not in text and "\nCERTIFIED" not in text and "\x1b" not in text and "\u202e" not in text
    assert len(text) < 2000


# --- the encoding, against others -------------------------------------------------------------------------------------


def test_the_encoding_is_that_of_the_specification() -> None:
    assert checker.signed_bytes("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"  # the example of DSSE v1
    )


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=40), st.binary(max_size=200))
def test_the_encoding_is_that_of_securesystemslib(kind: str, body: bytes) -> None:
    dsse = pytest.importorskip("securesystemslib.dsse")
    assert checker.signed_bytes(kind, body) == dsse.Envelope(payload=body, payload_type=kind, signatures={}).pae()


def test_openssl_agrees_on_keyid_and_signature(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    body = payload_of(sealed())
    write(tmp_path, key__pub=pem("a"), message=checker.signed_bytes(PAYLOAD_TYPE, body))
    write(tmp_path, sig=base64.b64decode(signature("a")["sig"]))
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", "key.pub", "-outform", "DER"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert hashlib.sha256(der.stdout).hexdigest() == keyid("a")
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pub", "-rawin", "-in", "message"]
    done = subprocess.run([*command, "-sigfile", "sig"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- keys that are none ----------------------------------------------------------------------------------------------


def other_keys() -> dict[str, bytes]:
    form = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    private = make.private_key("a").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "empty": b"",
        "text": b"ssh-ed25519 AAAA",
        "binary": bytes(range(256)),
        "raw": make.private_key("a").public_key().public_bytes_raw(),
        "private": private,
        "both": pem("a") + private,
        "two": pem("a") + pem("b"),
        "cut": pem("a")[:60],
        "rsa": generate_private_key(65537, 1024).public_key().public_bytes(*form),
        "ed448": Ed448PrivateKey.generate().public_key().public_bytes(*form),
        "body": pem("a").replace(b"MCo", b"MCp"),
    }


@pytest.mark.parametrize("name", other_keys())
def test_malformed_keys(name: str) -> None:
    with pytest.raises(checker.Malformed, match="--key: key 2 of 2") as refused:
        checker.verify(make.signed(sealed(), "a"), keys=[pem("a"), other_keys()[name]])
    assert ("private key" in str(refused.value)) is (name == "private")
    assert "\n" not in str(refused.value)


def test_too_many_keys() -> None:
    with pytest.raises(checker.Malformed, match="more than 32 keys"):
        checker.verify(sealed(), keys=[pem("a")] * 33)


MISSING = "raise ImportError('no such package')"
PANICS = "class PanicException(BaseException): pass\nraise PanicException('Python API call failed')"


@pytest.mark.parametrize("content", [MISSING, PANICS, "raise OSError", "import nothing_of_this_name"])
def test_a_broken_cryptography_is_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "cryptography").mkdir()
    (tmp_path / "cryptography/__init__.py").write_text(content)
    shutil.copy(checker.__file__, tmp_path / "checker.py")
    write(tmp_path, signed__json=make.signed(make.SEALED["erasure_record"](), "a"), a__pub=pem("a"))

    def run(*arguments: str) -> Any:
        command = [sys.executable, "checker.py", "signed.json", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    done = run("--key", "a.pub")
    assert done.returncode == 2
    assert done.stderr == "checker: checking signatures needs the package cryptography\n"
    assert run().returncode == 3  # is not asked for without a key


def test_runs_alone_without_cryptography(tmp_path: Path) -> None:
    shutil.copy(checker.__file__, tmp_path / "checker.py")
    write(tmp_path, signed__json=make.signed(sealed(), "a"), a__pub=pem("a"))
    command = [sys.executable, "-I", "-S", "checker.py", "signed.json"]  # -S: not even site-packages
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "SIGNED 1 time, no key given: signatures not checked" in done.stdout
    done = subprocess.run([*command, "--key", "a.pub"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "cryptography" in done.stderr


# --- files and dates -------------------------------------------------------------------------------------------------


def test_files_that_the_certificate_is_about() -> None:
    model, record = make.hexed("model"), make.hexed("run_record")
    report = checker.verify(sealed(), subjects=[model, record, model])
    assert report == checker.verify(sealed())
    with pytest.raises(checker.Mismatch, match="is not among the subjects: its SHA-256 is 0000"):
        checker.verify(sealed(), subjects=[model, "0" * 64])
    with pytest.raises(checker.Mismatch, match="not among the subjects"):
        checker.verify(sealed("curved_flat"), subjects=[model])
    for digest in ("", model.upper(), model[:-1]):
        with pytest.raises(checker.Malformed, match="--subject"):
            checker.verify(sealed(), subjects=[digest])


def expiring(expires: str) -> bytes:
    stated = json.loads(json.dumps(make.accepted("curved_flat")))
    stated["predicate"]["expires"] = expires
    return make.seal(stated)


def test_expiry() -> None:
    data, expires = expiring("2027-02-28T12:00:00Z"), datetime(2027, 2, 28, 12, tzinfo=UTC)
    report = checker.verify(data, now=expires - timedelta(seconds=1))
    assert report.expires == "2027-02-28T12:00:00Z" and report.created == "2026-11-21T22:00:00Z"
    assert "8 expiry           ok (expires 2027-02-28T12:00:00Z)" in report.steps
    assert "Created 2026-11-21T22:00:00Z, expires 2027-02-28T12:00:00Z" in str(report)
    for now in (expires, expires + timedelta(days=1), expires.astimezone(timezone(timedelta(hours=5)))):
        with pytest.raises(checker.DoesNotFollow, match="expired on 2027-02-28T12:00:00Z") as refused:
            checker.verify(data, now=now)
        assert len(refused.value.steps) == 8  # all else was looked at before
    with pytest.raises(checker.Malformed, match="time zone"):
        checker.verify(data, now=datetime(2027, 1, 1))
    assert checker.verify(sealed("curved_flat"), now=datetime.max.replace(tzinfo=UTC)).expires is None


def test_expiry_without_a_date_is_that_of_now() -> None:
    soon, past = (datetime.now(UTC) + timedelta(days=days) for days in (1, -1))
    assert checker.verify(expiring(f"{soon:%Y-%m-%dT%H:%M:%SZ}")).exit_code == 0
    created = datetime(2026, 11, 21, 22, tzinfo=UTC)
    with pytest.raises(checker.DoesNotFollow, match="expired" if past > created else "not after created"):
        checker.verify(expiring(f"{past:%Y-%m-%dT%H:%M:%SZ}"))


def test_expired_comes_after_signature_and_claim() -> None:
    """What is forged or false is called so, expired or not."""
    past = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    data = make.signed(sealed(), "a")
    for error, keys, message in ((checker.Mismatch, "b", "wrong key"), (checker.DoesNotFollow, "a", "expired")):
        with pytest.raises(error, match=message):
            checker.verify(data, keys=[pem(key) for key in keys], now=past)


# --- notes -----------------------------------------------------------------------------------------------------------


def test_notes() -> None:
    again = checker.verify(sealed("executed_reproducible"))
    assert again.exit_code == 0 and "THE NOISE CAN BE DRAWN AGAIN: no privacy claim holds" in again.claim
    assert "the noise can be drawn again: no privacy claim holds for this model" in again.notes
    secret = checker.verify(sealed())
    assert "DRAWN AGAIN" not in secret.claim and any("not re-derived" in note for note in secret.notes)
    assert any("producer's word" in note for note in secret.notes)
    assert checker.verify(sealed("curved_flat")).notes == ()
    for note in again.notes:
        assert f"\nNote: {note}" in str(again)


def test_a_word_that_no_report_may_say() -> None:
    for name in ("executed", "executed_reproducible", "executed_training"):
        text = str(checker.verify(sealed(name))).lower()
        assert "gdpr compliant" not in text and "anonymous" not in text


# --- the command line ------------------------------------------------------------------------------------------------


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stated = json.loads(json.dumps(make.accepted("executed")))
    stated["subject"][1]["digest"]["sha256"] = hashlib.sha256(b"the model").hexdigest()
    stated["predicate"]["expires"] = "2027-11-22T00:00:00Z"
    data = make.signed(make.seal(stated), "a", "b")
    write(tmp_path, c__json=data, a__pub=pem("a"), b__pub=pem("b"), z__pub=pem("z"), model__npy=b"the model")
    write(tmp_path, other__npy=b"another model", big__pub=b"x" * 10**6)
    a, b, z, model, other, big = (
        str(tmp_path / name) for name in ("a.pub", "b.pub", "z.pub", "model.npy", "other.npy", "big.pub")
    )
    day = ("--date", "2026-12-01")
    for code, message, arguments in (
        (0, "SIGNED 2 times, no key given", day),
        (0, "SIGNED by 1 of the given keys (1 needed, 2 signatures in all)", ("--key", a, *day)),
        (0, "SIGNED by 2 of the given keys (2 needed", ("--key", a, "--key", b, *day)),
        (0, "SIGNED by 1 of the given keys (1 needed", ("--key", a, "--key", z, "--threshold", "1", *day)),
        (4, "threshold not met: 1 of the given keys signed, 2 must have", ("--key", a, "--key", z, *day)),
        (4, "threshold not met", ("--key", a, "--key", a, "--threshold", "2", *day)),
        (4, "wrong key", ("--key", z, *day)),
        (0, "subject          ok", ("--subject", model, *day)),
        (4, "is not among the subjects", ("--subject", other, *day)),
        (4, "is not among the subjects", ("--subject", model, "--subject", other, *day)),
        (4, "--digest", ("--digest", "0" * 64, *day)),
        (0, "expires 2027-11-22", ("--date", "2027-11-21")),
        (1, "expired on 2027-11-22T00:00:00Z", ("--date", "2027-11-22")),
        (2, "no such time", ("--date", "2027-02-30")),
        (2, "a day like", ("--date", "tomorrow")),
        (2, "--date: given twice", (*day, *day)),
        (2, "--threshold: needs", ("--key", a, "--threshold", "0", *day)),
        (2, "--threshold: needs", ("--key", a, "--threshold", "2", *day)),
        (2, "--threshold: needs", ("--threshold", "1", *day)),
        (2, "--threshold: needs", ("--key", a, "--threshold", "x", *day)),
        (2, "cannot read", ("--key", str(tmp_path / "none.pub"), *day)),
        (2, "cannot read", ("--subject", str(tmp_path), *day)),
        (2, "not one public key", ("--key", model, *day)),
        (2, "not one public key", ("--key", big, *day)),
        (2, "no such option", ("--keys", a, *day)),
    ):
        assert checker.main([*arguments, str(tmp_path / "c.json")]) == code, arguments
        out, err = capsys.readouterr()
        assert message in out + err, arguments
        assert len(err.splitlines()) == (code != 0)
    assert checker.main([str(tmp_path / "c.json"), *day, "--key"]) == 2
    assert capsys.readouterr() == ("", "checker: --key: needs a value\n")


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert checker.main(["--help"]) == 0
    out = capsys.readouterr().out
    for option in ("--digest", "--key", "--threshold", "--subject", "--date"):
        assert f"    {option} " in out
