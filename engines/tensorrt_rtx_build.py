"""Ahead-of-time engines of TensorRT-RTX for chosen architectures, on a machine without a GPU."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .. import __version__
from ..core.errors import BundleError, ConfigError, EnvironmentMismatch
from ..core.files import write_atomically
from .tensorrt_rtx_child import MODEL, PLAN, REQUEST, RESULT

PACKAGE = "tensorrt_rtx"
REMEDY = "TensorRT-RTX is not installed; pip install 'personvit[rtx]'"
SIDECAR_SCHEMA = 1
_CAPABILITY = re.compile(r"\d{1,2}\.\d")


@dataclass(frozen=True)
class BuildRequest:
    """`capabilities` such as ("8.6", "8.9"); none at all means the GPU of this machine."""

    capabilities: tuple[str, ...]
    batch: tuple[int, int, int] = (1, 8, 32)
    """Smallest, usual and largest."""
    limit_s: float = 300.0

    def __post_init__(self) -> None:
        for capability in self.capabilities:
            if not _CAPABILITY.fullmatch(capability):
                raise ConfigError(
                    f"{capability!r} is not a compute capability; write it as 8.6 or 12.0"
                )
        least, usual, most = self.batch
        if not 1 <= least <= usual <= most:
            raise ConfigError(f"batch {self.batch} must rise from 1 or more")


@dataclass(frozen=True)
class Attempt:
    """What the compiler made of a graph: a plan, or the reasons why not, in its own words."""

    plan: bytes | None
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    version: str

    @property
    def log(self) -> str:
        return "\n".join((*self.errors, *self.warnings))


def known_capabilities() -> tuple[str, ...]:
    """The architectures that the installed TensorRT-RTX can build for."""
    import tensorrt_rtx as trt

    names = sorted(name[2:] for name in dir(trt.ComputeCapability) if re.fullmatch(r"SM\d+", name))
    found = sorted((int(name[:-1]), int(name[-1])) for name in names)
    return tuple(f"{major}.{minor}" for major, minor in found)


def attempt(onnx: bytes, request: BuildRequest) -> Attempt:
    """Build in a child process with a time limit; a refusal is an answer, not an exception."""
    require_package()
    known = known_capabilities()
    if unknown := [one for one in request.capabilities if one not in known]:
        raise EnvironmentMismatch(
            f"TensorRT-RTX here does not build for {', '.join(unknown)}; it knows "
            f"{', '.join(known)}. Jetson and server GPUs are built on the device"
        )
    with tempfile.TemporaryDirectory(prefix="personvit-rtx-") as name:
        folder = Path(name)
        (folder / MODEL).write_bytes(onnx)
        (folder / REQUEST).write_text(json.dumps(asdict(request)))
        return _run(folder, request.limit_s)


def build(onnx: bytes, request: BuildRequest) -> Attempt:
    """A plan for every architecture asked for, or an error with the compiler's own words."""
    made = attempt(onnx, request)
    if made.plan is None:
        where = ", ".join(f"SM {one}" for one in request.capabilities) or "this GPU"
        raise ConfigError(
            f"TensorRT-RTX {made.version} refuses this graph for {where}:\n{made.log}"
        )
    return made


def write_plan(
    path: Path, onnx: bytes, made: Attempt, request: BuildRequest, facts: Mapping[str, Any]
) -> Path:
    """The pure plan, and beside it a JSON file that says what it was made from."""
    if made.plan is None:
        raise ConfigError("there is no plan to write: the graph was refused")
    sidecar = path.with_name(path.name + ".json")
    values = {
        "schema": SIDECAR_SCHEMA,
        "runtime": PACKAGE,
        "versions": {PACKAGE: made.version, "personvit": __version__},
        "plan_sha256": hashlib.sha256(made.plan).hexdigest(),
        "onnx_sha256": hashlib.sha256(onnx).hexdigest(),
        "capabilities": list(request.capabilities),
        "batch": list(request.batch),
        "warnings": list(made.warnings),
        "model": dict(facts),
    }
    write_atomically(path, made.plan)
    write_atomically(sidecar, json.dumps(values, indent=1, sort_keys=True) + "\n")
    return sidecar


def read_plan(path: Path) -> tuple[bytes, dict[str, Any]]:
    """A plan and its sidecar, which must belong together."""
    sidecar = path.with_name(path.name + ".json")
    try:
        plan, values = path.read_bytes(), json.loads(sidecar.read_text())
    except (OSError, ValueError) as problem:
        raise BundleError(
            f"{path} needs its sidecar {sidecar.name} beside it ({problem}); build the plan again"
        ) from None
    if not isinstance(values, dict) or values.get("schema") != SIDECAR_SCHEMA:
        raise BundleError(f"{sidecar} has another schema than {SIDECAR_SCHEMA}; build it again")
    if values.get("plan_sha256") != hashlib.sha256(plan).hexdigest():
        raise BundleError(f"{path} is not the plan that {sidecar.name} describes; build it again")
    return plan, values


def require_package() -> None:
    if find_spec(PACKAGE) is None:
        raise EnvironmentMismatch(REMEDY)


def _run(folder: Path, limit_s: float) -> Attempt:
    command = [sys.executable, "-m", f"{__package__}.tensorrt_rtx_child", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=limit_s, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return _failed(f"the compiler did not finish within {limit_s:.0f} s and was stopped")
    if done.returncode:
        tail = done.stderr.decode(errors="replace").strip()[-2000:]
        return _failed(f"the compiler ended with status {done.returncode}: {tail}")
    result = json.loads((folder / RESULT).read_text())
    plan = (folder / PLAN).read_bytes() if (folder / PLAN).is_file() else None
    errors, warnings = tuple(result["errors"]), tuple(result["warnings"])
    return Attempt(plan, errors, warnings, str(result["version"]))


def _failed(reason: str) -> Attempt:
    return Attempt(None, (reason,), (), "unknown")
