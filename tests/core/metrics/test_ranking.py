"""Ranks do not depend on tiles or threads, and broken input is refused with a reason."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from personvit.core.errors import ConfigError, DataError
from personvit.core.metrics.exact import ExactDistances
from personvit.core.metrics.ranking import from_distances, rank_positives
from personvit.core.metrics.scores import evaluate


def embeddings(seed=0, queries=61, gallery=407, width=48):
    rng = np.random.default_rng(seed)
    query_ids, gallery_ids = rng.integers(1, 20, queries), rng.integers(-1, 20, gallery)
    centres = rng.standard_normal((21, width))
    query = centres[query_ids] + 2 * rng.standard_normal((queries, width))
    found = centres[gallery_ids] + 2 * rng.standard_normal((gallery, width))
    cams = rng.integers(1, 5, queries), rng.integers(1, 5, gallery)
    return query.astype(np.float32), found.astype(np.float32), query_ids, gallery_ids, *cams


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_distances_are_the_same_numbers_in_any_tile_and_any_order_of_the_values(metric):
    query, gallery, *_ = embeddings()
    whole = ExactDistances(query, gallery, metric).rows(0, len(query))
    assert (whole == np.rint(whole)).all()
    assert np.abs(whole).max() < 2**53
    for tile in (1, 3, 17, 60):
        parts = ExactDistances(query, gallery, metric)
        rows = [parts.rows(start, start + tile) for start in range(0, len(query), tile)]
        np.testing.assert_array_equal(np.concatenate(rows), whole)
    if metric == "euclidean":
        order = np.random.default_rng(1).permutation(query.shape[1])
        shuffled = ExactDistances(query[:, order], gallery[:, order], metric)
        np.testing.assert_array_equal(shuffled.rows(0, len(query)), whole)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_exact_distances_are_nearer_to_the_truth_than_a_float32_product(metric):
    query, gallery, *_ = embeddings(width=384)
    if metric == "cosine":
        query, gallery = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (query, gallery))
    exact = ExactDistances(query, gallery, metric).rows(0, len(query))
    wide, found = query.astype(np.longdouble), gallery.astype(np.longdouble)
    truth, rounded = -(wide @ found.T), -(query @ gallery.T)
    if metric == "euclidean":
        truth = 2 * truth + (found * found).sum(axis=1)
        rounded = 2 * rounded + (gallery * gallery).sum(axis=1)
    unit = exact[0, 0] / truth[0, 0]
    scale = 2.0 ** round(float(np.log2(abs(unit))))
    assert np.abs(exact / scale - truth).max() < np.abs(rounded - truth).max()


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_ranks_do_not_depend_on_the_tile(metric):
    data = embeddings()
    expected = rank_positives(*data, metric=metric)
    assert len(expected.ranks)
    for tile in (1, 7, 64, 1000):
        ranked = rank_positives(*data, metric=metric, tile=tile)
        np.testing.assert_array_equal(ranked.ranks, expected.ranks)
        np.testing.assert_array_equal(ranked.offsets, expected.offsets)


def test_distances_do_not_depend_on_the_number_of_threads():
    """Other processes, because a BLAS library reads its thread count once."""
    program = (
        "import hashlib, numpy as np\n"
        "from personvit.core.metrics.exact import ExactDistances\n"
        "rng = np.random.default_rng(5)\n"
        "query, gallery = (rng.standard_normal((n, 384)).astype('f4') for n in (133, 1501))\n"
        "rows = ExactDistances(query, gallery, 'cosine').rows(0, 133)\n"
        "print(hashlib.sha256(rows.tobytes()).hexdigest())\n"
    )
    digests = set()
    for threads in ("1", "2", "3"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"PATH": "", **dict.fromkeys(names, threads)},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout)
    assert len(digests) == 1


def test_cosine_ignores_lengths_and_extreme_ones_do_no_harm():
    query, gallery, *labels = embeddings()
    expected = rank_positives(query, gallery, *labels).ranks
    lengths = 2.0 ** np.random.default_rng(0).integers(-60, 60, (len(gallery), 1))
    scaled = (gallery * lengths).astype(np.float32)
    np.testing.assert_array_equal(rank_positives(query, scaled, *labels).ranks, expected)


def test_the_given_matrix_is_not_changed():
    distances = np.random.default_rng(0).random((3, 6))
    before = distances.copy()
    from_distances(distances, [1, 2, 1], [1, 1, 2, 2, -1, 1], [1, 1, 1], [1, 2, 1, 2, 1, 2])
    np.testing.assert_array_equal(distances, before)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_embedding_that_is_not_a_number_is_named(value):
    data = list(embeddings())
    data[1][5, 3] = value
    with pytest.raises(DataError, match="gallery embedding in row 5 holds NaN"):
        evaluate(*data)


def test_an_embedding_of_zeros_has_no_cosine():
    data = list(embeddings())
    data[0][7] = 0
    with pytest.raises(DataError, match="query embedding in row 7 is all zeros"):
        evaluate(*data)
    assert evaluate(*data, metric="euclidean").n_queries == 61


def test_lengths_and_widths_that_disagree_are_refused():
    query, gallery, query_ids, gallery_ids, query_cams, gallery_cams = embeddings()
    labels = query_ids, gallery_ids, query_cams, gallery_cams
    with pytest.raises(DataError, match="60 query embeddings but 61 query identities"):
        rank_positives(query[:-1], gallery, *labels)
    with pytest.raises(DataError, match="gallery_cams has 406 entries for 407"):
        rank_positives(query, gallery, *labels[:3], gallery_cams[:-1])
    with pytest.raises(DataError, match="48 values and gallery embeddings 47"):
        rank_positives(query, gallery[:, 1:], *labels)
    with pytest.raises(DataError, match="give integers"):
        rank_positives(query, gallery, query_ids + 0.5, *labels[1:])
    with pytest.raises(DataError, match="distances of query 1 hold NaN"):
        from_distances(np.array([[0.0], [np.nan]]), [1, 1], [1], [1, 1], [2])
    with pytest.raises(ConfigError, match="tile of 0"):
        rank_positives(query, gallery, *labels, tile=0)
