"""What a layer report says, in sentences that a person who deploys can act on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .layer_report import LayerReport
    from .layer_report_attention import BlockAttention

_NAMES = {"int8": "INT8", "fp8": "FP8", "fp16": "FP16", "bf16": "BF16", "fp32": "FP32"}
_MOST = 4
"""Names that a sentence holds; all of them are in the JSON."""


def findings(report: LayerReport) -> tuple[str, ...]:
    return tuple(
        sentence
        for part in (_verbosity, _work, _attention, _islands, _copies, _gaps)
        for sentence in part(report)
    )


def _verbosity(report: LayerReport) -> Iterator[str]:
    if report.verbosity == "names":
        yield (
            "the engine was built without detailed profiling: it tells the names of its layers, "
            "and neither precisions nor sizes"
        )


def _work(report: LayerReport) -> Iterator[str]:
    if report.shares:
        parts = (f"{_part(share)} {_NAMES[name]}" for name, share in report.shares.items())
        yield f"matrix work: {', '.join(parts)} ({report.operations / 1e9:.2f} GFLOP per crop)"
    elif report.verbosity == "detailed":
        yield "no matrix work could be counted"
    if report.quantised and report.not_quantised:
        both = len(report.quantised) + len(report.not_quantised)
        yield (
            f"{len(report.quantised)} of {both} linear layers of the blocks run in INT8; "
            f"not {_some(report.not_quantised)}"
        )


def _attention(report: LayerReport) -> Iterator[str]:
    if not report.blocks:
        yield f"no layer names a block; {_kernels(report.unplaced_attention)}"
        return
    fused = report.fused_blocks
    if fused:
        kinds = {one.precision for one in report.attention if one.state == "fused"}
        named = " and ".join(_NAMES.get(kind, "unknown precision") for kind in sorted(kinds))
        yield f"{_ranges(fused)}: attention fused ({named})"
    for reason, blocks in _by_reason(report.attention).items():
        yield f"{_ranges(blocks)}: attention is not fused: {reason}"
    unknown = [one.block for one in report.attention if one.state == "unknown"]
    if unknown:
        extra = _kernels(report.unplaced_attention)
        yield f"{_ranges(unknown)}: no layer tells how attention runs; {extra}"


def _by_reason(attention: Iterable[BlockAttention]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for one in attention:
        if one.state == "unfused":
            found.setdefault(one.reason, []).append(one.block)
    return found


def _kernels(count: int) -> str:
    if not count:
        return "no kernel is called mha"
    return f"{count} fused attention kernel{'' if count == 1 else 's'} without a block's name"


def _islands(report: LayerReport) -> Iterator[str]:
    heavy = [name for name in report.fp32_islands if re.search(r"\.(qkv|proj|fc[12]|attn)$", name)]
    light = [name for name in report.fp32_islands if name not in heavy]
    if heavy:
        yield f"{_part(report.fp32_share)} of matrix work is FP32: {_some(heavy)}"
    if light:
        yield f"FP32 outside matrix work: {_some(light)}"


def _copies(report: LayerReport) -> Iterator[str]:
    if report.reformats:
        yield f"{_counted(report.reformats, 'reformat')}: {_some(report.reformats)}"
    if report.lone_qdq:
        yield (
            f"{_counted(report.lone_qdq, 'quantise or dequantise layer')} outside of any "
            f"neighbour: {_some(report.lone_qdq)}"
        )


def _gaps(report: LayerReport) -> Iterator[str]:
    if report.verbosity == "names":
        return
    if report.uncounted:
        yield (
            f"not counted, since size or precision is not told: "
            f"{_counted(report.uncounted, 'layer')}: {_some(report.uncounted)}"
        )
    if report.missing:
        yield f"no layer names {_some(report.missing)}"


def _part(share: float) -> str:
    return f"{share:.1%}" if 0 < share < 0.01 else f"{share:.0%}"


def _counted(names: Sized, noun: str) -> str:
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'}"


def _ranges(blocks: Iterable[int]) -> str:
    """Such as: blocks 0-4, 7."""
    runs: list[list[int]] = []
    for block in sorted(blocks):
        if runs and block == runs[-1][-1] + 1:
            runs[-1].append(block)
        else:
            runs.append([block])
    parts = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    several = len(runs) > 1 or len(runs[0]) > 1
    return f"{'blocks' if several else 'block'} {', '.join(parts)}"


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    rest = len(listed) - _MOST
    return ", ".join(listed[:_MOST]) + (f" and {rest} more" if rest > 0 else "")
