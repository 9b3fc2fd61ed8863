"""Whether attention runs as one kernel in each block, and which rule it breaks where it does not.

The rules are those of NVIDIA's guide, as quoted in github.com/NVIDIA/TensorRT/issues/2981 and
/4167: FP16 and BF16 with a head of 16 to 256 values that divides by 8; INT8 with a head of 16, 32
or 64 values, at most 512 tokens, and Q/DQ before both products, after softmax and after the second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from .layer_report_form import Layer
from .layer_report_work import attention_in, is_fused_attention, precision_of

State = Literal["fused", "unfused", "unknown"]

_INT8_HEADS = (16, 32, 64)
_INT8_TOKENS = 512


@dataclass(frozen=True)
class BlockAttention:
    block: int
    state: State
    precision: str = ""
    reason: str = ""
    """Where it is not fused: the rule that it breaks, or that it breaks none."""


def attention_of(layers: Iterable[Layer], blocks: Iterable[int]) -> tuple[BlockAttention, ...]:
    """One answer per block; unknown where no layer names the block's attention."""
    by_block: dict[int, list[Layer]] = {}
    for layer in layers:
        for block in attention_in(layer):
            by_block.setdefault(block, []).append(layer)
    return tuple(_judge(block, by_block.get(block, [])) for block in sorted(blocks))


def _judge(block: int, layers: list[Layer]) -> BlockAttention:
    for layer in layers:
        if is_fused_attention(layer):
            return BlockAttention(block, "fused", precision_of(layer))
    parts = _parts(block, layers)
    # An Attention node is called mixed alone; where it was taken apart, no layer says into what.
    if "scores" not in parts or "mixed" not in parts:
        return BlockAttention(block, "unknown")
    precision = " and ".join(dict.fromkeys(precision_of(parts[part]) for part in _PRODUCTS))
    return BlockAttention(block, "unfused", precision, _broken_rule(parts))


_PRODUCTS = ("scores", "mixed")


def _parts(block: int, layers: list[Layer]) -> dict[str, Layer]:
    """The layer of each part; a kernel that holds a product beats one that follows it."""
    found: dict[str, Layer] = {}
    for layer in layers:
        for part in attention_in(layer)[block]:
            found.setdefault(part, layer)
    return found


def _broken_rule(parts: Mapping[str, Layer]) -> str:
    first, second = (precision_of(parts[part]) for part in _PRODUCTS)
    head, tokens = _sizes(parts["scores"])
    if "fp32" in (first, second):
        return "its products take FP32, and fused kernels take FP16, BF16 or INT8"
    if first == "int8" and second != "int8":
        return "Q/DQ is missing after softmax: INT8 fusion wants it on both inputs of each product"
    if second == "int8" and first != "int8":
        return "Q/DQ is missing before the product of Q and K: INT8 fusion wants it on both inputs"
    if first == "int8":
        return _broken_int8_rule(parts["mixed"], head, tokens)
    if head and not (16 <= head <= 256 and head % 8 == 0):
        return f"a head has {head} values; FP16 fusion wants 16 to 256 that divide by 8"
    return "it breaks no documented rule; TensorRT may leave it apart where that is faster"


def _broken_int8_rule(mixed: Layer, head: int, tokens: int) -> str:
    if head and head not in _INT8_HEADS:
        return f"a head has {head} values; INT8 fusion wants 16, 32 or 64"
    if tokens > _INT8_TOKENS:
        return f"there are {tokens} tokens; INT8 fusion takes at most {_INT8_TOKENS}"
    if mixed.outputs and mixed.outputs[0].type != "int8":
        return "Q/DQ is missing after the second product: INT8 fusion wants an INT8 output"
    return "it breaks no documented rule; TensorRT may leave it apart where that is faster"


def _sizes(scores: Layer) -> tuple[int, int]:
    """Values per head and keys, 0 where shapes do not tell."""
    query = next((tensor.shape for tensor in scores.inputs if len(tensor.shape) > 2), ())
    made = next((tensor.shape for tensor in scores.outputs if len(tensor.shape) > 2), ())
    return (query[-1] if query else 0), (made[-1] if made else 0)
