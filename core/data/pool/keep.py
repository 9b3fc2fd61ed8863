"""Filtered lists as CFS makes them: which images of a pool to keep, by their names.

Names are compared without image suffixes, whole paths with whole paths; a name without a folder
also stands for the file of that name in any folder. Only 64-bit hashes of the list are in memory
(16 MB for 2 million names); that two of 4 million names share one has odds of one in two million.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .base import Entry, stem
from .name_list import names_in

_MANY = 1 << 14

Hashes = NDArray[np.uint64]


class Keep:
    """A list of names to keep, and how many of them were met."""

    def __init__(self, path: Path) -> None:
        self.path = path
        every = _hashes(names_in(path))
        self.listed = len(every)
        self._hashes = np.unique(every)
        self._met = np.zeros(len(self._hashes), dtype=bool)
        self._example = ""

    @property
    def missing(self) -> int:
        """Names of the list that no image has borne so far."""
        return int((~self._met).sum())

    def kept(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        rest = iter(entries)
        while batch := list(islice(rest, _MANY)):
            self._example = batch[0].key
            yield from (entry for entry, keep in zip(batch, self._find(batch), strict=True) if keep)

    def check(self) -> None:
        """After all entries: a list that names none of them is the wrong list."""
        if not self._met.any():
            example = next(names_in(self.path))
            raise DataError(
                f"{self.path}: none of its {self.listed} names is in this pool; it lists names "
                f"such as {example!r}, and the pool has such as {self._example!r}"
            )

    def _find(self, batch: list[Entry]) -> NDArray[np.bool_]:
        whole = _hashes(entry.key for entry in batch)
        last = _hashes(entry.key.rpartition("/")[2] for entry in batch)
        return self._meet(whole) | self._meet(last)

    def _meet(self, hashes: Hashes) -> NDArray[np.bool_]:
        places = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        found: NDArray[np.bool_] = self._hashes[places] == hashes
        self._met[places[found]] = True
        return found


def _hashes(names: Iterable[str]) -> Hashes:
    def all_of_them() -> Iterator[int]:
        for name in names:
            plain = stem(name.removeprefix("./")).encode("utf-8", "surrogateescape")
            yield int.from_bytes(blake2b(plain, digest_size=8).digest(), "little")

    return np.fromiter(all_of_them(), dtype=np.uint64)
