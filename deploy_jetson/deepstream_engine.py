"""A bundle's DeepStream graph on this machine's processor: planes of floats in, embeddings out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from ..core.bundle import Bundle
from ..core.errors import EnvironmentMismatch
from ..core.machine import usable_cores
from ..engines.golden import Replay, check
from .deepstream_settings import Facts

BATCH = 16
Floats = NDArray[np.float32]
Graph = Callable[[Floats], Floats]


@dataclass(frozen=True)
class PlanarEngine:
    """Feeds crops as DeepStream does: y = scale * (x - offset), one plane per colour."""

    runtime: str
    graph: Graph
    scale: float
    offsets: tuple[float, ...]
    width: int

    def embed(self, crops: NDArray[np.uint8]) -> Floats:
        batches = (crops[start : start + BATCH] for start in range(0, len(crops), BATCH))
        none = np.empty((0, self.width), dtype=np.float32)
        return np.concatenate([none, *(self.graph(self._planes(batch)) for batch in batches)])

    def _planes(self, crops: NDArray[np.uint8]) -> Floats:
        shifted = crops.astype(np.float32) - np.array(self.offsets, dtype=np.float32)
        return np.ascontiguousarray((self.scale * shifted).transpose(0, 3, 1, 2), dtype=np.float32)


def runtime_for_planes() -> str | None:
    """The runtime that would run the graph here, or nothing where none is installed."""
    return next((name for name in _OPENERS if find_spec(name) is not None), None)


def open_planar(
    bundle: Bundle, facts: Facts, scale: float = 1.0, offsets: tuple[float, ...] = (0.0, 0.0, 0.0)
) -> PlanarEngine:
    """Open the graph and replay the golden crops through the written scale and offsets."""
    runtime = runtime_for_planes()
    if runtime is None:
        raise EnvironmentMismatch(
            "running the graph here needs OpenVINO or ONNX Runtime; pip install 'personvit[cpu]'"
        )
    graph = _OPENERS[runtime](bundle.model(facts.variant), facts)
    engine = PlanarEngine(runtime, graph, scale, offsets, facts.dimension)
    golden = bundle.golden()
    replay = Replay(golden.crops, golden.expected[facts.variant.name])
    check(engine.embed, replay, BATCH, f"{runtime} ({bundle.path}, {facts.variant.name})")
    return engine


def _openvino(model: bytes, facts: Facts) -> Graph:
    import openvino

    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": usable_cores(),
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
    }
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model), "CPU", settings)

    def run(planes: Floats) -> Floats:
        found: Floats = compiled({facts.input: planes})[facts.output]
        return found.astype(np.float32)

    return run


def _onnxruntime(model: bytes, facts: Facts) -> Graph:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = usable_cores()
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])

    def run(planes: Floats) -> Floats:
        found: Floats = session.run([facts.output], {facts.input: planes})[0]
        return found.astype(np.float32)

    return run


_OPENERS: Mapping[str, Callable[[bytes, Facts], Graph]] = {
    "openvino": _openvino,
    "onnxruntime": _onnxruntime,
}
