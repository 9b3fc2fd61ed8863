"""Maps over crops, as pixels: heat for attention, flat colours for parts."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Float32 = NDArray[np.float32]

OPACITY = 0.6
_HEAT = ((0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))
"""Dark violet to pale yellow, brighter all the way, so that it reads in grey too."""


def heat(crop: Pixels, values: Float32) -> Pixels:
    """A crop under a map of any grid, scaled to the map's own largest value."""
    known = ~np.isnan(values)
    largest = float(values[known].max()) if known.any() else 0.0
    scaled = np.where(known, values / (largest or 1.0), 0.0)
    smooth = _enlarged(scaled, crop.shape, Image.Resampling.BICUBIC).clip(0, 1)
    stops = np.linspace(0, 1, len(_HEAT))
    colours = np.stack([np.interp(smooth, stops, band) for band in zip(*_HEAT, strict=True)], -1)
    return _over(_dimmed(crop, known), colours, np.full(smooth.shape, OPACITY))


def part_map(crop: Pixels, labels: NDArray[np.int64], count: int) -> Pixels:
    """A crop under one flat colour for each part; what is no part is grey."""
    cells = _enlarged(labels.astype(np.float32), crop.shape, Image.Resampling.NEAREST).astype(int)
    palette = np.array([*part_colours(count), (0, 0, 0)], dtype=np.float64)
    grey = np.repeat(crop.mean(axis=2, keepdims=True), 3, axis=2) * 0.5 + 96
    shown = np.where(cells[..., None] >= 0, crop, grey)
    return _over(shown, palette[cells], np.where(cells >= 0, OPACITY, 0.0))


def part_colours(count: int) -> list[tuple[int, int, int]]:
    """As different as so many can be, and the same in every run."""
    hues = (colorsys.hsv_to_rgb(number / max(count, 1), 0.75, 1.0) for number in range(count))
    return [(round(255 * r), round(255 * g), round(255 * b)) for r, g, b in hues]


def beside(pictures: list[Pixels], gap: int = 4) -> Pixels:
    """Pictures of one height in a row, with white between them."""
    white = np.full((pictures[0].shape[0], gap, 3), 255, dtype=np.uint8)
    row = [piece for picture in pictures for piece in (white, picture)][1:]
    return np.concatenate(row, axis=1)


def _dimmed(crop: Pixels, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Patches that the model dropped on its way are hatched out."""
    if known.all():
        return crop.astype(np.float64)
    missing = _enlarged((~known).astype(np.float32), crop.shape, Image.Resampling.NEAREST) > 0.5
    rows, columns = np.indices(missing.shape)
    hatched = missing & ((rows + columns) % 6 < 2)
    return np.where(hatched[..., None], 255.0, crop)


def _enlarged(
    values: NDArray[np.floating], shape: tuple[int, ...], filter: Image.Resampling
) -> Float32:
    image = Image.fromarray(values.astype(np.float32)).resize((shape[1], shape[0]), filter)
    return np.asarray(image)


def _over(
    crop: NDArray[np.generic], colours: NDArray[np.float64], opacity: NDArray[np.float64]
) -> Pixels:
    share = opacity[..., None]
    mixed = (1 - share) * crop.astype(np.float64) + share * colours
    return np.rint(mixed).clip(0, 255).astype(np.uint8)
