"""Colour jitter and grey as one affine map of the colours, so that pixels are touched once.

A camera's cast, brightness, contrast, saturation and grey are affine in the colour already;
contrast also moves towards the image's mean grey, which is affine in the mean colour. Hue turns
colours about the axis of greys. A chain of them, in any order, is
`y = pixel @ colour x + mean @ x's mean`.

The published code does each in turn on 8 bits and turns the hue in HSV; docs/decisions.md says how
far the two are apart.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""ITU-R 601, as Pillow has it."""
_GREY = np.tile(LUMA, (3, 1))
_ORDERS = np.array(list(itertools.permutations(range(4))))
_ONE = np.eye(3, dtype=np.float32)
_AXIS = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], dtype=np.float32) / np.sqrt(np.float32(3))
"""The cross product with the direction of greys."""


class Colour(NamedTuple):
    """Per view: `y = pixel x + mean m`, where m is the crop's mean colour; [..., 3, 3] each."""

    pixel: Floats
    mean: Floats


class Jitter(NamedTuple):
    """Factors of each view (1 changes nothing), the turn of the hue, and the order of the four."""

    brightness: Floats
    contrast: Floats
    saturation: Floats
    hue: Floats
    order: NDArray[np.int64]
    """A number below 24."""
    cast: Floats
    """[..., 3]: by what each channel is multiplied before all else."""


def colours(jitter: Jitter, grey: NDArray[np.bool_]) -> Colour:
    """The map of each view; `grey` says which lose their colour in the end."""
    scale = np.stack(_linear(jitter), axis=-3)
    towards = np.zeros_like(scale)
    towards[..., 1, :, :] = _wide(1 - jitter.contrast) * _GREY
    pixel = jitter.cast[..., None] * _ONE
    mean = np.zeros_like(pixel)
    turns = _ORDERS[jitter.order]
    for number in range(4):
        pick = turns[..., number, None, None, None]
        step = np.take_along_axis(scale, pick, axis=-3)[..., 0, :, :]
        pull = np.take_along_axis(towards, pick, axis=-3)[..., 0, :, :]
        pixel, mean = step @ pixel, step @ mean + pull @ (pixel + mean)
    lost = _wide(grey)
    return Colour(np.where(lost, _GREY @ pixel, pixel), np.where(lost, _GREY @ mean, mean))


def _linear(jitter: Jitter) -> list[Floats]:
    """What each of the four does to a pixel, without contrast's pull to the mean."""
    saturation = _wide(jitter.saturation)
    return [
        _wide(jitter.brightness) * _ONE,
        _wide(jitter.contrast) * _ONE,
        saturation * _ONE + (1 - saturation) * _GREY,
        _turned(jitter.hue),
    ]


def _turned(hue: Floats) -> Floats:
    """A turn by this part of the circle about the axis of greys (Rodrigues' formula)."""
    angle = 2 * np.pi * _wide(hue)
    turned: Floats = _ONE + np.sin(angle) * _AXIS + (1 - np.cos(angle)) * (_AXIS @ _AXIS)
    return turned.astype(np.float32)


def _wide(values: NDArray[np.generic]) -> Floats:
    return values[..., None, None]  # type: ignore[return-value]
