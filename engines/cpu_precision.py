"""Which graph OpenVINO runs here, in which precision, and why."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ..core.errors import ConfigError, EnvironmentMismatch
from ..core.machine import Machine
from ..core.manifest import Bounds
from .graphs import Graph, Source
from .instruction_set import capped, why_not_int8

PRECISIONS = ("int8", "fp32", "bf16")
BF16_FLAGS = ("avx512_bf16", "amx_bf16")
BF16_BOUNDS = Bounds(cosine_min=0.998, norm_tolerance=5e-3)
"""Eight bits of mantissa cannot keep FP32's bounds; these are the ones FP16 graphs get."""


@dataclass(frozen=True)
class Choice:
    graph: Graph
    precision: str
    rest: str
    """The precision hint: what layers that are not INT8 are computed in."""
    machine: Machine
    """As oneDNN sees it."""
    dequantise: bool = False
    """Run an INT8 graph with its weights dequantised and its activations left alone."""
    notes: tuple[str, ...] = ()


def choose(source: Source, asked: str | None, machine: Machine) -> Choice:
    """What was asked for or an error; unasked, INT8 where the CPU computes it exactly and fast."""
    seen = capped(machine)
    if asked not in (None, *PRECISIONS):
        raise ConfigError(f"precision {asked!r} is not offered on a CPU; {', '.join(PRECISIONS)}")
    if asked == "bf16":
        return _bf16(source, seen)
    if asked == "fp32" or (asked is None and "int8" not in source.graphs):
        return Choice(source.graph("fp32"), "fp32", "f32", seen)
    reason = why_not_int8(seen)
    if reason is None:
        return Choice(source.graph("int8"), "int8", "bf16" if _has_bf16(seen) else "f32", seen)
    if asked == "int8":
        raise EnvironmentMismatch(f"{reason}; leave the precision open and FP32 is served")
    return _full_precision(source, seen, reason)


def _full_precision(source: Source, machine: Machine, reason: str) -> Choice:
    if "fp32" in source.graphs:
        notes = (f"FP32 is served and not INT8: {reason}",)
        return Choice(source.graph("fp32"), "fp32", "f32", machine, notes=notes)
    notes = (
        f"FP32 is served with the INT8 weights dequantised, for the bundle holds no FP32 graph: "
        f"{reason}",
    )
    return Choice(source.graph("int8"), "fp32", "f32", machine, dequantise=True, notes=notes)


def _bf16(source: Source, machine: Machine) -> Choice:
    if not _has_bf16(machine):
        raise EnvironmentMismatch(
            f"this CPU ({machine.instruction_class}) has no bf16 arithmetic; ask for fp32"
        )
    graph = source.graph("fp32")
    if graph.replay is not None:
        expectation = dataclasses.replace(graph.replay.expectation, bounds=BF16_BOUNDS)
        replay = dataclasses.replace(graph.replay, expectation=expectation)
        graph = dataclasses.replace(graph, replay=replay)
    notes = ("bf16 is FP32's graph in coarser arithmetic; no gate has judged its accuracy",)
    return Choice(graph, "bf16", "bf16", machine, notes=notes)


def _has_bf16(machine: Machine) -> bool:
    return any(flag in machine.flags for flag in BF16_FLAGS)
