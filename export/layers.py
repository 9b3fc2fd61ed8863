"""Which layers of a model can be quantised, which are by default, and how much work each is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..core.models.config import ModelConfig
from .scales import PATCH_LAYER, layer_names

if TYPE_CHECKING:
    from torch import Tensor, nn


def default_layers(config: ModelConfig) -> tuple[str, ...]:
    """A transformer's four layers in each block; all convolutions on maps but the first."""
    if not config.convolutional:
        return layer_names(config.depth)
    return tuple(_convolutions(config))[1:]


def first_layer(config: ModelConfig) -> str:
    """The layer that sees the pixels; it is quantised only when a recipe says so."""
    return next(iter(_convolutions(config))) if config.convolutional else PATCH_LAYER


def layer_work(config: ModelConfig) -> dict[str, float]:
    """Multiply-adds per crop of every layer that can be quantised."""
    if config.convolutional:
        return dict(_convolutions(config))
    rows, columns = config.grid
    width, patches = config.width, rows * columns
    inputs = [tokens - config.leading_tokens for tokens in config.tokens_by_block]
    # Where a schedule drops patches, everything after their keys and values is made without them.
    made = [*inputs[1:], inputs[-1]]
    per_block = {"attn.qkv": 3, "attn.proj": 1, "mlp.fc1": 4, "mlp.fc2": 4}
    work = {
        f"blocks.{block}.{part}": float(
            times * width * width * (inputs if part == "attn.qkv" else made)[block]
        )
        for block in range(config.depth)
        for part, times in per_block.items()
    }
    work[PATCH_LAYER] = float(3 * config.patch**2 * width * patches)
    return work


@lru_cache(maxsize=16)
def _convolutions(config: ModelConfig) -> Mapping[str, float]:
    """Of the merged trunk, in the order of the data: those whose output has a height and a width.

    The others (squeeze and excite) see one value per channel: no work worth an error.
    """
    import torch
    from torch import nn

    from ..core.models.convolutional import ConvBackbone, deployed

    with torch.device("meta"):
        backbone = deployed(ConvBackbone(config))
        image = torch.empty(1, 3, config.height_px, config.width_px)
    found: dict[str, float] = {}

    def watch(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(layer: nn.Module, given: Any, made: Tensor) -> None:
            if given[0].shape[2:].numel() > 1:
                each = layer.get_parameter("weight")[0].numel()
                found[name] = float(made.shape[1:].numel() * each)

        return hook

    for name, layer in backbone.named_modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(watch(name))
    with torch.no_grad():
        backbone(image)
    return found
