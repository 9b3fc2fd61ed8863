"""Every kind of pool there is, and opening one."""

from __future__ import annotations

import os
import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from ...errors import ConfigError, DataError
from ..layout import is_image
from .base import PoolKind, Source
from .folder import KIND as FOLDER
from .index_file import Index
from .listing import listing


class Pool:
    """Unlabelled images, numbered; any number of threads may read."""

    def __init__(self, where: Path, index: Index, source: Source) -> None:
        self.where = where
        self.index = index
        self._source = source

    @property
    def name(self) -> str:
        """How it is stored."""
        return self.index.kind

    @property
    def digest(self) -> str:
        """Of the names and their order; moving a pool into shards does not change it."""
        return self.index.digest

    def __len__(self) -> int:
        return len(self.index)

    def key(self, number: int) -> str:
        return self.index[number].key

    def read(self, number: int) -> bytes:
        """An encoded image; DataError when it is not there."""
        return self._source.read(self.index[number])

    def size(self, number: int) -> int:
        return self._source.size(self.index[number])

    def close(self) -> None:
        self._source.close()


@cache
def kinds() -> tuple[PoolKind, ...]:
    """The `KIND` of each file of this package, by name."""
    package = __name__.rpartition(".")[0]
    here = [str(Path(__file__).parent)]
    names = sorted(module.name for module in pkgutil.iter_modules(here) if not module.ispkg)
    found = (vars(import_module(f"{package}.{name}")).get("KIND") for name in names)
    return tuple(each for each in found if isinstance(each, PoolKind))


def open_pool(where: Path, keep: Path | None = None, kind: str | None = None) -> Pool:
    """Open a pool. The first time its names are listed into a file, which can take minutes."""
    if not where.exists():
        raise DataError(f"{where}: no such file or folder; check the path")
    chosen = _recognised(where) if kind is None else _named(kind)
    if not chosen.recognise(where):
        raise DataError(
            f"{where}: this is not {chosen.layout}; leave --kind out, or check the path"
        )
    index = listing(where, chosen, keep)
    source = chosen.source(where, [each.path for each in index.watched])
    return Pool(where, index, source)


def _recognised(where: Path) -> PoolKind:
    for each in sorted(kinds(), key=lambda kind: kind.rank):
        if each.recognise(where):
            if each.name != FOLDER.name and where.is_dir() and _holds_images(where):
                raise DataError(
                    f"{where}: there are {each.name} and single images here; say which are meant "
                    f"(--kind {each.name} or --kind {FOLDER.name}), or move the others away"
                )
            return each
    layouts = "".join(f"\n  {each.name}: {each.layout}" for each in kinds())
    raise DataError(f"{where}: no pool of images is recognised here; known are:{layouts}")


def _holds_images(where: Path) -> bool:
    with os.scandir(where) as entries:
        return any(is_image(entry.name) for entry in entries)


def _named(kind: str) -> PoolKind:
    for each in kinds():
        if each.name == kind:
            return each
    known = ", ".join(each.name for each in kinds())
    raise ConfigError(f"no kind of pool is called {kind!r}; choose from {known}")
