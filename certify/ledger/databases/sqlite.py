"""SQLite: one file; one writer at a time, whichever model it writes about."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from certify.errors import UsageError
from certify.ledger.databases.database import Busy, Database
from certify.ledger.databases.schema import sqlite_triggers

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.exc import DBAPIError

# By the beginning of SQLite's name for an error.
_WORDS = {
    "SQLITE_NOTADB": "is not an SQLite database; name the ledger's .sqlite file, or the folder of a state",
    "SQLITE_CORRUPT": "the file is damaged; nothing was written; restore a backup (plumbline ledger restore)",
    "SQLITE_FULL": "the disk is full; nothing was written or lost; make room and try again",
    "SQLITE_READONLY": "the file or its folder is read-only; nothing was written; allow writing and try again",
    "SQLITE_PERM": "may not be opened; nothing was written; allow access and try again",
    "SQLITE_AUTH": "may not be opened; nothing was written; allow access and try again",
    "SQLITE_CANTOPEN": "cannot be opened; nothing was written; see whether the folder is there and may be written to",
    "SQLITE_BUSY": "is in use by another caller; nothing was written; try again",
    "SQLITE_LOCKED": "is in use by another caller; nothing was written; try again",
    "SQLITE_IOERR": "the disk answered with an error; what was committed before is kept; try again",
    "SQLITE_TOOBIG": "a value is larger than SQLite stores; nothing was written",
}
_COMMIT_WAIT = 30_000  # milliseconds that a commit waits for readers, and a reader for a commit


def open_sqlite(path: Path, *, create: bool) -> SQLite:
    """The database in a file. Nothing is opened yet."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    if not create and not path.exists():
        raise UsageError(f"ledger {path}: no such file")
    if path.is_dir():
        raise UsageError(f"ledger {path}: is a folder; name a file")
    address = f"file:{quote(os.fsencode(path.absolute()))}?mode={'rwc' if create else 'rw'}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            address, uri=True, timeout=_COMMIT_WAIT / 1000, isolation_level=None, check_same_thread=False
        )

    return SQLite(str(path), create_engine("sqlite+pysqlite://", creator=connect, poolclass=NullPool))


class SQLite(Database):
    """A transaction is BEGIN IMMEDIATE: it has the whole file for writing, and leaves it readable till the commit."""

    def prepare(self, connection: Connection) -> None:
        # EXTRA is FULL, and the folder is synced too after the journal is gone: the commit outlives a power cut.
        for setting in ("synchronous = EXTRA", "cell_size_check = ON"):
            connection.exec_driver_sql(f"PRAGMA {setting}")

    def take(self, connection: Connection, model: str, seconds: float) -> None:
        from sqlalchemy.exc import OperationalError

        connection.exec_driver_sql(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except OperationalError as problem:
            if _name(problem).startswith("SQLITE_BUSY"):
                raise Busy from None
            raise
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {_COMMIT_WAIT}")

    def take_ledger(self, connection: Connection) -> None:
        """The transaction has it."""

    def create_triggers(self, connection: Connection) -> None:
        for statement in sqlite_triggers().values():
            connection.exec_driver_sql(statement)

    def missing_triggers(self, connection: Connection) -> list[str]:
        with self.translating():
            query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            names = set(connection.exec_driver_sql(query).scalars())
        return sorted(set(sqlite_triggers()) - names)

    def damage(self, connection: Connection) -> list[str]:
        with self.translating():
            found = list(connection.exec_driver_sql("PRAGMA integrity_check(5)").scalars())
        return [] if found == ["ok"] else [f"SQLite: {line}" for line in found]

    def explain(self, problem: DBAPIError) -> str:
        name = _name(problem)
        words = next((words for prefix, words in _WORDS.items() if name.startswith(prefix)), None)
        return words or f"SQLite refused ({name or 'unknown error'}: {str(problem.orig).splitlines()[0]})"


def _name(problem: DBAPIError) -> str:
    return getattr(problem.orig, "sqlite_errorname", "")
