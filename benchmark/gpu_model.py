"""The torch module that a GPU bench times: the same work as our graphs do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.preprocess import Preprocess

if TYPE_CHECKING:
    import torch

    from ..core.models.vit import ReidVit


def pixels_to_embedding(model: ReidVit, dtype: torch.dtype) -> torch.nn.Module:
    """uint8 NHWC crops in, unit-length FP32 embeddings out; weights and activations of `dtype`."""
    import torch

    config = model.config
    values = Preprocess(height=config.height_px, width=config.width_px)

    class PixelsToEmbedding(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model.to(dtype)
            for name, each in (("mean", values.mean), ("spread", values.std)):
                self.register_buffer(name, 255 * torch.tensor(each).view(1, 3, 1, 1).to(dtype))

        def forward(self, crops: torch.Tensor) -> torch.Tensor:
            mean: Any = self.mean
            pixels = crops.permute(0, 3, 1, 2).to(mean.dtype)
            features = self.model((pixels - mean) / self.spread)
            chosen = model.chosen(features)
            return torch.nn.functional.normalize(chosen.float(), dim=1)

    return PixelsToEmbedding()
