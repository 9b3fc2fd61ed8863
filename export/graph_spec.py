"""The choices behind one ONNX graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..core.errors import ConfigError

Precision = Literal["fp32", "fp16"]
Attention = Literal["decomposed", "native"]
Input = Literal["uint8-nhwc", "float-nchw"]
Neck = Literal["before", "after"]

OPSET = {"decomposed": 20, "native": 23}
IR_VERSION = {"decomposed": 9, "native": 11}
"""The oldest that carry the operators: TensorRT 10.3 stops at opset 20, Attention came in 23."""


@dataclass(frozen=True)
class GraphSpec:
    """`precision` is the type of weights and activations; `int8` names the quantised layers."""

    precision: Precision = "fp32"
    attention: Attention = "decomposed"
    input: Input = "uint8-nhwc"
    neck: Neck = "before"
    int8: frozenset[str] = frozenset()
    int8_attention: bool = False
    rounded: bool = False
    """FP32, but every constant that an FP16 graph holds in FP16 has its FP16 value."""

    def __post_init__(self) -> None:
        if self.int8_attention and self.attention == "native":
            raise ConfigError(
                "INT8 attention needs attention='decomposed': no runtime has a kernel for the "
                "quantised Attention operator (docs/onnx.md)"
            )

    @property
    def opset(self) -> int:
        return OPSET[self.attention]
