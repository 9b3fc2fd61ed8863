"""A model's weights as arrays, the scale of queries folded in exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .graph_spec import GraphSpec
from .scales import LinearScale, Scales, scale_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..core.models.vit import ReidVit

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Norm:
    weight: Floats
    bias: Floats
    eps: float


@dataclass(frozen=True)
class Linear:
    """`scale` is None where the layer stays in floating point."""

    name: str
    weight: Floats
    """[outputs, inputs]"""
    bias: Floats
    scale: LinearScale | None

    def rows(self, name: str, start: int, stop: int) -> Linear:
        """Some of the outputs, as a layer of its own."""
        scale = self.scale
        if scale is not None:
            scale = replace(scale, weight=scale.weight[start:stop])
        return Linear(name, self.weight[start:stop], self.bias[start:stop], scale)


@dataclass(frozen=True)
class Block:
    index: int
    norm1: Norm
    qkv: Linear
    proj: Linear
    norm2: Norm
    fc1: Linear
    fc2: Linear


def array(tensor: Tensor) -> Floats:
    values: Floats = tensor.detach().cpu().float().numpy()
    return values


def patch_bias(model: ReidVit) -> Floats:
    projection: Any = model.backbone.patch_embed.proj
    return array(projection.bias)


def norm_of(layer: nn.Module) -> Norm:
    """A LayerNorm, or a batch norm in its evaluation form of one factor and one shift."""
    eps = float(layer.eps)  # type: ignore[arg-type]
    weight, bias = array(layer.weight), array(layer.bias)  # type: ignore[arg-type]
    if not hasattr(layer, "running_var"):
        return Norm(weight, bias, eps)
    spread = np.sqrt(array(layer.running_var).astype(np.float64) + eps)  # type: ignore[arg-type]
    factor = weight / spread
    shift = bias - array(layer.running_mean) * factor  # type: ignore[arg-type]
    return Norm(factor.astype(np.float32), shift.astype(np.float32), 0.0)


def blocks_of(model: ReidVit, spec: GraphSpec, scales: Scales | None) -> list[Block]:
    """Every block, folded and ready to write."""
    return [_block(model, index, spec, scales) for index in range(model.config.depth)]


def _block(model: ReidVit, index: int, spec: GraphSpec, scales: Scales | None) -> Block:
    source: Any = model.backbone.blocks[index]
    parts = {
        "attn.qkv": source.attn.qkv,
        "attn.proj": source.attn.proj,
        "mlp.fc1": source.mlp.fc1,
        "mlp.fc2": source.mlp.fc2,
    }
    qkv, proj, fc1, fc2 = (
        _linear(f"blocks.{index}.{part}", layer, spec, scales) for part, layer in parts.items()
    )
    qkv = _scale_queries(qkv, model.config.width, model.config.width // model.config.heads)
    return Block(index, norm_of(source.norm1), qkv, proj, norm_of(source.norm2), fc1, fc2)


def _linear(name: str, layer: nn.Linear, spec: GraphSpec, scales: Scales | None) -> Linear:
    weight, bias = array(layer.weight), array(layer.bias)
    scale = scale_of(scales, name, len(weight)) if name in spec.int8 else None
    return Linear(name, weight, bias, scale)


def _scale_queries(qkv: Linear, width: int, head: int) -> Linear:
    """Softmax's 1/sqrt(head) moves into Q: exact for heads of 16, 64 and 256 values."""
    factor: Floats = np.full(width, head**-0.5, dtype=np.float64).astype(np.float32)
    return _times_rows(qkv, slice(0, width), factor)


def _times_rows(linear: Linear, rows: slice, factor: Floats) -> Linear:
    weight, bias, scale = linear.weight.copy(), linear.bias.copy(), linear.scale
    weight[rows] *= factor[:, None]
    bias[rows] *= factor
    if scale is not None:
        ranges = scale.weight.astype(np.float32)
        ranges[rows] *= factor
        scale = replace(scale, weight=ranges)
    return Linear(linear.name, weight, bias, scale)
