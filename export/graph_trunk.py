"""A merged convolutional trunk as ONNX nodes: what torch.fx sees, one node for one operation."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from ..core.errors import InternalError
from ..core.preprocess import Preprocess
from .graph_pixels import Pixels, centre, planes
from .graph_quant import quantised, quantised_weight
from .graph_weights import array
from .graph_writer import GraphWriter
from .scales import Scales, scale_of

if TYPE_CHECKING:
    from torch import fx, nn

    from ..core.models.vit import ReidVit

ACTIVATIONS = {"GELU": "Gelu", "ReLU": "Relu", "Sigmoid": "Sigmoid"}
NOTHING = ("Identity", "Dropout")
PAIRS = {operator.add: "Add", operator.mul: "Mul"}


def trunk(
    writer: GraphWriter, model: ReidVit, preprocess: Preprocess, scales: Scales | None
) -> str:
    """[batch, width]: the mean of the last map."""
    value = _Walk(writer, model, preprocess, scales).last_map()
    axes = writer.integers("map_axes", 2, 3)
    return writer.node("ReduceMean", "pooled", value, axes, keepdims=0)


class _Walk:
    """Follows the traced trunk; `names` holds the value of each of its steps."""

    def __init__(
        self, writer: GraphWriter, model: ReidVit, preprocess: Preprocess, scales: Scales | None
    ) -> None:
        self.writer, self.backbone, self.scales = writer, model.backbone, scales
        self.preprocess = preprocess
        self.names: dict[fx.Node, str] = {}
        self.pixels: Pixels | None = None
        self._seen_in_int8: dict[str, str] = {}

    def last_map(self) -> str:
        for step in _traced(self.backbone).nodes:
            if step.op == "output":
                return self.names[step.args[0]]
            self.names[step] = self._write(step)
        raise InternalError("the traced trunk has no output")

    def _write(self, step: fx.Node) -> str:
        if step.op == "placeholder":
            return ""
        name = str(step.target) if step.op == "call_module" else f"trunk.{step.name}"
        inputs = [self.names[one] for one in step.all_input_nodes]
        if step.op == "call_module":
            return self._module(name, self.backbone.get_submodule(name), inputs[0])
        if step.op == "call_function" and step.target in PAIRS and len(inputs) == 2:
            return self.writer.node(PAIRS[step.target], name, *inputs)
        if step.op == "call_method" and step.target == "mean" and step.args[1] == (2, 3):
            axes = self.writer.integers("map_axes", 2, 3)
            return self.writer.node("ReduceMean", name, inputs[0], axes, keepdims=1)
        if step.op == "call_method" and step.target == "sigmoid":
            return self.writer.node("Sigmoid", name, inputs[0])
        raise InternalError(f"no ONNX node is known for {step.format_node()}")

    def _module(self, name: str, layer: nn.Module, value: str) -> str:
        kind = type(layer).__name__
        if kind == "Conv2d":
            return self._convolution(name, layer, value)
        if kind in ACTIVATIONS:
            return self.writer.node(ACTIVATIONS[kind], name, value)
        if kind in NOTHING:
            return value
        raise InternalError(f"no ONNX node is known for {name}, a {kind}")

    def _convolution(self, name: str, layer: Any, value: str) -> str:
        writer, int8 = self.writer, name in self.writer.spec.int8
        weight, bias = array(layer.weight), array(layer.bias)
        if not value:
            # It pads with zeros, which stand for the mean: centre before, never after.
            shape = (3, 1, 1)
            image = centre(writer, self.preprocess, planes(writer), shape, divide=int8)
            value, weight = image.value, image.weight(weight)
        if int8:
            scale = scale_of(self.scales, name, len(weight))
            value = self._in_int8(value, scale.activation)
            held = quantised_weight(writer, name, weight, scale.weight, output_axis=0)
        else:
            held = writer.floats(f"{name}.weight", weight)
        return writer.node(
            "Conv",
            name,
            value,
            held,
            writer.floats(f"{name}.bias", bias),
            kernel_shape=list(layer.kernel_size),
            strides=list(layer.stride),
            pads=[*layer.padding] * 2,
            dilations=list(layer.dilation),
            group=layer.groups,
        )

    def _in_int8(self, value: str, amax: float) -> str:
        """One rounding for all layers that read a value."""
        if value not in self._seen_in_int8:
            self._seen_in_int8[value] = quantised(self.writer, value, amax)
        return self._seen_in_int8[value]


def _traced(backbone: Any) -> fx.Graph:
    from torch import fx, nn

    class Maps(nn.Module):
        """A trunk without what follows its last map."""

        def __init__(self) -> None:
            super().__init__()
            self.trunk = backbone.trunk

        def forward(self, images: Any) -> Any:
            return self.trunk.forward_features(images)

    return fx.Tracer().trace(Maps().eval())
