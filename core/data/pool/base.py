"""What a pool of unlabelled crops is, whatever it is stored in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from ..layout import is_image


class Entry(NamedTuple):
    """One image: its name in the pool and, in an archive, where its bytes lie."""

    key: str
    file: int = 0
    offset: int = 0
    size: int = 0


class Watched(NamedTuple):
    """A file or folder that a listing was made of, and how it looked then.

    The path is relative to the pool's own folder where it lies below it. Folders have no size, and
    a time of 0 is not compared: copies of a file get a new one.
    """

    path: str
    modified: int
    size: int


class Source(Protocol):
    """The bytes behind entries; any number of threads may read."""

    def read(self, entry: Entry) -> bytes: ...

    def size(self, entry: Entry) -> int:
        """Bytes, without reading them where that can be known."""

    def close(self) -> None: ...


Watch = Callable[[Path], None]
"""Called with everything whose change would change the listing, before it is looked at."""


@dataclass(frozen=True)
class PoolKind:
    """How one way of storing crops is recognised, listed and read: a file's `KIND`."""

    name: str
    layout: str
    recognise: Callable[[Path], bool]
    entries: Callable[[Path, Watch], Iterator[Entry]]
    """The images in an order that depends on names or on the archive only."""
    source: Callable[[Path, Sequence[str]], Source]
    """Opens for reading; the second argument is what was watched while listing."""
    rank: int = 0
    """A kind of a higher rank is considered only where none of a lower rank recognises."""


def stem(key: str) -> str:
    """A key without an image's suffix: `a/b.jpg` in a folder is `a/b` in an LMDB."""
    return key.rpartition(".")[0] if is_image(key.rpartition("/")[2]) else key
