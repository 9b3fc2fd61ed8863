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
    places: Tensor | None = None
    """`hidden`, where it is known already."""

    def __len__(self) -> int:
        return self.globals.shape[1]

    @property
    def hidden(self) -> Tensor:
        """The masked patches, one after the other, as [crop, patch]; crops are view by view."""
        return self.masks.flatten(0, 1).nonzero() if self.places is None else self.places

    def to(self, device: torch.device) -> PretrainBatch:
        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=True)

        places = self.places
        if device.type == "cuda" and not self.masks.is_cuda:
            # On the device their number would have to be waited for.
            places = move(self.hidden.pin_memory())
        return PretrainBatch(
            move(self.globals), move(self.locals), move(self.masks), move(self.drop_path), places
        )
