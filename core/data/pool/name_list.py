"""Lists of names in text files and pickles, read name by name.

Published lists (LUPerson's keys.pkl, CFS_list.pkl) are pickled lists of strings, and a pickle can
run anything when it is loaded. Here nothing is: its opcodes are read one after the other, strings
are handed on, and anything but one flat list or tuple of strings is refused.
"""

from __future__ import annotations

import pickletools
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ...errors import DataError

PICKLES = frozenset({".pkl", ".pickle"})
TEXTS = frozenset({".txt", ".lst", ".list"})

_STRINGS = frozenset(
    {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"}
    | {"SHORT_BINBYTES", "BINBYTES", "BINBYTES8"}
    | {"SHORT_BINSTRING", "BINSTRING", "STRING"}
)
_PUT = frozenset({"MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"})
_GET = frozenset({"GET", "BINGET", "LONG_BINGET"})
_MAKE = frozenset({"EMPTY_LIST", "LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"})
_SILENT = frozenset({"PROTO", "FRAME", "MARK", "APPEND", "APPENDS", "STOP"})
_NO_STRING = -1


def is_list(path: Path) -> bool:
    return path.suffix.lower() in PICKLES | TEXTS and path.is_file()


def names_in(path: Path) -> Iterator[str]:
    """The names of a list, in its order."""
    suffix = path.suffix.lower()
    if suffix not in PICKLES | TEXTS:
        raise DataError(
            f"{path}: a list of names ends in {', '.join(sorted(PICKLES | TEXTS))}; rename it"
        )
    found = False
    for name in _from_pickle(path) if suffix in PICKLES else _from_text(path):
        found = True
        yield name
    if not found:
        raise DataError(f"{path}: there are no names in this list")


def _from_text(path: Path) -> Iterator[str]:
    """One name per line; empty lines and those that begin with # say nothing."""
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            name = line.rstrip("\r\n")
            if name.strip() and not name.startswith("#"):
                yield name


def _from_pickle(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        try:
            yield from _strings(file)
        except _NotAListError as problem:
            raise DataError(
                f"{path}: {problem}; a list of names is one flat list or tuple of strings"
            ) from problem
        except (ValueError, EOFError, IndexError, UnicodeDecodeError) as problem:
            raise DataError(f"{path}: damaged or no pickle ({problem}); get it again") from problem


class _NotAListError(Exception):
    """The pickle holds something else."""


def _strings(file: IO[bytes]) -> Iterator[str]:
    """The strings of a pickled list. Of those that were stored for later use, it is remembered
    where they stand in the file (8 bytes each), for a list that has the same one twice."""
    stored = array("q")
    made, position_of_last, last = 0, _NO_STRING, ""
    for opcode, argument, position in pickletools.genops(file):
        name = opcode.name
        if name in _STRINGS:
            last, position_of_last = _text(argument), int(position or 0)
            yield last
        elif name in _PUT:
            _store(stored, len(stored) if argument is None else int(argument), position_of_last)
        elif name in _GET:
            yield _again(file, stored, int(str(argument)))
        elif name in _MAKE:
            made, position_of_last = made + 1, _NO_STRING
            if made > 1:
                raise _NotAListError("it holds a list within a list")
        elif name not in _SILENT:
            raise _NotAListError(f"it holds something else than strings ({name})")
    if not made:
        raise _NotAListError("it holds no list")


def _store(stored: array[int], number: int, position: int) -> None:
    """Memo numbers count up, from 0 or 1."""
    if not 0 <= number <= len(stored) + 1:
        raise _NotAListError(f"it stores something as number {number}")
    stored.extend([_NO_STRING] * (number + 1 - len(stored)))
    stored[number] = position


def _again(file: IO[bytes], stored: array[int], number: int) -> str:
    if not 0 <= number < len(stored) or stored[number] == _NO_STRING:
        raise _NotAListError("it refers to something that is no string")
    here = file.tell()
    file.seek(stored[number])
    _opcode, argument, _position = next(pickletools.genops(file))
    file.seek(here)
    return _text(argument)


def _text(argument: object) -> str:
    if isinstance(argument, bytes):
        return argument.decode("utf-8", "surrogateescape")
    return str(argument)
