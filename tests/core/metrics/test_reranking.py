"""Sparse re-ranking equals a dense, literal transcription of the published algorithm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personvit.core.errors import ConfigError
from personvit.core.metrics.neighbours import smallest
from personvit.core.metrics.ranking import from_distances, rank_positives
from personvit.core.metrics.reranking import PERSONVIT, RerankedDistances, Reranking
from personvit.core.metrics.scores import evaluate


def dense(query, gallery, k1, k2, weight):
    """Zhong et al. 2017, sections 3.2 to 3.4, on full matrices; ties go to the earlier image."""
    vectors = np.concatenate([query, gallery]).astype(np.float64)
    original = ((vectors[:, None] - vectors[None]) ** 2).sum(axis=2)
    largest = original.max(axis=1, keepdims=True)
    original = original / np.where(largest > 0, largest, 1)
    order = np.argsort(original, axis=1, kind="stable")
    count = len(vectors)

    def mutual(i, k):
        return [j for j in order[i, : k + 1] if i in order[j, : k + 1]]

    codes = np.zeros((count, count))
    for i in range(count):
        base = mutual(i, k1)
        expanded = set(base)
        for j in base:
            other = mutual(j, int(np.around(k1 / 2)))
            if len(set(other) & set(base)) > 2 / 3 * len(other):
                expanded |= set(other)
        members = sorted(expanded)
        if members:
            codes[i, members] = np.exp(-original[i, members])
            codes[i] /= codes[i].sum()
    if k2 != 1:
        codes = np.stack([codes[order[i, :k2]].mean(axis=0) for i in range(count)])
    shared = np.minimum(codes[: len(query), None], codes[None, len(query) :]).sum(axis=2)
    jaccard = 1 - shared / (2 - shared)
    return (1 - weight) * jaccard + weight * original[: len(query), len(query) :]


def cloud(rng, queries, gallery, width=5, levels=None):
    """Vectors around a few centres; with `levels`, whole numbers, so that distances tie."""
    centres = 2 * rng.standard_normal((4, width))
    total = queries + gallery
    vectors = centres[rng.integers(0, 4, total)] + rng.standard_normal((total, width))
    if levels:
        vectors = np.rint(vectors * levels / 4)
    return np.split(vectors.astype(np.float32), [queries])


@given(
    st.integers(0, 2**32),
    st.integers(1, 25),
    st.integers(1, 9),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from([None, 1, 4]),
)
@settings(max_examples=200, deadline=None)
def test_equals_the_dense_algorithm(seed, k1, k2, weight, levels):
    rng = np.random.default_rng(seed)
    query, gallery = cloud(rng, int(rng.integers(1, 8)), int(rng.integers(0, 50)), levels=levels)
    made = RerankedDistances(query, gallery, Reranking(k1, k2, weight), "euclidean")
    expected = dense(query, gallery, k1, k2, weight)
    np.testing.assert_allclose(made.rows(0, len(query)), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("settings_", [Reranking(), PERSONVIT])
def test_the_published_settings_under_cosine(settings_):
    query, gallery = cloud(np.random.default_rng(0), 30, 400, width=16)
    made = RerankedDistances(query, gallery, settings_).rows(0, 30)
    query, gallery = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (query, gallery))
    expected = dense(query, gallery, settings_.k1, settings_.k2, settings_.weight)
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-5)


def test_identical_images_do_no_harm():
    same = np.ones((40, 3), dtype=np.float32)
    made = RerankedDistances(same[:5], same[5:], Reranking(k1=4, k2=2)).rows(0, 5)
    np.testing.assert_allclose(made, dense(same[:5], same[5:], 4, 2, 0.3), atol=1e-12)


def test_ranking_reranks_without_the_unknown_and_without_regard_to_the_tile():
    rng = np.random.default_rng(1)
    query, gallery = cloud(rng, 20, 150)
    ids = rng.integers(1, 6, 20), rng.integers(-1, 6, 150)
    cams = rng.integers(1, 4, 20), rng.integers(1, 4, 150)
    kept = ids[1] != -1
    expected = from_distances(
        RerankedDistances(query, gallery[kept]).rows(0, 20),
        *(ids[0], ids[1][kept], cams[0], cams[1][kept]),
    )
    for tile in (None, 1, 7):
        ranked = rank_positives(query, gallery, *ids, *cams, rerank=Reranking(), tile=tile)
        np.testing.assert_array_equal(ranked.ranks, expected.ranks)


def test_reranking_helps_where_neighbours_agree():
    """A chain of cameras: direct distances fail where shared neighbours succeed."""
    rng = np.random.default_rng(2)
    identities = np.repeat(np.arange(1, 41), 12)
    cams = np.tile(np.arange(1, 7), 80)
    centres = rng.standard_normal((41, 24))[identities]
    vectors = (centres + 0.9 * rng.standard_normal(centres.shape)).astype(np.float32)
    is_query = np.arange(480) % 12 == 0
    data = [part for v in (vectors, identities, cams) for part in (v[is_query], v[~is_query])]
    assert evaluate(*data, rerank=Reranking()).mean_ap > evaluate(*data).mean_ap


def test_the_smallest_are_found_in_order_with_ties():
    rng = np.random.default_rng(4)
    for size in (1, 10, 5000):
        for levels in (3, 100_000):
            values = rng.integers(0, levels, size).astype(np.float64)
            for k in (1, min(size, 20), size):
                expected = np.argsort(values, kind="stable")[:k]
                np.testing.assert_array_equal(smallest(values, k), expected)


def test_settings_that_cannot_be_are_refused():
    for wrong in ({"k1": 0}, {"k2": 0}, {"weight": 1.5}):
        with pytest.raises(ConfigError, match="re-ranking with"):
            Reranking(**wrong)
