"""What stands between the camera and the person: cars, bins, poles, plants, boards, people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .tube import Plane

Rgb = tuple[int, int, int]


def draw_occluder(rng: np.random.Generator, kind: str, height: int, width: int) -> Plane:
    """A premultiplied RGBA picture (4, H, W) of one thing in front."""
    image = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    _KINDS[kind](rng, ImageDraw.Draw(image), height, width)
    image = image.filter(ImageFilter.BoxBlur(height / 256 * 0.7))
    rgba = np.asarray(image, dtype=np.float32).transpose(2, 0, 1).copy()
    rgba[3] /= 255
    rgba[:3] *= rgba[3]
    return rgba


def _colour(rng: np.random.Generator, low: int = 40, high: int = 200) -> Rgb:
    level = rng.uniform(low, high)
    red, green, blue = (int(np.clip(level + rng.normal(0, 26), 0, 255)) for _ in range(3))
    return red, green, blue


def _tone(colour: Rgb, factor: float) -> Rgb:
    return tuple(min(int(c * factor), 255) for c in colour)  # type: ignore[return-value]


def _car(rng: np.random.Generator, draw: ImageDraw.ImageDraw, h: int, w: int) -> None:
    """The front half of a parked car, its nose to either side."""
    paint, side = _colour(rng), int(rng.choice((-1, 1)))
    roof = h * rng.uniform(0.5, 0.68)
    belt = roof + 0.12 * h
    edge = w * (0.5 + side * rng.uniform(-0.1, 0.35))

    def area(colour: Rgb, *corners: tuple[float, float]) -> None:
        draw.polygon([(edge + side * x * w, y) for x, y in corners], fill=colour)

    def line(colour: Rgb, first: tuple[float, float], last: tuple[float, float]) -> None:
        ends = [(edge + side * x * w, y) for x, y in (first, last)]
        draw.line(ends, fill=colour, width=max(h // 128, 1))

    glass = roof + 0.02 * h
    area(paint, (-0.62, belt), (-0.4, roof), (1.2, roof), (1.2, belt))
    area((52, 60, 70), (-0.5, belt), (-0.34, glass), (1.2, glass), (1.2, belt))
    area(_tone(paint, 0.94), (-1, belt + 0.03 * h), (-0.55, belt), (1.4, belt), (1.4, h), (-1, h))
    area(_tone(paint, 0.74), (-1, belt + 0.2 * h), (1.4, belt + 0.2 * h), (1.4, h), (-1, h))
    line(_tone(paint, 1.3), (-1, belt + 0.06 * h), (1.4, belt + 0.02 * h))
    for pillar in (0.12, 0.2):
        line(_tone(paint, 0.66), (pillar, roof), (pillar + 0.02, h))
    area(
        (236, 228, 190), (-0.99, belt + 0.06 * h), (-0.9, belt + 0.05 * h), (-0.92, belt + 0.1 * h)
    )
    wheel = edge - side * 0.42 * w
    for radius, shade in ((0.11 * h, 26), (0.06 * h, 128)):
        box = (wheel - radius, 0.967 * h - radius, wheel + radius, 0.967 * h + radius)
        draw.ellipse(box, fill=(shade, shade, shade + 2))


def _bin(rng: np.random.Generator, draw: ImageDraw.ImageDraw, h: int, w: int) -> None:
    paint, half = _colour(rng, 30, 120), w * rng.uniform(0.24, 0.4)
    x, top = w * rng.uniform(0.2, 0.8), h * rng.uniform(0.55, 0.74)
    draw.polygon(
        [(x - half, top), (x + half, top), (x + half * 0.85, h), (x - half * 0.85, h)], fill=paint
    )
    draw.polygon(
        [(x + half * 0.3, top), (x + half, top), (x + half * 0.85, h), (x + half * 0.3, h)],
        fill=_tone(paint, 0.75),
    )
    draw.rectangle(
        (x - half * 1.08, top - 0.03 * h, x + half * 1.08, top + 0.01 * h), fill=_tone(paint, 1.3)
    )


def _pole(rng: np.random.Generator, draw: ImageDraw.ImageDraw, h: int, w: int) -> None:
    paint, half = _colour(rng, 70, 170), w * rng.uniform(0.05, 0.13)
    x = w * rng.uniform(0.22, 0.78)
    draw.rectangle((x - half, 0, x + half, h), fill=paint)
    draw.rectangle((x - half, 0, x - half * 0.4, h), fill=_tone(paint, 1.25))
    draw.rectangle((x + half * 0.4, 0, x + half, h), fill=_tone(paint, 0.7))


def _plant(rng: np.random.Generator, draw: ImageDraw.ImageDraw, h: int, w: int) -> None:
    x, top = w * rng.uniform(0.15, 0.85), h * rng.uniform(0.42, 0.62)
    for _ in range(90):
        px = x + rng.normal(0, 0.2) * w
        py = h - rng.uniform(0, 1) ** 0.7 * (h - top)
        size = rng.uniform(0.02, 0.06) * w * 1.6
        green = rng.uniform(0.55, 1.25)
        draw.ellipse((px - size, py - size, px + size, py + size), fill=_tone((58, 92, 46), green))


def _board(rng: np.random.Generator, draw: ImageDraw.ImageDraw, h: int, w: int) -> None:
    paint = _colour(rng, 60, 220)
    left, right = w * rng.uniform(-0.1, 0.3), w * rng.uniform(0.65, 1.1)
    top = h * rng.uniform(0.48, 0.7)
    draw.rectangle((left, top, right, h), fill=paint)
    for y in np.arange(top + 0.04 * h, h, 0.075 * h):
        draw.line((left, y, right, y), fill=_tone(paint, 0.8), width=2)
    draw.rectangle((left, top, right, top + 0.015 * h), fill=_tone(paint, 1.25))


_KINDS: Final[dict[str, Callable[[np.random.Generator, ImageDraw.ImageDraw, int, int], None]]] = {
    "car": _car,
    "bin": _bin,
    "pole": _pole,
    "plant": _plant,
    "board": _board,
}
KINDS: Final = (*_KINDS, "person")
