"""Certify, then run, then record; and the main job from its own command line."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.learn

import torch  # noqa: E402

import learners  # noqa: E402
from certify import UsageError, checker, gate, read_run, verify, write_certificate  # noqa: E402
from certify.runfile.read import canonical_json  # noqa: E402
from certify.service import Execution, NotCertified, execute, whole_run  # noqa: E402
from certify.trust import together  # noqa: E402
from certify.trust.erasure import check_commitment, model_digest  # noqa: E402
from certify.trust.execution import make_execution  # noqa: E402
from learners import Dataset, accuracy, embedded, normalise  # noqa: E402
from learners.record import NOT_NOISED, parameters_hash  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]
DIGITS = ROOT / "examples" / "digits.toml"


def test_what_is_executed_is_what_was_certified(tmp_path: Path) -> None:
    train, test = embedded("digits-3-8")
    told: list[tuple[str, int, int]] = []
    done = execute(DIGITS, train, [[7]], tmp_path / "out", seed=3, progress=lambda *step: told.append(step))
    assert verify(done.certificate, run=DIGITS).verified
    record = json.loads(done.record.read_text())
    assert record["mechanism_digest"] == done.result.digest == read_run(DIGITS).digest
    assert [(phase["kind"], phase["steps"]) for phase in record["phases"]] == [("learn", 40), ("unlearn", 4)]
    released = np.load(done.model, allow_pickle=False)
    assert np.array_equal(released, done.unlearned.released.numpy())
    assert accuracy(done.unlearned.parameters, test) > 0.85 and accuracy(done.retrained.parameters, test) > 0.85
    assert {what for what, _, _ in told} == {"figures", "learn", "unlearn request 1", "retrain"}
    assert "fingerprint" not in done.record.read_text()  # it would show the data before and after


def test_a_run_that_misses_its_target_is_not_executed(tmp_path: Path) -> None:
    train, _ = embedded("digits-3-8")
    weak = read_run(DIGITS).with_values(noise_std="0.001")
    with pytest.raises(NotCertified, match="NOT_CERTIFIED: ε ≤ "):
        execute(weak, train, [[7]], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("requests", [[[7, 8]], [[7], [8]], [[999]]])
def test_requests_that_were_not_certified_are_refused(requests: list[list[int]], tmp_path: Path) -> None:
    train, _ = embedded("digits-3-8")
    with pytest.raises(UsageError) as refused:
        execute(DIGITS, train, requests, tmp_path / "out")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_features_beyond_the_stated_norm_are_refused(tmp_path: Path) -> None:
    train, _ = embedded("digits-3-8")
    small = read_run(DIGITS)
    tables = {name: dict(table) for name, table in small.canonical.items() if table is not None}
    tables["loss"]["feature_norm"] = "1/2"
    tables["mechanism"]["noise_std"] = "1"
    with pytest.raises(UsageError, match="norm"):
        execute(read_run(tables), Dataset(train.name, train.features, train.labels), [[7]], tmp_path / "out")


# ---------------------------------------------------------------------------------------------------------------------
# Erasure records
# ---------------------------------------------------------------------------------------------------------------------

KEY = bytes(range(32))
FORGET = [[1007], [1003, 1011]]  # numbers that nothing else in a certificate looks like
SIGN_OFF = {"name": "A. Nonymous", "role": "data protection officer", "date": "2026-11-20", "text": "seen"}


def small_run(release: str = "final") -> dict[str, Any]:
    return {
        "mechanism": {
            "kind": "pnsgd",
            "samples": 1016,
            "batch_size": 254,
            "epochs": 3,
            "unlearning_epochs": [1, 2, 1],
            "noise_std": "0.3",
        },
        "loss": {"kind": "logistic", "regularization": "0.1", "feature_norm": 1, "clip": 1},
        "requests": {"sizes": [1, 2, 3]},
        "target": {"epsilon": 1, "delta": "1/n"},
        "threat": {"release": release},
    }


def small_data() -> Dataset:
    rng = np.random.default_rng(0)
    rows = normalise(torch.from_numpy(rng.normal(size=(1016, 3))))
    return Dataset("random", rows, torch.from_numpy(rng.choice([-1.0, 1.0], 1016)))


def run_small(output: Path, release: str = "final", **options: Any) -> Execution:
    return execute(read_run(small_run(release)), small_data(), FORGET, output, **{"erasure_key": KEY} | options)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Execution:
    return run_small(
        tmp_path_factory.mktemp("secret"),
        received=[datetime(2026, 11, 1, 12, tzinfo=UTC), None],
        scope="the model; “back-ups” are another matter",
        ids=["R-a", "R-b"],
        sign_off=SIGN_OFF,
    )


def payload(path: Path) -> dict[str, Any]:
    return json.loads(base64.b64decode(json.loads(path.read_text())["payload"]))


def leaves(value: Any) -> Iterator[Any]:
    """Every key and every value of a JSON text that is neither a list nor an object."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for entry in value:
            yield from leaves(entry)
    else:
        yield value


def test_the_certificate_names_the_files_and_says_what_was_run(done: Execution) -> None:
    found = payload(done.certificate)
    subjects = [(subject["name"], subject["digest"]["sha256"]) for subject in found["subject"]]
    assert subjects == [
        ("run", done.result.digest),
        ("model", hashlib.sha256(done.model.read_bytes()).hexdigest()),
        ("run_record", hashlib.sha256(done.record.read_bytes()).hexdigest()),
    ]
    execution, record = found["predicate"]["execution"], json.loads(done.record.read_text())
    assert (execution["dataset"], execution["order"], execution["noise"]) == ("random", "given", "secret")
    phases = [(p["kind"], p["epochs"], p["steps"], p["erased"]) for p in execution["phases"]]
    assert phases == [("learn", "3", "12", "0"), ("unlearn", "1", "4", "1"), ("unlearn", "2", "8", "2")]
    for written, recorded in zip(execution["phases"], record["phases"], strict=True):
        assert written["versions"]["torch"] == torch.__version__
        assert all(written[key] == recorded[key] for key in ("device", "device_name", "started", "finished"))


def test_clipping_by_records_is_checked_where_the_run_record_shows_it(done: Execution, tmp_path: Path) -> None:
    """And attested where nothing was run, or an older record says nothing of it; not assumed where there is no clip."""

    def status(of: dict[str, Any]) -> list[str]:
        return [a["status"] for a in of["predicate"]["assumptions"] if a["id"] == "per_record_clipping"]

    stated, record = payload(done.certificate), json.loads(done.record.read_text())
    assert {phase["clipping"] for phase in record["phases"]} == {"per-record"}
    assert stated["predicate"]["execution"]["clipping"] == "per-record" and status(stated) == ["checked"]
    found = {name: status for name, status, _ in checker.verify(done.certificate.read_bytes()).assumptions}
    assert found["per_record_clipping"] == "checked"
    policy = tmp_path / "policy.toml"
    policy.write_text('[assumptions]\nper_record_clipping = ["checked"]\n')
    assert gate(policy, [done.certificate]).exit_code == 0
    alone = write_certificate(done.result, tmp_path)
    assert status(payload(alone)) == ["attested"] and gate(policy, [alone]).exit_code == 1
    del record["phases"][1]["clipping"]
    assert "clipping" not in make_execution(record, done.erasures)
    free = small_run() | {"loss": {"kind": "logistic", "regularization": "0.1", "feature_norm": 1}}
    free = payload(execute(read_run(free), small_data(), FORGET, tmp_path / "free").certificate)
    assert "clipping" not in free["predicate"]["execution"] and status(free) == []


def test_erasures_count_up_to_the_certified_cap(done: Execution) -> None:
    """The third request that the run allows was not made."""
    found = payload(done.certificate)["predicate"]
    assert found["execution"]["erasures"] == [erasure.as_json() for erasure in done.erasures]
    first, second = found["execution"]["erasures"]
    counts = [(e["request"], e["records"], e["cumulative"], e["cap"]) for e in (first, second)]
    assert counts == [("1", "1", "1", "6"), ("2", "2", "3", "6")]
    assert [e["id"] for e in (first, second)] == ["R-a", "R-b"]
    assert [e["received"] for e in (first, second)] == ["2026-11-01T12:00:00Z", None]
    for i, erasure in enumerate((first, second)):
        phase = found["execution"]["phases"][i + 1]
        assert (erasure["started"], erasure["finished"]) == (phase["started"], phase["finished"])
        assert erasure["sign_off"] == SIGN_OFF and erasure["scope"].startswith("the model; “")
        assert erasure["guarantee"] == {
            "epsilon": found["requests"][i]["epsilon"],
            "delta": found["delta"],
            "reference": "retrain",
            "neighbours": "replace-one",
        }


def test_commitments_open_for_who_has_key_and_records(done: Execution) -> None:
    for i, path in enumerate(done.erasure_files):
        erasure = payload(path)["predicate"]["erasure"]
        assert check_commitment(erasure, KEY, "random", FORGET[i])
        assert check_commitment(erasure, KEY, "random", FORGET[i][::-1])
        assert not check_commitment(erasure, KEY, "random", FORGET[1 - i])
        assert not check_commitment(erasure, KEY, "random", [*FORGET[i], 0])
        assert not check_commitment(erasure, bytes(32), "random", FORGET[i])


@pytest.mark.parametrize("release", ["final", "all"])
def test_models_are_recognised_where_they_are_released(release: str, tmp_path: Path) -> None:
    done = run_small(tmp_path, release)
    hashes = [phase.released_after for phase in done.unlearned.record.phases]
    assert hashes[0] == parameters_hash(done.learned.released)
    first, second = payload(done.certificate)["predicate"]["execution"]["erasures"]
    chain = [first["model_before"], first["model_after"], second["model_before"], second["model_after"]]
    seen = release == "all"
    expected = [model_digest(hashes[i], KEY, released=seen or i == 2) for i in (0, 1, 1, 2)]
    assert chain == expected
    assert [entry["algorithm"] for entry in chain[:3]] == ["SHA-256" if seen else "HMAC-SHA-256"] * 3
    assert chain[3] == {
        "algorithm": "SHA-256",
        "value": hashlib.sha256(np.load(done.model).astype("<f8").tobytes()).hexdigest(),
    }


def test_nothing_that_no_noise_protects_gets_out(done: Execution) -> None:
    """Nor who asked, nor the key, nor any model that is not released."""
    phases = done.unlearned.record.phases
    hidden = {getattr(phase, key) for phase in phases for key in NOT_NOISED}
    hidden |= {phase.parameters_after for phase in phases} | {phase.released_after for phase in phases[:-1]}
    retrained = done.retrained.record.phases[0]
    hidden |= {getattr(retrained, key) for key in (*NOT_NOISED, "parameters_after", "released_after")}
    hidden |= {str(record) for records in FORGET for record in records} | {KEY.hex(), done.unlearned.record.digest}
    assert phases[-1].released_after not in hidden
    texts = [payload(path) for path in (done.certificate, *done.erasure_files)] + [json.loads(done.record.read_text())]
    for text in texts:
        shown = {str(leaf) for leaf in leaves(text)}
        assert not shown & hidden and not shown & set(NOT_NOISED)
    execution = texts[0]["predicate"]["execution"]
    assert {key for phase in execution["phases"] for key in phase} == {
        "kind", "epochs", "steps", "erased", "device", "device_name", "versions", "started", "finished",
    }  # fmt: skip
    assert not (done.certificate.parent / "private").exists()  # the caller keeps the key


def test_a_seed_marks_the_noise_as_reproducible(tmp_path: Path) -> None:
    done = run_small(tmp_path, seed=5)
    assert payload(done.certificate)["predicate"]["execution"]["noise"] == "reproducible"


def test_the_key_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        done = run_small(tmp_path / "out", erasure_key=None)
    finally:
        os.umask(before)
    assert done.key == tmp_path / "out" / "private" / "erasure.key"
    assert done.key.stat().st_mode & 0o777 == 0o600 and done.key.parent.stat().st_mode & 0o777 == 0o700
    written = done.key.read_text()
    key = bytes.fromhex(written)
    assert len(key) == 32 and key != bytes(32)
    for path in (done.certificate, done.record, done.model, *done.erasure_files):
        path.unlink()
    again = run_small(tmp_path / "out", erasure_key=None)
    assert again.key.read_text() == written
    first, second = (payload(path)["predicate"]["erasure"] for path in again.erasure_files)
    assert check_commitment(first, key, "random", FORGET[0]) and check_commitment(second, key, "random", FORGET[1])
    assert first["id"] != second["id"]


def open_to_others(private: Path) -> None:
    (private / "erasure.key").chmod(0o640)


def in_an_open_folder(private: Path) -> None:
    private.chmod(0o755)


def cut_short(private: Path) -> None:
    (private / "erasure.key").write_text("00" * 31)


def no_digits(private: Path) -> None:
    (private / "erasure.key").write_text("secret\n")


def a_link(private: Path) -> None:
    (private / "erasure.key").rename(private / "elsewhere")
    (private / "erasure.key").symlink_to(private / "elsewhere")


@pytest.mark.parametrize("spoil", [open_to_others, in_an_open_folder, cut_short, no_digits, a_link])
def test_a_key_that_is_none_or_is_not_private_is_refused(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "erasure.key").write_text("00" * 32)
    (private / "erasure.key").chmod(0o600)
    spoil(private)
    with pytest.raises(UsageError) as refused:
        run_small(tmp_path, erasure_key=None)
    assert str(private) in str(refused.value) and "\n" not in str(refused.value)
    assert not (tmp_path / "certificate.json").exists()


def test_what_is_wrong_about_requests_is_said_before_anything_is_run(tmp_path: Path) -> None:
    told: list[str] = []
    data = small_data()
    with pytest.raises(UsageError, match=r"dataset\.name: got ''"):
        execute(read_run(small_run()), Dataset("", data.features, data.labels), FORGET, tmp_path / "out")
    for options in ({"ids": ["a"]}, {"erasure_key": b"short"}, {"scope": ""}):
        with pytest.raises(UsageError):
            run_small(tmp_path / "out", progress=lambda what, *_: told.append(what), **options)
    assert not told and not (tmp_path / "out").exists()


FILES = ["certificate.json", "erasure-1.json", "erasure-2.json", "model.npy", "run_record.json"]
CALLS = ("open", "replace", "rename", "fsync", "mkdir", "link")  # of the system, by which files appear
KINDS = ["missing", "empty", "with a note", "with a key"]


def prepare(folder: Path, kind: str) -> list[str]:
    """A folder to run into, and what is in it."""
    if kind != "missing":
        folder.mkdir()
    if kind == "with a note":
        (folder / "note.txt").write_text("mine")
    if kind == "with a key":
        (folder / "private").mkdir(mode=0o700)
        (folder / "private" / "erasure.key").write_text("00" * 32)
        (folder / "private" / "erasure.key").chmod(0o600)
    return sorted(os.listdir(folder)) if folder.exists() else []


class Failing:
    """Lets so many calls pass, and from then on fails, as a full disk does. Only below one folder."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, below: Path, passing: int):
        self.calls, self._below, self._passing = 0, str(below), passing
        for name in CALLS:
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, really: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *more: Any, **named: Any) -> Any:
            mine = isinstance(path, int) or str(path).startswith(self._below)
            writes = more[:1] != (os.O_RDONLY,)
            if mine and writes:
                self.calls += 1
                if self.calls > self._passing:
                    raise OSError(errno.ENOSPC, "No space left on device")
            return really(path, *more, **named)

        return call


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is trained once is trained: what is tried here is the writing."""
    known: dict[str, Any] = {}
    really = {name: getattr(learners, name) for name in ("learn", "unlearn", "retrain")}
    for name in really:

        def once(*given: Any, _name: str = name, _really: Any = really[name], **more: Any) -> Any:
            key = f"{_name} {more.get('progress') is None} {given[1] if _name == 'unlearn' else ''}"
            if key not in known:
                known[key] = _really(*given, **more)
            return known[key]

        monkeypatch.setattr(learners, name, once)
    monkeypatch.setattr(whole_run, "make_figures", lambda *_, **__: None)


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_appear_together_or_not_at_all(kind: str, tmp_path: Path, quickly: None) -> None:
    """Whichever write fails, for the disk is full: one line, and nothing of the run is there."""
    for passing in range(200):
        folder = tmp_path / f"out {passing}"
        before = prepare(folder, kind)
        with pytest.MonkeyPatch.context() as patch:
            failing = Failing(patch, tmp_path, passing)
            try:
                run_small(folder, erasure_key=None)
            except UsageError as refused:
                assert "No space left on device" in str(refused) and "\n" not in str(refused)
                assert failing.calls >= passing
            else:
                break
        there = sorted(os.listdir(folder)) if folder.exists() else []
        assert there == before or there == sorted({*before, *FILES, "private"})  # all, where the last flush failed
        assert not [path for path in tmp_path.glob(".*") if path.is_dir()]
    assert passing > 10
    assert sorted(os.listdir(folder)) == sorted({*before, *FILES, "private"})
    assert checker.verify((folder / "certificate.json").read_bytes()).exit_code == 0


class Killed(Failing):
    """Lets so many calls pass, and then the process is killed, before the next one or right after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, below: Path, passing: int, after: bool):
        self.after = after
        super().__init__(monkeypatch, below, passing)
        monkeypatch.setattr(together, "_exchange", self._counted(together._exchange))
        monkeypatch.setattr(shutil, "rmtree", self._counted(shutil.rmtree))

    def _counted(self, really: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *more: Any, **named: Any) -> Any:
            mine = isinstance(path, int) or str(path).startswith(self._below)
            self.calls += mine and more[:1] != (os.O_RDONLY,)
            if self.calls > self._passing and not self.after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = really(path, *more, **named)
            if self.calls > self._passing:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call


def killed(folder: Path, passing: int, after: bool) -> bool:
    """Run into a folder in another process, which is killed at one of its writes; False where it lived."""
    child = os.fork()
    if not child:
        with pytest.MonkeyPatch.context() as patch:
            Killed(patch, folder.parent, passing, after)
            try:
                run_small(folder, erasure_key=None)
            except BaseException:
                os._exit(1)
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize(
    ("kind", "after"),
    [pytest.param(k, a, marks=[pytest.mark.slow] * (i % 2 == a)) for i, k in enumerate(KINDS) for a in (False, True)],
)
def test_a_crash_leaves_all_or_nothing(kind: str, after: bool, tmp_path: Path, quickly: None) -> None:
    """The process is killed at any one of its writes, and nothing is tidied up. The next run into the folder clears
    away what is left, and is done, or says that a run is there; then all of that is there."""
    run_small(tmp_path / "once", erasure_key=None)  # trains
    for passing in range(300):
        folder = tmp_path / f"out {passing}"
        before = prepare(folder, kind)
        lived = not killed(folder, passing, after)
        there = sorted(os.listdir(folder)) if folder.exists() else []
        whole = sorted({*before, *FILES, "private"})
        assert there in (before, whole), passing
        if there == whole:
            assert checker.verify((folder / "certificate.json").read_bytes()).exit_code == 0
            kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
            with pytest.raises(UsageError, match=r"erasure-1.json: is the record of another run"):
                run_small(folder, erasure_key=None)
            assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == kept
        else:
            run_small(folder, erasure_key=None)
        assert sorted(os.listdir(folder)) == whole
        assert not [path for path in tmp_path.glob(".*") if path.is_dir()]
        if kind == "with a note":
            assert (folder / "note.txt").read_text() == "mine"
        if lived:
            break
    assert lived and passing > 10


@pytest.mark.parametrize("kind", KINDS[2:])
def test_where_folders_cannot_change_places_the_certificate_comes_last(
    kind: str, tmp_path: Path, quickly: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then a killed run may leave files without the certificate that names them; the next one says so in one line."""
    monkeypatch.setattr(together, "_exchange", lambda *_: False)
    run_small(tmp_path / "once", erasure_key=None)
    partly = 0
    for passing in range(300):
        folder = tmp_path / f"out {passing}"
        before = prepare(folder, kind)
        lived = not killed(folder, passing, True)
        new = set(os.listdir(folder)) - {*before, "private"}
        new = {name for name in new if not name.startswith(".")}
        assert "certificate.json" not in new or new == set(FILES)
        if new:
            partly += len(new) < len(FILES)
            with pytest.raises(UsageError, match="move it away"):
                run_small(folder, erasure_key=None)
        assert set(os.listdir(folder)) >= {*before, *new}
        if lived:
            break
    assert lived and partly


def test_what_others_write_meanwhile_is_kept(tmp_path: Path, quickly: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program, which knows nothing of us, puts a file into the folder just before the folders change places."""
    folder, really = tmp_path / "out", together._exchange
    prepare(folder, "with a key")
    (folder / "pictures" / "deep").mkdir(parents=True)
    (folder / "pictures" / "deep" / "a.svg").write_text("a")
    (folder / "pictures").chmod(0o500)
    (folder / "link").symlink_to("pictures")

    def overtaken(one: Path, other: Path) -> bool:
        (folder / "late.txt").write_text("late")
        (folder / "pictures" / "deep" / "b.svg").write_text("b")
        return really(one, other)

    monkeypatch.setattr(together, "_exchange", overtaken)
    run_small(folder, erasure_key=None)
    assert (folder / "late.txt").read_text() == "late" and (folder / "link").readlink() == Path("pictures")
    assert sorted(path.name for path in (folder / "pictures" / "deep").iterdir()) == ["a.svg", "b.svg"]
    assert (folder / "pictures").stat().st_mode & 0o777 == 0o500
    assert os.listdir(tmp_path) == ["out"]


def test_a_second_run_replaces_nothing(tmp_path: Path, quickly: None) -> None:
    done = run_small(tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match=r"erasure-1.json: is the record of another run; move it away"):
        run_small(tmp_path / "out")
    for path in done.erasure_files:
        path.unlink()
    with pytest.raises(UsageError, match=r"model.npy: is the model of another run"):
        run_small(tmp_path / "out")
    assert all(path.read_bytes() == content for path, content in before.items() if path.exists())


def test_of_two_runs_at_once_one_is_refused(tmp_path: Path, quickly: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one finishes while the first is about to write."""
    really, other = whole_run.make_erasures, [tmp_path / "out"]

    def overtaken(*given: Any) -> Any:
        if other:
            run_small(other.pop())
        return really(*given)

    monkeypatch.setattr(whole_run, "make_erasures", overtaken)
    with pytest.raises(UsageError):
        run_small(tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == FILES and os.listdir(tmp_path) == ["out"]


def test_records_of_an_earlier_run_do_not_pass_for_those_of_this_one(tmp_path: Path) -> None:
    (tmp_path / "erasure-3.json").write_text("{}")
    with pytest.raises(UsageError, match=r"erasure-3.json: is the record of another run"):
        run_small(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["erasure-3.json"]


# ---------------------------------------------------------------------------------------------------------------------
# What the checker says of them
# ---------------------------------------------------------------------------------------------------------------------


def test_the_checker_accepts_what_was_executed(done: Execution) -> None:
    found = checker.verify(done.certificate.read_bytes(), done.result.digest)
    assert found.exit_code == 0 and found.verdict == "CERTIFIED"
    for path in done.erasure_files:
        assert checker.verify(path.read_bytes(), certificate=done.certificate.read_bytes()).exit_code == 0
        assert checker.verify(path.read_bytes()).exit_code == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"mechanism": {"batch_order": "secret"}},
        {"mechanism": {"unlearning_epochs": [0, 0, 0], "noise_std": 3}},
        {"mechanism": {"radius": 1}},
        {"mechanism": {"radius": 1, "noise_std": 10}, "threat": {"reference": "retrain-T"}},
        {"threat": {"neighbours": "remove-one"}},
        {"threat": {"release": "all"}},
    ],
    ids=str,
)
def test_the_checker_accepts_every_way_to_run(changes: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    run = small_run()
    for table, values in changes.items():
        run[table] |= values
    done = execute(read_run(run), small_data(), FORGET, tmp_path, erasure_key=KEY)
    certificate = done.certificate.read_bytes()
    assert checker.verify(certificate).exit_code == 0
    records = (checker.verify(path.read_bytes(), certificate=certificate) for path in done.erasure_files)
    assert [record.exit_code for record in records] == [0, 0]


def altered(path: Path, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The envelope with another payload, and the digest of that."""
    envelope, statement = json.loads(path.read_text()), payload(path)
    change(statement)
    content = canonical_json(statement)
    envelope["payload"] = base64.b64encode(content).decode()
    envelope["digest"]["sha256"] = hashlib.sha256(content).hexdigest()
    return json.dumps(envelope).encode()


def setting(value: Any, *keys: str | int) -> Callable[[dict[str, Any]], None]:
    def change(statement: dict[str, Any]) -> None:
        *way, last = keys
        for key in way:
            statement = statement[key]
        assert statement[last] != value
        statement[last] = value

    return change


EXECUTION = ("predicate", "execution")
ERASURE = (*EXECUTION, "erasures", 1)


@pytest.mark.parametrize(
    "change",
    [
        setting("4", *EXECUTION, "phases", 0, "epochs"),
        setting("13", *EXECUTION, "phases", 0, "steps"),
        setting("unlearn", *EXECUTION, "phases", 0, "kind"),
        setting("2", *EXECUTION, "phases", 1, "epochs"),
        setting("1", *EXECUTION, "phases", 2, "erased"),
        setting("3", *ERASURE, "request"),
        setting("1", *ERASURE, "records"),
        setting("2", *ERASURE, "cumulative"),
        setting("7", *ERASURE, "cap"),
        setting("0.0001", *ERASURE, "guarantee", "epsilon"),
        setting("0.0001", *ERASURE, "guarantee", "delta"),
        setting("retrain-T", *ERASURE, "guarantee", "reference"),
        setting("remove-one", *ERASURE, "guarantee", "neighbours"),
    ],
)
def test_the_checker_refuses_what_does_not_agree(change: Callable[[dict[str, Any]], None], done: Execution) -> None:
    with pytest.raises(checker.DoesNotFollow):
        checker.verify(altered(done.certificate, change))


@pytest.mark.parametrize(
    "change",
    [
        setting("sometimes", *EXECUTION, "noise"),
        setting([{}], *EXECUTION, "audits"),
        setting(3, *EXECUTION, "phases", 0, "epochs"),
        setting("yesterday", *ERASURE, "received"),
        setting("0", *ERASURE, "commitment", "value"),
        setting("MD5", *ERASURE, "model_after", "algorithm"),
        setting({"name": "A"}, *ERASURE, "sign_off"),
    ],
)
def test_the_checker_refuses_what_has_another_shape(change: Callable[[dict[str, Any]], None], done: Execution) -> None:
    with pytest.raises(checker.Malformed):
        checker.verify(altered(done.certificate, change))


def test_the_checker_refuses_an_altered_record(done: Execution) -> None:
    path = done.erasure_files[0]
    with pytest.raises(checker.Malformed):
        checker.verify(altered(path, setting("0", "predicate", "erasure", "commitment", "value")))
    with pytest.raises(checker.CheckError):
        checker.verify(altered(path, setting("model", "subject", 0, "name")))
    envelope = json.loads(path.read_text())
    envelope["digest"] = json.loads(done.erasure_files[1].read_text())["digest"]
    with pytest.raises(checker.Mismatch):
        checker.verify(json.dumps(envelope).encode())


# ---------------------------------------------------------------------------------------------------------------------
# The main job
# ---------------------------------------------------------------------------------------------------------------------


def test_the_main_job_writes_what_it_names(tmp_path: Path) -> None:
    job = [sys.executable, str(ROOT / "examples" / "walkthrough.py"), "--output", str(tmp_path), "--seed", "1"]
    done = subprocess.run(job, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    named = [Path(line.strip()) for line in done.stdout.splitlines() if line.startswith(f"   {tmp_path}")]
    assert len(named) == 9 and all(path.stat().st_size > 100 for path in named)
    assert "retrained without it" in done.stdout and "Chien et al. 2024, finite T" in done.stdout
    assert "8 expiry" in done.stdout and "CERTIFIED: After" in done.stdout and "ERASURE_RECORD: " in done.stdout
    assert [line.split("  ")[0] for line in done.stdout.splitlines() if line[:3].strip().isdigit()][-1] == "7"
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    again = subprocess.run(job, capture_output=True, text=True, check=False)
    assert again.returncode == 0 and (tmp_path / "run-2" / "certificate.json").exists(), again.stderr
    assert all(path.read_bytes() == content for path, content in before.items())


def test_the_main_job_refuses_an_output_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    job = [sys.executable, str(ROOT / "examples" / "walkthrough.py"), "--output", str(tmp_path / "file")]
    done = subprocess.run(job, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
