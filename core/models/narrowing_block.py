"""A block that goes on with the patches its class token attends to (docs/token-schedule.md)."""

from __future__ import annotations

from typing import Any

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class NarrowingBlock(Block):
    """timm's block, key for key; of its output `leading` tokens and `keep` patches stay.

    `kept` holds, after a forward pass, which of the patches it was given stayed.
    """

    def __init__(self, keep: int, leading: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.keep, self.leading = keep, leading
        self.kept: Tensor | None = None

    def forward(
        self, x: Tensor, attn_mask: Tensor | None = None, is_causal: bool = False
    ) -> Tensor:
        # Spelled out: timm's attention keeps its queries and keys to itself.
        attn: Any = self.attn
        query, key, value = _heads(attn.qkv(self.norm1(x)), attn.num_heads)
        self.kept = strongest(foreground(query, key, self.leading), self.keep)
        # All are looked at, but only those that stay look, and only they go through the rest.
        mixed = scaled_dot_product_attention(self._staying(query, 2), key, value)
        x = self._staying(x, 1)
        x = x + self.drop_path1(attn.proj(mixed.transpose(1, 2).flatten(2)))
        made: Tensor = x + self.drop_path2(self.mlp(self.norm2(x)))
        return made

    def _staying(self, tokens: Tensor, axis: int) -> Tensor:
        """The leading tokens and the kept patches, which lie along this axis."""
        assert self.kept is not None  # noqa: S101
        first, patches = tokens.tensor_split([self.leading], dim=axis)
        shape = [len(self.kept), *([1] * (axis - 1)), self.keep, 1]
        places = self.kept.view(shape).expand(*patches.shape[:axis], -1, patches.shape[-1])
        return torch.cat([first, patches.gather(axis, places)], dim=axis)


def _heads(joint: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values, [batch, heads, tokens, head] each."""
    batch, tokens, width = joint.shape
    parts = joint.view(batch, tokens, 3, heads, width // (3 * heads))
    query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
    return query, key, value


@torch.no_grad()
def foreground(query: Tensor, key: Tensor, leading: int) -> Tensor:
    """[batch, patches]: the class token's attention to each patch, mean over heads.

    Not differentiated: what is kept follows from what the class token learns to look at.
    """
    # A product element by element stays in float32 under autocast; half precision makes ties.
    scores = (query[:, :, :1].float() * key.float()).sum(-1) * query.shape[-1] ** -0.5
    shares: Tensor = scores.softmax(-1).mean(1)
    return shares[:, leading:]


def strongest(scores: Tensor, keep: int) -> Tensor:
    """The places of the largest scores, largest first; of equal ones the first in the grid."""
    return scores.sort(dim=1, descending=True, stable=True).indices[:, :keep]


def kept_patches(blocks: nn.Module) -> Tensor | None:
    """[batch, patches]: the places in the first grid of the patches that the last pass ended with.

    None where no block narrows. In the order of the tokens after the last block.
    """
    places: Tensor | None = None
    for block in blocks.children():
        if isinstance(block, NarrowingBlock) and block.kept is not None:
            places = block.kept if places is None else places.gather(1, block.kept)
    return places
