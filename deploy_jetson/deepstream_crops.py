"""How DeepStream cuts a person out of a frame and resizes it, as far as that is documented.

Read in the sources (deepstream_versions.py): nvinfer rounds a box's corner up and its size down to
even numbers; `scaling-filter=1` is bilinear; the GPU samples at points, without a filter against
aliasing (NPP, by its maintainer's word); the tracker scales whole frames to its own size first,
bilinear too; VPI's crop scaler is bilinear, repeats the border and takes real-valued boxes; frames
are NV12, that is BT.601 or BT.709 in limited range with one colour for four pixels.

Inferred, since nothing was found: planes are scaled before they become RGB; colours sit in the
middle of their four pixels; pixel centres are aligned. Not imitated: the 8-bit weights of texture
units, VIC's filters, and what a video codec loses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Filter = Literal["nearest", "bilinear"]
Matrix = Literal["bt601", "bt709"]

_RED_BLUE = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}
_LUMA_STEPS, _COLOUR_STEPS = 219.0, 224.0


@dataclass(frozen=True)
class CropPath:
    """One way from a frame to the network's input."""

    name: str
    even_box: bool = False
    frame_scale: float = 1.0
    """The tracker's frame over the camera's."""
    filter: Filter = "bilinear"
    matrix: Matrix = "bt709"
    nv12: bool = True

    def crop(
        self, image: Pixels, height: int, width: int, corner: tuple[int, int] = (0, 0)
    ) -> Pixels:
        """`image` shows the box; `corner` says where in the frame it began (only parity counts)."""
        seen = _even(image, corner) if self.even_box else image
        planes = to_nv12(seen, self.matrix) if self.nv12 else [seen.astype(np.float32)]
        if self.frame_scale < 1:
            planes = [self._shrunk(plane) for plane in planes]
        sampled = [sample(plane, height, width, self.filter) for plane in planes]
        return to_rgb(sampled, self.matrix) if self.nv12 else _rounded(sampled[0])

    def _shrunk(self, plane: Floats) -> Floats:
        high, wide = (max(1, round(side * self.frame_scale)) for side in plane.shape[:2])
        return np.round(sample(plane, high, wide, "bilinear"))


def paths(tracker_scale: float = 1.0) -> tuple[CropPath, ...]:
    """What the secondary element sees, and what the tracker sees."""
    return (
        CropPath("secondary", even_box=True),
        CropPath("tracker", frame_scale=tracker_scale),
    )


def corner_of(index: int, seed: int = 0) -> tuple[int, int]:
    """A box's top left corner in a frame, drawn: data sets do not tell."""
    top, left = np.random.default_rng([seed, index]).integers(0, 2, 2)
    return int(top), int(left)


def to_nv12(image: Pixels, matrix: Matrix) -> list[Floats]:
    """Brightness at full size and two colours at half, in the steps of limited range."""
    red, blue = _RED_BLUE[matrix]
    padded = np.pad(image, [(0, side % 2) for side in image.shape[:2]] + [(0, 0)], mode="edge")
    colours = padded.astype(np.float32) / 255
    weights = np.array([red, 1 - red - blue, blue], dtype=np.float32)
    luma = colours @ weights
    difference = np.stack(
        [(colours[..., 2] - luma) / (2 * (1 - blue)), (colours[..., 0] - luma) / (2 * (1 - red))],
        axis=-1,
    )
    high, wide = luma.shape
    quartets = difference.reshape(high // 2, 2, wide // 2, 2, 2).mean(axis=(1, 3))
    bright = np.round(16 + _LUMA_STEPS * luma)[: image.shape[0], : image.shape[1], None]
    return [bright, np.round(128 + _COLOUR_STEPS * quartets)]


def to_rgb(planes: Sequence[Floats], matrix: Matrix) -> Pixels:
    """Both planes at one size, back to RGB."""
    red, blue = _RED_BLUE[matrix]
    luma = (planes[0][..., 0] - 16) / _LUMA_STEPS
    towards_blue, towards_red = ((planes[1][..., i] - 128) / _COLOUR_STEPS for i in (0, 1))
    r = luma + 2 * (1 - red) * towards_red
    b = luma + 2 * (1 - blue) * towards_blue
    g = (luma - red * r - blue * b) / (1 - red - blue)
    return _rounded(255 * np.stack([r, g, b], axis=-1))


def sample(plane: Floats, height: int, width: int, filter: Filter) -> Floats:
    """Points of a plane [height, width, colours], pixel centres aligned, the border repeated."""
    rows, columns = (
        _places(source, target, filter)
        for source, target in zip(plane.shape[:2], (height, width), strict=True)
    )
    top, bottom, down = rows
    left, right, across = columns
    down, across = down[:, None, None], across[None, :, None]
    upper = plane[top][:, left] * (1 - across) + plane[top][:, right] * across
    lower = plane[bottom][:, left] * (1 - across) + plane[bottom][:, right] * across
    return (upper * (1 - down) + lower * down).astype(np.float32)


def _places(
    source: int, target: int, filter: Filter
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """For each target pixel the two source pixels around it, and the weight of the second."""
    point = (np.arange(target) + 0.5) * (source / target) - 0.5
    if filter == "nearest":
        point = np.floor(point + 0.5)
    first = np.floor(point).astype(np.int64)
    weight = (point - first).astype(np.float32)
    return np.clip(first, 0, source - 1), np.clip(first + 1, 0, source - 1), weight


def _even(image: Pixels, corner: tuple[int, int]) -> Pixels:
    """The corner moves to the next even pixel and the size drops to an even one. What then lies
    outside the picture, a row or a column at most, is its repeated border."""
    rows, columns = (
        np.clip(np.arange(max(size // 2 * 2, 2)) + start % 2, 0, size - 1)
        for start, size in zip(corner, image.shape[:2], strict=True)
    )
    seen: Pixels = image[rows][:, columns]
    return seen


def _rounded(values: Floats) -> Pixels:
    rounded: Pixels = np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)
    return rounded
