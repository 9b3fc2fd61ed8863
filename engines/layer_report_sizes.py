"""Work that one layer's shapes do not tell, from those of its block.

An engine with a free batch may join it with the tokens, or with the heads, into one free axis. How
many tokens there are then follows from the block's attention, and the width from its projection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .layer_report_form import Layer, Tensor
from .layer_report_work import (
    Work,
    attention_in,
    factors_of,
    is_fused_attention,
    keys_of,
    linears_in,
)

_BLOCK = re.compile(r"^blocks\.(\d+)\.")


@dataclass(frozen=True)
class BlockSizes:
    queries: int
    keys: int
    width: int


def sizes_of(layers: Iterable[Layer]) -> dict[int, BlockSizes]:
    """Of the blocks whose shapes tell all three."""
    tokens: dict[int, tuple[int, int]] = {}
    widths: dict[int, int] = {}
    for layer in layers:
        for block, parts in attention_in(layer).items():
            if is_fused_attention(layer) or "scores" in parts:
                tokens.setdefault(block, _tokens(layer))
        for name in linears_in(layer):
            found, taken = _BLOCK.match(name), factors_of(layer)
            if found and name.endswith("attn.proj") and taken:
                widths[int(found[1])] = taken[0].shape[-1]
    return {
        block: BlockSizes(*tokens[block], widths[block])
        for block in tokens
        if block in widths and min(*tokens[block], widths[block]) > 0
    }


def sized(work: Work, sizes: dict[int, BlockSizes]) -> Work:
    """The same work, counted where its block tells what its own shapes left open."""
    if work.operations is not None:
        return work
    counts = [_count(name, work, sizes) for name in work.names]
    if not counts or None in counts:
        return work
    return replace(work, operations=sum(count or 0 for count in counts))


def _count(name: str, work: Work, sizes: dict[int, BlockSizes]) -> int | None:
    found = _BLOCK.match(name)
    block = sizes.get(int(found[1])) if found else None
    if block is None:
        return None
    if re.search(r"\.attn\.(scores|mixed)$", name):
        # An Attention node is called mixed, and holds both products.
        both = is_fused_attention(work.layer) and len(work.names) == 1
        return (4 if both else 2) * block.queries * block.keys * block.width
    rows = block.keys if re.search(r"\.qkv(\.kv)?$", name) else block.queries
    inner, outer = _width(factors_of(work.layer)), _width(work.layer.outputs)
    return 2 * rows * inner * outer if inner > 0 and outer > 0 and len(work.names) == 1 else None


def _width(tensors: Sequence[Tensor]) -> int:
    """Of rows whose number is free; 0 for tensors of another form."""
    shape = tensors[0].shape if tensors else ()
    return shape[-1] if len(shape) == 2 else 0


def _tokens(layer: Layer) -> tuple[int, int]:
    """Queries and keys, 0 where not told."""
    made = layer.outputs[0].shape if layer.outputs else ()
    if len(made) < 3:
        return 0, 0
    return (made[-2], keys_of(layer)) if is_fused_attention(layer) else (made[-2], made[-1])
