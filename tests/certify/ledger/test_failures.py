"""What can go wrong with a database: one clear line each, and nothing that was committed is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from certify.errors import UsageError
from certify.ledger import Ledger
from certify.ledger.databases.postgresql import _without_state
from certify.ledger.databases.sqlite import SQLite
from certify.ledger.where import as_stored, read_state
from tests.certify.runs import ROOT

A = "11111111-1111-4111-8111-111111111111"
NOBODY = 65534


def append(ledger: Ledger, **payload: Any) -> None:
    with ledger.transaction(A) as turn:
        turn.append("requested", payload)


def one_line(problem: pytest.ExceptionInfo[UsageError], *words: str) -> None:
    text = str(problem.value)
    assert "\n" not in text and len(text) < 400, text
    for word in words:
        assert word in text


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    opened = Ledger.open(tmp_path / "ledger.sqlite", create=True)
    append(opened, request="1")
    return opened


def test_a_file_that_is_not_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"id,age\n" * 400)
    for create in (False, True):
        with pytest.raises(UsageError) as problem:
            Ledger.open(path, create=create)
        one_line(problem, str(path), "is not an SQLite database")
    assert path.read_bytes() == b"id,age\n" * 400


def test_a_database_without_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE people (name TEXT)")
    with pytest.raises(UsageError) as problem:
        Ledger.open(path)
    one_line(problem, "holds no ledger")
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(UsageError, match="holds no ledger"):
        Ledger.open(tmp_path / "empty.sqlite")
    with pytest.raises(UsageError, match="name a file"):
        Ledger.open(f"sqlite:///{tmp_path}")


def test_a_damaged_page(ledger: Ledger) -> None:
    for number in range(40):
        append(ledger, text=f"{number}" * 300)
    path, data = Path(ledger.address), bytearray(Path(ledger.address).read_bytes())
    size = int.from_bytes(data[16:18])
    for page in range(2, len(data) // size):
        data[page * size : page * size + 64] = b"\xff" * 64
    path.write_bytes(data)
    with pytest.raises(UsageError) as problem:
        ledger.rows()
    one_line(problem, "the file is damaged; nothing was written; restore a backup")
    with pytest.raises(UsageError, match="is damaged"):
        append(ledger)


def test_a_damaged_page_that_is_not_read_shows_in_verify(ledger: Ledger) -> None:
    """An index on disk says otherwise than its table: rows can be read, and SQLite's own check finds it."""
    with closing(sqlite3.connect(ledger.address)) as connection, connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE type = 'index' AND name LIKE 'ix_%'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with open(ledger.address, "r+b") as file:
        file.seek((page - 1) * size)
        content = bytearray(file.read(size))
        place = content.index(A.encode())
        content[place : place + 4] = b"9999"
        file.seek((page - 1) * size)
        file.write(content)
    report = ledger.verify()
    assert report.exit_code == 4 and report.problems[0].startswith("SQLite: ")


def test_another_version(ledger: Ledger) -> None:
    with closing(sqlite3.connect(ledger.address)) as connection, connection:
        connection.execute("DROP TRIGGER plumbline_ledger_schema_no_update")
        connection.execute("UPDATE plumbline_ledger_schema SET version = 7")
    with pytest.raises(UsageError) as problem:
        Ledger.open(ledger.address)
    one_line(problem, "its tables have version 7, this program reads 1", "use the Plumbline that wrote it")


def test_a_full_disk(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite says so as of a disk, when a file may not become longer."""
    prepare = SQLite.prepare

    def full(self: SQLite, connection: Any) -> None:
        prepare(self, connection)
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    with monkeypatch.context() as patched:
        patched.setattr(SQLite, "prepare", full)
        with pytest.raises(UsageError) as problem:
            append(ledger, text="x" * 100_000)
    one_line(problem, "the disk is full; nothing was written or lost")
    assert len(ledger.rows()) == 1
    append(ledger, text="x" * 100_000)
    assert ledger.verify().rows == 2


@contextmanager
def as_somebody() -> Iterator[None]:
    """Root may write anything: be nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_file_can_be_read(ledger: Ledger) -> None:
    folder = Path(tempfile.mkdtemp(prefix="plumbline-"))
    try:
        path = Path(shutil.copy(ledger.address, folder / "ledger.sqlite"))
        path.chmod(0o444)
        folder.chmod(0o555)
        with as_somebody():
            opened = Ledger.open(path)
            assert len(opened.rows()) == 1 and opened.verify().intact
            with pytest.raises(UsageError) as problem:
                append(opened)
            one_line(problem, "read-only; nothing was written")
            with pytest.raises(UsageError) as problem:
                Ledger.open(folder / "new.sqlite", create=True)
            one_line(problem, "cannot be opened")
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_database_that_another_program_holds(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(ledger.address, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr("certify.ledger.databases.sqlite._COMMIT_WAIT", 50)
        with pytest.raises(UsageError, match="is in use by another caller; nothing was written; try again"):
            ledger.rows()


def test_a_commit_whose_answer_is_lost_is_looked_up(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy import Connection

    run, committed = Connection.exec_driver_sql, True

    def cut_off(self: Connection, statement: str, *arguments: Any) -> Any:
        if statement == "COMMIT":
            if committed:
                run(self, statement)
            raise OperationalError(statement, None, sqlite3.OperationalError("disk I/O error"))
        return run(self, statement, *arguments)

    monkeypatch.setattr(Connection, "exec_driver_sql", cut_off)
    append(ledger, request="2")  # it was committed: no error
    assert len(ledger.rows()) == 2
    committed = False
    with pytest.raises(UsageError, match="disk I/O error"):
        append(ledger, request="3")
    assert len(ledger.rows()) == 2


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"model": "m"}', '{"model": "m", "head": 3}', '{"model": 3, "head": {"seq": 1, "hash": "x"}}', "{"],
)
def test_a_damaged_state_file(content: str, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(content)
    with pytest.raises(UsageError, match=r"state\.json: .*restore the folder"):
        Ledger.open(tmp_path, create=True)


def test_a_state_that_names_another_ledger(ledger: Ledger, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    where = f"sqlite:///{ledger.address}"
    (folder / "state.json").write_text(f'{{"model": "{A}", "head": {{"seq": "1", "hash": "x"}}, "ledger": "{where}"}}')
    assert Ledger.open(folder).rows() == ledger.rows()
    found = read_state(folder)
    assert found is not None and (found.model, found.head, found.ledger) == (A, (1, "x"), where)
    (Path(ledger.address)).unlink()
    with pytest.raises(UsageError, match="no such file"):
        Ledger.open(folder)


# --- URLs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("mysql://root:hunter2@host/x", "mysql:// is not supported"),
        ("sqlite://", "sqlite:// is not supported"),
        ("sqlite:///:memory:", "sqlite:// is not supported"),
        ("oracle+cx://u:hunter2@h/x", "is not supported; write postgresql://"),
        ("postgresql://u:hunter2@h:port/x", "the URL cannot be read"),
    ],
)
def test_urls_that_are_refused(where: str, words: str) -> None:
    with pytest.raises(UsageError) as problem:
        Ledger.open(where, create=True)
    one_line(problem, words)
    assert "hunter2" not in str(problem.value)


def test_passwords_are_neither_printed_nor_stored() -> None:
    where = "postgresql://u:hunter2@127.0.0.1:9/x?password=hunter2&sslpassword=hunter2&bogus=hunter2&application_name=y"
    with pytest.raises(UsageError) as problem:
        Ledger.open(where)
    one_line(problem, "postgresql://u@127.0.0.1:9/x?application_name=y: is away; nothing was lost, try again")
    assert as_stored(where) == "postgresql://u@127.0.0.1:9/x?application_name=y"
    assert as_stored("somewhere/ledger.sqlite") is None


def test_packages_that_are_missing(tmp_path: Path) -> None:
    for package, where, extra in (
        ("sqlalchemy", str(tmp_path / "x.sqlite"), "ledger"),
        ("psycopg", "postgresql://h/x", "postgres"),
    ):
        code = (
            f"import sys; sys.modules[{package!r}] = None\n"
            "from certify.ledger import Ledger\nfrom certify.errors import UsageError\n"
            f"try: Ledger.open({where!r}, create=True)\nexcept UsageError as problem: print(problem)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
        assert f"pip install 'plumbline-dp[{extra}]'" in done.stdout, done


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('FATAL:  password authentication failed for user "u"', "the login was refused"),
        ("fe_sendauth: no password supplied", "the login was refused"),
        ("server does not support SSL, but SSL was required", "cannot be secured"),
        ("SSL error: certificate verify failed", "cannot be secured"),
        ('FATAL:  database "x" does not exist', "there is no such database"),
        ("could not translate host name", "is away; nothing was lost"),
    ],
)
def test_what_libpq_says_without_a_code(said: str, words: str) -> None:
    assert words in _without_state(f"connection failed: {said}")


# --- PostgreSQL ------------------------------------------------------------------------------------------------------


def test_a_server_that_goes_away(postgresql: str) -> None:
    """Within a turn, and while it is committed: the row is not there, and the next caller goes on."""
    import psycopg

    ledger = Ledger.open(postgresql, create=True)
    append(ledger, request="1")

    def cut_off() -> None:
        with psycopg.connect(postgresql, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'plumbline' AND pid <> pg_backend_pid()"
            )

    with pytest.raises(UsageError) as problem, ledger.transaction(A) as turn:
        cut_off()
        turn.append("requested", {"request": "2"})
    one_line(problem, "is away; nothing was lost, try again")
    with pytest.raises(UsageError, match="is away; nothing was lost, try again"), ledger.transaction(A) as turn:
        turn.append("requested", {"request": "2"})
        cut_off()
    assert len(ledger.rows()) == 1
    append(ledger, request="2")
    assert ledger.verify().rows == 2


def test_a_commit_is_on_the_disk_whatever_the_servers_default(postgresql: str) -> None:
    where = postgresql.replace(
        "options=", "options=-csynchronous_commit%3Doff%20-cidle_in_transaction_session_timeout%3D5000%20"
    )
    database = Ledger.open(where, create=True)._database
    with database.connected() as connection:
        settings = [f"SHOW {name}" for name in ("synchronous_commit", "idle_in_transaction_session_timeout")]
        assert [connection.exec_driver_sql(query).scalar() for query in settings] == ["off", "5s"]
        database.begin(connection, A, 1)
        assert [connection.exec_driver_sql(query).scalar() for query in settings] == ["on", "0"]
        database.rollback(connection)


def test_other_models_go_on_while_one_is_computed(postgresql: str) -> None:
    ledger = Ledger.open(postgresql, create=True)
    with ledger.transaction(A) as turn:
        with ledger.transaction("other", timeout=1) as other:
            other.append("created", {})
        turn.append("created", {})
    assert [row.model for row in ledger.rows()] == ["other", A] and ledger.verify().intact


def test_what_a_server_refuses(postgresql: str, postgresql_server: str) -> None:
    import psycopg
    from sqlalchemy import make_url

    Ledger.open(postgresql, create=True)
    with pytest.raises(UsageError, match="there is no such database; create it"):
        Ledger.open(postgresql_server.replace("/postgres?", "/missing?"))
    schema = str(make_url(postgresql).query["options"]).removeprefix("-csearch_path=")
    with pytest.raises(UsageError, match="the login was refused"):
        Ledger.open(postgresql_server.replace("plumbline@", "nobody:hunter2@"))
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {schema}_reader LOGIN")
        connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {schema}_reader")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {schema}_reader")
    reader = Ledger.open(postgresql.replace("plumbline@", f"{schema}_reader@"))
    assert reader.verify().intact
    with pytest.raises(UsageError, match="the user may not do that; grant SELECT and INSERT"):
        append(reader)
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"GRANT INSERT ON ALL TABLES IN SCHEMA {schema} TO {schema}_reader")
    append(reader)
    assert len(reader.rows()) == 1
    for state, words in {
        "53100": "the server's disk is full; nothing was written or lost",
        "25006": "is read-only; nothing was written; name the primary server",
        "53300": "the server has no connection or memory left",
        "XX001": "the server's storage is damaged",
        "57P01": "is away; nothing was lost, try again",
        "0A000": "PostgreSQL refused \\(SQLSTATE 0A000\\); nothing was written",
    }.items():
        database = reader._database
        with database.connected() as connection, pytest.raises(UsageError, match=words), database.translating():
            connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'hunter2' USING ERRCODE = '{state}'; END $$")
