"""Thresholds count what a full matrix would count, and admit what the data cannot resolve."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from personvit.benchmark.pairs import FINE, edge, pair_scores
from personvit.benchmark.thresholds import thresholds
from personvit.core.errors import ConfigError, DataError


def crowd(seed: int, people: int, crops: int, cameras: int = 6, width: int = 32):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(people, width)) * np.linspace(2, 0.3, width)
    embeddings = np.repeat(centres, crops, axis=0) + 0.8 * random.normal(
        size=(people * crops, width)
    )
    identities = np.repeat(np.arange(1, people + 1), crops)
    return (
        embeddings.astype(np.float32),
        identities,
        random.integers(1, cameras + 1, people * crops),
    )


def naive(embeddings, identities, cameras) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of genuine and impostor pairs, from the whole matrix."""
    known = identities > 0
    embeddings, identities, cameras = embeddings[known], identities[known], cameras[known]
    unit = embeddings.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    one, other = np.triu_indices(len(unit), 1)
    across = cameras[one] != cameras[other]
    same = identities[one] == identities[other]
    cosines = (unit[one] * unit[other]).sum(axis=1)
    return cosines[across & same], cosines[across & ~same]


@settings(max_examples=30, deadline=None)
@given(some.integers(0, 10_000), some.integers(1, 40))
def test_counts_equal_the_full_matrix_whatever_the_tile(seed: int, tile: int) -> None:
    embeddings, identities, cameras = crowd(seed, 8, 4, cameras=3)
    mixed = np.random.default_rng(seed).permutation(len(identities))
    identities[mixed[:3]] = [-1, 0, 0]
    data = embeddings[mixed], identities[mixed], cameras[mixed]
    genuine, impostor = naive(*data)
    scores = pair_scores(*data, tile=tile)
    assert scores.genuine_pairs == len(genuine)
    accepts = scores.false_accepts()
    for index in range(0, FINE, 501):
        near = int((np.abs(impostor - edge(index)) < 1e-6).sum())
        assert abs(int(accepts[index]) - int((impostor >= edge(index)).sum())) <= near
    assert scores.by_identity.sum() == 2 * len(impostor)
    assert np.array_equal(scores.by_identity, pair_scores(*data).by_identity)


def test_thresholds_are_the_quantiles_of_the_impostors() -> None:
    data = crowd(1, 150, 6)
    genuine, impostor = naive(*data)
    scores = pair_scores(*data)
    found = thresholds(scores, scores, resamples=300)
    for row in found.reference:
        assert row.threshold == pytest.approx(np.quantile(impostor, 1 - row.far), abs=3e-3)
        assert (impostor >= row.threshold).mean() <= row.far
        assert row.tar == pytest.approx((genuine >= row.threshold).mean(), abs=2e-3)
        assert row.low < row.threshold < row.high
        assert row.tar_low <= row.tar <= row.tar_high
    assert found.reference == found.candidate


def test_intervals_cover_the_threshold_of_the_whole_population() -> None:
    accepts, pairs = np.zeros(FINE + 1), 0
    for seed in (1000, 1001):
        scores = pair_scores(*crowd(seed, 1500, 2))
        accepts += scores.false_accepts()
        pairs += scores.impostor_pairs
    true = edge(int(np.argmax(accepts <= 1e-2 * pairs)))
    covered = 0
    for seed in range(60):
        scores = pair_scores(*crowd(seed, 100, 4))
        row = thresholds(scores, scores, fars=[1e-2], resamples=300, seed=seed).reference[0]
        covered += row.low <= true <= row.high
    assert covered >= 54


def test_a_rate_without_30_false_accepts_behind_it_is_not_resolvable() -> None:
    scores = pair_scores(*crowd(2, 40, 4))
    assert scores.impostor_pairs < 30 / 1e-3 < 30 / 1e-4
    row = thresholds(scores, scores, resamples=100).reference[2]
    assert not row.resolvable
    assert row.threshold is row.tar is None
    assert row.exceedances < 30
    assert "not resolvable" in thresholds(scores, scores, resamples=100).as_text()


def test_the_old_threshold_is_tried_on_the_new_model() -> None:
    data = crowd(3, 120, 6)
    narrow = data[0] + 2.0
    before, after = pair_scores(*data), pair_scores(narrow, *data[1:])
    kept = thresholds(before, after, resamples=100).kept[0]
    _, impostor = naive(narrow, *data[1:])
    assert kept.new_far == pytest.approx((impostor >= kept.threshold).mean(), abs=1e-4)
    assert kept.new_far > 5 * kept.far


def test_the_stored_form_is_the_same_every_time() -> None:
    data = crowd(4, 60, 5)
    scores = pair_scores(*data)
    forms = {json.dumps(thresholds(scores, scores, seed=9).as_json(), allow_nan=False)}
    again = pair_scores(*data, tile=7)
    forms.add(json.dumps(thresholds(again, again, seed=9).as_json(), allow_nan=False))
    assert len(forms) == 1


def test_data_that_cannot_make_pairs_is_refused() -> None:
    embeddings, identities, cameras = crowd(5, 10, 4)
    with pytest.raises(DataError, match="several cameras"):
        pair_scores(embeddings, identities, np.ones_like(cameras))
    with pytest.raises(DataError, match="several people"):
        pair_scores(embeddings, np.ones_like(identities), cameras)
    with pytest.raises(DataError, match="known identity"):
        pair_scores(embeddings, np.zeros_like(identities), cameras)
    with pytest.raises(DataError, match="one of each"):
        pair_scores(embeddings, identities[1:], cameras)
    with pytest.raises(ConfigError, match="tile"):
        pair_scores(embeddings, identities, cameras, tile=0)
    some_pairs = pair_scores(embeddings, identities, cameras)
    with pytest.raises(DataError, match="same crops"):
        thresholds(some_pairs, pair_scores(embeddings[4:], identities[4:], cameras[4:]))
