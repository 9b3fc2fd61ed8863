"""`personvit-engine build`: a plan for RTX GPUs, made without one, or for the GPU that is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..core.command import argument, option
from ..core.errors import ConfigError
from ..core.files import refuse_unwritable
from .base import EngineOptions
from .known_bad import Advice
from .tensorrt_build import BuildRequest, build
from .tensorrt_open import advice_for, graph_of, here
from .tensorrt_packages import PACKAGES
from .tensorrt_plan import SUFFIX, Computes, plan_of, write_plan

RTX = "8.6,8.9,12.0"


@dataclass(frozen=True)
class BuildOptions:
    """Build a plan: of TensorRT-RTX ahead of time, with no GPU; of TensorRT for the GPU here.

    Example: personvit-engine build model.pvb --capability 8.6,8.9,12.0 -o model.plan
    """

    source: str = argument("A bundle, or an ONNX file that personvit-export wrote.")
    out: Path | None = option(None, "The plan to write; a .json beside it says what it is.")
    runtime: Literal["tensorrt_rtx", "tensorrt"] = option("tensorrt_rtx", "What will run it.")
    capability: str | None = option(
        None, f"Compute capabilities for TensorRT-RTX, separated by commas; {RTX} by default."
    )
    batch: str = option("1,8,32", "The smallest, usual and largest batch; 8,8,8 is for 8 only.")
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
        where = ", ".join(f"SM {one}" for one in self.capabilities) or "the GPU of this machine"
        lines = [f"{self.plan} ({self.size / 1e6:.1f} MB) for {where}", f"{self.sidecar}"]
        return "\n".join([*lines, *self.warnings])


def build_plan(options: BuildOptions) -> BuiltPlan:
    out = options.out or Path(options.source or "model").with_suffix(SUFFIX)
    if out.suffix != SUFFIX:
        raise ConfigError(f"{out}: a plan's name ends in {SUFFIX}")
    refuse_unwritable(out)
    request = _request(options)
    asked = EngineOptions(options.precision, batch=request.batch[-1])
    package = PACKAGES[options.runtime]
    place = None if request.capabilities else here(package, asked)
    graph = graph_of(package, options.source, asked)
    notes: tuple[str, ...] = ()
    if place is not None:
        request, notes = _heeding(request, advice_for(package, place, graph.precision, asked.batch))
    made = build(graph.model(), request)
    plan = plan_of(graph.digest, made, request, Computes.of(graph), place)
    sidecar = write_plan(out, plan)
    warnings = (*notes, *(f"compiler: {warning}" for warning in made.warnings))
    return BuiltPlan(out, sidecar, len(plan.data), request.capabilities, warnings)


def _heeding(request: BuildRequest, advice: Advice) -> tuple[BuildRequest, tuple[str, ...]]:
    """The request as the known-bad list would have it, and what it says."""
    notes = tuple(f"{row.title} {row.mend}" for row in advice.rows if row.applied)
    if advice.static and not request.static:
        notes += ("this plan is for any batch; give --batch 8,8,8 for one that is not",)
    return replace(request, fp32_layernorm=advice.fp32_layernorm), notes


def _request(options: BuildOptions) -> BuildRequest:
    capabilities = _words(options.capability if options.capability is not None else RTX)
    if options.runtime == "tensorrt":
        capabilities = _words(options.capability or "")
    elif not capabilities:
        raise ConfigError(f"no architecture is named; give --capability {RTX}")
    batch = _three(options.batch)
    fixed = batch[0] == batch[-1]
    return BuildRequest(capabilities, batch, package=options.runtime, static=fixed)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _three(text: str) -> tuple[int, int, int]:
    words = _words(text)
    if len(words) != 3 or not all(word.isdigit() for word in words):
        raise ConfigError(f"--batch {text!r} must be three whole numbers, such as 1,8,32")
    least, usual, most = map(int, words)
    return least, usual, most
