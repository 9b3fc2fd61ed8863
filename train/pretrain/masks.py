"""Which patches the student does not see: blocks, or patches here and there.

The law of BEiT's block-wise masks as iBOT draws them: blocks of random area and aspect are laid
down, overlapping at will, as long as what they newly cover stays within the number asked for.
"""

from __future__ import annotations

import math

import numpy as np

from ...core.errors import ConfigError
from .recipe import Masks, PretrainRecipe

Grid = tuple[int, int]
Mask = np.ndarray[tuple[int, int], np.dtype[np.bool_]]

ATTEMPTS = 10
TRIALS = 64
NEAR_ENOUGH = 0.8


class Masker:
    """Draws masks of a grid, row by row, as the patches come."""

    def __init__(self, recipe: PretrainRecipe) -> None:
        config = recipe.model_config_of()
        self.grid: Grid = config.grid
        self._settings = recipe.masks
        self._masked = recipe.masked
        if self._masked:
            _check(self.grid, self._settings)

    def draw(self, random: np.random.Generator, epoch: int) -> np.ndarray:
        """bool [rows * cols] for one global crop; epochs count from 1."""
        rows, cols = self.grid
        if not self._masked or epoch <= self._settings.start_epoch:
            return np.zeros(rows * cols, dtype=bool)
        return draw_mask(random, self.grid, self._settings, _ratio(random, self._settings)).ravel()


def draw_mask(random: np.random.Generator, grid: Grid, settings: Masks, ratio: float) -> Mask:
    """One mask that covers at most this share of the grid, and as a rule little less."""
    if settings.shape == "random":
        return _scattered(random, grid, ratio)
    mask = np.zeros(grid, dtype=bool)
    wanted = ratio * mask.size
    left = wanted
    while left > 0 and _lay_block(random, mask, left, settings):
        left = wanted - int(mask.sum())
    return mask


def _ratio(random: np.random.Generator, settings: Masks) -> float:
    chosen = int(random.integers(len(settings.ratio)))
    middle, around = settings.ratio[chosen], settings.variance[chosen]
    return float(random.uniform(middle - around, middle + around))


def _lay_block(random: np.random.Generator, mask: Mask, left: float, settings: Masks) -> bool:
    """Cover one more block in place; False when no attempt was fit to be laid."""
    rows, cols = mask.shape
    least = (min(rows, cols) // 3) ** 2
    low, high = (math.log(end) for end in settings.aspect)
    for _ in range(ATTEMPTS):
        area = least + random.random() * (left - least)
        aspect = math.exp(random.uniform(low, high))
        height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if not (height < rows and width < cols):
            continue
        top = int(random.integers(rows - height + 1))
        start = int(random.integers(cols - width + 1))
        block = mask[top : top + height, start : start + width]
        if 0 < block.size - int(block.sum()) <= left:
            block[:] = True
            return True
    return False


def _scattered(random: np.random.Generator, grid: Grid, ratio: float) -> Mask:
    mask = np.zeros(grid[0] * grid[1], dtype=bool)
    mask[: int(ratio * mask.size)] = True
    return random.permutation(mask).reshape(grid)


def _check(grid: Grid, settings: Masks) -> None:
    """Try it: what blocks can cover depends on the grid in ways that no formula tells."""
    patches = grid[0] * grid[1]
    for middle, around in zip(settings.ratio, settings.variance, strict=True):
        if middle == 0:
            continue
        ratio = middle + around
        random = np.random.default_rng(0)
        found = [draw_mask(random, grid, settings, ratio).sum() for _ in range(TRIALS)]
        if np.mean(found) < NEAR_ENOUGH * ratio * patches:
            raise ConfigError(
                f"masks.ratio {middle:g} (up to {ratio:g}) cannot be met: on a grid of "
                f"{grid[0]}x{grid[1]} patches {ratio * patches:.1f} should be masked, and "
                f"{settings.shape} masks cover {np.mean(found):.1f} on average; choose another "
                "ratio, masks.shape=random, or larger images"
            )
