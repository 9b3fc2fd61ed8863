"""TransReID-SSL's convolutional stem as ONNX nodes, batch norms folded into the convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from ..core.preprocess import Preprocess
from .graph_pixels import centre, planes
from .graph_quant import quantised, quantised_weight
from .graph_weights import Floats, array, norm_of, patch_bias
from .graph_writer import GraphWriter
from .scales import PATCH_LAYER, Scales, scale_of

if TYPE_CHECKING:
    from torch import nn

    from ..core.models.stem import ConvStem, SplitNorm
    from ..core.models.vit import ReidVit


def stem_patches(
    writer: GraphWriter, model: ReidVit, preprocess: Preprocess, scales: Scales | None
) -> tuple[str, Floats]:
    """Patches [batch, patches, width] before their bias, and the bias."""
    embed = cast("ConvStem", model.backbone.patch_embed)
    # The first convolution pads with zeros, which stand for the mean: centre before, never after.
    image = centre(writer, preprocess, planes(writer), (3, 1, 1))
    value = image.value
    for place in (0, 3, 6):
        layer, norm = cast("nn.Conv2d", embed.conv[place]), embed.conv[place + 1]
        weight = array(layer.weight)
        weight = image.weight(weight) if place == 0 else weight
        value = _convolved(writer, f"stem.{place // 3}", value, weight, layer, norm)
    value = _projected(writer, embed.proj, value, scales)
    count = model.config.grid[0] * model.config.grid[1]
    value = writer.node(
        "Reshape", "patches.flat", value, writer.shape(0, model.config.width, count)
    )
    return writer.node("Transpose", "patches", value, perm=(0, 2, 1)), patch_bias(model)


def _convolved(
    writer: GraphWriter, name: str, value: str, weight: Floats, layer: nn.Conv2d, norm: nn.Module
) -> str:
    """Convolution, normalisation, ReLU; instance-normalised channels come first, if any."""
    split = cast("SplitNorm", norm) if hasattr(norm, "IN") else None
    untouched = split.IN.num_features if split else 0
    folded = norm_of(split.BN if split else norm)
    factor = np.concatenate([np.ones(untouched, dtype=np.float32), folded.weight])
    shift = np.concatenate([np.zeros(untouched, dtype=np.float32), folded.bias])
    value = writer.node(
        "Conv",
        f"{name}.conv",
        value,
        writer.floats(f"{name}.weight", weight * factor.reshape(-1, 1, 1, 1)),
        writer.floats(f"{name}.bias", shift),
        kernel_shape=list(layer.kernel_size),
        strides=list(layer.stride),
        pads=[*cast("tuple[int, int]", layer.padding)] * 2,
    )
    if split:
        value = _instance_normed(writer, name, value, split.IN)
    return writer.node("Relu", f"{name}.relu", value)


def _instance_normed(writer: GraphWriter, name: str, value: str, norm: nn.InstanceNorm2d) -> str:
    instance, batch = writer.split(
        "Split",
        f"{name}.split",
        (f"{name}.instance", f"{name}.batch"),
        value,
        axis=1,
        num_outputs=2,
    )
    instance = writer.node(
        "InstanceNormalization",
        f"{name}.normed",
        instance,
        writer.floats(f"{name}.normed.weight", array(norm.weight)),
        writer.floats(f"{name}.normed.bias", array(norm.bias)),
        epsilon=norm.eps,
    )
    return writer.node("Concat", f"{name}.joined", instance, batch, axis=1)


def _projected(writer: GraphWriter, layer: nn.Conv2d, value: str, scales: Scales | None) -> str:
    weight = array(layer.weight)
    if PATCH_LAYER in writer.spec.int8:
        scale = scale_of(scales, PATCH_LAYER, len(weight))
        value = quantised(writer, value, scale.activation)
        name = quantised_weight(writer, PATCH_LAYER, weight, scale.weight, output_axis=0)
    else:
        name = writer.floats(f"{PATCH_LAYER}.weight", weight)
    return writer.node(
        "Conv",
        f"{PATCH_LAYER}.product",
        value,
        name,
        kernel_shape=list(layer.kernel_size),
        strides=list(layer.stride),
    )
