"""Back-up, restoring and rotation of a state's key, by which its commitments can be opened."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from certify.errors import UsageError
from certify.service.commit import PRIVATE
from certify.service.data import data_of, read_data
from certify.service.folder import State, opened, read_bytes
from certify.service.key import KEY_FILE, key_fingerprint, key_text, new_key
from certify.trust.erasure import KEY_BYTES


@dataclass(frozen=True)
class KeyChange:
    """What became of the key with this fingerprint; `path` is where it was written."""

    state: State
    action: str
    fingerprint: str
    path: Path

    def as_json(self) -> dict[str, Any]:
        return {
            "state": str(self.state.folder),
            "action": self.action,
            "fingerprint": self.fingerprint,
            "path": str(self.path),
        }


def back_up_key(folder: str | Path, output: str | Path, *, ledger: str | None = None) -> KeyChange:
    """Write the key to a new file that its owner alone can read. Raises UsageError, where one is there too."""
    with opened(Path(folder), ledger=ledger) as change:
        key, path = change.state.read_key(), Path(output)
        _write_new(path, key_text(key).encode())
        return KeyChange(change.state, "backed up", change.state.key, path)


def restore_key(folder: str | Path, source: str | Path, *, ledger: str | None = None) -> KeyChange:
    """Put a key back that was lost or damaged. Raises UsageError where the file holds another one."""
    with opened(Path(folder), ledger=ledger) as change:
        state = change.state
        try:
            key = bytes.fromhex(read_bytes(Path(source)).decode("ascii").strip())
        except ValueError:
            key = b""
        if len(key) < KEY_BYTES or key_fingerprint(key) != state.key:
            raise UsageError(f"{source}: does not hold the key of this state, whose fingerprint is {state.key}")
        path = state.folder / PRIVATE / KEY_FILE
        state.private.mkdir(mode=0o700, exist_ok=True)
        state.private.chmod(0o700)
        fresh = path.with_name(f".{KEY_FILE}.{os.getpid()}")
        _write_new(fresh, key_text(key).encode())
        os.replace(fresh, path)
        return KeyChange(state, "restored", state.key, path)


def rotate_key(folder: str | Path, *, data: str | Path | None = None, ledger: str | None = None) -> KeyChange:
    """Replace the key by a new one; fingerprints and commitments in private/rows.json are made anew from the data.

    Erasure records of former requests stay as they are: the old key opens them, so back it up before. An erased row
    that the data no longer have is forgotten: with the new key nobody can tell which one it was.

    Raises:
        UsageError: data that changed. Mismatch: the state is a copy.
    """
    with opened(Path(folder), ledger=ledger) as change:
        state, key = change.state, new_key()
        change.require_files()
        rows = state.rows()
        known = data_of(state, state.read_key(), data)
        given = read_data(state.run, data if data is not None else state.data.get("path"), state.folder).rows(key)
        written = replace(state, key=key_fingerprint(key))
        files = {
            f"{PRIVATE}/{KEY_FILE}": key_text(key).encode(),
            f"{PRIVATE}/rows.json": rows.rekeyed(given, known.places or ()).to_json(),
        }
        change.commit("rotated", {"key": written.key, "former": state.key}, files, written)
        return KeyChange(written, "rotated", written.key, state.folder / PRIVATE / KEY_FILE)


def _write_new(path: Path, content: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise UsageError(f"{path}: exists already; write to another file") from None
    except OSError as problem:
        raise UsageError(f"{path}: cannot be written: {problem.strerror or problem}") from None
