"""The published training augmentation, one crop at a time, from numbers keyed to that crop.

Flip, pad, crop back, normalise, then erase a rectangle with noise (timm's RandomErasing in mode
'pixel', one rectangle, re-stated). Resizing happened before, once.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..core.preprocess import Preprocess
from .recipe import Augment

ERASE_ATTEMPTS = 10
ERASE_LOG_ASPECT = math.log(1 / 0.3)


class Rectangle(NamedTuple):
    top: int
    left: int
    height: int
    width: int


def augmented(
    crop: NDArray[np.uint8], rng: np.random.Generator, settings: Augment, preprocess: Preprocess
) -> NDArray[np.float32]:
    """One crop, HWC uint8, as the network sees it in training: CHW float32."""
    moved = shifted(crop, rng, settings)
    image: NDArray[np.float32] = preprocess.normalise(moved[None])[0]
    rectangle = erased_rectangle(rng, settings, crop.shape[0], crop.shape[1])
    if rectangle is not None:
        top, left, height, width = rectangle
        noise = rng.standard_normal((3, height, width), dtype=np.float32)
        image[:, top : top + height, left : left + width] = noise
    return image


def shifted(
    crop: NDArray[np.uint8], rng: np.random.Generator, settings: Augment
) -> NDArray[np.uint8]:
    """Flip, then move by up to `pad` pixels each way; what comes in from outside is black."""
    if rng.random() < settings.flip:
        crop = crop[:, ::-1]
    down, right = rng.integers(-settings.pad, settings.pad, size=2, endpoint=True)
    height, width = crop.shape[:2]
    moved = np.zeros_like(crop)
    target = moved[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
    target[...] = crop[
        max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)
    ]
    return moved


def erased_rectangle(
    rng: np.random.Generator, settings: Augment, height: int, width: int
) -> Rectangle | None:
    """Where to erase, or None: by chance, or because no proposal was smaller than the image."""
    if rng.random() >= settings.erase:
        return None
    for _ in range(ERASE_ATTEMPTS):
        area = rng.uniform(*settings.erase_area) * height * width
        aspect = math.exp(rng.uniform(-ERASE_LOG_ASPECT, ERASE_LOG_ASPECT))
        tall, wide = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if tall < height and wide < width:
            top = int(rng.integers(0, height - tall, endpoint=True))
            left = int(rng.integers(0, width - wide, endpoint=True))
            return Rectangle(top, left, tall, wide)
    return None
