"""Which runtimes can serve bundles here, what each takes of one, and how to export for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..core.bundle import Bundle
from .catalogue import engine_named
from .device_facts import DeviceFacts
from .known_bad_general import NOT_RTX
from .tensorrt_packages import PACKAGES
from .version_numbers import Version, version_of

ORDER = ("tensorrt", "tensorrt_rtx", "openvino", "onnxruntime")
"""What serves on a GPU before what serves on a processor."""

TARGETS: Mapping[str, str] = {"tensorrt_rtx": "rtx", "openvino": "cpu", "onnxruntime": "cpu"}
TENSORRT_TARGETS: tuple[tuple[Version, str], ...] = (
    ((11,), "trt11"),
    ((10, 14), "trt10.16"),
    ((10, 13), "trt10.13"),
    ((10,), "trt10.3"),
)


@dataclass(frozen=True)
class Runtime:
    """One runtime on this machine, and its share of a bundle where one is named."""

    name: str
    title: str
    usable: bool
    remedy: str
    kinds: tuple[str, ...]
    """The forms of a graph that it takes, the preferred one first."""
    target: str | None
    """What to give to personvit-export --target for it; None where no graph suits it."""
    variants: tuple[str, ...] | None = None
    """What it would take of the bundle; None where no bundle was named."""

    @property
    def serves(self) -> bool:
        return self.usable and self.variants != ()

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "serves": self.serves}


def runtimes(device: DeviceFacts, bundle: Bundle | None) -> tuple[Runtime, ...]:
    return tuple(_runtime(name, device, bundle) for name in ORDER)


def target_of(name: str, tensorrt: str | None) -> str | None:
    if name != "tensorrt":
        return TARGETS[name]
    version = version_of(tensorrt)
    return next((target for first, target in TENSORRT_TARGETS if version >= first), None)


def _runtime(name: str, device: DeviceFacts, bundle: Bundle | None) -> Runtime:
    engine = engine_named(name)
    usable, remedy = engine.usable()
    if reason := _out_of_reach(name, device):
        usable, remedy = False, reason
    target = None if _not_for(name, device) else target_of(name, device.tensorrt)
    kinds = _kinds(name, device) if target else ()
    offered = bundle.manifest.variants if bundle else ()
    taken = tuple(each.name for kind in kinds for each in offered if each.kind == kind)
    return Runtime(name, engine.title, usable, remedy, kinds, target, taken if bundle else None)


def _out_of_reach(name: str, device: DeviceFacts) -> str:
    """A better reason than the engine itself can give, which knows only this Python."""
    if name == "tensorrt" and device.tensorrt_library and not device.tensorrt_python:
        return f"this Python cannot import the system's TensorRT {device.tensorrt_library}"
    return f"it is for RTX GPUs, and this one has SM {device.sm}" if _not_for(name, device) else ""


def _not_for(name: str, device: DeviceFacts) -> bool:
    return name == "tensorrt_rtx" and device.capability in NOT_RTX


def _kinds(name: str, device: DeviceFacts) -> tuple[str, ...]:
    return PACKAGES[name].kinds(device.tensorrt or "") if name in PACKAGES else ("cpu",)
