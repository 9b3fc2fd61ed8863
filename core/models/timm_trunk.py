"""timm's own files of the convolutional trunks, with or without their ImageNet classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from .config import ModelConfig, Trunk
from .convolutional import HEADS, ConvBackbone

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "backbone.trunk."
ENOUGH = 0.9
"""Of a trunk's tensors, in their shapes: a damaged file has them, another trunk has not."""


@dataclass(frozen=True)
class TimmTrunk:
    """A file whose tensors are called as a trunk's; whether it is whole shows when it is filled."""

    config: ModelConfig
    tensors: dict[str, Tensor]
    """Under our names."""
    heads: tuple[str, ...]
    """What belongs to the classifier."""


def timm_trunk(tensors: Mapping[str, Tensor]) -> TimmTrunk | None:
    """The trunk that these tensors are, or None."""
    import torch

    from .registry import config_of

    heads = tuple(key for key in tensors if key.split(".")[0] in HEADS)
    body = {key: value for key, value in tensors.items() if key not in heads}
    for name in get_args(Trunk)[1:]:
        config: ModelConfig = config_of(name, neck="none")
        with torch.device("meta"):
            wanted = ConvBackbone(config).trunk.state_dict()
        fitting = sum(
            value.shape == wanted[key].shape for key, value in body.items() if key in wanted
        )
        if fitting > ENOUGH * len(wanted):
            return TimmTrunk(config, {PREFIX + key: value for key, value in body.items()}, heads)
    return None
