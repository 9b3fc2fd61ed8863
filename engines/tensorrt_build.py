"""Builds plans of TensorRT and TensorRT-RTX, each in a process of its own with a time limit."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter

from ..core.errors import ConfigError, EnvironmentMismatch, UserError
from ..core.files import write_atomically
from .file_lock import holding
from .tensorrt_child import LAYERS, MODEL, PLAN, REQUEST, RESULT, TIMING
from .tensorrt_packages import PACKAGES, Name, Package, Typing

_CAPABILITY = re.compile(r"\d{1,2}\.\d")
LEVELS = range(6)


@dataclass(frozen=True)
class BuildRequest:
    """`capabilities` such as ("8.6", "8.9"), for TensorRT-RTX alone; none means the GPU that is
    here."""

    capabilities: tuple[str, ...] = ()
    batch: tuple[int, int, int] = (1, 8, 32)
    """Smallest, usual and largest."""
    package: Name = field(default="tensorrt_rtx", kw_only=True)
    typing: Typing = field(default="strong", kw_only=True)
    static: bool = field(default=False, kw_only=True)
    """One batch size, known when the graph is compiled, and so no dynamic shape at all."""
    fp32_layernorm: bool = field(default=False, kw_only=True)
    level: int | None = field(default=None, kw_only=True)
    """The optimisation level; the compiler's own by default."""
    workspace: int | None = field(default=None, kw_only=True)
    """Device memory in bytes that the compiler may borrow."""
    limit_s: float = field(default=300.0, kw_only=True)
    timing_cache: Path | None = field(default=None, kw_only=True)
    """A file that keeps what was measured of kernels; it need not exist, and may be of no use."""

    def __post_init__(self) -> None:
        for capability in self.capabilities:
            if not _CAPABILITY.fullmatch(capability):
                raise ConfigError(
                    f"{capability!r} is not a compute capability; write it as 8.6 or 12.0"
                )
        least, usual, most = self.batch
        if not 1 <= least <= usual <= most:
            raise ConfigError(f"batch {self.batch} must rise from 1 or more")
        if self.static and least != most:
            raise ConfigError(f"a static plan has one batch size, not {self.batch}")
        if self.level is not None and self.level not in LEVELS:
            raise ConfigError(f"optimisation level {self.level} must be 0 to {LEVELS[-1]}")
        if self.package == "tensorrt" and self.capabilities:
            raise ConfigError(
                "TensorRT builds for the GPU of the machine it runs on; name architectures for "
                "TensorRT-RTX only"
            )

    def words(self) -> str:
        """The request for the process that builds."""
        return json.dumps({**asdict(self), "timing_cache": None})


@dataclass(frozen=True)
class Attempt:
    """What the compiler made of a graph: a plan, or the reasons why not, in its own words."""

    plan: bytes | None
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    version: str
    layers: str = ""
    """The compiler's own report of the layers as JSON, where a GPU is here to load the plan."""
    seconds: float = 0.0
    crashed: bool = False

    @property
    def log(self) -> str:
        return "\n".join((*self.errors, *self.warnings))


def attempt(onnx: bytes, request: BuildRequest) -> Attempt:
    """Build; a refusal, a crash or a hang of the compiler is an answer, not an exception."""
    package = PACKAGES[request.package]
    package.require()
    _refuse_unknown(package, request)
    with _workplace() as folder:
        (folder / MODEL).write_bytes(onnx)
        (folder / REQUEST).write_text(request.words())
        known = _read(request.timing_cache)
        if known is not None:
            (folder / TIMING).write_bytes(known)
        made = _run(folder, request.limit_s)
        if made.crashed and known is not None:
            (folder / TIMING).unlink()
            made = _run(folder, request.limit_s)
        learnt = _read(folder / TIMING)
        if made.plan is None or request.timing_cache is None or learnt in (None, known):
            return made
        return _keep(request.timing_cache, learnt or b"", made)


def build(onnx: bytes, request: BuildRequest) -> Attempt:
    """A plan for everything asked for, or an error with the compiler's own words."""
    made = attempt(onnx, request)
    if made.plan is None:
        where = ", ".join(f"SM {one}" for one in request.capabilities) or "this GPU"
        title = PACKAGES[request.package].title
        raise ConfigError(f"{title} {made.version} refuses this graph for {where}:\n{made.log}")
    return made


def cache_folder() -> Path:
    """The user's own cache: what is built and measured here belongs to this machine."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "personvit" / "tensorrt"


@contextmanager
def _workplace() -> Iterator[Path]:
    """A folder to build in, for one build at a time: two compilers at once run a Jetson out of
    memory and measure each other's noise. So what lies in it is a killed build's, and goes."""
    with ExitStack() as held:
        try:
            held.enter_context(holding(cache_folder() / "build.lock"))
        except (OSError, RuntimeError):  # no home, or one that cannot be written to
            yield Path(held.enter_context(tempfile.TemporaryDirectory(prefix="personvit-build-")))
            return
        folder = cache_folder() / "building"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        held.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


def _refuse_unknown(package: Package, request: BuildRequest) -> None:
    known = package.capabilities() if request.capabilities else ()
    if unknown := [one for one in request.capabilities if one not in known]:
        raise EnvironmentMismatch(
            f"{package.title} here does not build for {', '.join(unknown)}; it knows "
            f"{', '.join(known)}. Jetson and server GPUs are built on the device"
        )


def _run(folder: Path, limit_s: float) -> Attempt:
    command = [sys.executable, "-m", f"{__package__}.tensorrt_child", str(folder)]
    start = perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, timeout=limit_s, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return _failed(f"the compiler did not finish within {limit_s:.0f} s and was stopped")
    if done.returncode:
        tail = done.stderr.decode(errors="replace").strip()[-2000:]
        return _failed(f"the compiler {_ending(done.returncode)}: {tail}", crashed=True)
    result = json.loads((folder / RESULT).read_text())
    return Attempt(
        plan=_read(folder / PLAN),
        errors=tuple(result["errors"]),
        warnings=tuple(result["warnings"]),
        version=str(result["version"]),
        layers=(_read(folder / LAYERS) or b"").decode(errors="replace"),
        seconds=round(perf_counter() - start, 3),
    )


def _keep(path: Path, learnt: bytes, made: Attempt) -> Attempt:
    """What was measured, for the next build. The lock is held, so nobody's is lost."""
    try:
        write_atomically(path, learnt)
    except (OSError, UserError) as problem:
        note = f"what was measured of kernels could not be kept in {path} ({problem})"
        return replace(made, warnings=(*made.warnings, note))
    return made


def _read(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path is not None else None
    except OSError:
        return None


def _failed(reason: str, *, crashed: bool = False) -> Attempt:
    return Attempt(None, (reason,), (), "unknown", crashed=crashed)


def _ending(status: int) -> str:
    if status == -signal.SIGKILL:
        return "was ended from outside, perhaps because the machine ran out of memory"
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
