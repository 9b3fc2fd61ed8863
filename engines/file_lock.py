"""A lock between processes: while one holds it, the others that want it wait."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def holding(path: Path) -> Iterator[None]:
    """The file stays when all is done: removing it would let two holders in. The lock ends with
    the process, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = _open(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        # A service may read what another user built; a lock needs no more than that.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
