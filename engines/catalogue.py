"""Finds the runtimes: every module of this room that names its `ENGINE`."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from ..core.errors import ConfigError, EnvironmentMismatch
from .base import Engine, EngineOptions, EngineSpec
from .tensorrt_plan import SUFFIX, read_sidecar

DEFAULT = "auto"
"""The engine that suits what is opened; which one that is depends on its kind alone."""

SUITS = {".pvb": "openvino", ".onnx": "openvino"}
AS_IT_IS = EngineOptions()


@cache
def engines() -> tuple[EngineSpec, ...]:
    names = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    modules = (import_module(f"{__package__}.{name}") for name in names)
    found = (vars(module).get("ENGINE") for module in modules)
    return tuple(spec for spec in found if isinstance(spec, EngineSpec))


def engine_named(name: str) -> EngineSpec:
    for spec in engines():
        if spec.name == name:
            return spec
    known = ", ".join(spec.name for spec in engines())
    raise ConfigError(f"no engine is called {name!r}; choose from {known}")


def open_engine(source: str, name: str = DEFAULT, options: EngineOptions = AS_IT_IS) -> Engine:
    """Open weights or a bundle with the named runtime; nothing else is tried in its place."""
    if name == DEFAULT:
        name = suited(Path(source))
    spec = engine_named(name)
    usable, remedy = spec.usable()
    if not usable:
        raise EnvironmentMismatch(f"the engine {name!r} cannot run here: {remedy}")
    return spec.open(source, options)


def suited(source: Path) -> str:
    """By its kind; a plan names its runtime in its sidecar."""
    suffix = source.suffix.lower()
    return read_sidecar(source).runtime if suffix == SUFFIX else SUITS.get(suffix, "torch")
