"""TensorRT-RTX: runs plans on an RTX GPU; building one needs no GPU (tensorrt_build)."""

from __future__ import annotations

from functools import partial

from .base import EngineSpec
from .tensorrt_open import open_with, usable

ENGINE = EngineSpec(
    "tensorrt_rtx",
    "NVIDIA TensorRT-RTX",
    "a bundle, an ONNX file or a .plan",
    partial(usable, "tensorrt_rtx"),
    partial(open_with, "tensorrt_rtx"),
)
