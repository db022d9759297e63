"""Ledgers to test with: SQLite in a temporary folder, and a PostgreSQL server on a socket in another."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest


def _programs() -> Path | None:
    """The folder of initdb and pg_ctl: on the path, or where Debian's packages have them."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a server's database `postgres`. The server runs as user postgres where the tests run as root."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="plumbline-pg-"))
    if user is not None:
        try:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        except KeyError:
            pytest.skip("root cannot run PostgreSQL, and there is no user postgres")
    folder.chmod(0o755)

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), *arguments]
        log = folder.with_suffix(".log")
        with open(log, "ab") as output:
            subprocess.run(command, check=True, user=user, cwd=folder, stdout=output, stderr=output, timeout=60)

    data = str(folder / "data")
    settings = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=40"
    try:
        run("initdb", "-D", data, "-A", "trust", "-U", "plumbline", "--no-sync")
        run("pg_ctl", "-D", data, "-w", "-o", settings, "-l", str(folder / "server.log"), "start")
    except (OSError, subprocess.SubprocessError) as problem:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"PostgreSQL does not start here: {problem}")
    try:
        yield f"postgresql://plumbline@/postgres?host={folder}"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_suffix(".log").unlink(missing_ok=True)


@pytest.fixture
def postgresql(postgresql_server: str) -> str:
    """URL of a schema of its own."""
    import psycopg

    name = f"ledger_{uuid4().hex}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{postgresql_server}&options=-csearch_path%3D{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new ledger can be made, of either kind."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.sqlite")
    return request.getfixturevalue("postgresql")


@pytest.fixture
def tamper(where: str) -> Callable[..., None]:
    """Change the table as its owner could: `tamper(statement)`, the triggers switched off."""

    def change(*statements: str) -> None:
        if "://" not in where:
            import sqlite3
            from contextlib import closing

            with closing(sqlite3.connect(where)) as connection, connection:
                triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
                for name, _ in triggers:
                    connection.execute(f"DROP TRIGGER {name}")
                for statement in statements:
                    connection.execute(statement)
                for _, sql in triggers:
                    connection.execute(sql)
            return
        import psycopg

        with psycopg.connect(where) as connection:
            connection.execute("SET session_replication_role = replica")  # triggers do not fire
            for statement in statements:
                connection.execute(statement)

    return change
