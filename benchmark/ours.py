"""This project's own ranking and re-ranking, as a contender."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..core.metrics.ranking import from_distances
from ..core.metrics.reranking import RerankedDistances, Reranking
from ..core.metrics.scores import evaluate, score
from .contest import Contender, Facts
from .retrieval_case import load_labels, summary


def _rank_distances(_: Path | None, case: Path) -> Callable[[], Facts]:
    distances, labels = np.load(case / "distances.npy"), load_labels(case)
    return lambda: summary(score(from_distances(distances, *labels)))


def _rank_embeddings(_: Path | None, case: Path) -> Callable[[], Facts]:
    query, gallery = np.load(case / "query.npy"), np.load(case / "gallery.npy")
    labels = load_labels(case)
    return lambda: summary(evaluate(query, gallery, *labels))


def _rerank(_: Path | None, case: Path) -> Callable[[], Facts]:
    query, gallery = np.load(case / "query.npy"), np.load(case / "gallery.npy")
    k1, k2, weight = np.load(case / "settings.npy").tolist()

    def work() -> Facts:
        made = RerankedDistances(query, gallery, Reranking(int(k1), int(k2), weight))
        out = np.lib.format.open_memmap(
            case / "ours-reranked.npy", "w+", np.float32, (len(query), len(gallery))
        )
        for start in range(0, len(query), 256):
            out[start : start + 256] = made.rows(start, min(start + 256, len(query)))
        return {}

    return work


CONTENDER = Contender(
    "ours",
    "PersonViT-Edge",
    {"rank-distances": _rank_distances, "rank-embeddings": _rank_embeddings, "rerank": _rerank},
)
