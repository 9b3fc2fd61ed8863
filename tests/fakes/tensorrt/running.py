"""The runtime's side: plans are run by ONNX Runtime, when the stream they were queued on is waited
for, on whatever bytes lie at the addresses they were given."""

from __future__ import annotations

import json
from typing import Any

import fake_gpu
import numpy as np
import onnx
from onnx import helper

from . import layers
from .building import MAGIC, ILogger, _device
from .kinds import data_type, kind
from .recorded import VERSION, Strict, Value

SCRATCH = 4096


class Runtime(Strict):
    def __init__(self, logger: ILogger) -> None:
        self._logger = logger

    def deserialize_cuda_engine(self, plan: bytes) -> ICudaEngine | None:
        problem = ""
        try:
            assert plan[:4] == MAGIC, "the plan does not begin as one (magicTag)"
            size = int.from_bytes(plan[4:8], "little")
            header = json.loads(plan[8 : 8 + size])
            assert header["version"] == VERSION, "the plan is of another version"
            assert header["device"] == _device(), "the plan is of another device"
            model = onnx.load_from_string(plan[8 + size :])
            onnx.checker.check_model(model)
        except Exception as found:
            problem = str(found)
        if problem:
            self._logger.log(ILogger.Severity["ERROR"], problem)
            return None
        return ICudaEngine(header, model)


class ICudaEngine(Strict):
    def __init__(self, header: dict[str, Any], model: onnx.ModelProto) -> None:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 1
        settings.log_severity_level = 3
        self._header, self._graph = header, model.graph
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
        )
        self._inputs = {one.name: one for one in model.graph.input}
        self._values = {one.name: one for one in (*model.graph.input, *model.graph.output)}

    @property
    def num_io_tensors(self) -> int:
        return len(self._values)

    @property
    def device_memory_size_v2(self) -> int:
        return SCRATCH

    def get_tensor_name(self, index: int) -> str:
        return list(self._values)[index]

    def get_tensor_mode(self, name: str) -> Value:
        return kind("TensorIOMode")["INPUT" if name in self._inputs else "OUTPUT"]

    def get_tensor_dtype(self, name: str) -> Value:
        return data_type(self._values[name].type.tensor_type.elem_type)

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(
            axis.dim_value if axis.HasField("dim_value") else -1
            for axis in self._values[name].type.tensor_type.shape.dim
        )

    def get_tensor_profile_shape(self, name: str, index: int) -> list[tuple[int, ...]]:
        return [tuple(shape) for shape in self._header["profile"][name]]

    def create_execution_context(self, strategy: Value) -> IExecutionContext:
        return IExecutionContext(self, needs_memory=strategy.name == "USER_MANAGED")

    def create_engine_inspector(self) -> EngineInspector:
        return EngineInspector(self)

    def _dtype(self, name: str) -> np.dtype[Any]:
        return helper.tensor_dtype_to_np_dtype(self._values[name].type.tensor_type.elem_type)


class EngineInspector(Strict):
    def __init__(self, engine: ICudaEngine) -> None:
        self._engine = engine

    def get_engine_information(self, format: Value) -> str:
        engine = self._engine
        batch = engine.get_tensor_shape(engine.get_tensor_name(0))[0]
        detailed = engine._header["verbosity"] == "DETAILED"
        raised = engine._header["fp32_layernorms"]
        return layers.report(engine._graph, batch, raised, detailed=detailed)


class IExecutionContext(Strict):
    def __init__(self, engine: ICudaEngine, needs_memory: bool) -> None:
        self._engine, self._needs_memory, self._ran = engine, needs_memory, False
        self._addresses: dict[str, int] = {}
        fixed = {name: engine.get_tensor_shape(name) for name in engine._inputs}
        self._shapes = {name: shape for name, shape in fixed.items() if min(shape) > 0}

    def set_device_memory(self, memory: int, size: int) -> None:
        fake_gpu.device_bytes(memory, size)
        self._needs_memory = size < SCRATCH

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        declared = self._engine.get_tensor_shape(name)
        if self._engine._header["profile"] is None:
            return tuple(shape) == declared
        least, _, most = self._engine.get_tensor_profile_shape(name, 0)
        fits = all(low <= size <= high for low, size, high in zip(least, shape, most, strict=True))
        if fits:
            self._shapes[name] = tuple(shape)
        return fits

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        if name in self._shapes:
            return self._shapes[name]
        batch = next((shape[0] for shape in self._shapes.values()), -1)
        declared = self._engine.get_tensor_shape(name)
        return tuple(batch if size < 0 else size for size in declared)

    def set_tensor_address(self, name: str, memory: int) -> bool:
        if name not in self._engine._values:
            return False
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        engine = self._engine
        if self._needs_memory or set(self._addresses) != set(engine._values):
            return False
        if set(self._shapes) != set(engine._inputs):
            return False
        bound, shapes = dict(self._addresses), dict(self._shapes)
        found = fake_gpu.stream(stream_handle)
        if found.recording is not None and not self._ran:
            found.broken = True
        self._ran = True
        fake_gpu.submit(stream_handle, lambda: _compute(engine, bound, shapes))
        return True


def _compute(
    engine: ICudaEngine, bound: dict[str, int], shapes: dict[str, tuple[int, ...]]
) -> None:
    """Whatever lies there is read as the engine's type, whoever wrote it as what."""
    feeds = {}
    for name, shape in shapes.items():
        dtype = engine._dtype(name)
        raw = fake_gpu.device_bytes(bound[name], int(np.prod(shape)) * dtype.itemsize)
        feeds[name] = raw.view(dtype).reshape(shape)
    names = [name for name in engine._values if name not in shapes]
    for name, value in zip(names, engine._session.run(names, feeds), strict=True):
        value = _spoilt(value, engine._header["wrong"])
        fake_gpu.device_bytes(bound[name], value.nbytes)[:] = (
            np.ascontiguousarray(value).view(np.uint8).reshape(-1)
        )


def _spoilt(value: np.ndarray, wrong: list[str]) -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=value.shape[1:]).astype(value.dtype)
    if "permuted" in wrong:
        value = np.roll(value, 1, axis=-1)
    if "scaled" in wrong:
        value = value * np.asarray(1.5, value.dtype)
    only = "batch-1" if len(value) == 1 else "batch-many"
    if "other-weights" in wrong or only in wrong:
        value = value + noise * np.abs(value).max()
    if "nan" in wrong:
        value = np.full_like(value, np.nan)
    return value
