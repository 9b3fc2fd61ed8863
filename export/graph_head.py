"""From the last tokens to the embedding: norm, pooling, neck, fusion, unit length, in FP32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import ConfigError
from .graph_weights import Floats, Norm, array, norm_of
from .graph_writer import GraphWriter

if TYPE_CHECKING:
    from torch import nn

    from ..core.models.vit import ReidVit

EMBEDDING = "embedding"
UNIT_EPS = 1e-12


def embedding(writer: GraphWriter, model: ReidVit, value: str) -> str:
    """The unit-length embedding; `value` holds the tokens that it is read from."""
    config, after = model.config, writer.spec.neck == "after"
    value = _in_fp32(writer, "last_tokens", value)
    value = _last_norm(writer, norm_of(model.backbone.norm), value)
    if config.tokens == "mean":
        axis = writer.integers("token_axis", 1)
        value = writer.node("ReduceMean", "pooled", value, axis, keepdims=0)
    elif config.tokens == "pass":
        value = _fused(writer, model, value, after and config.neck == "multi")
    else:
        value = writer.node("Reshape", "pooled", value, writer.shape(0, config.width))
    return _from_pooled(writer, model, value)


def finished(writer: GraphWriter, model: ReidVit, value: str) -> str:
    """The same of a vector that is pooled already, as a convolutional trunk gives it."""
    return _from_pooled(writer, model, _in_fp32(writer, "last_map", value))


def _in_fp32(writer: GraphWriter, name: str, value: str) -> str:
    from onnx import TensorProto

    if writer.spec.precision == "fp32":
        return value
    return writer.node("Cast", name, value, to=TensorProto.FLOAT)


def _from_pooled(writer: GraphWriter, model: ReidVit, value: str) -> str:
    """Neck, projection and unit length."""
    config, after = model.config, writer.spec.neck == "after"
    if after and config.neck == "none":
        raise ConfigError("this model has no neck; export it with --neck before")
    if after and config.neck == "single":
        neck = norm_of(model.bottleneck)
        value = _neck(writer, "neck", value, neck.weight, neck.bias)
    if model.projection is not None:
        value = _projected(writer, model.projection, value)
    return _unit(writer, EMBEDDING, value)


def _last_norm(writer: GraphWriter, norm: Norm, value: str) -> str:
    factor = _single(writer, "norm.weight", norm.weight)
    shift = _single(writer, "norm.bias", norm.bias)
    return writer.node(
        "LayerNormalization", "norm", value, factor, shift, axis=-1, epsilon=norm.eps
    )


def _fused(writer: GraphWriter, model: ReidVit, value: str, necks: bool) -> str:
    """[batch, 4, width] to one vector: the class token beside, or averaged with, the parts."""
    config = model.config
    if necks:
        names = ("bottleneck", *(f"bottleneck_{part}" for part in (1, 2, 3)))
        folded = [norm_of(model.get_submodule(name)) for name in names]
        factor = np.stack([one.weight for one in folded])[None]
        shift = np.stack([one.bias for one in folded])[None]
        value = _neck(writer, "necks", value, factor, shift)
        if config.branch_norm:
            value = _unit(writer, "necks.unit", value)
    sizes = writer.integers("one_and_three", 1, 3)
    whole, parts = writer.split("Split", "branches", ("whole", "parts"), value, sizes, axis=1)
    parts = writer.node("ReduceMean", "parts.mean", parts, writer.integers("token_axis", 1))
    if config.fusion == "cat":
        value = writer.node("Concat", "fused", whole, parts, axis=-1)
    else:
        both = writer.node("Add", "fused.sum", whole, parts)
        value = writer.node("Mul", "fused", both, _single(writer, "half", 0.5))
    return writer.node("Reshape", "pooled", value, writer.shape(0, config.features))


def _projected(writer: GraphWriter, projection: nn.Linear, value: str) -> str:
    """One product per crop, in FP32: too little work for INT8 to be worth an error."""
    factor = _single(writer, "projection.weight", array(projection.weight).T.copy())
    value = writer.node("MatMul", "projection.product", value, factor)
    shift = _single(writer, "projection.bias", array(projection.bias))
    return writer.node("Add", "projection", value, shift)


def _neck(writer: GraphWriter, name: str, value: str, factor: Floats, shift: Floats) -> str:
    """A batch norm in its evaluation form."""
    value = writer.node("Mul", f"{name}.scaled", value, _single(writer, f"{name}.factor", factor))
    return writer.node("Add", name, value, _single(writer, f"{name}.shift", shift))


def _unit(writer: GraphWriter, name: str, value: str) -> str:
    """torch's normalize: divided by the length, or by 1e-12 where that is larger."""
    axis = writer.integers("last_axis", -1)
    length = writer.node("ReduceL2", f"{name}.length", value, axis)
    least = _single(writer, "unit.eps", UNIT_EPS)
    length = writer.node("Max", f"{name}.divisor", length, least)
    return writer.node("Div", name, value, length)


def _single(writer: GraphWriter, name: str, values: Floats | float) -> str:
    return writer.constant(name, np.asarray(values, dtype=np.float32))
