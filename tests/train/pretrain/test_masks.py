"""Masks: the published law, the right share of the grid, and refusals of what cannot be met."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personvit.core.errors import ConfigError
from personvit.train.pretrain.masks import Masker, draw_mask
from personvit.train.pretrain.recipe import Masks
from personvit.train.pretrain.recipe_files import load_recipe

GRID = (16, 8)


def slow_blocks(random, rows, cols, wanted):
    """Patch by patch, with the same random numbers in the same order."""
    mask = [[False] * cols for _ in range(rows)]
    covered = 0
    while covered < wanted:
        fresh = 0
        for _ in range(10):
            least = (min(rows, cols) // 3) ** 2
            area = least + random.random() * (wanted - covered - least)
            aspect = math.exp(random.uniform(math.log(0.3), math.log(1 / 0.3)))
            height = round(math.sqrt(area * aspect))
            width = round(math.sqrt(area / aspect))
            if height >= rows or width >= cols:
                continue
            top = int(random.integers(0, rows - height + 1))
            left = int(random.integers(0, cols - width + 1))
            places = [(top + row, left + col) for row in range(height) for col in range(width)]
            fresh = sum(not mask[row][col] for row, col in places)
            if not 0 < fresh <= wanted - covered:
                fresh = 0
                continue
            for row, col in places:
                mask[row][col] = True
            break
        if fresh == 0:
            break
        covered += fresh
    return mask


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 24), st.integers(2, 24), st.floats(0.05, 0.9))
def test_blocks_follow_the_published_law(seed, rows, cols, ratio):
    found = draw_mask(np.random.default_rng(seed), (rows, cols), Masks(), ratio)
    slow = slow_blocks(np.random.default_rng(seed), rows, cols, ratio * rows * cols)
    assert found.tolist() == slow


@pytest.mark.parametrize("shape", ["block", "random"])
@pytest.mark.parametrize("ratio", [0.1, 0.3, 0.5])
def test_a_ratio_is_met_and_never_exceeded(shape, ratio):
    random = np.random.default_rng(0)
    shares = [draw_mask(random, GRID, Masks(shape=shape), ratio).mean() for _ in range(500)]
    assert max(shares) <= ratio
    assert np.mean(shares) == pytest.approx(ratio, abs=0.012)


def test_the_published_mixture_leaves_half_of_the_crops_whole():
    masker, random = Masker(load_recipe("personvit-small")), np.random.default_rng(0)
    masks = np.array([masker.draw(random, 1) for _ in range(3000)])
    shares = masks.mean(axis=1)
    assert (shares == 0).mean() == pytest.approx(0.5, abs=0.03)
    assert shares[shares > 0].mean() == pytest.approx(0.3, abs=0.02)
    assert shares.max() <= 0.5
    assert shares[shares > 0].std() == pytest.approx(0.4 / math.sqrt(12), abs=0.015)


def test_blocks_are_blocks():
    """A masked patch has many more masked neighbours than one of scattered patches has."""

    def company(shape):
        random = np.random.default_rng(0)
        masks = np.array([draw_mask(random, GRID, Masks(shape=shape), 0.3) for _ in range(300)])
        return (masks[:, 1:] & masks[:, :-1]).sum() / masks[:, :-1].sum()

    assert company("random") == pytest.approx(0.3, abs=0.03)
    assert company("block") > 0.6


def test_masks_begin_with_their_epoch_and_dino_has_none():
    recipe, random = (
        load_recipe("personvit-small", ["masks.start_epoch=2"]),
        np.random.default_rng(0),
    )
    masker = Masker(recipe)
    assert not any(masker.draw(random, epoch).any() for epoch in (1, 2) for _ in range(20))
    assert any(masker.draw(random, 3).any() for _ in range(20))
    dino = Masker(recipe.with_method("dino"))
    assert not any(dino.draw(random, 9).any() for _ in range(20))


@pytest.mark.parametrize(
    "changes",
    [
        ["masks.ratio=[0.01]", "masks.variance=[0]"],
        ["input.height=32", "input.width=16", "views.local_height=16", "views.local_width=16"],
    ],
)
def test_a_ratio_that_cannot_be_met_is_refused(changes):
    with pytest.raises(ConfigError, match=r"masks.ratio .* cannot be met: on a grid of \d+x\d+"):
        Masker(load_recipe("personvit-small", changes))
