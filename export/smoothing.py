"""Folds SmoothQuant's factors into neighbouring weights, where that changes nothing else.

The input of qkv and fc1 is a LayerNorm, whose scale and shift absorb a factor per channel. The
input of proj is a weighted mean of V over tokens, channel by channel, so V's rows absorb it. The
input of fc2 is a GELU, which is not homogeneous: no factor can be folded there.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..core.errors import InternalError
from ..core.models.vit import ReidVit

FOLDABLE = ("attn.qkv", "attn.proj", "mlp.fc1")


@torch.no_grad()
def fold(model: ReidVit, factors: Mapping[str, Tensor]) -> ReidVit:
    """An equal model whose named layers see their input multiplied by a factor per channel."""
    folded = copy.deepcopy(model)
    for layer, factor in factors.items():
        owner, _, part = (
            layer.partition(".attn.") if ".attn." in layer else layer.partition(".mlp.")
        )
        block = folded.backbone.get_submodule(owner)
        _absorb(block, part, factor.flatten())
        folded.backbone.get_parameter(f"{layer}.weight").div_(factor.flatten())
    return folded


def _absorb(block: nn.Module, part: str, factor: Tensor) -> None:
    if part == "proj":
        block.get_parameter("attn.qkv.weight")[-len(factor) :].mul_(factor[:, None])
        block.get_parameter("attn.qkv.bias")[-len(factor) :].mul_(factor)
        return
    if part not in ("qkv", "fc1"):
        raise InternalError(f"no factor can be folded before {part}")
    norm = "norm1" if part == "qkv" else "norm2"
    block.get_parameter(f"{norm}.weight").mul_(factor)
    block.get_parameter(f"{norm}.bias").mul_(factor)
