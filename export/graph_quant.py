"""Quantised layers as explicit Q/DQ pairs: INT8 inputs, weights stored as INT8, bias in float."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .graph_weights import Floats, Linear
from .graph_writer import GraphWriter
from .scales import INT8_MAX

SMALLEST_FP16 = float(np.finfo(np.float16).smallest_subnormal)


def quantised(writer: GraphWriter, value: str, amax: float) -> str:
    """A value seen through INT8, symmetric per tensor."""
    scale = _typed_scale(writer, np.asarray(amax, dtype=np.float64))
    step = writer.constant(f"{value}.scale", scale)
    zero = writer.constant("int8.zero", np.array(0, dtype=np.int8))
    integers = writer.node("QuantizeLinear", f"{value}.quantised", value, step, zero)
    return writer.node("DequantizeLinear", f"{value}.dequantised", integers, step, zero)


def quantised_weight(
    writer: GraphWriter, name: str, weight: Floats, amax: Floats, *, output_axis: int
) -> str:
    """A weight kept as INT8 in the file, symmetric per output channel (the first axis given)."""
    scale = _typed_scale(writer, amax.astype(np.float64))
    integers = weight_integers(weight, scale)
    if output_axis == 1:
        integers = integers.reshape(len(integers), -1).T
    stored = writer.constant(f"{name}.weight.int8", integers)
    step = writer.constant(f"{name}.weight.scale", scale)
    zero = writer.constant(f"{name}.weight.zero", np.zeros(len(amax), dtype=np.int8))
    return writer.node("DequantizeLinear", f"{name}.weight", stored, step, zero, axis=output_axis)


def linear(writer: GraphWriter, layer: Linear, value: str) -> str:
    """`value @ weight.T + bias`, with Q/DQ on the input of a quantised layer."""
    if layer.scale is not None:
        value = quantised(writer, value, layer.scale.activation)
    made = product(writer, layer, value)
    bias = writer.floats(f"{layer.name}.bias", layer.bias)
    return writer.node("Add", f"{layer.name}.sum", made, bias)


def product(writer: GraphWriter, layer: Linear, value: str) -> str:
    """`value @ weight.T`; a quantised layer must be given the Q/DQ of its input."""
    if layer.scale is None:
        weight = writer.floats(f"{layer.name}.weight", layer.weight.T)
    else:
        weight = quantised_weight(
            writer, layer.name, layer.weight, layer.scale.weight, output_axis=1
        )
    return writer.node("MatMul", f"{layer.name}.product", value, weight)


def weight_integers(weight: Floats, scale: NDArray[Any]) -> NDArray[np.int8]:
    """Round half to even, as QuantizeLinear does, and never use -128."""
    steps = scale.astype(np.float64).reshape(-1, *[1] * (weight.ndim - 1))
    rounded = np.rint(weight.astype(np.float64) / steps)
    integers: NDArray[np.int8] = np.clip(rounded, -INT8_MAX, INT8_MAX).astype(np.int8)
    return integers


def _typed_scale(writer: GraphWriter, amax: NDArray[np.float64]) -> NDArray[Any]:
    """amax / 127 in the graph's type; where a channel is all zero any positive step will do."""
    step = np.where(amax > 0, amax, 1.0) / INT8_MAX
    typed: NDArray[Any] = np.maximum(step, SMALLEST_FP16).astype(writer.held_type)
    if writer.held_type is np.float16:
        # FP16 steps are coarse: rounding one down would clip the largest weight.
        typed = np.where(typed < step, np.nextafter(typed, np.float16(np.inf)), typed)
    result: NDArray[Any] = typed.astype(writer.float_type)
    return result
