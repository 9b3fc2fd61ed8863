"""From pixels to tokens: normalisation, patches or the convolutional stem, positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.preprocess import Preprocess
from .graph_convolutions import stem_patches
from .graph_pixels import cast, centre
from .graph_quant import product, quantised
from .graph_weights import Floats, Linear, array, patch_bias
from .graph_writer import GraphWriter
from .scales import PATCH_LAYER, Scales, scale_of

if TYPE_CHECKING:
    from ..core.models.config import ModelConfig
    from ..core.models.vit import ReidVit


def tokens(
    writer: GraphWriter, model: ReidVit, preprocess: Preprocess, scales: Scales | None
) -> str:
    """All tokens with their positions, ready for the first block."""
    config = model.config
    if config.stem == "ics":
        patches, bias = stem_patches(writer, model, preprocess, scales)
    else:
        patches, bias = _patches(writer, model, preprocess, scales)
    kept = config.grid[0] * config.grid[1]
    if config.tokens == "cls-drop-patch":
        patches = _without_first(writer, patches, kept)
        kept -= 1
    if first := config.tokens_in_blocks - kept:
        pads = writer.integers("leading_tokens", 0, first, 0, 0, 0, 0)
        patches = writer.node("Pad", "tokens.padded", patches, pads)
    # The patch bias rides on the positions: one addition less. Leading tokens have no bias.
    positions = _positions(model)
    positions[first:] += bias
    return writer.node("Add", "tokens", patches, writer.floats("positions", positions[None]))


def _patches(
    writer: GraphWriter, model: ReidVit, preprocess: Preprocess, scales: Scales | None
) -> tuple[str, Floats]:
    """Patches as rows times one matrix: the same sums as the convolution, without its layouts."""
    config, layer = model.config, model.backbone.patch_embed.proj
    weight = array(layer.weight)
    scale = None
    if PATCH_LAYER in writer.spec.int8:
        # Quantising needs the normalised pixels that were calibrated.
        scale = scale_of(scales, PATCH_LAYER, len(weight))
    cut, shape, order = _cut(writer, config.grid, config.patch)
    centred = centre(writer, preprocess, cut, shape, divide=scale is not None)
    rows = _rows(writer, centred.value, order, config)
    if scale is not None:
        rows = quantised(writer, rows, scale.activation)
    weight = centred.weight(weight)
    bias = patch_bias(model) + centred.bias(weight)
    flat = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1)
    return product(writer, Linear(PATCH_LAYER, flat, bias, scale), rows), bias


def _cut(
    writer: GraphWriter, grid: tuple[int, int], patch: int
) -> tuple[str, tuple[int, ...], list[int]]:
    """Pixels with axes for patches, the shape of a constant per colour, and the order for rows.

    A row of 16 pixels is one axis of 48 values: OpenVINO takes four times as long to subtract
    along an axis of three.
    """
    high, wide = grid
    if writer.spec.input == "uint8-nhwc":
        cut, order = writer.shape(0, high, patch, wide, patch * 3), [0, 1, 3, 2, 4]
        shape: tuple[int, ...] = (patch * 3,)
    else:
        cut, order = writer.shape(0, 3, high, patch, wide, patch), [0, 2, 4, 3, 5, 1]
        shape = (3, 1, 1, 1, 1)
    return writer.node("Reshape", "patches.cut", cast(writer), cut), shape, order


def _rows(writer: GraphWriter, value: str, order: list[int], config: ModelConfig) -> str:
    """[batch, patches, patch * patch * 3], each row in (y, x, colour) order."""
    value = writer.node("Transpose", "patches.ordered", value, perm=order)
    count = config.grid[0] * config.grid[1]
    target = writer.shape(0, count, config.patch * config.patch * 3)
    return writer.node("Reshape", "patches", value, target)


def _without_first(writer: GraphWriter, value: str, count: int) -> str:
    start, stop = writer.integers("second", 1), writer.integers("patch_count", count)
    axis = writer.integers("token_axis", 1)
    return writer.node("Slice", "patches.kept", value, start, stop, axis)


def _positions(model: ReidVit) -> Floats:
    """[tokens, width]: what is added to each token, leading tokens included."""
    backbone: Any = model.backbone
    positions: Floats = array(backbone.pos_embed)[0].copy()
    if model.config.tokens == "pass":
        names = [f"part_token{part}" for part in (1, 2, 3)]
        places = [f"part{part}_pos" for part in (1, 2, 3)]
        parts = [array(getattr(backbone, name))[0] for name in ("cls_token", *names)]
        spots = [array(getattr(backbone, name))[0] for name in ("cls_pos", *places)]
        leading = np.concatenate(parts) + np.concatenate(spots)
        positions = np.concatenate([leading, positions])
    elif model.config.tokens != "mean":
        positions[0] += array(backbone.cls_token)[0, 0]
    return positions
