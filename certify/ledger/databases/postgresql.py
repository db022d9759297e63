"""PostgreSQL, through psycopg: many models at once; a caller has one model, and while it writes the ledger."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from certify.errors import UsageError
from certify.ledger.databases.database import WAIT, Busy, Database
from certify.ledger.databases.schema import ROWS, SCHEMA, postgresql_function, postgresql_triggers
from certify.ledger.rows import LEDGER

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection
    from sqlalchemy.exc import DBAPIError

# Of a URL's query, what may be printed and stored: which database it is, and how it is reached. Nothing else is, for it
# may hold a password.
SHOWN_KEYS = (
    *("host", "hostaddr", "port", "dbname", "user", "service", "options", "sslmode", "sslrootcert"),
    *("application_name", "connect_timeout", "target_session_attrs"),
)
# Unless the URL says otherwise. A model is computed while a connection is idle: what is between must not forget it.
_SETTINGS = {"application_name": "plumbline", "connect_timeout": "10", "keepalives_idle": "60"}

_AWAY = "is away; nothing was lost, try again"
# By the beginning of the SQLSTATE (PostgreSQL, Appendix A); SSL has none.
_WORDS = {
    "08": _AWAY,
    "57P": _AWAY,
    "53100": "the server's disk is full; nothing was written or lost; make room and try again",
    "53": "the server has no connection or memory left; nothing was written; try again",
    "25006": "is read-only; nothing was written; name the primary server, or allow writing",
    "28": "the login was refused; see the user, and PGPASSWORD or ~/.pgpass",
    "SSL": "the connection cannot be secured as the URL asks; see sslmode and the server's certificate",
    "3D000": "there is no such database; create it (createdb), or correct the URL",
    "42501": "the user may not do that; grant SELECT and INSERT on the ledger's tables",
    "42P01": "holds no ledger",
    "40": "another caller was faster; nothing was written; try again",
    "23505": "another caller was faster; nothing was written; try again",
    "55P03": "another caller has it; nothing was written; try again",
    "XX00": "the server's storage is damaged; nothing was written; restore a backup (plumbline ledger restore)",
}


def open_postgresql(url: URL) -> PostgreSQL:
    """The database of a URL. Nothing is opened yet. Raises UsageError where psycopg is missing."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    shown = without_password(url)
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise UsageError(f"ledger {shown}: needs psycopg; pip install 'plumbline-dp[postgres]'") from None
    settings = {key: value for key, value in _SETTINGS.items() if key not in url.query}
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"), poolclass=NullPool, connect_args=settings, hide_parameters=True
    )
    return PostgreSQL(shown, engine)


def without_password(url: URL) -> str:
    """The URL as it may be printed and stored."""
    hidden = [key for key in url.query if key not in SHOWN_KEYS]
    plain = url.set(drivername="postgresql").difference_update_query(hidden)
    return plain._replace(password=None).render_as_string(hide_password=False)


class PostgreSQL(Database):
    """A transaction holds an advisory lock on the model; the first row that it appends takes that on the ledger."""

    def prepare(self, connection: Connection) -> None:
        """Settings are those of a transaction: a pooler may give the next one another session."""

    def take(self, connection: Connection, model: str, seconds: float) -> None:
        connection.exec_driver_sql("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
        # What is committed is on the disk, whatever the server's default; and computing takes longer than a default
        # that ends transactions may allow.
        connection.exec_driver_sql(
            "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
        )
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        if (connection.dialect.server_version_info or (0,)) >= (17,):
            connection.exec_driver_sql("SET LOCAL transaction_timeout = 0")
        self._lock(connection, model, seconds)

    def take_ledger(self, connection: Connection) -> None:
        with self.translating():
            try:
                self._lock(connection, LEDGER, WAIT)
            except Busy:
                raise UsageError(f"ledger {self.address}: {_WORDS['55P03']}") from None

    def _lock(self, connection: Connection, name: str, seconds: float) -> None:
        from sqlalchemy.exc import DBAPIError

        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(round(seconds * 1000), 1)}")
        try:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_key(name)})")
        except DBAPIError as problem:
            self.rollback(connection)
            if _state(problem) == "55P03":
                raise Busy from None
            raise
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")

    def create_triggers(self, connection: Connection) -> None:
        connection.exec_driver_sql(postgresql_function())
        for statement in postgresql_triggers().values():
            connection.exec_driver_sql(statement)

    def missing_triggers(self, connection: Connection) -> list[str]:
        with self.translating():
            tables = f"('{ROWS}'::regclass, '{SCHEMA}'::regclass)"
            query = f"SELECT tgname FROM pg_trigger WHERE tgenabled <> 'D' AND tgrelid IN {tables}"
            names = set(connection.exec_driver_sql(query).scalars())
        return sorted(set(postgresql_triggers()) - names)

    def damage(self, connection: Connection) -> list[str]:
        """The server keeps its storage; what can be read is judged by the hashes."""
        return []

    def explain(self, problem: DBAPIError) -> str:
        state = _state(problem)
        if not state:  # the connection was refused, or broke
            return _without_state(str(problem.orig))
        words = next((words for prefix, words in _WORDS.items() if state.startswith(prefix)), None)
        return words or f"PostgreSQL refused (SQLSTATE {state}); nothing was written"


def _without_state(said: str) -> str:
    """libpq's refusals to connect come without a code."""
    refusals = {"password": "28", "authentication": "28", 'role "': "28", "SSL": "SSL", "does not exist": "3D000"}
    return next((_WORDS[key] for words, key in refusals.items() if words in said), _AWAY)


def _state(problem: DBAPIError) -> str:
    return getattr(problem.orig, "sqlstate", None) or ""


def _key(name: str) -> int:
    """A lock's number: a signed 64-bit integer. Two names with one number would only wait for each other."""
    digest = hashlib.sha256(b"plumbline-dp/ledger/lock/v1\0" + name.encode()).digest()
    return int.from_bytes(digest[:8], signed=True)
