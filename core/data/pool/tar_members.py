"""What lies where in an uncompressed tar archive; one that ends too early is an error.

tarfile keeps every member it has seen and takes ten times as long; pools have millions.
Understood are ustar, GNU's long names and sizes, and pax records of path and size.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...errors import DataError

BLOCK = 512
_GZIP, _ZSTD, _XZ, _BZIP2 = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh"


class Member(NamedTuple):
    """A regular file in the archive."""

    name: str
    offset: int
    size: int


def members(path: Path) -> Iterator[Member]:
    """The regular files of an archive in their order."""
    if not path.stat().st_size:
        raise DataError(f"{path}: the archive is empty (0 bytes); copy it again")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:6].startswith((_GZIP, _ZSTD, _XZ, _BZIP2)):
            raise DataError(f"{path}: compressed archives cannot be read at random; unpack it once")
        yield from _scan(path, data)


def _scan(path: Path, data: mmap.mmap) -> Iterator[Member]:
    at, override = 0, dict[str, str]()
    while True:
        head = data[at : at + BLOCK]
        if len(head) == BLOCK and not any(head):
            return
        if len(head) < BLOCK:
            raise _cut_off(path, at)
        _check(path, head, at)
        size = _size(path, at, override.get("size"), head[124:136])
        start, kind = at + BLOCK, head[156:157]
        at = start + size + -size % BLOCK
        if start + size > len(data):
            raise _cut_off(path, start)
        if kind == b"L":
            override["path"] = _name(data[start : start + size])
        elif kind == b"x":
            override.update(_pax(path, start, data[start : start + size]))
        elif kind not in (b"g", b"K"):
            if kind in (b"0", b"\0", b"7"):
                yield Member(override.get("path") or _full_name(head), start, size)
            override = {}


def _check(path: Path, head: bytes, at: int) -> None:
    """A header's sum counts its own field as spaces."""
    try:
        said = int(head[148:156].strip(b" \0") or b"0", 8)
    except ValueError:
        said = -1
    if said != sum(head) - sum(head[148:156]) + 8 * ord(" "):
        raise _damaged(path, at)


def _damaged(path: Path, at: int) -> DataError:
    return DataError(f"{path}: no tar archive, or damaged at byte {at}; copy it again")


def _cut_off(path: Path, at: int) -> DataError:
    return DataError(f"{path}: the archive is cut off at byte {at}; copy it again")


def _size(path: Path, at: int, of_pax: str | None, field: bytes) -> int:
    try:
        size = _number(field) if of_pax is None else int(of_pax)
    except ValueError:
        size = -1
    # A negative one would lead back to members that were read already, for ever.
    if size < 0:
        raise _damaged(path, at)
    return size


def _number(field: bytes) -> int:
    """Octal digits, or GNU's binary form for what is too large for them."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    return int(field.strip(b" \0") or b"0", 8)


def _full_name(head: bytes) -> str:
    name, prefix = _name(head[:100]), _name(head[345:500])
    return f"{prefix}/{name}" if prefix and head[257:262] == b"ustar" else name


def _name(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _pax(path: Path, at: int, data: bytes) -> Iterator[tuple[str, str]]:
    """Records `length key=value` and a line break; the length counts all of it."""
    while data.strip(b"\0"):
        digits, _, _ = data.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < BLOCK else 0
        if not len(digits) < length <= len(data):
            raise _damaged(path, at)
        key, _, value = data[len(digits) + 1 : length].rstrip(b"\n").partition(b"=")
        if key in (b"path", b"size"):
            yield key.decode(), value.decode("utf-8", "surrogateescape")
        data = data[length:]
