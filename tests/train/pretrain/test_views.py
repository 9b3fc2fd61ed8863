"""Views have the statistics that the recipe says, and their numbers depend on the place alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from torchvision.transforms.v2 import functional as reference

from personvit.train.pretrain.recipe import Views
from personvit.train.pretrain.view_colour import LUMA, Jitter, colours
from personvit.train.pretrain.view_image import ViewMaker, blurred
from personvit.train.pretrain.views import GLOBALS, UNIT, Plan, draw, nth, plan

VIEWS = Views()
COUNT = GLOBALS + VIEWS.local_count
IMAGES = 1500
LARGE = (1024, 512)


@pytest.fixture(scope="module")
def plans() -> Plan:
    numbers = np.stack([draw(0, 1, place, COUNT) for place in range(IMAGES)])
    return plan(numbers, np.tile(LARGE, (IMAGES, 1)), VIEWS)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth colours, as photographs have them, and some noise."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 4, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int64)
    noisy = smooth + rng.integers(-12, 13, smooth.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def test_crops_have_the_scale_and_aspect_of_the_recipe(plans):
    """On an image of the middle aspect every proposal of a global crop fits but the largest."""
    area = plans.boxes[..., 2] * plans.boxes[..., 3] / (LARGE[0] * LARGE[1])
    aspect = plans.boxes[..., 3] / plans.boxes[..., 2]
    low, high = VIEWS.ratio
    assert aspect.min() > low - 0.01
    assert aspect.max() < high + 0.01
    local = np.sort(area[:, GLOBALS:].ravel())
    assert local[0] >= VIEWS.local_scale[0] - 0.002
    assert local[-1] <= VIEWS.local_scale[1] + 0.002
    small = area[:, GLOBALS:].ravel() < 0.45  # where all aspects fit: uniform in both
    assert area[:, GLOBALS:].ravel()[small].mean() == pytest.approx(0.275, abs=0.005)
    logs = np.log(aspect[:, GLOBALS:].ravel()[small])
    assert logs.mean() == pytest.approx((np.log(low) + np.log(high)) / 2, abs=0.005)
    assert logs.std() == pytest.approx((np.log(high) - np.log(low)) / np.sqrt(12), abs=0.005)
    assert area[:, :GLOBALS].min() >= VIEWS.global_scale[0] - 0.002


def test_crops_lie_inside_and_everywhere(plans):
    top, left, height, width = np.moveaxis(plans.boxes, -1, 0)
    assert (top >= 0).all() and (left >= 0).all()
    assert (top + height <= LARGE[0]).all() and (left + width <= LARGE[1]).all()
    spare = LARGE[0] - height
    assert (top / np.maximum(spare, 1))[spare > 50].mean() == pytest.approx(0.5, abs=0.02)


@given(
    height=st.integers(1, 400),
    width=st.integers(1, 400),
    seed=st.integers(0, 2**32 - 1),
    ratio=st.sampled_from([(0.375, 2 / 3), (0.75, 4 / 3)]),
)
def test_a_crop_of_any_image_lies_inside_and_is_not_empty(height, width, seed, ratio):
    views = Views(ratio=ratio)
    boxes = plan(draw(seed, 1, 0, COUNT), np.array([height, width]), views).boxes
    top, left, tall, wide = boxes.T
    assert (tall > 0).all() and (wide > 0).all()
    assert (top >= 0).all() and (left >= 0).all()
    assert (top + tall <= height).all() and (left + wide <= width).all()


def test_shares_of_all_that_happens_by_chance(plans):
    shown = plans.flip.mean()
    assert shown == pytest.approx(VIEWS.flip, abs=0.02)
    solarized = plans.solarize.mean(axis=0)
    assert solarized[1] == pytest.approx(VIEWS.solarize, abs=0.04)
    assert not solarized[0] and not solarized[2:].any()
    unchanged = np.abs(plans.colour.pixel - np.eye(3)).max(axis=(-2, -1)) < 1e-5
    expected = (1 - VIEWS.jitter) * (1 - VIEWS.gray)
    assert unchanged.mean() == pytest.approx(expected, abs=0.02)
    both = plans.colour.pixel + plans.colour.mean
    grey = np.abs(both - both[..., :1, :]).max(axis=(-2, -1)) < 1e-5
    assert grey.mean() == pytest.approx(VIEWS.gray, abs=0.02)
    chances = [VIEWS.blur_global1, VIEWS.blur_global2, *[VIEWS.blur_local] * VIEWS.local_count]
    blurred_ = (plans.blur[..., 0] < UNIT).mean(axis=0)
    # below a radius of 0.29 the weights round to nothing: a tenth of all blurs
    np.testing.assert_allclose(blurred_, 0.9 * np.array(chances), atol=0.05)


def test_blur_weights_add_up_and_have_the_spread_of_the_radius():
    views = Views(blur_radius=(1.5, 1.5), blur_local=1)
    weights = plan(draw(0, 1, 0, 3), np.array([64, 32]), views).blur[2].astype(int)
    assert weights[0] + 2 * weights[1:].sum() == UNIT
    away = np.arange(len(weights))
    spread = np.sqrt((2 * weights * away**2).sum() / UNIT)
    assert spread == pytest.approx(1.5, abs=0.05)


def test_numbers_depend_on_the_place_and_not_on_how_many_are_drawn():
    few, many = draw(3, 2, 17, 4), draw(3, 2, 17, 10)
    np.testing.assert_array_equal(few, many[:4])
    for other in (draw(4, 2, 17, 4), draw(3, 1, 17, 4), draw(3, 2, 18, 4)):
        assert not (few == other).any()


def test_plans_of_many_images_are_those_of_each():
    numbers = np.stack([draw(0, 1, place, COUNT) for place in range(5)])
    sizes = np.array([[64, 32], [100, 40], [30, 60], [256, 128], [9, 9]])
    together = plan(numbers, sizes, VIEWS)
    for place in range(5):
        one, alone = nth(together, place), plan(numbers[place], sizes[place], VIEWS)
        for mine, its in zip((*one[:3], *one.colour), (*alone[:3], *alone.colour), strict=True):
            np.testing.assert_allclose(mine, its, rtol=1e-6)


def still() -> Jitter:
    """A jitter that changes nothing."""
    one = np.float32(1)
    return Jitter(one, one, one, np.float32(0), np.int64(0), np.ones(3, np.float32))


def affine(pixels, **changes):
    """What a colour map does to an image, from 0 to 1."""
    values = {
        "brightness": 1,
        "contrast": 1,
        "saturation": 1,
        "hue": 0,
        "cast": [1, 1, 1],
    } | changes
    arrays = {name: np.array(value, dtype=np.float32) for name, value in values.items()}
    order = arrays.pop("order", np.array(0))
    colour = colours(Jitter(**arrays, order=order.astype(np.int64)), np.array(False))
    flat = pixels.reshape(-1, 3) / 255
    return (flat @ colour.pixel.T + colour.mean @ flat.mean(axis=0)).reshape(pixels.shape)


@pytest.mark.parametrize(
    ("name", "value", "apply", "tolerance"),
    [
        ("brightness", 0.7, reference.adjust_brightness, 0.002),
        ("contrast", 1.2, reference.adjust_contrast, 0.004),
        ("contrast", 0.6, reference.adjust_contrast, 0.004),
        ("saturation", 1.2, reference.adjust_saturation, 0.004),
        ("saturation", 0.8, reference.adjust_saturation, 0.004),
        ("hue", 0.1, reference.adjust_hue, 0.06),
        ("hue", -0.1, reference.adjust_hue, 0.06),
    ],
)
def test_one_change_of_colour_is_torchvisions(name, value, apply, tolerance):
    """Turning a hue in HSV is no affine map of the colour, hence the wider tolerance."""
    pixels = picture(64, 32)
    tensor = torch.from_numpy(pixels / 255).permute(2, 0, 1).float()
    expected = apply(tensor, value).permute(1, 2, 0).numpy()
    ours = np.clip(affine(pixels, **{name: value}), 0, 1)
    assert np.abs(ours - expected).mean() < tolerance
    before = pixels / 255
    assert np.abs(ours - expected).mean() < 0.8 * np.abs(before - expected).mean()


def test_changes_are_made_one_after_the_other_in_the_order_drawn():
    pixels = picture(32, 16)
    changes = {"brightness": 0.8, "contrast": 1.3, "saturation": 0.7, "hue": 0.08}
    found = [affine(pixels, **changes, order=order) for order in (0, 23)]
    for order, result in zip(([0, 1, 2, 3], [3, 2, 1, 0]), found, strict=True):
        step = pixels
        for number in order:
            name = list(changes)[number]
            step = affine(step, **{name: changes[name]}) * 255
        np.testing.assert_allclose(result * 255, step, atol=0.05)
    assert np.abs(found[0] - found[1]).max() > 0.01


def test_a_cast_multiplies_channels_before_all_else():
    pixels = picture(32, 16)
    cast = [0.8, 1.0, 1.25]
    np.testing.assert_allclose(affine(pixels, cast=cast), pixels / 255 * cast, atol=1e-5)
    both = affine(pixels, cast=cast, saturation=0.5)
    np.testing.assert_allclose(both, affine(pixels * cast, saturation=0.5), atol=1e-5)


def test_casts_reach_as_far_as_the_recipe_says_and_are_none_without_it():
    sizes = np.array([64, 32])
    numbers = np.stack([draw(0, 1, place, COUNT) for place in range(400)])
    sizes = np.tile(sizes, (400, 1))
    plain = Views(jitter=0, gray=0)
    gains = np.log(np.diagonal(plan(numbers, sizes, plain).colour.pixel, axis1=-2, axis2=-1))
    np.testing.assert_array_equal(gains, 0)
    cast = plain.model_copy(update={"cast": 0.5})
    gains = np.log(np.diagonal(plan(numbers, sizes, cast).colour.pixel, axis1=-2, axis2=-1))
    assert 0.49 < np.abs(gains).max() <= 0.5 + 1e-6
    assert np.abs(gains.mean(axis=(0, 1))).max() < 0.03
    assert np.abs(np.corrcoef(gains.reshape(-1, 3).T) - np.eye(3)).max() < 0.1


def test_grey_keeps_luminance_and_hue_keeps_greys():
    grey = colours(still(), np.array(True))
    np.testing.assert_allclose(grey.pixel, np.tile(LUMA, (3, 1)), atol=1e-6)
    middle = np.full((4, 4, 3), 90)
    np.testing.assert_allclose(affine(middle, hue=0.1), 90 / 255, atol=1e-5)


def view_of(pixels, box, **changes) -> np.ndarray:
    """One view as 8-bit numbers."""
    plain = {"flip": False, "blur": np.array([UNIT, 0, 0, 0, 0, 0], np.uint16), "solarize": False}
    known = {**plain, **changes}
    identity = colours(Jitter(*(value[None] for value in still())), np.array([False]))
    one = Plan(
        np.array([box]),
        np.array([known["flip"]]),
        known["blur"][None],
        identity,
        np.array([known["solarize"]]),
    )
    out = np.empty((3, 64, 32), np.float32)
    ViewMaker(64, 32, (0, 0, 0), (1, 1, 1)).write(pixels, one, 0, out)
    return out.transpose(1, 2, 0) * 255


@pytest.mark.parametrize(
    "box", [(0, 0, 128, 64), (10, 5, 100, 50), (40, 20, 33, 15), (0, 0, 64, 32)]
)
def test_a_crop_is_pillows_crop_and_resize(box):
    pixels = picture(128, 64)
    top, left, height, width = box
    cut = Image.fromarray(pixels).crop((left, top, left + width, top + height))
    expected = cut.resize((32, 64), Image.Resampling.BICUBIC)
    difference = np.abs(view_of(pixels, box) - np.asarray(expected, dtype=np.float32))
    assert difference.max() <= 2.01
    assert difference.mean() < 0.1


def test_flip_and_solarisation():
    pixels, box = picture(64, 32), (0, 0, 64, 32)
    plain = view_of(pixels, box)
    np.testing.assert_allclose(view_of(pixels, box, flip=True), plain[:, ::-1])
    expected = np.where(plain >= 128, 255 - plain, plain)
    np.testing.assert_allclose(view_of(pixels, box, solarize=True), expected, atol=1e-3)


@pytest.mark.parametrize("radius", [0.5, 1.0, 2.0])
def test_a_blur_is_nearly_pillows(radius):
    """Pillow takes three boxes for a bell."""
    pixels = picture(64, 32)
    views = Views(blur_radius=(radius, radius), blur_global1=1)
    weights = plan(draw(0, 1, 0, 3), np.array([64, 32]), views).blur[0]
    expected = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius))
    difference = np.abs(blurred(pixels, weights).astype(int) - np.asarray(expected, dtype=int))
    assert difference.mean() < 1.0
    assert difference.max() <= 10
