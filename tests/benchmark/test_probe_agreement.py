"""Engines that rotate, permute, scale or spoil answers are told from ones that round."""

from __future__ import annotations

import numpy as np
import pytest

from personvit.benchmark.probe_agreement import LIMITS, compare


@pytest.fixture
def expected() -> np.ndarray:
    vectors = np.random.default_rng(0).normal(size=(200, 64)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def disturbed(vectors: np.ndarray, size: float) -> np.ndarray:
    noise = np.random.default_rng(1).normal(size=vectors.shape).astype(np.float32)
    return vectors + size * noise / np.sqrt(vectors.shape[1])


def test_rounding_agrees_and_the_text_says_how_well(expected):
    found = compare(disturbed(expected, 0.01), expected, "int8", reference=expected)
    assert found.agrees
    assert found.to_reference == pytest.approx(found.median)
    assert "median cosine 0.9999" in found.as_text()
    assert "200 probe crops" in found.as_text()


def test_an_exact_copy_shares_every_neighbour(expected):
    found = compare(expected, expected, "fp32")
    assert (found.median, found.overlap) == (pytest.approx(1.0, abs=1e-6), 1.0)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_drift_permutation_and_nonsense_are_refused(expected, precision):
    spoilt = expected.copy()
    spoilt[17] = np.nan
    for wrong in (disturbed(expected, 0.3), expected[::-1].copy(), expected[:, ::-1], spoilt):
        assert not compare(wrong, expected, precision).agrees


def test_one_ruined_crop_is_named_though_the_median_is_perfect(expected):
    found = expected.copy()
    found[42] = -found[42]
    result = compare(found, expected, "int8")
    assert result.worst_crop == 42
    assert result.median > LIMITS["int8"].median
    assert any("crop 42" in complaint for complaint in result.complaints())


def test_golden_crops_are_too_few_to_have_neighbours(expected):
    found = compare(expected[:16], expected[:16], "int8", source="golden")
    assert found.overlap is None
    assert found.agrees
    assert "golden" in found.as_text()


def test_json_holds_the_limits_it_was_judged_by(expected):
    facts = compare(expected, expected, "fp16").as_json()
    assert facts["limits"]["worst"] == LIMITS["fp16"].worst
    assert facts["agrees"] is True
