"""Collects the nodes and constants of one ONNX graph, named and typed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ConfigError, InternalError
from .graph_spec import IR_VERSION, GraphSpec

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

Attribute = int | float | str | Sequence[int]
FP16_MAX = float(np.finfo(np.float16).max)
PRODUCER = "personvit"


class GraphWriter:
    """Every value is named after the node that makes it, so two precisions have equal names."""

    def __init__(self, spec: GraphSpec) -> None:
        self.spec = spec
        self.float_type: type[np.floating[Any]] = (
            np.float16 if spec.precision == "fp16" else np.float32
        )
        self.held_type = np.float16 if spec.rounded else self.float_type
        """What a constant's value is rounded to; `float_type` is what it is stored as."""
        self._nodes: list[NodeProto] = []
        self._names: set[str] = set()
        self._constants: dict[str, TensorProto] = {}

    def node(self, operator: str, name: str, *inputs: str, **attributes: Attribute) -> str:
        """Add a node with one output and return the output's name."""
        return self.split(operator, name, (name,), *inputs, **attributes)[0]

    def split(
        self,
        operator: str,
        name: str,
        outputs: tuple[str, ...],
        *inputs: str,
        **attributes: Attribute,
    ) -> tuple[str, ...]:
        """Add a node with several outputs."""
        from onnx import helper

        if name in self._names:
            raise InternalError(f"two nodes are named {name}")
        self._names.add(name)
        settings: dict[str, Any] = {"name": name, **attributes}
        made = helper.make_node(operator, list(inputs), list(outputs), **settings)
        self._nodes.append(made)
        return outputs

    def floats(self, name: str, values: NDArray[np.floating[Any]]) -> str:
        """A constant in the graph's own float type."""
        largest = float(np.abs(values).max(initial=0.0))
        if not np.isfinite(largest):
            raise ConfigError(f"{name} holds weights that are not finite; the checkpoint is broken")
        if self.held_type is np.float16 and largest > FP16_MAX:
            raise ConfigError(
                f"{name} reaches {largest:.3g}, more than FP16 can hold ({FP16_MAX:.0f}); "
                "export this model with FP32 variants only"
            )
        return self.constant(name, values.astype(self.held_type).astype(self.float_type))

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """A constant exactly as given; the same name twice must mean the same values."""
        from onnx import numpy_helper

        tensor = numpy_helper.from_array(np.ascontiguousarray(values), name)
        if name in self._constants and self._constants[name] != tensor:
            raise InternalError(f"two different constants are named {name}")
        self._constants[name] = tensor
        return name

    def integers(self, name: str, *values: int) -> str:
        return self.constant(name, np.array(values, dtype=np.int64))

    def shape(self, *values: int) -> str:
        """A shape for Reshape; equal shapes are stored once."""
        text = "x".join("any" if value < 0 else str(value) for value in values)
        return self.integers(f"shape.{text}", *values)

    def model(
        self, image: tuple[str, int, list[int | str]], embedding: tuple[str, int]
    ) -> ModelProto:
        """The finished model; inputs and outputs are (name, type, shape) and (name, width)."""
        from onnx import TensorProto, helper

        opset = self.spec.opset
        graph = helper.make_graph(
            self._nodes,
            "personvit",
            [helper.make_tensor_value_info(*image)],
            [
                helper.make_tensor_value_info(
                    embedding[0], TensorProto.FLOAT, ["batch", embedding[1]]
                )
            ],
            list(self._constants.values()),
        )
        return helper.make_model(
            graph,
            ir_version=IR_VERSION[self.spec.attention],
            opset_imports=[helper.make_opsetid("", opset)],
            producer_name=PRODUCER,
        )
