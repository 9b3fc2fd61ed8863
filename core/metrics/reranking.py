"""k-reciprocal re-ranking (Zhong et al., CVPR 2017), exact, without an N x N matrix.

The published algorithm fills dense N x N arrays although almost all of their entries are zero.
Here the neighbour lists, the encoded vectors and their inverted index are sparse, and distances
are made block by block; what comes out is the published distance, not an approximation of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .exact import Float64, Metric, shared_grid
from .neighbours import Int32, Neighbours, SquaredDistances, find_neighbours
from .sparse import Int64, SparseRows, collect, mean_of_rows, transposed

_COMPARISONS_AT_ONCE = 4_000_000

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Reranking:
    """k1: size of the reciprocal neighbourhood; k2: of the query expansion; weight: the share of
    the original distance in the final one. The defaults are the published ones."""

    k1: int = 20
    k2: int = 6
    weight: float = 0.3

    def __post_init__(self) -> None:
        if self.k1 < 1 or self.k2 < 1 or not 0 <= self.weight <= 1:
            raise ConfigError(
                f"re-ranking with k1={self.k1}, k2={self.k2}, weight={self.weight} cannot be; "
                "give k1 and k2 of 1 or more and a weight between 0 and 1"
            )


PUBLISHED = Reranking()
PERSONVIT = Reranking(k1=50, k2=15)


class RerankedDistances:
    """Re-ranked distances from queries to the gallery, in blocks of query rows."""

    def __init__(
        self,
        query: NDArray[np.floating],
        gallery: NDArray[np.floating],
        settings: Reranking = PUBLISHED,
        metric: Metric = "cosine",
    ) -> None:
        self._queries = len(query)
        self._weight = settings.weight
        self._distances = SquaredDistances(shared_grid(query, gallery, metric))
        count = len(self._distances)
        found = find_neighbours(self._distances, max(settings.k1 + 1, settings.k2))
        self._farthest = np.where(found.farthest > 0, found.farthest, 1.0)
        self._codes = self._encode(found, settings.k1)
        if settings.k2 > 1:
            self._codes = mean_of_rows(self._codes, found.nearest[:, : settings.k2], count)
        self._inverted = transposed(self._codes, self._queries, count)

    def rows(self, start: int, stop: int) -> Float64:
        everyone = slice(self._queries, len(self._distances))
        block = self._distances.block(slice(start, stop), everyone)
        block *= self._weight / self._farthest[start:stop, None]
        for row, query in zip(block, range(start, stop), strict=True):
            row += (1 - self._weight) * self._jaccard(query, len(row))
        return block

    def _encode(self, found: Neighbours, k1: int) -> SparseRows:
        """Each image as its reciprocal neighbours, weighted by exp(-distance), summing to 1."""
        count = len(self._distances)

        def parts() -> Iterator[tuple[Int64, Int64, Float64]]:
            for rows, columns in _expanded_neighbourhoods(found.nearest, k1):
                distances = self._distances.pairs(rows, columns)
                weights = np.exp(-distances / self._farthest[rows])
                sums = np.bincount(rows - rows[:1], weights)
                yield rows, columns, weights / sums[rows - rows[:1]]

        return collect(parts(), count)

    def _jaccard(self, query: int, gallery: int) -> Float64:
        """One minus shared over joint weight; two codes sum to 2, so the joint is 2 - shared."""
        columns, values = self._codes.row(query)
        entries, lengths = self._inverted.entries_of(columns)
        shared = np.minimum(np.repeat(values, lengths), self._inverted.values[entries])
        minima = np.bincount(self._inverted.columns[entries], shared, minlength=gallery)
        return 1 - minima / (2 - minima)


def _expanded_neighbourhoods(nearest: Int32, k1: int) -> Iterator[tuple[Int64, Int64]]:
    """(row, column) of R*(row, k1): the reciprocal neighbours, joined by the half-size reciprocal
    neighbourhoods of those among them that share more than two thirds of it."""
    near, mutual = _reciprocal(nearest, k1)
    half, half_mutual = _reciprocal(nearest, round(k1 / 2))
    step = max(1, _COMPARISONS_AT_ONCE // (near.shape[1] ** 2 * half.shape[1]))
    for start in range(0, len(near), step):
        some = slice(start, start + step)
        own = np.where(mutual[some], near[some], -1)
        others = half[near[some]]
        valid = half_mutual[near[some]] & mutual[some][:, :, None]
        shared = (others[:, :, :, None] == own[:, None, None, :]).any(axis=3) & valid
        joins = shared.sum(axis=2) > 2.0 / 3 * valid.sum(axis=2)
        valid &= joins[:, :, None]
        row, place = np.nonzero(mutual[some])
        other_row, other_place, nth = np.nonzero(valid)
        columns = np.concatenate([own[row, place], others[other_row, other_place, nth]])
        rows = np.concatenate([row, other_row])
        keys = np.unique(rows * len(near) + columns)
        yield start + keys // len(near), keys % len(near)


def _reciprocal(nearest: Int32, k: int) -> tuple[Int32, Mask]:
    """Everyone's first k + 1 neighbours, and which of them have them in their own k + 1."""
    near = nearest[:, : k + 1]
    mutual = np.empty(near.shape, dtype=np.bool_)
    step = max(1, _COMPARISONS_AT_ONCE // near.shape[1] ** 2)
    for start in range(0, len(near), step):
        some = near[start : start + step]
        own = np.arange(start, start + len(some), dtype=np.int32)
        mutual[start : start + step] = (near[some] == own[:, None, None]).any(axis=2)
    return near, mutual
