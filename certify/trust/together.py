"""Several files that appear together or not at all, and one writer at a time in a folder."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from pathlib import Path

from certify.errors import UsageError
from certify.files import flush_names, make_directory

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
        handle, file = _locked(folder), None
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


def _locked(folder: Path) -> int:
    """A handle on a folder that nobody else has locked, and that has not been replaced meanwhile."""
    while True:
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(handle), os.stat(folder)):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


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
    """A folder to write into: what is there at the end is in `folder` at once, beside what that holds already.

    Where `folder` is missing or empty the new one is renamed to it. Else the new one gets a link to everything that is
    there, and the two change places: after a crash, at whatever moment, all of the new files are there or none. Where
    folders cannot change places (the system does not know how, or it is the current one, or not ours) the files move
    one by one, `last` last, which names the others; what has moved is taken back should one fail. None but `last` is
    replaced. What a run leaves when it crashes `clear` removes.

    Raises:
        UsageError: something cannot be written, or is there already.
    """
    target = Path(os.path.realpath(folder))
    try:
        workshop, handle, way = _begin(target)
    except OSError as problem:
        raise UsageError(f"{folder}: cannot be written: {problem.strerror or problem}") from None
    fresh = workshop / CONTENT
    try:
        yield fresh
        try:
            _flush(fresh)
            if way == WHOLE:
                _rename(fresh, target)
            else:
                with alone(target):
                    _join(workshop, target, last, swap=way == SWAPPED)
        except OSError as problem:
            raise UsageError(f"{folder}: cannot be written: {problem.strerror or problem}") from None
    finally:
        _remove(workshop)
        os.close(handle)


CONTENT, OWN = "content", "inode"  # in a workshop: the new folder, and its number
WHOLE, SWAPPED, ONE_BY_ONE = "whole", "swapped", "one by one"  # how the files get there
MAX_LINKS = 1000  # of what a folder holds already
_WORKSHOP = re.compile(r"[0-9a-f]{16}")


def _begin(target: Path) -> tuple[Path, int, str]:
    """A workshop with an empty folder in it, on the target's disk, its lock, and how the folder will get its place."""
    here = target.is_dir() and target.samefile(Path.cwd())
    filled = target.exists() and any(target.iterdir())
    if not here and not (filled and not _is_ours(target)):
        make_directory(target.parent)
        with suppress(PermissionError):  # our folder inside somebody else's
            return *_opened(target.parent, target), SWAPPED if filled else WHOLE
    make_directory(target)
    return *_opened(target, target), ONE_BY_ONE


def _opened(beside: Path, target: Path) -> tuple[Path, int]:
    """A new workshop, and the handle whose lock says that somebody is in it."""
    while True:
        workshop = beside / f".{target.name}.{secrets.token_hex(8)}"
        workshop.mkdir(mode=0o700)
        handle = _lock_of(workshop)
        if handle is not None:  # else it was taken for one that was left, and is gone
            break
    try:
        _furnish(workshop, target)
    except BaseException:
        _remove(workshop)
        os.close(handle)
        raise
    return workshop, handle


def _lock_of(workshop: Path, *, needed: bool = False) -> int | None:
    """A handle on it with a lock, which ends with the process; None where somebody has that, or it is gone. Where
    folders cannot be locked, the handle alone (None, where the lock is `needed`)."""
    try:
        handle = os.open(workshop, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError:
        if needed:
            return None
        raise
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), os.stat(workshop)):
            return handle
    except OSError as problem:
        if problem.errno in _NO_LOCKS and not needed:
            return handle
    os.close(handle)
    return None


def _is_ours(target: Path) -> bool:
    """Whether a folder may be replaced by another one: it belongs to us, and is not a mount point."""
    known = target.stat()
    return os.name == "posix" and known.st_uid == os.geteuid() and known.st_dev == target.parent.stat().st_dev


def _furnish(workshop: Path, target: Path) -> None:
    fresh = workshop / CONTENT
    fresh.mkdir()
    (workshop / OWN).write_text(str(fresh.stat().st_ino))
    if target.exists():
        shutil.copystat(target, fresh)


def _remove(workshop: Path) -> None:
    for root, _, _ in os.walk(workshop):
        with suppress(OSError):
            os.chmod(root, 0o700)  # some may have been read-only where they were
    shutil.rmtree(workshop, ignore_errors=True)


def clear(folder: Path, last: str) -> None:
    """Remove the workshops of runs into a folder that crashed; `last` as for `appearing`.

    Raises:
        UsageError: one holds what is neither a run's nor in the folder: what somebody put there just then.
    """
    target = Path(os.path.realpath(folder))
    prefix = f".{target.name}."
    for beside in (target.parent, target):
        entries = sorted(beside.iterdir()) if beside.is_dir() and os.access(beside, os.R_OK) else []
        for path in entries:
            if path.name.startswith(prefix) and _WORKSHOP.fullmatch(path.name.removeprefix(prefix)):
                _clear_away(path, target, last)


def _clear_away(workshop: Path, target: Path, last: str) -> None:
    """Remove a workshop in which nobody is; leave anything else, and everything where folders cannot be locked."""
    if fcntl is None or workshop.is_symlink() or not workshop.is_dir() or not os.access(workshop, os.R_OK):
        return
    if not {*os.listdir(workshop)} <= {CONTENT, OWN}:
        return
    handle = _lock_of(workshop, needed=True)
    if handle is None:
        return
    try:
        for lost in _not_in(workshop, target, last):
            raise UsageError(f"{lost}: was in the way of a run that crashed; move it to where it belongs")
        _remove(workshop)
    finally:
        os.close(handle)


def _not_in(workshop: Path, target: Path, last: str) -> list[Path]:
    """Where the workshop has the folder that was the target: what the target does not have."""
    old = workshop / CONTENT
    known = (workshop / OWN).read_text() if (workshop / OWN).exists() else ""
    if not old.is_dir() or not target.is_dir() or known != str(target.stat().st_ino):
        return []
    return _strays(old, target, {last})


def _strays(old: Path, target: Path, but: Set[str]) -> list[Path]:
    """What a folder has, however deep, and another one does not have in the same place; but for some names."""
    files = [Path(root) / name for root, _, names in os.walk(old) for name in names]
    return [p for p in files if str(p.relative_to(old)) not in but and not _same(p, target / p.relative_to(old))]


def _same(path: Path, other: Path) -> bool:
    return os.path.lexists(other) and os.path.samestat(path.lstat(), other.lstat())


def _join(workshop: Path, target: Path, last: str, swap: bool) -> None:
    """Put what is in the workshop beside what is in the target."""
    fresh = workshop / CONTENT
    names = sorted(path.name for path in fresh.iterdir())
    for name in names:
        if name != last and os.path.lexists(target / name):
            raise UsageError(f"{target / name}: exists already; move it away, or write to another directory")
    if swap and _link_all(target, fresh, {*names, workshop.name}):
        _flush_folders(fresh)
        if _exchange(fresh, target):
            flush_names(target.parent)
            for path in _strays(fresh, target, set(names)):  # what came while the links were made
                place = target / path.relative_to(fresh)
                place.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, place)
            return
    _move(fresh, target, last, names)


def _link_all(old: Path, new: Path, but: set[str]) -> bool:
    """Link everything in a folder into another one. False where that cannot be, or is too much."""
    linked, created = 0, []
    try:
        for root, folders, names in os.walk(old):
            folder = new / Path(root).relative_to(old)
            if Path(root) == old:
                folders[:], names[:] = ([name for name in entries if name not in but] for entries in (folders, names))
            links = [name for name in folders if (Path(root) / name).is_symlink()]
            folders[:], names = [name for name in folders if name not in links], [*names, *links]
            for name in folders:
                source = Path(root) / name
                if source.is_mount():
                    return False
                (folder / name).mkdir()
                created.append((source, folder / name))
            for name in names:
                os.link(Path(root) / name, folder / name, follow_symlinks=False)
            linked += len(folders) + len(names)
            if linked > MAX_LINKS:
                return False
        for source, copy in reversed(created):  # it may be read-only
            shutil.copystat(source, copy)
    except (OSError, NotImplementedError):
        return False
    return True


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places at once; False where the system cannot do that."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError, TypeError):
        return False
    here, swapped = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return renameat2(here, os.fsencode(one), here, os.fsencode(other), swapped) == 0


def _flush(folder: Path) -> None:
    """Onto the disk: every file, and every folder that names them."""
    for path in (*folder.rglob("*"), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _flush_folders(folder: Path) -> None:
    for root, _, _ in os.walk(folder, topdown=False):
        flush_names(Path(root))


def _rename(fresh: Path, target: Path) -> None:
    os.rename(fresh, target)  # which replaces an empty folder, and no other
    flush_names(target.parent)


def _move(fresh: Path, target: Path, last: str, names: Sequence[str]) -> None:
    """Entries of one folder into another; all, or none should one fail."""
    moved: list[str] = []
    try:
        for name in sorted(names, key=lambda name: (name == last, name)):
            if name == last:
                flush_names(target)  # the others are there before what names them
            os.replace(fresh / name, target / name)
            moved.append(name)
    except BaseException:
        for name in moved:
            _take_back(target / name, fresh / name)
        raise
    flush_names(target)


def _take_back(path: Path, into: Path) -> None:
    try:
        os.replace(path, into)
    except OSError:
        with suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
