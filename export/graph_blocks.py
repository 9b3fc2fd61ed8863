"""Transformer blocks as ONNX nodes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .graph_narrowing import Narrowing, foreground, places, staying
from .graph_quant import linear, quantised
from .graph_weights import Block, Linear, Norm
from .graph_writer import GraphWriter
from .scales import PROBABILITY_AMAX, LinearScale, Scales, attention_names, scale_of


@dataclass(frozen=True)
class Shape:
    """Tokens in a block, how many of them its output needs, and the heads."""

    tokens: int
    kept: int
    heads: int
    width: int
    narrowing: Narrowing | None = None
    """Where a token schedule lets only some tokens through."""

    @property
    def head(self) -> int:
        return self.width // self.heads


def block(
    writer: GraphWriter, weights: Block, value: str, shape: Shape, scales: Scales | None
) -> str:
    """Attention and MLP, each added to the residual stream, which is never quantised."""
    name = f"blocks.{weights.index}"
    normed = layer_norm(writer, f"{name}.norm1", weights.norm1, value)
    query, key, value_ = _projections(writer, weights.qkv, normed, shape)
    if shape.narrowing is None:
        stream = leading(writer, value, f"{name}.stream", shape)
    else:
        query, stream = _narrowed(writer, f"{name}.narrow", query, key, value, shape)
        shape = replace(shape, kept=shape.narrowing.tokens)
    if writer.spec.attention == "native":
        mixed = _native(writer, name, query, key, value_, shape)
    else:
        ranges = _attention_ranges(writer, weights.index, scales)
        mixed = _decomposed(writer, name, query, key, value_, shape, ranges)
    attended = linear(writer, weights.proj, mixed)
    stream = writer.node("Add", f"{name}.residual1", stream, attended)
    normed = layer_norm(writer, f"{name}.norm2", weights.norm2, stream)
    hidden = writer.node("Gelu", f"{name}.mlp.gelu", linear(writer, weights.fc1, normed))
    return writer.node("Add", f"{name}.residual2", stream, linear(writer, weights.fc2, hidden))


def layer_norm(writer: GraphWriter, name: str, norm: Norm, value: str) -> str:
    return writer.node(
        "LayerNormalization",
        name,
        value,
        writer.floats(f"{name}.weight", norm.weight),
        writer.floats(f"{name}.bias", norm.bias),
        axis=-1,
        epsilon=norm.eps,
    )


def leading(writer: GraphWriter, value: str, name: str, shape: Shape) -> str:
    """The tokens that the block's output needs: all, or the leading ones in the last block."""
    if shape.kept == shape.tokens:
        return value
    start, stop = writer.integers("first", 0), writer.integers(f"kept.{shape.kept}", shape.kept)
    return writer.node("Slice", name, value, start, stop, writer.integers("token_axis", 1))


def _narrowed(
    writer: GraphWriter, name: str, query: str, key: str, value: str, shape: Shape
) -> tuple[str, str]:
    """Queries, and the residual stream, of the tokens that stay."""
    assert shape.narrowing is not None  # noqa: S101
    attention = foreground(writer, name, query, key, shape.heads, shape.head)
    rows = places(writer, name, attention, shape.tokens, shape.narrowing)
    asking = staying(writer, f"{name}.query", query, rows)
    return asking, staying(writer, f"{name}.stream", value, rows)


def _projections(
    writer: GraphWriter, qkv: Linear, normed: str, shape: Shape
) -> tuple[str, str, str]:
    """Q, K and V as [batch, tokens, width]; where few tokens are kept, Q is made for those only."""
    prefix = qkv.name.removesuffix("qkv")
    query, key, value = (f"{prefix}{part}" for part in ("query", "key", "value"))
    if shape.kept == shape.tokens:
        joint = linear(writer, qkv, normed)
        outputs = writer.split(
            "Split", f"{qkv.name}.split", (query, key, value), joint, axis=-1, num_outputs=3
        )
        return outputs[0], outputs[1], outputs[2]
    few = leading(writer, normed, f"{prefix}leading", shape)
    query = linear(writer, qkv.rows(f"{qkv.name}.q", 0, shape.width), few)
    joint = linear(writer, qkv.rows(f"{qkv.name}.kv", shape.width, 3 * shape.width), normed)
    outputs = writer.split(
        "Split", f"{qkv.name}.split", (key, value), joint, axis=-1, num_outputs=2
    )
    return query, outputs[0], outputs[1]


def _native(writer: GraphWriter, name: str, query: str, key: str, value: str, shape: Shape) -> str:
    """The Attention operator; Q already carries the scale, so the operator's own is one."""
    return writer.node(
        "Attention",
        f"{name}.attn.mixed",
        query,
        key,
        value,
        q_num_heads=shape.heads,
        kv_num_heads=shape.heads,
        scale=1.0,
    )


def _decomposed(
    writer: GraphWriter,
    name: str,
    query: str,
    key: str,
    value: str,
    shape: Shape,
    ranges: tuple[LinearScale, ...] | None,
) -> str:
    """MatMul, Softmax, MatMul per head; with `ranges`, Q/DQ on all four product inputs."""
    query = _heads(writer, query, shape.kept, shape)
    # Two steps, so that OpenVINO takes the second into the product (docs/onnx.md).
    turned = _heads(writer, key, shape.tokens, shape)
    key = writer.node("Transpose", f"{key}.turned", turned, perm=(0, 1, 3, 2))
    value = _heads(writer, value, shape.tokens, shape)
    if ranges is not None:
        tensors = zip((query, key, value), ranges, strict=True)
        query, key, value = (quantised(writer, one, scale.activation) for one, scale in tensors)
    scores = writer.node("MatMul", f"{name}.attn.scores", query, key)
    weights = writer.node("Softmax", f"{name}.attn.probabilities", scores, axis=-1)
    if ranges is not None:
        weights = quantised(writer, weights, PROBABILITY_AMAX)
    mixed = writer.node("MatMul", f"{name}.attn.mixed", weights, value)
    mixed = writer.node("Transpose", f"{name}.attn.by_token", mixed, perm=(0, 2, 1, 3))
    target = writer.shape(0, shape.kept, shape.width)
    return writer.node("Reshape", f"{name}.attn.joined", mixed, target)


def _heads(writer: GraphWriter, value: str, tokens: int, shape: Shape) -> str:
    """[batch, tokens, width] as [batch, heads, tokens, head]."""
    target = writer.shape(0, tokens, shape.heads, shape.head)
    split = writer.node("Reshape", f"{value}.heads", value, target)
    return writer.node("Transpose", f"{value}.by_head", split, perm=(0, 2, 1, 3))


def _attention_ranges(
    writer: GraphWriter, index: int, scales: Scales | None
) -> tuple[LinearScale, ...] | None:
    if not writer.spec.int8_attention:
        return None
    return tuple(scale_of(scales, name, 0) for name in attention_names(index))
