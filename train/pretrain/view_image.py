"""Views of one image, as a processor makes them fastest.

The crop is resized in eight bits (PyTorch's vectorised antialiased bicubic, which is Pillow's to
within rounding), blurred in 16 bits, and gets its colours and its normalisation in one matrix
product. The blur, being linear too, may come before the colours that the published code gives it
first: only colours beyond the range differ, since they are cut off once instead of twice.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from .views import UNIT, Plan

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

SOLARIZED = 128
_COLUMNS = 1 << 14
"""Products of up to this many pixels are too small for OpenBLAS to start threads of its own."""


class ViewMaker:
    """Writes normalised views of one size."""

    def __init__(
        self, height: int, width: int, mean: tuple[float, ...], std: tuple[float, ...]
    ) -> None:
        self.size = (height, width)
        spread = 255 * np.array(std)
        self._scale = (1 / spread).astype(np.float32)[:, None]
        self._shift = (np.array(mean) * 255 / spread).astype(np.float32)[:, None]

    def write(self, image: Pixels, plan: Plan, view: int, out: Floats) -> None:
        """Make one view [3, height, width] of an image whose plan has one axis: its views."""
        pixels = self.cut(image, plan, view).reshape(-1, 3)
        colours = pixels.astype(np.float32)
        count = len(colours)
        middle = np.ones(count, dtype=np.float32) @ colours / count
        planes = np.empty((3, count), dtype=np.float32)
        for start in range(0, count, _COLUMNS):
            part = slice(start, start + _COLUMNS)
            np.matmul(plan.colour.pixel[view], colours[part].T, out=planes[:, part])
        planes += (plan.colour.mean[view] @ middle)[:, None]
        np.clip(planes, 0, 255, out=planes)
        if plan.solarize[view]:
            np.copyto(planes, 255 - planes, where=planes >= SOLARIZED)
        planes *= self._scale
        planes -= self._shift
        shaped = planes.reshape(out.shape)
        out[...] = shaped[..., ::-1] if plan.flip[view] else shaped

    def cut(self, image: Pixels, plan: Plan, view: int) -> Pixels:
        """The crop, resized and blurred."""
        top, left, height, width = (int(number) for number in plan.boxes[view])
        whole = torch.from_numpy(image).permute(2, 0, 1)[None]
        box = whole[:, :, top : top + height, left : left + width]
        resized = interpolate(box, self.size, mode="bicubic", antialias=True)
        pixels = resized[0].permute(1, 2, 0).numpy()
        return blurred(pixels, plan.blur[view])


def blurred(pixels: Pixels, weights: NDArray[np.uint16]) -> Pixels:
    """A separable blur; beyond the edges the outermost pixels go on."""
    reach = int(np.flatnonzero(weights)[-1])
    if not reach:
        return pixels
    once = _along(pixels, weights, reach)
    return _along(once.swapaxes(0, 1), weights, reach).swapaxes(0, 1).astype(np.uint8)


def _along(pixels: NDArray[np.integer], weights: NDArray[np.uint16], reach: int) -> Pixels:
    """Blur over the first axis."""
    size = len(pixels)
    padded = np.empty_like(pixels, dtype=np.uint16, shape=(size + 2 * reach, *pixels.shape[1:]))
    padded[reach : size + reach] = pixels
    padded[:reach], padded[size + reach :] = pixels[0], pixels[-1]
    total = padded[reach : size + reach] * weights[0]
    pair = np.empty_like(total)
    for away in range(1, reach + 1):
        np.add(padded[reach - away :][:size], padded[reach + away :][:size], out=pair)
        pair *= weights[away]
        total += pair
    total += UNIT // 2
    total //= UNIT
    return total  # type: ignore[return-value]
