"""LayerNorm in FP32 inside an FP16 graph, written into TensorRT's network before it is compiled.

Some versions drift in FP16 LayerNorm of transformers (known_bad_rows.py). The graph in the bundle
stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_LOW = ("HALF", "BF16")


def in_fp32(trt: Any, network: Any, *, weakly: bool) -> int:
    """Every normalisation that computes in a lower type; the number of them."""
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    found = [layer for layer in layers if _is_low(trt, layer)]
    for layer in found:
        if weakly:
            layer.precision = trt.DataType.FLOAT
            layer.set_output_type(0, trt.DataType.FLOAT)
        else:
            _between_casts(trt, network, layer, layers)
    return len(found)


def _is_low(trt: Any, layer: Any) -> bool:
    return layer.type == trt.LayerType.NORMALIZATION and layer.get_input(0).dtype.name in _LOW


def _between_casts(trt: Any, network: Any, layer: Any, layers: list[Any]) -> None:
    low, output = layer.get_input(0).dtype, layer.get_output(0)
    readers = list(_readers(output, layers))
    for index in range(layer.num_inputs):
        raised = network.add_cast(layer.get_input(index), trt.DataType.FLOAT)
        raised.name = f"{layer.name}, input {index} in FP32"
        layer.set_input(index, raised.get_output(0))
    lowered = network.add_cast(output, low)
    lowered.name = f"{layer.name}, back to {low.name}"
    for reader, index in readers:
        reader.set_input(index, lowered.get_output(0))


def _readers(tensor: Any, layers: list[Any]) -> Iterator[tuple[Any, int]]:
    """By name: one tensor may come as several Python objects."""
    for layer in layers:
        for index in range(layer.num_inputs):
            value = layer.get_input(index)
            if value is not None and value.name == tensor.name:
                yield layer, index
