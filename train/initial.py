"""Numbers to start from when there are no weights, scaled so that narrow models learn at once."""

from __future__ import annotations

import math

import torch

from ..core.models.config import ModelConfig
from ..core.models.vit import ReidVit, build

POSITION_SPREAD = 0.3


def drawn(config: ModelConfig, seed: int) -> ReidVit:
    """The same numbers for a configuration and a seed, whoever asks for them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(config)
    draw(model, seed)
    return model


def draw(model: ReidVit, seed: int) -> None:
    """Give blocks and positions their first values; the rest keeps the model's own.

    timm's common spread of 0.02 suits a width of 768. At 128 it leaves attention uniform, the
    activations linear and the positions unseen. Convolutional trunks keep timm's numbers.
    """
    if model.config.convolutional:
        return
    generator = torch.Generator().manual_seed(seed)
    backbone = model.backbone
    blocks = list(backbone.blocks.children())
    quiet = 1 / math.sqrt(2 * len(blocks))
    with torch.no_grad():
        for block in blocks:
            for name, weight in block.named_parameters():
                if weight.ndim == 2:
                    ends_branch = name.endswith(("attn.proj.weight", "mlp.fc2.weight"))
                    spread = weight.shape[1] ** -0.5 * (quiet if ends_branch else 1)
                    weight.normal_(0, spread, generator=generator)
        positions = backbone.get_parameter("pos_embed")
        positions.normal_(0, POSITION_SPREAD, generator=generator)
