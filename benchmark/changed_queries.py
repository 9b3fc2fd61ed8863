"""The queries that lost most, with the pictures that both models answered them with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .comparison import (
    CrossPrecision,
    RetrievalLabels,
    Split,
    TopMatches,
    top_matches,
    worst_changed,
)
from .report_data import Answer, ChangedQuery

Read = Callable[[str], NDArray[np.uint8]]


def changed_queries(
    runs: CrossPrecision,
    before: Split,
    after: Split,
    labels: RetrievalLabels,
    query_paths: Sequence[str],
    gallery_paths: Sequence[str],
    read: Read,
    *,
    count: int = 8,
    answers: int = 5,
) -> tuple[ChangedQuery, ...]:
    """The worst `count` queries; `read` turns one of the paths into an RGB picture."""
    worst = worst_changed(runs.reference, runs.candidate, count)
    old = top_matches(before, labels, worst, answers)
    new = top_matches(after, labels, worst, answers)

    def shown(found: TopMatches) -> tuple[Answer, ...]:
        pairs = zip(found.gallery, found.right, strict=True)
        return tuple(Answer(read(gallery_paths[place]), right) for place, right in pairs)

    return tuple(
        ChangedQuery(
            name=query_paths[query].rpartition("/")[2],
            picture=read(query_paths[query]),
            before_ap=float(runs.reference.per_query["mean_ap"][query]),
            after_ap=float(runs.candidate.per_query["mean_ap"][query]),
            before=shown(first),
            after=shown(second),
        )
        for query, first, second in zip(worst, old, new, strict=True)
    )
