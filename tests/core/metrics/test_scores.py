"""mAP, CMC and mINP equal a slow, literal transcription of the published rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personvit.core.errors import DataError
from personvit.core.metrics.catalogue import metrics
from personvit.core.metrics.ranking import from_distances, rank_positives
from personvit.core.metrics.scores import score


@dataclass(frozen=True)
class Case:
    """Small labels and distances with many ties."""

    distances: np.ndarray
    query_ids: np.ndarray
    gallery_ids: np.ndarray
    query_cams: np.ndarray
    gallery_cams: np.ndarray

    @property
    def labels(self):
        return self.query_ids, self.gallery_ids, self.query_cams, self.gallery_cams


def random_labels(rng, queries, gallery):
    identities = int(rng.integers(1, 6))
    cameras = int(rng.integers(1, 4))
    return (
        rng.integers(-1, identities + 1, queries),
        rng.integers(-1, identities + 1, gallery),
        rng.integers(1, cameras + 1, queries),
        rng.integers(1, cameras + 1, gallery),
    )


def random_case(seed):
    rng = np.random.default_rng(seed)
    queries, gallery = int(rng.integers(0, 7)), int(rng.integers(0, 40))
    levels = int(rng.choice([2, 5, 1000]))
    distances = rng.integers(0, levels, (queries, gallery)).astype(np.float32) / 8
    return Case(distances, *random_labels(rng, queries, gallery))


def naive_scores(distances, query_ids, gallery_ids, query_cams, gallery_cams):
    """Average precision, first rank and inverse negative penalty of each query, or None."""
    scores = []
    for query, row in enumerate(distances):
        hits = []
        for place in sorted(range(len(row)), key=lambda place: (row[place], place)):
            identity, camera = gallery_ids[place], gallery_cams[place]
            if identity == -1:
                continue
            if identity > 0 and identity == query_ids[query] and camera == query_cams[query]:
                continue
            hits.append(bool(identity > 0 and identity == query_ids[query]))
        if not any(hits):
            scores.append(None)
            continue
        ranks = [rank for rank, hit in enumerate(hits, start=1) if hit]
        precision = [(n + 1) / rank for n, rank in enumerate(ranks)]
        scores.append((sum(precision) / len(ranks), ranks[0], len(ranks) / ranks[-1]))
    return scores


def check_against_naive(scores, expected):
    """`scores` None means that no query had a match."""
    kept = [row for row in expected if row is not None]
    if not kept:
        assert scores is None
        return
    none = (np.nan, np.nan, np.nan)
    precision, first, penalty = np.array([none if row is None else row for row in expected]).T
    np.testing.assert_allclose(scores.per_query["mean_ap"], precision, rtol=1e-13)
    np.testing.assert_allclose(scores.per_query["minp"], penalty, rtol=1e-13)
    for k in (1, 5, 10):
        found = np.where(np.isnan(first), np.nan, first <= k)
        np.testing.assert_array_equal(scores.per_query[f"rank{k}"], found)
        assert scores.rank(k) == pytest.approx(np.nanmean(found))
    assert scores.mean_ap == pytest.approx(np.nanmean(precision))
    assert scores.minp == pytest.approx(np.nanmean(penalty))
    assert (scores.n_queries, scores.n_skipped) == (len(expected), len(expected) - len(kept))


def scores_or_none(ranked):
    try:
        return score(ranked)
    except DataError as problem:
        assert "has a match" in str(problem)
        return None


@pytest.mark.parametrize("start", range(0, 3000, 500))
def test_thousands_of_small_matrices(start):
    """Ties everywhere, junk, distractors, one-camera identities, no match, empty sets."""
    for seed in range(start, start + 500):
        case = random_case(seed)
        ranked = from_distances(case.distances, *case.labels)
        check_against_naive(scores_or_none(ranked), naive_scores(case.distances, *case.labels))


@given(st.integers(0, 2**32), st.sampled_from(["cosine", "euclidean"]), st.integers(1, 9))
@settings(max_examples=300, deadline=None)
def test_embeddings_with_ties(seed, metric, tile):
    """Small integer vectors: their distances can be computed exactly in another way."""
    rng = np.random.default_rng(seed)
    labels = random_labels(rng, int(rng.integers(0, 7)), int(rng.integers(0, 40)))
    query, gallery = (
        rng.choice(AXES, size=len(ids)) * rng.choice([1, 2, 4], size=(len(ids), 1))
        for ids in labels[:2]
    )
    ranked = rank_positives(query, gallery, *labels, metric=metric, tile=tile)
    distances = literal_distances(query, gallery, metric)
    check_against_naive(scores_or_none(ranked), naive_scores(distances, *labels))


AXES = np.concatenate([np.eye(4), -np.eye(4), np.ones((1, 4)), -np.ones((1, 4))]).astype(np.float32)


def literal_distances(query, gallery, metric):
    if metric == "cosine":
        query, gallery = (v / np.sqrt((v * v).sum(axis=1, keepdims=True)) for v in (query, gallery))
        return -(query[:, None] * gallery[None]).sum(axis=2)
    return ((query[:, None] - gallery[None]) ** 2).sum(axis=2)


def test_a_large_gallery_takes_the_shrinking_path():
    """Thousands of images, so that counting continues among the images before the farthest."""
    rng = np.random.default_rng(3)
    distances = rng.integers(0, 3000, (20, 5000)).astype(np.float32)
    query_ids, gallery_ids = rng.integers(1, 60, 20), rng.integers(-1, 60, 5000)
    near = gallery_ids[None] == query_ids[:, None]
    distances[near] //= rng.integers(2, 200, int(near.sum()))
    labels = query_ids, gallery_ids, rng.integers(1, 4, 20), rng.integers(1, 4, 5000)
    scores = score(from_distances(distances, *labels))
    check_against_naive(scores, naive_scores(distances, *labels))


def test_a_hand_made_case():
    """Gallery in rank order: wrong, right, junk, distractor, right; so ranks 2 and 4 of 4."""
    ids, cams = [2, 1, 1, 0, 1], [1, 2, 1, 1, 3]
    scores = score(from_distances(np.arange(5.0)[None], [1], ids, [1], cams))
    assert scores.mean_ap == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert scores.minp == pytest.approx(2 / 4)
    assert scores.rank(1) == 0
    assert scores.rank(5) == 1


def test_of_two_at_the_same_distance_the_first_in_the_gallery_ranks_first():
    for ids, rank in (([1, 2], 1), ([2, 1], 2)):
        ranked = from_distances(np.zeros((1, 2)), [1], ids, [1], [2, 2])
        assert ranked.ranks.tolist() == [rank]


def test_whole_numbers_are_distances_too():
    """Hamming distances, for example."""
    ranked = from_distances(np.array([[3, 1, 1]]), [1], [2, 1, 1], [1], [1, 1, 2])
    assert ranked.ranks.tolist() == [1]


def test_no_query_with_a_match_is_an_error_and_some_are_counted():
    with pytest.raises(DataError, match="none of the 2 queries"):
        score(from_distances(np.zeros((2, 1)), [1, 2], [3], [1, 1], [2]))
    scores = score(from_distances(np.zeros((2, 1)), [1, 2], [1], [1, 1], [2]))
    assert scores.n_skipped == 1
    assert "1 without a match skipped" in scores.as_text()
    assert scores.as_json()["mean_ap"] == 1


def test_every_metric_of_the_catalogue_keeps_its_contract():
    ranked = from_distances(np.zeros((2, 3)), [1, 2], [1, 3, 1], [1, 1], [2, 2, 2])
    found = metrics()
    assert len({metric.key for metric in found}) == len(found) >= 5
    for metric in found:
        values = metric.per_query(ranked)
        assert values.dtype == np.float64
        assert 0 <= values[0] <= 1
        assert np.isnan(values[1])
