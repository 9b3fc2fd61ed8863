"""Where pushed bundles arrive: parts that grow over broken connections, then whole files."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import BundleError, EnvironmentMismatch
from ..core.files import sha256
from ..core.signature import signature_beside
from . import durable

SYNC_EVERY = 16 << 20
"""What a loss of power may cost of a transfer."""
RESERVE = 16 << 20
"""Bytes that stay free, so that a journal and a lock can still be written."""
PATIENCE_S = 60.0
"""How long a silent sender is waited for; and how long a second one waits for the first."""
KEEP_PARTS_S = 7 * 24 * 3600.0
KEEP_WHOLE_S = 24 * 3600.0

_OURS = re.compile(r"[0-9a-f]{64}\.(part|pvb|pvb\.sig)")

Read = Callable[[int], bytes]
"""At most so many bytes of what is sent; none at its end."""


@dataclass(frozen=True)
class Parcel:
    """One bundle on its way, named by its digest."""

    folder: Path
    digest: str
    size: int

    @property
    def part(self) -> Path:
        return self.folder / f"{self.digest}.part"

    @property
    def bundle(self) -> Path:
        return self.folder / f"{self.digest}.pvb"

    @property
    def signature(self) -> Path:
        return signature_beside(self.bundle)

    def sign(self, signature: bytes) -> None:
        """Keep the signature that came; one of an earlier push must not stand in for none."""
        if signature:
            durable.write(self.signature, signature)
        else:
            self.signature.unlink(missing_ok=True)

    def there(self) -> int:
        """How many bytes need not be sent again."""
        if self.bundle.exists():
            if self.bundle.stat().st_size == self.size:
                return self.size
            self.bundle.unlink()
        return min(self.part.stat().st_size, self.size) if self.part.exists() else 0

    def require_room(self) -> None:
        missing = self.size - self.there() + RESERVE
        free = shutil.disk_usage(self.folder).free
        if free < missing:
            raise EnvironmentMismatch(
                f"{self.folder}: the bundle needs {missing:,} more bytes, and {free:,} are free; "
                "free some space on the device and push again"
            )

    def take(self, read: Read) -> None:
        """Append what is sent, up to the whole bundle."""
        there = self.there()
        if there == self.size:
            return
        with self.part.open("ab", buffering=0) as file:
            synced = there
            while there < self.size and (block := read(min(durable.BLOCK, self.size - there))):
                file.write(block)
                there += len(block)
                if there - synced >= SYNC_EVERY:
                    os.fsync(file.fileno())
                    synced = there
            os.fsync(file.fileno())
        if there < self.size:
            raise EnvironmentMismatch(
                f"the connection ended after {there:,} of {self.size:,} bytes; they are kept, and "
                "another push goes on from there"
            )

    def finish(self) -> Path:
        """Give the whole bundle its name, if its bytes are the ones that were announced."""
        path = self.bundle if self.bundle.exists() else self.part
        found = sha256(path)
        if found != self.digest:
            path.unlink()
            raise BundleError(
                f"what arrived has sha256 {found[:12]}..., and {self.digest[:12]}... was "
                "announced: a part of it was damaged, and is now removed; push again"
            )
        path.replace(self.bundle)
        durable.sync(self.folder)
        return self.bundle


@contextmanager
def taking(folder: Path, patience: float = PATIENCE_S) -> Iterator[None]:
    """One push at a time. The hold ends with the process."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, time.monotonic() + patience)
        yield
    finally:
        os.close(handle)


def sweep(folder: Path) -> None:
    """Remove what pushes left that nobody went on with, and bundles that were installed; files
    with other names are not ours, whoever put them there."""
    for path in folder.iterdir():
        if not _OURS.fullmatch(path.name):
            continue
        keep = KEEP_PARTS_S if path.suffix == ".part" else KEEP_WHOLE_S
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > keep:
                path.unlink()


def _lock(handle: int, until: float) -> None:
    while not _locked(handle):
        if time.monotonic() > until:
            raise EnvironmentMismatch(
                "another push to this device is under way; wait for its end and push again"
            )
        time.sleep(0.1)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
