"""Keys, signatures, and `verify` with keys, threshold, files and date: what is accepted, and each refusal's words."""

from __future__ import annotations

import base64
import hashlib
import json
import multiprocessing
import os
import pty
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from certify import certify, checker, keygen, sign, verify, write_certificate
from certify.errors import UsageError
from certify.trust import keys, together
from certify.trust import sign as signing
from certify.trust.keys import key_id, read_public_key, read_public_keys
from tests.certify.runs import ROOT, plumbline, refused, tables

ACCEPTED = ROOT / "tests/vectors/accept"
REJECTED = ROOT / "tests/vectors/reject/certificates"
PEM, PKCS8, SPKI = s.Encoding.PEM, s.PrivateFormat.PKCS8, s.PublicFormat.SubjectPublicKeyInfo
OPENSSL = shutil.which("openssl")
MANY = 12  # signers at once
FUTURE = (datetime.now(UTC) + timedelta(days=400)).date()


@pytest.fixture(autouse=True)
def no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(keys.PASSPHRASE, raising=False)


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_certificate(certify(tables()), tmp_path_factory.mktemp("made")).read_bytes()


@pytest.fixture
def certificate(tmp_path: Path, unsigned: bytes) -> Path:
    path = tmp_path / "certificate.json"
    path.write_bytes(unsigned)
    return path


@pytest.fixture
def pair(tmp_path: Path) -> Callable[[str], tuple[Path, Path]]:
    """Private and public file of a key by name, made when first asked for."""

    def make(name: str) -> tuple[Path, Path]:
        if not (tmp_path / f"{name}.key").exists():
            keygen(tmp_path / name)
        return tmp_path / f"{name}.key", tmp_path / f"{name}.pub"

    return make


def envelope(path: Path) -> dict[str, Any]:
    return json.loads(path.read_bytes())


def rewrite(path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    parts = envelope(path)
    change(parts)
    path.write_text(json.dumps(parts))
    return path


def spki_digest(path: Path) -> str:
    """Of a public key's DER, read off the PEM by hand."""
    lines = path.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----")
    return hashlib.sha256(base64.b64decode("".join(lines[1:-1]))).hexdigest()


def library_key(public: Path) -> SSlibKey:
    key = s.load_pem_public_key(public.read_bytes())
    return SSlibKey.from_crypto(key, keyid=spki_digest(public))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- keygen ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_keygen(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        done = plumbline("keygen", tmp_path / "lead")
    finally:
        os.umask(before)
    private, public = tmp_path / "lead.key", tmp_path / "lead.pub"
    assert sorted(os.listdir(tmp_path)) == ["lead.key", "lead.pub"]
    assert mode(private) == 0o600 and mode(public) == 0o644 & ~umask
    assert done.code == 0 and done.out == f"{spki_digest(public)}\n"
    assert done.err == f"wrote {private} (not encrypted; keep it secret)\nwrote {public}\n"
    key = s.load_pem_private_key(private.read_bytes(), None)
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    assert key.public_key().public_bytes(PEM, SPKI) == public.read_bytes()
    assert private.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")


def test_keys_differ(pair: Any) -> None:
    assert pair("one")[0].read_bytes() != pair("other")[0].read_bytes()


@pytest.mark.skipif(OPENSSL is None, reason="needs openssl")
def test_openssl_agrees_about_the_key_and_its_id(tmp_path: Path) -> None:
    made = keygen(tmp_path / "lead")
    script = "openssl pkey -in lead.key -pubout -outform DER | sha256sum; openssl pkey -pubin -in lead.pub -outform DER"
    done = subprocess.run(f"{script} | sha256sum", shell=True, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()] == [made.keyid] * 2


def test_the_private_key_is_never_readable_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mode of every file at the moment of its making, under the loosest umask."""
    seen: list[tuple[str, int, int]] = []
    really = os.open

    def watched(path: Any, flags: int, *more: Any, **named: Any) -> int:
        handle = really(path, flags, *more, **named)
        if flags & os.O_CREAT:
            seen.append((os.path.basename(path), stat.S_IMODE(os.fstat(handle).st_mode), os.fstat(handle).st_size))
        return handle

    before = os.umask(0)
    try:
        monkeypatch.setattr(keys.os, "open", watched)
        keygen(tmp_path / "lead")
    finally:
        os.umask(before)
    assert [(name.split(".key")[0], mode, size) for name, mode, size in seen if ".key" in name] == [(".lead", 0o600, 0)]
    assert len(seen) == 2


@pytest.mark.parametrize("call", ["fsync", "link"])
@pytest.mark.parametrize("at", [1, 2])
def test_keygen_writes_both_files_or_none(call: str, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really, calls = getattr(os, call), []

    def full(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == at:
            raise OSError(28, "No space left on device")
        return really(*arguments)

    monkeypatch.setattr(keys.os, call, full)
    line = refused(plumbline("keygen", tmp_path / "lead"))
    assert "No space left on device" in line and os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", ["key", "pub"])
@pytest.mark.parametrize("kind", ["file", "folder", "dangling"])
def test_keygen_overwrites_nothing(suffix: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"lead.{suffix}"
    {"file": lambda: path.write_text("mine"), "folder": path.mkdir, "dangling": lambda: path.symlink_to("away")}[kind]()
    line = refused(plumbline("keygen", tmp_path / "lead"))
    assert f"{path}: exists already" in line and os.listdir(tmp_path) == [path.name]
    assert kind != "file" or path.read_text() == "mine"


def test_keygen_loses_a_race_without_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's key that appears after the look is kept, too."""
    really = os.link

    def late(source: Any, target: Any) -> None:
        if str(target).endswith(".pub"):
            Path(target).write_text("theirs")
        really(source, target)

    monkeypatch.setattr(keys.os, "link", late)
    assert "exists already" in refused(plumbline("keygen", tmp_path / "lead"))
    assert os.listdir(tmp_path) == ["lead.pub"] and (tmp_path / "lead.pub").read_text() == "theirs"


@pytest.mark.parametrize("name", ["", ".", "..", "../..", "keys/", "missing/lead"])
def test_keygen_needs_a_name_in_a_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "folder" in refused(plumbline("keygen", name))
    assert os.listdir(tmp_path) == []


# --- passphrases -----------------------------------------------------------------------------------------------------


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    keygen(tmp_path / "locked", passphrase="päss wörd")
    return tmp_path / "locked.key"


def test_keygen_with_a_passphrase(tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keys.PASSPHRASE, "päss wörd")
    done = plumbline("keygen", tmp_path / "lead", "--passphrase")
    private = tmp_path / "lead.key"
    assert done.code == 0 and "lead.key (encrypted; keep it secret)" in done.err and mode(private) == 0o600
    assert private.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    s.load_pem_private_key(private.read_bytes(), "päss wörd".encode())
    assert plumbline("sign", certificate, "--key", private).out == done.out
    assert verify(certificate, keys=[tmp_path / "lead.pub"]).verified


def test_wrong_passphrase(certificate: Path, locked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = certificate.read_bytes()
    for wrong in ("another", "päss wörd ", "x" * 1023):
        monkeypatch.setenv(keys.PASSPHRASE, wrong)
        line = refused(plumbline("sign", certificate, "--key", locked))
        assert f"{locked}: wrong passphrase" in line and wrong not in line
    assert certificate.read_bytes() == before


@pytest.mark.parametrize("bad", ["", "x" * 1024])
def test_passphrases_that_no_key_has(
    bad: str, tmp_path: Path, certificate: Path, locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(keys.PASSPHRASE, bad)
    for arguments in (["keygen", tmp_path / "lead", "--passphrase"], ["sign", certificate, "--key", locked]):
        assert "must have 1 to 1023 bytes" in refused(plumbline(*arguments))
    assert not (tmp_path / "lead.key").exists()


def test_a_passphrase_needs_a_terminal(tmp_path: Path, certificate: Path, locked: Path) -> None:
    for arguments in (["keygen", tmp_path / "lead", "--passphrase"], ["sign", certificate, "--key", locked]):
        command = [sys.executable, "-m", "certify.cli", *map(str, arguments)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT, timeout=120)
        assert done.returncode == 2 and done.stdout == "" and len(done.stderr.splitlines()) == 1
        assert "no terminal" in done.stderr and keys.PASSPHRASE in done.stderr
    assert not (tmp_path / "lead.key").exists()
    with pytest.raises(UsageError, match="is encrypted; a passphrase is needed"):
        sign(certificate, key=locked)


def on_a_terminal(*arguments: str | Path, answers: list[str]) -> tuple[int, str, str]:
    """The command with a terminal as its stdin; an answer is typed at each prompt. stdout and stderr are pipes."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "certify.cli", *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=theirs, stdout=pipe, stderr=pipe, cwd=ROOT, start_new_session=True) as process:
        err = b""
        for answer in answers:
            while not err.endswith(b": "):
                err += os.read(process.stderr.fileno(), 1) or pytest.fail(f"no prompt: {err!r}")
            os.write(ours, f"{answer}\n".encode())
            err += b"\n"
        out, rest = process.communicate(timeout=120)
    os.close(ours)
    os.close(theirs)
    return process.returncode, out.decode(), (err + rest).decode()


def test_a_passphrase_is_asked_for_on_the_terminal(tmp_path: Path, certificate: Path) -> None:
    code, out, err = on_a_terminal("keygen", tmp_path / "lead", "--passphrase", answers=["one", "other"])
    assert code == 2 and out == "" and "the two passphrases differ" in err and not (tmp_path / "lead.key").exists()
    code, out, err = on_a_terminal("keygen", tmp_path / "lead", "--passphrase", answers=["hush-hush", "hush-hush"])
    assert code == 0 and f"Passphrase of {tmp_path / 'lead.key'}: " in err and "hush" not in out + err
    assert b"ENCRYPTED" in (tmp_path / "lead.key").read_bytes()
    code, keyid, err = on_a_terminal("sign", certificate, "--key", tmp_path / "lead.key", answers=["hush-hush"])
    assert (code, keyid) == (0, out) and verify(certificate, keys=[tmp_path / "lead.pub"]).verified


# --- sign ------------------------------------------------------------------------------------------------------------


def test_sign_and_verify(certificate: Path, unsigned: bytes, pair: Any) -> None:
    private, public = pair("lead")
    done = plumbline("sign", certificate, "--key", private)
    assert (
        done.code == 0 and done.out == f"{spki_digest(public)}\n" and done.err == f"wrote {certificate} (1 signature)\n"
    )
    before, after = json.loads(unsigned), envelope(certificate)
    (entry,) = after.pop("signatures")
    assert after == {key: value for key, value in before.items() if key != "signatures"}  # the payload's bytes too
    assert set(entry) == {"keyid", "sig"} and entry["keyid"] == spki_digest(public)
    assert len(base64.b64decode(entry["sig"], validate=True)) == 64
    shown = plumbline("verify", certificate, "--key", public)
    assert shown.code == 0 and shown.err == "" and "SIGNED by 1 of the given keys (1 needed" in shown.out
    assert "no key given: signatures not checked" in plumbline("verify", certificate).out


def test_two_signers(certificate: Path, tmp_path: Path, pair: Any) -> None:
    (one, one_pub), (two, two_pub) = pair("one"), pair("two")
    sign(certificate, key=one)
    first = envelope(certificate)
    done = plumbline("sign", certificate, "--key", two, "-o", tmp_path / "both.json")
    assert done.code == 0 and done.err == f"wrote {tmp_path / 'both.json'} (2 signatures)\n"
    assert envelope(certificate) == first  # -o leaves the file alone
    second = envelope(tmp_path / "both.json")
    assert second["signatures"][0] == first["signatures"][0] and second["payload"] == first["payload"]
    found = verify(tmp_path / "both.json", keys=[one_pub, two_pub]).as_json()
    assert found["verified"] and found["signed"] and (found["signatures"], found["threshold"]) == (2, 2)
    assert found["signers"] == [spki_digest(one_pub), spki_digest(two_pub)]


def test_the_library_and_openssl_accept_what_is_signed(certificate: Path, tmp_path: Path, pair: Any) -> None:
    (one, one_pub), (two, two_pub), (_, other) = pair("one"), pair("two"), pair("other")
    sign(certificate, key=one)
    sign(certificate, key=two)
    parts = envelope(certificate)
    del parts["digest"]  # of ours, not of DSSE
    dsse = Envelope.from_dict(parts)
    accepted = dsse.verify([library_key(one_pub), library_key(two_pub)], 2)
    assert set(accepted) == {spki_digest(one_pub), spki_digest(two_pub)}
    with pytest.raises(Exception, match="do not match threshold"):
        dsse.verify([library_key(one_pub), library_key(other)], 2)
    body, kind = base64.b64decode(envelope(certificate)["payload"]), b"application/vnd.in-toto+json"
    encoded = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)
    assert dsse.pae() == encoded
    if OPENSSL is None:
        pytest.skip("the rest needs openssl")
    (tmp_path / "pae").write_bytes(encoded)
    (tmp_path / "sig").write_bytes(base64.b64decode(envelope(certificate)["signatures"][1]["sig"]))
    for public, code in ((two_pub, 0), (one_pub, 1)):
        command = [OPENSSL, "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public, "-in", tmp_path / "pae"]
        assert subprocess.run([*command, "-sigfile", tmp_path / "sig"], capture_output=True).returncode == code


def test_the_standalone_checker_accepts_it(certificate: Path, pair: Any) -> None:
    private, public = pair("lead")
    sign(certificate, key=private, expires=FUTURE)
    command = [sys.executable, ROOT / "certify/checker.py", certificate, "--key", public]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "") and spki_digest(public) in done.stdout
    done = subprocess.run([*command, "--date", str(FUTURE)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "expired" in done.stderr


@pytest.mark.parametrize(("target", "code"), [("0.1", 1), ("1", 0)])
def test_a_missed_target_may_be_signed(target: str, code: int, tmp_path: Path, pair: Any) -> None:
    path = write_certificate(certify(tables(target={"epsilon": target})), tmp_path)
    assert plumbline("sign", path, "--key", pair("lead")[0]).code == 0
    assert verify(path, keys=[pair("lead")[1]]).exit_code == code


def test_an_open_verdict_may_be_signed(tmp_path: Path, pair: Any) -> None:
    shutil.copy(ACCEPTED / "training_truncated.json", tmp_path / "open.json")
    found = checker.verify((tmp_path / "open.json").read_bytes())
    sign(tmp_path / "open.json", key=pair("lead")[0])
    assert verify(tmp_path / "open.json", keys=[pair("lead")[1]]).exit_code == found.exit_code


def test_an_erasure_record_is_signed_and_verified(tmp_path: Path, pair: Any) -> None:
    private, public = pair("dpo")
    path = shutil.copy(ACCEPTED / "erasure_record.json", tmp_path / "erasure-1.json")
    assert "do" in refused(plumbline("sign", path, "--key", private, "--expires", FUTURE))
    assert plumbline("sign", path, "--key", private).code == 0
    found = verify(path, keys=[public], of=ACCEPTED / "executed.json")
    assert found.exit_code == 0 and found.report.signers == (spki_digest(public),)
    whole = ["--certificate", ACCEPTED / "executed.json"]
    assert plumbline("verify", path, "--key", public, *whole).code == 0
    assert plumbline("verify", path, "--key", pair("other")[1], *whole).code == 4
    alone = plumbline("verify", path, "--key", public)
    assert alone.code == 3 and "not done: give --certificate" in alone.out
    assert not verify(path, keys=[public]).verified


def tampered(path: Path) -> None:
    body = bytearray(base64.b64decode(envelope(path)["payload"]))
    at = body.index(b'"CERTIFIED"')
    body[at + 1] ^= 1
    rewrite(path, lambda parts: parts.update(payload=base64.b64encode(bytes(body)).decode()))


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:500])


def vector(name: str) -> Callable[[Path], None]:
    return lambda path: shutil.copy(REJECTED / f"{name}.json", path) and None


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (tampered, 4, "does not have the envelope's digest"),
        (truncated, 2, "not valid JSON"),
        (vector("expired"), 1, "expired on"),
        (vector("phase_left_out"), 1, "phases"),
        (Path.unlink, 2, "No such file"),
    ],
    ids=["tampered", "truncated", "expired", "does-not-follow", "missing"],
)
def test_what_does_not_verify_is_not_signed(
    spoil: Callable[[Path], None], code: int, words: str, certificate: Path, tmp_path: Path, pair: Any
) -> None:
    private, _ = pair("lead")
    spoil(certificate)
    before = certificate.read_bytes() if certificate.exists() else None
    for more in ([], ["--expires", FUTURE], ["-o", tmp_path / "out.json"]):
        line = refused(plumbline("sign", certificate, "--key", private, *more), code)
        assert line.startswith(f"plumbline: {certificate}: ") and words in line
    assert not (tmp_path / "out.json").exists()
    assert before == (certificate.read_bytes() if certificate.exists() else None)
    assert plumbline("verify", certificate).code == code


def test_the_same_key_twice(certificate: Path, tmp_path: Path, pair: Any) -> None:
    private, public = pair("lead")
    sign(certificate, key=private)
    before = certificate.read_bytes()
    line = refused(plumbline("sign", certificate, "--key", private, "-o", tmp_path / "out.json"))
    assert "is signed by this key already" in line and spki_digest(public) in line
    assert certificate.read_bytes() == before and not (tmp_path / "out.json").exists()
    rewrite(certificate, lambda parts: parts["signatures"][0].update(keyid="0" * 64))  # the keyid is only a hint
    assert "is signed by this key already" in refused(plumbline("sign", certificate, "--key", private))


def test_a_false_signature_of_ones_own_key(certificate: Path, pair: Any) -> None:
    private, public = pair("lead")
    false = {"keyid": spki_digest(public), "sig": base64.b64encode(bytes(64)).decode()}
    rewrite(certificate, lambda parts: parts["signatures"].append(false))
    line = refused(plumbline("sign", certificate, "--key", private), 4)
    assert "signatures[0] has this key's id, but is not its signature" in line


def test_at_most_so_many_signatures(certificate: Path, pair: Any) -> None:
    others = [{"keyid": f"{i:064x}", "sig": base64.b64encode(bytes([i] * 64)).decode()} for i in range(32)]
    rewrite(certificate, lambda parts: parts["signatures"].extend(others[:31]))
    sign(certificate, key=pair("one")[0])
    assert "has 32 signatures already" in refused(plumbline("sign", certificate, "--key", pair("two")[0]))
    assert signing.MAX_SIGNATURES == checker.MAX_SIGNATURES == 32


@pytest.mark.parametrize("where", ["missing/out.json", "."])
def test_sign_into_where_nothing_can_be_written(where: str, certificate: Path, tmp_path: Path, pair: Any) -> None:
    line = refused(plumbline("sign", certificate, "--key", pair("lead")[0], "-o", tmp_path / where))
    assert "cannot be written" in line


@pytest.mark.parametrize("kind", ["certificate", "key", "link", "pipe"])
def test_sign_overwrites_nothing_else(kind: str, certificate: Path, tmp_path: Path, pair: Any) -> None:
    """Neither a key, nor what another one signed there, nor (as root) a device: a rename replaces them all."""
    (one, _), (two, _) = pair("one"), pair("two")
    out = tmp_path / "out.json"
    make = {
        "certificate": lambda: sign(certificate, key=two, output=out),
        "key": lambda: shutil.copy(two, out),
        "link": lambda: out.symlink_to(two),
        "pipe": lambda: os.mkfifo(out),
    }
    make[kind]()
    before = (out.lstat().st_ino, two.read_bytes())
    assert f"-o {out}: cannot be written: exists already" in refused(
        plumbline("sign", certificate, "--key", one, "-o", out)
    )
    assert (out.lstat().st_ino, two.read_bytes()) == before
    assert plumbline("sign", certificate, "--key", one, "-o", certificate).code == 0  # itself by another name


def test_a_signer_who_was_overtaken_signs_what_is_there_then(
    certificate: Path, pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one, one_pub), (two, two_pub) = pair("one"), pair("two")
    really, waiting = checker.verify, [two]

    def slow(data: bytes, *more: Any, **named: Any) -> Any:
        if waiting:
            sign(certificate, key=waiting.pop())
        return really(data, *more, **named)

    monkeypatch.setattr(checker, "verify", slow)
    assert plumbline("sign", certificate, "--key", one).code == 0
    assert verify(certificate, keys=[one_pub, two_pub], threshold=2).report.signatures == 2


@pytest.mark.parametrize("locks", [True, False])
def test_no_signature_of_many_signers_at_once_is_lost(
    locks: bool, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every signer is a process of its own, and all begin at the same moment."""
    if not locks:  # a disk whose folders cannot be locked
        monkeypatch.setattr(together, "fcntl", None)
    keys = [ed25519.Ed25519PrivateKey.generate() for _ in range(MANY)]
    context = multiprocessing.get_context("fork")
    begin = context.Event()

    def one(key: ed25519.Ed25519PrivateKey) -> None:
        begin.wait()
        sign(certificate, key=key)

    signers = [context.Process(target=one, args=(key,)) for key in keys]
    for signer in signers:
        signer.start()
    begin.set()
    for signer in signers:
        signer.join()
    assert [signer.exitcode for signer in signers] == [0] * MANY
    entries = envelope(certificate)["signatures"]
    assert {entry["keyid"] for entry in entries} == {key_id(key.public_key()) for key in keys}
    assert len(entries) == MANY and verify(certificate).exit_code == 0
    assert not list(certificate.parent.glob(".*"))


def test_of_two_who_write_one_new_file_the_second_is_refused(certificate: Path, tmp_path: Path, pair: Any) -> None:
    keys, out, context = [pair("one")[0], pair("two")[0]], tmp_path / "out.json", multiprocessing.get_context("fork")
    codes = [
        context.Process(target=lambda k=key: sys.exit(plumbline("sign", certificate, "--key", k, "-o", out).code))
        for key in keys
    ]
    for process in codes:
        process.start()
    for process in codes:
        process.join()
    assert sorted(process.exitcode for process in codes) == [0, 2]
    assert len(envelope(out)["signatures"]) == 1


def test_a_lock_file_that_stays_is_named(certificate: Path, pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "fcntl", None)
    monkeypatch.setattr(together, "PATIENCE", 0)
    (certificate.parent / ".plumbline.lock").touch()
    assert ".plumbline.lock: somebody else writes here" in refused(
        plumbline("sign", certificate, "--key", pair("one")[0])
    )


def test_a_signature_is_written_whole_or_not_at_all(
    certificate: Path, unsigned: bytes, pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    private, names = pair("lead")[0], sorted(os.listdir(certificate.parent))
    monkeypatch.setattr(os, "replace", full)
    assert "No space left on device" in refused(plumbline("sign", certificate, "--key", private))
    assert certificate.read_bytes() == unsigned and sorted(os.listdir(certificate.parent)) == names


def test_signing_a_link_signs_what_it_leads_to(certificate: Path, tmp_path: Path, pair: Any) -> None:
    (tmp_path / "latest.json").symlink_to(certificate)
    assert plumbline("sign", tmp_path / "latest.json", "--key", pair("lead")[0]).code == 0
    assert (tmp_path / "latest.json").is_symlink() and len(envelope(certificate)["signatures"]) == 1


# --- keys that are none ----------------------------------------------------------------------------------------------

PRIVATE = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
    "x25519": x25519.X25519PrivateKey.generate,
}


def pem(key: Any) -> tuple[bytes, bytes]:
    return key.private_bytes(PEM, PKCS8, s.NoEncryption()), key.public_key().public_bytes(PEM, SPKI)


@pytest.mark.parametrize("kind", PRIVATE)
def test_keys_of_another_kind(kind: str, certificate: Path, tmp_path: Path) -> None:
    for name, content in zip(("key", "pub"), pem(PRIVATE[kind]()), strict=True):
        (tmp_path / f"other.{name}").write_bytes(content)
    for command, name in (("sign", "other.key"), ("verify", "other.pub")):
        line = refused(plumbline(command, certificate, "--key", tmp_path / name))
        assert f"{tmp_path / name}: is a key of another kind; Ed25519 is needed" in line


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\x00" * 99, b"-----BEGIN PRIVATE KEY-----\nAAAA\n", b"{}"])
def test_files_that_are_no_keys(content: bytes, certificate: Path, tmp_path: Path) -> None:
    (tmp_path / "no").write_bytes(content)
    assert "is not an Ed25519 private key" in refused(plumbline("sign", certificate, "--key", tmp_path / "no"))
    assert f"{tmp_path / 'no'}: is " in refused(plumbline("verify", certificate, "--key", tmp_path / "no"))


def test_keys_that_cannot_be_read(certificate: Path, tmp_path: Path, pair: Any) -> None:
    (tmp_path / "long").write_bytes(b"x" * (1 << 17))
    for name, words in (("missing", "No such file"), (".", "Is a directory"), ("long", "more than 65536 bytes")):
        for command in ("sign", "verify"):
            line = refused(plumbline(command, certificate, "--key", tmp_path / name))
            assert words in line and str(tmp_path) in line
    private, public = pair("lead")
    assert f"{public}: is a public key" in refused(plumbline("sign", certificate, "--key", public))
    assert f"{private}: is a private key" in refused(plumbline("verify", certificate, "--key", private))


def test_a_public_key_is_read_without_what_surrounds_it(tmp_path: Path, pair: Any) -> None:
    (_, one), (_, two) = pair("one"), pair("two")
    (tmp_path / "both.pub").write_bytes(one.read_bytes() + two.read_bytes())
    with pytest.raises(UsageError, match=r"both.pub: holds more than one key; give each in a file of its own"):
        read_public_key(tmp_path / "both.pub")  # else the second one would not be asked for
    (tmp_path / "noted.pub").write_bytes(b"the lead's\n" + one.read_bytes() + b"\nuntil 2030\n")
    assert read_public_key(tmp_path / "noted.pub") == one.read_bytes()
    with pytest.raises(UsageError, match=r"noted.pub: is the same key as .*one.pub"):
        read_public_keys([one, two, tmp_path / "noted.pub"])


# --- expiry ----------------------------------------------------------------------------------------------------------


def test_expiry_is_signed(certificate: Path, unsigned: bytes, pair: Any) -> None:
    private, public = pair("lead")
    assert plumbline("sign", certificate, "--key", private, "--expires", FUTURE).code == 0
    statement = json.loads(base64.b64decode(envelope(certificate)["payload"]))
    was = json.loads(base64.b64decode(json.loads(unsigned)["payload"]))
    assert statement["predicate"].pop("expires") == f"{FUTURE}T00:00:00Z" and statement == was
    rewrite(certificate, lambda parts: parts.update(payload=json.loads(unsigned)["payload"]))  # without the date
    assert plumbline("verify", certificate, "--key", public).code == 4


def test_expired(certificate: Path, pair: Any) -> None:
    private, public = pair("lead")
    sign(certificate, key=private, expires=FUTURE)
    last = FUTURE - timedelta(days=1)
    assert plumbline("verify", certificate, "--key", public, "--date", last).code == 0
    done = plumbline("verify", certificate, "--key", public, "--date", FUTURE)
    assert done.code == 1 and f"expired on {FUTURE}T00:00:00Z" in done.err and len(done.err.splitlines()) == 1
    found = verify(certificate, keys=[public], on=FUTURE)
    assert not found.verified and found.exit_code == 1 and found.report is None
    assert verify(certificate).as_json()["expires"] == f"{FUTURE}T00:00:00Z"


@pytest.mark.parametrize("days", [0, -1, -40_000])
def test_a_day_that_has_begun_is_no_expiry(days: int, certificate: Path, unsigned: bytes, pair: Any) -> None:
    day = datetime.now(UTC).date() + timedelta(days=days)
    line = refused(plumbline("sign", certificate, "--key", pair("lead")[0], "--expires", day))
    assert f"--expires: {day} is not in the future" in line and certificate.read_bytes() == unsigned


def test_no_expiry_for_what_is_signed_already(certificate: Path, pair: Any) -> None:
    sign(certificate, key=pair("one")[0])
    before = certificate.read_bytes()
    line = refused(plumbline("sign", certificate, "--key", pair("two")[0], "--expires", FUTURE))
    assert "is signed already" in line and certificate.read_bytes() == before


def test_the_second_signer_signs_the_expiry_too(certificate: Path, pair: Any) -> None:
    sign(certificate, key=pair("one")[0], expires=FUTURE)
    sign(certificate, key=pair("two")[0])
    assert verify(certificate, keys=[pair("one")[1], pair("two")[1]]).report.expires == f"{FUTURE}T00:00:00Z"


@pytest.mark.parametrize(
    "day", ["2027-02-29", "tomorrow", "20270101", "2027-1-1", "2027-W01-1", "", "2027-01-01T00:00"]
)
def test_days_that_are_none(day: str, certificate: Path, pair: Any) -> None:
    for arguments in (
        ["sign", certificate, "--key", pair("lead")[0], "--expires", day],
        ["verify", certificate, "--date", day],
    ):
        assert "write a day as YYYY-MM-DD" in refused(plumbline(*arguments))


# --- verify: each failure in its own words ---------------------------------------------------------------------------


def test_each_mismatch_has_its_own_message(certificate: Path, tmp_path: Path, unsigned: bytes, pair: Any) -> None:
    (one, one_pub), (_, two_pub) = pair("one"), pair("two")
    (tmp_path / "bare.json").write_bytes(unsigned)
    sign(certificate, key=one)
    forged = tmp_path / "forged.json"
    shutil.copy(certificate, forged)
    tampered(forged)
    other = write_certificate(certify(tables(target={"epsilon": 3})), tmp_path / "other")
    rewrite(other, lambda parts: parts.update(signatures=envelope(certificate)["signatures"]))
    shutil.copy(ROOT / "examples/digits.toml", tmp_path / "another.toml")
    (tmp_path / "model.npy").write_bytes(b"another model")
    cases = {
        "wrong key": [certificate, "--key", two_pub],
        "threshold not met: 1 of the given keys signed, 2 must have": [certificate, "--key", one_pub, "--key", two_pub],
        "unsigned, and a key was given": [tmp_path / "bare.json", "--key", one_pub],
        "the payload does not have the envelope's digest": [forged, "--key", one_pub],
        "a signature by a given key is not over these bytes": [other, "--key", one_pub],
        "does not have the digest of": [certificate, "--run", tmp_path / "another.toml"],
        "not among the subjects": [certificate, "--subject", tmp_path / "model.npy"],
    }
    lines = set()
    for words, arguments in cases.items():
        for more in ([], ["--format", "json"]):
            done = plumbline("verify", *arguments, *more)
            assert done.code == 4, (words, done)
            line = json.loads(done.out)["problem"] if more else done.err.strip()
            assert words in line and str(arguments[0]) in line and len(line.splitlines()) == 1
        lines.add(line)
        assert json.loads(done.out)["verified"] is False and json.loads(done.out)["verdict"] is None
    assert len(lines) == len(cases)
    assert str(tmp_path / "model.npy") in plumbline("verify", certificate, "--subject", tmp_path / "model.npy").err


def test_threshold(certificate: Path, pair: Any) -> None:
    publics = [pair(name)[1] for name in ("one", "two", "three")]
    for signed, name in enumerate(("one", "two", "three"), 1):
        sign(certificate, key=pair(name)[0])
        for threshold in (1, 2, 3):
            found = verify(certificate, keys=publics, threshold=threshold)
            assert found.exit_code == (0 if signed >= threshold else 4)
        assert verify(certificate, keys=publics).exit_code == (0 if signed == 3 else 4)  # all, unless told


@pytest.mark.parametrize("threshold", ["0", "3"])
def test_thresholds_that_no_keys_can_meet(threshold: str, certificate: Path, pair: Any) -> None:
    keys_given = ["--key", pair("one")[1], "--key", pair("two")[1]]
    line = refused(plumbline("verify", certificate, *keys_given, "--threshold", threshold))
    assert f"--threshold: {threshold} is not between 1 and the number of keys given, 2" in line
    assert "keys given, 0" in refused(plumbline("verify", certificate, "--threshold", "1"))
    assert "write a whole number" in refused(plumbline("verify", certificate, *keys_given, "--threshold", "-1"))


def test_a_key_counts_once(certificate: Path, pair: Any, tmp_path: Path) -> None:
    private, public = pair("lead")
    sign(certificate, key=private)
    shutil.copy(public, tmp_path / "again.pub")
    arguments = ["--key", public, "--key", tmp_path / "again.pub", "--threshold", "2"]
    assert "is the same key as" in refused(plumbline("verify", certificate, *arguments))
    rewrite(certificate, lambda parts: parts["signatures"].append(dict(parts["signatures"][0], keyid="1" * 64)))
    found = verify(certificate, keys=[public, pair("other")[1]], threshold=2)
    assert found.exit_code == 4 and "threshold not met: 1 of" in found.problem


def test_subjects(tmp_path: Path, pair: Any) -> None:
    """An executed certificate names model and run record; other files, however similar, are refused."""
    path = write_certificate(certify(tables()), tmp_path)
    run = certify(tables()).run
    from certify.runfile.read import canonical_json

    (tmp_path / "run.json").write_bytes(canonical_json(run.canonical))
    assert verify(path, subjects=[tmp_path / "run.json"]).verified
    (tmp_path / "run.json").write_bytes(canonical_json(run.canonical) + b"\n")
    assert verify(path, subjects=[tmp_path / "run.json"]).exit_code == 4
    assert "No such file" in refused(plumbline("verify", path, "--subject", tmp_path / "missing"))


# --- attacks ---------------------------------------------------------------------------------------------------------


def attacked(certificate: Path, private: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    key = s.load_pem_private_key(private.read_bytes(), None)
    parts = envelope(certificate)
    body = base64.b64decode(parts["payload"])
    for name, message in {
        "the payload without its encoding": body,
        "the base64 text": parts["payload"].encode(),
        "the digest": hashlib.sha256(body).digest(),
        "another type": b"DSSEv1 16 application/json %d %s" % (len(body), body),
        "another version": b"DSSEv2 28 application/vnd.in-toto+json %d %s" % (len(body), body),
    }.items():
        entry = parts["signatures"][0] | {"sig": base64.b64encode(key.sign(message)).decode()}
        yield name, parts | {"signatures": [entry]}
    yield "no signature", parts | {"signatures": []}
    yield "another type in the envelope", parts | {"payloadType": "application/json"}


def test_signatures_over_something_else(certificate: Path, pair: Any) -> None:
    private, public = pair("lead")
    sign(certificate, key=private)
    for name, parts in attacked(certificate, private):
        certificate.write_text(json.dumps(parts))
        assert verify(certificate, keys=[public]).exit_code == 4, name


def test_the_id_of_a_key_is_only_a_hint(certificate: Path, pair: Any) -> None:
    private, public = pair("lead")
    sign(certificate, key=private)
    rewrite(certificate, lambda parts: parts["signatures"][0].update(keyid="f" * 64))
    assert verify(certificate, keys=[public]).verified
    rewrite(certificate, lambda parts: parts["signatures"][0].update(keyid=spki_digest(pair("other")[1])))
    assert verify(certificate, keys=[public]).verified
    assert verify(certificate, keys=[pair("other")[1]]).exit_code == 4


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(part=st.sampled_from(["payload", "sig"]), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit(part: str, place: float, bit: int, certificate: Path, unsigned: bytes, pair: Any) -> None:
    private, public = pair("lead")
    certificate.write_bytes(unsigned)
    sign(certificate, key=private)
    assert verify(certificate, keys=[public]).verified

    def flip(parts: dict[str, Any]) -> None:
        holder = parts if part == "payload" else parts["signatures"][0]
        data = bytearray(base64.b64decode(holder[part]))
        data[int(place * len(data))] ^= 1 << bit
        holder[part] = base64.b64encode(bytes(data)).decode()
        if part == "payload":  # and whoever did it, made the digest fit
            parts["digest"]["sha256"] = hashlib.sha256(bytes(data)).hexdigest()

    found = verify(rewrite(certificate, flip), keys=[public])
    assert found.exit_code == 4 and found.report is None


# --- Python ----------------------------------------------------------------------------------------------------------


def test_the_libraries_load_when_they_are_needed(certificate: Path) -> None:
    script = f"""
import sys
def loaded(): return {{m.partition('.')[0] for m in sys.modules}} & {{"cryptography", "securesystemslib"}}
import certify, certify.cli, certify.trust.keys, certify.trust.sign, certify.gating.gate, certify.gating.policy
assert certify.sign and certify.gate and certify.keygen and certify.verify({str(certificate)!r}).verified
assert certify.cli.main(["verify", {str(certificate)!r}]) == 0
assert not loaded(), loaded()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_sign_with_a_key_that_is_no_file(certificate: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    made = sign(certificate, key=key)
    assert (made.path, made.signatures) == (certificate, 1) and len(made.keyid) == 64
    assert verify(certificate, on=date(2126, 1, 1)).report.signatures == 1
