"""Files and links that are on the disk, and not only in memory, before anything relies on them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..core.files import sha256, write_atomically

BLOCK = 1 << 20


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Everything below a folder, what is inside before what holds it."""
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync(Path(place, name))
        sync(Path(place))


@contextmanager
def readable() -> Iterator[None]:
    """What is made in this block may be read by all and written by one."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def open_to_readers(folder: Path) -> None:
    """Whatever the umask was, and whoever the runtime meant its files for."""
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        wanted = mode | (0o555 if path.is_dir() else 0o444)
        if mode != wanted:
            path.chmod(wanted)


def write(path: Path, data: bytes | str) -> None:
    """The old file or the new one, whatever happens; the new one once this returns."""
    write_atomically(path, data)
    sync(path.parent)


def copy(source: Path, target: Path) -> str:
    """Copy a file to the disk and return the digest of what can be read back there."""
    with source.open("rb") as read, target.open("wb") as written:
        shutil.copyfileobj(read, written, BLOCK)
        written.flush()
        os.fsync(written.fileno())
        with contextlib.suppress(OSError, AttributeError):
            # Or the digest below would be that of the memory which was just written.
            os.posix_fadvise(written.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return sha256(target)


def link(name: Path, target: str) -> None:
    """Point a link elsewhere in one step, so that it always leads to the old or the new place."""
    beside = name.with_name(f".{name.name}.next")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(name)
    sync(name.parent)


def empty(folder: Path, first: str = "") -> None:
    """Remove what a folder holds; `first` is gone for good before anything else goes."""
    if first:
        (folder / first).unlink(missing_ok=True)
        sync(folder)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    sync(folder)


def files_below(folder: Path) -> Iterator[Path]:
    """Every file and link in a folder and the folders in it, in one order everywhere."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path


def digests(folder: Path, base: Path) -> dict[str, str]:
    """The digest of every file below a folder, named as seen from `base`."""
    return {str(path.relative_to(base)): sha256(path) for path in files_below(folder)}
