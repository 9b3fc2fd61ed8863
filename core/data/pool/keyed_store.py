"""An LMDB of encoded images, as LUPerson comes: names in `keys.pkl` beside it, or all its keys.

`keys.pkl` lies in the folder of data.mdb or in the one above.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from ...errors import DataError
from .base import Entry, PoolKind, Watch
from .name_list import names_in

DATA = "data.mdb"
KEYS = "keys.pkl"


class Opened:
    """An environment, closed when no pool uses it any more. A forked process may go on reading:
    nothing is written, and there is no lock table."""

    def __init__(self, place: Path) -> None:
        import lmdb

        try:
            self.environment = lmdb.open(
                str(place),
                subdir=place.is_dir(),
                readonly=True,
                lock=False,
                readahead=False,
                meminit=False,
                max_spare_txns=64,
            )
        except lmdb.Error as problem:
            raise DataError(
                f"{place}: this LMDB cannot be opened ({problem}); copy it again"
            ) from None

    def __del__(self) -> None:
        if hasattr(self, "environment"):
            self.environment.close()


_SHARED: WeakValueDictionary[Path, Opened] = WeakValueDictionary()
"""LMDB may be opened once per process only, however many pools read from it."""
_ALONE = threading.Lock()


class KeyedStore:
    """An LMDB opened for reading."""

    def __init__(self, place: Path) -> None:
        self._place = place
        with _ALONE:
            opened = _SHARED.get(place.resolve()) or Opened(place)
            _SHARED[place.resolve()] = opened
        self._opened: Opened | None = opened

    def read(self, entry: Entry) -> bytes:
        with self._view() as view:
            return bytes(self._found(view, entry))

    def size(self, entry: Entry) -> int:
        with self._view() as view:
            return len(self._found(view, entry))

    def keys(self) -> Iterator[str]:
        """All keys in the store's own order, but for those that say something about it."""
        with self._view() as view, view.cursor() as cursor:
            for key in cursor.iternext(keys=True, values=False):
                name = bytes(key).decode("utf-8", "surrogateescape")
                if not name.startswith("__"):
                    yield name

    def close(self) -> None:
        self._opened = None

    @contextmanager
    def _view(self) -> Iterator[Any]:
        import lmdb

        if self._opened is None:
            raise DataError(f"{self._place}: this pool was closed; open it again")
        try:
            with self._opened.environment.begin(buffers=True) as view:
                yield view
        except lmdb.Error as problem:
            raise DataError(
                f"{self._place}: this LMDB is damaged ({problem}); copy it again"
            ) from None

    def _found(self, view: Any, entry: Entry) -> memoryview:
        data: memoryview | None = view.get(entry.key.encode("utf-8", "surrogateescape"))
        if data is None:
            raise DataError(f"{self._place}: there is no image {entry.key!r} in this LMDB")
        return data


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
