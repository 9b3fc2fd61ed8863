"""The network of pre-training: a transformer with a mask token, and its projection head.

Student and teacher are of this class. Tensors are named as in iBOT's files.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...core.models.backbone import Backbone
from ...core.models.config import ModelConfig
from ...core.models.grid import resample
from .heads import ProjectionHead
from .packing import Layout, PackedBlock, pack, per_token
from .recipe import PretrainRecipe


class PretrainNetwork(nn.Module):
    """Images of several sizes in, the last features of the tokens that are asked for out."""

    def __init__(self, config: ModelConfig, recipe: PretrainRecipe, masked: bool) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.backbone.draw()
        if masked:
            mask = nn.Parameter(torch.zeros(1, config.width), requires_grad=recipe.masked)
            self.backbone.register_parameter("masked_embed", mask)
        self.head = ProjectionHead(config.width, recipe.head)
        self.checkpointing = False
        # A tuple, so that the blocks are not registered, and named, twice.
        self._packed = tuple(PackedBlock(block) for block in self.backbone.blocks.children())
        self._rates = drop_rates(self.backbone)
        above = torch.tensor([rate for rate in self._rates if rate])
        self.register_buffer("_above_zero", above, persistent=False)

    @property
    def slots(self) -> int:
        """Numbers that one crop's stochastic depth needs."""
        return sum(rate > 0 for rate in self._rates)

    def compile(self) -> None:
        """Compile block by block; the last one's rows vary from step to step."""
        for block in self._packed[:-1]:
            block.compile()

    def forward(
        self, tokens: Tensor, layout: Layout, keep: Tensor, numbers: Tensor | None = None
    ) -> Tensor:
        """Features [len(keep), width] of these rows of packed tokens.

        `numbers` [crops, slots] decide which residual branches a crop goes without.
        """
        scales = self._scales(numbers, layout)
        *others, last = self._packed
        for number, block in enumerate(others):
            if self.checkpointing and torch.is_grad_enabled():
                tokens = checkpoint(block, tokens, layout, scales[number], use_reentrant=False)
            else:
                tokens = block(tokens, layout, scales[number])
        normed: Tensor = self.backbone.norm(last(tokens, layout, scales[-1], keep))
        return normed

    def embed(self, crops: Sequence[Tensor], masks: Tensor | None = None) -> tuple[Tensor, Layout]:
        """Packed tokens of crops, each [n, 3, height, width]; `masks` [n, patches] hides some of
        the first ones'."""
        parts = [
            self._tokens(images, masks if number == 0 else None)
            for number, images in enumerate(crops)
        ]
        return pack(parts)

    def _tokens(self, images: Tensor, masks: Tensor | None) -> Tensor:
        patches = self._patches(images)
        if masks is not None:
            hidden = self.backbone.get_parameter("masked_embed").to(patches.dtype)
            patches = torch.where(masks.unsqueeze(-1), hidden, patches)
        first = self.backbone.get_parameter("cls_token").expand(len(images), -1, -1)
        patch = self.config.patch
        grid = (images.shape[2] // patch, images.shape[3] // patch)
        return torch.cat([first, patches.float()], dim=1) + self._positions(grid)

    def _patches(self, images: Tensor) -> Tensor:
        found: Tensor = self.backbone.patch_embed.proj(images)
        return found.flatten(2).transpose(1, 2)

    def _positions(self, grid: tuple[int, int]) -> Tensor:
        """As they are at the full size; bicubic for another, as DINO and iBOT have it."""
        positions = self.backbone.get_parameter("pos_embed")
        if grid == self.config.grid:
            return positions
        return resample(positions, 1, self.config.grid, grid, mode="bicubic")

    def _scales(
        self, numbers: Tensor | None, layout: Layout
    ) -> list[tuple[Tensor | None, Tensor | None]]:
        """What each branch is multiplied with, for every token, in pairs for the blocks."""
        if numbers is None or not self.slots:
            return [(None, None)] * len(self._packed)
        rates = self.get_buffer("_above_zero")
        kept = (numbers >= rates).to(numbers.dtype) / (1 - rates)
        columns = iter(per_token(kept, layout).t().contiguous().unsqueeze(-1).unbind(0))
        each = [next(columns) if rate else None for rate in self._rates]
        return list(zip(each[::2], each[1::2], strict=True))


def drop_rates(backbone: Backbone) -> tuple[float, ...]:
    """The rate of both branches of every block, 0 where nothing is dropped."""
    return tuple(
        float(getattr(part, "drop_prob", 0.0) or 0.0)
        for block in backbone.blocks.children()
        for part in (block.drop_path1, block.drop_path2)
    )
