"""How a state changes: all of its files and the ledger's row together, or nothing. Needs no torch.

1. Open the ledger's transaction for the model; every other caller waits.
2. `recover`: a staged folder that the last row names is moved into place, any other is removed.
3. Compute.
4. `stage`: every file is written into STATE/.staged-DIGEST and flushed to the disk; the row that names them is
   appended; state.json, which names the row, joins them.
5. The transaction ends: from here on the request counts.
6. `place`: the files move into the folder, state.json last. A crash before that is made good by the next caller's 2.

Whoever reads the files between 5 and 6 sees the former state, which state.json then contradicts: readers open a
transaction too.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from certify.errors import UsageError
from certify.files import flush_names
from certify.runfile.read import canonical_json

PREFIX, STATE_FILE, PRIVATE = ".staged-", "state.json", "private"


class Row(Protocol):
    """What is asked of a row of the ledger."""

    @property
    def content(self) -> Mapping[str, Any]: ...

    @property
    def head(self) -> tuple[int, str]: ...


class Turn(Protocol):
    """What is asked of a transaction of the ledger (certify/ledger/turn.py)."""

    @property
    def rows(self) -> Sequence[Any]: ...

    @property
    def head(self) -> tuple[int, str]: ...

    def append(self, kind: str, payload: Mapping[str, Any]) -> Any: ...


def stage(
    folder: Path,
    turn: Turn,
    kind: str,
    payload: Mapping[str, Any],
    files: Mapping[str, bytes],
    state: Mapping[str, Any],
) -> str:
    """Write files into a staged folder and append the row that names them; returns the staged folder's name.

    Args:
        files: content by path within the state's folder; what lies in private/ is for its owner alone.
        state: what state.json says, but for the head, which is that of the row.

    Raises:
        UsageError: the disk is full or read-only; nothing counts, and nothing is left.
    """
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    seq, digest = turn.head
    key = {"files": hashes, "kind": kind, "after": [str(seq), digest]}
    name = PREFIX + hashlib.sha256(canonical_json(key)).hexdigest()[:32]
    staged = folder / name
    try:
        staged.mkdir(mode=0o700)
        for path, content in files.items():
            _write(staged / path, content, private=Path(path).parts[0] == PRIVATE)
        row = turn.append(kind, {**payload, "files": hashes, "staged": name, "state": state_digest(state)})
        seq, digest = row.head
        whole = {**state, "head": {"seq": seq, "hash": digest}}
        _write(staged / STATE_FILE, (json.dumps(whole, indent=1, sort_keys=True) + "\n").encode())
        for root, _, _ in os.walk(staged, topdown=False):
            flush_names(Path(root))
        flush_names(folder)
    except OSError as problem:
        shutil.rmtree(staged, ignore_errors=True)
        reason = problem.strerror or problem
        raise UsageError(f"{folder}: cannot be written: {reason}; nothing was counted, try again") from None
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    return name


def state_digest(state: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of what state.json says, but for the head: the ledger's row names it."""
    content = {key: value for key, value in state.items() if key != "head"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def place(folder: Path, name: str) -> None:
    """Move the files of a staged folder into place, state.json last. Done twice, or by two at once, it is the same.

    Raises:
        UsageError: a file cannot be moved; the next call tries again.
    """
    staged = folder / name
    try:
        found: list[Path] = []
        with suppress(FileNotFoundError):  # somebody else, who recovers at the same time, has moved them
            found = sorted(path.relative_to(staged) for path in staged.rglob("*") if not path.is_dir())
        for path in sorted(found, key=lambda path: path == Path(STATE_FILE)):
            target = folder / path
            if path.parent != Path("."):
                target.parent.mkdir(mode=0o700 if path.parts[0] == PRIVATE else 0o777, exist_ok=True)
            if path == Path(STATE_FILE):
                flush_names(folder)  # the others are there before what names their row
            with suppress(FileNotFoundError):
                os.replace(staged / path, target)
        for changed in {folder, *(folder / path.parent for path in found)}:
            flush_names(changed)
    except OSError as problem:
        raise UsageError(f"{folder}: cannot be written: {problem.strerror or problem}; call it again") from None
    shutil.rmtree(staged, ignore_errors=True)


def recover(folder: Path, rows: Iterable[Row]) -> None:
    """Finish what a crash interrupted: within a transaction, so that nobody else stages anything.

    Raises:
        UsageError: a staged file is not the one that the row names.
    """
    named = next((content for row in reversed(tuple(rows)) if "staged" in (content := row.content)), None)
    for staged in sorted(folder.glob(f"{PREFIX}*")):
        if named is None or staged.name != named["staged"]:
            shutil.rmtree(staged, ignore_errors=True) if staged.is_dir() else staged.unlink(missing_ok=True)
            continue
        for name, digest in named["files"].items():
            path = staged / name
            with suppress(FileNotFoundError):  # moved already
                if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
                    raise UsageError(f"{path}: is not the file that the ledger names; restore it from a back-up")
        place(folder, staged.name)


def check_writable(folder: Path) -> None:
    """Raise UsageError, before anything is computed, where a folder cannot be written into."""
    probe = folder / f"{PREFIX}probe-{os.getpid()}"
    try:
        _write(probe, b"?")
        probe.unlink(missing_ok=True)
    except OSError as problem:
        with suppress(OSError):
            probe.unlink()
        raise UsageError(f"{folder}: cannot be written: {problem.strerror or problem}") from None


def _write(path: Path, content: bytes, *, private: bool = False) -> None:
    """A new file, on the disk when this returns."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
