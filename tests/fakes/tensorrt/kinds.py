"""The enums of this version, each made once, and how types are called in ONNX and numpy."""

from __future__ import annotations

from functools import cache

from onnx import TensorProto

from .recorded import Value, enumeration

ONNX_TYPES = {
    TensorProto.FLOAT: "FLOAT",
    TensorProto.FLOAT16: "HALF",
    TensorProto.BFLOAT16: "BF16",
    TensorProto.INT8: "INT8",
    TensorProto.UINT8: "UINT8",
    TensorProto.INT32: "INT32",
    TensorProto.INT64: "INT64",
    TensorProto.BOOL: "BOOL",
}
LAYERS = {
    "LayerNormalization": "NORMALIZATION",
    "QuantizeLinear": "QUANTIZE",
    "DequantizeLinear": "DEQUANTIZE",
    "MatMul": "MATRIX_MULTIPLY",
    "Softmax": "SOFTMAX",
    "Cast": "CAST",
    "Conv": "CONVOLUTION",
}
kind = cache(enumeration)


def data_type(onnx_type: int) -> Value:
    return kind("DataType")[ONNX_TYPES[onnx_type]]


def onnx_type(value: Value) -> int:
    return next(number for number, name in ONNX_TYPES.items() if name == value.name)


def layer_type(operator: str) -> Value:
    return kind("LayerType")[LAYERS.get(operator, "ELEMENTWISE")]
