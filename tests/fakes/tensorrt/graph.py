"""A network that is an ONNX graph: layers are its nodes, and rewiring one rewires the other."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import helper

from .kinds import data_type, layer_type, onnx_type
from .recorded import Strict, Value


class ITensor(Strict):
    def __init__(self, network: INetworkDefinition, name: str) -> None:
        self._network, self.name = network, name

    @property
    def dtype(self) -> Value:
        return data_type(self._network._types[self.name])

    @property
    def shape(self) -> tuple[int, ...]:
        return self._network._shapes[self.name]

    @shape.setter
    def shape(self, value: tuple[int, ...]) -> None:
        self._network._shapes[self.name] = tuple(value)


class ILayer(Strict):
    def __init__(self, network: INetworkDefinition, node: Any) -> None:
        self._network, self._node, self._asked = network, node, {}
        self.name = node.name

    @property
    def type(self) -> Value:
        return layer_type(self._node.op_type)

    @property
    def num_inputs(self) -> int:
        return len(self._node.input)

    def get_input(self, index: int) -> ITensor | None:
        name = self._node.input[index]
        return ITensor(self._network, name) if name else None

    def set_input(self, index: int, tensor: ITensor) -> None:
        self._node.input[index] = tensor.name

    def get_output(self, index: int) -> ITensor:
        return ITensor(self._network, self._node.output[index])

    @property
    def precision(self) -> Value:
        return self._asked["precision"]

    @precision.setter
    def precision(self, value: Value) -> None:
        self._asked["precision"] = value

    def set_output_type(self, index: int, kind: Value) -> None:
        self._asked["output"] = kind


class INetworkDefinition(Strict):
    def __init__(self, flags: int) -> None:
        self._flags = flags
        self._layers: list[ILayer] = []

    @property
    def num_inputs(self) -> int:
        return len(self._model.graph.input)

    @property
    def num_layers(self) -> int:
        return len(self._layers)

    def get_input(self, index: int) -> ITensor:
        return ITensor(self, self._model.graph.input[index].name)

    def get_layer(self, index: int) -> ILayer:
        return self._layers[index]

    def add_cast(self, tensor: ITensor, to: Value) -> ILayer:
        out = f"cast_{len(self._layers)}"
        kind = onnx_type(to)
        node = self._model.graph.node.add()
        node.CopyFrom(helper.make_node("Cast", [tensor.name], [out], name=out, to=kind))
        self._types[out] = kind
        self._layers.append(ILayer(self, node))
        return self._layers[-1]

    def _load(self, model: onnx.ModelProto) -> None:
        self._model = model
        known = onnx.shape_inference.infer_shapes(model).graph
        values = (*known.input, *known.output, *known.value_info)
        self._types = {one.name: one.type.tensor_type.elem_type for one in values}
        self._types |= {one.name: one.data_type for one in model.graph.initializer}
        self._shapes = {one.name: _shape(one) for one in known.input}
        self._layers = [ILayer(self, node) for node in model.graph.node]

    def _built(self) -> onnx.ModelProto:
        """The ONNX file as it was rewired, in an order that can be run."""
        made = onnx.ModelProto()
        made.CopyFrom(self._model)
        del made.graph.value_info[:]
        for value in made.graph.input:
            for axis, size in zip(
                value.type.tensor_type.shape.dim, self._shapes[value.name], strict=True
            ):
                if size > 0:
                    axis.dim_value = size
        nodes = _ordered(made.graph)
        del made.graph.node[:]
        made.graph.node.extend(nodes)
        return made

    def _raised(self) -> int:
        """How many normalisations were asked to compute in FP32 though their graph does not."""
        raised = 0
        makers = {name: node for node in self._model.graph.node for name in node.output}
        for layer in self._layers:
            if layer._node.op_type != "LayerNormalization":
                continue
            maker = makers.get(layer._node.input[0])
            cast = maker is not None and maker.op_type == "Cast" and maker.name.startswith("cast_")
            raised += cast or "precision" in layer._asked
        return raised


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(
        axis.dim_value if axis.HasField("dim_value") else -1
        for axis in value.type.tensor_type.shape.dim
    )


def _ordered(graph: Any) -> list[Any]:
    known = {one.name for one in (*graph.input, *graph.initializer)} | {""}
    waiting, done = list(graph.node), []
    while waiting:
        ready = [node for node in waiting if known.issuperset(node.input)]
        if not ready:
            raise ValueError("the network has a circle")
        done += ready
        known.update(name for node in ready for name in node.output)
        waiting = [node for node in waiting if node not in ready]
    return done
