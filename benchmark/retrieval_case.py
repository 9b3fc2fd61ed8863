"""Embeddings, identities and cameras with the statistics of the published data sets.

Only sizes and counts are the data sets'; the vectors are random around identities and cameras,
with some images far harder than others, so that ranks spread as those of a trained model do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core.metrics.scores import RetrievalScores

LABELS = ("query_ids", "gallery_ids", "query_cams", "gallery_cams")


@dataclass(frozen=True)
class Size:
    name: str
    queries: int
    gallery: int
    identities: int
    cameras: int
    distractors: int
    width: int = 384


MARKET = Size("market", 3368, 15913, 750, 6, 2798)
MSMT17 = Size("msmt17", 11659, 82161, 3060, 15, 0)


@dataclass(frozen=True)
class Case:
    query: NDArray[np.float32]
    gallery: NDArray[np.float32]
    labels: tuple[NDArray[np.int64], ...]

    def save(self, folder: Path) -> None:
        np.save(folder / "query.npy", self.query)
        np.save(folder / "gallery.npy", self.gallery)
        for name, labels in zip(LABELS, self.labels, strict=True):
            np.save(folder / f"{name}.npy", labels)


def make_case(size: Size, seed: int = 0) -> Case:
    rng = np.random.default_rng(seed)
    shown = size.gallery - size.distractors
    popularity = rng.gamma(4.0, size=size.identities)
    people = np.sort(rng.choice(size.identities, shown, p=popularity / popularity.sum())) + 1
    gallery_ids = np.concatenate([np.zeros(size.distractors, dtype=np.int64), people])
    gallery_cams = rng.integers(1, size.cameras + 1, size.gallery)
    asked = np.sort(rng.choice(shown, size.queries, replace=False)) + size.distractors
    query_ids, query_cams = gallery_ids[asked], gallery_cams[asked]
    centres = rng.standard_normal((size.identities + 1, size.width), dtype=np.float32)
    views = 0.6 * rng.standard_normal((size.cameras + 1, size.width), dtype=np.float32)
    labels = query_ids, gallery_ids, query_cams, gallery_cams
    return Case(
        _vectors(rng, centres, views, query_ids, query_cams),
        _vectors(rng, centres, views, gallery_ids, gallery_cams),
        labels,
    )


def load_labels(folder: Path) -> list[NDArray[np.int64]]:
    return [np.load(folder / f"{name}.npy") for name in LABELS]


def distances_of(case: Case, step: int = 1) -> NDArray[np.float32]:
    """Cosine distances of every `step`-th query, as float32, which is what peers take."""
    query, gallery = (
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        for vectors in (case.query[::step], case.gallery)
    )
    distances: NDArray[np.float32] = query @ gallery.T
    np.subtract(1, distances, out=distances)
    return distances


def summary(scores: RetrievalScores) -> dict[str, float]:
    return {"mean_ap": scores.mean_ap, "rank1": scores.rank(1), "minp": scores.minp}


def _vectors(
    rng: np.random.Generator,
    centres: NDArray[np.float32],
    views: NDArray[np.float32],
    ids: NDArray[np.int64],
    cams: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Distractors have no centre of their own: each is somebody else, alone."""
    vectors = rng.standard_normal((len(ids), centres.shape[1]), dtype=np.float32)
    hardness = 1.3 * np.exp(0.4 * rng.standard_normal((len(ids), 1)))
    vectors *= hardness.astype(np.float32)
    own = np.where(ids[:, None] > 0, centres[ids], 0)
    alone = np.flatnonzero(ids == 0)
    own[alone] = rng.standard_normal((len(alone), centres.shape[1]), dtype=np.float32)
    vectors += own
    vectors += views[cams]
    return vectors
