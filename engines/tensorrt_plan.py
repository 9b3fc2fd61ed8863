"""A plan and what is told beside it: what it was made from, where it runs, what it computes.

The plan file is the compiler's own bytes, so that other tools load it; all else is in a JSON file
of the same name with `.json` behind it, and the layers' report in one with `.layers.json`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..core import strict_json
from ..core.errors import BundleError, ConfigError
from ..core.files import write_atomically
from ..core.preprocess import Preprocess
from .base import TensorSpec
from .graphs import Graph
from .tensorrt_build import Attempt, BuildRequest
from .tensorrt_packages import PACKAGES, Name, Typing

SUFFIX = ".plan"
SCHEMA = 2


@dataclass(frozen=True)
class Here:
    """What a plan depends on, besides the graph: the compiler and the device."""

    package: Name
    version: str
    gpu: str
    capability: str
    l4t: str | None = None
    """The release of a Jetson's Linux, which its driver comes with."""


@dataclass(frozen=True)
class BuiltFor:
    """Plans made ahead name architectures; plans made on a device name its GPU."""

    capabilities: tuple[str, ...]
    gpu: str | None = None
    l4t: str | None = None


@dataclass(frozen=True)
class Computes:
    """What must be known to feed a plan and to read its answers."""

    precision: str
    preprocess: Preprocess
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @classmethod
    def of(cls, graph: Graph) -> Computes:
        return cls(graph.precision, graph.preprocess, graph.inputs, graph.outputs)


@dataclass(frozen=True)
class Sidecar:
    runtime: Name
    versions: Mapping[str, str]
    plan_sha256: str
    onnx_sha256: str
    built_for: BuiltFor
    batch: tuple[int, ...]
    typing: Typing
    static: bool
    fp32_layernorm: bool
    level: int | None
    warnings: tuple[str, ...]
    seconds: float
    model: Computes
    schema: int = SCHEMA

    def misfit(self, here: Here) -> str:
        """Why the plan is not for this machine; empty where it is."""
        title = PACKAGES[here.package].title
        if self.runtime != here.package:
            return f"it is a plan of {PACKAGES[self.runtime].title}, not of {title}"
        if (version := self.versions.get(self.runtime)) != here.version:
            return f"it was built by {title} {version}, and here is {here.version}"
        if here.capability not in self.built_for.capabilities:
            known = ", ".join(self.built_for.capabilities)
            return f"it was built for SM {known}, and {here.gpu} is SM {here.capability}"
        if self.built_for.gpu not in (None, here.gpu):
            return f"it was built on {self.built_for.gpu}, and here is {here.gpu}"
        if self.built_for.gpu and self.built_for.l4t != here.l4t:
            return f"it was built under L4T {self.built_for.l4t}, and here is {here.l4t}"
        return ""


@dataclass(frozen=True)
class Plan:
    data: bytes
    sidecar: Sidecar
    layers: str = ""


def plan_of(
    onnx_sha256: str, made: Attempt, request: BuildRequest, computes: Computes, here: Here | None
) -> Plan:
    """A plan that was just built, with its sidecar; `here` is None where it was built ahead."""
    if made.plan is None:
        raise ConfigError("there is no plan to write: the graph was refused")
    built_for = BuiltFor(request.capabilities)
    if here is not None:
        built_for = BuiltFor((here.capability,), here.gpu, here.l4t)
    sidecar = Sidecar(
        runtime=request.package,
        versions={request.package: made.version, "personvit": __version__},
        plan_sha256=hashlib.sha256(made.plan).hexdigest(),
        onnx_sha256=onnx_sha256,
        built_for=built_for,
        batch=request.batch,
        typing=request.typing,
        static=request.static,
        fp32_layernorm=request.fp32_layernorm,
        level=request.level,
        warnings=made.warnings,
        seconds=made.seconds,
        model=computes,
    )
    return Plan(made.plan, sidecar, made.layers)


def write_plan(path: Path, plan: Plan) -> Path:
    """Each file appears whole; the sidecar last, and a plan without its own is refused."""
    write_atomically(path, plan.data)
    if plan.layers:
        write_atomically(_beside(path, ".layers.json"), plan.layers)
    sidecar = _beside(path, ".json")
    write_atomically(sidecar, strict_json.dump(plan.sidecar))
    return sidecar


def read_plan(path: Path) -> Plan:
    """A plan with the sidecar that belongs to it, both as they were written."""
    sidecar = read_sidecar(path)
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise BundleError(f"{path}: the plan cannot be read ({problem})") from problem
    if hashlib.sha256(data).hexdigest() != sidecar.plan_sha256:
        raise BundleError(
            f"{path} is not the plan that {path.name}.json describes; copy both again, or build "
            "it again"
        )
    layers = _beside(path, ".layers.json")
    return Plan(data, sidecar, layers.read_text() if layers.is_file() else "")


def read_sidecar(path: Path) -> Sidecar:
    place = _beside(path, ".json")
    try:
        document = strict_json.parse(place.read_bytes())
        _check_schema(document)
        return strict_json.build(Sidecar, document)
    except (OSError, strict_json.DocumentError) as problem:
        raise BundleError(
            f"{path} needs its sidecar {place.name} beside it ({problem}); build the plan again"
        ) from problem


def _check_schema(document: object) -> None:
    found = document.get("schema") if isinstance(document, dict) else None
    if found != SCHEMA:
        raise strict_json.DocumentError("schema", f"is {found}, not {SCHEMA}")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
