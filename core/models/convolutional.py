"""Convolutional trunks, as backbones that hand on tokens like a transformer's."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from .config import ModelConfig

HEADS = ("head", "head_drop", "conv_head", "norm_head", "act2", "global_pool", "classifier")
"""What timm's classifiers have behind their last map, which an embedding does not need."""


class ConvBackbone(nn.Module):
    """One of timm's networks; the mean of its last map takes the place of a class token.

    What follows it (necks, losses, lessons) reads tokens, so the cells of the map come after it.
    """

    def __init__(self, config: ModelConfig) -> None:
        import timm

        super().__init__()
        self.trunk: Any = timm.create_model(config.trunk, pretrained=False, **_depth(config))
        for name in HEADS:
            if hasattr(self.trunk, name):
                setattr(self.trunk, name, nn.Identity())
        if self.trunk.num_features != config.width:
            raise ConfigError(
                f"{config.trunk} ends {self.trunk.num_features} wide, not {config.width}"
            )

    @property
    def blocks(self) -> nn.ModuleList:
        """Its stages, for whoever works on a backbone piece by piece."""
        return nn.ModuleList(getattr(self.trunk, "stages", None) or self.trunk.blocks)

    def draw(self) -> None:
        """timm has drawn its networks when they are built."""

    def forward(self, x: Tensor, cameras: Tensor | None = None) -> Tensor:
        """[batch, 1 + rows * columns, width]"""
        cells = self.trunk.forward_features(x).flatten(2).transpose(1, 2)
        return torch.cat([cells.mean(dim=1, keepdim=True), cells], dim=1)


def deployed(backbone: ConvBackbone) -> ConvBackbone:
    """An equal backbone for inference: branches merged, norms folded into the convolutions."""
    merged = copy.deepcopy(backbone).eval()
    if hasattr(merged.trunk, "fuse"):
        merged.trunk.fuse()
    _fold_norms(merged.trunk)
    return merged


def _depth(config: ModelConfig) -> dict[str, Any]:
    """Stochastic depth where timm's network has it; RepViT has none."""
    return {"drop_path_rate": config.drop_path} if config.trunk.startswith("mobilenet") else {}


def _fold_norms(module: nn.Module) -> None:
    """Every convolution that is directly followed, in a module's own order, by its norm."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    children = list(module.named_children())
    for (first, layer), (second, norm) in pairwise(children):
        if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, first, fuse_conv_bn_eval(layer, norm))
            setattr(module, second, getattr(norm, "act", nn.Identity()))
    for child in module.children():
        _fold_norms(child)
