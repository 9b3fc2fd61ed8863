"""The bare INT8 products of a graph: what an engine would take if it did nothing else.

Definition. The products are those of the graph that is timed: each MatMul of activations with INT8
weights, at its own shape, so qkv, proj, fc1 and fc2 of every block with as many rows as the block
has tokens; where the graph cuts the last block to its leading tokens, the product is cut too.
They run in one OpenVINO graph at one batch size, one after another and independent of each other,
each with weights of its own (as many bytes pass through the caches as in the model), from INT8
activations to INT8 results: scaling and rounding happen inside the product and nothing is written
wider. Results in float take twice as long, for they are mostly writing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import ConfigError, EnvironmentMismatch

if TYPE_CHECKING:
    from openvino import CompiledModel, Model, Node

PRODUCTS = ("FullyConnected", "MatMul", "Convolution")
_LEVELS = 256
_SCALE = 0.02


@dataclass(frozen=True)
class Product:
    """rows x inner times inner x columns."""

    rows: int
    inner: int
    columns: int

    @property
    def operations(self) -> int:
        return 2 * self.rows * self.inner * self.columns


def products_of(model: Model) -> tuple[Product, ...]:
    """The INT8 products of one crop, in the order of the graph, with a batch of 1 already set."""
    found = tuple(_products(model))
    if not found:
        raise ConfigError("this graph multiplies with no INT8 weights; give the INT8 one")
    return found


def counted(products: Sequence[Product]) -> dict[str, int]:
    """How often each shape occurs, as a person writes it."""
    shapes = (f"{one.rows}x{one.inner}x{one.columns}" for one in products)
    return dict(Counter(shapes))


def compile_products(
    products: Sequence[Product], batch: int, settings: dict[str, Any]
) -> CompiledModel:
    """The products alone; refused where OpenVINO would run one of them in anything but INT8."""
    import openvino

    compiled = openvino.Core().compile_model(_bare(products, batch), "CPU", settings)
    facts = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    kinds = Counter(
        str(info["runtimePrecision"].value)
        for info in facts
        if str(info["layerType"].value) in PRODUCTS
    )
    if kinds != Counter({"i8": len(products)}):
        raise EnvironmentMismatch(
            f"OpenVINO {openvino.get_version()} runs the bare products in {dict(kinds)} and not "
            f"{len(products)} of them in i8, so they are no floor here; use another version"
        )
    return compiled


def _products(model: Model) -> Iterator[Product]:
    for node in model.get_ordered_ops():
        if node.get_type_name() == "MatMul" and _has_int8_weights(node):
            *_, rows, inner = node.input_value(0).get_shape()
            yield Product(rows, inner, node.get_output_shape(0)[-1])


def _has_int8_weights(product: Node) -> bool:
    node = product.input_value(1).get_node()
    while node.get_type_name() != "Constant":
        if not node.get_input_size():
            return False
        node = node.input_value(0).get_node()
    return str(node.get_element_type().get_type_name()) == "i8"


def _bare(products: Sequence[Product], batch: int) -> Model:
    import openvino
    from openvino import opset13 as ops

    rng = np.random.default_rng(0)
    shapes = dict.fromkeys((one.rows, one.inner) for one in products)
    inputs = {shape: ops.parameter([batch, *shape], openvino.Type.i8) for shape in shapes}
    results = [_product(one, inputs[one.rows, one.inner], rng) for one in products]
    return openvino.Model(results, list(inputs.values()))


def _product(one: Product, pixels: Node, rng: np.random.Generator) -> Node:
    from openvino import opset13 as ops

    weights = rng.integers(-127, 128, (one.columns, one.inner), dtype=np.int8)
    scales = rng.uniform(0.001, 0.002, (one.columns, 1)).astype(np.float32)
    activations = ops.multiply(ops.convert(pixels, "f32"), ops.constant(np.float32(_SCALE)))
    matrix = ops.multiply(ops.convert(ops.constant(weights), "f32"), ops.constant(scales))
    product = ops.matmul(activations, matrix, False, True)
    low, high = (ops.constant(np.float32(level)) for level in (-128, 127))
    return ops.result(ops.convert(ops.fake_quantize(product, low, high, low, high, _LEVELS), "i8"))
