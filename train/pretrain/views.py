"""The augmentation of DINO, iBOT and PASS as numbers: what each view of each image will be.

A view is a random resized crop of a person's aspect, a flip, jittered or no colours, a blur and,
for the second global crop, a solarisation. Everything that is random is drawn here, from a stream
keyed by (seed, epoch, place) of which every view has its own row; view_image.py and view_batch.py
only execute it, one image at a time or many at once on a device.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..keyed import Purpose, generator
from .recipe import Views
from .view_colour import Colour, Jitter, colours

ATTEMPTS = 10
GLOBALS = 2
REACH = 5
"""Pixels that a blur reaches: 2.5 times the largest published radius (its standard deviation)."""
UNIT = 256
"""Weights of a blur add up to this, so that eight-bit pixels can be blurred in 16 bits."""
_DRAWS = 2 * ATTEMPTS + 16

Floats = NDArray[np.float64]


class Plan(NamedTuple):
    """Views [..., V, ...]; those with the lowest numbers are the global ones."""

    boxes: NDArray[np.int64]
    """[..., 4]: top, left, height, width."""
    flip: NDArray[np.bool_]
    blur: NDArray[np.uint16]
    """[..., 1 + REACH]: weights of the middle and of its neighbours, UNIT together."""
    colour: Colour
    solarize: NDArray[np.bool_]


def nth(plans: Plan, number: int) -> Plan:
    """One image's plan out of many."""
    colour = Colour(plans.colour.pixel[number], plans.colour.mean[number])
    boxes, flip, blur = plans.boxes[number], plans.flip[number], plans.blur[number]
    return Plan(boxes, flip, blur, colour, plans.solarize[number])


def draw(seed: int, epoch: int, place: int, count: int) -> Floats:
    """The random numbers of one image's views, [V, draws]."""
    return generator(seed, Purpose.VIEWS, epoch, place).random((count, _DRAWS))


def plan(numbers: Floats, sizes: NDArray[np.int64], views: Views) -> Plan:
    """What the numbers [..., V, draws] mean for images of these heights and widths [..., 2]."""
    first, rest = numbers[..., : 2 * ATTEMPTS + 2], numbers[..., 2 * ATTEMPTS + 2 :]
    kind = np.minimum(np.arange(numbers.shape[-2]), GLOBALS)  # 0 and 1 are global, 2 is local
    blur = np.array([views.blur_global1, views.blur_global2, views.blur_local])[kind]
    solarize = np.array([0.0, views.solarize, 0.0])[kind]
    jitter = _jitter(rest[..., 1:7], rest[..., 11:14], views)
    return Plan(
        boxes=boxes(first, sizes, views),
        flip=rest[..., 0] < views.flip,
        blur=_blur_weights(rest[..., 8] < blur, rest[..., 9], views),
        colour=colours(jitter, rest[..., 7] < views.gray),
        solarize=rest[..., 10] < solarize,
    )


def boxes(numbers: Floats, sizes: NDArray[np.int64], views: Views) -> NDArray[np.int64]:
    """Random resized crops: the first of ten proposals that fits, or else the middle."""
    height, width = (sizes[..., axis, None, None].astype(np.float64) for axis in (0, 1))
    scale = np.array(
        [views.global_scale if view < GLOBALS else views.local_scale for view in range(GLOBALS + 1)]
    )[np.minimum(np.arange(numbers.shape[-2]), GLOBALS)]
    low, high = np.log(views.ratio)
    share = scale[:, :1] + numbers[..., :ATTEMPTS] * (scale[:, 1:] - scale[:, :1])
    aspect = np.exp(low + numbers[..., ATTEMPTS : 2 * ATTEMPTS] * (high - low))
    tall = np.rint(np.sqrt(share * height * width / aspect))
    wide = np.rint(np.sqrt(share * height * width * aspect))
    fits = (tall > 0) & (wide > 0) & (tall <= height) & (wide <= width)
    first = fits.argmax(axis=-1)[..., None]
    fallback = _middle(height[..., 0], width[..., 0], views)
    found = fits.any(axis=-1)
    tall = np.where(found, np.take_along_axis(tall, first, -1)[..., 0], fallback[0])
    wide = np.where(found, np.take_along_axis(wide, first, -1)[..., 0], fallback[1])
    spare = np.stack([height[..., 0] - tall, width[..., 0] - wide], axis=-1)
    chance = np.where(found[..., None], numbers[..., 2 * ATTEMPTS :], 0.5)
    corner = np.minimum(np.floor(chance * (spare + 1)), spare)
    return np.concatenate([corner, np.stack([tall, wide], axis=-1)], axis=-1).astype(np.int64)


def _middle(height: Floats, width: Floats, views: Views) -> tuple[Floats, Floats]:
    """All of the image, less what its aspect is beyond the allowed one."""
    low, high = views.ratio
    tall = np.where(width / height < low, np.rint(width / low), height)
    wide = np.where(width / height > high, np.rint(height * high), width)
    return np.clip(tall, 1, height), np.clip(wide, 1, width)


def _jitter(numbers: Floats, channels: Floats, views: Views) -> Jitter:
    applied = numbers[..., 0] < views.jitter

    def factor(column: int, amount: float, middle: float) -> NDArray[np.float32]:
        value = middle + amount * (2 * numbers[..., column] - 1)
        return np.where(applied, value, middle).astype(np.float32)

    return Jitter(
        brightness=factor(1, views.brightness, 1),
        contrast=factor(2, views.contrast, 1),
        saturation=factor(3, views.saturation, 1),
        hue=factor(4, views.hue, 0),
        order=np.floor(24 * numbers[..., 5]).astype(np.int64),
        cast=np.exp(views.cast * (2 * channels - 1)).astype(np.float32),
    )


def _blur_weights(applied: NDArray[np.bool_], numbers: Floats, views: Views) -> NDArray[np.uint16]:
    """A Gaussian in whole parts of UNIT, cut off at REACH; UNIT alone leaves the image as it is."""
    low, high = views.blur_radius
    deviation = low + numbers * (high - low)
    away = np.arange(1 + REACH)
    bell = np.exp(-0.5 * (away / deviation[..., None]) ** 2)
    total = bell[..., :1] + 2 * bell[..., 1:].sum(axis=-1, keepdims=True)
    weights = np.where(applied[..., None], np.rint(UNIT * bell / total), 0).astype(np.int64)
    weights[..., 0] = UNIT - 2 * weights[..., 1:].sum(axis=-1)
    return weights.astype(np.uint16)
