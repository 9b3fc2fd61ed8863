"""A list of image files: absolute, or relative to the folder that the list lies in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from .base import Entry, PoolKind, Watch
from .folder import FilesSource
from .name_list import is_list, names_in


def _entries(where: Path, watch: Watch) -> Iterator[Entry]:
    watch(where)
    return map(Entry, names_in(where))


def _source(where: Path, _watched: Sequence[str]) -> FilesSource:
    return FilesSource(where.parent)


KIND = PoolKind(
    name="list",
    layout="a .txt or .pkl file with one image's path each",
    recognise=is_list,
    entries=_entries,
    source=_source,
)
