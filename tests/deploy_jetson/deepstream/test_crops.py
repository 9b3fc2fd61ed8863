"""The emulation against independent references, and against what the sources say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from personvit.core.preprocess import Preprocess
from personvit.deploy_jetson.deepstream_crops import CropPath, paths, sample, to_nv12, to_rgb

PLAIN = CropPath("plain", nv12=False)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth, as photographs are: neighbours have similar colours."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    return Preprocess(height=height, width=width, filter="bicubic").resize(small)


@settings(max_examples=30)
@given(st.integers(1, 70), st.integers(1, 50), st.integers(1, 70), st.integers(1, 40))
def test_bilinear_is_torchs_without_antialiasing(high, wide, height, width):
    plane = np.random.default_rng(0).uniform(0, 255, (high, wide, 2)).astype(np.float32)
    tensor = torch.from_numpy(plane.transpose(2, 0, 1))[None]
    wanted = torch.nn.functional.interpolate(
        tensor, (height, width), mode="bilinear", align_corners=False, antialias=False
    )[0]
    found = sample(plane, height, width, "bilinear").transpose(2, 0, 1)
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-2)


def test_nearest_takes_pixels_as_they_are():
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    nearest = CropPath("nearest", nv12=False, filter="nearest")
    np.testing.assert_array_equal(nearest.crop(image, 9, 7), image)
    seen = nearest.crop(image, 40, 40).reshape(-1, 3)
    assert {tuple(pixel) for pixel in seen} <= {tuple(pixel) for pixel in image.reshape(-1, 3)}


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
def test_known_colours_in_nv12(matrix):
    """ITU-R BT.601 and BT.709: black is 16, white 235, grey has no colour."""
    for value, luma in ((0, 16), (255, 235), (128, 126)):
        bright, colours = to_nv12(np.full((2, 2, 3), value, np.uint8), matrix)
        assert (bright == luma).all()
        assert (colours == 128).all()
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 255
    bright, colours = to_nv12(red, matrix)
    assert bright[0, 0, 0] == {"bt601": 81, "bt709": 63}[matrix]
    assert colours[0, 0, 1] == 240
    assert colours[0, 0, 0] == {"bt601": 90, "bt709": 102}[matrix]


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
def test_flat_colours_survive_nv12(matrix):
    for colour in np.random.default_rng(0).integers(0, 256, (50, 3)):
        image = np.broadcast_to(colour, (4, 4, 3)).astype(np.uint8)
        planes = to_nv12(image, matrix)
        planes[1] = np.repeat(np.repeat(planes[1], 2, 0), 2, 1)
        assert np.abs(to_rgb(planes, matrix).astype(int) - image).max() <= 4


def test_brightness_is_kept_where_colours_are_shared():
    """A red pixel beside a blue one: NV12 keeps their brightness and mixes their colours."""
    image = np.zeros((2, 2, 3), np.uint8)
    image[:, 0, 0] = image[:, 1, 2] = 200
    bright, colours = to_nv12(image, "bt709")
    assert bright[0, 0, 0] != bright[0, 1, 0]
    assert colours.shape == (1, 1, 2)
    seen = CropPath("same size").crop(image, 2, 2)
    assert seen[0, 0, 2] > 30


def test_even_boxes_drop_what_nvinfer_drops():
    """Corner (3, 4) moves to (4, 4), and 11 x 9 becomes 10 x 8."""
    rows, columns = np.mgrid[0:11, 0:9]
    image = np.stack([rows * 10, columns * 10, np.zeros_like(rows)], axis=-1).astype(np.uint8)
    even = CropPath("even", even_box=True, nv12=False)
    seen = even.crop(image, 10, 8, corner=(3, 4))
    np.testing.assert_array_equal(seen[..., 0], rows[1:11, :8] * 10)
    np.testing.assert_array_equal(seen[..., 1], columns[1:11, :8] * 10)


def test_a_smaller_tracker_frame_loses_detail():
    image = np.random.default_rng(0).integers(0, 256, (256, 128, 3), dtype=np.uint8)
    full, half = (
        paths(scale)[1].crop(image, 256, 128).astype(int).std(axis=(0, 1)).mean()
        for scale in (1.0, 0.5)
    )
    assert half < 0.8 * full


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(0, 1), st.integers(0, 1),
    st.sampled_from([0.05, 0.4, 1.0]),
)  # fmt: skip
def test_every_box_gives_a_crop(high, wide, top, left, scale):
    image = np.random.default_rng(0).integers(0, 256, (high, wide, 3), dtype=np.uint8)
    for path in paths(scale):
        seen = path.crop(image, 32, 16, (top, left))
        assert (seen.shape, seen.dtype) == ((32, 16, 3), np.uint8)


def test_smooth_pictures_look_alike_both_ways():
    image = picture(301, 140)
    wanted = Preprocess(height=64, width=32).resize(image).astype(int)
    for path in paths():
        seen = path.crop(image, 64, 32, (0, 0)).astype(int)
        assert np.abs(seen - wanted).mean() < 3
