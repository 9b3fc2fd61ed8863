"""Each image's nearest neighbours among all images, found block by block.

Ties are pinned: of two images at the same distance the earlier one is nearer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .exact import Float64, squared_norms

Int32 = NDArray[np.int32]

_ROWS_AT_ONCE = 512
_PAIRS_AT_ONCE = 16_384
_SAMPLE = 2048


class SquaredDistances:
    """Exact squared distances between any two of the given grid vectors (norms below 2**25)."""

    def __init__(self, grid: Float64) -> None:
        self._grid = grid
        self._norms = squared_norms(grid)

    def __len__(self) -> int:
        return len(self._grid)

    def block(self, rows: slice, columns: slice) -> Float64:
        block: Float64 = (-2 * self._grid[rows]) @ self._grid[columns].T
        block += self._norms[rows, None]
        block += self._norms[columns]
        return block

    def pairs(self, left: NDArray[np.integer], right: NDArray[np.integer]) -> Float64:
        distances: Float64 = self._norms[left] + self._norms[right]
        for start in range(0, len(left), _PAIRS_AT_ONCE):
            some = slice(start, start + _PAIRS_AT_ONCE)
            products = np.einsum("nd,nd->n", self._grid[left[some]], self._grid[right[some]])
            distances[some] -= 2 * products
        return distances


@dataclass(frozen=True)
class Neighbours:
    """nearest[i] lists image i's neighbours, nearest first and itself among them; farthest[i] is
    its largest squared distance to any image."""

    nearest: Int32
    farthest: Float64


def find_neighbours(distances: SquaredDistances, k: int) -> Neighbours:
    count = len(distances)
    nearest = np.empty((count, min(k, count)), dtype=np.int32)
    farthest = np.empty(count)
    for start in range(0, count, _ROWS_AT_ONCE):
        rows = slice(start, min(start + _ROWS_AT_ONCE, count))
        block = distances.block(rows, slice(0, count))
        farthest[rows] = block.max(axis=1)
        for row, values in enumerate(block, start=start):
            nearest[row] = smallest(values, nearest.shape[1])
    return Neighbours(nearest, farthest)


def smallest(values: Float64, k: int) -> NDArray[np.int64]:
    """Positions of the k smallest values, ascending, the earlier first among equals.

    The k-th smallest of a sample bounds the k-th smallest of all, so only few need sorting.
    """
    sample = values[:: max(1, len(values) // max(_SAMPLE, k))]
    bound = np.partition(sample, k - 1)[k - 1]
    near = np.flatnonzero(values <= bound)
    return near[np.argsort(values[near], kind="stable")[:k]]
