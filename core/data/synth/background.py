"""Scenes: a wide picture per camera, of which every crop takes another piece at another scale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Rgb = tuple[int, int, int]
Draw = ImageDraw.ImageDraw
ZOOMS = (0.72, 0.86, 1.0, 1.2, 1.4)
Pixels = NDArray[np.uint8]
SPAN = (4.0, 1.6)
"""How many crops wide and high a scene is."""

GROUNDS: dict[str, tuple[Rgb, ...]] = {
    "pavement": ((150, 146, 140), (168, 160, 150), (134, 134, 136)),
    "asphalt": ((88, 88, 92), (104, 102, 100), (74, 76, 82)),
    "lawn": ((96, 122, 66), (116, 130, 78), (84, 108, 62)),
    "plaza": ((178, 158, 132), (160, 138, 118), (188, 182, 170)),
    "snow": ((226, 232, 240), (214, 222, 232), (236, 238, 242)),
    "slush": ((152, 156, 164), (128, 130, 138), (176, 180, 188)),
    "corridor": ((186, 178, 164), (150, 152, 156), (200, 192, 176)),
    "hall": ((172, 158, 140), (196, 190, 182), (140, 136, 134)),
    "shop": ((198, 196, 190), (180, 170, 156), (160, 158, 160)),
}
WALLS: tuple[Rgb, ...] = (
    (146, 96, 78),
    (176, 164, 142),
    (120, 124, 132),
    (196, 192, 184),
    (104, 112, 104),
    (158, 132, 108),
)


def make_scene(rng: np.random.Generator, kind: str, height: int, width: int) -> Image.Image:
    """A street, a lawn, a corridor, ...: wall or trees above, ground with a perspective below."""
    wide, high = int(SPAN[0] * width), int(SPAN[1] * height)
    ground = _vary(rng, GROUNDS[kind][int(rng.integers(len(GROUNDS[kind])))], 10)
    image = Image.new("RGB", (wide, high), ground)
    draw = ImageDraw.Draw(image)
    horizon = int(high * rng.uniform(0.3, 0.52))
    _ground(rng, draw, kind, ground, horizon, wide, high)
    _upper_half(rng, kind)(rng, draw, horizon, wide)
    _things(rng, draw, kind, horizon, wide, height)
    image = image.filter(ImageFilter.GaussianBlur(height / 256 * float(rng.uniform(0.5, 1.4))))
    return _grain(rng, image, 5.0 if kind in ("corridor", "hall", "shop") else 9.0)


def zoomed(scene: Image.Image) -> tuple[Pixels, ...]:
    """The scene at every zoom that crops are taken with, so that a crop is but a slice."""
    sizes = [(round(scene.width / zoom), round(scene.height / zoom)) for zoom in ZOOMS]
    return tuple(
        np.ascontiguousarray(
            np.asarray(scene.resize(size, Image.Resampling.BILINEAR)).transpose(2, 0, 1)
        )
        for size in sizes
    )


def crop_scene(
    rng: np.random.Generator, scene: tuple[Pixels, ...], height: int, width: int
) -> NDArray[np.float32]:
    """One piece of the scene as (3, H, W), at its own place, zoom and side."""
    level = scene[int(rng.integers(len(scene)))]
    top = int(rng.integers(level.shape[1] - height + 1))
    left = int(rng.integers(level.shape[2] - width + 1))
    piece = level[:, top : top + height, left : left + width]
    if rng.random() < 0.5:
        piece = piece[:, :, ::-1]
    return piece.astype(np.float32, order="C")


def _vary(rng: np.random.Generator, colour: Rgb, amount: float) -> Rgb:
    common = rng.normal(0, amount)
    red, green, blue = (
        int(np.clip(c + common + rng.normal(0, amount / 3), 0, 255)) for c in colour
    )
    return red, green, blue


def _tone(colour: Rgb, factor: float) -> Rgb:
    return tuple(min(int(c * factor), 255) for c in colour)  # type: ignore[return-value]


def _upper_half(
    rng: np.random.Generator, kind: str
) -> Callable[[np.random.Generator, Draw, int, int], None]:
    if kind == "lawn" or (kind in ("snow", "pavement") and rng.random() < 0.35):
        return _trees
    if kind == "shop":
        return _shelves
    return _facade


def _facade(rng: np.random.Generator, draw: Draw, horizon: int, wide: int) -> None:
    x = 0
    while x < wide:
        end = x + int(rng.uniform(0.2, 0.5) * wide)
        wall = _vary(rng, WALLS[int(rng.integers(len(WALLS)))], 12)
        draw.rectangle((x, 0, end, horizon), fill=wall)
        glass = _vary(rng, (66, 78, 92), 16)
        step = max(int(rng.uniform(0.06, 0.12) * wide), 6)
        rows = max(int(horizon * rng.uniform(0.3, 0.6)), 6)
        for column in range(x + step // 3, end - step // 2, step):
            for row in range(rows // 4 - rows, horizon - rows // 2, rows):
                box = (column, row, column + step // 2, row + rows * 2 // 3)
                draw.rectangle(box, fill=_vary(rng, glass, 8), outline=_tone(wall, 1.2))
        draw.rectangle((x, horizon - max(horizon // 14, 2), end, horizon), fill=_tone(wall, 0.62))
        x = end


def _trees(rng: np.random.Generator, draw: Draw, horizon: int, wide: int) -> None:
    draw.rectangle((0, 0, wide, horizon), fill=_vary(rng, (176, 192, 206), 14))
    for _ in range(90):
        x, y = rng.uniform(0, wide), rng.uniform(0.0, 1.0) ** 0.6 * horizon
        size = rng.uniform(0.06, 0.22) * horizon
        shade = _vary(rng, (62, 84, 48), 14)
        draw.ellipse((x - size, y - size, x + size, min(y + size, horizon)), fill=shade)
    for _ in range(5):
        x, half = rng.uniform(0, wide), rng.uniform(0.004, 0.012) * wide
        draw.rectangle((x - half, 0, x + half, horizon + 4), fill=_vary(rng, (72, 56, 44), 8))


def _shelves(rng: np.random.Generator, draw: Draw, horizon: int, wide: int) -> None:
    draw.rectangle((0, 0, wide, horizon), fill=_vary(rng, (186, 180, 172), 10))
    rows = 4
    for row in range(rows):
        x = 0.0
        low, high = horizon * row / rows + 3, horizon * (row + 1) / rows - 4
        while x < wide:
            step = float(rng.uniform(0.01, 0.035) * wide)
            colour = _vary(rng, (140, 130, 124), 42)
            draw.rectangle(
                (x, low + rng.uniform(0, 0.4) * (high - low), x + step, high), fill=colour
            )
            x += step + 1
        draw.rectangle((0, high, wide, high + 4), fill=(120, 112, 104))


def _ground(
    rng: np.random.Generator, draw: Draw, kind: str, ground: Rgb, horizon: int, wide: int, high: int
) -> None:
    if kind in ("lawn", "snow", "slush"):
        for _ in range(60):
            x, y = rng.uniform(0, wide), rng.uniform(horizon, high)
            long, flat = rng.uniform(0.02, 0.12) * wide, rng.uniform(0.004, 0.02) * high
            draw.ellipse((x - long, y - flat, x + long, y + flat), fill=_vary(rng, ground, 9))
        return
    line = _tone(ground, float(rng.choice((0.84, 1.14))))
    depth = 0.02
    while depth < 1 and kind != "asphalt":
        y = horizon + int((high - horizon) * depth)
        draw.line((0, y, wide, y), fill=line, width=1)
        depth *= 1.45
    centre = wide * rng.uniform(0.2, 0.8)
    spread = rng.uniform(1.6, 3.0)
    for x in np.linspace(-1.2 * wide, 2.2 * wide, 42 if kind != "asphalt" else 6):
        foot = centre + (x - centre) * spread
        draw.line((x, horizon, foot, high), fill=line, width=1 if kind != "asphalt" else 3)
    if kind in ("asphalt", "pavement") and rng.random() < 0.6:
        y = horizon + int((high - horizon) * rng.uniform(0.05, 0.2))
        draw.rectangle((0, y, wide, y + 5), fill=_tone(ground, 1.25))


def _things(
    rng: np.random.Generator, draw: Draw, kind: str, horizon: int, wide: int, height: int
) -> None:
    """Poles, benches and boxes far behind; nothing that names a person."""
    for _ in range(int(rng.integers(3, 8))):
        x, foot = rng.uniform(0, wide), horizon + rng.uniform(0.0, 0.12) * height
        colour = _vary(rng, (92, 92, 96), 26)
        if rng.random() < 0.5:
            half = rng.uniform(0.004, 0.01) * height
            draw.rectangle((x - half, 0, x + half, foot), fill=colour)
        else:
            half, tall = rng.uniform(0.03, 0.1) * height, rng.uniform(0.06, 0.2) * height
            draw.rectangle((x - half, foot - tall, x + half, foot), fill=colour)
            draw.rectangle(
                (x - half, foot - tall, x + half, foot - tall * 0.8), fill=_tone(colour, 1.3)
            )


def _grain(rng: np.random.Generator, image: Image.Image, strength: float) -> Image.Image:
    pixels = np.asarray(image, dtype=np.float32)
    fine = rng.normal(0, strength, pixels.shape[:2])
    small = rng.normal(0, strength, (pixels.shape[0] // 12 + 1, pixels.shape[1] // 12 + 1))
    wide = Image.fromarray(small.astype(np.float32)).resize(image.size, Image.Resampling.BICUBIC)
    mixed = pixels + (0.5 * fine + np.asarray(wide))[..., None]
    return Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8))
