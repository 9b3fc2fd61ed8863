"""Where the service listens: a Unix socket that only its group may open, or the loopback."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..core.errors import ConfigError, EnvironmentMismatch
from .home import Home

NAME = "serve.sock"
LONGEST_PATH = 107
"""Bytes a Unix socket's address has room for."""
GROUP_MAY_CONNECT = 0o660


def default_path(home: Home, environment: Mapping[str, str] = os.environ) -> Path:
    """In the folder that systemd made for the service, or else in the home."""
    runtime = environment.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return (Path(runtime) if runtime else home.path) / NAME


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """Yield a bound socket; its name is gone when the block ends."""
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise ConfigError(f"{path} is too long for a socket's name; say --socket with a shorter")
    _make_way(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o777 & ~GROUP_MAY_CONNECT)
    try:
        bound.bind(str(path))
        bound.listen()
    finally:
        os.umask(mask)
    own = path.stat().st_ino
    try:
        yield bound
    finally:
        bound.close()
        with contextlib.suppress(OSError):
            if path.stat().st_ino == own:
                path.unlink()


@contextmanager
def listening_on_loopback(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(("127.0.0.1", port))
        except OSError as problem:
            raise EnvironmentMismatch(
                f"port {port} of 127.0.0.1 cannot be used: {problem.strerror}; say another --port"
            ) from problem
        bound.listen()
        yield bound


def _make_way(path: Path) -> None:
    """Remove what a killed service left; refuse where one still answers."""
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_socket():
        raise ConfigError(f"{path} is there and is no socket; say another --socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
        knock.settimeout(1.0)
        try:
            knock.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError as problem:
            raise ConfigError(f"{path}: {problem.strerror or problem}") from problem
    raise EnvironmentMismatch(f"another service answers at {path}; stop it, or say --socket")
