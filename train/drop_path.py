"""Stochastic depth whose choices are keyed to the crop, not drawn from a global generator.

timm draws them from PyTorch's generator, so they would depend on the batch's split over
processes and on what ran before.
"""

from __future__ import annotations

import torch
from timm.layers.drop import DropPath
from torch import Tensor, nn


class KeyedDropPath(nn.Module):
    """Drops a residual branch for the crops whose number falls below the rate."""

    def __init__(self, rate: float, choices: Choices, slot: int) -> None:
        super().__init__()
        self.rate = rate
        self.slot = slot
        self.choices = choices

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = (self.choices.numbers[:, self.slot] >= self.rate).to(x.dtype) / (1 - self.rate)
        return x * kept.view(-1, *[1] * (x.dim() - 1))


class Choices:
    """One uniform number per crop and branch for the step at hand."""

    def __init__(self, backbone: nn.Module) -> None:
        self.slots = 0
        self.numbers = torch.empty(0)
        for part in list(backbone.modules()):
            for name, child in list(part.named_children()):
                if isinstance(child, DropPath):
                    setattr(part, name, KeyedDropPath(child.drop_prob, self, self.slots))
                    self.slots += 1

    def set(self, numbers: Tensor) -> None:
        """Numbers of shape [crops, slots], on the model's device; refills the same memory."""
        if self.numbers.shape == numbers.shape and self.numbers.device == numbers.device:
            self.numbers.copy_(numbers)
        else:
            self.numbers = numbers.clone()
