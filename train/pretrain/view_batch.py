"""Views of a whole batch at once, on the device: the host only decodes.

Every step is a batched matrix product or touches all pixels once. Resizing is one product per axis
with the antialiased bicubic's weights, flipped where the view is; so is the blur. The result is
that of view_image.py within rounding: tests/train/pretrain/test_view_batch.py says how near.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .batch import PretrainBatch
from .recipe import PretrainRecipe
from .view_image import SOLARIZED, Pixels
from .views import GLOBALS, REACH, UNIT, Plan, draw, plan

CUBIC = -0.5
"""Pillow's bicubic, and PyTorch's where it is antialiased."""


class Colour(NamedTuple):
    """As in view_colour.py, on the device."""

    pixel: Tensor
    mean: Tensor


class DeviceViews:
    """Collects a batch's images and makes their views when all are there."""

    def __init__(self, recipe: PretrainRecipe, device: torch.device, seed: int) -> None:
        self._recipe, self._device, self._seed = recipe, device, seed
        self._count = GLOBALS + recipe.views.local_count
        cuda = device.type == "cuda"
        self._stream = torch.cuda.Stream(device) if cuda else None  # type: ignore[no-untyped-call]

    def empty(self, rows: int, pinned: bool) -> tuple[Tensor, Tensor]:
        """The views come later, and on the device."""
        return torch.empty(0), torch.empty(0)

    def room(self, rows: int) -> list[Pixels]:
        return [np.empty((0, 0, 3), dtype=np.uint8)] * rows

    def take(
        self,
        room: list[Pixels],
        batch: PretrainBatch,
        rows: range,
        images: Sequence[Pixels],
        epoch: int,
        places: NDArray[np.int64],
    ) -> None:
        room[rows.start : rows.stop] = images

    def finished(
        self, room: list[Pixels], batch: PretrainBatch, epoch: int, places: NDArray[np.int64]
    ) -> PretrainBatch:
        numbers = np.stack([draw(self._seed, epoch, int(each), self._count) for each in places])
        sizes = np.array([image.shape[:2] for image in room])
        plans = plan(numbers, sizes, self._recipe.views)
        with torch.cuda.stream(self._stream):
            globals_, locals_ = make(self._canvas(room, sizes), plans, self._recipe)
        return PretrainBatch(globals_, locals_, batch.masks, batch.drop_path)

    def handed_over(self, batch: PretrainBatch) -> PretrainBatch:
        """Views are made beside the network's work; whoever takes them waits on the device."""
        if self._stream is not None:
            taker = torch.cuda.current_stream(self._device)
            taker.wait_stream(self._stream)
            for views in (batch.globals, batch.locals):
                views.record_stream(taker)
        return batch

    def _canvas(self, images: Sequence[Pixels], sizes: NDArray[np.int64]) -> Tensor:
        """The images in the corners of a tensor [B, H, W, 3] on the device."""
        height, width = (int(side) for side in sizes.max(axis=0))
        pinned = self._device.type == "cuda"
        canvas = torch.empty((len(images), height, width, 3), dtype=torch.uint8, pin_memory=pinned)
        for place, image in zip(canvas.numpy(), images, strict=True):
            place[: image.shape[0], : image.shape[1]] = image
        return canvas.to(self._device, non_blocking=True)


def make(canvas: Tensor, plans: Plan, recipe: PretrainRecipe) -> tuple[Tensor, Tensor]:
    """Global and local views, each [views, B, 3, height, width], of uint8 images [B, H, W, 3]."""
    images = canvas.permute(0, 3, 1, 2).float()
    views = recipe.views
    large = (recipe.input.height, recipe.input.width)
    small = (views.local_height, views.local_width)
    parts = ((large, slice(0, GLOBALS)), (small, slice(GLOBALS, None)))
    globals_, locals_ = (_made(images, _part(plans, part), size, recipe) for size, part in parts)
    return globals_, locals_


def _part(plans: Plan, views: slice) -> Plan:
    return Plan(
        plans.boxes[:, views],
        plans.flip[:, views],
        plans.blur[:, views],
        type(plans.colour)(*(each[:, views] for each in plans.colour)),
        plans.solarize[:, views],
    )


def _made(images: Tensor, plans: Plan, size: tuple[int, int], recipe: PretrainRecipe) -> Tensor:
    """View after view, so that there is never more than one of each image in the making."""
    count, device = plans.flip.shape[1], images.device

    def sent(values: NDArray[Any], view: int) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values[:, view])).to(device)

    made = torch.empty((count, len(images), 3, *size), device=device)
    for view in range(count):
        pixels = _resized(images, sent(plans.boxes, view), sent(plans.flip, view), size)
        if plans.blur[:, view, 1:].any():
            pixels = _blurred(pixels, sent(plans.blur.astype(np.float32) / UNIT, view))
        colour = Colour(*(sent(each, view) for each in plans.colour))
        _coloured(pixels, colour, sent(plans.solarize, view), recipe, out=made[view])
    return made


def _resized(images: Tensor, boxes: Tensor, flip: Tensor, size: tuple[int, int]) -> Tensor:
    rows = _weights(boxes[:, 0], boxes[:, 2], size[0], images.shape[2])
    columns = _weights(boxes[:, 1], boxes[:, 3], size[1], images.shape[3])
    columns = torch.where(flip[:, None, None], columns.flip(1), columns)
    wide = images @ columns.transpose(1, 2)[:, None]
    wide = wide.round_().clamp_(0, 255)  # as between the two passes in eight bits
    return (rows[:, None] @ wide).round_().clamp_(0, 255)


def _weights(start: Tensor, length: Tensor, size: int, whole: int) -> Tensor:
    """[B, size, whole]: how much of each source pixel is in each target pixel."""
    device = start.device
    scale = length.float()[:, None, None] / size
    support = scale.clamp(min=1.0)
    target = torch.arange(size, device=device, dtype=torch.float32)[None, :, None]
    source = torch.arange(whole, device=device)[None, None, :] - start[:, None, None]
    distance = ((source + 0.5 - (target + 0.5) * scale) / support).abs()
    inside = (source >= 0) & (source < length[:, None, None])
    weights = torch.where(inside, _cubic(distance), 0.0)
    return weights / weights.sum(dim=2, keepdim=True)


def _cubic(x: Tensor) -> Tensor:
    near = ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1
    far = CUBIC * (((x - 5) * x + 8) * x - 4)
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0))


def _blurred(pixels: Tensor, weights: Tensor) -> Tensor:
    height, width = pixels.shape[2:]
    down = (_band(weights, height)[:, None] @ pixels).add_(0.5).floor_()
    return (down @ _band(weights, width)[:, None].transpose(2, 3)).add_(0.5).floor_()


def _band(weights: Tensor, size: int) -> Tensor:
    """[B, size, size]: a blur along one axis, with the outermost pixels going on."""
    band = torch.zeros((len(weights), size, size), device=weights.device)
    places = torch.arange(size, device=weights.device)
    for away in range(-REACH, REACH + 1):
        source = (places + away).clamp(0, size - 1)[None, :, None].expand(len(weights), -1, -1)
        weight = weights[:, abs(away), None, None].expand(-1, size, 1)
        band.scatter_add_(2, source, weight)
    return band


def _coloured(
    pixels: Tensor, colour: Colour, solarize: Tensor, recipe: PretrainRecipe, out: Tensor
) -> None:
    """Colours, solarisation and normalisation."""
    flat = pixels.flatten(2)
    middle = flat.mean(dim=2, keepdim=True)
    planes = torch.baddbmm(colour.mean @ middle, colour.pixel, flat).clamp_(0, 255)
    turned = solarize[:, None, None] & (planes >= SOLARIZED)
    planes = torch.where(turned, 255 - planes, planes)
    scale = 1 / (255 * torch.tensor(recipe.input.std, device=pixels.device))
    shift = torch.tensor(recipe.input.mean, device=pixels.device) * 255 * scale
    torch.sub(planes * scale[:, None], shift[:, None], out=out.flatten(2))
