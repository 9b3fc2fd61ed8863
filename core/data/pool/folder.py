"""A folder of crops at any depth, each folder's own images first, sorted by name."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ...errors import DataError
from ..layout import is_image
from .base import Entry, PoolKind, Watch
from .sorting import sorted_names


class FilesSource:
    """Keys are paths, relative to a folder or absolute."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, entry: Entry) -> bytes:
        with _naming(self._root / entry.key) as path:
            if not stat.S_ISREG(path.stat().st_mode):
                # A pipe would be waited for, and a device may never end.
                raise DataError(f"{path}: not a regular file; copy the image to a file first")
            return path.read_bytes()

    def size(self, entry: Entry) -> int:
        with _naming(self._root / entry.key) as path:
            return path.stat().st_size

    def close(self) -> None:
        """Nothing stays open."""


@contextmanager
def _naming(path: Path) -> Iterator[Path]:
    try:
        yield path
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise DataError(f"{path}: cannot be read ({reason}); check that it is there") from problem
    except ValueError as problem:  # a name that no file can have
        raise DataError(f"{str(path)!r}: cannot be read ({problem}); mend the list") from problem


def _entries(root: Path, watch: Watch) -> Iterator[Entry]:
    yield from map(Entry, _names(root, watch, "", frozenset()))


def _names(folder: Path, watch: Watch, prefix: str, above: frozenset[Path]) -> Iterator[str]:
    """A link to a folder above is not followed."""
    place = folder.resolve()
    if place in above:
        return
    watch(folder)
    folders: list[str] = []
    for name in sorted_names(_images(folder, folders)):
        yield prefix + name
    for name in sorted(folders):
        yield from _names(folder / name, watch, f"{prefix}{name}/", above | {place})


def _images(folder: Path, folders: list[str]) -> Iterator[str]:
    """The names of the images in a folder as they come; its folders are noted on the way."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_dir():
                folders.append(entry.name)
            elif is_image(entry.name):
                yield entry.name


def _source(where: Path, _watched: Sequence[str]) -> FilesSource:
    return FilesSource(where)


KIND = PoolKind(
    name="folder",
    layout="a folder with **/*.jpg",
    recognise=Path.is_dir,
    entries=_entries,
    source=_source,
    rank=1,
)
