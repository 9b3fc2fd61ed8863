"""The re-identification transformer: timm's blocks, our tokens, necks and embedding."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from timm.layers.patch_embed import PatchEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..errors import ConfigError
from .config import ModelConfig
from .stem import ConvStem

PARTS = (1, 2, 3)


class Features(NamedTuple):
    """One batch of embeddings, not brought to unit length."""

    before: Tensor
    after: Tensor


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
            embed_layer=ConvStem if config.stem == "ics" else PatchEmbed,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
        )
        self.tokens = config.tokens
        self.camera_weight = config.camera_weight
        if config.tokens == "cls-drop-patch":
            self.pos_embed = nn.Parameter(self.get_parameter("pos_embed")[:, 1:].detach().clone())
        if part_tokens:
            for part in PARTS:
                self.register_parameter(f"part_token{part}", _token(config.width))
                self.register_parameter(f"part{part}_pos", _token(config.width))
            self.cls_pos = nn.Parameter(torch.zeros(1, 1, config.width))
        if has_class:
            nn.init.trunc_normal_(self.get_parameter("cls_token"), std=0.02)
        self.sie_embed = None
        if config.cameras:
            self.sie_embed = nn.Parameter(torch.zeros(config.cameras, 1, config.width))
            nn.init.trunc_normal_(self.sie_embed, std=0.02)

    def forward(self, x: Tensor, cameras: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """All tokens after the last norm."""
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


class ReidVit(nn.Module):
    """A backbone, the neck (batch norm) between metric and identity loss, and a classifier."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.bottleneck: nn.Module = nn.Identity()
        if config.neck == "single":
            self.bottleneck = frozen_bias_norm(config.embedding)
        elif config.neck == "multi":
            self.bottleneck = frozen_bias_norm(config.width)
            for part in PARTS:
                self.add_module(f"bottleneck_{part}", frozen_bias_norm(config.width))
        self.classifier: nn.Linear | None = None
        if config.classes:
            self.classifier = nn.Linear(config.embedding, config.classes, bias=False)
            nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, images: Tensor, cameras: Tensor | None = None) -> Features:
        """The features of the metric loss (before the neck) and the identity loss (after)."""
        tokens = self.backbone(images, cameras)
        if self.config.tokens == "mean":
            before = tokens.mean(dim=1)
        elif self.config.tokens == "pass":
            return self._fused(tokens)
        else:
            before = tokens[:, 0]
        return Features(before, self.bottleneck(before))

    def logits(self, after: Tensor) -> Tensor:
        """Identity scores of features taken after the neck."""
        if self.classifier is None:
            raise ConfigError("this model has no identity classifier; build it with classes > 0")
        scores: Tensor = self.classifier(after)
        return scores

    def embed(self, images: Tensor, cameras: Tensor | None = None) -> Tensor:
        """Unit-length embeddings from the side of the neck that the configuration names."""
        features = self(images, cameras)
        chosen = features.after if self.config.neck_feature == "after" else features.before
        return normalize(chosen, dim=1)

    def _fused(self, tokens: Tensor) -> Features:
        raw = [tokens[:, index] for index in range(len(PARTS) + 1)]
        before = _fuse(raw, self.config.fusion)
        if self.config.neck != "multi":
            return Features(before, self.bottleneck(before))
        necks = [self.bottleneck, *(self.get_submodule(f"bottleneck_{part}") for part in PARTS)]
        cooked = [neck(token) for neck, token in zip(necks, raw, strict=True)]
        if self.config.branch_norm:
            cooked = [normalize(token, dim=1) for token in cooked]
        return Features(before, _fuse(cooked, self.config.fusion))


def build(config: ModelConfig) -> ReidVit:
    """A freshly initialised model."""
    return ReidVit(config)


def frozen_bias_norm(width: int) -> nn.BatchNorm1d:
    """A batch norm whose bias stays zero, so that its output keeps the origin of the metric."""
    norm = nn.BatchNorm1d(width)
    norm.bias.requires_grad_(False)
    return norm


def _fuse(tokens: list[Tensor], fusion: str) -> Tensor:
    parts = tokens[1] / 3 + tokens[2] / 3 + tokens[3] / 3
    if fusion == "cat":
        return torch.cat([tokens[0], parts], dim=1)
    return (tokens[0] + parts) / 2


def _token(width: int) -> nn.Parameter:
    token = nn.Parameter(torch.empty(1, 1, width))
    nn.init.trunc_normal_(token, std=0.02)
    return token
