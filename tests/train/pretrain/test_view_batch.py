"""Making views on a device gives what making them one by one on the host gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from personvit.train.pretrain.batch import PretrainBatch
from personvit.train.pretrain.recipe import PretrainRecipe
from personvit.train.pretrain.view_batch import make
from personvit.train.pretrain.view_image import HostViews
from personvit.train.pretrain.views import GLOBALS, draw, plan

RECIPE = PretrainRecipe.model_validate(
    {
        "input": {"height": 64, "width": 32, "mean": [0, 0, 0], "std": [1, 1, 1]},
        "views": {"local_count": 2, "local_height": 32, "local_width": 16, "solarize": 0.5},
        "model": {"architecture": "vit_micro_16"},
    }
)


def photograph(height: int, width: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 3, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int64)
    return np.clip(smooth + rng.integers(-15, 16, smooth.shape), 0, 255).astype(np.uint8)


def both(images, recipe, seed):
    """The two forms' views of the same images, as numbers from 0 to 255."""
    places = np.arange(len(images))
    host = HostViews(recipe, torch.device("cpu"), seed)
    batch = PretrainBatch(*host.empty(len(images), False), torch.empty(0), torch.empty(0))
    host.take([], batch, range(len(images)), images, 1, places)
    sizes = np.array([image.shape[:2] for image in images])
    canvas = np.random.default_rng(0).integers(0, 256, (len(images), *sizes.max(0), 3))
    for place, image in zip(canvas, images, strict=True):
        place[: image.shape[0], : image.shape[1]] = image  # what is beyond them must not matter
    numbers = np.stack(
        [draw(seed, 1, int(place), GLOBALS + recipe.views.local_count) for place in places]
    )
    made = make(
        torch.from_numpy(canvas.astype(np.uint8)), plan(numbers, sizes, recipe.views), recipe
    )
    return [(a * 255, b * 255) for a, b in zip((batch.globals, batch.locals), made, strict=True)]


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.tuples(st.integers(20, 150), st.integers(12, 80)), min_size=1, max_size=4),
)
def test_both_forms_make_the_same_views(seed, sizes):
    """To within rounding between resizing, blur and colours; at the threshold of solarisation
    a level decides between a value and its opposite."""
    images = [photograph(*size, number) for number, size in enumerate(sizes)]
    for host, device in both(images, RECIPE, seed):
        difference = (host - device).abs()
        flipped = ((host - (255 - device)).abs() < 4) & ((device - 128).abs() < 4)
        difference[flipped] = 0
        assert difference.mean() < 0.1
        assert difference.max() < 6


def test_they_are_not_equal_because_both_are_empty():
    images = [photograph(80, 40, 1)] * 3
    for host, device in both(images, RECIPE, 5):
        assert host.std() > 10
        assert (host[0, 0] - device[0, 1]).abs().mean() > 2


@pytest.mark.parametrize("size", [(8, 8), (9, 300), (400, 9)])
def test_odd_shapes_give_finite_views(size):
    for host, device in both([photograph(*size, 0)], RECIPE, 3):
        assert torch.isfinite(host).all() and torch.isfinite(device).all()
        assert (host - device).abs().mean() < 0.5


def test_no_local_crops_is_possible():
    recipe = RECIPE.model_copy(update={"views": RECIPE.views.model_copy(update={"local_count": 0})})
    host, device = both([photograph(64, 32, 0)], recipe, 3)[1]
    assert host.shape == device.shape == (0, 1, 3, 32, 16)
