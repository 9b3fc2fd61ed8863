"""Which gallery images a query must find and which ones do not count: the published rules.

- A match has the query's identity and another camera.
- The same identity from the same camera is junk: it is taken out of that query's list.
- Gallery images of unknown identity (-1) are junk for every query.
- Distractors (0) stay as wrong answers and match nobody, not even another distractor.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..data.base import DISTRACTOR, UNKNOWN
from ..errors import DataError

Int64 = NDArray[np.int64]
Labels = Int64 | Sequence[int]

_NONE = np.empty(0, dtype=np.int64)


class Matches:
    """For each query, the gallery positions of its matches and of its junk, both ascending."""

    def __init__(
        self, query_ids: Labels, gallery_ids: Labels, query_cams: Labels, gallery_cams: Labels
    ) -> None:
        self._query_ids = _labels(query_ids, "query_ids")
        self._gallery_ids = _labels(gallery_ids, "gallery_ids")
        self._query_cams = _labels(query_cams, "query_cams", len(self._query_ids))
        self._gallery_cams = _labels(gallery_cams, "gallery_cams", len(self._gallery_ids))
        self.unknown: Int64 = np.flatnonzero(self._gallery_ids == UNKNOWN)
        self._by_identity = np.argsort(self._gallery_ids, kind="stable")
        ordered = self._gallery_ids[self._by_identity]
        self._starts = np.searchsorted(ordered, self._query_ids, side="left")
        self._stops = np.searchsorted(ordered, self._query_ids, side="right")

    @property
    def shape(self) -> tuple[int, int]:
        """How many queries and how many gallery images."""
        return len(self._query_ids), len(self._gallery_ids)

    def expect(self, queries: int, gallery: int, what: str) -> None:
        """Refuse labels that do not belong to data of this many rows."""
        for name, rows, labels in (
            ("query", queries, self.shape[0]),
            ("gallery", gallery, self.shape[1]),
        ):
            if rows != labels:
                raise DataError(
                    f"{rows} {name} {what} but {labels} {name} identities; give one identity and "
                    "one camera for each, in the same order"
                )

    def without_unknown(self) -> Matches:
        """The same queries on a gallery that lacks the images of unknown identity."""
        known = self._gallery_ids != UNKNOWN
        gallery = self._gallery_ids[known], self._gallery_cams[known]
        return Matches(self._query_ids, gallery[0], self._query_cams, gallery[1])

    def of(self, query: int) -> tuple[Int64, Int64]:
        """The matches and the junk of one query."""
        if self._query_ids[query] in (UNKNOWN, DISTRACTOR):
            return _NONE, _NONE
        same = self._by_identity[self._starts[query] : self._stops[query]]
        seen_here = self._gallery_cams[same] == self._query_cams[query]
        return same[~seen_here], same[seen_here]


def _labels(values: Labels, name: str, length: int | None = None) -> Int64:
    labels = np.asarray(values)
    if labels.size == 0:
        labels = labels.astype(np.int64)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{name} has shape {labels.shape} and type {labels.dtype}; give integers")
    if length is not None and len(labels) != length:
        raise DataError(
            f"{name} has {len(labels)} entries for {length} identities; they must agree"
        )
    return labels.astype(np.int64)
