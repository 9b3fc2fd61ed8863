"""Which graph each kind of runtime gets, and which runtime each target means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..core.errors import ConfigError
from ..core.manifest import Kind
from .graph_spec import Attention, GraphSpec, Input, Neck, Precision

Proof = Literal["none", "here", "at install"]
"""Where it is shown that attention runs fused: nowhere, by building here, or on the device."""


@dataclass(frozen=True)
class VariantKind:
    """One way to write a model as ONNX."""

    name: Kind
    precision: Precision
    attention: Attention
    input: Input
    why: str

    def spec(self, neck: Neck, int8: frozenset[str] = frozenset()) -> GraphSpec:
        return GraphSpec(self.precision, self.attention, self.input, neck, int8)


@dataclass(frozen=True)
class Target:
    """Something to deploy to, by the version of its runtime."""

    name: str
    variant: Kind
    proof: Proof
    title: str


_KINDS = (
    VariantKind(
        "cpu", "fp32", "decomposed", "uint8-nhwc",
        "FP32-typed: an FP16-typed graph runs 2-8 times slower on CPUs",
    ),
    VariantKind(
        "trt-decomposed", "fp16", "decomposed", "uint8-nhwc",
        "opset 20: TensorRT before 10.14 has no Attention operator",
    ),
    VariantKind(
        "trt-attention", "fp16", "native", "uint8-nhwc",
        "the Attention operator, which TensorRT fuses or refuses",
    ),
    VariantKind(
        "deepstream", "fp16", "decomposed", "float-nchw",
        "DeepStream's tracker feeds planar floats in 0..255 (offsets 0, netScaleFactor 1)",
    ),
)  # fmt: skip

VARIANTS: Mapping[str, VariantKind] = {kind.name: kind for kind in _KINDS}

_TARGETS = (
    Target("cpu", "cpu", "none", "x86 and ARM processors (OpenVINO, ONNX Runtime)"),
    Target("rtx", "trt-attention", "here", "RTX GPUs (TensorRT-RTX)"),
    Target("trt10.3", "trt-decomposed", "at install", "JetPack 6.1 and 6.2"),
    Target("trt10.13", "trt-decomposed", "at install", "JetPack 7.0 and 7.1 (Thor)"),
    Target("trt10.16", "trt-attention", "at install", "JetPack 7.2 (Orin and Thor)"),
    Target("trt11", "trt-attention", "at install", "servers with TensorRT 11"),
    Target("deepstream", "deepstream", "at install", "DeepStream's tracker"),
)

TARGETS: Mapping[str, Target] = {target.name: target for target in _TARGETS}

ALIASES: Mapping[str, str] = {
    "jetpack6.1": "trt10.3",
    "jetpack6.2": "trt10.3",
    "jetpack7.0": "trt10.13",
    "jetpack7.1": "trt10.13",
    "jetpack7.2": "trt10.16",
}


def target_named(name: str) -> Target:
    """A target by its own name or by a JetPack release."""
    found = TARGETS.get(ALIASES.get(name.lower(), name.lower()))
    if found is None:
        raise ConfigError(
            f"there is no target {name!r}; choose from {', '.join(TARGETS)} "
            f"or a JetPack release ({', '.join(ALIASES)})"
        )
    return found


def targets_named(names: str) -> tuple[Target, ...]:
    """A comma-separated list, each once, in the order given."""
    found = [target_named(name.strip()) for name in names.split(",") if name.strip()]
    if not found:
        raise ConfigError(f"no target is named in {names!r}; choose from {', '.join(TARGETS)}")
    return tuple(dict.fromkeys(found))


def kinds_for(targets: tuple[Target, ...]) -> tuple[VariantKind, ...]:
    """The graphs that serve these targets, in the fixed order of `VARIANTS`."""
    wanted = {target.variant for target in targets}
    return tuple(kind for kind in _KINDS if kind.name in wanted)
