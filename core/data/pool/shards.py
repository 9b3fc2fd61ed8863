"""WebDataset shards: tar archives of which the images count and what lies beside them does not.

Ours bring their index along; foreign ones are read through once, when they are first opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from ...errors import DataError
from ...images import MAX_BYTES
from ..layout import is_image
from .base import Entry, PoolKind, Watch
from .tar_members import members

SUFFIX = ".tar"
INDEX = "pool.index"
UNFINISHED = "unfinished.json"
_OPEN = 64


class Archive:
    """An archive's file, closed when nobody reads from it any more."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDONLY)

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._handle, size, offset)

    def __del__(self) -> None:
        if hasattr(self, "_handle"):
            os.close(self._handle)


class ShardsSource:
    """Reads out of a few archives at a time; a reader keeps open what it is reading from."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._archive = lru_cache(maxsize=_OPEN)(Archive)

    def read(self, entry: Entry) -> bytes:
        if entry.file >= len(self._paths):
            raise DataError(f"{entry.key}: its archive is not one of the pool; copy the pool again")
        path = self._paths[entry.file]
        try:
            data = self._archive(path).read(entry.offset, entry.size)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise DataError(f"{path}: cannot be read ({reason})") from problem
        if len(data) < entry.size:
            raise DataError(f"{path}: the archive is cut off before the end of {entry.key}")
        return data

    def size(self, entry: Entry) -> int:
        return entry.size

    def close(self) -> None:
        self._archive.cache_clear()


def archives(where: Path) -> list[Path]:
    """The archives of a folder by name, or the single one."""
    if where.is_file():
        return [where]
    with os.scandir(where) as entries:
        names = sorted(
            entry.name
            for entry in entries
            if entry.name.endswith(SUFFIX) and not entry.name.startswith(".") and entry.is_file()
        )
    return [where / name for name in names]


def _recognise(where: Path) -> bool:
    if where.is_file():
        return where.suffix == SUFFIX
    return (where / UNFINISHED).is_file() or bool(archives(where))


def _entries(where: Path, watch: Watch) -> Iterator[Entry]:
    if where.is_dir():
        if (where / UNFINISHED).is_file():
            raise DataError(
                f"{where}: 'personvit-data shard' did not finish here; run it again, it goes on"
            )
        watch(where)
    for number, path in enumerate(archives(where)):
        watch(path)
        yield from images_of(path, number)


def images_of(path: Path, number: int) -> Iterator[Entry]:
    for member in members(path):
        if is_image(member.name.rpartition("/")[2]):
            if member.size > MAX_BYTES:
                raise DataError(
                    f"{path}: {member.name} has {member.size} bytes, and an image at most "
                    f"{MAX_BYTES}; leave it out of the archive"
                )
            yield Entry(member.name, number, member.offset, member.size)


def _source(where: Path, watched: Sequence[str]) -> ShardsSource:
    """As many archives as were listed, by the numbers they had then."""
    if where.is_file():
        return ShardsSource([where])
    return ShardsSource([where / name for name in watched if name.endswith(SUFFIX)])


KIND = PoolKind(
    name="shards",
    layout="a .tar file, or a folder of them (WebDataset)",
    recognise=_recognise,
    entries=_entries,
    source=_source,
)
