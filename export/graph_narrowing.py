"""Where a token schedule drops patches: operators that every runtime has, with constant sizes.

What a token becomes in a block depends on the keys and values of all, but on no other's query. So
only those that stay ask, and everything after the attention is made for them alone: the same
numbers as dropping the others at the end of the block, for less work.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .graph_writer import GraphWriter

AHEAD = 2.0
"""More than any share of attention: leading tokens come first, and so far apart that none ties."""


@dataclass(frozen=True)
class Narrowing:
    """`leading` tokens come before the patches, of which `patches` stay."""

    leading: int
    patches: int

    @property
    def tokens(self) -> int:
        return self.leading + self.patches


def foreground(writer: GraphWriter, name: str, query: str, key: str, heads: int, head: int) -> str:
    """[batch, tokens]: the class token's attention, mean over heads.

    A product of its own: a second reader of the block's own attention would keep runtimes from
    fusing it. `query` and `key` are [batch, tokens, width], the softmax's scale already in `query`.
    """
    one = writer.integers("kept.1", 1)
    token_axis = writer.integers("token_axis", 1)
    row = writer.node("Slice", f"{name}.class", query, writer.integers("first", 0), one, token_axis)
    row = writer.node("Reshape", f"{name}.class.heads", row, writer.shape(0, heads, 1, head))
    split = writer.node("Reshape", f"{name}.keys", key, writer.shape(0, -1, heads, head))
    keys = writer.node("Transpose", f"{name}.keys.by_head", split, perm=(0, 2, 3, 1))
    scores = writer.node("MatMul", f"{name}.scores", row, keys)
    shares = writer.node("Softmax", f"{name}.shares", scores, axis=-1)
    axes = writer.integers("head_and_query_axes", 1, 2)
    return writer.node("ReduceMean", f"{name}.foreground", shares, axes, keepdims=0)


def places(writer: GraphWriter, name: str, attention: str, tokens: int, stay: Narrowing) -> str:
    """[batch, staying, 1]: the leading tokens and the patches of most attention, in its order.

    The order means nothing to a transformer, and another sort would only cost time.
    """
    ahead = np.zeros(tokens, dtype=np.float32)
    ahead[: stay.leading] = AHEAD * np.arange(stay.leading, 0, -1)
    ranked = writer.node(
        "Add", f"{name}.ranked", attention, writer.floats(f"ahead.{tokens}", ahead)
    )
    _, found = writer.split(
        "TopK",
        f"{name}.largest",
        (f"{name}.largest", f"{name}.places"),
        ranked,
        writer.integers(f"kept.{stay.tokens}", stay.tokens),
        axis=-1,
    )
    return writer.node("Unsqueeze", f"{name}.rows", found, writer.integers("last_axis", -1))


def staying(writer: GraphWriter, name: str, value: str, rows: str) -> str:
    """Of [batch, tokens, width] the tokens at these places."""
    return writer.node("GatherND", name, value, rows, batch_dims=1)
