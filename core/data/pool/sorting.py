"""Sorting more names than should be in memory: sorted runs on disk, merged as they are read."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import IO

from ...errors import DataError

RUN = 1 << 18


def sorted_names(names: Iterable[str], run: int = RUN) -> Iterator[str]:
    """The names in order; at most `run` of them are in memory at a time."""
    with ExitStack() as stack:
        runs: list[IO[str]] = []
        held: list[str] = []
        for name in names:
            if "\n" in name:
                raise DataError(f"{name!r}: a line break in a file's name; rename it")
            held.append(name)
            if len(held) == run:
                runs.append(_write(sorted(held), stack.enter_context(_temporary())))
                held = []
        held.sort()
        if not runs:
            yield from held
            return
        yield from heapq.merge(held, *(_lines(each) for each in runs))


def _write(names: list[str], file: IO[str]) -> IO[str]:
    file.writelines(f"{name}\n" for name in names)
    file.seek(0)
    return file


def _temporary() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8", errors="surrogateescape", newline="\n")


def _lines(file: IO[str]) -> Iterator[str]:
    return (line[:-1] for line in file)
