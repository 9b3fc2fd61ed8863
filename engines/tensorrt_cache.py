"""Plans that were built on this machine, kept for the next time a graph is opened.

A plan is used again only for the same graph, compiler, device and way of building; one that is
damaged, or of another machine, is built anew from the graph and replaced.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from ..core.errors import BundleError, UserError
from .file_lock import holding
from .tensorrt_build import BuildRequest
from .tensorrt_plan import SCHEMA, SUFFIX, Here, Plan, read_plan, write_plan

_DIGITS = 24


@dataclass(frozen=True)
class Kept:
    """A plan, and what a user should know about where it was kept."""

    plan: Plan
    note: str = ""


def obtain(
    folder: Path,
    onnx_sha256: str,
    request: BuildRequest,
    here: Here,
    make: Callable[[], Plan],
    *,
    again: bool = False,
) -> Kept:
    """The plan that is kept, else a new one; two processes that want one build it once."""
    path = folder / plan_name(onnx_sha256, request, here)
    with ExitStack() as held:
        try:
            held.enter_context(holding(path.with_suffix(".lock")))
        except OSError as problem:
            return Kept(make(), f"the plan could not be kept in {folder} ({problem})")
        plan = None if again else _usable(path, onnx_sha256, here)
        if plan is not None:
            return Kept(plan)
        plan = make()
        try:
            write_plan(path, plan)
        except (OSError, UserError) as problem:
            return Kept(plan, f"the plan could not be kept in {folder} ({problem})")
        return Kept(plan)


def plan_name(onnx_sha256: str, request: BuildRequest, here: Here) -> str:
    """Differs with everything that a plan depends on."""
    how = {
        "schema": SCHEMA,
        "onnx": onnx_sha256,
        "here": asdict(here),
        "capabilities": request.capabilities,
        "batch": request.batch,
        "typing": request.typing,
        "static": request.static,
        "fp32_layernorm": request.fp32_layernorm,
        "level": request.level,
    }
    digest = hashlib.sha256(json.dumps(how, sort_keys=True).encode()).hexdigest()
    return f"{here.package}-{here.version}-{digest[:_DIGITS]}{SUFFIX}"


def timing_cache(folder: Path, here: Here) -> Path:
    """What was measured of kernels holds for one compiler on one kind of GPU."""
    gpu = re.sub(r"[^A-Za-z0-9]+", "-", here.gpu).strip("-").lower()
    return folder / f"{here.package}-{here.version}-sm{here.capability}-{gpu}.timing"


def _usable(path: Path, onnx_sha256: str, here: Here) -> Plan | None:
    if not path.is_file():
        return None
    try:
        plan = read_plan(path)
    except BundleError:
        return None
    fits = plan.sidecar.onnx_sha256 == onnx_sha256 and not plan.sidecar.misfit(here)
    return plan if fits else None
