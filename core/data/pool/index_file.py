"""A pool's listing as one file that is mapped into memory, so that millions of names take none.

Layout: MAGIC, all keys one after the other, padding, the end of each key (uint64), the place of
each image (PLACE), a JSON footer, the footer's length (uint64), MAGIC. The digest is of the keys
without suffixes, in order: a folder, its shards and an LMDB of the same images share it.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...files import replacing
from .base import Entry, Watched, stem

MAGIC = b"PVPOOL1\n"
PLACE = np.dtype([("offset", "<u8"), ("size", "<u4"), ("file", "<u4")])
_MANY = 1 << 14


class Index:
    """The listing of an index file; reading one entry touches a page or two of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            self._footer, keys_end = _footer(file, path)
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            self._describe(keys_end)
        except (ValueError, KeyError, TypeError) as problem:
            raise _no_index(path, problem) from problem

    def _describe(self, keys_end: int) -> None:
        count = int(self._footer["count"])
        start = keys_end + -keys_end % 8
        self._ends: NDArray[np.uint64] = np.frombuffer(self._bytes, "<u8", count, start)
        self._places = np.frombuffer(self._bytes, PLACE, count, start + 8 * count)
        self.digest: str = self._footer["digest"]
        self.kind: str = self._footer["kind"]
        self.notes: dict[str, Any] = self._footer["notes"]
        self.watched = tuple(Watched(*each) for each in self._footer["watched"])

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, number: int) -> Entry:
        if not 0 <= number < len(self):
            raise IndexError(f"the pool has {len(self)} images; there is no number {number}")
        start = int(self._ends[number - 1]) if number else len(MAGIC)
        offset, size, file = self._places[number].item()
        key = self._bytes[start : int(self._ends[number])].decode("utf-8", "surrogateescape")
        return Entry(key, file, offset, size)

    def __iter__(self) -> Iterator[Entry]:
        return (self[number] for number in range(len(self)))


def write_index(
    path: Path, kind: str, entries: Iterable[Entry], watched: list[Watched], notes: dict[str, Any]
) -> None:
    """Write a listing as it comes. `watched` and `notes` are looked at when it has ended."""
    digest, count = hashlib.sha256(), 0
    with (
        replacing(path) as part,
        part.open("wb") as file,
        tempfile.TemporaryFile(dir=path.parent) as ends,
        tempfile.TemporaryFile(dir=path.parent) as places,
    ):
        end = file.write(MAGIC)
        for batch in _batches(entries):
            keys = [entry.key.encode("utf-8", "surrogateescape") for entry in batch]
            ends_here = end + np.cumsum([len(key) for key in keys], dtype=np.uint64)
            end = int(ends_here[-1])
            file.write(b"".join(keys))
            ends.write(ends_here.astype("<u8").tobytes())
            rows = [(entry.offset, entry.size, entry.file) for entry in batch]
            places.write(np.array(rows, dtype=PLACE).tobytes())
            digest.update(
                "".join(stem(entry.key) + "\n" for entry in batch).encode(errors="replace")
            )
            count += len(batch)
        file.write(b"\0" * (-end % 8))
        _append(file, ends)
        _append(file, places)
        facts = {"kind": kind, "count": count, "keys_end": end, "digest": digest.hexdigest()}
        footer = json.dumps({**facts, "watched": watched, "notes": notes}).encode()
        file.write(footer + len(footer).to_bytes(8, "little") + MAGIC)


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) == _MANY:
            yield batch
            batch = []
    if batch:
        yield batch


def _append(file: IO[bytes], column: IO[bytes]) -> None:
    column.seek(0)
    shutil.copyfileobj(column, file, 1 << 20)


def _footer(file: IO[bytes], path: Path) -> tuple[dict[str, Any], int]:
    try:
        file.seek(-16, 2)
        length, magic = int.from_bytes(file.read(8), "little"), file.read(8)
        if magic != MAGIC:
            raise ValueError("it does not end as an index does")
        file.seek(-16 - length, 2)
        footer = json.loads(file.read(length))
        return footer, int(footer["keys_end"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise _no_index(path, problem) from problem


def _no_index(path: Path, problem: Exception) -> DataError:
    return DataError(f"{path}: not an index of a pool ({problem}); remove it")
