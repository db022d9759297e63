"""Ed25519 keys as files: NAME.key (PKCS#8 PEM, readable by its owner alone, encrypted where a passphrase is given) and
NAME.pub (SubjectPublicKeyInfo PEM)."""

from __future__ import annotations

import getpass
import hashlib
import os
import secrets
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from certify.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PASSPHRASE = "PLUMBLINE_PASSPHRASE"  # environment variable
MAX_BYTES = 1 << 16  # of a key file
MAX_PASSPHRASE_BYTES = 1023  # bytes; what cryptography takes


@dataclass(frozen=True)
class KeyFiles:
    """A new pair of keys, and the id that the signatures carry."""

    private: Path
    public: Path
    keyid: str
    encrypted: bool


def key_id(public: Ed25519PublicKey) -> str:
    """SHA-256 (hex) of the key's SubjectPublicKeyInfo in DER: `openssl pkey -pubin -outform DER | sha256sum`."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def key_files(name: str | Path) -> tuple[Path, Path]:
    """NAME.key and NAME.pub, neither of which exists yet.

    Raises:
        UsageError: one of them does, or there is no such folder.
    """
    if Path(name).name in ("", "..") or str(name).endswith(("/", os.sep)):
        raise UsageError(f"{name}: is a folder; write the name of the key too, such as {Path(name) / 'lead'}")
    private, public = Path(f"{name}.key"), Path(f"{name}.pub")
    for path in (private, public):
        if os.path.lexists(path):
            raise UsageError(f"{path}: exists already, and no key is overwritten; take another name, or move it away")
    if not private.parent.is_dir():
        raise UsageError(f"{private.parent}: is not a folder")
    return private, public


def keygen(name: str | Path, *, passphrase: str | None = None) -> KeyFiles:
    """Make a key pair and write both files, or none.

    Raises:
        UsageError: a file exists already or cannot be written, or a passphrase that no key can have.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    private, public = key_files(name)
    encryption = NoEncryption() if passphrase is None else BestAvailableEncryption(_checked(passphrase))
    key = Ed25519PrivateKey.generate()
    _write_new(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption), 0o600)
    try:
        spki = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        _write_new(public, spki, 0o644)
    except BaseException:
        private.unlink()
        raise
    return KeyFiles(private, public, key_id(key.public_key()), passphrase is not None)


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that is not there yet, whole or not at all, and with its mode from the first byte."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.link(unfinished, path)  # which overwrites nothing, unlike a rename
        finally:
            os.unlink(unfinished)
    except FileExistsError:
        raise UsageError(f"{path}: exists already, and no key is overwritten") from None
    except OSError as problem:
        raise UsageError(f"{path}: cannot be written: {problem.strerror or problem}") from None


def _checked(passphrase: str) -> bytes:
    encoded = passphrase.encode("utf-8", "surrogateescape")
    if not 0 < len(encoded) <= MAX_PASSPHRASE_BYTES:
        raise UsageError(f"the passphrase must have 1 to {MAX_PASSPHRASE_BYTES} bytes, not {len(encoded)}")
    return encoded


def ask_passphrase(key_name: str = "key", *, new: bool = False) -> str:
    """From the environment, else from the terminal; a new one is asked for twice.

    Raises:
        UsageError: neither is there, or the two answers differ.
    """
    if (given := os.environ.get(PASSPHRASE)) is not None:
        return given
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(f"{key_name}: needs a passphrase, and there is no terminal to ask on; set {PASSPHRASE}")
    try:
        answer = getpass.getpass(f"Passphrase of {key_name}: ")
        if new and getpass.getpass("The same again: ") != answer:
            raise UsageError(f"{key_name}: the two passphrases differ")
    except EOFError:
        raise UsageError(f"{key_name}: no passphrase was given") from None
    return answer


def load_private_key(path: str | Path, passphrase: str | Callable[[str], str] | None = None) -> Ed25519PrivateKey:
    """The private key of a PEM file.

    Args:
        passphrase: or a function of the file's name that asks for it, called only if the key is encrypted.

    Raises:
        UsageError: unreadable, no Ed25519 private key, no passphrase where one is needed, or a wrong one.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _read(path)
    if b"PUBLIC KEY-----" in data:
        raise UsageError(f"{path}: is a public key; signing takes the private one (NAME.key)")
    encrypted = False
    try:
        key = load_pem_private_key(data, None)
    except TypeError:
        encrypted = True
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"{path}: is not an Ed25519 private key in PEM") from None
    if encrypted:
        given = passphrase(str(path)) if callable(passphrase) else passphrase
        if given is None:
            raise UsageError(f"{path}: is encrypted; a passphrase is needed")
        encoded = _checked(given)
        try:
            key = load_pem_private_key(data, encoded)
        except (ValueError, UnsupportedAlgorithm):
            raise UsageError(f"{path}: wrong passphrase, or the file is damaged") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path}: is a key of another kind; Ed25519 is needed (plumbline keygen makes one)")
    return key


def read_public_key(path: str | Path) -> bytes:
    """The public key of a PEM file as SubjectPublicKeyInfo PEM, and nothing else that the file holds.

    Raises:
        UsageError: unreadable, no Ed25519 public key, or more than one.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    data = _read(path)
    if b"PRIVATE KEY-----" in data:
        raise UsageError(f"{path}: is a private key; verifying takes the public one (NAME.pub)")
    if data.count(b"-----BEGIN ") > 1:  # the library would silently take the first
        raise UsageError(f"{path}: holds more than one key; give each in a file of its own")
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"{path}: is not an Ed25519 public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{path}: is a key of another kind; Ed25519 is needed (plumbline keygen makes one)")
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_public_keys(paths: Iterable[str | Path]) -> tuple[bytes, ...]:
    """As `read_public_key`, each key once: the same one in two files would count twice towards a threshold.

    Raises:
        UsageError: as for one, or the same key twice.
    """
    path_of: dict[bytes, str | Path] = {}
    for path in paths:
        key = read_public_key(path)
        if key in path_of:
            raise UsageError(f"{path}: is the same key as {path_of[key]}; give each key once")
        path_of[key] = path
    return tuple(path_of)


def _read(path: str | Path) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as problem:
        raise UsageError(f"{path}: {getattr(problem, 'strerror', None) or problem}") from None
    if len(data) > MAX_BYTES:
        raise UsageError(f"{path}: is not a key: more than {MAX_BYTES} bytes")
    return data
