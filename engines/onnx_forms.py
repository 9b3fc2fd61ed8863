"""One INT8 graph in the forms ONNX Runtime can run it in, made with the onnx package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

MIDDLE = 128
"""uint8 around 128 holds exactly the numbers that int8 around 0 holds, and saturates alike."""


@dataclass(frozen=True)
class Product:
    """A MatMul of a dequantised activation and a dequantised weight, and the Add of its bias."""

    matmul: NodeProto
    quantise: NodeProto
    dequantise: NodeProto
    weight: NodeProto
    bias: NodeProto | None

    @property
    def last(self) -> NodeProto:
        return self.bias or self.matmul


def unsigned(model: ModelProto) -> ModelProto:
    """Activations as uint8: x86's integer products take one unsigned side."""
    from onnx import numpy_helper

    found = products(model)
    wanted = {product.quantise.input[2] for product in found}
    for tensor in model.graph.initializer:
        if tensor.name in wanted and tensor.data_type == tensor.INT8:
            shifted = numpy_helper.to_array(tensor).astype(np.int16) + MIDDLE
            tensor.CopyFrom(numpy_helper.from_array(shifted.astype(np.uint8), tensor.name))
    return model


def fused(model: ModelProto) -> ModelProto:
    """Each product with its scales and bias as one of ONNX Runtime's own nodes."""
    from onnx import helper

    found = products(unsigned(model))
    made = {product.last.name: _fused(product) for product in found}
    _replace(model, made, [node for product in found for node in _inner(product)])
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


def dequantised(model: ModelProto) -> ModelProto:
    """Activations left alone, and weights as the floats that their integers stand for.

    The weights are folded here: left to ONNX Runtime, products of dequantised weights are
    approximated (cosine 0.99994 on a ViT-S, docs/engines.md).
    """
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    found = products(model)
    for product in found:
        product.matmul.input[0] = product.quantise.input[0]
        floats = _floats(product.weight, constants)
        model.graph.initializer.append(numpy_helper.from_array(floats, product.weight.output[0]))
    _replace(model, {}, [product.weight for product in found])
    return model


FORMS: dict[str, Callable[[ModelProto], ModelProto]] = {
    "qdq-u8": unsigned,
    "integer-u8": fused,
    "fp32-dequantised": dequantised,
}


def reform(model: bytes, form: str) -> bytes:
    """A serialised graph in another form, without what the new form no longer reads."""
    import onnx

    loaded = FORMS[form](onnx.load_from_string(model))
    _drop_unread(loaded)
    data: bytes = loaded.SerializeToString(deterministic=True)
    return data


def products(model: ModelProto) -> list[Product]:
    makers = {output: node for node in model.graph.node for output in node.output}
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found = (_product(node, makers, readers) for node in model.graph.node)
    return [product for product in found if product is not None]


def _product(
    node: NodeProto, makers: Mapping[str, NodeProto], readers: Mapping[str, list[NodeProto]]
) -> Product | None:
    """Attention's products have no stored weight; they and float layers are left as they are."""
    if node.op_type != "MatMul":
        return None
    left, weight = (makers.get(name) for name in node.input)
    if left is None or weight is None:
        return None
    if not left.op_type == weight.op_type == "DequantizeLinear" or weight.input[0] in makers:
        return None
    after = readers.get(node.output[0], [])
    bias = after[0] if len(after) == 1 and after[0].op_type == "Add" else None
    return Product(node, makers[left.input[0]], left, weight, bias)


def _fused(product: Product) -> NodeProto:
    from onnx import helper

    bias = ""
    if product.bias is not None:
        bias = next(name for name in product.bias.input if name != product.matmul.output[0])
    activation, step, zero = product.dequantise.input
    weight, weight_step, weight_zero = product.weight.input
    return helper.make_node(
        "MatMulIntegerToFloat",
        [activation, weight, step, weight_step, zero, weight_zero, bias],
        [product.last.output[0]],
        name=product.last.name,
        domain="com.microsoft",
    )


def _inner(product: Product) -> list[NodeProto]:
    inner = [product.dequantise, product.weight]
    return [*inner, product.matmul] if product.bias is not None else inner


def _replace(model: ModelProto, made: Mapping[str, Any], dropped: list[NodeProto]) -> None:
    gone = {node.name for node in dropped}
    kept = [made.get(node.name, node) for node in model.graph.node if node.name not in gone]
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _floats(weight: NodeProto, constants: Mapping[str, TensorProto]) -> NDArray[np.float32]:
    from onnx import numpy_helper

    integers, step, zero = (numpy_helper.to_array(constants[name]) for name in weight.input)
    axis = next(attribute.i for attribute in weight.attribute if attribute.name == "axis")
    spread = [1] * integers.ndim
    spread[axis] = -1
    shifted = integers.astype(np.float32) - zero.astype(np.float32).reshape(spread)
    floats: NDArray[np.float32] = shifted * step.reshape(spread)
    return floats


def _drop_unread(model: ModelProto) -> None:
    """Nodes and constants that nothing reads any more, from the end towards the start."""
    wanted = Counter(output.name for output in model.graph.output)
    kept = []
    for node in reversed(model.graph.node):
        if any(wanted[name] for name in node.output):
            wanted.update(node.input)
            kept.append(node)
    constants = [tensor for tensor in model.graph.initializer if wanted[tensor.name]]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(reversed(kept))
    model.graph.initializer.extend(constants)
