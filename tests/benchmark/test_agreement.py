"""Agreement rises and falls with what noise does to retrieval, and never looks at a crop itself."""

from __future__ import annotations

import json

import numpy as np
import pytest

from personvit.benchmark.agreement import AgreementLimits, agree, neighbour_scores
from personvit.core.errors import ConfigError, DataError
from personvit.core.metrics.scores import evaluate

WIDTH = 96


def crowd(seed: int = 0, people: int = 150, crops: int = 6) -> np.ndarray:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(people, WIDTH)) * np.linspace(1.5, 0.3, WIDTH)
    return np.repeat(centres, crops, axis=0) + 1.5 * random.normal(size=(people * crops, WIDTH))


def shaken(embeddings: np.ndarray, amount: float, seed: int = 1) -> np.ndarray:
    size = amount * np.linalg.norm(embeddings, axis=1, keepdims=True) / WIDTH**0.5
    return embeddings + size * np.random.default_rng(seed).normal(size=embeddings.shape)


def naive(teacher: np.ndarray, candidate: np.ndarray, k: int, ordered: int):
    def lists(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
        distances = -unit @ unit.T
        np.fill_diagonal(distances, np.inf)
        return np.argsort(distances, axis=1, kind="stable"), distances

    (taught, _), (found, now) = lists(teacher), lists(candidate)
    overlap, tau = [], []
    for crop in range(len(teacher)):
        overlap.append(len({*taught[crop, :k]} & {*found[crop, :k]}) / k)
        row = now[crop, taught[crop, :ordered]]
        pairs = [np.sign(row[j] - row[i]) for i in range(ordered) for j in range(i + 1, ordered)]
        tau.append(np.mean(pairs))
    return np.array(overlap), np.array(tau)


def test_scores_equal_a_naive_count() -> None:
    teacher = crowd(people=15, crops=4)
    candidate = shaken(teacher, 0.3)
    expected = naive(teacher, candidate, 5, 8)
    found = neighbour_scores(teacher, candidate, 5, 8)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_crop_is_not_its_own_neighbour_even_among_copies() -> None:
    crops = np.repeat(crowd(people=10, crops=3), 8, axis=0)
    overlap, order = neighbour_scores(crops, crops, 4, 6)
    assert (overlap == 1).all()
    assert order.max() <= 1
    assert agree(crowd(), crowd()).verdict.decision == "pass"


def test_noise_that_hurts_retrieval_does_not_pass_and_noise_that_does_not_passes() -> None:
    teacher = crowd()
    people, cameras = np.repeat(np.arange(1, 151), 6), np.tile([1, 2, 3], 300)
    query = np.arange(900) % 6 < 2

    def mean_ap(embeddings: np.ndarray) -> float:
        sides = [part[side] for part in (embeddings, people, cameras) for side in (query, ~query)]
        return 100 * evaluate(*sides).mean_ap

    harmless, harmful = shaken(teacher, 0.03), shaken(teacher, 0.25)
    assert abs(mean_ap(harmless) - mean_ap(teacher)) < 0.3
    assert mean_ap(harmful) < mean_ap(teacher) - 0.5
    assert agree(teacher, harmless, resamples=500).verdict.decision == "pass"
    assert agree(teacher, harmful, resamples=500).verdict.decision == "fail"


def test_a_broken_tail_fails_though_the_neighbours_hold() -> None:
    teacher = crowd()
    candidate = teacher.copy()
    candidate[:90] = shaken(teacher[:90], 0.3)
    verdict = agree(teacher, candidate, resamples=500).verdict
    assert verdict.checks[2].decision == "fail"
    assert verdict.decision == "fail"


def test_a_collapsed_candidate_fails() -> None:
    teacher = crowd()
    collapsed = np.ones_like(teacher) + 1e-3 * np.random.default_rng(0).normal(size=teacher.shape)
    assert agree(teacher, collapsed, resamples=200).verdict.decision == "fail"


def test_few_crops_stay_undecided_and_say_how_many_are_needed() -> None:
    teacher = crowd(people=10, crops=6)
    verdict = agree(teacher, teacher.copy(), resamples=200).verdict
    assert verdict.decision == "undecided"
    assert verdict.needed == AgreementLimits().fewest_crops
    assert "crops are needed" in verdict.sentence


def test_it_says_agreement_and_never_claims_accuracy() -> None:
    verdict = agree(crowd(), crowd(), resamples=200).verdict
    assert verdict.kind == "agreement"
    assert "agreement, not accuracy" in verdict.sentence
    json.dumps(verdict.as_json(), allow_nan=False)


def test_crops_of_one_track_count_as_one_group() -> None:
    teacher, tracks = crowd(), np.repeat(np.arange(150), 6)
    candidate = teacher + np.repeat(0.4 * np.random.default_rng(2).normal(size=(150, WIDTH)), 6, 0)
    alone = agree(teacher, candidate, resamples=500).verdict
    grouped = agree(teacher, candidate, groups=tracks, resamples=500).verdict
    assert grouped.clusters == 150
    assert grouped.checks[0].error > alone.checks[0].error


def test_crops_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ConfigError, match="nearest neighbours"):
        agree(crowd(people=5, crops=2), crowd(people=5, crops=2))
    with pytest.raises(DataError, match="same crops"):
        agree(crowd(), crowd()[1:])
    broken = crowd()
    broken[7] = 0
    with pytest.raises(DataError, match="row 7"):
        agree(crowd(), broken)
