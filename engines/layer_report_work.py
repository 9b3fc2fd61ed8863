"""Which matrix products a layer of an engine does, how many operations, and in which precision."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .layer_report_form import Layer, Tensor

MATRIX_TYPES = ("int8", "fp8", "fp16", "bf16", "fp32")

# Our graph names each product (export/graph_quant.py, export/graph_blocks.py). Kernels keep the
# ONNX name in their metadata; in their own names dots become underscores.
_LINEAR = re.compile(
    r"(?:^|[+ ])(?P<name>patch_embed[._]proj|blocks[._]\d+[._](?:attn[._](?:qkv|proj)"
    r"|mlp[._]fc[12]))(?:[._](?P<part>q|kv))?[._]product"
)
_ATTENTION = re.compile(
    r"(?:^|[+ ])blocks[._](?P<block>\d+)[._]attn[._](?P<part>scores|probabilities|mixed)(?![._a-z])"
)
_PLACE = re.compile(
    r"(?:^|[+ ])(?P<place>patch_embed[._]proj|blocks[._]\d+[._]"
    r"(?:norm[12]|attn[._]\w+|mlp[._](?:fc[12]|gelu)|residual[12]))"
)

# xmma_gemm_i8i8_i8i32_f32, xmma_fprop_implicit_gemm_interleaved_i8i8, cublas_gemvx_f16f16
_GEMM_TYPE = re.compile(r"(?:gem[mv]|conv|fprop)\w*?_(i8|e4m3|e5m2|f8|bf16|f16|tf32|f32)(?=[a-z_])")
_OTHER_TYPES = (
    ("int8", re.compile(r"int8|imma|i16832|i8816")),
    ("fp16", re.compile(r"h(?:16816|1688|884)|hmma")),
)
_SHORT = {
    "i8": "int8",
    "e4m3": "fp8",
    "e5m2": "fp8",
    "f8": "fp8",
    "f16": "fp16",
    "tf32": "fp32",
    "f32": "fp32",
}
_GEMM_KINDS = ("gemm", "matrixmultiply", "matrix_multiply", "convolution", "fullyconnected")
_CONVOLUTION = re.compile(r"convolution|fprop", re.IGNORECASE)
_FUSED_GEMM = re.compile(r"__myl_\w*Fc|[Gg]emm")
_CONSTANT = re.compile(r"const|weight|bias|scale|\.zero", re.IGNORECASE)
_MHA = re.compile(r"(?:^|[^a-z])f?mha(?:[^a-z]|$)|fused_attention|flash_?attention", re.IGNORECASE)


@dataclass(frozen=True)
class Work:
    """One layer that multiplies matrices. `operations` is None where shapes do not tell it."""

    layer: Layer
    names: tuple[str, ...]
    """The products by their names in the ViT, or the layer's own name for a foreign graph."""
    precision: str
    operations: int | None


def linears_in(layer: Layer) -> tuple[str, ...]:
    """Such as blocks.7.attn.qkv; the last block makes Q apart from K and V: ...qkv.q."""
    found = (_dotted(each["name"], each["part"]) for each in _matches(_LINEAR, layer))
    return tuple(dict.fromkeys(found))


def attention_in(layer: Layer) -> dict[int, frozenset[str]]:
    """By block, which of scores, probabilities and mixed this layer computes."""
    parts: dict[int, set[str]] = {}
    for each in _matches(_ATTENTION, layer):
        parts.setdefault(int(each["block"]), set()).add(each["part"])
    return {block: frozenset(names) for block, names in parts.items()}


def places_in(layer: Layer) -> tuple[str, ...]:
    """Every part of the ViT that a layer comes from, products or not."""
    found = (_place(each["place"]) for each in _matches(_PLACE, layer))
    return tuple(dict.fromkeys(found))


def is_fused_attention(layer: Layer) -> bool:
    """By its kernel. A name counts where TensorRT made it: a graph may name its nodes mha, too."""
    made = layer.name if layer.name.startswith("_") else ""
    return any(_MHA.search(each) for each in (layer.tactic, made, layer.kind))


def is_gemm(layer: Layer) -> bool:
    """By its kind or its kernel, whatever it computes."""
    return (
        layer.kind.lower() in _GEMM_KINDS
        or bool(_GEMM_TYPE.search(layer.tactic))
        or (layer.kind.lower() in ("kgen", "fusion") and bool(_FUSED_GEMM.search(layer.name)))
    )


def work_of(layer: Layer, names: tuple[str, ...]) -> Work:
    attention = is_fused_attention(layer)
    count = _attention_operations(layer) if attention else _product_operations(layer)
    return Work(layer, names or (layer.name,), precision_of(layer), count)


def precision_of(layer: Layer) -> str:
    """That of the first factor; a kernel's name is believed before the types around it."""
    told = _GEMM_TYPE.search(layer.tactic)
    if told:
        return _SHORT.get(told[1], told[1])
    if not is_fused_attention(layer):
        for name, pattern in _OTHER_TYPES:
            if pattern.search(layer.tactic):
                return name
    types = [tensor.type for tensor in factors_of(layer) if tensor.type in MATRIX_TYPES]
    # An INT8 product also takes a residual or a scale in floats.
    return min(types, key=MATRIX_TYPES.index, default="")


def _product_operations(layer: Layer) -> int | None:
    if _CONVOLUTION.search(layer.kind) or _CONVOLUTION.search(layer.tactic):
        return _convolution_operations(layer)
    factors = [tensor for tensor in factors_of(layer) if len(tensor.shape) > 1]
    if not factors or not layer.outputs:
        return None
    heads = bool(attention_in(layer))
    return _multiplied(2, _per_image(layer.outputs[0], heads), factors[0].shape[-1])


def _convolution_operations(layer: Layer) -> int | None:
    """Every weight is used once per place of the output, whatever the kernel's size and groups."""
    made = layer.outputs[0] if layer.outputs else Tensor("", (), "")
    if len(made.shape) < 3 or not layer.weights:
        return None
    places = Tensor(made.name, (made.shape[0], *made.shape[2:], 1), made.type)
    return _multiplied(2, _per_image(places, heads=False), layer.weights)


def _attention_operations(layer: Layer) -> int | None:
    """Q by K and the weights by V: each output value costs a key's product twice."""
    if not layer.outputs:
        return None
    return _multiplied(4, _per_image(layer.outputs[0], heads=True), keys_of(layer))


def keys_of(layer: Layer) -> int:
    """How many tokens a fused kernel attends to; 0 where shapes do not tell."""
    shapes = [tensor.shape for tensor in factors_of(layer) if len(tensor.shape) > 2]
    if not shapes:
        return 0
    query, key = shapes[0], shapes[min(1, len(shapes) - 1)]
    # K may be turned, or joined with Q and V in one tensor; neither changes these axes.
    return key[-1] if key[-2] == query[-1] != key[-1] else key[-2]


def _per_image(tensor: Tensor, heads: bool) -> int | None:
    """Values of a tensor, where a free batch counts as one.

    A free first axis that also counts the tokens, or the heads of attention, tells no size.
    """
    if not tensor.shape:
        return None
    first, *rest = tensor.shape
    if any(size < 0 for size in rest) or (first < 0 and len(rest) < (3 if heads else 2)):
        return None
    return math.prod(rest) * max(first, 1)


def _multiplied(factor: int, values: int | None, depth: int) -> int | None:
    return None if values is None or depth < 1 else factor * values * depth


def factors_of(layer: Layer) -> list[Tensor]:
    """Inputs that are not constants; weights show up among them under names like these."""
    return [tensor for tensor in layer.inputs if not _CONSTANT.search(tensor.name)]


def _matches(pattern: re.Pattern[str], layer: Layer) -> Iterator[re.Match[str]]:
    given: Iterable[str] = layer.nodes or layer.name.split("+")
    for node in given:
        yield from pattern.finditer(node.strip())


def _dotted(name: str, part: str | None) -> str:
    return _place(name) + (f".{part}" if part else "")


def _place(name: str) -> str:
    if name.startswith("patch_embed"):
        return "patch_embed.proj"
    return name.replace("_", ".")
