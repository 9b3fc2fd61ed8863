"""One training step: forward, losses, backward, update."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..core.errors import ConfigError
from ..core.models.config import ModelConfig
from ..core.models.vit import ReidVit
from .distributed import GradientSum, World, gather_rows
from .drop_path import Choices
from .loader import TrainBatch
from .losses import batch_hard_triplet, contrastive_loss, identity_loss
from .recipe import Loss, Recipe

Amp = Literal["off", "bf16", "fp16"]
NAMES = ("loss", "identity_loss", "triplet_loss", "accuracy")
TOKENS_USED = {"cls": 1, "cls-drop-patch": 1, "pass": 4}


@dataclass(frozen=True)
class Losses:
    """What one step saw, still on the device so that nothing waits for it."""

    total: Tensor
    identity: Tensor
    triplet: Tensor
    accuracy: Tensor

    def values(self) -> tuple[Tensor, ...]:
        return self.total, self.identity, self.triplet, self.accuracy


class Stepper:
    """Holds a model, its optimiser and its gradient scaler, and moves them by one batch."""

    def __init__(
        self,
        model: ReidVit,
        optimiser: torch.optim.Optimizer,
        recipe: Recipe,
        world: World,
        amp: Amp,
    ) -> None:
        self.model, self.optimiser, self.recipe, self.world = model, optimiser, recipe, world
        self.names: tuple[str, ...] = NAMES
        self.choices = Choices(model.backbone)
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=amp == "fp16")
        self._half = half_type(amp, world.device)
        self._sum = GradientSum(model.backbone) if world.shared else None
        model.backbone.register_forward_hook(_gathering(model.config, world))

    @property
    def batch_size(self) -> int:
        return self.recipe.batch_size

    def __call__(self, batch: TrainBatch) -> Losses:
        self.choices.set(batch.drop_path)
        self.optimiser.zero_grad(set_to_none=True)
        losses = self._losses(batch)
        self.scaler.scale(losses.total).backward()  # type: ignore[no-untyped-call]
        if self._sum is not None:
            self._sum.finish()
        self._clip()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return losses

    def _losses(self, batch: TrainBatch) -> Losses:
        with (
            torch.autocast(
                self.world.device.type, self._half, enabled=self._half is not torch.float32
            ),
            sdpa_kernel(attention_kernels(self.world.device, self._half)),
        ):
            features = self.model(batch.images, batch.cameras)
        logits = self.model.logits(features.after.float())
        weigh = self.recipe.loss
        identity = identity_loss(logits, batch.labels, weigh.label_smoothing)
        triplet = _triplet(features.before, batch.labels, weigh)
        total = weigh.identity_weight * identity + weigh.triplet_weight * triplet
        if weigh.contrastive_weight:
            pulled = contrastive_loss(features.after.float(), batch.labels, weigh.temperature)
            total = total + weigh.contrastive_weight * pulled
        right = (logits.detach().argmax(dim=1) == batch.labels).float().mean()
        return Losses(total, identity.detach(), triplet.detach(), right)

    def _clip(self) -> None:
        limit = self.recipe.optimiser.clip_norm
        if limit is not None:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.model.parameters(), limit)


def attention_kernels(device: torch.device, half: torch.dtype) -> list[SDPBackend]:
    """On a CPU in bfloat16 the plain products beat the fused kernel's backward pass.

    Measured with this project's training step: 1.17 times for ViT-S at 129 tokens, 1.27 times for
    33 tokens of width 128; in float32 the two are equal.
    """
    if device.type == "cpu" and half is torch.bfloat16:
        return [SDPBackend.MATH]
    return [
        SDPBackend.FLASH_ATTENTION,
        SDPBackend.EFFICIENT_ATTENTION,
        SDPBackend.CUDNN_ATTENTION,
        SDPBackend.MATH,
    ]


def half_type(amp: Amp, device: torch.device) -> torch.dtype:
    """The arithmetic of the backbone; the necks and the losses stay in float32."""
    if amp == "fp16" and device.type == "cpu":
        raise ConfigError("--amp fp16 needs a GPU; on a CPU use --amp bf16 or --amp off")
    return {"off": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[amp]


def compile_blocks(model: ReidVit) -> None:
    """Compile block by block: they share one graph, and the weights keep their names."""
    for block in model.backbone.blocks.children():
        block.compile()


def _triplet(before: Tensor, labels: Tensor, weigh: Loss) -> Tensor:
    if not weigh.triplet_weight:
        return before.new_zeros(())
    return batch_hard_triplet(before.float(), labels, weigh.triplet_margin)


def _gathering(
    config: ModelConfig, world: World
) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor | None]:
    """A hook that hands the neck the tokens it uses, in float32 and from all processes."""

    def hook(backbone: nn.Module, inputs: tuple[Tensor, ...], tokens: Tensor) -> Tensor | None:
        return gather_rows(tokens_used(config, tokens), world) if backbone.training else None

    return hook


def tokens_used(config: ModelConfig, tokens: Tensor) -> Tensor:
    """The tokens that the neck reads, in float32."""
    if config.tokens == "mean":
        return tokens.float().mean(dim=1, keepdim=True)
    return tokens[:, : TOKENS_USED[config.tokens]].float()
