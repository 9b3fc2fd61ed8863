"""Boxes and names over a frame: one steady colour for each name, grey for strangers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PALETTE = (
    (0, 122, 204), (214, 84, 36), (40, 150, 90), (150, 80, 190),
    (196, 60, 110), (0, 150, 160), (184, 134, 11), (92, 100, 216),
)  # fmt: skip
GREY = (104, 108, 114)


def draw(frame: np.ndarray, sightings: Sequence[Any], people: Sequence[str]) -> np.ndarray:
    """A copy with the sightings in it; people in front (lower in the picture) come last."""
    picture = frame.copy()
    thick = max(2, round(frame.shape[0] / 270))
    size = max(13, round(frame.shape[0] / 36))
    for box, name, similarity in sorted(sightings, key=lambda each: each[0].y + each[0].height):
        colour = PALETTE[people.index(name) % len(PALETTE)] if name in people else GREY
        corners = _corners(box, picture.shape)
        _outline(picture, corners, colour, thick)
        text = f"{name}  {similarity:.2f}"
        _paste(picture, label(text, colour, size), corners[0], corners[1], thick)
    return picture


@lru_cache(maxsize=2048)
def label(text: str, colour: tuple[int, int, int], size: int) -> np.ndarray:
    """White on a tab of the box's colour."""
    font = ImageFont.load_default(size)
    _, top, _, bottom = font.getbbox("Ag")
    pad = size // 3
    width = int(font.getlength(text)) + 2 * pad
    tab = Image.new("RGB", (width, int(bottom - top) + pad + 2), colour)
    ImageDraw.Draw(tab).text((pad, pad // 2 - top + 1), text, fill=(255, 255, 255), font=font)
    return np.asarray(tab)


def _corners(box: Any, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    height, width = shape[:2]
    left, right = (int(np.clip(at, 0, width - 1)) for at in (box.x, box.x + box.width))
    top, bottom = (int(np.clip(at, 0, height - 1)) for at in (box.y, box.y + box.height))
    return left, top, right, bottom


def _outline(
    picture: np.ndarray,
    corners: tuple[int, int, int, int],
    colour: tuple[int, int, int],
    thick: int,
) -> None:
    left, top, right, bottom = corners
    for rows, columns in (
        (slice(top, top + thick), slice(left, right)),
        (slice(max(bottom - thick, top), bottom), slice(left, right)),
        (slice(top, bottom), slice(left, left + thick)),
        (slice(top, bottom), slice(max(right - thick, left), right)),
    ):
        picture[rows, columns] = colour


def _paste(picture: np.ndarray, tab: np.ndarray, left: int, top: int, thick: int) -> None:
    """Above the box where there is room, else inside it; never past the border."""
    high, wide = tab.shape[:2]
    row = top - high if top >= high else top
    column = max(min(left, picture.shape[1] - wide), 0)
    room = picture[row : row + high, column : column + wide]
    room[:] = tab[: room.shape[0], : room.shape[1]]
