"""`plumbline ledger …`: what each command prints, and its exit code."""

from __future__ import annotations

import base64
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from certify.ledger import Ledger
from certify.ledger.payloads import certificate_entry
from tests.certify.envelopes import seal
from tests.certify.runs import ROOT, plumbline, refused

EXECUTED = ROOT / "tests/vectors/accept/executed.json"
A, B = "11111111-1111-4111-8111-111111111111", "12222222-2222-4222-8222-222222222222"


def certificate(**changes: Any) -> bytes:
    """An intact certificate, with other values in its predicate; a value of None takes the key away."""
    statement = json.loads(base64.b64decode(json.loads(EXECUTED.read_text())["payload"]))
    predicate = statement["predicate"] | changes
    statement["predicate"] = {key: value for key, value in predicate.items() if value is not None}
    return seal(statement)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A folder with a ledger of two models: A with one request honoured, B learned."""
    folder = tmp_path / "state"
    folder.mkdir()
    ledger = Ledger.open(folder, create=True)
    learned = certificate(expires=None)
    with ledger.transaction(A) as turn:
        turn.append("created", {"run": "0" * 64})
        turn.append("learned", {"certificate": certificate_entry(learned), "records": "5"})
    with ledger.transaction(A) as turn:
        turn.append("requested", {"request": "1", "records": "2", "commitment": "c" * 64})
        turn.append("erased", {"request": "1", "records": "2", "certificate": certificate_entry(learned)})
    other = certificate(expires=None, created="2026-11-22T22:00:00Z")
    with ledger.transaction(B) as turn:
        turn.append("learned", {"certificate": certificate_entry(other), "records": "9", "reproducible": True})
        turn.append("released", {"certificate": certificate_entry(other)["digest"]})
    (tmp_path / "a.json").write_bytes(learned)
    (tmp_path / "b.json").write_bytes(other)
    return folder


def test_list(state: Path) -> None:
    done = plumbline("ledger", "list", state, "--format", "json")
    assert done.code == 0 and done.err == ""
    found = json.loads(done.out)
    assert found["ledger"] == str(state / "ledger.sqlite") and found["rows"] == "6"
    first, second = found["models"]
    assert (first["model"], first["honoured"], first["erased"], first["left"]) == (A, "1", "2", "3")
    assert (second["model"], second["honoured"], second["left"], second["released"]) == (B, "0", "9", "1")
    assert not first["experiment"] and second["experiment"]
    assert first["claim"] == "(1.06041551230, 0.00001)-DP, unlearning against retrain, replace-one"
    text = plumbline("ledger", "list", state / "ledger.sqlite")
    assert text.code == 0 and A in text.out and "experiment" in text.out.splitlines()[2]
    assert plumbline("ledger", "list", f"sqlite:///{state}/ledger.sqlite").out == text.out


def test_meta_is_shown(tmp_path: Path) -> None:
    entry = certificate_entry(EXECUTED.read_bytes())
    entry["meta"] = {"model": "churn", "owner": "Risk\x1b[31m", "purpose": "to know", "version": "3"}
    with Ledger.open(tmp_path / "l.sqlite", create=True).transaction(A) as turn:
        turn.append("learned", {"certificate": entry})
    (found,) = json.loads(plumbline("ledger", "list", tmp_path / "l.sqlite", "--format", "json").out)["models"]
    assert (found["name"], found["purpose"], found["version"]) == ("churn", "to know", "3")
    out = plumbline("ledger", "list", tmp_path / "l.sqlite").out
    assert "Risk\\x1b[31m" in out and "\x1b" not in out


def test_show(state: Path) -> None:
    done = plumbline("ledger", "show", state)
    assert (
        done.code == 0 and len(done.out.splitlines()) == 7 and f"commitment={'c' * 16}… records=2 request=1" in done.out
    )
    rows = json.loads(plumbline("ledger", "show", state, "--model", B[:2], "--format", "json").out)["rows"]
    assert [row["kind"] for row in rows] == ["learned", "released"] and {row["model"] for row in rows} == {B}
    assert "begins 2 of the models" in refused(plumbline("ledger", "show", state, "--model", "1"))
    assert "begins 0 of the models" in refused(plumbline("ledger", "show", state, "--model", "9"))


def tamper(state: Path, statement: str) -> None:
    with closing(sqlite3.connect(state / "ledger.sqlite")) as connection, connection:
        for name in ("update", "delete"):
            connection.execute(f"DROP TRIGGER plumbline_ledger_no_{name}")
        connection.execute(statement)


def test_verify(state: Path) -> None:
    done = plumbline("ledger", "verify", state)
    head = Ledger.open(state).rows()[-1].hash
    assert done.code == 0 and done.out.startswith("INTACT: 6 rows about 2 models\n") and head in done.out
    assert plumbline("ledger", "verify", state, "--head", head, "--head", head[:16]).code == 0
    broken = plumbline("ledger", "verify", state, "--head", "f" * 64, "--format", "json")
    assert broken.code == 4 and not json.loads(broken.out)["intact"]
    assert "--head: got 'x'" in refused(plumbline("ledger", "verify", state, "--head", "x"))
    tamper(state, "DELETE FROM plumbline_ledger WHERE seq = 3")
    done = plumbline("ledger", "verify", state)
    assert done.code == 4 and done.out.startswith("BROKEN") and "problem: row 3 is missing before row 4" in done.out
    shown = plumbline("ledger", "show", state)  # what there is, and that it is broken
    assert shown.code == 4 and len(shown.out.splitlines()) == 6 and "row 3 is missing" in shown.err
    assert "row 3 is missing" in refused(plumbline("ledger", "list", state), 4)


def test_verify_compares_a_state_with_its_ledger(state: Path) -> None:
    rows = Ledger.open(state).rows(A)

    def write(row: Any) -> None:
        content = {"model": A, "head": {"seq": row.seq, "hash": row.hash}}
        (state / "state.json").write_text(json.dumps(content))

    write(rows[-1])
    done = plumbline("ledger", "verify", state)
    assert done.code == 0 and "is at the ledger's head of its model" in done.out
    write(rows[1])
    done = plumbline("ledger", "verify", state)
    assert done.code == 4 and "is a copy from before that row" in done.out
    write(rows[-1])
    tamper(state, "DELETE FROM plumbline_ledger WHERE seq > 3")
    done = plumbline("ledger", "verify", state)
    assert done.code == 4 and "was restored from before that row" in done.out
    (state / "state.json").write_text('{"model": 3}')
    assert "does not name a model and the ledger's head" in refused(plumbline("ledger", "verify", state))


def test_revoke(state: Path, tmp_path: Path) -> None:
    done = plumbline("ledger", "revoke", state, tmp_path / "a.json", "--why", "no consent")
    digest = certificate_entry((tmp_path / "a.json").read_bytes())["digest"]
    assert done.code == 0 and done.out == f"revoked {digest} (model {A}, row 7)\n"
    again = refused(plumbline("ledger", "revoke", state, digest, "--why", "twice"))
    assert "was revoked on" in again and "no consent" in again
    first, second = json.loads(plumbline("ledger", "list", state, "--format", "json").out)["models"]
    assert first["revoked"]["why"] == "no consent" and second["revoked"] is None
    (state / "certificate.json").write_bytes((tmp_path / "b.json").read_bytes())
    assert plumbline("ledger", "revoke", state / "certificate.json", "--why", "by its folder").code == 0
    unknown = tmp_path / "c.json"
    unknown.write_bytes(certificate(created="2026-11-23T22:00:00Z"))
    line = refused(plumbline("ledger", "revoke", state, unknown, "--why", "x"))
    assert "has no model with this certificate; name its ledger" in line
    assert "--why: got ''" in refused(plumbline("ledger", "revoke", state, unknown, "--why", ""))
    assert "required: --why" in refused(plumbline("ledger", "revoke", state, unknown))
    assert Ledger.open(state).verify().intact


def test_due(state: Path, tmp_path: Path) -> None:
    nothing = plumbline("ledger", "due", state)
    assert nothing.code == 0 and nothing.out.startswith("nothing is due on ")
    today = datetime.now(UTC).date()
    end = today + timedelta(days=20)
    path = tmp_path / "signed.json"
    path.write_bytes(certificate(expires=f"{end}T00:00:00Z"))
    done = plumbline("ledger", "due", state, "--certificate", path, "--format", "json")
    assert done.code == 1
    (entry,) = json.loads(done.out)["due"]
    assert (entry["model"], entry["reasons"]) == (A, [f"expires on {end}"])
    assert plumbline("ledger", "due", state, "--certificate", path, "--days", "19").code == 0
    after = plumbline("ledger", "due", state, "--certificate", path, "--date", str(end))
    assert after.code == 1 and f"expired on {end}" in after.out
    (state / "certificate-1.json").write_bytes(path.read_bytes())  # those of the folder are read by themselves
    assert plumbline("ledger", "due", state).code == 1
    assert plumbline("ledger", "revoke", state, tmp_path / "b.json", "--why", "why not").code == 0
    assert len(json.loads(plumbline("ledger", "due", state, "--format", "json").out)["due"]) == 2
    path.write_text("{}")
    assert f"{path}: " in refused(plumbline("ledger", "due", state, "--certificate", path))


def test_a_withdrawn_theorem_is_due(tmp_path: Path) -> None:
    entry = certificate_entry(EXECUTED.read_bytes()) | {"theorems": ["T1", "T99"]}
    with Ledger.open(tmp_path / "l.sqlite", create=True).transaction(A) as turn:
        turn.append("learned", {"certificate": entry})
    done = plumbline("ledger", "due", tmp_path / "l.sqlite")
    assert done.code == 1 and "rests on T99, withdrawn since" in done.out


def test_report(state: Path, tmp_path: Path) -> None:
    done = plumbline("ledger", "report", state, "-o", tmp_path / "index.html")
    assert done.code == 0 and done.out == f"{tmp_path}/index.html\n"
    page = (tmp_path / "index.html").read_text()
    assert A in page and B in page and "Records left" in page
    assert "ends in .html" in refused(plumbline("ledger", "report", state, "-o", tmp_path / "index.pdf"))


def test_backup_and_restore(state: Path, tmp_path: Path) -> None:
    kept, rows = tmp_path / "kept.jsonl", Ledger.open(state).rows()
    done = plumbline("ledger", "backup", state, "-o", kept)
    assert done.code == 0 and done.out == f"6 rows, head {rows[-1].hash}\n"
    assert "exists already" in refused(plumbline("ledger", "backup", state, "-o", kept))
    assert plumbline("ledger", "restore", tmp_path / "new.sqlite", kept).out.startswith("6 of 6 rows were added to ")
    restored = Ledger.open(tmp_path / "new.sqlite")
    assert restored.rows()[:6] == rows and restored.verify().intact
    last = restored.rows()[-1]
    assert (last.model, last.kind, last.content["head"]) == ("ledger", "restored", rows[-1].hash)
    with restored.transaction(A) as turn:  # a state goes on as if nothing had been
        turn.require_head(rows[3].head, "STATE")
    line = refused(plumbline("ledger", "restore", tmp_path / "new.sqlite", kept), 4)
    assert "has newer rows" in line


def test_a_restored_older_ledger_does_not_fit_a_newer_state(state: Path, tmp_path: Path) -> None:
    assert plumbline("ledger", "backup", state, "-o", tmp_path / "old.jsonl").code == 0
    with Ledger.open(state).transaction(A) as turn:
        turn.append("erased", {"request": "2", "records": "1"})
        head = turn.head
    (state / "state.json").write_text(json.dumps({"model": A, "head": {"seq": head.seq, "hash": head.hash}}))
    assert plumbline("ledger", "backup", state, "-o", tmp_path / "new.jsonl").code == 0
    (state / "ledger.sqlite").unlink()
    assert plumbline("ledger", "restore", state, tmp_path / "old.jsonl").code == 0
    done = plumbline("ledger", "verify", state)
    assert done.code == 4 and "was restored from before that row; restore a newer backup" in done.out
    (state / "ledger.sqlite").unlink()
    assert plumbline("ledger", "restore", state, tmp_path / "new.jsonl").code == 0
    assert plumbline("ledger", "verify", state).code == 0


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda lines: lines[:-1], 2, "has 5 rows of '6'; it was cut off"),
        (lambda lines: [*lines[:-1], lines[-1][:40]], 2, "line 7 is not a JSON object"),
        (lambda lines: lines[1:], 2, "is not the back-up of a ledger"),
        (lambda lines: [], 2, "is not the back-up of a ledger"),
        (lambda lines: [*lines[:-1], '{"seq": "6"}'], 2, "line 7 is not a row"),
        (lambda lines: [line.replace('"erased"', '"released"') for line in lines], 4, "row 4 was changed"),
        (lambda lines: [lines[0].replace('"head": "', '"head": "0'), *lines[1:]], 4, "its head is not"),
        (lambda lines: [lines[0].replace("6", "5"), *lines[1:-1]], 4, "its head is not"),
    ],
)
def test_a_damaged_backup_restores_nothing(change: Any, code: int, words: str, state: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    assert plumbline("ledger", "backup", state, "-o", kept).code == 0
    kept.write_text("".join(f"{line}\n" for line in change(kept.read_text().splitlines())))
    assert words in refused(plumbline("ledger", "restore", tmp_path / "new.sqlite", kept), code)
    assert not (tmp_path / "new.sqlite").exists()


def test_no_command(tmp_path: Path) -> None:
    assert "required: COMMAND" in refused(plumbline("ledger"))
    for name in ("list", "show", "verify", "report", "revoke", "due", "backup", "restore"):
        assert plumbline("ledger", name, "--help").code == 0
    for name in ("list", "show", "verify", "due"):
        assert "no such file" in refused(plumbline("ledger", name, tmp_path / "missing.sqlite"))
