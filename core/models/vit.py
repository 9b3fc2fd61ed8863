"""The re-identification model: a backbone, its necks, an embedding and a classifier."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..errors import ConfigError
from .backbone import PARTS, Backbone
from .config import ModelConfig, NeckFeature
from .convolutional import ConvBackbone, deployed
from .strict import fill


class Features(NamedTuple):
    """One batch of embeddings, not brought to unit length."""

    before: Tensor
    after: Tensor


class ReidVit(nn.Module):
    """A backbone, the neck (batch norm) between metric and identity loss, and a classifier."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = _backbone(config)
        self.bottleneck: nn.Module = nn.Identity()
        if config.neck == "single":
            self.bottleneck = frozen_bias_norm(config.features)
        elif config.neck == "multi":
            self.bottleneck = frozen_bias_norm(config.width)
            for part in PARTS:
                self.add_module(f"bottleneck_{part}", frozen_bias_norm(config.width))
        self.classifier: nn.Linear | None = None
        if config.classes:
            self.classifier = nn.Linear(config.features, config.classes, bias=False)
        self.projection: nn.Linear | None = None
        if config.projection:
            self.projection = nn.Linear(config.features, config.projection)

    def draw(self) -> None:
        """Random weights, and a classifier that starts undecided."""
        self.backbone.draw()
        if self.classifier is not None:
            nn.init.normal_(self.classifier.weight, std=0.001)
        if self.projection is not None:
            nn.init.orthogonal_(self.projection.weight)
            nn.init.zeros_(self.projection.bias)

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
        return normalize(self.chosen(self(images, cameras)), dim=1)

    def chosen(self, features: Features, neck: NeckFeature | None = None) -> Tensor:
        """What an embedding is made of: one side of the neck, in the space of the projection."""
        side = features.after if (neck or self.config.neck_feature) == "after" else features.before
        return side if self.projection is None else self.projection(side)

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
    model = ReidVit(config)
    model.draw()
    return model


def filled(
    config: ModelConfig,
    tensors: Mapping[str, Tensor],
    where: str,
    original: Callable[[str], str] = str,
) -> ReidVit:
    """A model of exactly these tensors, ready to embed; no time is lost on random numbers."""
    with torch.device("meta"):
        model = ReidVit(config)
    fill(model, tensors, where, original)
    return model.eval()


def _backbone(config: ModelConfig) -> Backbone:
    if not config.convolutional:
        return Backbone(config)
    # It keeps what a backbone promises as far as models and training need it: tokens in a row.
    return cast("Backbone", ConvBackbone(config))


def merged(model: ReidVit) -> ReidVit:
    """An equal model for inference; a transformer is that already."""
    if not model.config.convolutional:
        return model
    copied = copy.deepcopy(model)
    copied.backbone = cast("Backbone", deployed(cast("ConvBackbone", model.backbone)))
    return copied.eval().requires_grad_(False)


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
