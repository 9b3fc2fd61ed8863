"""The one way a crop becomes a network's input; the description travels with the weights.

`antialias=True` is Pillow's resampling: shrinking widens the filter, so every source pixel counts
(bicubic with coefficient -0.5). `antialias=False` samples at points, as `torch.nn.functional.
interpolate` and OpenCV do: pixel centres are aligned (`align_corners=False`), edges are repeated,
the bicubic coefficient is -0.75, and shrinking skips pixels. The filters without antialiasing:
nearest and box take the pixel below the sample point, bilinear 2 taps, bicubic 4 and lanczos 6
(normalised) per axis; sums in float64, the width first, rounded once (half up) and clipped.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .errors import ConfigError, DataError

Filter = Literal["nearest", "bilinear", "bicubic", "lanczos", "box"]
Colour = Literal["rgb", "bgr"]
Layout = Literal["nchw", "nhwc"]

POINT_BICUBIC = -0.75
MAX_SIDE = 8192
_LARGEST_CROP_SIDE = 4096

_RESAMPLING = {name: Image.Resampling[name.upper()] for name in get_args(Filter)}


def parse_size(text: str) -> tuple[int, int]:
    """`256x128` as height and width."""
    words = text.lower().split("x")
    if len(words) != 2 or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ConfigError(f"{text!r} is not an image size; write HEIGHTxWIDTH, such as 256x128")
    if max(int(word) for word in words) > _LARGEST_CROP_SIDE:
        raise ConfigError(f"{text} is no size of a crop; give sides up to {_LARGEST_CROP_SIDE}")
    return int(words[0]), int(words[1])


@dataclass(frozen=True)
class Preprocess:
    """PersonViT's evaluation preprocessing unless told otherwise.

    `mean` and `std` are for values in 0..1 and in the order of `colour`.
    """

    height: int = 256
    width: int = 128
    filter: Filter = "bilinear"
    antialias: bool = True
    colour: Colour = "rgb"
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    layout: Layout = "nchw"

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            _check_side(name, getattr(self, name))
        for name, choices in (("filter", Filter), ("colour", Colour), ("layout", Layout)):
            _check_choice(name, getattr(self, name), get_args(choices))
        if not isinstance(self.antialias, bool):
            raise ConfigError(f"antialias must be true or false, not {self.antialias!r}")
        for name in ("mean", "std"):
            object.__setattr__(self, name, _three(name, getattr(self, name)))
        if min(self.std) <= 0:
            raise ConfigError(f"std must be above 0 in every channel, not {list(self.std)}")

    def resize(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """An RGB image of any size, at this height and width."""
        _check_pixels(image, 3)
        if image.shape[:2] == (self.height, self.width):
            return image.copy()
        if self.antialias:
            resized = Image.fromarray(np.ascontiguousarray(image)).resize(
                (self.width, self.height), _RESAMPLING[self.filter]
            )
            return np.array(resized)
        return _point_resize(image, self.height, self.width, self.filter)

    def normalise(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 NHWC RGB crops as the network's float32 input, in its colour order and layout."""
        _check_pixels(batch, 4)
        table = self._table()
        planes = batch if self.colour == "rgb" else batch[..., ::-1]
        shape = (batch.shape[0], 3, *batch.shape[1:3])
        out = np.empty(shape, dtype=np.float32)
        for channel in range(3):
            out[:, channel] = table[channel][planes[..., channel]]
        return out if self.layout == "nchw" else np.ascontiguousarray(out.transpose(0, 2, 3, 1))

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """One image, resized and normalised, without the batch axis."""
        result: NDArray[np.float32] = self.normalise(self.resize(image)[None])[0]
        return result

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocess:
        """Every setting must be there: one that is left out cannot be known to be the default."""
        if not isinstance(values, Mapping):
            raise ConfigError(f"preprocessing must be a table of settings, not {values!r}")
        known = [field.name for field in fields(cls)]
        if unknown := sorted(map(str, set(values) - set(known))):
            raise ConfigError(f"unknown preprocessing settings {unknown}; known are {known}")
        if missing := [name for name in known if name not in values]:
            raise ConfigError(f"preprocessing lacks {missing}; every setting must be stated")
        return cls(**values)

    def digest(self) -> str:
        """The same for the same settings on every platform and version of Python."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def _table(self) -> NDArray[np.float32]:
        """Every byte's value per channel: the float32 steps of torchvision, done 768 times."""
        levels = np.arange(256, dtype=np.float32) / np.float32(255)
        mean, std = (np.array(value, dtype=np.float32)[:, None] for value in (self.mean, self.std))
        table: NDArray[np.float32] = (levels - mean) / std
        return table


def _check_side(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_SIDE:
        raise ConfigError(f"{name} must be a whole number from 1 to {MAX_SIDE}, not {value!r}")


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


def _three(name: str, values: Iterable[object]) -> tuple[float, float, float]:
    try:
        red, green, blue = (_finite(value) for value in values)
    except (TypeError, ValueError) as problem:
        raise ConfigError(f"{name} must be three finite numbers, not {values!r}") from problem
    return red, green, blue


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise TypeError(value)
    if not math.isfinite(value):
        raise ValueError(value)
    return float(value)


def _check_pixels(image: NDArray[np.uint8], axes: int) -> None:
    sizes = image.shape[-3:]
    if image.dtype != np.uint8 or image.ndim != axes or sizes[-1] != 3 or 0 in sizes:
        shape = "height x width x 3" if axes == 3 else "count x height x width x 3"
        raise DataError(
            f"pixels must be uint8, {shape}, not {image.dtype} of shape {image.shape}; "
            "read files with core.images.read_image"
        )


def _point_resize(
    image: NDArray[np.uint8], height: int, width: int, filter: Filter
) -> NDArray[np.uint8]:
    values = _along(image.astype(np.float64), 1, width, filter)
    values = _along(values, 0, height, filter)
    rounded: NDArray[np.uint8] = np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)
    return rounded


def _along(
    values: NDArray[np.float64], axis: int, size: int, filter: Filter
) -> NDArray[np.float64]:
    """Resample one axis. Taps are added in order, so the sum is the same on every machine."""
    index, weight = _taps(values.shape[axis], size, filter)
    spread = (1, -1, 1) if axis == 1 else (-1, 1, 1)
    total = np.zeros(())
    for tap in range(index.shape[1]):
        pixels = np.take(values, index[:, tap], axis=axis)
        total = total + pixels * weight[:, tap].reshape(spread)
    return total


def _taps(
    source: int, target: int, filter: Filter
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each target pixel the source pixels it reads and their weights."""
    odd = 2 * np.arange(target, dtype=np.int64) + 1
    if filter in ("nearest", "box"):
        return (odd * source // (2 * target))[:, None], np.ones((target, 1))
    reach, kernel = _KERNELS[filter]
    point = odd * source / (2 * target) - 0.5
    index = np.floor(point).astype(np.int64)[:, None] + np.arange(1 - reach, reach + 1)
    weight = kernel(np.abs(point[:, None] - index))
    weight /= weight.sum(axis=1, keepdims=True)
    return np.clip(index, 0, source - 1), weight


def _triangle(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(1 - x, 0)


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys 1981, with torch's and OpenCV's coefficient."""
    a = POINT_BICUBIC
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _lanczos(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(x < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


_KERNELS: Mapping[str, tuple[int, Callable[[NDArray[np.float64]], NDArray[np.float64]]]] = {
    "bilinear": (1, _triangle),
    "bicubic": (2, _cubic),
    "lanczos": (3, _lanczos),
}
