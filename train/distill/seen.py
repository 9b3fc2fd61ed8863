"""What the losses look at in a model: both sides of the neck, its embedding, tokens and a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...core.models.config import ModelConfig
from ...core.models.vit import ReidVit
from ..distributed import World, gather_rows
from ..step import tokens_used


@dataclass(frozen=True)
class Wanted:
    """What has to be kept for the losses besides the features."""

    logits: bool = False
    parts: bool = False
    grid: bool = False

    @property
    def tokens(self) -> bool:
        return self.parts or self.grid


@dataclass(frozen=True)
class Seen:
    """One model's answers to the whole batch of all processes, in float32."""

    before: Tensor
    after: Tensor
    embedding: Tensor
    """Not of unit length."""
    logits: Tensor | None = None
    parts: Tensor | None = None
    """[crops, 3, values]: the part tokens of a PASS model."""
    grid: Tensor | None = None
    """[crops, values, rows, columns]: the patches after the last norm, where they lie."""


class Eyes:
    """Runs a model of any kind and keeps what passes its backbone; one per model.

    The backbone's output is gathered from all processes before the neck, as fine-tuning does, so
    that every process computes the whole loss and its own share of the backbone's gradient.
    """

    def __init__(self, model: ReidVit, world: World, wanted: Wanted) -> None:
        self.model, self.world, self.wanted = model, world, wanted
        self._tokens: Tensor | None = None
        self._looking = False
        model.backbone.register_forward_hook(self._keep)

    def learning(self, images: Tensor, cameras: Tensor | None) -> Seen:
        """Of a student in training; the features of all processes come out of the neck."""
        return self._seen(images, cameras)

    def knowing(self, images: Tensor, cameras: Tensor | None) -> Seen:
        """Of a teacher, without anything that a gradient would need."""
        with torch.inference_mode():
            found = self._seen(images, cameras)
        # Tensors born in inference mode may not take part in a loss; their copies may.
        copies: dict[str, Any] = {
            name: None if value is None else value.clone() for name, value in vars(found).items()
        }
        return Seen(**copies)

    def _seen(self, images: Tensor, cameras: Tensor | None) -> Seen:
        self._looking = True
        features = self.model(images, cameras)
        self._looking = False
        before, after = features.before.float(), features.after.float()
        with torch.autocast(images.device.type, enabled=False):
            embedding = self.model.chosen(type(features)(before, after))
            logits = self.model.logits(after) if self.wanted.logits else None
        tokens, self._tokens = self._tokens, None
        config = self.model.config
        return Seen(
            before,
            after,
            embedding,
            logits,
            parts_of(config, tokens) if self.wanted.parts else None,
            grid_of(config, tokens) if self.wanted.tokens else None,
        )

    def _keep(
        self, backbone: nn.Module, inputs: tuple[Tensor, ...], tokens: Tensor
    ) -> Tensor | None:
        if not self._looking:
            return None
        kept = tokens.float()
        if tokens.ndim == 3 and not self.wanted.tokens:
            kept = tokens_used(self.model.config, tokens)
        gathered = gather_rows(kept, self.world)
        if self.wanted.tokens:
            self._tokens = gathered
        return gathered


def parts_of(config: ModelConfig, tokens: Tensor | None) -> Tensor | None:
    """The three part tokens, where the model has them."""
    if tokens is None or tokens.ndim != 3 or config.tokens != "pass":
        return None
    return tokens[:, 1:4]


def grid_of(config: ModelConfig, tokens: Tensor | None) -> Tensor | None:
    """Patches in their places; None where a token schedule has taken some away."""
    if tokens is None or tokens.ndim == 4:
        return tokens
    if config.token_schedule:
        return None
    patches = tokens[:, config.leading_tokens :]
    if config.tokens == "cls-drop-patch":
        # The patch that is not there is given its right neighbour's values.
        patches = torch.cat([patches[:, :1], patches], dim=1)
    rows, columns = config.grid
    return patches.transpose(1, 2).reshape(len(patches), -1, rows, columns)
