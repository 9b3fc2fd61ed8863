"""mAP: over a query's matches, the mean share of matches among all images ranked so far."""

from __future__ import annotations

import numpy as np

from .base import PerQuery, RetrievalMetric, sum_per_query
from .ranking import RankedPositives


def average_precision(ranked: RankedPositives) -> PerQuery:
    starts = np.repeat(ranked.offsets[:-1], ranked.counts)
    nth = np.arange(len(ranked.ranks)) - starts + 1
    counts = np.where(ranked.counts > 0, ranked.counts, 1)
    return sum_per_query(ranked, nth / ranked.ranks) / counts


METRICS = (RetrievalMetric("mean_ap", "mAP", average_precision, place=0),)
