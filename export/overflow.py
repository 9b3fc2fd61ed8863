"""How large the values inside a model get on real crops, and whether FP16 can hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ConfigError, DataError
from ..core.preprocess import Preprocess
from .graph import build_graph, serialise
from .graph_spec import GraphSpec
from .graph_writer import FP16_MAX
from .parity import feed, open_session
from .scales import Scales

if TYPE_CHECKING:
    from onnx import ModelProto

    from ..core.models.vit import ReidVit

MARGIN = 4.0
"""Crops that were not seen may reach further than those that were."""
HEAD = "norm"
NOT_MEASURED = ("QuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True)
class Magnitudes:
    """The largest |x| of every value that an FP16 graph holds in FP16, by the value's name."""

    largest: Mapping[str, float]
    before_norms: Mapping[str, float]
    """By the LayerNorm that reads it; the last one reads FP32."""

    def worst(self) -> tuple[str, float]:
        return max(self.largest.items(), key=lambda item: item[1])

    def as_json(self) -> dict[str, Any]:
        name, value = self.worst()
        return {
            "worst": {"value": name, "magnitude": value, "fp16_max": FP16_MAX},
            "before_norms": dict(self.before_norms),
        }


def measure(
    model: ReidVit,
    preprocess: Preprocess,
    spec: GraphSpec,
    scales: Scales | None,
    batches: Iterable[NDArray[np.uint8]],
) -> Magnitudes:
    """Run the FP32 twin of an FP16 graph, whose values have the same names."""
    twin = replace(spec, precision="fp32", attention="decomposed")
    graph = build_graph(model, preprocess, twin, scales)
    watched, norms = _watch(graph)
    session = open_session(serialise(graph))
    found = np.zeros(len(watched))
    seen = 0
    for crops in batches:
        found = np.maximum(found, np.array(session.run(_probes(watched), feed(crops, twin))))
        seen += len(crops)
    if not seen:
        raise DataError("no crop was given to measure the model's values on")
    largest = dict(zip(watched, map(float, found), strict=True))
    return Magnitudes(largest, {norm: largest[value] for norm, value in norms.items()})


def refuse_overflow(found: Magnitudes, margin: float = MARGIN) -> None:
    """An error when a value comes within `margin` of what FP16 can hold."""
    name, value = found.worst()
    if not np.isfinite(value) or value > FP16_MAX / margin:
        raise ConfigError(
            f"{name} reaches {value:.4g} on these crops; FP16 ends at {FP16_MAX:.0f} and a margin "
            f"of {margin:g} is kept. FP16 graphs of this model would overflow: export the cpu "
            "target only, or fine-tune with weight decay to bring the values down"
        )


def _watch(graph: ModelProto) -> tuple[list[str], dict[str, str]]:
    """Add the largest magnitude of every value before the head as an output of the graph."""
    from onnx import TensorProto, helper

    watched: list[str] = []
    norms: dict[str, str] = {}
    for node in list(graph.graph.node):
        if node.op_type == "LayerNormalization":
            norms[node.name] = node.input[0]
        if node.name == HEAD:
            break
        if node.op_type not in NOT_MEASURED:
            watched.extend(node.output)
    for name, probe in zip(watched, _probes(watched), strict=True):
        size = helper.make_node("Abs", [name], [f"{name}/size"])
        peak = helper.make_node("ReduceMax", [f"{name}/size"], [probe], keepdims=0)
        graph.graph.node.extend([size, peak])
        graph.graph.output.append(helper.make_tensor_value_info(probe, TensorProto.FLOAT, []))
    return watched, norms


def _probes(watched: list[str]) -> list[str]:
    return [f"{name}/largest" for name in watched]
