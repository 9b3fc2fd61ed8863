"""mINP: how much of the list must be read to see all matches (Ye et al., 2021, AGW)."""

from __future__ import annotations

import numpy as np

from .base import PerQuery, RetrievalMetric
from .ranking import RankedPositives


def inverse_negative_penalty(ranked: RankedPositives) -> PerQuery:
    """The number of matches over the rank of the last one."""
    penalty = np.full(ranked.queries, np.nan)
    scored = ranked.counts > 0
    last = ranked.ranks[ranked.offsets[1:][scored] - 1]
    penalty[scored] = ranked.counts[scored] / last
    return penalty


METRICS = (RetrievalMetric("minp", "mINP", inverse_negative_penalty, place=30),)
