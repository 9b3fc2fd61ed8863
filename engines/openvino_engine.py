"""OpenVINO: the embedded default on CPUs, running a bundle's `cpu` variant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BundleError, ConfigError, EnvironmentMismatch
from ..core.machine import this_machine, usable_cores
from . import golden
from .base import BaseEngine, EngineInfo, EngineOptions, EngineSpec, Tensors, empty_outputs
from .cpu_precision import Choice, choose
from .graphs import Graph, open_source

if TYPE_CHECKING:
    from openvino import CompiledModel, InferRequest, Model, Node

ANY = 0
"""The key of the model that takes any number of crops."""

_DEQUANTISING = ("Convert", "Subtract", "Multiply")


class OpenVinoEngine(BaseEngine):
    """One crop and a full batch have models of their own, compiled when first wanted: for a fixed
    shape they take less time than the one with a free batch (docs/engines.md)."""

    def __init__(self, choice: Choice, options: EngineOptions) -> None:
        import openvino

        graph = choice.graph
        self._choice = choice
        self._core = openvino.Core()
        self._versions = {"openvino": openvino.get_version()}
        self._settings = _settings(choice, options)
        self._lock = Lock()
        self._proving, self._free_proved = RLock(), False
        self._compiled: dict[int, CompiledModel] = {}
        self._idle: dict[int, list[InferRequest]] = {ANY: [], 1: [], options.batch: []}
        self.preprocess = graph.preprocess
        self.inputs, self.outputs = graph.inputs, graph.outputs
        self.batch = options.batch
        self._model(ANY)
        if graph.replay is not None:
            golden.check(self.embed, graph.replay, self.batch, self._name)

    def close(self) -> None:
        super().close()
        with self._lock:
            self._compiled.clear()
            self._idle = {key: [] for key in self._idle}

    def info(self) -> EngineInfo:
        return EngineInfo(
            runtime="openvino",
            versions=self._versions,
            device="cpu",
            instruction_set=self._choice.machine.instruction_class,
            precision=f"{self._choice.precision}, precision hint {self._choice.rest}",
            thread_safety="several threads may call run and embed at once; they take turns",
            layers=self._layers(),
            notes=self._choice.notes,
        )

    def _run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        count = len(next(iter(feeds.values())))
        if not count:
            return empty_outputs(self.outputs)
        if count not in self._idle:
            self._prove_free_batch(count)
        ready = {name: np.ascontiguousarray(value) for name, value in feeds.items()}
        with self._request(count if count in self._idle else ANY) as request:
            request.infer(ready, share_inputs=True)
            return {spec.name: request.get_tensor(spec.name).data.copy() for spec in self.outputs}

    @property
    def _name(self) -> str:
        return f"openvino ({self._choice.graph.name})"

    def _prove_free_batch(self, count: int) -> None:
        """The model for any number of crops answers the golden ones before it answers others."""
        replay = self._choice.graph.replay
        with self._proving:
            if replay is None or self._free_proved:
                return
            self._free_proved = True  # for what the replay itself asks
            try:
                golden.check_at(self.embed, replay, count, self._name)
            except BaseException:
                self._free_proved = False
                raise

    @contextmanager
    def _request(self, key: int) -> Iterator[InferRequest]:
        """A request of its own for every thread that is running; requests are kept for reuse."""
        compiled, idle = self._model(key), self._idle[key]
        try:
            request = idle.pop()
        except IndexError:
            request = compiled.create_infer_request()
        yield request
        idle.append(request)

    def _model(self, key: int) -> CompiledModel:
        with self._lock:
            if key not in self._compiled:
                self._compiled[key] = self._compile(key)
            return self._compiled[key]

    def _compile(self, key: int) -> CompiledModel:
        graph = self._choice.graph
        try:
            model = self._core.read_model(graph.model())
            _check_inputs(model, graph)
            if self._choice.dequantise:
                strip_quantisers(model)
            if key != ANY:
                model.reshape({spec.name: [key, *spec.shape[1:]] for spec in graph.inputs})
            return self._core.compile_model(model, "CPU", self._settings)
        except RuntimeError as problem:
            raise EnvironmentMismatch(
                f"OpenVINO {self._versions['openvino']} cannot run {graph.name}: "
                f"{_last_line(problem)}; use another engine or another version of OpenVINO"
            ) from problem

    def _layers(self) -> dict[str, str]:
        """What each matrix product really runs in."""
        with self._lock:
            if not self._compiled:
                return {}
            running = next(iter(self._compiled.values())).get_runtime_model()
        facts = ((node.get_friendly_name(), node.get_rt_info()) for node in running.get_ops())
        return {
            name: str(info["runtimePrecision"].value)
            for name, info in facts
            if str(info["layerType"].value) in ("FullyConnected", "MatMul", "Convolution")
        }


def strip_quantisers(model: Model) -> None:
    """Let every activation pass unquantised; weights stay dequantised integers."""
    for node in model.get_ops():
        if node.get_type_name() == "FakeQuantize":
            _end_of_pair(node).output(0).replace(node.input_value(0))
    model.validate_nodes_and_infer_types()


def _end_of_pair(node: Node) -> Node:
    """The last of the nodes that a QuantizeLinear and its DequantizeLinear became."""
    while True:
        consumers = list(node.output(0).get_target_inputs())
        following = consumers[0].get_node() if len(consumers) == 1 else None
        if following is None or following.get_type_name() not in _DEQUANTISING:
            return node
        node = following


def _settings(choice: Choice, options: EngineOptions) -> dict[str, Any]:
    settings = {
        "INFERENCE_PRECISION_HINT": choice.rest,
        "INFERENCE_NUM_THREADS": options.threads or usable_cores(),
        "NUM_STREAMS": 1,
        # On some CPUs OpenVINO would quantise the input of a layer with INT8 weights by itself.
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
    }
    return settings | ({"CACHE_DIR": str(options.cache)} if options.cache else {})


def _check_inputs(model: Model, graph: Graph) -> None:
    found = {
        name: f"{port.get_element_type().get_type_name()} {port.get_partial_shape()}"
        for port in model.inputs
        for name in port.get_names()
    }
    for spec in graph.inputs:
        kind = {"uint8": "u8", "int64": "i64"}.get(spec.dtype, spec.dtype)
        if not found.get(spec.name, "").startswith(kind + " "):
            raise BundleError(
                f"{graph.name}: the graph's inputs are {found}, but this runtime feeds "
                f"{spec.name!r} as {spec.dtype}; choose the variant for CPUs"
            )


def _last_line(problem: Exception) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return lines[-1] if lines else type(problem).__name__


def _open(source: str, options: EngineOptions) -> OpenVinoEngine:
    if options.device not in (None, "cpu"):
        raise ConfigError(f"the engine 'openvino' runs on the CPU only, not on {options.device!r}")
    choice = choose(open_source(source, variant=options.variant), options.precision, this_machine())
    return OpenVinoEngine(choice, options)


def _usable() -> tuple[bool, str]:
    if find_spec("openvino") is None:
        return False, "openvino missing; pip install 'personvit[cpu]'"
    return True, ""


ENGINE = EngineSpec("openvino", "OpenVINO", "a bundle or ONNX file", _usable, _open)
