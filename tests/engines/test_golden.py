"""An engine that answers otherwise than proven is refused, in direction and in length."""

from __future__ import annotations

import numpy as np
import pytest

from personvit.core.errors import EnvironmentMismatch
from personvit.core.golden import Expectation
from personvit.core.manifest import Bounds
from personvit.engines.golden import Replay, check

CROPS = np.arange(16, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 1, 3), np.uint8)
EXPECTED = np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32)
REPLAY = Replay(CROPS, Expectation(EXPECTED, Bounds(0.99, 0.01)))


def answer(crops: np.ndarray) -> np.ndarray:
    return EXPECTED[crops[:, 0, 0, 0]]


def test_an_engine_that_answers_as_expected_passes_at_both_batches():
    batches = []

    def embed(crops):
        batches.append(len(crops))
        return answer(crops)

    check(embed, REPLAY, 32, "an engine")
    assert set(batches) == {1, 32}


@pytest.mark.parametrize(
    ("factor", "match"),
    [(-1.0, "golden crop 5 has cosine -1.0"), (1.1, r"golden crop 5 has a length 10\.00%")],
)
@pytest.mark.parametrize("only_at", [1, 32])
def test_one_drifting_crop_is_named_at_either_batch(factor, match, only_at):
    def embed(crops):
        found = answer(crops).copy()
        if len(crops) == only_at:
            found[crops[:, 0, 0, 0] == 5] *= factor
        return found

    with pytest.raises(EnvironmentMismatch, match=match):
        check(embed, REPLAY, 32, "an engine")


def test_what_is_not_a_number_is_never_within_bounds():
    with pytest.raises(EnvironmentMismatch, match="does not compute here"):
        check(lambda crops: answer(crops) * np.nan, REPLAY, 4, "an engine")
