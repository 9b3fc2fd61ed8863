"""A layer that quantises badly is found first, protected, and nothing more than needed is."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from personvit.core.data.base import Sample
from personvit.core.errors import CalibrationError
from personvit.export.calibrate import calibrate
from personvit.export.recipe import Recipe
from personvit.export.rehearsal import Rehearsal, choose_people, embed, margins
from personvit.export.sensitivity import acceptable, fewest, protect_worst, rank_layers, work_shares

PLANTED = "blocks.1.mlp.fc2"


@pytest.fixture(scope="module")
def planted(tiny_model):
    """One hidden unit far louder than the rest, its constant part taken back by the bias."""
    model = copy.deepcopy(tiny_model)
    mlp = model.backbone.blocks[1].mlp
    with torch.no_grad():
        mlp.fc1.bias[7] += 4000
        shift = mlp.fc2.weight[:, 7] * 4000
        mlp.fc2.bias -= shift
    return model


@pytest.fixture(scope="module")
def rehearsal(planted, tiny_crops) -> Rehearsal:
    identities = np.repeat(np.arange(24), 4)
    return Rehearsal(tiny_crops, identities, embed(planted, tiny_crops, 32))


@pytest.fixture(scope="module")
def scales(planted, tiny_crops):
    return calibrate(planted, lambda: iter(tiny_crops.split(32)), Recipe()).scales


def test_the_planted_layer_is_found_first_and_protected(
    planted, rehearsal, scales, tmp_path: Path
) -> None:
    assert not acceptable(rehearsal.damage(planted, scales, scales))
    ranking = rank_layers(planted, scales, rehearsal, tmp_path / "cache.json")
    assert ranking[0].layer == PLANTED
    search = protect_worst(planted, scales, rehearsal, Recipe(), ranking)
    assert search.holds
    assert search.recipe.high_precision == (PLANTED,)
    assert 1 < search.relative_cost < 1.3


def test_an_interrupted_ranking_resumes(planted, rehearsal, scales, tmp_path: Path) -> None:
    cache = tmp_path / "cache.json"

    def stops_after_five(layers):
        for count, layer in enumerate(layers):
            if count == 5:
                raise KeyboardInterrupt
            yield layer

    with pytest.raises(KeyboardInterrupt):
        rank_layers(planted, scales, rehearsal, cache, stops_after_five)
    measured: list[str] = []

    def counting(layers):
        for layer in layers:
            measured.append(layer)
            yield layer

    resumed = rank_layers(planted, scales, rehearsal, cache, counting)
    assert len(measured) == len(scales) - 5
    assert resumed == rank_layers(planted, scales, rehearsal, tmp_path / "fresh.json")


@given(st.integers(0, 60), st.integers(0, 60))
def test_fewest_finds_the_threshold(most: int, threshold: int) -> None:
    threshold = min(threshold, most)
    found = fewest(most, lambda count: count >= threshold)
    assert found == max(threshold, 0)


def test_shares_add_up_to_one(tiny_model) -> None:
    assert sum(work_shares(tiny_model.config).values()) == pytest.approx(1)


def test_margins_are_own_minus_stranger() -> None:
    embeddings = np.eye(4, dtype=np.float32)[[0, 0, 1, 1]]
    assert margins(embeddings, np.array([1, 1, 2, 2])).tolist() == [1, 1, 1, 1]


def test_people_seen_by_one_camera_cannot_rehearse() -> None:
    lonely = [Sample(f"{who}.jpg", who, 1) for who in range(30)]
    with pytest.raises(CalibrationError, match="two cameras"):
        choose_people(lonely, 20, 4, seed=0)


def test_people_come_with_crops_of_different_cameras() -> None:
    crops = [
        Sample(f"{w}_{c}_{s}.jpg", w, c) for w in range(12) for c in range(3) for s in range(9)
    ]
    chosen = choose_people(crops, 10, 4, seed=0)
    assert len(chosen) == 40
    for who in {sample.identity for sample in chosen}:
        assert len({s.camera for s in chosen if s.identity == who}) == 3
