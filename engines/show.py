"""`personvit-engine list` and `info`: what can run here, and what a model expects and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..core.command import argument, option
from ..core.machine import Machine, this_machine
from ..core.preprocess import Preprocess
from .base import EngineInfo, EngineOptions, TensorSpec
from .catalogue import DEFAULT, engines, open_engine


@dataclass(frozen=True)
class ListOptions:
    """List the engines: which can run on this machine, and what to install for the others.

    Example: personvit-engine list
    """


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    takes: str
    usable: bool
    remedy: str


@dataclass(frozen=True)
class EngineList:
    machine: Machine
    engines: tuple[Row, ...]

    def as_json(self) -> Mapping[str, Any]:
        return {"machine": self.machine.as_json(), "engines": [asdict(row) for row in self.engines]}

    def as_text(self) -> str:
        lines = [f"machine: {self.machine.as_text()}"]
        for row in self.engines:
            state = "usable" if row.usable else f"not usable here: {row.remedy}"
            lines.append(f"{row.name:<12} {row.title} ({row.takes}): {state}")
        return "\n".join(lines)


def list_engines(options: ListOptions) -> EngineList:
    rows = tuple(Row(spec.name, spec.title, spec.takes, *spec.usable()) for spec in engines())
    return EngineList(this_machine(), rows)


@dataclass(frozen=True)
class InfoOptions:
    """Show what a model takes and gives, and how an engine runs it here.

    Example: personvit-engine info model.pvb --engine onnxruntime
    """

    weights: str = argument(
        "A bundle (.pvb), an ONNX file, or weights: a file, hf://..., a short name."
    )
    engine: str = option(
        DEFAULT, "The runtime, of 'personvit-engine list'; auto: torch, for bundles openvino."
    )
    precision: str | None = option(None, "Such as int8, fp32 or bf16; the engine's own by default.")
    device: str | None = option(None, "Such as cpu or cuda:0; the engine's own by default.")
    threads: int | None = option(None, "Processor threads; all by default.", low=1, high=1024)


@dataclass(frozen=True)
class EngineFacts:
    info: EngineInfo
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    preprocess: Preprocess

    def as_json(self) -> Mapping[str, Any]:
        return {
            "info": self.info.as_json(),
            "inputs": [asdict(spec) for spec in self.inputs],
            "outputs": [asdict(spec) for spec in self.outputs],
            "preprocess": self.preprocess.to_dict(),
        }

    def as_text(self) -> str:
        lines = [self.info.as_text(), *(f"note: {note}" for note in self.info.notes)]
        lines += [f"instruction set: {self.info.instruction_set}"]
        lines += [f"threads: {self.info.thread_safety}"]
        lines += [f"measured: {form}: {_measured(row)}" for form, row in self.info.timings.items()]
        for kind, specs in (("input", self.inputs), ("output", self.outputs)):
            lines += [f"{kind}: {_described(spec)}" for spec in specs]
        shown = self.preprocess
        smooth = "antialiased" if shown.antialias else "sampled at points"
        lines.append(f"preprocess: {shown.height}x{shown.width} {shown.filter}, {smooth}")
        return "\n".join(lines)


def show_info(options: InfoOptions) -> EngineFacts:
    asked = EngineOptions(options.precision, options.device, threads=options.threads)
    with open_engine(options.weights, options.engine, asked) as engine:
        return EngineFacts(engine.info(), engine.inputs, engine.outputs, engine.preprocess)


def _described(spec: TensorSpec) -> str:
    shape = " x ".join("N" if size is None else str(size) for size in spec.shape)
    space = f", space {spec.space}" if spec.space else ""
    return f"{spec.name} {spec.dtype} [{shape}] ({spec.meaning}{space})"


def _measured(row: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in row.items())
