"""Several files that appear together or not at all, and one writer at a time in a folder."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from certify.errors import UsageError
from certify.files import make_directory

try:
    import fcntl
except ImportError:  # a system without POSIX locks
    fcntl = None

LOCK_FILE = ".plumbline.lock"
PATIENCE = 60  # seconds
_NO_LOCKS = (errno.EBADF, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until nobody else writes into a folder, in this or another process, and keep others out meanwhile.

    The folder itself is locked (flock), so that nothing is left behind, not by a crash either. Where folders cannot be
    locked, as on some network disks, a file stands in for the lock.

    Raises:
        UsageError: the folder is not there or not ours, or such a file stays for a minute.
    """
    handle = None
    try:
        if fcntl is None:
            raise OSError(errno.ENOTSUP, "no locks")
        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
        file = None
    except OSError as problem:
        if problem.errno not in _NO_LOCKS:
            raise UsageError(f"{folder}: cannot be written: {problem.strerror or problem}") from None
        file = _lock_file(folder)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)
        if file is not None:
            file.unlink(missing_ok=True)


def _lock_file(folder: Path) -> Path:
    """A file that only one of several can make."""
    path, until = folder / LOCK_FILE, time.monotonic() + PATIENCE
    while True:
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            return path
        except FileExistsError:
            if time.monotonic() > until:
                raise UsageError(f"{path}: somebody else writes here, or did when it crashed; then remove it") from None
            time.sleep(0.05)
        except OSError as problem:
            raise UsageError(f"{folder}: cannot be written: {problem.strerror or problem}") from None


@contextmanager
def appearing(folder: Path, last: str) -> Iterator[Path]:
    """A folder beside, or in, `folder`, to write into: what is there at the end moves to `folder` at once, `last` last.

    Where `folder` is missing or empty the new one is renamed to it: after a crash everything is there, or nothing.
    Where it holds something already the files move one by one, and what has moved is taken back should one fail; after
    a crash between two of them all that is missing is `last`, which names the others. None but `last` is replaced.

    Raises:
        UsageError: something cannot be written, or is there already.
    """
    target = Path(os.path.realpath(folder))
    try:
        fresh, whole = _begin(target)
    except OSError as problem:
        raise UsageError(f"{folder}: cannot be written: {problem.strerror or problem}") from None
    try:
        yield fresh
        try:
            _flush(fresh)
            if whole:
                _rename(fresh, target)
            else:
                with alone(target):
                    _move(fresh, target, last)
        except OSError as problem:
            raise UsageError(f"{folder}: cannot be written: {problem.strerror or problem}") from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _begin(target: Path) -> tuple[Path, bool]:
    """A new folder on the same disk, and whether it may become the target as a whole."""
    name = f".{target.name}.{secrets.token_hex(8)}"
    here = target.is_dir() and target.samefile(Path.cwd())
    if not here and (not target.exists() or not any(target.iterdir())):
        make_directory(target.parent)
        with suppress(PermissionError):  # a folder of ours in one that is not
            fresh = target.with_name(name)
            fresh.mkdir()
            if target.exists():
                shutil.copymode(target, fresh)
            return fresh, True
    fresh = target / name
    fresh.mkdir(parents=True, mode=0o700)
    return fresh, False


def _flush(folder: Path) -> None:
    """Onto the disk: every file, and every folder that names them."""
    for path in (*folder.rglob("*"), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _rename(fresh: Path, target: Path) -> None:
    os.rename(fresh, target)  # which replaces an empty folder, and no other
    _flush_names(target.parent)


def _move(fresh: Path, target: Path, last: str) -> None:
    """Each entry of one folder into another; all, or none should one fail."""
    names = sorted((path.name for path in fresh.iterdir()), key=lambda name: (name == last, name))
    moved: list[str] = []
    try:
        for name in names:
            if name != last and os.path.lexists(target / name):
                raise UsageError(f"{target / name}: exists already; move it away, or write to another directory")
            if name == last:
                _flush_names(target)  # the others are there before what names them
            os.replace(fresh / name, target / name)
            moved.append(name)
    except BaseException:
        for name in moved:
            _take_back(target / name, fresh / name)
        raise
    _flush_names(target)


def _take_back(path: Path, into: Path) -> None:
    try:
        os.replace(path, into)
    except OSError:
        with suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _flush_names(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
