"""Where output goes: directories that can be written to, files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import overload

from certify.errors import UsageError


@overload
def output_directory(name: str | Path) -> Path: ...
@overload
def output_directory(name: None) -> None: ...
def output_directory(name: str | Path | None) -> Path | None:
    """The directory to write into, which need not exist yet; None stays None.

    Raises:
        UsageError: it, or its nearest existing parent, is not a directory that can be written to.
    """
    if name is None:
        return None
    path = Path(name)
    nearest = next(p for p in (path, *path.absolute().parents) if p.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise UsageError(f"-o {name}: {nearest} is not a directory that can be written to")
    return path


def make_directory(path: Path) -> Path:
    """Make it, and those above it, where they are missing. Raises UsageError where that is refused."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise UsageError(f"{path}: cannot be made: {problem.strerror}") from None
    return path


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, both whole. Who may read it stays as it was.

    Raises:
        UsageError: it cannot be written, for the disk is full or the folder is not there or not ours.
    """
    try:
        _write(path, content.encode() if isinstance(content, str) else content)
    except OSError as problem:
        raise UsageError(f"{path}: cannot be written: {problem.strerror or problem}") from None


def _write(path: Path, content: bytes) -> None:
    name = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # a new file: as the umask says
    try:
        with os.fdopen(handle, "wb") as file:
            if path.exists():
                os.chmod(name, stat.S_IMODE(path.stat().st_mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # or a crash after the rename could leave an empty file
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def flush_names(folder: Path) -> None:
    """Which names a folder holds, on the disk when this returns: a file's own fsync says nothing of its name."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
