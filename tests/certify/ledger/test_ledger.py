"""The ledger's promises, on both databases: what is committed is there, nothing else is, and changes show."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from certify.checker import Mismatch
from certify.errors import UsageError
from certify.ledger import Head, Ledger
from certify.ledger.rows import GENESIS, KINDS, hash_of

A, B = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


@pytest.fixture
def ledger(where: str) -> Ledger:
    """Five rows: three of A, then one of B, then one of A."""
    opened = Ledger.open(where, create=True)
    with opened.transaction(A) as turn:
        turn.append("created", {"version": "1"})
        turn.append("learned", {"files": {"model.npz": "0" * 64}})
    with opened.transaction(A) as turn:
        turn.append("erased", {"request": "1"})
    with opened.transaction(B) as turn:
        turn.append("created", {})
    with opened.transaction(A) as turn:
        turn.append("erased", {"request": "2"})
    return opened


def test_rows_are_chained_for_each_model_and_over_the_ledger(ledger: Ledger) -> None:
    rows = ledger.rows()
    assert [(row.seq, row.model, row.kind) for row in rows] == [
        (1, A, "created"),
        (2, A, "learned"),
        (3, A, "erased"),
        (4, B, "created"),
        (5, A, "erased"),
    ]
    assert [row.previous for row in rows] == [GENESIS, rows[0].hash, rows[1].hash, GENESIS, rows[2].hash]
    assert [row.former for row in rows] == [GENESIS, *(row.hash for row in rows[:-1])]
    for row in rows:
        assert row.hash == hash_of(row.seq, row.model, row.kind, row.time, row.payload, row.previous, row.former)
    assert ledger.models() == (A, B)
    assert ledger.rows(A) == tuple(row for row in rows if row.model == A)
    assert ledger.rows(A)[1].content == {"files": {"model.npz": "0" * 64}}


def test_a_turn_sees_its_model_and_writes_all_or_nothing(ledger: Ledger) -> None:
    before = ledger.rows()
    with ledger.transaction(A) as turn:
        assert turn.rows == ledger.rows(A)
        assert turn.head == turn.last == (5, before[-1].hash)
    with pytest.raises(ZeroDivisionError), ledger.transaction(A) as turn:
        turn.append("requested", {})
        turn.append("erased", {})
        raise ZeroDivisionError
    assert ledger.rows() == before
    with ledger.transaction(A) as turn:
        row = turn.append("released", {})
        assert turn.head == row.head and ledger.rows() == before  # nobody else sees it yet
    assert ledger.rows() == (*before, row)
    with pytest.raises(ValueError, match="has ended"):
        turn.append("released", {})


def test_a_revocation_leaves_the_head_of_the_state(ledger: Ledger) -> None:
    with ledger.transaction(A) as turn:
        head = turn.head
        turn.append("revoked", {"why": "a mistake"})
        assert turn.head == head and turn.last == (6, turn.rows[-1].hash)
        turn.require_head(head, "STATE")


def test_a_state_of_another_history_is_refused(ledger: Ledger) -> None:
    rows = ledger.rows(A)
    with ledger.transaction(A) as turn:
        with pytest.raises(
            Mismatch, match=r"STATE: was written at row 3 .* is at row 5 .* is a copy from before"
        ) as old:
            turn.require_head(rows[2].head, "STATE")
        assert rows[2].hash[:16] in str(old.value) and rows[-1].hash[:16] in str(old.value)
        with pytest.raises(Mismatch, match="the ledger is another one, or was restored"):
            turn.require_head(Head(7, "f" * 64), "STATE")
    with ledger.transaction("unknown") as turn, pytest.raises(Mismatch, match="has no row of this model"):
        turn.require_head(rows[0].head, "STATE")


def test_what_a_row_cannot_hold_is_refused(ledger: Ledger) -> None:
    before = ledger.rows()
    with ledger.transaction(A) as turn:
        for payload in ({"x": 1.0}, {"x": b""}, {"x": [{1: "y"}]}, {"x": {"y": object()}}):
            with pytest.raises(TypeError, match="payload"):
                turn.append("erased", payload)
        with pytest.raises(UsageError, match=f"unknown kind 'deleted'; kinds are {', '.join(KINDS)}"):
            turn.append("deleted", {})
        with pytest.raises(UsageError, match="at most 1048576"):
            turn.append("erased", {"x": "y" * (1 << 20)})
    for name in ("", "a b", "../x", "x" * 101, "é", 3):
        with pytest.raises(UsageError, match="not the identifier of a model"), ledger.transaction(name):  # type: ignore[arg-type]
            pass
    assert ledger.rows() == before


def test_text_of_any_language_comes_back(ledger: Ledger) -> None:
    payload = {"owner": "Ωμέγα \u2028 \U0001f600 \x01 ' \" \\ % :x", "n": 3, "none": None, "yes": True}
    with ledger.transaction(B) as turn:
        turn.append("exported", payload)
    assert ledger.rows(B)[-1].content == payload and ledger.verify().intact


def test_an_intact_ledger_verifies(ledger: Ledger) -> None:
    report = ledger.verify()
    assert (report.exit_code, report.problems, report.rows, report.models) == (0, (), 5, 2)
    assert report.head == ledger.rows()[-1].head
    assert "rows removed from the end do not show" in report.notes[-1]


TAMPERED = {
    "UPDATE plumbline_ledger SET payload = '{}' WHERE seq = 3": "row 3 was changed",
    "UPDATE plumbline_ledger SET time = '2000-01-01T00:00:00Z' WHERE seq = 5": "row 5 was changed",
    "UPDATE plumbline_ledger SET kind = 'released' WHERE seq = 1": "row 1 was changed",
    "DELETE FROM plumbline_ledger WHERE seq = 1": "row 1 is missing before row 2",
    "DELETE FROM plumbline_ledger WHERE seq = 4": "row 4 is missing before row 5",
    "DELETE FROM plumbline_ledger WHERE seq IN (2, 3)": "rows 2 to 3 are missing before row 4",
    "UPDATE plumbline_ledger SET seq = 6 WHERE seq = 5": "row 6 was changed",
    "INSERT INTO plumbline_ledger SELECT 6, model, kind, time, payload, previous, former, 'x' "
    "FROM plumbline_ledger WHERE seq = 5": "row 6 was changed",
}


def test_what_was_changed_or_removed_shows(ledger: Ledger, tamper: Callable[..., None]) -> None:
    columns = "seq, model, kind, time, payload, previous, former, hash"
    tamper(f"CREATE TABLE kept AS SELECT {columns} FROM plumbline_ledger")
    for statement, problem in TAMPERED.items():
        tamper(statement)
        report = ledger.verify()
        assert report.exit_code == 4 and report.problems[0].startswith(problem), statement
        with pytest.raises(Mismatch, match="see plumbline ledger verify"):
            ledger.rows()
        tamper("DELETE FROM plumbline_ledger", f"INSERT INTO plumbline_ledger ({columns}) SELECT {columns} FROM kept")
    assert ledger.verify().intact


def test_a_row_forged_with_its_hash_breaks_the_next_ones(ledger: Ledger, tamper: Callable[..., None]) -> None:
    row = ledger.rows()[2]
    forged = hash_of(3, A, "released", row.time, row.payload, row.previous, row.former)
    tamper(f"UPDATE plumbline_ledger SET kind = 'released', hash = '{forged}' WHERE seq = 3")
    assert ledger.verify().problems == (
        "row 3 is not the one that row 4 was written after",
        f"rows of model {A} are missing or were replaced between row 3 and row 5",
    )
    with pytest.raises(Mismatch, match="missing or were replaced"), ledger.transaction(A):
        pass
    with ledger.transaction(B):  # its own rows are whole
        pass


def test_a_removed_end_shows_where_another_row_or_a_state_names_it(ledger: Ledger, tamper: Callable[..., None]) -> None:
    head = ledger.rows(A)[-1].head
    tamper("DELETE FROM plumbline_ledger WHERE seq = 5")
    assert ledger.verify().intact  # which docs/ledger.md says
    with ledger.transaction(A) as turn, pytest.raises(Mismatch, match=r"written at row 5 .* is at row 3"):
        turn.require_head(head, "STATE")


def test_the_database_refuses_changes(ledger: Ledger, where: str) -> None:
    """Against accidents: whoever owns the table can drop the triggers, which `verify` then says."""
    statements = ["UPDATE plumbline_ledger SET kind = 'x'", "DELETE FROM plumbline_ledger"]
    statements += ["UPDATE plumbline_ledger_schema SET version = 2", "DELETE FROM plumbline_ledger_schema"]
    if "://" in where:
        import psycopg

        statements += ["TRUNCATE plumbline_ledger"]
        for statement in statements:
            with psycopg.connect(where) as connection, pytest.raises(psycopg.Error, match="append-only"):
                connection.execute(statement)
        with psycopg.connect(where) as connection:
            connection.execute("DROP TRIGGER plumbline_ledger_append_only ON plumbline_ledger")
    else:
        with closing(sqlite3.connect(where)) as connection:
            for statement in statements:
                with pytest.raises(sqlite3.Error, match="append-only"):
                    connection.execute(statement)
            connection.rollback()
            connection.execute("DROP TRIGGER plumbline_ledger_no_update")
    report = ledger.verify()
    assert report.intact and any("trigger plumbline_ledger" in note for note in report.notes)


def test_of_two_callers_one_waits(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("certify.ledger.databases.database.QUIET", 0.3)
    monkeypatch.setattr("certify.ledger.databases.database.SLICE", 0.2)
    order: list[str] = []
    has_it, told = threading.Event(), []

    def first() -> None:
        with ledger.transaction(A) as turn:
            has_it.set()
            time.sleep(1)
            turn.append("requested", {"caller": "first"})
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert has_it.wait(10)
    with ledger.transaction(A, notify=told.append) as turn:
        order.append("second")
        assert turn.rows[-1].content == {"caller": "first"}
        turn.append("requested", {"caller": "second"})
    thread.join()
    assert order == ["first", "second"] and ledger.verify().intact and len(ledger.rows(A)) == 6
    (line,) = told
    assert line.startswith("waiting for another caller of ledger ") and line.endswith("(at most 60 s)")


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_is_told_what_is_waited_for(
    terminal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("certify.ledger.databases.database.QUIET", 0.1)
    monkeypatch.setattr("certify.ledger.databases.database.SLICE", 0.1)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    opened = Ledger.open(tmp_path / "ledger.sqlite", create=True)
    with opened.transaction(A), pytest.raises(UsageError), opened.transaction(A, timeout=0.4):
        pass
    assert capsys.readouterr().err.count("waiting for another caller") == terminal


def test_who_waits_too_long_is_told_to_try_again(ledger: Ledger) -> None:
    with ledger.transaction(A) as turn:
        turn.append("requested", {})
        with (
            pytest.raises(UsageError, match=r"another caller has had it for 0\.3 s; nothing was done, try again"),
            ledger.transaction(A, timeout=0.3),
        ):
            pytest.fail("two callers at once")
    assert len(ledger.rows(A)) == 5


def test_a_new_ledger_is_made_once(where: str) -> None:
    with pytest.raises(UsageError, match=r"no such file|holds no ledger"):
        Ledger.open(where)
    opened: list[Ledger] = []
    threads = [threading.Thread(target=lambda: opened.append(Ledger.open(where, create=True))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 4 and opened[0].verify().intact


def test_a_state_folder_leads_to_its_ledger(where: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    with pytest.raises(UsageError, match=r"has no ledger\.sqlite, and no state\.json"):
        Ledger.open(state)
    Ledger.open(state, create=True)
    assert (state / "ledger.sqlite").exists()
