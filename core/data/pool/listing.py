"""A pool's index: made once, kept in the user's cache, made again when what it lists has changed.

Shards of ours bring theirs along. Processes that open the same pool at once wait for the first.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import DataError
from ...files import sha256
from .base import Entry, PoolKind, Watched
from .index_file import Index, write_index
from .keep import Keep
from .shards import INDEX, UNFINISHED


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "personvit" / "pools"


def listing(where: Path, kind: PoolKind, keep: Path | None) -> Index:
    """The index of a pool, whole or filtered by a list."""
    whole = _own_index(where) or _cached(_cache_path(where, kind, "all"), where, kind)
    if keep is None:
        return whole
    if not keep.is_file():
        raise DataError(f"{keep}: no such list; check the path")
    path = _cache_path(where, kind, whole.digest + sha256(keep))
    with _alone(path):
        if not path.is_file() or not same(Index(path), where):
            _filter(path, whole, Keep(keep))
        return Index(path)


def same(index: Index, where: Path) -> bool:
    """Whether everything that was listed looks as it did then."""
    return all(
        _looks(where, where / each.path, each.modified != 0) == each for each in index.watched
    )


def _own_index(where: Path) -> Index | None:
    path = where / INDEX
    if not where.is_dir() or not path.is_file() or (where / UNFINISHED).exists():
        return None
    index = Index(path)
    for each in index.watched:
        if _looks(where, where / each.path, with_time=False) != each:
            raise DataError(
                f"{where / each.path}: missing, or not as {path} lists it; copy it again"
            )
    return index


def _cached(path: Path, where: Path, kind: PoolKind) -> Index:
    with _alone(path):
        if path.is_file():
            index = Index(path)
            if same(index, where):
                return index
        watched: list[Watched] = []

        def watch(place: Path) -> None:
            watched.append(_looks(where, place, with_time=True))

        write_index(path, kind.name, _some(where, kind.entries(where, watch)), watched, {})
        return Index(path)


def _filter(path: Path, whole: Index, keep: Keep) -> None:
    notes: dict[str, object] = {}

    def entries() -> Iterator[Entry]:
        yield from keep.kept(whole)
        keep.check()
        notes.update(listed=keep.listed, missing=keep.missing)

    write_index(path, whole.kind, entries(), list(whole.watched), notes)


def _some(where: Path, entries: Iterator[Entry]) -> Iterator[Entry]:
    found = False
    for entry in entries:
        found = True
        yield entry
    if not found:
        raise DataError(f"{where}: there are no images in this pool; check the path")


def _looks(where: Path, place: Path, with_time: bool) -> Watched:
    """Archives keep their order in an index, so their names are given as they lie below it."""
    relative = place.relative_to(where) if place.is_relative_to(where) else place
    try:
        found = place.stat()
    except OSError:
        return Watched(str(relative), 0, -1)
    size = 0 if stat.S_ISDIR(found.st_mode) else found.st_size
    return Watched(str(relative), found.st_mtime_ns if with_time else 0, size)


def _cache_path(where: Path, kind: PoolKind, part: str) -> Path:
    name = "\0".join([kind.name, str(where.resolve()), part])
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    return cache_folder() / f"{digest[:24]}.index"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time; the others find the index when it is their turn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
