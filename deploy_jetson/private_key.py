"""Private keys on a disk: PKCS8 in PEM, as openssl reads it, for their owner's eyes only."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import ConfigError
from ..core.signature import MAX_BYTES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def new_private_key() -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate()


def encoded(key: Ed25519PrivateKey, passphrase: bytes | None) -> bytes:
    from cryptography.hazmat.primitives import serialization as form

    lock = form.BestAvailableEncryption(passphrase) if passphrase else form.NoEncryption()
    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, lock)


def read_private_key(path: Path, ask: Callable[[], str]) -> Ed25519PrivateKey:
    """The key in a file that nobody else can read; `ask` is called if it has a passphrase."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    text = _read_secret(path)
    word = ask().encode() if b"BEGIN ENCRYPTED PRIVATE KEY" in text else None
    try:
        key = load_pem_private_key(text, word)
    except (ValueError, TypeError) as problem:
        reason = "the passphrase is wrong" if word is not None else _what_instead(text)
        raise ConfigError(f"{path}: {reason}") from problem
    except UnsupportedAlgorithm:
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} is not an Ed25519 key; make one with 'personvit-deploy keygen'")
    return key


def write_new(files: Mapping[Path, bytes]) -> None:
    """Write files that only their owner can read, all of them new, or none."""
    for path in files:
        if path.exists() or path.is_symlink():
            raise ConfigError(f"{path} is there already, and keys are never overwritten")
    written: list[Path] = []
    try:
        for path, data in files.items():
            _write_new(path, data)
            written.append(path)
    except BaseException:
        for path in written:
            path.unlink()
        raise


def _write_new(path: Path, data: bytes) -> None:
    """A link, unlike a rename, never replaces what somebody else made meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".key.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(name, path)
    except FileExistsError:
        raise ConfigError(f"{path} is there already, and keys are never overwritten") from None
    finally:
        Path(name).unlink()


def _read_secret(path: Path) -> bytes:
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "missing"
        raise ConfigError(f"{path}: a private key was expected here, but this is {kind}")
    with path.open("rb") as file:
        if mode := os.fstat(file.fileno()).st_mode & 0o077:
            raise ConfigError(
                f"{path} is open to others on this machine (its mode ends in {mode:02o}); if "
                f"nobody has copied it, say 'chmod 600 {path}', and make another key otherwise"
            )
        return file.read(MAX_BYTES)


def _what_instead(text: bytes) -> str:
    if b"BEGIN PUBLIC KEY" in text:
        return "this is a public key; signing needs the private one, whose name lacks the '.pub'"
    return "this is not a private key in PEM form; make one with 'personvit-deploy keygen'"
