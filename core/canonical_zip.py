"""A zip file that can be written in one way only, and a reader that takes no other.

Members are stored uncompressed, in one order, with a fixed date and fixed attributes and nothing
between them, so the same contents give the same bytes with every version of Python. The headers are
packed here and not by `zipfile`, whose choices of version numbers and attributes have changed.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .errors import BundleError

FIRST = "manifest.json"
"""The member that comes first; the others follow in the order of their bytes."""

Content = bytes | Path

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_LOCAL_MARK, _CENTRAL_MARK, _END_MARK = b"PK\3\4", b"PK\1\2", b"PK\5\6"

_NEEDED = 10
_MADE_BY = 3 << 8 | 30
_DAY = 1 << 5 | 1
_PLAIN_FILE = 0o100644 << 16

MAX_MEMBERS = 4096
MAX_NAME = 160
MAX_FILE = (1 << 32) - 2
_BLOCK = 1 << 20
_END_SEARCH = 1 << 16
_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


@dataclass(frozen=True)
class Entry:
    """One member: where its bytes lie and what they must sum up to."""

    name: str
    size: int
    crc: int
    start: int
    """The place of its local header."""

    @property
    def data(self) -> int:
        return self.start + _LOCAL.size + len(self.name)

    @property
    def end(self) -> int:
        return self.data + self.size

    def local_header(self) -> bytes:
        return (
            _LOCAL.pack(
                *(_LOCAL_MARK, _NEEDED, 0, 0, 0, _DAY, self.crc, self.size, self.size),
                *(len(self.name), 0),
            )
            + self.name.encode()
        )

    def central_record(self) -> bytes:
        return (
            _CENTRAL.pack(
                *(_CENTRAL_MARK, _MADE_BY, _NEEDED, 0, 0, 0, _DAY, self.crc, self.size, self.size),
                *(len(self.name), 0, 0, 0, 0, _PLAIN_FILE, self.start),
            )
            + self.name.encode()
        )


@dataclass(frozen=True)
class Contents:
    """A file that was read from its first byte to its last and is canonical."""

    entries: tuple[Entry, ...]
    member_digests: Mapping[str, str]
    digest: str
    size: int


def canonical_order(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (name != FIRST, name))


def bad_name(name: str) -> str | None:
    """Why a name may not be a member's, or nothing. Good names are safe on every file system."""
    if not name or len(name) > MAX_NAME:
        return f"is not between 1 and {MAX_NAME} characters long"
    if name.startswith("/") or ".." in name.split("/") or "\\" in name or ":" in name:
        return "points outside the bundle"
    for part in name.split("/"):
        if not _PART.fullmatch(part) or _DEVICES.fullmatch(part):
            return "is not made of plain words (letters, digits, '.', '_', '-') and '/'"
    return None


def check_names(names: Iterable[str], where: object) -> None:
    """Refuse names that are unsafe, or that some file system would take for one another."""
    seen: dict[str, str] = {}
    for name in names:
        if reason := bad_name(name):
            raise BundleError(f"{where}: the member name {name!r} {reason}; it was not unpacked")
        if twin := seen.get(name.lower()):
            same = "is there twice" if twin == name else f"cannot stand beside {twin!r}"
            raise BundleError(f"{where}: the member {name!r} {same}; the bundle is not ours")
        seen[name.lower()] = name
    for name in seen:
        parents = name.split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            if twin := seen.get("/".join(parents[:depth])):
                raise BundleError(f"{where}: the member {twin!r} is a file and a folder at once")


def write(path: Path, members: Mapping[str, Content]) -> None:
    """Write all members in canonical order. `path` is overwritten; give a temporary file."""
    check_names(members, path)
    if len(members) > MAX_MEMBERS:
        raise BundleError(f"{path}: {len(members)} members are more than {MAX_MEMBERS}")
    entries: list[Entry] = []
    start = 0
    for name in canonical_order(members):
        size, crc = _measure(members[name])
        entries.append(Entry(name, size, crc, start))
        start = entries[-1].end
        _check_size(path, start)
    central = b"".join(entry.central_record() for entry in entries)
    _check_size(path, start + len(central) + _END.size)
    with path.open("wb") as file:
        for entry in entries:
            file.write(entry.local_header())
            for block in _blocks(members[entry.name]):
                file.write(block)
        file.write(central + _end_record(len(entries), len(central), start))


def check(path: Path) -> Contents:
    """Read a whole file in bounded memory and refuse it unless it is canonical in every byte."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        entries, tail = _directory(file, size, path)
        file.seek(0)
        whole = hashlib.sha256()
        digests = {}
        for entry in entries:
            header = file.read(_LOCAL.size + len(entry.name))
            if header != entry.local_header():
                raise _damaged(path, f"the header before {entry.name!r}", entry.start)
            whole.update(header)
            digests[entry.name] = _check_member(file, entry, whole, path)
        rest = file.read(len(tail) + 1)
        if rest != tail:
            raise BundleError(f"{path}: the file changed while it was read; try again")
        whole.update(tail)
    return Contents(entries, digests, whole.hexdigest(), size)


def read_member(path: Path, entry: Entry) -> bytes:
    with path.open("rb") as file:
        file.seek(entry.data)
        return file.read(entry.size)


def _check_member(file: BinaryIO, entry: Entry, whole: hashlib._Hash, path: Path) -> str:
    digest, crc, left = hashlib.sha256(), 0, entry.size
    while left:
        block = file.read(min(left, _BLOCK))
        if not block:
            raise BundleError(f"{path}: the file changed while it was read; try again")
        digest.update(block)
        whole.update(block)
        crc = zlib.crc32(block, crc)
        left -= len(block)
    if crc != entry.crc:
        raise _damaged(path, f"the contents of {entry.name!r}", entry.data)
    return digest.hexdigest()


def _directory(file: BinaryIO, size: int, path: Path) -> tuple[tuple[Entry, ...], bytes]:
    """The members, and the bytes that must stand behind the last one."""
    count, length, start = _read_end(file, size, path)
    file.seek(start)
    central = file.read(length)
    entries, place, expected = [], 0, 0
    for _ in range(count):
        entry, used = _read_record(central[place:], start + place, path)
        if entry.start != expected:
            raise _damaged(path, f"the place of {entry.name!r}, or a gap before it", start + place)
        entries.append(entry)
        place, expected = place + used, entry.end
    if place != length or expected != start:
        raise _damaged(path, "the list of members", start + place)
    names = [entry.name for entry in entries]
    check_names(names, path)
    if names != canonical_order(names):
        raise BundleError(f"{path}: the members are not in their order; {_AGAIN}")
    return tuple(entries), central + _end_record(count, length, start)


def _read_end(file: BinaryIO, size: int, path: Path) -> tuple[int, int, int]:
    if size > MAX_FILE:
        raise BundleError(f"{path}: {size} bytes are too many for a bundle (4 GiB); {_AGAIN}")
    file.seek(max(size - _END_SEARCH, 0))
    tail = file.read(_END_SEARCH)
    record = tail[-_END.size :]
    if len(record) < _END.size or not record.startswith(_END_MARK):
        raise BundleError(f"{path}: {_what_is_wrong_with_the_end(file, tail)}; {_AGAIN}")
    _, _, _, _, count, length, start, _ = _END.unpack(record)
    if start + length + _END.size != size or record != _end_record(count, length, start):
        raise _damaged(path, "the closing record", size - _END.size)
    if not 0 < count <= MAX_MEMBERS:
        raise BundleError(f"{path}: it claims {count} members; a bundle has 1 to {MAX_MEMBERS}")
    if length > count * (_CENTRAL.size + MAX_NAME):
        raise _damaged(path, "the list of members", start)
    return count, length, start


def _what_is_wrong_with_the_end(file: BinaryIO, tail: bytes) -> str:
    file.seek(0)
    if file.read(4) != _LOCAL_MARK:
        return "this is not a bundle (it does not begin as one)"
    found = tail.rfind(_END_MARK)
    if found >= 0 and len(tail) - found >= _END.size:
        return f"{len(tail) - found - _END.size} bytes too many (or a comment) follow its end"
    return "the file is cut off before its end"


def _read_record(data: bytes, place: int, path: Path) -> tuple[Entry, int]:
    if len(data) < _CENTRAL.size or not data.startswith(_CENTRAL_MARK):
        raise _damaged(path, "the list of members", place)
    fields = _CENTRAL.unpack_from(data)
    flags, method, crc, packed, size, length = *fields[3:5], *fields[7:11]
    raw = data[_CENTRAL.size : _CENTRAL.size + length]
    name = raw.decode("ascii", errors="backslashreplace")
    if reason := bad_name(name):
        raise BundleError(f"{path}: the member name {name!r} {reason}; it was not unpacked")
    if flags & 1 or method:
        how = "encrypted" if flags & 1 else "compressed"
        raise BundleError(
            f"{path}: the member {name!r} is {how} ({packed} bytes for {size}), and was not "
            f"unpacked; a bundle stores its members as they are; {_AGAIN}"
        )
    if (1 << 32) - 1 in (packed, size, fields[-1]):
        raise BundleError(f"{path}: the member {name!r} uses zip64; {_AGAIN}")
    entry = Entry(name, size, crc, fields[-1])
    if data[: _CENTRAL.size + length] != entry.central_record():
        raise _damaged(path, f"the record of {name!r} (a date, an attribute, an extra)", place)
    return entry, _CENTRAL.size + length


def _end_record(count: int, length: int, start: int) -> bytes:
    return _END.pack(_END_MARK, 0, 0, count, count, length, start, 0)


def _measure(content: Content) -> tuple[int, int]:
    size, crc = 0, 0
    for block in _blocks(content):
        size, crc = size + len(block), zlib.crc32(block, crc)
    return size, crc


def _blocks(content: Content) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _check_size(path: Path, size: int) -> None:
    if size > MAX_FILE:
        raise BundleError(
            f"{path}: the bundle would be {size} bytes or more, and 4 GiB is the most its format "
            "can hold; leave out a variant or the probe crops"
        )


_AGAIN = "copy it again from its source, or export it again"


def _damaged(path: Path, what: str, place: int) -> BundleError:
    return BundleError(f"{path}: {what} is damaged or was repacked, at byte {place}; {_AGAIN}")
