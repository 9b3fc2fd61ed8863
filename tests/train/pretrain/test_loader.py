"""A loader's batches depend on the seed, the epoch and the place, and on nothing else."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from personvit.core.data.pool import open_pool
from personvit.core.errors import ConfigError, DataError
from personvit.train.distributed import World
from personvit.train.pretrain.loader import PretrainLoader
from personvit.train.pretrain.recipe import PretrainRecipe

IMAGES, SLOTS = 21, 3
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def crops(tmp_path) -> Path:
    """Crops of one colour each, so that a batch shows which they are."""
    for number in range(IMAGES):
        path = tmp_path / "crops" / f"{number:03d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (16, 32), (number * 10 + 20,) * 3).save(path)
    return path.parent


def recipe(**changes) -> PretrainRecipe:
    plain = {"jitter": 0, "gray": 0, "solarize": 0}
    return PretrainRecipe.model_validate(
        {
            "input": {"height": 64, "width": 32, "mean": [0, 0, 0], "std": [1, 1, 1]},
            "views": {"local_count": 1, "local_height": 32, "local_width": 16, **plain},
            "masks": {"ratio": [0.3], "variance": [0.1]},
            "model": {"architecture": "vit_micro_16"},
            "batch": {"size": 4, **changes},
            "schedule": {"epochs": 2, "warmup_epochs": 1},
        }
    )


def loader(crops, recipe_=None, world=None, **changes) -> PretrainLoader:
    world = world or World(CPU)
    return PretrainLoader(open_pool(crops), recipe_ or recipe(), world, SLOTS, 7, **changes)


def joined(batches) -> list[torch.Tensor]:
    """Batches one after the other, along their images."""
    names = ("globals", "locals", "masks", "drop_path")
    return [torch.cat([getattr(batch, name) for batch in batches], dim=1) for name in names]


def everything(*sources) -> list[torch.Tensor]:
    """All images of a run in the order of the epoch's places: parts before processes."""
    steps = zip(*(source.from_step(0) for source in sources), strict=True)
    return joined([part for ranks in steps for parts in zip(*ranks, strict=True) for part in parts])


def same(ours, others) -> None:
    for one, other in zip(ours, others, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def shown(batch) -> list[int]:
    """Which images a batch holds."""
    return [round((float(value) * 255 - 20) / 10) for value in batch.globals[0].mean((1, 2, 3))]


def test_shapes_and_kinds_are_those_of_a_batch(crops):
    (batch,) = next(loader(crops).from_step(0))
    assert batch.globals.shape == (2, 4, 3, 64, 32)
    assert batch.locals.shape == (1, 4, 3, 32, 16)
    assert batch.masks.shape == (2, 4, 8) and batch.masks.dtype == torch.bool
    assert batch.drop_path.shape == (3, 4, SLOTS)
    assert len(batch) == 4 and batch.globals.dtype == torch.float32
    assert 0 < batch.masks.float().mean() < 0.5
    assert batch.drop_path.min() >= 0 and batch.drop_path.max() < 1


def test_an_epoch_shows_every_image_once_and_the_next_in_another_order(crops):
    source = loader(crops, recipe(size=7))
    assert source.steps_per_epoch == 3
    seen = [shown(batch) for (batch,) in source.from_step(0)]
    first, second = (list(itertools.chain(*part)) for part in (seen[:3], seen[3:]))
    assert sorted(first) == sorted(second) == list(range(IMAGES))
    assert first != second


@pytest.mark.parametrize("locality", [0, 3])
def test_processes_and_parts_together_are_one_process(crops, locality):
    alone = everything(loader(crops, locality=locality))
    two = [loader(crops, None, World(CPU, rank, 2), locality=locality) for rank in range(2)]
    same(everything(*two), alone)
    parts = [
        loader(crops, recipe(accumulate=2), World(CPU, r, 2), locality=locality) for r in (0, 1)
    ]
    same(everything(*parts), alone)


def test_threads_change_nothing(crops):
    same(everything(loader(crops, workers=5)), everything(loader(crops, workers=1)))


def test_resuming_goes_on_with_the_same_batches(crops):
    whole = list(loader(crops).from_step(0))
    assert len(whole) == 10
    for step in (1, 4, 5, 9):
        rest = list(loader(crops).from_step(step))
        same(
            joined([p for parts in rest for p in parts]),
            joined([p for parts in whole[step:] for p in parts]),
        )
    assert list(loader(crops).from_step(10)) == []


def test_where_views_are_made_does_not_matter(crops):
    host, device = (everything(loader(crops, on_device=flag)) for flag in (False, True))
    same(host[2:], device[2:])
    for one, other in zip(host[:2], device[:2], strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=2 / 255)


def test_seeds_differ(crops):
    one = next(PretrainLoader(open_pool(crops), recipe(), World(CPU), SLOTS, 1).from_step(0))[0]
    other = next(PretrainLoader(open_pool(crops), recipe(), World(CPU), SLOTS, 2).from_step(0))[0]
    assert not (one.drop_path == other.drop_path).any()
    assert shown(one) != shown(other)


def test_a_damaged_image_gives_way_to_the_next_and_is_counted_and_named(crops):
    whole = everything(loader(crops))
    (crops / "004.png").write_bytes((crops / "004.png").read_bytes()[:40])
    source = loader(crops, max_bad_share=0.1)
    seen = [shown(batch) for (batch,) in source.from_step(0)]
    places = [
        shown_
        for parts in loader(crops, max_bad_share=0.1).from_step(0)
        for shown_ in map(shown, parts)
    ]
    assert seen == places
    flat = list(itertools.chain(*seen))
    before = [round((float(v) * 255 - 20) / 10) for v in whole[0][0].mean((1, 2, 3))]
    assert flat == [5 if number == 4 else number for number in before]
    assert source.bad == 1
    assert "004.png" in source.bad_images.as_text()
    assert source.bad_images.read == 41 or source.bad_images.read == 42


def test_too_many_damaged_images_end_the_run_with_their_names(crops):
    for number in (3, 4, 5):
        (crops / f"{number:03d}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(
        DataError, match=r"more than 10 % of the images are bad.*\n(.*\n)*.*00[345]\.png"
    ):
        list(loader(crops, max_bad_share=0.1).from_step(0))


def test_a_pool_of_nothing_but_damage_is_told(crops):
    for path in crops.iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match="in a row are bad"):
        list(loader(crops, max_bad_share=1).from_step(0))


def test_images_too_small_for_a_crop_are_bad(crops):
    Image.new("RGB", (3, 30)).save(crops / "004.png")
    source = loader(crops, max_bad_share=0.1)
    list(source.from_step(0))
    assert source.bad == 1
    assert "30x3 is too small" in source.bad_images.reasons[0]


def test_too_few_images_and_uneven_shares_are_told(crops):
    with pytest.raises(DataError, match="21 images are less than one batch of 32"):
        loader(crops, recipe(size=32))
    with pytest.raises(ConfigError, match="shared evenly by 3"):
        loader(crops, world=World(CPU, 0, 3))


def test_threads_end_with_the_loader_and_pytorch_keeps_its_own(crops):
    usual, before = torch.get_num_threads(), threading.active_count()
    steps = loader(crops, workers=3).from_step(0)
    next(steps)
    assert torch.get_num_threads() == usual
    steps.close()
    del steps
    assert threading.active_count() == before
    assert torch.get_num_threads() == usual


def test_a_large_image_is_decoded_smaller_and_looks_the_same(tmp_path):
    """Crops of a 4096 pixel picture need none of its finest detail."""
    (tmp_path / "large").mkdir()
    (tmp_path / "small").mkdir()
    gradient = np.linspace(0, 255, 2048)[:, None] * np.ones((1, 1024))
    picture = Image.fromarray(gradient.astype(np.uint8)).convert("RGB")
    for number in range(4):
        picture.save(tmp_path / "large" / f"{number}.jpg", quality=95)
        picture.resize((256, 512), Image.Resampling.BOX).save(tmp_path / "small" / f"{number}.png")
    large, small = (everything(loader(tmp_path / name)) for name in ("large", "small"))
    assert (large[0] - small[0]).abs().max() < 3 / 255
