"""Which runtime serves on this machine, and which variants of a bundle it may try."""

from __future__ import annotations

from ..core.bundle import Bundle
from ..core.errors import BundleError, ConfigError, EnvironmentMismatch
from ..core.manifest import Kind, Variant
from ..engines.catalogue import engine_named

RUNTIMES = ("tensorrt", "tensorrt_rtx", "openvino", "onnxruntime")
"""In the order of preference: what serves on a GPU before what serves on a processor."""

ATTENTION_SINCE = 10, 14
"""TensorRT reads the `Attention` operator from this version on."""


def runtime_here() -> str:
    """The first runtime that can run on this machine."""
    reasons = []
    for name in RUNTIMES:
        usable, remedy = engine_named(name).usable()
        if usable:
            return name
        reasons.append(f"{name}: {remedy}")
    raise EnvironmentMismatch(f"no runtime can serve on this machine; {'; '.join(reasons)}")


def runtime_named(name: str) -> str:
    """`auto` or one of RUNTIMES, which must be usable here; nothing else is tried in its place."""
    if name == "auto":
        return runtime_here()
    if name not in RUNTIMES:
        raise ConfigError(f"no runtime {name!r} serves bundles; choose auto, {', '.join(RUNTIMES)}")
    usable, remedy = engine_named(name).usable()
    if not usable:
        raise EnvironmentMismatch(f"{name} cannot run here: {remedy}")
    return name


def kinds_for(runtime: str) -> tuple[Kind, ...]:
    """The forms of a graph that a runtime takes, the preferred one first."""
    if runtime == "tensorrt":
        return _kinds_of_tensorrt(tensorrt_version())
    return ("trt-attention",) if runtime == "tensorrt_rtx" else ("cpu",)


def variants_for(bundle: Bundle, runtime: str) -> tuple[Variant, ...]:
    """Every variant of the bundle that the runtime could serve here."""
    kinds = kinds_for(runtime)
    found = [one for kind in kinds for one in bundle.manifest.variants if one.kind == kind]
    if not found:
        held = ", ".join(sorted({one.kind for one in bundle.manifest.variants}))
        raise BundleError(
            f"{bundle.path} holds nothing for {runtime} (wanted {' or '.join(kinds)}, found "
            f"{held}); export it with the --target of this device (personvit-engine doctor)"
        )
    return tuple(found)


def tensorrt_version() -> tuple[int, int]:
    import tensorrt

    major, minor = str(tensorrt.__version__).split(".")[:2]
    return int(major), int(minor)


def _kinds_of_tensorrt(version: tuple[int, int]) -> tuple[Kind, ...]:
    if version >= ATTENTION_SINCE:
        return "trt-attention", "trt-decomposed"
    return ("trt-decomposed",)
