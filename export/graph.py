"""A re-identification model as one ONNX graph, written node by node.

No exporter: names, types and the places of Q/DQ are ours, and equal inputs give equal bytes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.errors import ConfigError
from ..core.preprocess import Preprocess
from .graph_blocks import Shape, block, leading
from .graph_head import EMBEDDING, embedding, finished
from .graph_metadata import metadata_of
from .graph_narrowing import Narrowing
from .graph_pixels import IMAGES
from .graph_spec import GraphSpec
from .graph_stem import tokens
from .graph_trunk import trunk
from .graph_weights import blocks_of
from .graph_writer import GraphWriter
from .layers import default_layers, first_layer
from .scales import Scales

if TYPE_CHECKING:
    from onnx import ModelProto

    from ..core.models.vit import ReidVit

__all__ = ["EMBEDDING", "IMAGES", "GraphSpec", "build_graph", "serialise"]


def build_graph(
    model: ReidVit,
    preprocess: Preprocess,
    spec: GraphSpec,
    scales: Scales | None = None,
    space: str | None = None,
) -> ModelProto:
    """The model from pixels to a unit-length embedding, with the preprocessing's normalisation.

    `space` names the metric space where `model` is a re-folded copy of the original weights.
    """
    from onnx import helper

    _check(model, preprocess, spec)
    writer = GraphWriter(spec)
    if model.config.convolutional:
        finished(writer, model, trunk(writer, model, preprocess, scales))
    else:
        embedding(writer, model, _last_tokens(writer, model, preprocess, scales))
    made = writer.model(_image(preprocess, spec), (EMBEDDING, model.config.embedding))
    helper.set_model_props(made, metadata_of(model, preprocess, spec, space))
    return made


def _last_tokens(
    writer: GraphWriter, model: ReidVit, preprocess: Preprocess, scales: Scales | None
) -> str:
    value = tokens(writer, model, preprocess, scales)
    blocks = blocks_of(model, writer.spec, scales)
    for weights in blocks:
        shape = _shape(model, writer.spec, weights.index)
        value = block(writer, weights, value, shape, scales)
    return _leading_only(writer, model, value)


def serialise(model: ModelProto) -> bytes:
    """The same bytes for the same model."""
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _shape(model: ReidVit, spec: GraphSpec, index: int) -> Shape:
    """The last block's output is read at the leading tokens only, so it makes no others."""
    config = model.config
    tokens = kept = config.tokens_by_block[index]
    if index == config.depth - 1:
        # TensorRT has no fused attention for one query (measured, docs/fusion.md); two will do.
        least = 1 if spec.precision == "fp32" and spec.attention == "decomposed" else 2
        kept = max(least, config.leading_tokens or tokens)
    patches = dict(config.token_schedule).get(index + 1)
    narrowing = Narrowing(config.leading_tokens, patches) if patches else None
    return Shape(tokens, kept, config.heads, config.width, narrowing)


def _leading_only(writer: GraphWriter, model: ReidVit, value: str) -> str:
    config = model.config
    made = _shape(model, writer.spec, config.depth - 1)
    wanted = replace(made, tokens=made.kept, kept=config.leading_tokens or made.kept)
    return leading(writer, value, "leading", wanted)


def _image(preprocess: Preprocess, spec: GraphSpec) -> tuple[str, int, list[int | str]]:
    from onnx import TensorProto

    size = (preprocess.height, preprocess.width)
    if spec.input == "uint8-nhwc":
        return IMAGES, TensorProto.UINT8, ["batch", *size, 3]
    return IMAGES, TensorProto.FLOAT, ["batch", 3, *size]


def _check(model: ReidVit, preprocess: Preprocess, spec: GraphSpec) -> None:
    config = model.config
    size, wanted = (preprocess.height, preprocess.width), (config.height_px, config.width_px)
    if size != wanted:
        raise ConfigError(
            f"the model takes {wanted[0]}x{wanted[1]} pixels and the preprocessing makes "
            f"{size[0]}x{size[1]}; load both from the same checkpoint"
        )
    if config.cameras:
        raise ConfigError(
            "this model adds an embedding of the training cameras, which a new site does not have; "
            "fine-tune it without cameras and export that"
        )
    layers, first = default_layers(config), first_layer(config)
    if unknown := sorted(spec.int8 - {*layers, first}):
        blocks = f"blocks.0..{config.depth - 1}.(attn.qkv|attn.proj|mlp.fc1|mlp.fc2)"
        others = f"{layers[0]} to {layers[-1]}" if config.convolutional else blocks
        raise ConfigError(
            f"no layer of this model is named {', '.join(unknown)}; layers are {first} and {others}"
        )
