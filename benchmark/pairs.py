"""How alike cross-camera pairs of crops score, counted in tiles; no matrix of all pairs is kept.

A genuine pair shows one person, an impostor pair two; pairs from one camera are left out, since
gates in the field compare across cameras. Cosines are counted in bins of 0.0001 from exact numbers
(core/metrics/exact.py), so the counts do not depend on tiles, threads or the BLAS library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ConfigError, DataError
from ..core.metrics.exact import ExactDistances

FINE = 20_000
"""Bins over the cosines from -1 to 1."""
COARSE = 2_000
"""Bins of the histograms that are kept for each identity."""

_VALUES_AT_ONCE = 8_000_000

Int64 = NDArray[np.int64]
Labels = NDArray[np.integer] | Sequence[int]


@dataclass(frozen=True)
class PairScores:
    """Counts of pairs by cosine. Row a of `by_identity` counts the impostor pairs that a is in."""

    impostor: Int64
    by_identity: NDArray[np.int32]
    genuine_bins: NDArray[np.int32]
    genuine_identity: NDArray[np.int32]

    @property
    def identities(self) -> int:
        return len(self.by_identity)

    @property
    def impostor_pairs(self) -> int:
        return int(self.impostor.sum())

    @property
    def genuine_pairs(self) -> int:
        return len(self.genuine_bins)

    def false_accepts(self) -> Int64:
        """Entry i: impostor pairs whose cosine is at least `edge(i)`."""
        return np.append(np.cumsum(self.impostor[::-1])[::-1], 0)

    def shares(self, bins: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Genuine and impostor shares in `bins` equal bins from -1 to 1, for a picture."""
        genuine = np.bincount(self.genuine_bins, minlength=FINE)
        coarse = (part.reshape(bins, -1).sum(axis=1) for part in (genuine, self.impostor))
        first, second = (counts / max(int(counts.sum()), 1) for counts in coarse)
        return first, second


def edge(index: int) -> float:
    """The cosine at which a fine bin begins."""
    return round(2 * index / FINE - 1, 4)


def pair_scores(
    embeddings: NDArray[np.floating],
    identities: Labels,
    cameras: Labels,
    *,
    tile: int | None = None,
) -> PairScores:
    """Count all cross-camera pairs of known identities, `tile` rows at a time."""
    order, names, seen_by = _sorted(identities, cameras, len(embeddings))
    crops = embeddings[order]
    distances = ExactDistances(crops, crops, "cosine")
    _, person = np.unique(names, return_inverse=True)
    count = int(person[-1]) + 1
    total = np.zeros(FINE + 1, dtype=np.int64)
    by_identity = np.zeros((count, COARSE), dtype=np.int32)
    genuine: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
    for start, stop in _tiles(len(crops), tile):
        bins = _bins(distances.rows(start, stop))
        genuine.append(_genuine(bins, person, seen_by, start))
        same = seen_by[start:stop, None] == seen_by
        same |= person[start:stop, None] == person
        bins[same] = FINE
        for one, first, last in _runs(person[start:stop]):
            counts = np.bincount(bins[first:last].ravel(), minlength=FINE + 1)
            total += counts
            by_identity[one] += counts[:FINE].reshape(COARSE, -1).sum(axis=1, dtype=np.int32)
    bins_found, people_found = (np.concatenate(part) for part in zip(*genuine, strict=True))
    scores = PairScores(total[:FINE] // 2, by_identity, bins_found, people_found)
    return _checked(scores)


def _sorted(identities: Labels, cameras: Labels, rows: int) -> tuple[Int64, Int64, Int64]:
    """Crops of known people, sorted by identity; distractors and unknown ones left out."""
    names, seen_by = np.asarray(identities, np.int64), np.asarray(cameras, np.int64)
    if not rows == len(names) == len(seen_by):
        raise DataError(
            f"{rows} embeddings, {len(names)} identities and {len(seen_by)} cameras; "
            "give one of each per crop"
        )
    order = np.argsort(names, kind="stable")
    order = order[names[order] > 0]
    if not len(order):
        raise DataError("no crop has a known identity, so no pair can be judged; label some crops")
    return order, names[order], seen_by[order]


def _tiles(rows: int, tile: int | None) -> Iterator[tuple[int, int]]:
    if tile is not None and tile < 1:
        raise ConfigError(f"a tile of {tile} rows cannot be; give 1 or more, or leave it out")
    step = tile or max(1, _VALUES_AT_ONCE // rows)
    for start in range(0, rows, step):
        yield start, min(start + step, rows)


def _bins(distances: NDArray[np.float64]) -> NDArray[np.int32]:
    """Distances are minus the inner products of vectors of length 2**26."""
    distances *= -FINE / 2 * 2.0**-52
    distances += FINE / 2
    np.clip(distances, 0, FINE - 1, out=distances)
    return distances.astype(np.int32)


def _genuine(
    bins: NDArray[np.int32], person: Int64, seen_by: Int64, start: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Each unordered pair of one person across two cameras once: the second crop comes later."""
    found, owners = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
    for row, values in enumerate(bins, start):
        stop = int(np.searchsorted(person, person[row], side="right"))
        other = seen_by[row + 1 : stop] != seen_by[row]
        found.append(values[row + 1 : stop][other])
        owners.append(np.full(len(found[-1]), person[row], np.int32))
    return np.concatenate(found), np.concatenate(owners)


def _runs(person: Int64) -> Iterator[tuple[int, int, int]]:
    """Stretches of rows that show one person."""
    starts = np.flatnonzero(np.diff(person, prepend=-1))
    for first, last in zip(starts, np.append(starts[1:], len(person)), strict=True):
        yield int(person[first]), int(first), int(last)


def _checked(scores: PairScores) -> PairScores:
    if not scores.impostor_pairs or not scores.genuine_pairs:
        raise DataError(
            f"{scores.impostor_pairs} impostor and {scores.genuine_pairs} genuine pairs across "
            "cameras: match thresholds need several people who are each seen by several cameras"
        )
    return scores
