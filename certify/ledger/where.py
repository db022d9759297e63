"""What names a ledger: the folder of a state, an .sqlite file, or the URL of a database."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from certify.errors import UsageError
from certify.ledger.rows import Head

if TYPE_CHECKING:
    from certify.ledger.databases.database import Database

FILE = "ledger.sqlite"  # in the folder of a state, unless its state.json names a URL
STATE = "state.json"


@dataclass(frozen=True)
class StateFile:
    """What state.json says of the ledger. `ledger`: a URL without password; None: the file beside it."""

    folder: Path
    model: str
    head: Head
    ledger: str | None


def read_state(folder: Path) -> StateFile | None:
    """What the folder's state.json says; None where there is none.

    Raises:
        UsageError: it cannot be read, or names no model and head.
    """
    path = folder / STATE
    try:
        content = json.loads(path.read_bytes())
        head = content["head"]
        found = StateFile(folder, content["model"], Head(int(head["seq"]), head["hash"]), content.get("ledger"))
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise UsageError(f"{path}: {problem.strerror or problem}") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path}: does not name a model and the ledger's head; restore the folder") from None
    _check_text(path, found)
    return found


def _check_text(path: Path, found: StateFile) -> None:
    values: tuple[Any, ...] = (found.model, found.head.hash, found.ledger or "")
    if not all(isinstance(value, str) for value in values):
        raise UsageError(f"{path}: model, head.hash and ledger must be text; restore the folder")


def is_url(where: str | Path) -> bool:
    return isinstance(where, str) and "://" in where


def find_database(where: str | Path, *, create: bool) -> Database:
    """The database that `where` names. Nothing is opened yet.

    Raises:
        UsageError: nothing there, a database that is not supported, or a missing package.
    """
    try:
        import sqlalchemy  # noqa: F401
    except ImportError:
        raise UsageError("a ledger needs SQLAlchemy; pip install 'plumbline-dp[ledger]'") from None
    if is_url(where):
        return _of_url(str(where), create=create)
    from certify.ledger.databases.sqlite import open_sqlite

    path = Path(where)
    if path.is_dir():
        state = read_state(path)
        if state is not None and state.ledger is not None:
            return _of_url(state.ledger, create=create)
        if not create and not (path / FILE).exists():
            raise UsageError(f"ledger {path}: the folder has no {FILE}, and no {STATE} that names another ledger")
        path = path / FILE
    return open_sqlite(path, create=create)


def _of_url(where: str, *, create: bool) -> Database:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    from certify.ledger.databases.postgresql import open_postgresql
    from certify.ledger.databases.sqlite import open_sqlite

    try:
        url = make_url(where)
    except (ArgumentError, ValueError):
        raise UsageError("ledger: the URL cannot be read; write postgresql://USER@HOST/DATABASE") from None
    match url.drivername.partition("+")[0]:
        case "sqlite" if url.database and url.database != ":memory:":
            return open_sqlite(Path(url.database), create=create)
        case "postgresql" | "postgres":
            return open_postgresql(url)
    raise UsageError(f"ledger: {url.drivername}:// is not supported; write postgresql:// or sqlite:///FILE")


def as_stored(where: str | Path) -> str | None:
    """How state.json names the ledger: a URL without its password; None for the folder's own file."""
    if not is_url(where):
        return None
    return find_database(where, create=True).address
