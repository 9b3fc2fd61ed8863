"""A keyed permutation of 0..n-1 that is computed place by place, with no list of n numbers.

A Feistel network over pairs (a, b) with a < rows and b < columns, where rows * columns is hardly
more than n; a result beyond n is put through again until it is inside (cycle walking). Each round
adds a hash of one half to the other, modulo that half's size, so it can be undone: every key gives
a bijection for every n.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDS = 8

Places = NDArray[np.int64]
_Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Permutation:
    """A bijection of range(length), another one for every key."""

    length: int
    key: tuple[int, ...]

    def __call__(self, places: Places) -> Places:
        """Where each place goes; places outside the range are our own mistake."""
        result = np.array(places, dtype=np.uint64)
        if self.length < 2:
            return result.astype(np.int64)
        rows = math.isqrt(self.length - 1) + 1
        columns = -(-self.length // rows)
        constants = _constants(self.key)
        outside = np.ones(result.shape, dtype=bool)
        while outside.any():
            result[outside] = _network(result[outside], rows, columns, constants)
            outside = result >= self.length
        return result.astype(np.int64)


def _constants(key: tuple[int, ...]) -> _Words:
    """A number for every round, none of which tells about the key's neighbours."""
    seed = np.random.SeedSequence([part & 0xFFFFFFFFFFFFFFFF for part in key])
    return seed.generate_state(ROUNDS, dtype=np.uint64).astype(np.uint64)


def _network(places: _Words, rows: int, columns: int, constants: _Words) -> _Words:
    high, low = np.divmod(places, np.uint64(columns))
    for number, constant in enumerate(constants):
        if number % 2:
            low = (low + _mixed(high ^ constant)) % np.uint64(columns)
        else:
            high = (high + _mixed(low ^ constant)) % np.uint64(rows)
    return high * np.uint64(columns) + low


def _mixed(words: _Words) -> _Words:
    """The finisher of splitmix64, and the upper half of it, so that the modulo hardly leans."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (words ^ (words >> np.uint64(31))) >> np.uint64(32)
