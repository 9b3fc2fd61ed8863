"""Preprocessing equals Pillow's and torch's arithmetic, and its description travels."""

from __future__ import annotations

import json
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from personvit.core.errors import ConfigError, DataError
from personvit.core.preprocess import Filter, Preprocess, parse_size

sides = st.integers(1, 40)
FILTERS = get_args(Filter)


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@st.composite
def preprocesses(draw: st.DrawFn) -> Preprocess:
    return Preprocess(
        height=draw(sides),
        width=draw(sides),
        filter=draw(st.sampled_from(FILTERS)),
        antialias=draw(st.booleans()),
        colour=draw(st.sampled_from(["rgb", "bgr"])),
        mean=draw(st.tuples(*[st.floats(0, 1)] * 3)),
        std=draw(st.tuples(*[st.floats(0.01, 2)] * 3)),
        layout=draw(st.sampled_from(["nchw", "nhwc"])),
    )


@pytest.mark.parametrize("filter", FILTERS)
def test_antialiased_resizing_is_pillows(filter: Filter) -> None:
    image = noise(97, 61)
    wanted = Image.fromarray(image).resize((32, 64), Image.Resampling[filter.upper()])
    assert np.array_equal(Preprocess(64, 32, filter).resize(image), np.array(wanted))


@settings(deadline=None, max_examples=60)
@given(height=sides, width=sides, target=st.tuples(sides, sides), seed=st.integers(0, 99))
@pytest.mark.parametrize(
    ("filter", "mode"),
    [("bilinear", "bilinear"), ("bicubic", "bicubic"), ("nearest", "nearest-exact")],
)
def test_point_sampling_is_torchs(
    filter: Filter, mode: str, height: int, width: int, target: tuple[int, int], seed: int
) -> None:
    """Except for nearest between two pixels, where torch's float32 may fall on either side."""
    from torch import from_numpy
    from torch.nn.functional import interpolate

    assume(filter != "nearest" or not between((height, width), target))
    image = noise(height, width, seed)
    planes = from_numpy(image.transpose(2, 0, 1)[None].astype(np.float64))
    wanted = interpolate(planes, target, mode=mode)[0].numpy().transpose(1, 2, 0)
    seen = Preprocess(*target, filter=filter, antialias=False).resize(image)
    assert np.abs(seen - np.clip(wanted, 0, 255)).max() <= 0.5 + 1e-6


def between(source: tuple[int, int], target: tuple[int, int]) -> bool:
    """Whether any sample point lies on the border of two pixels."""
    return any(
        (2 * position + 1) * old % (2 * new) == 0
        for old, new in zip(source, target, strict=True)
        for position in range(new)
    )


@given(preprocess=preprocesses(), height=sides, width=sides, level=st.integers(0, 255))
def test_a_plain_image_stays_plain(
    preprocess: Preprocess, height: int, width: int, level: int
) -> None:
    resized = preprocess.resize(np.full((height, width, 3), level, np.uint8))
    assert resized.shape == (preprocess.height, preprocess.width, 3)
    assert (resized == level).all()


@given(preprocess=preprocesses(), seed=st.integers(0, 99))
def test_an_image_of_the_right_size_is_not_touched(preprocess: Preprocess, seed: int) -> None:
    image = noise(preprocess.height, preprocess.width, seed)
    resized = preprocess.resize(image)
    assert np.array_equal(resized, image)
    assert not np.shares_memory(resized, image)


@settings(deadline=None)
@given(preprocess=preprocesses(), count=st.integers(0, 3))
def test_normalising_is_torchvisions_float32_arithmetic(preprocess: Preprocess, count: int) -> None:
    import torch

    batch = np.random.default_rng(count).integers(
        0, 256, (count, preprocess.height, preprocess.width, 3), dtype=np.uint8
    )
    ordered = batch if preprocess.colour == "rgb" else batch[..., ::-1].copy()
    values = torch.from_numpy(ordered).permute(0, 3, 1, 2).float().div(255)
    mean, std = (
        torch.tensor(v, dtype=torch.float32)[:, None, None]
        for v in (preprocess.mean, preprocess.std)
    )
    wanted = values.sub(mean).div(std)
    wanted = wanted if preprocess.layout == "nchw" else wanted.permute(0, 2, 3, 1)
    seen = preprocess.normalise(batch)
    assert seen.dtype == np.float32
    assert seen.flags.c_contiguous
    assert np.array_equal(seen, wanted.numpy())


def test_one_call_is_resize_then_normalise() -> None:
    preprocess = Preprocess(colour="bgr", mean=(0.1, 0.2, 0.3))
    image = noise(50, 20)
    seen = preprocess(image)
    assert seen.shape == (3, 256, 128)
    assert np.array_equal(seen, preprocess.normalise(preprocess.resize(image)[None])[0])


@given(preprocess=preprocesses())
def test_the_description_survives_json_and_keeps_its_digest(preprocess: Preprocess) -> None:
    again = Preprocess.from_dict(json.loads(json.dumps(preprocess.to_dict())))
    assert again == preprocess
    assert again.digest() == preprocess.digest()


def test_the_digest_is_pinned() -> None:
    """It names weights in files that exist: a change of it is a change of format."""
    assert Preprocess().digest() == (
        "7617c356d5aab0c0800b3311239bff627b7ec2d96e7e7dc0c9e078448db9df84"
    )
    assert Preprocess(mean=(0, 1, 0)).digest() == Preprocess(mean=(0.0, 1.0, 0.0)).digest()
    assert Preprocess(antialias=False).digest() != Preprocess().digest()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"height": 0}, "height"),
        ({"height": 256.0}, "height"),
        ({"width": True}, "width"),
        ({"width": 100_000}, "width"),
        ({"filter": "cubic"}, "bicubic"),
        ({"antialias": 1}, "antialias"),
        ({"colour": "gray"}, "colour"),
        ({"colour": ["rgb"]}, "colour"),
        ({"mean": [0.5, 0.5]}, "mean"),
        ({"mean": 0.5}, "mean"),
        ({"mean": "0.5"}, "mean"),
        ({"mean": [0.5, "0.5", 0.5]}, "mean"),
        ({"std": [0.5, 0.0, 0.5]}, "std"),
        ({"std": [0.5, float("nan"), 0.5]}, "std"),
        ({"layout": "chw"}, "layout"),
        ({"size": 256}, "size"),
    ],
)
def test_bad_settings_are_named(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Preprocess.from_dict({**Preprocess().to_dict(), **change})


def test_a_description_must_be_complete() -> None:
    partial = Preprocess().to_dict()
    del partial["antialias"]
    with pytest.raises(ConfigError, match="antialias"):
        Preprocess.from_dict(partial)
    with pytest.raises(ConfigError, match="table"):
        Preprocess.from_dict([])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(image: NDArray[Any]) -> None:
    with pytest.raises(DataError, match="pixels must be uint8"):
        Preprocess().resize(image)


@pytest.mark.parametrize("text", ["256", "256x", "ax128", "256x128x3", "0x128", "-1x5"])
def test_sizes_are_written_height_x_width(text: str) -> None:
    with pytest.raises(ConfigError, match="256x128"):
        parse_size(text)


def test_a_size_is_height_then_width() -> None:
    assert parse_size("256X128") == (256, 128)
    with pytest.raises(ConfigError, match="no size of a crop"):
        parse_size("256x12800")
