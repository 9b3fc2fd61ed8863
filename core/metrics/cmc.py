"""CMC: whether the first match stands at rank k or better (Rank-1, Rank-5, ...)."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from .base import PerQuery, RetrievalMetric
from .ranking import RankedPositives


def first_rank(ranked: RankedPositives) -> PerQuery:
    """The rank of each query's first match; NaN where there is none."""
    ranks = np.full(ranked.queries, np.nan)
    scored = ranked.counts > 0
    ranks[scored] = ranked.ranks[ranked.offsets[:-1][scored]]
    return ranks


def found_by(ranked: RankedPositives, k: int) -> PerQuery:
    first = first_rank(ranked)
    return np.where(np.isnan(first), np.nan, (first <= k).astype(np.float64))


def cmc_curve(ranked: RankedPositives, length: int) -> NDArray[np.float64]:
    """The share of the scored queries whose first match stands at rank 1, 2, ... `length`."""
    first = first_rank(ranked)
    first = np.sort(first[~np.isnan(first)])
    found: NDArray[np.int64] = np.searchsorted(first, np.arange(1, length + 1), side="right")
    return found / max(len(first), 1)


METRICS = tuple(
    RetrievalMetric(f"rank{k}", f"Rank-{k}", partial(found_by, k=k), place=10 + k)
    for k in (1, 5, 10)
)
