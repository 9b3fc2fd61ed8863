"""`personvit-engine build`: an engine for chosen RTX architectures, made without a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.command import argument, option
from ..core.errors import ConfigError
from ..core.files import refuse_unwritable
from .tensorrt_rtx_build import BuildRequest, build, write_plan
from .tensorrt_rtx_engine import facts_of, graph_of


@dataclass(frozen=True)
class BuildOptions:
    """Build a TensorRT-RTX plan ahead of time; no GPU is needed to build, only to run.

    Example: personvit-engine build model.pvb --capability 8.6,8.9,12.0 -o model.plan
    """

    source: str = argument("A bundle, or an ONNX file that personvit-export wrote.")
    out: Path | None = option(None, "The plan to write; a .json beside it says what it is.")
    capability: str = option("8.6,8.9,12.0", "Compute capabilities, separated by commas.")
    batch: str = option("1,8,32", "The smallest, usual and largest batch.")
    precision: str | None = option(None, "int8 or fp16; int8 by default where the source has it.")


@dataclass(frozen=True)
class BuiltPlan:
    plan: Path
    sidecar: Path
    size: int
    capabilities: tuple[str, ...]
    warnings: tuple[str, ...]

    def as_json(self) -> Mapping[str, Any]:
        return {
            "plan": str(self.plan),
            "sidecar": str(self.sidecar),
            "size": self.size,
            "capabilities": list(self.capabilities),
            "warnings": list(self.warnings),
        }

    def as_text(self) -> str:
        where = ", ".join(f"SM {one}" for one in self.capabilities)
        lines = [f"{self.plan} ({self.size / 1e6:.1f} MB) for {where}", f"{self.sidecar}"]
        return "\n".join([*lines, *(f"compiler: {warning}" for warning in self.warnings)])


def build_plan(options: BuildOptions) -> BuiltPlan:
    out = options.out or Path(options.source or "model").with_suffix(".plan")
    if out.suffix != ".plan":
        raise ConfigError(f"{out}: a plan's name ends in .plan")
    refuse_unwritable(out)
    request = BuildRequest(_words(options.capability), _three(options.batch))
    if not request.capabilities:
        raise ConfigError("no architecture is named; give --capability 8.6,8.9,12.0")
    graph = graph_of(options.source, options.precision)
    onnx = graph.model()
    made = build(onnx, request)
    sidecar = write_plan(out, onnx, made, request, facts_of(graph))
    size = len(made.plan or b"")
    return BuiltPlan(out, sidecar, size, request.capabilities, made.warnings)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _three(text: str) -> tuple[int, int, int]:
    words = _words(text)
    if len(words) != 3 or not all(word.isdigit() for word in words):
        raise ConfigError(f"--batch {text!r} must be three whole numbers, such as 1,8,32")
    least, usual, most = map(int, words)
    return least, usual, most
