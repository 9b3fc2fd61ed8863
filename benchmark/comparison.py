"""Two sets of embeddings of the same crops, before and after: scores, flips, cosines, mixed use.

Throughout, "reference" is the model that is trusted (FP32) and "candidate" the one on trial (INT8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError
from ..core.metrics.exact import ExactDistances
from ..core.metrics.matches import Labels, Matches
from ..core.metrics.scores import RetrievalScores, evaluate

PERCENTILES = (0.1, 1.0, 5.0, 50.0)
TABLE = (
    ("mean_ap", "mAP"),
    ("minp", "mINP"),
    ("rank1", "Rank-1"),
    ("rank5", "Rank-5"),
    ("rank10", "Rank-10"),
)

_DIGITS = 6

Embeddings = NDArray[np.floating]
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Query and gallery embeddings of one model."""

    query: Embeddings
    gallery: Embeddings


@dataclass(frozen=True)
class RetrievalLabels:
    query_ids: Labels
    gallery_ids: Labels
    query_cams: Labels
    gallery_cams: Labels

    def evaluate(self, query: Embeddings, gallery: Embeddings) -> RetrievalScores:
        labels = (self.query_ids, self.gallery_ids, self.query_cams, self.gallery_cams)
        return evaluate(query, gallery, *labels)


@dataclass(frozen=True)
class CrossPrecision:
    """Every way of mixing the two models: which one embeds the queries, which one the gallery."""

    reference: RetrievalScores
    candidate: RetrievalScores
    candidate_on_reference: RetrievalScores
    """Candidate queries on a reference gallery: what an upgraded camera meets."""
    reference_on_candidate: RetrievalScores

    def as_json(self) -> Mapping[str, Any]:
        runs = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: summary(run) for name, run in runs.items()}


@dataclass(frozen=True)
class Flips:
    """Positions of the queries whose first answer changed."""

    right_to_wrong: tuple[int, ...]
    wrong_to_right: tuple[int, ...]


@dataclass(frozen=True)
class CosineSummary:
    """How well directions are kept: cosines between both models' embeddings of the same crop."""

    mean: float
    smallest: float
    percentiles: Mapping[str, float]
    crops: int

    def as_json(self) -> Mapping[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class TopMatches:
    """The gallery images a query is answered with, nearest first, and which of them are right."""

    gallery: tuple[int, ...]
    right: tuple[bool, ...]


def cross_precision(reference: Split, candidate: Split, labels: RetrievalLabels) -> CrossPrecision:
    return CrossPrecision(
        reference=labels.evaluate(reference.query, reference.gallery),
        candidate=labels.evaluate(candidate.query, candidate.gallery),
        candidate_on_reference=labels.evaluate(candidate.query, reference.gallery),
        reference_on_candidate=labels.evaluate(reference.query, candidate.gallery),
    )


def summary(scores: RetrievalScores) -> Mapping[str, float | int]:
    """The table's metrics as fractions of 1, rounded, and how many queries stand behind them."""
    means = {key: round(scores.mean(key), _DIGITS) for key, _ in TABLE}
    return {**means, "queries": scores.n_queries - scores.n_skipped}


def flips(reference: RetrievalScores, candidate: RetrievalScores) -> Flips:
    before, after = reference.per_query["rank1"], candidate.per_query["rank1"]
    lost = np.flatnonzero((before == 1) & (after == 0))
    won = np.flatnonzero((before == 0) & (after == 1))
    return Flips(tuple(lost.tolist()), tuple(won.tolist()))


def worst_changed(
    reference: RetrievalScores, candidate: RetrievalScores, count: int
) -> tuple[int, ...]:
    """Queries that lost most AP, worst first; those that did not lose are not listed."""
    change = candidate.per_query["mean_ap"] - reference.per_query["mean_ap"]
    order = np.argsort(np.where(np.isnan(change), np.inf, change), kind="stable")
    return tuple(int(query) for query in order[:count] if change[query] < 0)


def cosines(reference: Embeddings, candidate: Embeddings) -> NDArray[np.float64]:
    """One per crop."""
    if reference.shape != candidate.shape or reference.ndim != 2 or not len(reference):
        raise DataError(
            f"embeddings of shapes {reference.shape} and {candidate.shape} cannot be compared row "
            "by row; embed the same crops with both models"
        )
    first, second = reference.astype(np.float64), candidate.astype(np.float64)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    if not np.isfinite(lengths).all() or not lengths.all():
        row = int(np.argmin(np.isfinite(lengths) & (lengths > 0)))
        raise DataError(f"the embedding in row {row} is zero, NaN or infinite in one of the models")
    alike: NDArray[np.float64] = (first * second).sum(axis=1) / lengths
    return np.clip(alike, -1.0, 1.0)


def cosine_summary(values: NDArray[np.float64]) -> CosineSummary:
    levels = {f"p{level:g}": float(np.percentile(values, level)) for level in PERCENTILES}
    return CosineSummary(
        mean=round(float(values.mean()), _DIGITS),
        smallest=round(float(values.min()), _DIGITS),
        percentiles={name: round(value, _DIGITS) for name, value in levels.items()},
        crops=len(values),
    )


def top_matches(
    split: Split, labels: RetrievalLabels, queries: Sequence[int], k: int = 5
) -> tuple[TopMatches, ...]:
    """The first k answers to each of these queries, junk left out as when scoring."""
    matches = Matches(labels.query_ids, labels.gallery_ids, labels.query_cams, labels.gallery_cams)
    chosen = np.asarray(queries, dtype=np.int64)
    distances = ExactDistances(split.query[chosen], split.gallery, "cosine")
    found = []
    for nth, query in enumerate(chosen):
        positives, junk = matches.of(int(query))
        row = distances.rows(nth, nth + 1)[0]
        row[junk] = row[matches.unknown] = np.inf
        nearest = np.argsort(row, kind="stable")[:k]
        nearest = nearest[np.isfinite(row[nearest])]
        right = np.isin(nearest, positives)
        found.append(TopMatches(tuple(nearest.tolist()), tuple(right.tolist())))
    return tuple(found)
