"""A stand-in for TensorRT's Python package that computes with ONNX Runtime on the CPU.

FAKE_TENSORRT_VERSION chooses the version; names, enum values and members are those recorded of the
real bindings, and anything else is an AttributeError. Its plans are a header and the ONNX file.
FAKE_FAULT makes it go wrong: see building.py.
"""

from __future__ import annotations

from typing import Any

from . import kinds
from .building import Builder, ILogger, Logger, OnnxParser
from .recorded import RECORDED, VERSION
from .running import Runtime

__all__ = ["Builder", "ILogger", "Logger", "OnnxParser", "Runtime"]
__version__ = VERSION


def __getattr__(name: str) -> Any:
    if name not in RECORDED["names"]:
        raise AttributeError(f"module 'tensorrt' {VERSION} has no attribute {name!r}")
    if name in RECORDED["enums"]:
        return kinds.kind(name)
    raise NotImplementedError(f"tensorrt.{name} is not pretended")
