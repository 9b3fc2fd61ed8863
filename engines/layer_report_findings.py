"""What a layer report says, in sentences that a person who deploys can act on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
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
        parts = (f"{share:.0%} {_NAMES[name]}" for name, share in report.shares.items())
        yield f"matrix work: {', '.join(parts)} ({report.operations / 1e9:.2f} GFLOP per crop)"
    elif report.verbosity == "detailed":
        yield "no matrix work could be counted"


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
    return f"{count} fused attention kernels name no block" if count else "no kernel is called mha"


def _islands(report: LayerReport) -> Iterator[str]:
    heavy = [name for name in report.fp32_islands if re.search(r"\.(qkv|proj|fc[12]|attn)$", name)]
    light = [name for name in report.fp32_islands if name not in heavy]
    if heavy:
        yield f"{report.fp32_share:.0%} of matrix work is FP32: {_some(heavy)}"
    if light:
        yield f"FP32 outside matrix work: {_some(light)}"


def _copies(report: LayerReport) -> Iterator[str]:
    if report.reformats:
        yield f"{len(report.reformats)} reformats: {_some(report.reformats)}"
    if report.lone_qdq:
        yield (
            f"{len(report.lone_qdq)} Q/DQ layers run by themselves instead of inside a "
            f"neighbour: {_some(report.lone_qdq)}"
        )


def _gaps(report: LayerReport) -> Iterator[str]:
    if report.uncounted:
        yield (
            f"{len(report.uncounted)} layers do work whose size or precision is not told, so it "
            f"is not counted: {_some(report.uncounted)}"
        )
    if report.missing and report.verbosity == "detailed":
        yield f"no layer names {_some(report.missing)}"


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
