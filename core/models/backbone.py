"""timm's vision transformer with the leading tokens of PersonViT and PASS."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import torch
from timm.layers.patch_embed import PatchEmbed
from timm.models import named_apply
from timm.models.vision_transformer import Block, VisionTransformer, init_weights_vit_timm
from torch import Tensor, nn

from ..errors import ConfigError
from .config import ModelConfig
from .narrowing_block import NarrowingBlock
from .stem import ConvStem

PARTS = (1, 2, 3)


class Backbone(VisionTransformer):
    """timm's transformer with this family's leading tokens; its keys are the published ones."""

    def __init__(self, config: ModelConfig) -> None:
        part_tokens = config.tokens == "pass"
        has_class = config.tokens != "mean"
        super().__init__(
            img_size=(config.height_px, config.width_px),
            patch_size=config.patch,
            num_classes=0,
            global_pool="token" if has_class else "avg",
            fc_norm=False,
            embed_dim=config.width,
            depth=config.depth,
            num_heads=config.heads,
            class_token=has_class,
            no_embed_class=part_tokens,
            drop_path_rate=config.drop_path,
            weight_init="skip",
            embed_layer=ConvStem if config.stem == "ics" else PatchEmbed,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            block_fn=_block_maker(config),  # type: ignore[arg-type]
        )
        self.tokens = config.tokens
        self.camera_weight = config.camera_weight
        if config.tokens == "cls-drop-patch":
            rows, columns = config.grid
            self.pos_embed = _row(config.width, rows * columns)
        if part_tokens:
            self.cls_pos = _row(config.width)
            for part in PARTS:
                self.register_parameter(f"part_token{part}", _row(config.width))
                self.register_parameter(f"part{part}_pos", _row(config.width))
        self.sie_embed = None
        if config.cameras:
            self.sie_embed = nn.Parameter(torch.empty(config.cameras, 1, config.width))

    def draw(self) -> None:
        """Random weights, as the published code starts from."""
        named_apply(init_weights_vit_timm, self)
        for name, parameter in self.named_parameters(recurse=False):
            if name == "cls_pos":
                nn.init.zeros_(parameter)
            else:
                nn.init.trunc_normal_(parameter, std=0.02)

    def forward(self, x: Tensor, cameras: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """All tokens after the last norm, or those that the token schedule kept."""
        x = self._pos_embed(self.patch_embed(x))
        if self.sie_embed is not None:
            if cameras is None:
                raise ConfigError(
                    "this model adds a camera embedding; give the camera number of every image"
                )
            x = x + self.camera_weight * self.sie_embed[cameras]
        normed: Tensor = self.norm(self.blocks(x))
        return normed

    def _pos_embed(self, x: Tensor) -> Tensor:
        if self.tokens == "cls-drop-patch":
            # The top-left patch goes: a corner beside the head, so mostly background.
            x = x[:, 1:]
        if self.tokens != "pass":
            return super()._pos_embed(x)
        tokens = ["cls_token", *(f"part_token{part}" for part in PARTS)]
        positions = ["cls_pos", *(f"part{part}_pos" for part in PARTS)]
        leading = [
            self.get_parameter(token) + self.get_parameter(position)
            for token, position in zip(tokens, positions, strict=True)
        ]
        first = torch.cat(leading, dim=1).expand(x.shape[0], -1, -1)
        return torch.cat([first, x + self.get_parameter("pos_embed")], dim=1)


def _block_maker(config: ModelConfig) -> Callable[..., Block]:
    """Makes the blocks in turn; those that the token schedule names drop patches at their end."""
    stay, places = dict(config.token_schedule), count(1)

    def make(**settings: Any) -> Block:
        place = next(places)
        if place in stay:
            return NarrowingBlock(stay[place], config.leading_tokens, **settings)
        return Block(**settings)

    return make


def _row(width: int, tokens: int = 1) -> nn.Parameter:
    return nn.Parameter(torch.empty(1, tokens, width))
