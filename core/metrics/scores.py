"""The scores of one retrieval run, with every query's own values kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .base import PerQuery
from .catalogue import metrics
from .cmc import cmc_curve
from .exact import Metric
from .matches import Labels
from .ranking import RankedPositives, rank_positives
from .reranking import Reranking

CMC_LENGTH = 50


@dataclass(frozen=True)
class RetrievalScores:
    """Means over the queries that have a match; `per_query` holds NaN for the others."""

    per_query: Mapping[str, PerQuery]
    cmc: NDArray[np.float64]
    n_queries: int
    n_skipped: int

    def mean(self, key: str) -> float:
        return float(np.nanmean(self.per_query[key]))

    @property
    def mean_ap(self) -> float:
        return self.mean("mean_ap")

    @property
    def minp(self) -> float:
        return self.mean("minp")

    def rank(self, k: int) -> float:
        """The CMC at rank k, for k up to 50."""
        return float(self.cmc[k - 1])

    def as_json(self) -> Mapping[str, Any]:
        """Means as fractions of 1; the per-query values are arrays and travel in an .npz file."""
        means: dict[str, Any] = {key: self.mean(key) for key in self.per_query}
        return means | {
            "n_queries": self.n_queries,
            "n_skipped": self.n_skipped,
            "cmc": self.cmc.tolist(),
        }

    def as_text(self) -> str:
        means = "  ".join(
            f"{metric.title} {100 * self.mean(metric.key):.2f} %"
            for metric in metrics()
            if metric.key in self.per_query
        )
        skipped = f", {self.n_skipped} without a match skipped" if self.n_skipped else ""
        return f"{means}  ({self.n_queries} queries{skipped})"


def score(ranked: RankedPositives) -> RetrievalScores:
    skipped = int((ranked.counts == 0).sum())
    if skipped == ranked.queries:
        raise DataError(
            f"none of the {ranked.queries} queries has a match in the gallery: no gallery image "
            "shows a query's identity from another camera; check that the splits belong together "
            "and that the camera numbers were read from the file names"
        )
    return RetrievalScores(
        per_query={metric.key: metric.per_query(ranked) for metric in metrics()},
        cmc=cmc_curve(ranked, CMC_LENGTH),
        n_queries=ranked.queries,
        n_skipped=skipped,
    )


def evaluate(
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
) -> RetrievalScores:
    """Rank and score embeddings; see `rank_positives` for the arguments."""
    labels = (query_ids, gallery_ids, query_cams, gallery_cams)
    return score(rank_positives(query, gallery, *labels, metric=metric, rerank=rerank, tile=tile))
