"""TensorRT: the runtime of Jetson modules and of servers with NVIDIA GPUs."""

from __future__ import annotations

from functools import partial

from .base import EngineSpec
from .tensorrt_open import open_with, usable

ENGINE = EngineSpec(
    "tensorrt",
    "NVIDIA TensorRT",
    "a bundle, an ONNX file or a .plan",
    partial(usable, "tensorrt"),
    partial(open_with, "tensorrt"),
)
