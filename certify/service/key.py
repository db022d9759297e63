"""The key that opens commitments: a file that its owner alone can read."""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from pathlib import Path

from certify.errors import UsageError
from certify.trust.erasure import KEY_BYTES

KEY_FILE = "erasure.key"


def new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def key_fingerprint(key: bytes) -> str:
    """What names a key and does not show it: an HMAC of a fixed text."""
    return hmac.digest(key, b"plumbline-dp/erasure/key/v1", "sha256").hex()[:32]


def key_text(key: bytes) -> str:
    """How a key stands in its file."""
    return key.hex() + "\n"


def read_key(path: Path) -> bytes | None:
    """The key in a file, None where there is none. Raises UsageError where others can read it, or it is no key."""
    for private, fix in ((path.parent, "chmod 700"), (path, "chmod 600")):
        try:
            mode = private.lstat().st_mode
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise UsageError(f"{private}: cannot be read: {problem.strerror}") from None
        if stat.S_ISLNK(mode) or (os.name == "posix" and mode & 0o077):
            raise UsageError(f"{private}: is a link, or open to others than its owner; {fix} {private}")
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        key = b""
    if len(key) < KEY_BYTES:
        raise UsageError(f"{path}: holds no key of {KEY_BYTES} bytes in hexadecimal digits; restore it from a copy")
    return key


def make_key(path: Path) -> bytes:
    """A new random key, in a file that only its owner can read from the first byte on. Raises UsageError."""
    key = new_key()
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(key_text(key))
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink()  # half a key is none
            raise
    except OSError as problem:
        raise UsageError(f"{path}: cannot be written: {problem.strerror}") from None
    return key
