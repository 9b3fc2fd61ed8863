"""The operations that one step of pre-training needs: what a share of a card's peak is made of.

Multiplications and additions apart, of matrix products only. Blocks computed a second time to save
memory are not counted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from ...core.models.config import ModelConfig
from .batch import PretrainBatch
from .packing import Group
from .recipe import Head, PretrainRecipe
from .teaching import needs_everything

TRAINED = 3
"""A forward pass, and as much again for the gradients of inputs and of weights."""


def step_flops(config: ModelConfig, recipe: PretrainRecipe, parts: Sequence[PretrainBatch]) -> int:
    """Of student and teacher, their heads included, for a batch in parts."""
    return sum(_part(config, recipe, part) for part in parts)


def _part(config: ModelConfig, recipe: PretrainRecipe, batch: PretrainBatch) -> int:
    seen, local = (_group(crops, config.patch) for crops in (batch.globals, batch.locals))
    masked = len(batch.hidden) if recipe.masked else 0
    whole = needs_everything(recipe)
    classes = seen.crops + local.crops
    student = _transformer(config, (seen, local), classes + masked)
    student += _head(recipe.head, config.width, classes + masked, classes + masked)
    rows = seen.rows if whole else seen.crops + masked
    # One row more is the centre's, the sum of all patches.
    teacher = _transformer(config, (seen,), rows)
    teacher += _head(recipe.head, config.width, rows, seen.crops + masked + 1)
    return TRAINED * student + teacher


def _group(crops: Tensor, patch: int) -> Group:
    views, images, _, height, width = crops.shape
    return Group(views * images, 1 + (height // patch) * (width // patch))


def _transformer(config: ModelConfig, groups: Sequence[Group], kept: int) -> int:
    """The last block ends with `kept` rows; its attention still asks all tokens."""
    rows, width = sum(group.rows for group in groups), config.width
    patches = sum(group.crops * (group.tokens - 1) for group in groups)
    embedding = 3 * config.patch**2 * width * patches
    mixing = 3 * width**2 * rows + sum(2 * g.crops * g.tokens**2 * width for g in groups)
    after = 9 * width**2
    return 2 * (embedding + config.depth * mixing + after * ((config.depth - 1) * rows + kept))


def _head(head: Head, width: int, rows: int, scored: int) -> int:
    widths = [width, *[head.hidden] * (head.layers - 1), head.bottleneck]
    layers = sum(before * after for before, after in pairwise(widths))
    return 2 * (layers * rows + head.bottleneck * head.outputs * scored)
