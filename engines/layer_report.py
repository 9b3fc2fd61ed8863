"""What TensorRT made of a graph: precisions by work, fused attention, FP32 islands, reformats.

Only what the engine's own layer information says is reported. What cannot be read from it is
counted as such and named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .layer_report_attention import BlockAttention, attention_of
from .layer_report_form import Layer, Layers, Verbosity, parse_layers
from .layer_report_sizes import sized, sizes_of
from .layer_report_work import (
    MATRIX_TYPES,
    Work,
    attention_in,
    is_fused_attention,
    is_gemm,
    linears_in,
    places_in,
    work_of,
)

_BLOCK = re.compile(r"^blocks\.(\d+)\.")
_LINEARS = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
_OPAQUE = ("myelin", "foreignnode", "pluginv2", "pluginv3", "plugin")


@dataclass(frozen=True)
class LayerReport:
    layers: int
    form: str
    verbosity: Verbosity
    shares: Mapping[str, float]
    """By precision, the part of the counted matrix work; empty where none could be counted."""
    operations: int
    """Of the counted matrix work for one image."""
    fp32_islands: tuple[str, ...]
    """Parts of the blocks that take and give FP32, by their names in the ViT; the head is FP32
    by design and is not listed."""
    reformats: tuple[str, ...]
    lone_qdq: tuple[str, ...]
    """Quantise and dequantise layers that were not fused into a neighbour."""
    attention: tuple[BlockAttention, ...]
    unplaced_attention: int
    """Fused attention kernels that name no block."""
    uncounted: tuple[str, ...]
    """Layers that do, or may do, matrix work whose size or precision is not told."""
    missing: tuple[str, ...]
    """Products that every block has and that no layer names."""
    quantised: tuple[str, ...]
    """Linear layers of the blocks that run in INT8."""
    not_quantised: tuple[str, ...]
    """Those that run in something else."""

    @property
    def blocks(self) -> int:
        return len(self.attention)

    @property
    def fused_blocks(self) -> tuple[int, ...]:
        return tuple(one.block for one in self.attention if one.state == "fused")

    @property
    def all_attention_fused(self) -> bool:
        return bool(self.attention) and len(self.fused_blocks) == self.blocks

    @property
    def int8_share(self) -> float:
        return self.shares.get("int8", 0.0)

    @property
    def fp8_share(self) -> float:
        return self.shares.get("fp8", 0.0)

    @property
    def fp16_share(self) -> float:
        """FP16 and BF16, which cost the same."""
        return self.shares.get("fp16", 0.0) + self.shares.get("bf16", 0.0)

    @property
    def fp32_share(self) -> float:
        return self.shares.get("fp32", 0.0)

    def findings(self) -> tuple[str, ...]:
        """Plain sentences, the most telling first."""
        from .layer_report_findings import findings

        return findings(self)

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "int8_share": self.int8_share,
            "fp8_share": self.fp8_share,
            "fp16_share": self.fp16_share,
            "fp32_share": self.fp32_share,
            "blocks": self.blocks,
            "fused_blocks": list(self.fused_blocks),
            "findings": list(self.findings()),
        }

    def as_text(self) -> str:
        return "\n".join(self.findings())


def read_layers(text: str) -> LayerReport:
    """From the inspector's JSON or trtexec's --exportLayerInfo, detailed or names only."""
    found = parse_layers(text)
    products = _products(found.layers)
    counted = [work for work in products if work.operations and work.precision]
    blocks = _blocks(found.layers)
    total = sum(work.operations or 0 for work in counted)
    return LayerReport(
        layers=len(found.layers),
        form=found.form,
        verbosity=found.verbosity,
        shares=_shares(counted, total),
        operations=total // _batch(found),
        fp32_islands=_islands(found.layers, products),
        reformats=tuple(layer.name for layer in found.layers if _is_reformat(layer)),
        lone_qdq=tuple(layer.name for layer in found.layers if _is_lone_qdq(layer)),
        attention=attention_of(found.layers, blocks),
        unplaced_attention=sum(
            is_fused_attention(layer) and not attention_in(layer) for layer in found.layers
        ),
        uncounted=_uncounted(found.layers, products, counted),
        missing=_missing(products, blocks),
        quantised=_linears(products, int8=True),
        not_quantised=_linears(products, int8=False),
    )


def _products(layers: Sequence[Layer]) -> list[Work]:
    """Each product once: what follows a product may name its node too, and does no such work."""
    taken: set[str] = set()
    found: list[Work] = []
    for layer in sorted(layers, key=lambda each: not (is_gemm(each) or is_fused_attention(each))):
        certain = is_gemm(layer) or is_fused_attention(layer)
        names = tuple(name for name in _names(layer) if name not in taken)
        if names or (certain and not _names(layer)):
            taken.update(names)
            found.append(work_of(layer, names))
    sizes = sizes_of(layers)
    return [sized(work, sizes) for work in found]


def _names(layer: Layer) -> tuple[str, ...]:
    attention = attention_in(layer)
    parts = [f"blocks.{block}.attn.{part}" for block in attention for part in attention[block]]
    return (*linears_in(layer), *sorted(name for name in parts if "probabilities" not in name))


def _shares(counted: Iterable[Work], total: int) -> dict[str, float]:
    sums: dict[str, int] = {}
    for work in counted:
        sums[work.precision] = sums.get(work.precision, 0) + (work.operations or 0)
    return {name: sums[name] / total for name in MATRIX_TYPES if name in sums}


def _batch(found: Layers) -> int:
    """Images per run, from the shape of the graph's input; a free batch counts as one."""
    shapes = (tensor.shape for layer in found.layers for tensor in layer.inputs
              if tensor.name == "images")  # fmt: skip
    return max(next((shape[0] for shape in shapes if shape), 1), 1)


def _blocks(layers: Iterable[Layer]) -> set[int]:
    places = (place for layer in layers for place in (*linears_in(layer), *places_in(layer)))
    named = (_BLOCK.match(place) for place in places)
    return {int(found[1]) for found in named if found}


def _islands(layers: Iterable[Layer], products: Iterable[Work]) -> tuple[str, ...]:
    matrices = [n for work in products if work.precision == "fp32" for n in work.names]
    # What is fused behind a product follows that product's type.
    others = (layer for layer in layers if _is_fp32(layer) and not linears_in(layer))
    around = [place for layer in others for place in places_in(layer)]
    return tuple(sorted({_whole(name) for name in (*matrices, *around)}, key=_order))


def _is_fp32(layer: Layer) -> bool:
    types = {tensor.type for tensor in (*layer.inputs, *layer.outputs)}
    return bool(layer.inputs and layer.outputs) and types == {"fp32"}


def _whole(name: str) -> str:
    """The last block's Q is a part of qkv; the parts of attention are attention."""
    name = re.sub(r"\.qkv\.(q|kv)$", ".qkv", name)
    return re.sub(r"\.attn\.(?!qkv|proj)\w+$", ".attn", name)


def _order(name: str) -> tuple[int, str]:
    found = _BLOCK.match(name)
    return (int(found[1]) if found else -1, name)


def _is_reformat(layer: Layer) -> bool:
    moves = layer.kind == "Reformat" or layer.name.startswith("Reformatting CopyNode")
    return moves and not _is_lone_qdq(layer)


def _is_lone_qdq(layer: Layer) -> bool:
    kinds = ("quantize", "dequantize")
    return layer.origin == "QDQ" or layer.kind.lower() in kinds


def _uncounted(
    layers: Iterable[Layer], products: Sequence[Work], counted: Sequence[Work]
) -> tuple[str, ...]:
    unsized = [work.layer.name for work in products if work not in counted]
    opaque = [
        layer.name
        for layer in layers
        if layer.kind.lower() in _OPAQUE or layer.name.startswith("{ForeignNode")
    ]
    return tuple(dict.fromkeys((*unsized, *opaque)))


def _missing(products: Iterable[Work], blocks: Iterable[int]) -> tuple[str, ...]:
    present = {_whole(name) for work in products for name in work.names}
    wanted = (f"blocks.{block}.{part}" for block in sorted(blocks) for part in _LINEARS)
    return tuple(name for name in wanted if name not in present)


def _linears(products: Iterable[Work], *, int8: bool) -> tuple[str, ...]:
    names = {
        _whole(name)
        for work in products
        if work.precision and (work.precision == "int8") == int8
        for name in work.names
    }
    linears = (name for name in names if name.endswith(_LINEARS) and _BLOCK.match(name))
    return tuple(sorted(linears, key=_order))
