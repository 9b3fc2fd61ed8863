"""What one pre-training step sees: the crops of a batch, what is masked, what is dropped."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PretrainBatch:
    """One process's images, B of them, each as two global and L local crops."""

    globals: Tensor
    """float32 [2, B, 3, height, width], normalised with the recipe's mean and std."""
    locals: Tensor
    """float32 [L, B, 3, local height, local width]."""
    masks: Tensor
    """bool [2, B, rows * cols]: the patches that the student does not see."""
    drop_path: Tensor
    """float32 [2 + L, B, slots]: uniform numbers for the student's stochastic depth."""

    def __len__(self) -> int:
        return self.globals.shape[1]

    def to(self, device: torch.device) -> PretrainBatch:
        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=True)

        return PretrainBatch(
            move(self.globals), move(self.locals), move(self.masks), move(self.drop_path)
        )
