"""Crops of different sizes in one matrix of tokens.

Norms and linear layers do not care to which crop a token belongs, so they run once over all of
them; only attention takes the crops of one size together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


@dataclass(frozen=True)
class Group:
    """Crops of one size, whose tokens follow each other."""

    crops: int
    tokens: int

    @property
    def rows(self) -> int:
        return self.crops * self.tokens


Layout = tuple[Group, ...]


def pack(parts: Sequence[Tensor]) -> tuple[Tensor, Layout]:
    """Tensors [crops, tokens, width] as one of [rows, width]."""
    layout = tuple(Group(part.shape[0], part.shape[1]) for part in parts)
    return torch.cat([part.flatten(0, 1) for part in parts]), layout


def per_token(values: Tensor, layout: Layout) -> Tensor:
    """One row of values for each crop, repeated for each of its tokens."""
    found, start = [], 0
    for group in layout:
        part = values.narrow(0, start, group.crops)
        found.append(part.repeat_interleave(group.tokens, dim=0))
        start += group.crops
    return torch.cat(found)


def class_rows(layout: Layout, device: torch.device) -> Tensor:
    """The row of every crop's class token."""
    found, start = [], 0
    for group in layout:
        found.append(torch.arange(group.crops, device=device) * group.tokens + start)
        start += group.rows
    return torch.cat(found)


def patch_rows(places: Tensor, layout: Layout) -> Tensor:
    """The rows of patches of the first group, given as [crop, patch]."""
    return places[:, 0] * layout[0].tokens + 1 + places[:, 1]


class PackedBlock(nn.Module):
    """Runs one of timm's blocks over packed tokens."""

    block: Any

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(
        self,
        x: Tensor,
        layout: Layout,
        scales: tuple[Tensor, Tensor] | None,
        keep: Tensor | None = None,
    ) -> Tensor:
        """Tokens after the block. With `keep`, only those rows: the last block needs no others.

        `scales` are what stochastic depth multiplies both branches with, token by token.
        """
        block = self.block
        attended = self._attention(block.norm1(x), layout)
        first, second = (None, None) if scales is None else scales
        if keep is not None:
            x, attended = x.index_select(0, keep), attended.index_select(0, keep)
            first = None if first is None else first.index_select(0, keep)
            second = None if second is None else second.index_select(0, keep)
        x = _added(x, block.attn.proj(attended), first)
        return _added(x, block.mlp(block.norm2(x)), second)

    def _attention(self, x: Tensor, layout: Layout) -> Tensor:
        heads = self.block.attn.num_heads
        qkv = self.block.attn.qkv(x)
        found, start = [], 0
        for group in layout:
            part = qkv.narrow(0, start, group.rows)
            start += group.rows
            part = part.view(group.crops, group.tokens, 3, heads, -1).permute(2, 0, 3, 1, 4)
            mixed = scaled_dot_product_attention(*part.unbind(0))
            found.append(mixed.transpose(1, 2).reshape(group.rows, -1))
        return found[0] if len(found) == 1 else torch.cat(found)


def _added(x: Tensor, branch: Tensor, scale: Tensor | None) -> Tensor:
    return x + branch if scale is None else torch.addcmul(x, branch.to(x.dtype), scale)
