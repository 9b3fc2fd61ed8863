"""The convolutional stem of TransReID-SSL (instance and batch normalisation side by side)."""

from __future__ import annotations

import torch
from timm.layers.patch_embed import PatchEmbed
from torch import Tensor, nn

STEM_CHANNELS = 64


class SplitNorm(nn.Module):
    """Instance norm keeps the first half of the channels free of style, batch norm the rest."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = channels // 2
        self.IN = nn.InstanceNorm2d(self.first, affine=True)
        self.BN = nn.BatchNorm2d(channels - self.first)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.IN(x[:, : self.first]), self.BN(x[:, self.first :])], dim=1)


class ConvStem(PatchEmbed):
    """Three convolutions at half resolution, then patches of half the size."""

    def __init__(
        self,
        img_size: tuple[int, int],
        patch_size: int,
        embed_dim: int,
        in_chans: int = 3,
        bias: bool = True,
        dynamic_img_pad: bool = False,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(img_size, patch_size, in_chans, embed_dim, bias=bias)
        channels = STEM_CHANNELS
        self.conv = nn.Sequential(
            nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False),
            SplitNorm(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            SplitNorm(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )
        half = patch_size // 2
        self.proj = nn.Conv2d(channels, embed_dim, half, stride=half)

    def forward(self, x: Tensor) -> Tensor:
        patches: Tensor = self.proj(self.conv(x))
        return patches.flatten(2).transpose(1, 2)
