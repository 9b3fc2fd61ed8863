"""An LMDB of encoded images, as LUPerson comes: names in `keys.pkl` beside it, or all its keys.

`keys.pkl` lies in the folder of data.mdb or in the one above.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...errors import DataError
from .base import Entry, PoolKind, Watch
from .name_list import names_in

DATA = "data.mdb"
KEYS = "keys.pkl"


class KeyedStore:
    """An LMDB opened for reading; a process that was forked opens its own."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._opened: tuple[int, Any] | None = None

    def read(self, entry: Entry) -> bytes:
        with self.environment().begin(buffers=True) as view:
            return bytes(self._found(view, entry))

    def size(self, entry: Entry) -> int:
        with self.environment().begin(buffers=True) as view:
            return len(self._found(view, entry))

    def _found(self, view: Any, entry: Entry) -> memoryview:
        data: memoryview | None = view.get(entry.key.encode("utf-8", "surrogateescape"))
        if data is None:
            raise DataError(f"{self._place}: there is no image {entry.key!r} in this LMDB")
        return data

    def keys(self) -> Iterator[str]:
        """All keys in the store's own order, but for those that say something about it."""
        with self.environment().begin() as view, view.cursor() as cursor:
            for key in cursor.iternext(keys=True, values=False):
                name = key.decode("utf-8", "surrogateescape")
                if not name.startswith("__"):
                    yield name

    def environment(self) -> Any:
        opened = self._opened
        if opened is not None and opened[0] == os.getpid():
            return opened[1]
        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():
                self._opened = (os.getpid(), _open(self._place))
            return self._opened[1]

    def close(self) -> None:
        if self._opened is not None and self._opened[0] == os.getpid():
            self._opened[1].close()
        self._opened = None


def _open(place: Path) -> Any:
    import lmdb

    try:
        return lmdb.open(
            str(place),
            subdir=place.is_dir(),
            readonly=True,
            lock=False,
            readahead=False,
            meminit=False,
            max_spare_txns=64,
        )
    except lmdb.Error as problem:
        raise DataError(f"{place}: this LMDB cannot be opened ({problem}); copy it again") from None


def _place(where: Path) -> Path | None:
    """The folder of data.mdb, or a single .mdb or .lmdb file."""
    if where.is_file():
        return where if where.suffix.lower() in (".mdb", ".lmdb") else None
    found = [each for each in (where, where / "lmdb") if (each / DATA).is_file()]
    return found[0] if found else None


def _recognise(where: Path) -> bool:
    return _place(where) is not None


def _entries(where: Path, watch: Watch) -> Iterator[Entry]:
    place = _known_place(where)
    watch(place / DATA if place.is_dir() else place)
    folder = place if place.is_dir() else place.parent
    for listed in (folder / KEYS, folder.parent / KEYS):
        if listed.is_file():
            watch(listed)
            yield from map(Entry, names_in(listed))
            return
    store = KeyedStore(place)
    try:
        yield from map(Entry, store.keys())
    finally:
        store.close()


def _source(where: Path, _watched: Sequence[str]) -> KeyedStore:
    return KeyedStore(_known_place(where))


def _known_place(where: Path) -> Path:
    place = _place(where)
    if place is None:
        raise DataError(f"{where}: there is no LMDB here (no {DATA}); check the path")
    return place


KIND = PoolKind(
    name="lmdb",
    layout=f"a folder with {DATA}, and {KEYS} in it or above it",
    recognise=_recognise,
    entries=_entries,
    source=_source,
)
