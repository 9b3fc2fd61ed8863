"""Views of one image, as a processor makes them fastest.

The crop is resized in eight bits (PyTorch's vectorised antialiased bicubic, which is Pillow's to
within rounding), blurred in 16 bits, and gets its colours and its normalisation in one matrix
product. The blur, being linear too, may come before the colours that the published code gives it
first: only colours beyond the range differ, since they are cut off once instead of twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from .batch import PretrainBatch
from .recipe import PretrainRecipe
from .views import GLOBALS, UNIT, Plan, draw, nth, plan

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

SOLARIZED = 128
_COLUMNS = 1 << 14
"""Products of up to this many pixels are too small for OpenBLAS to start threads of its own."""


class HostViews:
    """Makes a batch's views in the threads that read its images."""

    def __init__(self, recipe: PretrainRecipe, device: torch.device, seed: int) -> None:
        self._views, self._seed = recipe.views, seed
        self._count = GLOBALS + recipe.views.local_count
        tone = (recipe.input.mean, recipe.input.std)
        self._large = ViewMaker(recipe.input.height, recipe.input.width, *tone)
        self._small = ViewMaker(recipe.views.local_height, recipe.views.local_width, *tone)

    def empty(self, rows: int, pinned: bool) -> tuple[Tensor, Tensor]:
        return (
            torch.empty((GLOBALS, rows, 3, *self._large.size), pin_memory=pinned),
            torch.empty((self._count - GLOBALS, rows, 3, *self._small.size), pin_memory=pinned),
        )

    def room(self, rows: int) -> list[Pixels]:
        """Nothing is kept between reading and finishing."""
        return []

    def take(
        self,
        room: list[Pixels],
        batch: PretrainBatch,
        rows: range,
        images: Sequence[Pixels],
        epoch: int,
        places: NDArray[np.int64],
    ) -> None:
        numbers = np.stack([draw(self._seed, epoch, int(places[r]), self._count) for r in rows])
        sizes = np.array([image.shape[:2] for image in images])
        plans = plan(numbers, sizes, self._views)
        globals_, locals_ = batch.globals.numpy(), batch.locals.numpy()
        for number, (row, image) in enumerate(zip(rows, images, strict=True)):
            mine = nth(plans, number)
            for view in range(GLOBALS):
                self._large.write(image, mine, view, globals_[view, row])
            for view in range(GLOBALS, self._count):
                self._small.write(image, mine, view, locals_[view - GLOBALS, row])

    def finished(
        self, room: list[Pixels], batch: PretrainBatch, epoch: int, places: NDArray[np.int64]
    ) -> PretrainBatch:
        return batch

    def handed_over(self, batch: PretrainBatch) -> PretrainBatch:
        return batch


class ViewMaker:
    """Writes normalised views of one size."""

    def __init__(
        self, height: int, width: int, mean: tuple[float, ...], std: tuple[float, ...]
    ) -> None:
        self.size = (height, width)
        spread = 255 * np.array(std)
        self._ones = np.ones(height * width, dtype=np.float32)
        self._scale = (1 / spread).astype(np.float32)[:, None]
        self._shift = (np.array(mean) * 255 / spread).astype(np.float32)[:, None]

    def write(self, image: Pixels, plan: Plan, view: int, out: Floats) -> None:
        """Make one view [3, height, width] of an image whose plan has one axis: its views."""
        pixels = self.cut(image, plan, view).reshape(-1, 3)
        colours = pixels.astype(np.float32)
        count = len(colours)
        middle = self._ones @ colours / count
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
        top, left, height, width = plan.boxes[view].tolist()
        box = torch.from_numpy(image[top : top + height, left : left + width])
        planes = box.permute(2, 0, 1)[None]
        resized = interpolate(planes, self.size, mode="bicubic", antialias=True)
        return blurred(resized[0].permute(1, 2, 0).numpy(), plan.blur[view])


def blurred(pixels: Pixels, weights: NDArray[np.uint16]) -> Pixels:
    """A separable blur; beyond the edges the outermost pixels go on."""
    reach = int(weights.nonzero()[0][-1])
    if not reach:
        return pixels
    once = _along(pixels, weights, reach)
    return _along(once.swapaxes(0, 1), weights, reach).swapaxes(0, 1).astype(np.uint8)


def _along(
    pixels: NDArray[np.uint8] | NDArray[np.uint16], weights: NDArray[np.uint16], reach: int
) -> NDArray[np.uint16]:
    """Blur over the first axis."""
    size = len(pixels)
    padded = np.empty_like(pixels, dtype=np.uint16, shape=(size + 2 * reach, *pixels.shape[1:]))
    padded[reach : size + reach] = pixels
    padded[:reach], padded[size + reach :] = pixels[0], pixels[-1]
    total: NDArray[np.uint16] = padded[reach : size + reach] * weights[0]
    pair = np.empty_like(total)
    for away in range(1, reach + 1):
        np.add(padded[reach - away :][:size], padded[reach + away :][:size], out=pair)
        pair *= weights[away]
        total += pair
    total += UNIT // 2
    total //= UNIT
    return total
