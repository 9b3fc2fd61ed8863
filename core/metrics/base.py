"""What a retrieval metric is: one number per query, made from the ranks of its matches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .ranking import RankedPositives

PerQuery = NDArray[np.float64]


@dataclass(frozen=True)
class RetrievalMetric:
    """Each file of this package that holds a metric lists its own as `METRICS`."""

    key: str
    title: str
    per_query: Callable[[RankedPositives], PerQuery]
    """A value in [0, 1] for each query; NaN where a query has no match."""
    place: int = 100
    """Where it stands in tables; smaller comes first."""


def sum_per_query(ranked: RankedPositives, values: PerQuery) -> PerQuery:
    """Sum one value per match over each query; NaN where there is no match.

    A difference of running totals would let one query's rounding leak into the next.
    """
    sums = np.full(ranked.queries, np.nan)
    scored = ranked.counts > 0
    if scored.any():
        sums[scored] = np.add.reduceat(values, ranked.offsets[:-1][scored])
    return sums
