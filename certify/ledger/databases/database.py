"""What a ledger asks of its database. One connection for each call; what goes wrong is one line."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from certify.errors import UsageError
from certify.ledger.databases.schema import SCHEMA, VERSION, metadata, rows_table, schema_table
from certify.ledger.rows import Row

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import DBAPIError

WAIT = 60.0  # seconds that a caller waits for the one before
QUIET = 2.0  # seconds before it says so
SLICE = 1.0  # seconds of one attempt: between two of them, the program can be interrupted

Notify = Callable[[str], None]


class Busy(Exception):
    """Another caller has the lock."""


@dataclass(frozen=True)
class Database(ABC):
    """`address`: what names the database, without a password."""

    address: str
    engine: Engine

    @abstractmethod
    def prepare(self, connection: Connection) -> None:
        """Settings of a new connection: what is committed is on the disk."""

    @abstractmethod
    def take(self, connection: Connection, model: str, seconds: float) -> None:
        """Begin a transaction in which this caller alone has the model. Raises Busy after about so many seconds."""

    @abstractmethod
    def take_ledger(self, connection: Connection) -> None:
        """Within the transaction, be the only one who appends. Held till its end, which is near."""

    @abstractmethod
    def create_triggers(self, connection: Connection) -> None: ...

    @abstractmethod
    def missing_triggers(self, connection: Connection) -> list[str]:
        """Names of the triggers against changes that are not there."""

    @abstractmethod
    def damage(self, connection: Connection) -> list[str]:
        """What the database itself says is wrong with its storage."""

    @abstractmethod
    def explain(self, problem: DBAPIError) -> str:
        """What went wrong and what to do, without anything that the driver quotes: it may quote a password."""

    # -- what both do alike

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection that commits nothing by itself; transactions are begun and ended by name."""
        with self.translating():
            connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            with self.translating():
                self.prepare(connection)
            yield connection
        finally:
            with suppress(Exception):
                connection.close()

    @contextmanager
    def translating(self) -> Iterator[None]:
        """A failure of the database as one line."""
        from sqlalchemy.exc import DBAPIError

        try:
            yield
        except DBAPIError as problem:
            raise UsageError(f"ledger {self.address}: {self.explain(problem)}") from None

    def begin(self, connection: Connection, model: str, timeout: float, notify: Notify | None = None) -> None:
        """Take the model; wait for another caller, say so after QUIET seconds, give up after `timeout`."""
        start, notified = monotonic(), False
        while True:
            waited = monotonic() - start
            try:
                with self.translating():
                    return self.take(connection, model, max(min(SLICE, timeout - waited), 0.001))
            except Busy:
                waited = monotonic() - start
            if waited >= timeout:
                raise UsageError(
                    f"ledger {self.address}: another caller has had it for {timeout:g} s; nothing was done, try again"
                )
            if waited >= QUIET and not notified:
                (notify or _tell_terminal)(
                    f"waiting for another caller of ledger {self.address} (at most {timeout:g} s)"
                )
                notified = True

    def commit(self, connection: Connection, last: Row | None, timeout: float) -> None:
        """End the transaction. Where the answer is lost, ask again whether its last row is there."""
        from sqlalchemy.exc import DBAPIError

        try:
            connection.exec_driver_sql("COMMIT")
        except DBAPIError as problem:
            line = f"ledger {self.address}: {self.explain(problem)}"
            self.rollback(connection)
            if last is not None and not self._was_committed(last, timeout):
                raise UsageError(line) from None

    def _was_committed(self, row: Row, timeout: float) -> bool:
        try:
            with self.connected() as connection:
                self.begin(connection, row.model, timeout)  # the transaction in doubt has ended when this begins
                try:
                    return any(found.hash == row.hash for found in self.read(connection, row.model))
                finally:
                    self.rollback(connection)
        except UsageError as away:
            raise UsageError(f"{away}; whether the request counts was not answered: the next call settles it") from None

    def rollback(self, connection: Connection) -> None:
        """As if nothing had been asked; a connection that is gone has done that already."""
        with suppress(Exception):
            connection.exec_driver_sql("ROLLBACK")

    def read(self, connection: Connection, model: str | None = None, *, last: bool = False) -> list[Row]:
        """Rows in their order, of one model or all; `last`: the last one alone."""
        from sqlalchemy import select

        table = rows_table()
        query = select(table)
        if model is not None:
            query = query.where(table.c.model == model)
        query = query.order_by(table.c.seq.desc()).limit(1) if last else query.order_by(table.c.seq)
        with self.translating():
            return [_row(values) for values in connection.execute(query).mappings()]

    def write(self, connection: Connection, row: Row) -> None:
        with self.translating():
            connection.execute(rows_table().insert().values(**vars(row)))

    def holds_ledger(self, connection: Connection) -> bool:
        from sqlalchemy import inspect

        with self.translating():
            return inspect(connection).has_table(SCHEMA)

    def create(self, connection: Connection) -> None:
        """Make the tables where there are none."""
        from sqlalchemy.schema import CreateIndex, CreateTable

        self.begin(connection, SCHEMA, WAIT)
        try:
            with self.translating():
                if not self.holds_ledger(connection):  # nobody was faster
                    for table in metadata().sorted_tables:
                        connection.execute(CreateTable(table))
                        for index in table.indexes:
                            connection.execute(CreateIndex(index))
                    connection.execute(schema_table().insert().values(version=VERSION))
                    self.create_triggers(connection)
        except BaseException:
            self.rollback(connection)
            raise
        self.commit(connection, None, WAIT)
        if not self.holds_ledger(connection):
            raise UsageError(f"ledger {self.address}: could not be created; try again")

    def check_version(self, connection: Connection) -> None:
        from sqlalchemy import select

        with self.translating():
            versions = list(connection.execute(select(schema_table().c.version)).scalars())
        if versions != [VERSION]:
            found = ", ".join(map(str, versions)) or "none"
            raise UsageError(
                f"ledger {self.address}: its tables have version {found}, this program reads {VERSION}; "
                "use the Plumbline that wrote it, or back it up there and restore it here"
            )


def _row(values: Any) -> Row:
    return Row(**{name: values[name] for name in Row.__dataclass_fields__})


def _tell_terminal(message: str) -> None:
    """On a terminal; a log has no use for it."""
    if sys.stderr.isatty():
        print(message, file=sys.stderr, flush=True)
