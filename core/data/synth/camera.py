"""Cameras: each has its own colours, contrast, sharpness, noise, compression, tilt and scene."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from .background import Pixels, make_scene, zoomed
from .domain import Domain
from .seeds import Stream, generator
from .tube import Light, Plane

_LUMA = np.array([[0.299, 0.587, 0.114]])


@dataclass(frozen=True)
class Camera:
    number: int
    pitch: float
    light: Light
    scenes: tuple[tuple[Pixels, ...], ...]
    matrix: NDArray[np.float64]
    """3x3, colour to colour: white balance, saturation and cross-talk."""
    gamma: float
    gain: float
    lift: float
    blur: float
    shrink: float
    """Of how much smaller a sensor area the crop was taken; 1 is full resolution."""
    noise: float
    quality: int
    grain: NDArray[np.int16]


def make_camera(seed: int, number: int, domain: Domain, height: int, width: int) -> Camera:
    rng = generator(seed, Stream.CAMERA, number)
    shift = domain.camera_shift
    balance = np.array(domain.tint) * np.exp(rng.normal(0, 0.1 * shift, 3))
    saturation = float(np.exp(rng.normal(-0.14, 0.2 * shift)))
    mixing = np.eye(3) * saturation + (1 - saturation) * np.repeat(_LUMA, 3, axis=0)
    mixing = mixing + rng.normal(0, 0.025 * shift, (3, 3))
    side = float(rng.uniform(-0.75, 0.75))
    direction = np.array([side, -0.5, 0.75])
    direction /= np.linalg.norm(direction)
    kinds = [str(rng.choice(domain.scenes)) for _ in range(2)]
    noise = float(rng.uniform(*domain.noise))
    return Camera(
        number=number,
        pitch=float(rng.uniform(0.04, 0.3)),
        light=Light(
            (float(direction[0]), float(direction[1]), float(direction[2])),
            domain.ambient,
            domain.diffuse,
        ),
        scenes=tuple(zoomed(make_scene(rng, kind, height, width)) for kind in kinds),
        matrix=balance[:, None] * mixing,
        gamma=float(np.exp(rng.normal(0, 0.22 * shift))),
        gain=domain.exposure * float(np.exp(rng.normal(0, 0.14 * shift))),
        lift=float(rng.uniform(0, 22 * shift)),
        blur=float(rng.uniform(*domain.blur)),
        shrink=float(rng.uniform(1.0, 2.1)),
        noise=noise,
        quality=int(rng.integers(domain.quality[0], domain.quality[1] + 1)),
        grain=_grain(rng, noise, height, width),
    )


def develop(camera: Camera, rng: np.random.Generator, scene: Plane, spread: float) -> bytes:
    """From scene light (3, H, W) in 0..255 to the JPEG file this camera would store."""
    height, width = scene.shape[1:]
    image = Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8).transpose(1, 2, 0))
    image = _defocus(image, camera, rng)
    gain = camera.gain * float(np.exp(rng.normal(0, spread)))
    matrix = np.zeros((3, 4))
    matrix[:, :3] = camera.matrix * np.exp(rng.normal(0, 0.03, (3, 1)))
    image = image.convert("RGB", tuple(matrix.ravel()))
    image = image.point(_curve(gain, camera.gamma, camera.lift) * 3)
    top, left = int(rng.integers(64)), int(rng.integers(64))
    noisy = np.asarray(image) + camera.grain[top : top + height, left : left + width]
    image = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(np.clip(camera.quality + rng.integers(-6, 7), 25, 95)))
    return file.getvalue()


def _defocus(image: Image.Image, camera: Camera, rng: np.random.Generator) -> Image.Image:
    size = image.size
    shrink = camera.shrink * float(rng.uniform(0.8, 1.25))
    if shrink > 1.15:
        small = (round(size[0] / shrink), round(size[1] / shrink))
        return image.resize(small, Image.Resampling.BILINEAR).resize(
            size, Image.Resampling.BILINEAR
        )
    radius = camera.blur * size[1] / 256
    return image.filter(ImageFilter.BoxBlur(radius)) if radius > 0.2 else image


def _curve(gain: float, gamma: float, lift: float) -> list[int]:
    level = np.minimum(np.arange(256) / 255 * gain, 1.0) ** gamma
    curve: list[int] = np.round(lift + (255 - lift) * level).astype(int).tolist()
    return curve


def _grain(rng: np.random.Generator, noise: float, height: int, width: int) -> NDArray[np.int16]:
    shape = (height + 64, width + 64)
    luma = rng.normal(0, noise, (*shape, 1))
    chroma = rng.normal(0, noise * 0.4, (*shape, 3))
    return np.round(luma + chroma).astype(np.int16)
