"""`Ledger`: open it, take a turn with a model, read it, verify it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from certify.checker import Mismatch
from certify.errors import UsageError
from certify.ledger.report import LedgerReport, make_report
from certify.ledger.rows import (
    LEDGER,
    RESTORED,
    START,
    Head,
    Row,
    broken_link,
    broken_links,
    canonical_payload,
    check_model,
    next_row,
)
from certify.ledger.turn import Turn, changed_meanwhile
from certify.ledger.where import find_database, read_state

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from certify.ledger.databases.database import Database, Notify

WAIT = 60.0  # seconds that a caller waits for the one before, unless it says otherwise


@dataclass(frozen=True)
class Ledger:
    """An open ledger. It keeps no connection: each call makes one, so that it can be kept and passed to a fork.

    address: the file, or the URL without a password: what may be printed and stored.
    """

    address: str
    where: str | Path
    _database: Database = field(repr=False)

    @classmethod
    def open(cls, where: str | Path, create: bool = False) -> Ledger:
        """The ledger of a state folder, in an .sqlite file, or at the URL of a database.

        Args:
            where: a folder whose state.json may name a URL, else its ledger.sqlite is taken; a file; a URL
                (postgresql://USER@HOST/DATABASE, sqlite:///FILE). Passwords: PGPASSWORD or ~/.pgpass; one that stands
                in the URL is used, and never printed or stored.
            create: make the tables where there are none.

        Raises:
            UsageError: nothing there, no ledger, another version, a database that is away, damaged or not to be
                opened: one line with what to do.
        """
        database = find_database(where, create=create)
        with database.connected() as connection:
            if not database.holds_ledger(connection):
                if not create:
                    raise UsageError(f"ledger {database.address}: holds no ledger; name the one that learn wrote")
                database.create(connection)
            database.check_version(connection)
        return cls(database.address, _without_url(where, database.address), database)

    @contextmanager
    def transaction(self, model: str, *, timeout: float = WAIT, notify: Notify | None = None) -> Iterator[Turn]:
        """A turn with a model, which nobody else has till the block ends; its rows are written then, all or none.

        Where the block raises, nothing is written. On SQLite a turn is with the whole ledger; on PostgreSQL other
        models' callers go on.

        Args:
            model: its identifier (UUID).
            timeout: seconds to wait for another caller. After two seconds `notify` is told in one line (default:
                stderr, if it is a terminal).

        Raises:
            UsageError: the other caller was not done in time, or a database that is away, full, read-only or damaged:
                nothing was lost. Mismatch: the model's chain is broken (exit 4).
        """
        check_model(model)
        database = self._database
        with database.connected() as connection:
            database.begin(connection, model, timeout, notify)
            appended: list[Row] = []
            try:
                rows = tuple(database.read(connection, model))
                self._refuse(broken_links(rows, whole=False))
                turn = Turn(model, rows, self.address, self._appender(connection, model, appended))
                try:
                    yield turn
                finally:
                    turn.close()
            except BaseException:
                database.rollback(connection)
                raise
            if appended:
                database.commit(connection, appended[-1], timeout)
            else:
                database.rollback(connection)

    def _appender(self, connection: Connection, model: str, appended: list[Row]):
        """What `Turn.append` calls: it writes the row after the ledger's last one, within the transaction."""
        database = self._database

        def append(kind: str, payload: str, previous: Head) -> Row:
            if not appended:
                database.take_ledger(connection)
                now = [row.head for row in database.read(connection, model, last=True)] or [START]
                if now != [previous]:
                    raise changed_meanwhile(self.address)
            last = database.read(connection, last=True)
            if last:
                # Its former row is not looked at here: `verify` follows the chain of the whole ledger.
                self._refuse([p for p in (broken_link(last[0], Head(0, last[0].previous), None),) if p])
            row = next_row(model, kind, payload, previous, last[0].head if last else START)
            database.write(connection, row)
            appended.append(row)
            return row

        return append

    @contextmanager
    def writing_all(self) -> Iterator[tuple[tuple[Row, ...], Callable[[Sequence[Row], Mapping[str, Any]], None]]]:
        """For `restore`: all rows that are there, checked, and a function that adds rows as they are, whose chain its
        caller has checked, and then one of kind `restored` with the given payload.

        Raises:
            UsageError, Mismatch: as `transaction`.
        """
        database = self._database
        with database.connected() as connection:
            database.begin(connection, LEDGER, WAIT)
            last: list[Row] = []
            try:
                rows = tuple(database.read(connection))
                self._refuse(broken_links(rows, whole=True))

                def write(added: Sequence[Row], payload: Mapping[str, Any]) -> None:
                    whole = (*rows, *added)
                    own = [row.head for row in whole if row.model == LEDGER] or [START]
                    last.append(next_row(LEDGER, RESTORED, canonical_payload(payload), own[-1], whole[-1].head))
                    for row in (*added, last[0]):
                        database.write(connection, row)

                yield rows, write
            except BaseException:
                database.rollback(connection)
                raise
            database.commit(connection, last[0] if last else None, WAIT)

    def rows(self, model: str | None = None) -> tuple[Row, ...]:
        """A model's rows, or all, in the order in which they were written.

        Raises:
            Mismatch: their chain is broken (exit 4); `verify` says all that is wrong. UsageError: as `open`.
        """
        rows = self.unverified_rows(model)
        self._refuse(broken_links(rows, whole=model is None))
        return rows

    def unverified_rows(self, model: str | None = None) -> tuple[Row, ...]:
        """The rows as they stand there, for whoever looks at a broken ledger."""
        if model is not None and model != LEDGER:
            check_model(model)
        with self._database.connected() as connection:
            return tuple(self._database.read(connection, model))

    def models(self) -> tuple[str, ...]:
        """The models that rows are about, in the order of their first rows. Raises as `rows`."""
        return tuple(dict.fromkeys(row.model for row in self.rows() if row.model != LEDGER))

    def verify(self) -> LedgerReport:
        """Everything that is wrong: changed, missing or inserted rows, missing triggers, damaged storage; opened by a
        state folder also whether the ledger is at the state's head.

        Rows that were removed from the end show only where something outside of the ledger names one of them: a
        state's head, or one that was noted down.
        """
        database = self._database
        with database.connected() as connection:
            damage = database.damage(connection)
            rows = tuple(database.read(connection))
            triggers = database.missing_triggers(connection)
        folder = Path(self.where) if Path(self.where).is_dir() else None
        return make_report(self.address, rows, damage, triggers, read_state(folder) if folder else None)

    def _refuse(self, problems: list[str]) -> None:
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise Mismatch(f"ledger {self.address}: {problems[0]}{more}; see plumbline ledger verify")


def _without_url(where: str | Path, address: str) -> str | Path:
    """`where`, unless it is a URL, which may hold a password."""
    from certify.ledger.where import is_url

    return address if is_url(where) else where
