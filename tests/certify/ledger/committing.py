"""How a state's files and the ledger's row appear together, in its least form: staged, named by a row, moved."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from certify.ledger import Row, Turn


def stage(
    folder: Path,
    turn: Turn,
    kind: str,
    payload: Mapping[str, Any],
    files: Mapping[str, bytes],
    state: Mapping[str, Any],
) -> str:
    """Write the files into a folder that a new row names; returns its name."""
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    name = f".staged-{hashlib.sha256(repr((turn.last, hashes)).encode()).hexdigest()[:32]}"
    row = turn.append(kind, {**payload, "files": hashes, "staged": name})
    head = {"seq": str(row.seq), "hash": row.hash}
    for path, content in {**files, "state.json": json.dumps({**state, "head": head}).encode()}.items():
        (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
        with open(folder / name / path, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    return name


def place(folder: Path, name: str) -> None:
    """Move the files into place, state.json last; done again after a crash, it goes on. The next caller may do the same
    at the same time: what is not there any more, it has moved."""
    with suppress(FileNotFoundError):
        found = [path.relative_to(folder / name) for path in (folder / name).rglob("*") if path.is_file()]
        for path in sorted(found, key=lambda path: path.name == "state.json"):
            (folder / path).parent.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):
                os.replace(folder / name / path, folder / path)
    shutil.rmtree(folder / name, ignore_errors=True)


def recover(folder: Path, rows: Iterable[Row]) -> None:
    """Finish what the last row names; what no row names never counted."""
    named = [row.content["staged"] for row in rows if row.kind == "erased"][-1:]
    for path in folder.glob(".staged-*"):
        if path.name in named:
            place(folder, path.name)
        else:
            shutil.rmtree(path)
