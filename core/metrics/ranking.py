"""The rank of every match of every query, without sorting the gallery.

mAP, CMC and mINP need only where the matches stand. A match's rank is one more than the number of
gallery images before it, and counting those is a vector comparison of one row with one number.

Ties: of two gallery images at the same distance, the one that comes first in the gallery ranks
first, which is what a stable sort would do. Galleries are sorted by name, so the rule is pinned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, DataError
from .exact import ExactDistances, Metric
from .matches import Int64, Labels, Matches
from .reranking import RerankedDistances, Reranking

_BLOCK_VALUES = 24_000_000
_MOST_ROWS = 512
_FEW = 1024

Block = NDArray[np.floating]


@dataclass(frozen=True)
class RankedPositives:
    """Query q's matches stand at ranks[offsets[q]:offsets[q + 1]], 1-based and ascending."""

    offsets: Int64
    ranks: Int64

    @property
    def queries(self) -> int:
        return len(self.offsets) - 1

    @property
    def counts(self) -> Int64:
        """How many matches each query has; 0 marks one that cannot be scored."""
        return np.diff(self.offsets)

    def of(self, query: int) -> Int64:
        return self.ranks[self.offsets[query] : self.offsets[query + 1]]


def rank_positives(
    query: NDArray[np.floating],
    gallery: NDArray[np.floating],
    query_ids: Labels,
    gallery_ids: Labels,
    query_cams: Labels,
    gallery_cams: Labels,
    *,
    metric: Metric = "cosine",
    rerank: Reranking | None = None,
    tile: int | None = None,
) -> RankedPositives:
    """Rank from embeddings, `tile` queries at a time; the result does not depend on `tile`."""
    matches = Matches(query_ids, gallery_ids, query_cams, gallery_cams)
    matches.expect(len(query), len(gallery), "embeddings")
    if len(matches.unknown):
        gallery = np.delete(gallery, matches.unknown, axis=0)
        matches = matches.without_unknown()
    distances: ExactDistances | RerankedDistances = (
        RerankedDistances(query, gallery, rerank, metric)
        if rerank and len(query)
        else ExactDistances(query, gallery, metric)
    )
    return rank_blocks(
        (distances.rows(start, stop) for start, stop in tiles(*matches.shape, tile)), matches
    )


def from_distances(
    distances: NDArray[np.number],
    query_ids: Labels,
    gallery_ids: Labels,
    query_cams: Labels,
    gallery_cams: Labels,
) -> RankedPositives:
    """Rank from a matrix of distances, queries by gallery, smaller is nearer."""
    matches = Matches(query_ids, gallery_ids, query_cams, gallery_cams)
    if distances.ndim != 2:
        raise DataError(f"distances have shape {distances.shape}; give queries by gallery")
    matches.expect(distances.shape[0], distances.shape[1], "distances")
    return rank_blocks(_finite_blocks(distances), matches)


def rank_blocks(blocks: Iterable[Block], matches: Matches) -> RankedPositives:
    """Rank from consecutive blocks of distance rows, which together hold every query once.

    One thread: a second one was measured to gain nothing, the comparisons being too short.
    """
    found: list[Int64] = []
    mask = np.empty(matches.shape[1], dtype=np.bool_)
    for block in blocks:
        for distances in block:
            positives, junk = matches.of(len(found))
            if len(positives):
                distances = distances.copy()
                distances[junk] = np.inf
                distances[matches.unknown] = np.inf
                positives = _ranks(distances, positives, mask)
            found.append(positives)
    offsets = np.zeros(len(found) + 1, dtype=np.int64)
    np.cumsum([len(ranks) for ranks in found], out=offsets[1:])
    return RankedPositives(offsets, np.concatenate([np.empty(0, dtype=np.int64), *found]))


def tiles(queries: int, gallery: int, tile: int | None = None) -> Iterator[tuple[int, int]]:
    """Ranges of queries; without `tile`, as many at a time as make a block of 192 MB."""
    if tile is not None and tile < 1:
        raise ConfigError(f"a tile of {tile} queries cannot be; give 1 or more, or leave it out")
    rows = tile or max(1, min(_MOST_ROWS, _BLOCK_VALUES // max(gallery, 1)))
    for start in range(0, queries, rows):
        yield start, min(start + rows, queries)


def _finite_blocks(distances: NDArray[np.number]) -> Iterator[Block]:
    whole = not np.issubdtype(distances.dtype, np.floating)
    for start, stop in tiles(distances.shape[0], distances.shape[1]):
        block: Block = distances[start:stop].astype(
            np.float64 if whole else distances.dtype, copy=False
        )
        finite = np.isfinite(block).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise DataError(f"the distances of query {row} hold NaN or infinity; recompute them")
        yield block


def _ranks(distances: Block, positives: Int64, mask: NDArray[np.bool_]) -> Int64:
    """Ranks of the matches, ascending, from the farthest to the nearest.

    What stands before a near match stands before a far one too, so once the farther one has been
    counted only the images before it need to be looked at again.
    """
    places = positives[np.argsort(distances[positives], kind="stable")]
    ranks = np.empty(len(places), dtype=np.int64)
    for nth in range(len(places) - 1, -1, -1):
        before = _before(distances, places[nth], mask[: len(distances)])
        count = int(np.count_nonzero(before))
        ranks[nth] = count + 1
        if nth > 1 and count < len(distances) // 2:
            chosen = np.flatnonzero(before)
            distances = distances[chosen]
            places = np.searchsorted(chosen, places[:nth])
            if count < _FEW:
                ranks[:nth] = _ranks_at_once(distances, places)
                break
    return ranks


def _before(distances: Block, place: int, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    threshold = distances[place]
    np.less_equal(distances[:place], threshold, out=mask[:place])
    np.less(distances[place:], threshold, out=mask[place:])
    return mask


def _ranks_at_once(distances: Block, places: Int64) -> Int64:
    thresholds = distances[places][:, None]
    before = distances == thresholds
    before &= np.arange(len(distances)) < places[:, None]
    before |= distances < thresholds
    ranks: Int64 = before.sum(axis=1, dtype=np.int64) + 1
    return ranks
