"""The two tables, and the triggers that refuse to change or remove a row."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import MetaData, Table

VERSION = 1
ROWS, SCHEMA = "plumbline_ledger", "plumbline_ledger_schema"
REFUSAL = "the ledger is append-only"


@cache
def metadata() -> MetaData:
    """The tables: the rows, and one line that says which version of the schema they have."""
    from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, Text

    tables = MetaData()
    Table(
        ROWS,
        tables,
        Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
        Column("model", String(100), nullable=False, index=True),
        Column("kind", String(20), nullable=False),
        Column("time", String(20), nullable=False),
        Column("payload", Text, nullable=False),
        Column("previous", String(64), nullable=False),
        Column("former", String(64), nullable=False),
        Column("hash", String(64), nullable=False, unique=True),
    )
    Table(SCHEMA, tables, Column("version", Integer, primary_key=True, autoincrement=False))
    return tables


def rows_table() -> Table:
    return metadata().tables[ROWS]


def schema_table() -> Table:
    return metadata().tables[SCHEMA]


def sqlite_triggers() -> dict[str, str]:
    """Statements by the name of the trigger that each makes."""
    return {
        f"{table}_no_{what.lower()}": f"CREATE TRIGGER {table}_no_{what.lower()} BEFORE {what} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        for table in (ROWS, SCHEMA)
        for what in ("UPDATE", "DELETE")
    }


def postgresql_triggers() -> dict[str, str]:
    """As `sqlite_triggers`; they call the function of `postgresql_function`. TRUNCATE has one of its own."""
    return {
        f"{table}_append_only": f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {ROWS}_refuse()"
        for table in (ROWS, SCHEMA)
    }


def postgresql_function() -> str:
    return (
        f"CREATE FUNCTION {ROWS}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
